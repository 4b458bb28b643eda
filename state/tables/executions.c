/* executions.c -- run → what is flushed beside it, and its ExecutionRow.
 *
 *   value := u8 header version (1), u64 deadline of its timer row, u8 has a ready row,
 *            u32 signal chunks, u32 signal request IDs in them, u32 history batches,
 *            6 × u32 first event IDs of the first batches, ExecutionRow
 *
 * Integers are big-endian. The row's signal_request_ids are not in it: see signals.c. */
#include "base/assert.h"
#include "state/store_private.h"

enum {
    HEADER_VERSION = 1,
    HEADER_SIZE = 1 + 8 + 1 + 4 * (3 + PDI_BATCH_IDS_MAX),
};

void pdi_run_key(const pdi_run_t *run, pdi_key_t *key)
{
    pdi_current_key(run->workflow, key);
    pdi_key_put_id(key, run->exec.row->run_id);
}

static void put_u32(pdi_key_t *value, uint32_t number)
{
    uint32_t big = __builtin_bswap32(number);

    pdi_key_put_bytes(value, &big, sizeof(big));
}

static uint32_t get_u32(const uint8_t **at)
{
    uint32_t big;

    memcpy(&big, *at, sizeof(big));
    *at += sizeof(big);
    return __builtin_bswap32(big);
}

static void put_header(pdi_key_t *value, const pdi_flushed_t *flushed)
{
    uint8_t version = HEADER_VERSION, ready = flushed->ready;

    pdi_key_put_bytes(value, &version, 1);
    pdi_key_put_u64(value, (uint64_t)flushed->deadline_ns);
    pdi_key_put_bytes(value, &ready, 1);
    put_u32(value, flushed->signal_chunk_count);
    put_u32(value, flushed->signal_count);
    put_u32(value, flushed->batch_count);
    for (int i = 0; i < PDI_BATCH_IDS_MAX; i++)
        put_u32(value, flushed->batch_first_event_ids[i]);
    PD_ASSERT(value->size == HEADER_SIZE);
}

static bool get_header(pd_bytes_t *value, pdi_flushed_t *flushed)
{
    const uint8_t *at = value->data;
    pd_bytes_t deadline = pd_bytes(at + 1, 8);
    uint64_t deadline_ns;

    if (value->size < HEADER_SIZE || at[0] != HEADER_VERSION || at[9] > 1)
        return false;
    if (!pdi_key_get_u64(&deadline, &deadline_ns))
        return false;
    flushed->deadline_ns = (int64_t)deadline_ns;
    flushed->ready = at[9];
    at += 10;
    flushed->signal_chunk_count = get_u32(&at);
    flushed->signal_count = get_u32(&at);
    flushed->batch_count = get_u32(&at);
    for (int i = 0; i < PDI_BATCH_IDS_MAX; i++)
        flushed->batch_first_event_ids[i] = get_u32(&at);
    value->data += HEADER_SIZE;
    value->size -= HEADER_SIZE;
    return true;
}

void pdi_executions_put(pd_store_t *store, pdi_run_t *run, pd_bytes_t key)
{
    pdi_row_t *row = run->exec.row;
    size_t signal_count = row->n_signal_request_ids;
    pd_bytes_t bytes;

    row->n_signal_request_ids = 0;
    bytes = pdi_pack(&store->packer, row);
    row->n_signal_request_ids = signal_count;
    run->packed_size = bytes.size;
    pdi_key_clear(&store->value);
    put_header(&store->value, &run->flushed);
    pdi_key_put_bytes(&store->value, bytes.data, bytes.size);
    pdi_batch_put(&store->db, PDI_TABLE_EXECUTIONS, key, pdi_key_bytes(&store->value));
    run->persisted = true;
}

static pd_status_t decode_row(pdi_run_t *run, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pdi_row_t *row;

    if (!get_header(&value, &run->flushed))
        return pdi_row_corrupt(PDI_TABLE_EXECUTIONS, key, "malformed header", error);
    row = perdure__v1__execution_row__unpack(NULL, value.size, value.data);
    if (!row)
        return pdi_row_corrupt(PDI_TABLE_EXECUTIONS, key, "malformed row", error);
    run->exec.row = row;
    run->packed_size = value.size;
    return PD_OK;
}

static bool row_fits(const pdi_row_t *row, const pdi_workflow_t *workflow, const char *run_id)
{
    return strcmp(row->namespace_id, workflow->namespace_id) == 0 &&
           strcmp(row->workflow_id, workflow->workflow_id) == 0 &&
           strcmp(row->run_id, run_id) == 0 && row->next_event_id >= 1;
}

pd_status_t pdi_executions_load(pd_store_t *store, pdi_run_t *run, const char *run_id,
                                pd_error_t *error)
{
    pdi_value_t value;
    pd_status_t status;

    pdi_current_key(run->workflow, &store->key);
    pdi_key_put_id(&store->key, run_id);
    PD_TRY(pdi_db_get(&store->db, PDI_TABLE_EXECUTIONS, &store->key, &value, error));
    if (!value.found)
        return PD_NOT_FOUND;
    status = decode_row(run, pdi_key_bytes(&store->key), value.bytes, error);
    if (status == PD_OK && !row_fits(run->exec.row, run->workflow, run_id))
        status = pdi_row_corrupt(PDI_TABLE_EXECUTIONS, pdi_key_bytes(&store->key),
                                 "the row is another run's", error);
    pdi_value_release(&value);
    return status;
}
