/* snapshot.h -- the state of a partition at one offset, put aside so that another node, or this one
 * after a loss, need only replay what came later.
 *
 *     <directory>/<cluster>/<partition>/<epoch>-<offset>/MANIFEST    what it is, with checksums
 *                                                       /state/…     a RocksDB checkpoint
 *     <directory>/<cluster>/<partition>/.tmp-<node>-…/               unfinished; cleaned at start
 *
 * A snapshot is complete when it has its name: it is made under a temporary one, synced, and
 * renamed. Nothing in it is believed when it is restored: the manifest must be of this cluster and
 * partition, every file must have its size and SHA-256, and the store inside must stand where the
 * manifest says. Whether it chains with the log is for the caller to see, who has the log.
 *
 * Thread: everything here blocks on the disk: a worker's, never a loop's. Several nodes may share
 * the directory. Ownership: places are borrowed for the call; lists are freed by _list_free. */
#ifndef PD_STATE_SNAPSHOT_H
#define PD_STATE_SNAPSHOT_H

#include "state/store.h"

enum {
    PD_SNAPSHOT_FILES_MAX = 100000,
    PD_SNAPSHOT_MANIFEST_SIZE_MAX = 32 * 1024 * 1024,
    PD_SNAPSHOT_PATH_SIZE = 4096,
};

typedef struct pd_snapshot_place {
    const char *directory;
    const char *cluster;
    uint32_t partition;
    const char *node; /* whose temporary names these are */
} pd_snapshot_place_t;

/* One that has its name; whether it is any good shows when it is restored. */
typedef struct pd_snapshot_entry {
    int64_t epoch, offset;
} pd_snapshot_entry_t;

typedef struct pd_snapshot_list {
    pd_snapshot_entry_t *entries; /* the newest first */
    size_t count;
} pd_snapshot_list_t;

typedef struct pd_snapshot_source {
    pd_store_t *store;
    pd_store_shared_t *shared;
    int64_t now_ns;
    /* The store is not needed any more, and may be freed; called in any case. May be NULL. */
    void (*let_go)(void *ctx);
    void *ctx;
} pd_snapshot_source_t;

/* Checkpoints the store, whose loop may go on changing it: what is caught is what was committed
 * last, at some transition boundary. *entry says where it stands. PD_EXISTS: there is one of that
 * offset already. PD_NOT_FOUND: nothing was ever committed. PD_IO: disk full and the like; nothing
 * is left behind. The store must not be freed before `let_go`. */
pd_status_t pd_snapshot_make(const pd_snapshot_place_t *place, const pd_snapshot_source_t *source,
                             pd_snapshot_entry_t *entry, pd_error_t *error) PD_MUST_USE;

/* PD_OK with count 0 when the directory does not exist. */
pd_status_t pd_snapshot_list(const pd_snapshot_place_t *place, pd_snapshot_list_t *list,
                             pd_error_t *error) PD_MUST_USE;
void pd_snapshot_list_free(pd_snapshot_list_t *list);

/* Checks everything and makes it the state in `store_path`, which must not exist. PD_CORRUPT,
 * PD_INVALID: not a good snapshot, the text says why; store_path is as before then. PD_IO. */
pd_status_t pd_snapshot_restore(const pd_snapshot_place_t *place, const pd_snapshot_entry_t *entry,
                                const char *store_path, pd_store_shared_t *shared,
                                pd_error_t *error) PD_MUST_USE;

/* Keeps the newest `keep` ones (at least 1) whose manifest and file sizes are right, and removes
 * all that are older. PD_IO. */
pd_status_t pd_snapshot_prune(const pd_snapshot_place_t *place, size_t keep,
                              pd_error_t *error) PD_MUST_USE;
/* Removes what this node left unfinished: there, and beside `store_path`. While it neither makes
 * nor restores one. */
void pd_snapshot_clean(const pd_snapshot_place_t *place, const char *store_path);

/* Moves a state directory that cannot be used out of the way: <store_path>.aside-<ms since 1970>.
 * The newest two are kept. PD_IO. */
pd_status_t pd_snapshot_set_aside(const char *store_path, int64_t now_ns,
                                  pd_error_t *error) PD_MUST_USE;

#endif
