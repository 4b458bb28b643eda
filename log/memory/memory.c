/* memory.c -- the storage: records, nodes, the dice. */
#include "log/memory/memory.h"

#include <string.h>

#include "base/memory.h"
#include "log/memory/memory_private.h"

enum { RECORD_SIZE_MAX_DEFAULT = 1024 * 1024, GAP_COUNT_MAX = 3, FOREIGN_SIZE_MAX = 64 };

bool pdi_memory_roll(pd_log_memory_t *storage, uint32_t ppm)
{
    return ppm > 0 && pd_random_chance(&storage->random, ppm, 1000000);
}

int64_t pdi_memory_delay(pd_log_memory_t *storage, int64_t min_ns, int64_t max_ns)
{
    if (max_ns <= min_ns)
        return min_ns;
    return min_ns + (int64_t)pd_random_below(&storage->random, (uint64_t)(max_ns - min_ns) + 1);
}

pdi_blob_t *pdi_blob_new(pd_bytes_t key, pd_bytes_t value)
{
    pdi_blob_t *blob = pd_alloc(sizeof(*blob) + key.size + value.size);

    blob->ref_count = 1;
    blob->writer_id = 0;
    blob->has_key = key.data;
    blob->has_value = value.data;
    blob->key_size = key.size;
    blob->value_size = value.size;
    blob->headers = NULL;
    blob->header_count = 0;
    if (key.size)
        memcpy(blob->data, key.data, key.size);
    if (value.size)
        memcpy(blob->data + key.size, value.data, value.size);
    return blob;
}

void pdi_blob_set_headers(pdi_blob_t *blob, const pd_log_header_t *headers, uint32_t count)
{
    PD_ASSERT(!blob->headers);
    if (count == 0)
        return;
    blob->headers = pd_calloc(count, sizeof(*headers));
    blob->header_count = count;
    for (uint32_t i = 0; i < count; i++) {
        blob->headers[i].name = pd_strdup(headers[i].name);
        blob->headers[i].value = headers[i].value;
        if (headers[i].value.data)
            blob->headers[i].value.data = pd_memdup(headers[i].value.data, headers[i].value.size);
    }
}

void pdi_blob_unref(pdi_blob_t *blob)
{
    PD_ASSERT(blob->ref_count > 0);
    if (--blob->ref_count > 0)
        return;
    for (uint32_t i = 0; i < blob->header_count; i++) {
        pd_free((char *)blob->headers[i].name);
        pd_free((uint8_t *)blob->headers[i].value.data);
    }
    pd_free(blob->headers);
    pd_free(blob);
}

pd_bytes_t pdi_blob_key(const pdi_blob_t *blob)
{
    return pd_bytes(blob->has_key ? blob->data : NULL, blob->key_size);
}

pd_bytes_t pdi_blob_value(const pdi_blob_t *blob)
{
    return pd_bytes(blob->has_value ? blob->data + blob->key_size : NULL, blob->value_size);
}

pdi_memory_partition_t *pdi_memory_partition(const pd_log_memory_t *storage, pd_log_topic_t topic,
                                             uint32_t partition)
{
    if (topic >= PD_LOG_TOPIC_COUNT || partition >= storage->info.partition_counts[topic])
        return NULL;
    return &storage->partitions[topic][partition];
}

static pdi_memory_partition_t *must_find(const pd_log_memory_t *storage, pd_log_topic_t topic,
                                         uint32_t partition)
{
    pdi_memory_partition_t *found = pdi_memory_partition(storage, topic, partition);

    PD_ASSERT(found);
    return found;
}

