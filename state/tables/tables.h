/* tables.h -- the tables in RocksDB, one column family each, and access to them.
 * One file per table knows what its rows look like; db.c knows RocksDB.
 * Thread: the partition's loop. */
#ifndef PD_STATE_TABLES_H
#define PD_STATE_TABLES_H

#include <rocksdb/c.h>

#include "state/keys.h"
#include "state/store.h"

struct pdi_run;
struct pdi_workflow;

/* Append-only; a retired table keeps its place. The names are on disk. */
typedef enum pdi_table {
    PDI_TABLE_META,
    PDI_TABLE_EXECUTIONS,
    PDI_TABLE_CURRENT_RUNS,
    PDI_TABLE_HISTORY,
    PDI_TABLE_SIGNALS,
    PDI_TABLE_TIMERS,
    PDI_TABLE_READY,
    PDI_TABLE_NAMESPACES,
    PDI_TABLE_OUTBOX,
    PDI_TABLE_INBOX,
    PDI_TABLE_COMMAND_IDS,
    PDI_TABLE_COMMAND_ID_TIMES,
    PDI_TABLE_INGEST,
    PDI_TABLE_COUNT,
} pdi_table_t;

struct pdi_memory_db;

/* Either RocksDB or, for the simulator, memory_db.h; db.c and cursor.c alone tell them apart. */
typedef struct pdi_db {
    struct pdi_memory_db *memory; /* NULL: RocksDB */
    rocksdb_t *rocks;
    rocksdb_column_family_handle_t *families[PDI_TABLE_COUNT];
    rocksdb_readoptions_t *read;
    rocksdb_readoptions_t *read_all; /* for iterating over a table */
    rocksdb_writeoptions_t *write;
    rocksdb_writebatch_t *batch; /* the held one, while there is one */
} pdi_db_t;

/* A row that was looked for. */
typedef struct pdi_value {
    bool found;
    pd_bytes_t bytes; /* lent until pdi_value_release, and the next write */
    rocksdb_pinnableslice_t *pin;
} pdi_value_t;

/* ---- db.c ---- */
const char *pdi_table_name(pdi_table_t table);
/* PD_LOCKED, PD_IO, PD_CORRUPT. */
pd_status_t pdi_db_open(pdi_db_t *db, const pd_store_options_t *options,
                        pd_error_t *error) PD_MUST_USE;
void pdi_db_close(pdi_db_t *db);
/* What was written last, as another database in `path`, which must not exist; its files are hard
 * links where that can be. Beside the writing thread. PD_IO. @thread any */
pd_status_t pdi_db_checkpoint(pdi_db_t *db, const char *path, pd_error_t *error) PD_MUST_USE;
/* Release the value after use, where it was found. PD_IO. */
pd_status_t pdi_db_get(pdi_db_t *db, pdi_table_t table, const pdi_key_t *key, pdi_value_t *value,
                       pd_error_t *error) PD_MUST_USE;
void pdi_value_release(pdi_value_t *value);
/* The first key that is not below `from` (history: of the same run); *found tells whether there is
 * one. PD_IO. */
pd_status_t pdi_db_seek(pdi_db_t *db, pdi_table_t table, const pdi_key_t *from, pdi_key_t *key,
                        bool *found, pd_error_t *error) PD_MUST_USE;
void pdi_batch_put(pdi_db_t *db, pdi_table_t table, pd_bytes_t key, pd_bytes_t value);
void pdi_batch_delete(pdi_db_t *db, pdi_table_t table, pd_bytes_t key);
pd_status_t pdi_batch_write(pdi_db_t *db, pd_error_t *error) PD_MUST_USE;

/* What RocksDB says of what it was `doing`; takes its text. NULL: PD_OK. */
pd_status_t pdi_db_error(char *text, const char *doing, pd_error_t *error) PD_MUST_USE;

