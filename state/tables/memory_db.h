/* memory_db.h -- rows in sorted arrays in place of RocksDB, for the simulator: opened in no time,
 * and able to lose what RocksDB may lose at a crash, the newest flushes.
 *
 * Databases live on a disk, by path, and survive their closing. Meant for thousands of rows, not
 * for more: an insert moves what is behind it. Thread: one at a time, for the whole disk. */
#ifndef PD_STATE_MEMORY_DB_H
#define PD_STATE_MEMORY_DB_H

#include "base/buf.h"
#include "base/status.h"

typedef struct pdi_memory_disk pdi_memory_disk_t;
typedef struct pdi_memory_db pdi_memory_db_t;

pdi_memory_disk_t *pdi_memory_disk_new(void);
/* No database may be open. */
void pdi_memory_disk_free(pdi_memory_disk_t *disk);

/* PD_LOCKED: it is open already. */
pd_status_t pdi_memory_db_open(pdi_memory_disk_t *disk, const char *path, size_t table_count,
                               pdi_memory_db_t **db, pd_error_t *error) PD_MUST_USE;
/* What was put and not written is dropped. */
void pdi_memory_db_close(pdi_memory_db_t *db);
/* Takes back the newest batches of all databases whose paths begin with `prefix`: in each as many
 * as `draw` says, of those that are remembered (the newest few). None of them may be open. */
void pdi_memory_disk_lose(pdi_memory_disk_t *disk, const char *prefix,
                          size_t (*draw)(void *ctx, size_t batch_count), void *ctx);

/* Lent until the next write; false: there is no such row. */
bool pdi_memory_db_get(const pdi_memory_db_t *db, size_t table, pd_bytes_t key, pd_bytes_t *value);
void pdi_memory_db_put(pdi_memory_db_t *db, size_t table, pd_bytes_t key, pd_bytes_t value);
void pdi_memory_db_delete(pdi_memory_db_t *db, size_t table, pd_bytes_t key);
/* All puts and deletes since the last write, at once. */
void pdi_memory_db_write(pdi_memory_db_t *db);
/* The row at `at` of those whose keys are not below `from`; false: there is none. Lent until the
 * next write. */
bool pdi_memory_db_row(const pdi_memory_db_t *db, size_t table, pd_bytes_t from, size_t at,
                       pd_bytes_t *key, pd_bytes_t *value);

#endif