int64_t pdi_memory_land(pd_log_memory_t *storage, pdi_memory_partition_t *partition,
                        pdi_blob_t *blob, int64_t time_ms)
{
    pdi_stored_t *stored;

    if (pdi_memory_roll(storage, storage->options.faults.gap_ppm))
        partition->end_offset += 1 + (int64_t)pd_random_below(&storage->random, GAP_COUNT_MAX);
    if (partition->count == partition->capacity) {
        partition->capacity = partition->capacity ? partition->capacity * 2 : 64;
        partition->records =
            pd_realloc(partition->records, partition->capacity * sizeof(*partition->records));
    }
    blob->ref_count++;
    stored = &partition->records[partition->count++];
    *stored = (pdi_stored_t){partition->end_offset++, time_ms, blob};
    pdi_memory_wake_readers(partition);
    return stored->offset;
}

uint64_t pdi_memory_find(const pdi_memory_partition_t *partition, int64_t offset)
{
    uint64_t low = 0, high = partition->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (partition->records[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

pd_log_memory_t *pd_log_memory_new(const pd_log_memory_options_t *options)
{
    pd_log_memory_t *storage = PD_NEW(pd_log_memory_t);

    PD_ASSERT(options->loop);
    PD_ASSERT(options->first_offset >= 0);
    PD_ASSERT(options->record_size_max <= PD_LOG_RECORD_SIZE_LIMIT);
    storage->options = *options;
    storage->info.exclusive = options->exclusive;
    storage->info.durable = false;
    storage->info.headers = true;
    storage->info.record_size_max =
        options->record_size_max ? options->record_size_max : RECORD_SIZE_MAX_DEFAULT;
    pd_random_init(&storage->random, options->seed);
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        uint32_t count = options->partition_counts[i];

        storage->info.partition_counts[i] = count;
        storage->partitions[i] = pd_calloc(count, sizeof(pdi_memory_partition_t));
        for (uint32_t j = 0; j < count; j++) {
            storage->partitions[i][j].topic = (pd_log_topic_t)i;
            storage->partitions[i][j].partition = j;
            storage->partitions[i][j].start_offset = options->first_offset;
            storage->partitions[i][j].end_offset = options->first_offset;
        }
    }
    return storage;
}

void pdi_memory_partition_deinit(pdi_memory_partition_t *partition)
{
    for (uint64_t i = 0; i < partition->count; i++)
        pdi_blob_unref(partition->records[i].blob);
    pd_free(partition->records);
}

void pd_log_memory_free(pd_log_memory_t *storage)
{
    if (!storage)
        return;
    PD_ASSERT(!storage->nodes);
    while (storage->channels)
        pdi_channel_free(storage->channels);
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        for (uint32_t j = 0; j < storage->info.partition_counts[i]; j++)
            pdi_memory_partition_deinit(&storage->partitions[i][j]);
        pd_free(storage->partitions[i]);
    }
    pdi_memory_free_topics(storage);
    pd_free(storage);
}

static void free_node(pdi_node_t *node)
{
    PD_ASSERT(!node->writers && !node->readers);
    *node->link = node->next;
    if (node->next)
        node->next->link = node->link;
    pd_free(node);
}

static void close_log(pd_log_t *log)
{
    free_node((pdi_node_t *)log);
}

void pd_log_memory_crash(pd_log_t *log)
{
    pdi_node_t *node = (pdi_node_t *)log;

    while (node->writers)
        pdi_memory_crash_writer(node->writers);
    while (node->readers)
        pdi_memory_crash_reader(node->readers);
    free_node(node);
}

static const pd_log_ops_t ops = {
    .name = "memory",
    .open_writer = pdi_memory_open_writer,
    .append = pdi_memory_append,
    .writer_error = pdi_memory_writer_error,
    .close_writer = pdi_memory_close_writer,
    .open_reader = pdi_memory_open_reader,
    .read = pdi_memory_read,
    .close_reader = pdi_memory_close_reader,
    .close = close_log,
    .open_foreign_reader = pdi_memory_open_foreign_reader,
    .query_topic = pdi_memory_query_topic,
};

pd_log_t *pd_log_memory_open(pd_log_memory_t *storage)
{
    pdi_node_t *node = PD_NEW(pdi_node_t);

    node->base.ops = &ops;
    node->base.info = storage->info;
    node->storage = storage;
    node->next = storage->nodes;
    node->link = &storage->nodes;
    if (node->next)
        node->next->link = &node->next;
    storage->nodes = node;
    return &node->base;
}

void pd_log_memory_mend(pd_log_t *log)
{
    ((pdi_node_t *)log)->failed = false;
}

bool pd_log_memory_has_failed(const pd_log_t *log)
{
    return ((const pdi_node_t *)log)->failed;
}

void pd_log_memory_cut(pd_log_t *log, int64_t out_until_ns, int64_t in_until_ns)
{
    pdi_node_t *node = (pdi_node_t *)log;

    node->out_until_ns = out_until_ns;
    node->in_until_ns = in_until_ns;
}

int64_t pdi_memory_silence_ns(const pdi_node_t *node)
{
    int64_t now_ns = pd_loop_now_ns(node->storage->options.loop);

    return node->in_until_ns > now_ns ? node->in_until_ns - now_ns : 0;
}

void pd_log_memory_set_faults(pd_log_memory_t *storage, const pd_log_memory_faults_t *faults)
{
    storage->options.faults = *faults;
}

int64_t pd_log_memory_append_foreign(pd_log_memory_t *storage, pd_log_topic_t topic,
                                     uint32_t partition, pd_bytes_t key, pd_bytes_t value)
{
    pdi_blob_t *blob = pdi_blob_new(key, value);
    int64_t offset = pdi_memory_land(storage, must_find(storage, topic, partition), blob,
                                     pd_loop_now_ns(storage->options.loop) / 1000000);

    pdi_blob_unref(blob);
    return offset;
}

void pd_log_memory_trim(pd_log_memory_t *storage, pd_log_topic_t topic, uint32_t partition,
                        int64_t start_offset)
{
    pdi_memory_partition_t *trimmed = must_find(storage, topic, partition);
    uint64_t count = pdi_memory_find(trimmed, start_offset);

    PD_ASSERT(start_offset <= trimmed->end_offset);
    if (start_offset <= trimmed->start_offset)
        return;
    for (uint64_t i = 0; i < count; i++)
        pdi_blob_unref(trimmed->records[i].blob);
    trimmed->count -= count;
    memmove(trimmed->records, trimmed->records + count, trimmed->count * sizeof(*trimmed->records));
    trimmed->start_offset = start_offset;
}

uint64_t pd_log_memory_count(const pd_log_memory_t *storage, pd_log_topic_t topic,
                             uint32_t partition)
{
    return must_find(storage, topic, partition)->count;
}

pd_log_record_t pd_log_memory_record(const pd_log_memory_t *storage, pd_log_topic_t topic,
                                     uint32_t partition, uint64_t index)
{
    const pdi_memory_partition_t *found = must_find(storage, topic, partition);
    const pdi_stored_t *stored = &found->records[index];

    PD_ASSERT(index < found->count);
    return (pd_log_record_t){.offset = stored->offset,
                             .time_ms = stored->time_ms,
                             .key = pdi_blob_key(stored->blob),
                             .value = pdi_blob_value(stored->blob),
                             .headers = stored->blob->headers,
                             .header_count = stored->blob->header_count};
}

uint64_t pd_log_memory_writer(const pd_log_memory_t *storage, pd_log_topic_t topic,
                              uint32_t partition, uint64_t index)
{
    const pdi_memory_partition_t *found = must_find(storage, topic, partition);

    PD_ASSERT(index < found->count);
    return found->records[index].blob->writer_id;
}

int64_t pd_log_memory_end_offset(const pd_log_memory_t *storage, pd_log_topic_t topic,
                                 uint32_t partition)
{
    return must_find(storage, topic, partition)->end_offset;
}

uint64_t pd_log_memory_in_flight_count(const pd_log_memory_t *storage)
{
    uint64_t count = 0;

    for (const pdi_channel_t *channel = storage->channels; channel; channel = channel->next) {
        for (const pdi_parcel_t *parcel = channel->under_way.first; parcel; parcel = parcel->next)
            count++;
    }
    return count;
}
