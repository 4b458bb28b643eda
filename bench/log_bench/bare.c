#include "bench/log_bench/bare.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/os_clock.h"

typedef struct run {
    const bare_options_t *options;
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    uint8_t *value;
    uint64_t sent_count;
    uint64_t done_count;
} run_t;

static void fatal(const char *text)
{
    fprintf(stderr, "pd-log-bench: bare: %s\n", text);
    exit(1);
}

static void send_one(run_t *run)
{
    int64_t *begin_ns = &run->options->latencies_ns[run->sent_count++];

    *begin_ns = pd_os_monotonic_ns();
    if (rd_kafka_produce(run->topic, 0, 0, run->value, run->options->size, "workflow-id-0001", 16,
                         begin_ns) != 0)
        fatal(rd_kafka_err2str(rd_kafka_last_error()));
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *ctx)
{
    run_t *run = ctx;
    int64_t *latency_ns = message->_private;

    if (message->err)
        fatal(rd_kafka_err2str(message->err));
    *latency_ns = pd_os_monotonic_ns() - *latency_ns;
    run->done_count++;
    if (run->sent_count < run->options->record_count)
        send_one(run);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
        fatal(text);
}

static void warm_up(run_t *run)
{
    bare_options_t options = *run->options;
    const bare_options_t *kept = run->options;
    int64_t latency_ns;

    options.record_count = 1;
    options.latencies_ns = &latency_ns;
    run->options = &options;
    send_one(run);
    while (run->done_count == 0)
        rd_kafka_poll(run->rk, 1000);
    run->sent_count = run->done_count = 0;
    run->options = kept;
}

double bare_run(const bare_options_t *options)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    run_t run = {.options = options};
    char text[256], linger[16];
    double seconds;

    snprintf(linger, sizeof(linger), "%u", options->linger_ms);
    set(conf, "bootstrap.servers", options->bootstrap_servers);
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", linger);
    set(conf, "socket.nagle.disable", "true");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, &run);
    run.rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (!run.rk)
        fatal(text);
    run.topic = rd_kafka_topic_new(run.rk, options->topic, NULL);
    run.value = pd_calloc(1, options->size);
    warm_up(&run);
    seconds = (double)pd_os_monotonic_ns();
    for (uint32_t i = 0; i < options->in_flight_count && run.sent_count < options->record_count;
         i++)
        send_one(&run);
    while (run.done_count < options->record_count)
        rd_kafka_poll(run.rk, 1000);
    seconds = ((double)pd_os_monotonic_ns() - seconds) / 1e9;
    rd_kafka_topic_destroy(run.topic);
    rd_kafka_destroy(run.rk);
    pd_free(run.value);
    return seconds;
}
