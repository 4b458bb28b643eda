/* outbox.c -- (target partition, number) → what is to be sent there.
 *
 * Numbers are given out in order and messages leave in order, so the rows of a target are one
 * interval, and all of them are in memory, as bytes: they are few, and on their way out. What of
 * the interval lies in RocksDB is remembered as an interval, too. Row 0 of a target is its head. */
#include "base/assert.h"
#include "base/memory.h"
#include "state/store_private.h"

static void message_key(pdi_key_t *key, size_t target, int64_t number)
{
    pdi_key_clear(key);
    pdi_key_put_u64(key, target);
    pdi_key_put_u64(key, (uint64_t)number);
}

static size_t message_count(const pdi_outbox_target_t *target)
{
    return (size_t)(target->last_number - target->done_through);
}

static pdi_outbox_target_t *target_of(pd_store_t *store, size_t index)
{
    if (index >= store->outbox_count) {
        store->outbox = pd_realloc(store->outbox, (index + 1) * sizeof(store->outbox[0]));
        memset(store->outbox + store->outbox_count, 0,
               (index + 1 - store->outbox_count) * sizeof(store->outbox[0]));
        for (size_t i = store->outbox_count; i <= index; i++)
            store->outbox[i].stored_from = 1;
        store->outbox_count = index + 1;
    }
    return &store->outbox[index];
}

/* Appends a copy of the bytes, as the message behind the last one. */
static void append(pd_store_t *store, pdi_outbox_target_t *target, pd_bytes_t bytes)
{
    size_t count = message_count(target);

    if (target->first + count == target->capacity) {
        if (target->first > count) {
            memmove(target->messages, target->messages + target->first,
                    count * sizeof(target->messages[0]));
            target->first = 0;
        } else {
            target->capacity = target->capacity ? target->capacity * 2 : 16;
            target->messages =
                pd_realloc(target->messages, target->capacity * sizeof(target->messages[0]));
        }
    }
    target->messages[target->first + count] =
        pd_bytes(pd_memdup(bytes.data, bytes.size), bytes.size);
    target->last_number++;
    store->outbox_size += bytes.size;
}

pd_status_t pdi_outbox_add(pd_store_t *store, const Perdure__V1__Message *message,
                           pd_error_t *error)
{
    pdi_outbox_target_t *target;
    pd_bytes_t bytes;

    if (message->target_partition < 0 || message->target_partition >= PD_PARTITION_COUNT_MAX)
        return pd_error_set(error, PD_CORRUPT, "partition %u: a message to partition %d",
                            store->partition, (int)message->target_partition);
    target = target_of(store, (size_t)message->target_partition);
    if (message->number != target->last_number + 1)
        return pd_error_set(error, PD_CORRUPT,
                            "partition %u: message %lld to partition %d follows message %lld",
                            store->partition, (long long)message->number,
                            (int)message->target_partition, (long long)target->last_number);
    bytes = pdi_pack(&store->packer, message);
    append(store, target, bytes);
    target->dirty = true;
    store->dirty_size += bytes.size;
    return PD_OK;
}

pd_status_t pdi_outbox_remove(pd_store_t *store, uint32_t target_partition, int64_t through_number,
                              pd_error_t *error)
{
    pdi_outbox_target_t *target;

    if (target_partition >= store->outbox_count ||
        through_number > store->outbox[target_partition].last_number)
        return pd_error_set(error, PD_CORRUPT,
                            "partition %u: message %lld to partition %u was never written",
                            store->partition, (long long)through_number, target_partition);
    target = &store->outbox[target_partition];
    for (; target->done_through < through_number; target->done_through++) {
        store->outbox_size -= target->messages[target->first].size;
        pd_free((void *)target->messages[target->first++].data);
        target->dirty = true;
    }
    return PD_OK;
}

/* ---- RocksDB ---- */

bool pdi_outbox_row(const pd_store_t *store, size_t index, Perdure__V1__OutboxRow *row)
{
    perdure__v1__outbox_row__init(row);
    row->last_number = store->outbox[index].last_number;
    row->sent_through = store->outbox[index].done_through;
    return row->last_number > 0;
}

