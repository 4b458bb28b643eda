/* store_private.h -- the store's insides: runs in memory, the workflows that they belong to.
 *
 * A run is on exactly one of these lists, or on none while only held:
 *
 *     load ──▶ clean ◀── commit ── (held) ◀── flush_begin ── dirty ◀── apply
 *                │                    └──────── apply ────────▲ (held and dirty)
 *              evict
 *
 * Invariants:
 * 1. RocksDB has no row of a run that is neither persisted nor held.
 * 2. A clean run's row is what RocksDB has; memory is right for dirty and held ones.
 * 3. A removed run stays in memory until its deletion is committed: nothing is loaded behind it.
 * 4. current_dirty implies that the run concerned is dirty (so the workflow is not let go).
 * 5. Events [tail_first_event_id, next_event_id) lie in the tail; all before it are in RocksDB. */
#ifndef PD_STATE_STORE_PRIVATE_H
#define PD_STATE_STORE_PRIVATE_H

#include <rocksdb/c.h>
#include <sys/queue.h>

#include "state/execution.h"
#include "state/id_index.h"
#include "state/keys.h"
#include "state/message.h"
#include "state/store.h"
#include "state/tables/tables.h"

typedef struct pdi_workflow pdi_workflow_t;
typedef struct pdi_run pdi_run_t;

typedef Perdure__V1__ExecutionRow pdi_row_t;
typedef Perdure__V1__ActivityRow pdi_activity_t;
typedef Perdure__V1__TimerRow pdi_timer_t;
typedef Perdure__V1__ChildRow pdi_child_t;
typedef Perdure__V1__ExternalRow pdi_external_t;

enum {
    PDI_BATCH_IDS_MAX = 6,    /* first event IDs of history batches remembered for deletion */
    PDI_TAIL_KEEP_SIZE = 2048 /* flushed events that stay in memory for the next reader */
};

typedef enum pdi_list {
    PDI_LIST_NONE,
    PDI_LIST_CLEAN,
    PDI_LIST_DIRTY,
    PDI_LIST_REMOVED, /* only the partition loop still has it */
} pdi_list_t;

/* What of a run lies in RocksDB, or in the held batch; stored beside the row. */
typedef struct pdi_flushed {
    int64_t deadline_ns; /* of its row in timers; INT64_MAX: no row */
    bool ready;          /* has a row in ready */
    uint32_t signal_chunk_count;
    uint32_t signal_count; /* request IDs in those chunks */
    uint32_t batch_count;  /* of history */
    uint32_t batch_first_event_ids[PDI_BATCH_IDS_MAX];
} pdi_flushed_t;

/* What applying an event looks at comes first. */
struct pdi_run {
    pd_execution_t exec; /* first */
    pdi_workflow_t *workflow;
    pdi_run_t *sibling;   /* next loaded run of the workflow */
    uint64_t touched_seq; /* of the apply that changed it last */
    uint64_t told_by_walk;
    /* The last events, in the wire form of History. */
    uint8_t *tail;
    size_t tail_size;
    size_t tail_capacity;
    pdi_list_t list;
    bool held;
    bool persisted; /* has a row in RocksDB or in the held batch */
    TAILQ_ENTRY(pdi_run) link;
    TAILQ_ENTRY(pdi_run) held_link;
    size_t packed_size; /* of the row, when it was flushed or loaded last */
    size_t memory_size; /* as counted in clean_size */
    pdi_flushed_t flushed;
    size_t tail_flushed_size;   /* from the front: in RocksDB or held */
    size_t tail_committed_size; /* from the front: in RocksDB */
    int64_t tail_first_event_id;
    int64_t unflushed_event_id; /* first event that is not in RocksDB or held */
    pdi_id_index_t activity_ids;
    pdi_id_index_t timer_ids;
    pdi_id_index_t signal_ids;
    char run_id[];
};

typedef TAILQ_HEAD(pdi_run_list, pdi_run) pdi_run_list_t;

