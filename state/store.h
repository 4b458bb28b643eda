/* store.h -- what the log means: the rows of one partition, in memory and in RocksDB.
 *
 * A pure fold of the log: pd_store_apply alone changes rows, and only from records. Rows live in an
 * object cache; a flush writes the dirty ones behind (the log is the WAL). Deleting the directory
 * and applying the log again gives the same tables.
 *
 * Thread: the partition's loop only. Ownership: everything returned is lent until the next call of
 * pd_store_apply, pd_store_flush_* or pd_store_evict; nothing that is in use is evicted meanwhile.
 */
#ifndef PD_STATE_STORE_H
#define PD_STATE_STORE_H

#include <perdure/v1/record.pb-c.h>
#include <perdure/v1/state.pb-c.h>

#include "api/pb/pb.h"
#include "base/loop.h"

typedef struct pd_store pd_store_t;
typedef struct pd_store_shared
    pd_store_shared_t; /* block cache, write buffers, env; one a process */

typedef Temporal__Api__History__V1__HistoryEvent pd_history_event_t;

/* One run in memory. */
typedef struct pd_execution {
    Perdure__V1__ExecutionRow *row; /* read only outside state/; owned by the store */
    /* Earliest time at which something about this run may be due; INT64_MAX: never. May be too
     * early, never too late. Not part of the state: whoever watches the clock may raise it. */
    int64_t deadline_hint_ns;
    void *engine;        /* the partition's own (waiters, queries); pins the run when not NULL */
    void *clock;         /* the partition's armed deadline; NULL after loading; does not pin */
    uint32_t clock_life; /* … of that life of the partition's clock; of another one it is void */
    /* RunRemoved was applied: only for whoever finds it among the touched ones, to let go of it. */
    bool removed;
} pd_execution_t;

typedef struct pd_store_options {
    const char *path; /* directory, made when missing */
    pd_store_shared_t *shared;
    uint32_t partition;
    size_t cache_size_max; /* bytes of clean rows kept, roughly */
    /* Looks at what is there, also when another process has it open: its files as flushed by
     * RocksDB, an older but whole state. Nothing may be applied. RocksDB's own diagnostics then go
     * into read_only_log_path, an existing directory. */
    bool read_only;
    const char *read_only_log_path;
} pd_store_options_t;

typedef struct pd_store_shared_options {
    size_t block_cache_size;
    size_t write_buffer_size; /* for all partitions together */
    uint32_t store_count;     /* partitions that share it; 0: 4 */
    bool in_memory;           /* RocksDB's memory env, for tests: survives pd_store_free */
    bool simulated; /* no RocksDB at all, for the simulator: survives, and may be lost (below) */
} pd_store_shared_options_t;

/* A task that some worker may take now or later. */
typedef struct pd_ready_task {
    pd_execution_t *exec;
    bool is_activity;
    int64_t scheduled_event_id;
    int32_t attempt;
    int64_t not_before_ns; /* an activity retry's backoff; else the time it was scheduled */
} pd_ready_task_t;

enum { PD_PARTITION_COUNT_MAX = 65536 };

/* What the applied records read back say of the log's position. */
typedef struct pd_store_position {
    int64_t applied_offset; /* -1: nothing applied yet */
    int64_t epoch;
    uint8_t running_hash[32];
    int64_t commands_through; /* -1: nothing yet */
} pd_store_position_t;

pd_status_t pd_store_shared_new(const pd_store_shared_options_t *options,
                                pd_store_shared_t **shared, pd_error_t *error) PD_MUST_USE;
void pd_store_shared_free(pd_store_shared_t *shared);
/* Simulated stores below the path, none of them open, lose their newest flushes, as many as `draw`
 * says of those that can be lost: what a crash may take from RocksDB without its WAL. */
void pd_store_shared_lose(pd_store_shared_t *shared, const char *path,
                          size_t (*draw)(void *ctx, size_t flush_count), void *ctx);
/* Bytes in the block cache. @thread any */
size_t pd_store_shared_cache_usage(const pd_store_shared_t *shared);

