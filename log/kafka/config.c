/* config.c -- how librdkafka's handles are set up, and which settings nobody may change. */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/diag.h"
#include "log/kafka/kafka_private.h"

typedef struct setting {
    const char *name;
    const char *value;
} setting_t;

enum { VALUE_SIZE = 32, FETCH_MAX_SIZE = 50 * 1024 * 1024 };

/* Fast recovery: a broker that comes back, or another leader, is found within a fraction of a
 * second instead of ten. */
static const setting_t common_settings[] = {
    {"client.id", "perdure"},
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"},
    {"socket.connection.setup.timeout.ms", "3000"},
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "500"},
    {"topic.metadata.refresh.fast.interval.ms", "100"},
    {"log.connection.close", "false"},
    {NULL, NULL},
};

/* linger 0: what has come while a request was being sent makes the next batch, so batches grow
 * with the load by themselves. The queue's bounds are those of the engine, not librdkafka's. */
static const setting_t producer_settings[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"max.in.flight.requests.per.connection", "5"},
    {"linger.ms", "0"},
    {"queue.buffering.max.messages", "10000000"},
    {"queue.buffering.max.kbytes", "2097151"},
    {"retry.backoff.ms", "20"},
    {"delivery.report.only.error", "false"},
    {NULL, NULL},
};

static const setting_t consumer_settings[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"enable.partition.eof", "true"},
    {"auto.offset.reset", "error"},
    {"allow.auto.create.topics", "false"},
    {"check.crcs", "true"},
    {"fetch.min.bytes", "1"},
    {"fetch.error.backoff.ms", "20"},
    {"queued.min.messages", "20000"},
    {"queued.max.messages.kbytes", "16384"},
    {NULL, NULL},
};

/* What the contract of the log stands on; the last column of the messages says where to turn. */
static const setting_t reserved[] = {
    {"acks", "it is all"},
    {"request.required.acks", "it is all"},
    {"enable.idempotence", "it is true"},
    {"enable.gapless.guarantee", "the log has rules of its own for gaps"},
    {"transactional.id", "the log uses no transactions"},
    {"queuing.strategy", "it is fifo"},
    {"delivery.report.only.error", "it is false"},
    {"message.timeout.ms", "use the option for the delivery timeout"},
    {"delivery.timeout.ms", "use the option for the delivery timeout"},
    {"bootstrap.servers", "use the option for the bootstrap servers"},
    {"metadata.broker.list", "use the option for the bootstrap servers"},
    {"message.max.bytes", "use the option for the record size"},
    {"group.id", "the log uses no consumer groups"},
    {"isolation.level", "it depends on the topic"},
    {"enable.partition.eof", "it is true"},
    {"auto.offset.reset", "it is error"},
    {"enable.auto.commit", "it is false"},
    {"fetch.wait.max.ms", "it depends on the reader"},
    {NULL, NULL},
};

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    if (level <= LOG_ERR)
        PD_DIAG(PD_DIAG_WARN, "kafka client", "name=%s facility=%s text=\"%s\"", rd_kafka_name(rk),
                facility, text);
    else
        PD_DIAG(PD_DIAG_DEBUG, "kafka client", "name=%s facility=%s text=\"%s\"", rd_kafka_name(rk),
                facility, text);
}

/* Ours are right by construction. */
static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256] = "";

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        PD_DIAG(PD_DIAG_ERROR, "kafka setting", "name=%s value=%s text=\"%s\"", name, value, text);
        PD_ASSERT(!"a setting that librdkafka knows");
    }
}

static void set_number(rd_kafka_conf_t *conf, const char *name, uint64_t value)
{
    char text[VALUE_SIZE];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    set(conf, name, text);
}

static void set_all(rd_kafka_conf_t *conf, const setting_t *settings)
{
    for (; settings->name; settings++)
        set(conf, settings->name, settings->value);
}

static pd_status_t set_property(rd_kafka_conf_t *conf, const pd_log_kafka_property_t *property,
                                pd_error_t *error)
{
    char text[256] = "";

    for (const setting_t *fixed = reserved; fixed->name; fixed++) {
        if (strcmp(fixed->name, property->name) == 0)
            return pd_error_set(error, PD_INVALID, "kafka.%s cannot be set: %s", property->name,
                                fixed->value);
    }
    if (rd_kafka_conf_set(conf, property->name, property->value, text, sizeof(text)) !=
        RD_KAFKA_CONF_OK)
        return pd_error_set(error, PD_INVALID, "kafka.%s: %s", property->name, text);
    return PD_OK;
}

static uint64_t batch_size_max(const pdi_kafka_t *log)
{
    return (uint64_t)log->base.info.record_size_max + PDI_KAFKA_BATCH_OVERHEAD;
}

/* *made: NULL after a failure. */
static pd_status_t begin(pdi_kafka_t *log, const setting_t *settings, rd_kafka_conf_t **made,
                         pd_error_t *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256] = "";

    *made = NULL;
    set_all(conf, common_settings);
    set_all(conf, settings);
    set_number(conf, "socket.timeout.ms", log->delivery_timeout_ms);
    set_number(conf, "message.max.bytes", batch_size_max(log));
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", log->bootstrap_servers, text, sizeof(text)) !=
        RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return pd_error_set(error, PD_INVALID, "kafka.bootstrap.servers: %s", text);
    }
    for (size_t i = 0; i < log->property_count; i++) {
        pd_status_t status = set_property(conf, &log->properties[i], error);

        if (status != PD_OK) {
            rd_kafka_conf_destroy(conf);
            return status;
        }
    }
    *made = conf;
    return PD_OK;
}

/* Takes the configuration. */
static pd_status_t make(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **rk,
                        pd_error_t *error)
{
    char text[256] = "";

    *rk = rd_kafka_new(type, conf, text, sizeof(text));
    if (*rk)
        return PD_OK;
    rd_kafka_conf_destroy(conf);
    return pd_error_set(error, PD_INVALID, "the Kafka client cannot be set up: %s", text);
}

pd_status_t pdi_kafka_new_producer(pdi_kafka_t *log, rd_kafka_t **rk, pd_error_t *error)
{
    rd_kafka_conf_t *conf;

    *rk = NULL;
    PD_TRY(begin(log, producer_settings, &conf, error));
    set_number(conf, "message.timeout.ms", log->delivery_timeout_ms);
    set_number(conf, "request.timeout.ms", log->delivery_timeout_ms);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    return make(RD_KAFKA_PRODUCER, conf, rk, error);
}

pd_status_t pdi_kafka_new_consumer(pdi_kafka_t *log, pdi_kafka_kind_t kind, rd_kafka_t **rk,
                                   pd_error_t *error)
{
    enum { QUICK_WAIT_MS = 1, TAIL_WAIT_MS = 100 };
    const pdi_kafka_kind_info_t *info = &pdi_kafka_kinds[kind];
    uint64_t batch = batch_size_max(log);
    rd_kafka_conf_t *conf;

    *rk = NULL;
    PD_TRY(begin(log, consumer_settings, &conf, error));
    set_number(conf, "fetch.wait.max.ms", info->waits ? TAIL_WAIT_MS : QUICK_WAIT_MS);
    set_number(conf, "fetch.max.bytes", batch > FETCH_MAX_SIZE ? batch : FETCH_MAX_SIZE);
    /* Our own topics know no transactions: an open one of somebody else must not hide behind it
     * what was acknowledged to us. A user's topic may well have them. */
    set(conf, "isolation.level", info->foreign ? "read_committed" : "read_uncommitted");
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR);
    return make(RD_KAFKA_CONSUMER, conf, rk, error);
}
