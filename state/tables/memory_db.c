#include "state/tables/memory_db.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum { BATCHES_REMEMBERED = 8 };

typedef struct row {
    uint8_t *data; /* the key, behind it the value; owned */
    size_t key_size;
    size_t value_size;
    bool deleted; /* in a batch: there is no such row afterwards */
} row_t;

typedef struct table {
    row_t *rows; /* sorted */
    size_t count;
    size_t capacity;
} table_t;

/* Rows in the order in which they are to be put; of a batch, or what takes one back. */
typedef struct batch {
    struct {
        size_t table;
        row_t row;
    } * items;
    size_t count;
    size_t capacity;
} batch_t;

struct pdi_memory_db {
    char *path;
    bool open;
    table_t *tables;
    size_t table_count;
    batch_t batch;                    /* not written yet */
    batch_t undo[BATCHES_REMEMBERED]; /* of the newest batches, the oldest first */
    size_t undo_count;
};

struct pdi_memory_disk {
    pdi_memory_db_t **dbs;
    size_t count;
};

/* ---- rows ---- */

static row_t row_new(pd_bytes_t key, pd_bytes_t value, bool deleted)
{
    row_t row = {.key_size = key.size, .value_size = value.size, .deleted = deleted};

    row.data = pd_alloc(key.size + value.size);
    if (key.size)
        memcpy(row.data, key.data, key.size);
    if (value.size)
        memcpy(row.data + key.size, value.data, value.size);
    return row;
}

static int compare(const row_t *row, pd_bytes_t key)
{
    size_t size = row->key_size < key.size ? row->key_size : key.size;
    int order = size ? memcmp(row->data, key.data, size) : 0;

    if (order)
        return order;
    return row->key_size < key.size ? -1 : row->key_size > key.size;
}

/* Index of the first row that is not below the key. */
static size_t lower_bound(const table_t *table, pd_bytes_t key)
{
    size_t from = 0, to = table->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (compare(&table->rows[middle], key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool is_at(const table_t *table, size_t at, pd_bytes_t key)
{
    return at < table->count && compare(&table->rows[at], key) == 0;
}

static void insert(table_t *table, size_t at, row_t row)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? 2 * table->capacity : 16;
        table->rows = pd_realloc(table->rows, table->capacity * sizeof(*table->rows));
    }
    memmove(&table->rows[at + 1], &table->rows[at], (table->count - at) * sizeof(*table->rows));
    table->rows[at] = row;
    table->count++;
}

static void take_out(table_t *table, size_t at)
{
    table->count--;
    memmove(&table->rows[at], &table->rows[at + 1], (table->count - at) * sizeof(*table->rows));
}

/* ---- batches ---- */

static void batch_add(batch_t *batch, size_t table, row_t row)
{
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity ? 2 * batch->capacity : 16;
        batch->items = pd_realloc(batch->items, batch->capacity * sizeof(*batch->items));
    }
    batch->items[batch->count].table = table;
    batch->items[batch->count++].row = row;
}

static void batch_clear(batch_t *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        pd_free(batch->items[i].row.data);
    batch->count = 0;
}

static void batch_deinit(batch_t *batch)
{
    batch_clear(batch);
    pd_free(batch->items);
    *batch = (batch_t){0};
}

/* Takes the row, and gives what was there before. */
static row_t replace(table_t *table, row_t row)
{
    pd_bytes_t key = pd_bytes(row.data, row.key_size);
    size_t at = lower_bound(table, key);
    row_t before;

    if (is_at(table, at, key)) {
        before = table->rows[at];
        if (!row.deleted) {
            table->rows[at] = row;
            return before;
        }
        take_out(table, at);
        pd_free(row.data);
        return before;
    }
    before = row_new(key, pd_bytes(NULL, 0), true);
    if (row.deleted)
        pd_free(row.data);
    else
        insert(table, at, row);
    return before;
}

static batch_t *next_undo(pdi_memory_db_t *db)
{
    if (db->undo_count == BATCHES_REMEMBERED) {
        batch_deinit(&db->undo[0]);
        memmove(&db->undo[0], &db->undo[1], (BATCHES_REMEMBERED - 1) * sizeof(db->undo[0]));
        db->undo_count--;
    }
    db->undo[db->undo_count] = (batch_t){0};
    return &db->undo[db->undo_count++];
}

static void undo_newest(pdi_memory_db_t *db)
{
    batch_t *undo = &db->undo[--db->undo_count];

    while (undo->count) { /* backwards: a key may have been put twice */
        row_t gone;

        undo->count--;
        gone = replace(&db->tables[undo->items[undo->count].table], undo->items[undo->count].row);
        pd_free(gone.data);
    }
    batch_deinit(undo);
}