/* PD_LOCKED, PD_IO, PD_CORRUPT. Read-only also when a compaction took files away meanwhile: PD_IO,
 * try again. */
pd_status_t pd_store_open(const pd_store_options_t *options, pd_store_t **store,
                          pd_error_t *error) PD_MUST_USE;
/* Drops memory and a flush that was not committed. */
void pd_store_free(pd_store_t *store);
/* What RocksDB holds in memory for this store beside the shared block cache, in bytes. */
typedef struct pd_store_memory {
    uint64_t memtable_size, table_reader_size;
} pd_store_memory_t;
void pd_store_memory(const pd_store_t *store, pd_store_memory_t *memory);
/* As flushed last. */
void pd_store_position(const pd_store_t *store, pd_store_position_t *position);

/* ---- apply ---- */

/* Folds one record that counts into the rows. The record is borrowed for the call. A record that
 * does not fit the state is PD_CORRUPT (the partition stops): it cannot come from a right owner. */
pd_status_t pd_store_apply(pd_store_t *store, const Perdure__V1__Record *record,
                           pd_error_t *error) PD_MUST_USE;
/* Runs that the last pd_store_apply changed, and tasks that became ready in it and still are. */
size_t pd_store_touched(const pd_store_t *store, pd_execution_t *const **execs);
size_t pd_store_ready(const pd_store_t *store, const pd_ready_task_t **tasks);

/* Offset in the topic of commands up to which the records applied so far have consumed; -1. */
int64_t pd_store_commands_through(const pd_store_t *store);

/* ---- messages ---- */

/* Numbers given out so far for a target partition (0: none), and how far they are needed no more.
 * The rows in between are the messages that are to be sent. */
typedef struct pd_outbox_range {
    int64_t last_number;
    int64_t done_through;
} pd_outbox_range_t;
pd_outbox_range_t pd_store_outbox(const pd_store_t *store, uint32_t target_partition);
/* A perdure.v1.Message in protobuf's wire form, lent until the next apply; empty when it has no
 * row. */
pd_bytes_t pd_store_outbox_message(const pd_store_t *store, uint32_t target_partition,
                                   int64_t number);
/* Bytes of all messages that have rows. */
size_t pd_store_outbox_size(const pd_store_t *store);
/* Last number accepted of a source (see Received); 0: none yet. */
int64_t pd_store_inbox_last(const pd_store_t *store, int32_t source_partition,
                            const char *source_topic);
/* The newest checkpoint of a source of a mapped topic; NULL: none. Lent until the next apply. */
const Perdure__V1__IngestCheckpoint *pd_store_ingest_checkpoint(const pd_store_t *store,
                                                                const char *source);
/* Was a command with this ID applied to the workflow, and is it not forgotten? PD_IO, PD_CORRUPT.
 */
pd_status_t pd_store_command_id_seen(pd_store_t *store, const char *namespace_id,
                                     const char *workflow_id, const char *command_id, bool *seen,
                                     pd_error_t *error) PD_MUST_USE;

/* ---- flush ---- */

/* Dirty bytes that wait for a flush, roughly. */
size_t pd_store_dirty_size(const pd_store_t *store);
/* At a transition boundary: encodes all dirty rows into one batch and holds it. No batch may be
 * held already. Rows may be changed again afterwards: they are dirty anew. */
void pd_store_flush_begin(pd_store_t *store);
bool pd_store_flush_held(const pd_store_t *store);
/* Once everything up to the boundary is acknowledged: the position goes with the batch. */
void pd_store_flush_seal(pd_store_t *store, const pd_store_position_t *position);
/* Writes the sealed batch, beside everything else that is done with the store but flushing, and
 * freeing it. PD_IO: it stays held. @thread any */
pd_status_t pd_store_flush_write(pd_store_t *store, pd_error_t *error) PD_MUST_USE;
/* It has been written. Between commands only. */
void pd_store_flush_end(pd_store_t *store);
/* The three at once. PD_IO. */
pd_status_t pd_store_flush_commit(pd_store_t *store, const pd_store_position_t *position,
                                  pd_error_t *error) PD_MUST_USE;