/* ---- cursor.c ---- */
/* Stands on a row of a table, or behind the last one. RocksDB's shows the rows as they were when it
 * was opened, and keeps what it shows from being deleted; a simulator's, as they are. */
typedef struct pdi_cursor {
    pdi_db_t *db;
    pdi_table_t table;
    rocksdb_iterator_t *iter; /* NULL: of memory_db.h */
    pdi_key_t from;           /* memory_db.h: the row is the first one that is not below */
} pdi_cursor_t;

/* At the first row whose key is not below `from`. To be closed before the database is. */
void pdi_cursor_open(pdi_cursor_t *cursor, pdi_db_t *db, pdi_table_t table, pd_bytes_t from);
void pdi_cursor_close(pdi_cursor_t *cursor);
/* False behind the last row. Lent until pdi_cursor_next; a simulator's, until the next write. */
bool pdi_cursor_row(const pdi_cursor_t *cursor, pd_bytes_t *key, pd_bytes_t *value);
void pdi_cursor_next(pdi_cursor_t *cursor);
/* Why there is no further row: PD_OK at the end, PD_IO. */
pd_status_t pdi_cursor_status(const pdi_cursor_t *cursor, pd_error_t *error) PD_MUST_USE;
/* All rows of a table in order; `each` may stop it by another status than PD_OK. */
typedef pd_status_t (*pdi_row_fn)(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error);
pd_status_t pdi_db_each(pdi_db_t *db, pdi_table_t table, pdi_row_fn each, void *ctx,
                        pd_error_t *error) PD_MUST_USE;
/* As pdi_db_each, but only rows whose keys are not below `from`. */
pd_status_t pdi_db_each_from(pdi_db_t *db, pdi_table_t table, pd_bytes_t from, pdi_row_fn each,
                             void *ctx, pd_error_t *error) PD_MUST_USE;
/* PD_CORRUPT with the table and the key in the text. */
pd_status_t pdi_row_corrupt(pdi_table_t table, pd_bytes_t key, const char *what, pd_error_t *error);

static inline pd_bytes_t pdi_key_bytes(const pdi_key_t *key)
{
    return pd_bytes(key->data, key->size);
}

/* ---- executions.c ---- */
/* Key of the run's rows in executions, timers (behind the deadline) and ready. */
void pdi_run_key(const struct pdi_run *run, pdi_key_t *key);
void pdi_executions_put(pd_store_t *store, struct pdi_run *run, pd_bytes_t key);
/* Fills run->exec.row and run->flushed. PD_NOT_FOUND, PD_IO, PD_CORRUPT. */
pd_status_t pdi_executions_load(pd_store_t *store, struct pdi_run *run, const char *run_id,
                                pd_error_t *error) PD_MUST_USE;

/* ---- current_runs.c ---- */
void pdi_current_key(const struct pdi_workflow *workflow, pdi_key_t *key);
void pdi_current_put(pd_store_t *store, const struct pdi_workflow *workflow,
                     const struct pdi_run *run);
void pdi_current_delete(pd_store_t *store, const struct pdi_workflow *workflow);
/* The row of a workflow's current run as it follows from the run. */
void pdi_current_row(const struct pdi_run *run, Perdure__V1__CurrentRunRow *row);
/* *run_id is NULL when there is none; else pd_free it. */
pd_status_t pdi_current_load(pd_store_t *store, const struct pdi_workflow *workflow, char **run_id,
                             pd_error_t *error) PD_MUST_USE;

/* ---- history.c ---- */
void pdi_history_put(pd_store_t *store, struct pdi_run *run);
void pdi_history_delete(pd_store_t *store, struct pdi_run *run);

/* ---- signals.c: request IDs of signals, appended in chunks ---- */
void pdi_signals_put(pd_store_t *store, struct pdi_run *run);
void pdi_signals_delete(pd_store_t *store, struct pdi_run *run);
pd_status_t pdi_signals_load(pd_store_t *store, struct pdi_run *run, pd_error_t *error) PD_MUST_USE;

