/* memory_topic.c -- topics that are not the server's own, as ingestion reads them. */
#include <string.h>

#include "base/memory.h"
#include "log/memory/memory_private.h"

static pdi_memory_topic_t *find(const pd_log_memory_t *storage, const char *name)
{
    pdi_memory_topic_t *topic = storage->topics;

    while (topic && strcmp(topic->name, name) != 0)
        topic = topic->next;
    return topic;
}

void pd_log_memory_add_topic(pd_log_memory_t *storage, const char *name, uint32_t partition_count)
{
    pdi_memory_topic_t *topic = PD_NEW(pdi_memory_topic_t);

    PD_ASSERT(!find(storage, name));
    topic->name = pd_strdup(name);
    topic->partition_count = partition_count;
    topic->partitions = pd_calloc(partition_count, sizeof(*topic->partitions));
    for (uint32_t i = 0; i < partition_count; i++)
        topic->partitions[i] = (pdi_memory_partition_t){
            .topic = PD_LOG_TOPIC_COUNT,
            .partition = i,
            .start_offset = storage->options.first_offset,
            .end_offset = storage->options.first_offset,
        };
    topic->next = storage->topics;
    storage->topics = topic;
}

int64_t pd_log_memory_append_to_topic(pd_log_memory_t *storage, const char *name,
                                      uint32_t partition, const pd_log_record_t *record)
{
    pdi_memory_topic_t *topic = find(storage, name);
    pdi_blob_t *blob = pdi_blob_new(record->key, record->value);
    int64_t offset;

    PD_ASSERT(topic && partition < topic->partition_count);
    pdi_blob_set_headers(blob, record->headers, record->header_count);
    offset = pdi_memory_land(storage, &topic->partitions[partition], blob,
                             pd_loop_now_ns(storage->options.loop) / 1000000);
    pdi_blob_unref(blob);
    return offset;
}

pd_status_t pdi_memory_open_foreign_reader(pd_log_t *log, const pd_log_foreign_options_t *options,
                                           pd_log_reader_t **out, pd_error_t *error)
{
    pdi_node_t *node = (pdi_node_t *)log;
    pdi_memory_topic_t *topic = find(node->storage, options->topic_name);

    *out = NULL;
    if (!topic || options->partition >= topic->partition_count)
        return pd_error_set(error, PD_NOT_FOUND, "there is no topic %s with a partition %u",
                            options->topic_name, options->partition);
    *out =
        &pdi_memory_reader_new(node, options->loop, &topic->partitions[options->partition])->base;
    return PD_OK;
}

static void run_done(pd_mail_t *mail)
{
    pd_log_topic_query_t *query = PD_CONTAINER_OF(mail, pd_log_topic_query_t, mail);

    query->done(query);
}

void pdi_memory_query_topic(pd_log_t *log, pd_log_topic_query_t *query)
{
    const pdi_memory_topic_t *topic = find(((pdi_node_t *)log)->storage, query->topic_name);

    query->status = topic ? PD_OK : PD_NOT_FOUND;
    query->partition_count = topic ? topic->partition_count : 0;
    query->mail.run = run_done;
    pd_loop_post(query->loop, &query->mail);
}

void pdi_memory_free_topics(pd_log_memory_t *storage)
{
    while (storage->topics) {
        pdi_memory_topic_t *topic = storage->topics;

        storage->topics = topic->next;
        for (uint32_t i = 0; i < topic->partition_count; i++)
            pdi_memory_partition_deinit(&topic->partitions[i]);
        pd_free(topic->partitions);
        pd_free(topic->name);
        pd_free(topic);
    }
}
