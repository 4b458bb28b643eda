#include "tests/conformance/log/kafka_admin.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum { TIMEOUT_MS = 30000 };

struct kafka_admin {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
};

kafka_admin_t *kafka_admin_new(const char *bootstrap_servers)
{
    kafka_admin_t *admin = PD_NEW(kafka_admin_t);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    PD_ASSERT(rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap_servers, text, sizeof(text)) ==
              RD_KAFKA_CONF_OK);
    admin->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    PD_ASSERT(admin->rk);
    admin->queue = rd_kafka_queue_new(admin->rk);
    return admin;
}

void kafka_admin_free(kafka_admin_t *admin)
{
    rd_kafka_queue_destroy(admin->queue);
    rd_kafka_destroy(admin->rk);
    pd_free(admin);
}

static void fatal(const char *what, const char *text)
{
    fprintf(stderr, "kafka admin: %s: %s\n", what, text);
    abort();
}

static rd_kafka_event_t *await(kafka_admin_t *admin, const char *what)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(admin->queue, TIMEOUT_MS);

    if (!event)
        fatal(what, "no answer");
    if (rd_kafka_event_error(event))
        fatal(what, rd_kafka_event_error_string(event));
    return event;
}

void kafka_admin_create(kafka_admin_t *admin, const char *topic, int partition_count,
                        const char *const *settings)
{
    char text[256];
    rd_kafka_NewTopic_t *made =
        rd_kafka_NewTopic_new(topic, partition_count, -1, text, sizeof(text));
    const rd_kafka_topic_result_t **results;
    rd_kafka_event_t *event;
    size_t count;

    PD_ASSERT(made);
    for (; settings && *settings; settings += 2)
        PD_ASSERT(!rd_kafka_NewTopic_set_config(made, settings[0], settings[1]));
    rd_kafka_CreateTopics(admin->rk, &made, 1, NULL, admin->queue);
    event = await(admin, "create");
    results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    if (rd_kafka_topic_result_error(results[0]))
        fatal(topic, rd_kafka_topic_result_error_string(results[0]));
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(made);
}

void kafka_admin_delete(kafka_admin_t *admin, const char *topic)
{
    rd_kafka_DeleteTopic_t *deleted = rd_kafka_DeleteTopic_new(topic);

    rd_kafka_DeleteTopics(admin->rk, &deleted, 1, NULL, admin->queue);
    rd_kafka_event_destroy(await(admin, "delete"));
    rd_kafka_DeleteTopic_destroy(deleted);
}

void kafka_admin_delete_cluster(kafka_admin_t *admin, const char *cluster)
{
    static const char *const suffixes[] = {"events", "commands", "members", "rejected"};
    char topic[256];

    for (size_t i = 0; i < PD_ARRAY_COUNT(suffixes); i++) {
        snprintf(topic, sizeof(topic), "%s.%s", cluster, suffixes[i]);
        kafka_admin_delete(admin, topic);
    }
}

void kafka_admin_trim(kafka_admin_t *admin, const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_DeleteRecords_t *deleted;

    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    deleted = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(admin->rk, &deleted, 1, NULL, admin->queue);
    rd_kafka_event_destroy(await(admin, "trim"));
    rd_kafka_DeleteRecords_destroy(deleted);
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_admin_produce(kafka_admin_t *admin, const char *topic, int32_t partition,
                         const char *key, const char *value)
{
    rd_kafka_resp_err_t code = rd_kafka_producev(
        admin->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_KEY(key, key ? strlen(key) : 0), RD_KAFKA_V_VALUE((void *)value, strlen(value)),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADER("source", "test", 4),
        RD_KAFKA_V_END);

    if (code)
        fatal("produce", rd_kafka_err2str(code));
    code = rd_kafka_flush(admin->rk, TIMEOUT_MS);
    if (code)
        fatal("produce", rd_kafka_err2str(code));
}