/* Lets go of clean rows beyond the cache's size. Between commands only. */
void pd_store_evict(pd_store_t *store);

/* ---- reading ---- */

/* The current run of a workflow ID, or the run named. *exec is NULL when there is none. PD_IO. */
pd_status_t pd_store_current(pd_store_t *store, const char *namespace_id, const char *workflow_id,
                             pd_execution_t **exec, pd_error_t *error) PD_MUST_USE;
pd_status_t pd_store_execution(pd_store_t *store, const char *namespace_id, const char *workflow_id,
                               const char *run_id, pd_execution_t **exec,
                               pd_error_t *error) PD_MUST_USE;

/* Appends events [first_event_id, ...) of the run to `out` in the wire form of
 * temporal.api.history.v1.History (so that batches join by concatenation): at most event_count_max
 * events and, after the first, size_max bytes. *next_event_id: the one to go on with. */
pd_status_t pd_store_history_read(pd_store_t *store, pd_execution_t *exec, int64_t first_event_id,
                                  int64_t event_count_max, size_t size_max, pd_buf_t *out,
                                  int64_t *next_event_id, pd_error_t *error) PD_MUST_USE;
/* One event, decoded into the arena; *event is NULL when there is none of that ID. */
pd_status_t pd_store_history_event(pd_store_t *store, pd_execution_t *exec, int64_t event_id,
                                   pd_arena_t *arena, pd_history_event_t **event,
                                   pd_error_t *error) PD_MUST_USE;

/* Namespaces live in partition 0. Calls `each` for every row. */
pd_status_t pd_store_namespaces(pd_store_t *store,
                                void (*each)(void *ctx, const Perdure__V1__NamespaceRow *row),
                                void *ctx, pd_error_t *error) PD_MUST_USE;

/* ---- rebuilding what lives in memory only ---- */

/* What a walk tells of: one of the two functions. Strings, and the position, are lent for the call.
 * False: not now. */
typedef struct pd_store_walk_to {
    bool (*deadline)(void *ctx, const char *namespace_id, const char *workflow_id,
                     const char *run_id, int64_t at_ns);
    bool (*ready)(void *ctx, pd_bytes_t position, const char *namespace_id, const char *workflow_id,
                  const char *run_id, const Perdure__V1__ReadyTask *task);
    void *ctx;
} pd_store_walk_to_t;

typedef enum pd_store_walk_state {
    PD_STORE_WALK_MORE,
    PD_STORE_WALK_REFUSED, /* it stands in front of what was told "not now" */
    PD_STORE_WALK_END,
} pd_store_walk_state_t;

/* A walk over every open or retained run's next deadline, or over every ready task at or behind the
 * position `from` ("": all of them), in steps. Runs are not loaded for it. What is there when it is
 * opened, and lasts, is told at least once, with records applied between the steps, too; what came
 * later, or went, may be told. One at a time in a store, to be closed before the store is.
 *
 * Positions are ordered as bytes. Runs that are not in RocksDB as they are in memory are told at
 * once, all others in order. NULL: one of them was told "not now". */
typedef struct pd_store_walk pd_store_walk_t;
pd_store_walk_t *pd_store_walk_open(pd_store_t *store, const pd_store_walk_to_t *to,
                                    pd_bytes_t from) PD_MUST_USE;
/* NULL does nothing. */
void pd_store_walk_close(pd_store_walk_t *walk);
/* Tells of the next runs. PD_IO, PD_CORRUPT. */
pd_status_t pd_store_walk_step(pd_store_walk_t *walk, size_t row_count_max,
                               pd_store_walk_state_t *state, pd_error_t *error) PD_MUST_USE;
/* Before this everything has been told, from here on what was not told at once. Lent until the next
 * step or write; false: at the end. */
bool pd_store_walk_position(const pd_store_walk_t *walk, pd_bytes_t *position);

/* A text form of every table, row by row, sorted, with history decoded event by event: for
 * comparing two stores. Flushed and unflushed rows alike. */
pd_status_t pd_store_dump(pd_store_t *store, pd_buf_t *out, pd_error_t *error) PD_MUST_USE;

#endif