/* ---- timers.c: one row per run that has a deadline ---- */
void pdi_timers_update(pd_store_t *store, struct pdi_run *run, int64_t deadline_ns,
                       pd_bytes_t run_key);

/* ---- ready.c: one row per run that has tasks to hand out ---- */
/* Fills an array of tasks (arena) and returns how many. */
size_t pdi_ready_tasks(const struct pdi_run *run, pd_arena_t *arena,
                       Perdure__V1__ReadyTask ***tasks);
bool pdi_ready_any(const struct pdi_run *run);
void pdi_ready_update(pd_store_t *store, struct pdi_run *run, bool present, pd_bytes_t run_key);

/* ---- namespaces.c ---- */
pd_status_t pdi_namespaces_load(pd_store_t *store, pd_error_t *error) PD_MUST_USE;
void pdi_namespaces_put(pd_store_t *store);
/* Takes the row. */
void pdi_namespaces_set(pd_store_t *store, Perdure__V1__NamespaceRow *row);

/* ---- outbox.c ---- */
pd_status_t pdi_outbox_load(pd_store_t *store, pd_error_t *error) PD_MUST_USE;
void pdi_outbox_put(pd_store_t *store);
void pdi_outbox_free(pd_store_t *store);
/* The message gets the next number of its target, else PD_CORRUPT. Its packed form is kept. */
pd_status_t pdi_outbox_add(pd_store_t *store, const Perdure__V1__Message *message,
                           pd_error_t *error) PD_MUST_USE;
/* Rows up to the number are no longer needed. PD_CORRUPT: it was never given out. */
pd_status_t pdi_outbox_remove(pd_store_t *store, uint32_t target_partition, int64_t through_number,
                              pd_error_t *error) PD_MUST_USE;
/* The head row of a target; false when it has never had a message. */
bool pdi_outbox_row(const pd_store_t *store, size_t target, Perdure__V1__OutboxRow *row);

/* ---- inbox.c ---- */
pd_status_t pdi_inbox_load(pd_store_t *store, pd_error_t *error) PD_MUST_USE;
void pdi_inbox_put(pd_store_t *store);
void pdi_inbox_free(pd_store_t *store);
/* Exactly the next number of its pair, else PD_CORRUPT. */
pd_status_t pdi_inbox_advance(pd_store_t *store, const Perdure__V1__Received *received,
                              pd_error_t *error) PD_MUST_USE;

/* ---- ingest.c ---- */
pd_status_t pdi_ingest_load(pd_store_t *store, pd_error_t *error) PD_MUST_USE;
void pdi_ingest_put(pd_store_t *store);
void pdi_ingest_free(pd_store_t *store);
void pdi_ingest_set(pd_store_t *store, const Perdure__V1__IngestCheckpoint *checkpoint);

/* ---- command_ids.c ---- */
pd_status_t pdi_command_ids_load(pd_store_t *store, pd_error_t *error) PD_MUST_USE;
void pdi_command_ids_put(pd_store_t *store);
void pdi_command_ids_committed(pd_store_t *store);
void pdi_command_ids_free(pd_store_t *store);
void pdi_command_ids_add(pd_store_t *store, const char *namespace_id, const char *workflow_id,
                         const char *command_id, int64_t time_ns);
void pdi_command_ids_forget(pd_store_t *store, int64_t before_ns);
/* Every ID that is not forgotten; the key is three ids, the row holds the time. */
pd_status_t pdi_command_ids_each(pd_store_t *store, pdi_row_fn each, void *ctx,
                                 pd_error_t *error) PD_MUST_USE;

/* ---- meta.c ---- */
pd_status_t pdi_meta_load(pd_store_t *store, pd_error_t *error) PD_MUST_USE;
void pdi_meta_put(pd_store_t *store, const pd_store_position_t *position);

#endif
