/* command_ids.c -- (namespace, workflow, command ID) → when a producer's command was applied.
 *
 * There may be very many, so they are not kept in memory beyond the flush that writes them. A
 * second table has them in order of time: forgetting the old ones reads those and no others. What
 * is forgotten is decided by a record (Progress); a row may lie in RocksDB a little longer. */
#include <uthash.h>

#include "base/assert.h"
#include "base/memory.h"
#include "state/store_private.h"

struct pdi_command_id {
    UT_hash_handle hh;
    int64_t time_ns;
    size_t size;
    uint8_t key[];
};

static void id_key(pdi_key_t *key, const char *namespace_id, const char *workflow_id,
                   const char *command_id)
{
    pdi_key_clear(key);
    pdi_key_put_id(key, namespace_id);
    pdi_key_put_id(key, workflow_id);
    pdi_key_put_id(key, command_id);
}

/* The row that tells what was forgotten. No namespace has an empty ID. */
static void before_key(pdi_key_t *key)
{
    pdi_key_clear(key);
    pdi_key_put_id(key, "");
}

void pdi_command_ids_add(pd_store_t *store, const char *namespace_id, const char *workflow_id,
                         const char *command_id, int64_t time_ns)
{
    pdi_command_id_t *id;

    id_key(&store->key, namespace_id, workflow_id, command_id);
    HASH_FIND(hh, store->command_ids, store->key.data, store->key.size, id);
    if (!id) {
        id = pd_alloc(sizeof(*id) + store->key.size);
        id->size = store->key.size;
        memcpy(id->key, store->key.data, id->size);
        HASH_ADD_KEYPTR(hh, store->command_ids, id->key, id->size, id);
        store->dirty_size += 2 * (sizeof(*id) + id->size);
    }
    id->time_ns = time_ns;
}

void pdi_command_ids_forget(pd_store_t *store, int64_t before_ns)
{
    if (before_ns > store->command_ids_before_ns)
        store->command_ids_before_ns = before_ns;
}

static pd_status_t row_time(pd_bytes_t key, pd_bytes_t value, int64_t *time_ns, pd_error_t *error)
{
    Perdure__V1__CommandIdRow *row =
        perdure__v1__command_id_row__unpack(NULL, value.size, value.data);

    if (!row)
        return pdi_row_corrupt(PDI_TABLE_COMMAND_IDS, key, "malformed row", error);
    *time_ns = row->time_ns;
    pdi_message_free(row);
    return PD_OK;
}

pd_status_t pd_store_command_id_seen(pd_store_t *store, const char *namespace_id,
                                     const char *workflow_id, const char *command_id, bool *seen,
                                     pd_error_t *error)
{
    pdi_value_t value;
    pdi_command_id_t *id;
    pd_status_t status;
    int64_t time_ns = INT64_MIN;

    id_key(&store->key, namespace_id, workflow_id, command_id);
    HASH_FIND(hh, store->command_ids, store->key.data, store->key.size, id);
    if (!id)
        HASH_FIND(hh, store->held_command_ids, store->key.data, store->key.size, id);
    if (id) {
        *seen = id->time_ns >= store->command_ids_before_ns;
        return PD_OK;
    }
    *seen = false;
    PD_TRY(pdi_db_get(&store->db, PDI_TABLE_COMMAND_IDS, &store->key, &value, error));
    if (!value.found)
        return PD_OK;
    status = row_time(pdi_key_bytes(&store->key), value.bytes, &time_ns, error);
    pdi_value_release(&value);
    *seen = time_ns >= store->command_ids_before_ns;
    return status;
}

/* ---- RocksDB ---- */

static void put_row(pd_store_t *store, pd_bytes_t key, int64_t time_ns)
{
    Perdure__V1__CommandIdRow row = PERDURE__V1__COMMAND_ID_ROW__INIT;

    row.time_ns = time_ns;
    pdi_batch_put(&store->db, PDI_TABLE_COMMAND_IDS, key, pdi_pack(&store->packer, &row));
}

static void time_key(pdi_key_t *key, int64_t time_ns, pd_bytes_t id)
{
    pdi_key_clear(key);
    pdi_key_put_u64(key, pdi_key_from_ns(time_ns));
    pdi_key_put_bytes(key, id.data, id.size);
}

/* Any other status than PD_OK ends the iteration: PD_LIMIT where what is kept begins. */
static pd_status_t delete_old(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pd_store_t *store = ctx;
    pdi_value_t row;
    pd_bytes_t id = key;
    int64_t time_ns = 0;
    uint64_t time;
    pd_status_t status;

    if (!pdi_key_get_u64(&id, &time))
        return pdi_row_corrupt(PDI_TABLE_COMMAND_ID_TIMES, key, "malformed key", error);
    if (pdi_key_to_ns(time) >= store->command_ids_before_ns)
        return PD_LIMIT;
    pdi_batch_delete(&store->db, PDI_TABLE_COMMAND_ID_TIMES, key);
    pdi_key_clear(&store->key);
    pdi_key_put_bytes(&store->key, id.data, id.size);
    /* It may have been seen again since. */
    PD_TRY(pdi_db_get(&store->db, PDI_TABLE_COMMAND_IDS, &store->key, &row, error));
    if (!row.found)
        return PD_OK;
    status = row_time(id, row.bytes, &time_ns, error);
    pdi_value_release(&row);
    if (status == PD_OK && time_ns < store->command_ids_before_ns)
        pdi_batch_delete(&store->db, PDI_TABLE_COMMAND_IDS, id);
    return status;
}

