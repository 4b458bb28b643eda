/* signals.c -- run, chunk number → request IDs of signals that the run has seen.
 *
 * There may be ten thousand of them in one run, and each signal adds one: they are written once, in
 * the chunk of the flush that first sees them, and not with the run's row each time. */
#include "base/memory.h"
#include "state/store_private.h"

static void chunk_key(const pdi_run_t *run, uint32_t number, pdi_key_t *key)
{
    pdi_key_clear(key);
    pdi_key_put_id(key, run->exec.row->run_id);
    pdi_key_put_u64(key, number);
}

void pdi_signals_put(pd_store_t *store, pdi_run_t *run)
{
    const pdi_row_t *row = run->exec.row;
    pdi_flushed_t *flushed = &run->flushed;

    if (row->n_signal_request_ids == flushed->signal_count)
        return;
    pdi_key_clear(&store->value);
    for (size_t i = flushed->signal_count; i < row->n_signal_request_ids; i++)
        pdi_key_put_bytes(&store->value, row->signal_request_ids[i],
                          strlen(row->signal_request_ids[i]) + 1);
    chunk_key(run, flushed->signal_chunk_count, &store->key);
    pdi_batch_put(&store->db, PDI_TABLE_SIGNALS, pdi_key_bytes(&store->key),
                  pdi_key_bytes(&store->value));
    flushed->signal_chunk_count++;
    flushed->signal_count = (uint32_t)row->n_signal_request_ids;
}

void pdi_signals_delete(pd_store_t *store, pdi_run_t *run)
{
    for (uint32_t i = 0; i < run->flushed.signal_chunk_count; i++) {
        chunk_key(run, i, &store->key);
        pdi_batch_delete(&store->db, PDI_TABLE_SIGNALS, pdi_key_bytes(&store->key));
    }
}

static pd_status_t load_chunk(pdi_run_t *run, pd_bytes_t key, pd_bytes_t bytes, pd_error_t *error)
{
    pdi_row_t *row = run->exec.row;

    if (bytes.size == 0 || bytes.data[bytes.size - 1] != '\0')
        return pdi_row_corrupt(PDI_TABLE_SIGNALS, key, "malformed row", error);
    while (bytes.size) {
        size_t size = strlen((const char *)bytes.data) + 1;

        pdi_array_append(&row->signal_request_ids, &row->n_signal_request_ids,
                         pd_strdup((const char *)bytes.data));
        bytes.data += size;
        bytes.size -= size;
    }
    return PD_OK;
}

pd_status_t pdi_signals_load(pd_store_t *store, pdi_run_t *run, pd_error_t *error)
{
    for (uint32_t i = 0; i < run->flushed.signal_chunk_count; i++) {
        pdi_value_t value;
        pd_status_t status;

        chunk_key(run, i, &store->key);
        PD_TRY(pdi_db_get(&store->db, PDI_TABLE_SIGNALS, &store->key, &value, error));
        if (!value.found)
            return pdi_row_corrupt(PDI_TABLE_SIGNALS, pdi_key_bytes(&store->key), "missing row",
                                   error);
        status = load_chunk(run, pdi_key_bytes(&store->key), value.bytes, error);
        pdi_value_release(&value);
        PD_TRY(status);
    }
    if (run->exec.row->n_signal_request_ids != run->flushed.signal_count)
        return pdi_row_corrupt(PDI_TABLE_SIGNALS, pdi_key_bytes(&store->key),
                               "wrong number of request IDs", error);
    return PD_OK;
}