typedef enum pdi_current {
    PDI_CURRENT_UNKNOWN, /* look into RocksDB */
    PDI_CURRENT_NONE,
    PDI_CURRENT_RUN,
} pdi_current_t;

struct pdi_workflow {
    pdi_workflow_t *hash_next;
    uint64_t hash;
    pdi_run_t *runs; /* loaded ones, newest first */
    char *current_run_id;
    pdi_current_t current;
    bool current_dirty;
    bool current_held;
    bool current_persisted;  /* RocksDB may have a row */
    const char *workflow_id; /* behind namespace_id */
    char namespace_id[];
};

typedef struct pdi_namespace {
    Perdure__V1__NamespaceRow *row;
    bool dirty;
} pdi_namespace_t;

/* Messages to one target, oldest first. See tables/outbox.c. */
typedef struct pdi_outbox_target {
    int64_t last_number, done_through;
    pd_bytes_t *messages; /* [first .. first + last_number - done_through) */
    size_t first, capacity;
    int64_t stored_from, stored_through; /* rows in RocksDB or in the held batch */
    bool dirty;
} pdi_outbox_target_t;

typedef struct pdi_inbox_source {
    int32_t partition;
    char *topic;
    int64_t last_number;
    bool dirty;
} pdi_inbox_source_t;

typedef struct pdi_command_id pdi_command_id_t;

struct pdi_memory_disk;

struct pd_store_shared {
    struct pdi_memory_disk *disk; /* NULL: the stores are RocksDB's */
    rocksdb_cache_t *block_cache;
    rocksdb_env_t *env;
    size_t write_buffer_size; /* of one store */
    bool in_memory;
};

struct pd_store {
    uint32_t partition;
    size_t cache_size_max;
    pd_store_position_t position;
    pdi_db_t db;

    pdi_workflow_t **buckets;
    size_t bucket_count; /* a power of two */
    size_t workflow_count;

    pdi_run_list_t clean; /* least recently used last */
    pdi_run_list_t dirty;
    pdi_run_list_t held;
    pdi_run_list_t removed;
    size_t clean_size;
    size_t dirty_size;
    bool flush_held;
    pd_store_position_t held_position; /* of the sealed batch */
    uint64_t walk;                     /* the newest one's number; the first is 1 */
    bool walking;

    pdi_namespace_t *namespaces;
    size_t namespace_count;

    int64_t commands_through;
    pdi_outbox_target_t *outbox; /* by target partition */
    size_t outbox_count;
    size_t outbox_size;
    pdi_inbox_source_t *inbox;
    size_t inbox_count;
    size_t inbox_last_used;
    Perdure__V1__IngestCheckpoint **ingest; /* one a source */
    bool *ingest_dirty;
    size_t ingest_count;
    pdi_command_id_t *command_ids;        /* not in RocksDB, nor in the held batch */
    pdi_command_id_t *held_command_ids;   /* in the held batch */
    int64_t command_ids_before_ns;        /* older ones are forgotten */
    int64_t command_ids_stored_before_ns; /* … and gone from RocksDB */

    /* Of the last apply */
    uint64_t apply_seq;
    pd_execution_t **touched;
    size_t touched_count;
    size_t touched_capacity;
    pd_ready_task_t *ready;
    size_t ready_count;
    size_t ready_capacity;

    /* Reused */
    pdi_packer_t packer;
    pdi_key_t key;
    pdi_key_t run_key; /* of the run that is being flushed */
    pdi_key_t value;
    pdi_key_t text;
    pd_arena_t arena;
};

static inline pdi_run_t *pdi_run(const pd_execution_t *exec)
{
    return (pdi_run_t *)exec;
}

/* ---- cache.c: workflows and runs in memory ---- */

/* NULL when not in memory. */
pdi_workflow_t *pdi_workflow_find(const pd_store_t *store, const char *namespace_id,
                                  const char *workflow_id);
pdi_workflow_t *pdi_workflow_get(pd_store_t *store, const char *namespace_id,
                                 const char *workflow_id);