/* What cannot be read now is deleted by a later flush. */
static void put_forgotten(pd_store_t *store)
{
    pd_status_t status;
    pdi_key_t from;

    if (store->command_ids_stored_before_ns == store->command_ids_before_ns)
        return;
    pdi_key_init(&from);
    pdi_key_put_u64(&from, pdi_key_from_ns(store->command_ids_stored_before_ns));
    status = pdi_db_each_from(&store->db, PDI_TABLE_COMMAND_ID_TIMES, pdi_key_bytes(&from),
                              delete_old, store, NULL);
    pdi_key_deinit(&from);
    if (status != PD_OK && status != PD_LIMIT)
        return;
    before_key(&store->key);
    put_row(store, pdi_key_bytes(&store->key), store->command_ids_before_ns);
    store->command_ids_stored_before_ns = store->command_ids_before_ns;
}

void pdi_command_ids_put(pd_store_t *store)
{
    pdi_command_id_t *id, *next;

    PD_ASSERT(!store->held_command_ids);
    put_forgotten(store);
    HASH_ITER (hh, store->command_ids, id, next) {
        pd_bytes_t key = pd_bytes(id->key, id->size);

        if (id->time_ns < store->command_ids_before_ns)
            continue;
        put_row(store, key, id->time_ns);
        time_key(&store->key, id->time_ns, key);
        pdi_batch_put(&store->db, PDI_TABLE_COMMAND_ID_TIMES, pdi_key_bytes(&store->key),
                      pd_bytes("", 0));
    }
    store->held_command_ids = store->command_ids;
    store->command_ids = NULL;
}

static void free_all(pdi_command_id_t **ids)
{
    pdi_command_id_t *id, *next;

    HASH_ITER (hh, *ids, id, next) {
        HASH_DEL(*ids, id);
        pd_free(id);
    }
}

void pdi_command_ids_committed(pd_store_t *store)
{
    free_all(&store->held_command_ids);
}

void pdi_command_ids_free(pd_store_t *store)
{
    free_all(&store->command_ids);
    free_all(&store->held_command_ids);
}

pd_status_t pdi_command_ids_load(pd_store_t *store, pd_error_t *error)
{
    pdi_value_t value;
    pd_status_t status;

    store->command_ids_before_ns = store->command_ids_stored_before_ns = INT64_MIN;
    before_key(&store->key);
    PD_TRY(pdi_db_get(&store->db, PDI_TABLE_COMMAND_IDS, &store->key, &value, error));
    if (!value.found)
        return PD_OK;
    status = row_time(pdi_key_bytes(&store->key), value.bytes, &store->command_ids_stored_before_ns,
                      error);
    store->command_ids_before_ns = store->command_ids_stored_before_ns;
    pdi_value_release(&value);
    return status;
}

/* ---- all of them ---- */

typedef struct each {
    pd_store_t *store;
    pdi_row_fn each;
    void *ctx;
} each_t;

static pd_status_t stored_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    each_t *each = ctx;
    pd_store_t *store = each->store;
    pdi_command_id_t *id;
    int64_t time_ns = 0;

    before_key(&store->key);
    if (pd_bytes_equal(key, pdi_key_bytes(&store->key)))
        return PD_OK;
    HASH_FIND(hh, store->command_ids, key.data, key.size, id);
    if (!id)
        HASH_FIND(hh, store->held_command_ids, key.data, key.size, id);
    if (id)
        return PD_OK; /* memory speaks for it */
    PD_TRY(row_time(key, value, &time_ns, error));
    if (time_ns < store->command_ids_before_ns)
        return PD_OK;
    return each->each(each->ctx, key, value, error);
}

static pd_status_t memory_rows(each_t *each, const pdi_command_id_t *ids, pd_error_t *error)
{
    for (const pdi_command_id_t *id = ids; id; id = id->hh.next) {
        Perdure__V1__CommandIdRow row = PERDURE__V1__COMMAND_ID_ROW__INIT;
        const pdi_command_id_t *newer = NULL;

        if (ids == each->store->held_command_ids)
            HASH_FIND(hh, each->store->command_ids, id->key, id->size, newer);
        row.time_ns = id->time_ns;
        if (!newer && id->time_ns >= each->store->command_ids_before_ns)
            PD_TRY(each->each(each->ctx, pd_bytes(id->key, id->size),
                              pdi_pack(&each->store->packer, &row), error));
    }
    return PD_OK;
}

pd_status_t pdi_command_ids_each(pd_store_t *store, pdi_row_fn each, void *ctx, pd_error_t *error)
{
    each_t all = {store, each, ctx};

    PD_TRY(pdi_db_each(&store->db, PDI_TABLE_COMMAND_IDS, stored_row, &all, error));
    PD_TRY(memory_rows(&all, store->held_command_ids, error));
    return memory_rows(&all, store->command_ids, error);
}