/* ---- the disk ---- */

pdi_memory_disk_t *pdi_memory_disk_new(void)
{
    return PD_NEW(pdi_memory_disk_t);
}

static void db_free(pdi_memory_db_t *db)
{
    PD_ASSERT(!db->open);
    for (size_t t = 0; t < db->table_count; t++) {
        for (size_t i = 0; i < db->tables[t].count; i++)
            pd_free(db->tables[t].rows[i].data);
        pd_free(db->tables[t].rows);
    }
    pd_free(db->tables);
    batch_deinit(&db->batch);
    for (size_t i = 0; i < db->undo_count; i++)
        batch_deinit(&db->undo[i]);
    pd_free(db->path);
    pd_free(db);
}

void pdi_memory_disk_free(pdi_memory_disk_t *disk)
{
    if (!disk)
        return;
    for (size_t i = 0; i < disk->count; i++)
        db_free(disk->dbs[i]);
    pd_free(disk->dbs);
    pd_free(disk);
}

static pdi_memory_db_t *find(pdi_memory_disk_t *disk, const char *path)
{
    for (size_t i = 0; i < disk->count; i++) {
        if (strcmp(disk->dbs[i]->path, path) == 0)
            return disk->dbs[i];
    }
    return NULL;
}

pd_status_t pdi_memory_db_open(pdi_memory_disk_t *disk, const char *path, size_t table_count,
                               pdi_memory_db_t **out, pd_error_t *error)
{
    pdi_memory_db_t *db = find(disk, path);

    if (db && db->open)
        return pd_error_set(error, PD_LOCKED, "%s is open already", path);
    if (!db) {
        db = PD_NEW(pdi_memory_db_t);
        db->path = pd_strdup(path);
        db->table_count = table_count;
        db->tables = pd_calloc(table_count, sizeof(*db->tables));
        disk->dbs = pd_realloc(disk->dbs, (disk->count + 1) * sizeof(pdi_memory_db_t *));
        disk->dbs[disk->count++] = db;
    }
    db->open = true;
    *out = db;
    return PD_OK;
}

void pdi_memory_db_close(pdi_memory_db_t *db)
{
    batch_clear(&db->batch);
    db->open = false;
}

void pdi_memory_disk_lose(pdi_memory_disk_t *disk, const char *prefix,
                          size_t (*draw)(void *ctx, size_t batch_count), void *ctx)
{
    for (size_t i = 0; i < disk->count; i++) {
        pdi_memory_db_t *db = disk->dbs[i];
        size_t left;

        if (strncmp(db->path, prefix, strlen(prefix)) != 0)
            continue;
        PD_ASSERT(!db->open);
        for (left = db->undo_count ? draw(ctx, db->undo_count) : 0; left; left--)
            undo_newest(db);
    }
}

/* ---- access ---- */

bool pdi_memory_db_get(const pdi_memory_db_t *db, size_t table, pd_bytes_t key, pd_bytes_t *value)
{
    const table_t *rows = &db->tables[table];
    size_t at = lower_bound(rows, key);

    if (!is_at(rows, at, key))
        return false;
    *value = pd_bytes(rows->rows[at].data + key.size, rows->rows[at].value_size);
    return true;
}

void pdi_memory_db_put(pdi_memory_db_t *db, size_t table, pd_bytes_t key, pd_bytes_t value)
{
    batch_add(&db->batch, table, row_new(key, value, false));
}

void pdi_memory_db_delete(pdi_memory_db_t *db, size_t table, pd_bytes_t key)
{
    batch_add(&db->batch, table, row_new(key, pd_bytes(NULL, 0), true));
}

void pdi_memory_db_write(pdi_memory_db_t *db)
{
    batch_t *undo = next_undo(db);

    for (size_t i = 0; i < db->batch.count; i++) {
        size_t table = db->batch.items[i].table;

        batch_add(undo, table, replace(&db->tables[table], db->batch.items[i].row));
    }
    db->batch.count = 0; /* the tables have the rows */
}

bool pdi_memory_db_row(const pdi_memory_db_t *db, size_t table, pd_bytes_t from, size_t at,
                       pd_bytes_t *key, pd_bytes_t *value)
{
    const table_t *rows = &db->tables[table];
    const row_t *row;

    at += lower_bound(rows, from);
    if (at >= rows->count)
        return false;
    row = &rows->rows[at];
    *key = pd_bytes(row->data, row->key_size);
    *value = pd_bytes(row->data + row->key_size, row->value_size);
    return true;
}