/* Lets go of a workflow that nothing needs in memory. */
void pdi_workflow_release(pd_store_t *store, pdi_workflow_t *workflow);
/* Reads workflow->current when it is unknown. */
pd_status_t pdi_workflow_load_current(pd_store_t *store, pdi_workflow_t *workflow,
                                      pd_error_t *error) PD_MUST_USE;
void pdi_workflow_set_current(pdi_workflow_t *workflow, const char *run_id);

/* In memory only; removed ones as well. */
pdi_run_t *pdi_run_find(const pdi_workflow_t *workflow, const char *run_id);
/* In memory or from RocksDB; NULL when there is none or it was removed. */
pd_status_t pdi_run_load(pd_store_t *store, pdi_workflow_t *workflow, const char *run_id,
                         pdi_run_t **run, pd_error_t *error) PD_MUST_USE;
/* Its row in RocksDB as a run that is not part of the cache; PD_NOT_FOUND. */
pd_status_t pdi_run_peek(pd_store_t *store, pdi_workflow_t *workflow, const char *run_id,
                         pdi_run_t **run, pd_error_t *error) PD_MUST_USE;
void pdi_run_peeked(pdi_run_t *run);
/* A new run with an empty row, on no list yet. */
pdi_run_t *pdi_run_new(pd_store_t *store, pdi_workflow_t *workflow, const char *run_id);
/* Not on a list any more; unlinked from its workflow, which is released. */
void pdi_run_free(pd_store_t *store, pdi_run_t *run);
/* A removed run, nothing of which is in RocksDB any more. */
void pdi_run_let_go(pd_store_t *store, pdi_run_t *run);
void pdi_run_list_set(pd_store_t *store, pdi_run_t *run, pdi_list_t list);

/* ---- tail.c: the events not flushed yet, or just flushed ---- */

/* Appends the event; returns its packed size. */
size_t pdi_tail_append(pd_store_t *store, pdi_run_t *run, const pd_history_event_t *event);
/* Drops committed events beyond those worth keeping. */
void pdi_tail_trim(pdi_run_t *run);

typedef struct pdi_event_cursor {
    pd_bytes_t rest;
    int64_t event_id; /* of the event at the front of rest */
} pdi_event_cursor_t;
/* The event at the front, with and without its framing; false at the end or when malformed
 * (rest.size tells). */
bool pdi_event_next(pdi_event_cursor_t *cursor, pd_bytes_t *framed, pd_bytes_t *event);

/* ---- execution.c: pending lists are sorted by event ID ---- */
/* NULL when not pending; else *index (may be NULL) is its place in the row's array. */
pdi_activity_t *pdi_activity(const pdi_run_t *run, int64_t scheduled_event_id, size_t *index);
pdi_timer_t *pdi_timer(const pdi_run_t *run, int64_t started_event_id, size_t *index);
pdi_child_t *pdi_child(const pdi_run_t *run, int64_t initiated_event_id, size_t *index);
pdi_external_t *pdi_external(pdi_external_t *const *list, size_t count, int64_t initiated_event_id,
                             size_t *index);
/* They keep the row's arrays and the indexes together. Adding takes the element. */
void pdi_activity_add(pdi_run_t *run, pdi_activity_t *activity);
void pdi_activity_remove(pdi_run_t *run, size_t index);
void pdi_timer_add(pdi_run_t *run, pdi_timer_t *timer);
void pdi_timer_remove(pdi_run_t *run, size_t index);
void pdi_child_add(pdi_run_t *run, pdi_child_t *child);
void pdi_child_remove(pdi_run_t *run, size_t index);
void pdi_signal_request_add(pdi_run_t *run, const char *request_id);

/* ---- deadlines.c ---- */
/* The earliest deadline of what has the run itself and its workflow task; of one activity. */
int64_t pdi_run_deadline_ns(const pdi_run_t *run);
int64_t pdi_activity_deadline_ns(const pdi_activity_t *activity);

#endif