static void put_target(pd_store_t *store, size_t index)
{
    pdi_outbox_target_t *target = &store->outbox[index];
    Perdure__V1__OutboxRow row;

    for (int64_t number = target->stored_from;
         number <= target->stored_through && number <= target->done_through; number++) {
        message_key(&store->key, index, number);
        pdi_batch_delete(&store->db, PDI_TABLE_OUTBOX, pdi_key_bytes(&store->key));
    }
    for (int64_t number = target->done_through + 1; number <= target->last_number; number++) {
        if (number <= target->stored_through)
            continue;
        message_key(&store->key, index, number);
        pdi_batch_put(&store->db, PDI_TABLE_OUTBOX, pdi_key_bytes(&store->key),
                      pd_store_outbox_message(store, (uint32_t)index, number));
    }
    target->stored_from = target->done_through + 1;
    target->stored_through = target->last_number;
    PD_ASSERT(pdi_outbox_row(store, index, &row));
    message_key(&store->key, index, 0);
    pdi_batch_put(&store->db, PDI_TABLE_OUTBOX, pdi_key_bytes(&store->key),
                  pdi_pack(&store->packer, &row));
    target->dirty = false;
}

void pdi_outbox_put(pd_store_t *store)
{
    for (size_t i = 0; i < store->outbox_count; i++) {
        if (store->outbox[i].dirty)
            put_target(store, i);
    }
}

static pd_status_t load_head(pd_store_t *store, pdi_outbox_target_t *target, pd_bytes_t key,
                             pd_bytes_t value, pd_error_t *error)
{
    Perdure__V1__OutboxRow *row = perdure__v1__outbox_row__unpack(NULL, value.size, value.data);

    if (!row || row->sent_through < 0 || row->last_number < row->sent_through) {
        pdi_message_free(row);
        return pdi_row_corrupt(PDI_TABLE_OUTBOX, key, "malformed row", error);
    }
    /* The messages behind it follow, one by one. */
    target->last_number = target->done_through = row->sent_through;
    target->stored_from = row->sent_through + 1;
    target->stored_through = row->last_number;
    pdi_message_free(row);
    return PD_OK;
}

static pd_status_t load_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pd_store_t *store = ctx;
    pd_bytes_t rest = key;
    uint64_t index, number;
    pdi_outbox_target_t *target;

    if (!pdi_key_get_u64(&rest, &index) || !pdi_key_get_u64(&rest, &number) || rest.size ||
        index >= PD_PARTITION_COUNT_MAX)
        return pdi_row_corrupt(PDI_TABLE_OUTBOX, key, "malformed key", error);
    target = target_of(store, index);
    if (number == 0)
        return load_head(store, target, key, value, error);
    if (number != (uint64_t)target->last_number + 1 || (int64_t)number > target->stored_through)
        return pdi_row_corrupt(PDI_TABLE_OUTBOX, key, "a row that its head does not know", error);
    append(store, target, value);
    return PD_OK;
}

pd_status_t pdi_outbox_load(pd_store_t *store, pd_error_t *error)
{
    PD_TRY(pdi_db_each(&store->db, PDI_TABLE_OUTBOX, load_row, store, error));
    for (size_t i = 0; i < store->outbox_count; i++) {
        const pdi_outbox_target_t *target = &store->outbox[i];

        if (target->last_number != target->stored_through)
            return pd_error_set(error, PD_CORRUPT,
                                "table outbox, target %zu: message %lld is missing", i,
                                (long long)target->last_number + 1);
    }
    return PD_OK;
}

void pdi_outbox_free(pd_store_t *store)
{
    for (size_t i = 0; i < store->outbox_count; i++) {
        pdi_outbox_target_t *target = &store->outbox[i];

        for (size_t k = 0; k < message_count(target); k++)
            pd_free((void *)target->messages[target->first + k].data);
        pd_free(target->messages);
    }
    pd_free(store->outbox);
}

/* ---- reading ---- */

pd_outbox_range_t pd_store_outbox(const pd_store_t *store, uint32_t target_partition)
{
    if (target_partition >= store->outbox_count)
        return (pd_outbox_range_t){0};
    return (pd_outbox_range_t){
        .last_number = store->outbox[target_partition].last_number,
        .done_through = store->outbox[target_partition].done_through,
    };
}

pd_bytes_t pd_store_outbox_message(const pd_store_t *store, uint32_t target_partition,
                                   int64_t number)
{
    const pdi_outbox_target_t *target;

    if (target_partition >= store->outbox_count)
        return pd_bytes(NULL, 0);
    target = &store->outbox[target_partition];
    if (number <= target->done_through || number > target->last_number)
        return pd_bytes(NULL, 0);
    return target->messages[target->first + (size_t)(number - target->done_through - 1)];
}

size_t pd_store_outbox_size(const pd_store_t *store)
{
    return store->outbox_size;
}
