/* query.c -- topics that are not ours: their names, how many partitions they have. */
#include <string.h>

#include "log/kafka/kafka_private.h"

enum { TOPIC_NAME_MAX = 249, QUERY_TIMEOUT_MS = 1000 };

bool pdi_kafka_is_topic_name(const char *name)
{
    size_t size = strlen(name);

    return size > 0 && size <= TOPIC_NAME_MAX && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               size;
}

static pd_status_t take_topic(const rd_kafka_metadata_topic_t *found, uint32_t *count)
{
    switch ((int)found->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        *count = (uint32_t)found->partition_cnt;
        return *count > 0 ? PD_OK : PD_UNAVAILABLE;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        return PD_NOT_FOUND;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return PD_IO;
    default: /* no leader yet, and the like */
        return PD_UNAVAILABLE;
    }
}

static pd_status_t count_partitions(rd_kafka_t *rk, const char *topic_name, uint32_t *count)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic;
    rd_kafka_resp_err_t code;
    pd_status_t status;

    *count = 0;
    if (!pdi_kafka_is_topic_name(topic_name))
        return PD_NOT_FOUND;
    topic = rd_kafka_topic_new(rk, topic_name, NULL);
    code = rd_kafka_metadata(rk, 0, topic, &metadata, QUERY_TIMEOUT_MS);
    rd_kafka_topic_destroy(topic);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return PD_UNAVAILABLE;
    status = metadata->topic_cnt == 1 ? take_topic(&metadata->topics[0], count) : PD_NOT_FOUND;
    rd_kafka_metadata_destroy(metadata);
    return status;
}

static void run_done(pd_mail_t *mail)
{
    pd_log_topic_query_t *query = PD_CONTAINER_OF(mail, pd_log_topic_query_t, mail);

    query->done(query);
}

/* @thread chores */
static void run_query(pd_mail_t *mail)
{
    pd_log_topic_query_t *query = PD_CONTAINER_OF(mail, pd_log_topic_query_t, mail);
    rd_kafka_t *rk = pdi_kafka_any_consumer(query->ctx);

    query->status = PD_UNAVAILABLE;
    if (rk)
        query->status = count_partitions(rk, query->topic_name, &query->partition_count);
    query->mail.run = run_done;
    pd_loop_post(query->loop, &query->mail);
}

void pdi_kafka_query_topic(pd_log_t *base, pd_log_topic_query_t *query)
{
    pdi_kafka_t *log = pdi_kafka_of(base);

    query->ctx = log;
    query->partition_count = 0;
    query->mail.run = run_query;
    pd_loop_post(log->chores, &query->mail);
}
