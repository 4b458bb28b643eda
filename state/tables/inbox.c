/* inbox.c -- source (a partition, or a partition of a mapped topic) → last number accepted. All of
 * them are in memory: there are as many as there are partitions, here and in mapped topics. */
#include "base/memory.h"
#include "state/store_private.h"

static bool is(const pdi_inbox_source_t *source, int32_t partition, const char *topic)
{
    return source->partition == partition && strcmp(source->topic, topic) == 0;
}

/* NULL when it has sent nothing yet. The same one is asked for again and again. */
static pdi_inbox_source_t *find(const pd_store_t *store, int32_t partition, const char *topic)
{
    if (store->inbox_last_used < store->inbox_count &&
        is(&store->inbox[store->inbox_last_used], partition, topic))
        return &store->inbox[store->inbox_last_used];
    for (size_t i = 0; i < store->inbox_count; i++) {
        if (is(&store->inbox[i], partition, topic))
            return &store->inbox[i];
    }
    return NULL;
}

static pdi_inbox_source_t *get(pd_store_t *store, int32_t partition, const char *topic)
{
    pdi_inbox_source_t *source = find(store, partition, topic);

    if (!source) {
        store->inbox = pd_realloc(store->inbox, (store->inbox_count + 1) * sizeof(store->inbox[0]));
        source = &store->inbox[store->inbox_count++];
        *source = (pdi_inbox_source_t){.partition = partition, .topic = pd_strdup(topic)};
    }
    store->inbox_last_used = (size_t)(source - store->inbox);
    return source;
}

int64_t pd_store_inbox_last(const pd_store_t *store, int32_t source_partition,
                            const char *source_topic)
{
    const pdi_inbox_source_t *source = find(store, source_partition, source_topic);

    return source ? source->last_number : 0;
}

pd_status_t pdi_inbox_advance(pd_store_t *store, const Perdure__V1__Received *received,
                              pd_error_t *error)
{
    enum { ROW_SIZE = 64 };
    const char *topic = pd_pb_str(received->source_topic);
    pdi_inbox_source_t *source = get(store, received->source_partition, topic);

    if (received->number != source->last_number + 1)
        return pd_error_set(error, PD_CORRUPT,
                            "partition %u: message %lld of partition %d %s follows message %lld",
                            store->partition, (long long)received->number,
                            (int)received->source_partition, topic, (long long)source->last_number);
    source->last_number++;
    if (!source->dirty)
        store->dirty_size += ROW_SIZE;
    source->dirty = true;
    return PD_OK;
}

/* ---- RocksDB ---- */

void pdi_inbox_put(pd_store_t *store)
{
    for (size_t i = 0; i < store->inbox_count; i++) {
        pdi_inbox_source_t *source = &store->inbox[i];
        Perdure__V1__InboxRow row = PERDURE__V1__INBOX_ROW__INIT;

        if (!source->dirty)
            continue;
        row.last_number = source->last_number;
        pdi_key_clear(&store->key);
        pdi_key_put_u64(&store->key, pdi_key_from_ns(source->partition));
        pdi_key_put_id(&store->key, source->topic);
        pdi_batch_put(&store->db, PDI_TABLE_INBOX, pdi_key_bytes(&store->key),
                      pdi_pack(&store->packer, &row));
        source->dirty = false;
    }
}

static pd_status_t load_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pd_store_t *store = ctx;
    pd_bytes_t rest = key;
    Perdure__V1__InboxRow *row;
    uint64_t partition;

    pdi_key_clear(&store->text);
    if (!pdi_key_get_u64(&rest, &partition) || !pdi_key_get_id(&rest, &store->text) || rest.size)
        return pdi_row_corrupt(PDI_TABLE_INBOX, key, "malformed key", error);
    row = perdure__v1__inbox_row__unpack(NULL, value.size, value.data);
    if (!row)
        return pdi_row_corrupt(PDI_TABLE_INBOX, key, "malformed row", error);
    get(store, (int32_t)pdi_key_to_ns(partition), (const char *)store->text.data)->last_number =
        row->last_number;
    pdi_message_free(row);
    return PD_OK;
}

pd_status_t pdi_inbox_load(pd_store_t *store, pd_error_t *error)
{
    return pdi_db_each(&store->db, PDI_TABLE_INBOX, load_row, store, error);
}

void pdi_inbox_free(pd_store_t *store)
{
    for (size_t i = 0; i < store->inbox_count; i++)
        pd_free(store->inbox[i].topic);
    pd_free(store->inbox);
}
