/* Scenario `ingest`: produces records to a Kafka topic that the server maps onto signals, from a
 * thread of its own, and counts them again in the histories. Done when every record is readable
 * there. Each workflow's history is its start, its first workflow task, and its signals.
 *
 * Counting begins when all is produced, and should not be what is measured: one workflow after the
 * other is described until it has all its signals, so each is described about once. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "bench/pd_bench/bench.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

enum { EVENTS_BESIDE_SIGNALS = 2, LOOKS = 32, PAUSE_MS = 20, GIVE_UP_S = 600 };

typedef struct ingest ingest_t;

/* A workflow that is looked at. */
typedef struct look {
    ingest_t *ingest;
    int number;
    pd_timer_t timer;
} look_t;

struct ingest {
    bench_t *bench;
    char *run; /* unique in time: part of every key */
    rd_kafka_t *producer;
    pthread_t thread;
    atomic_bool produced;
    _Atomic(uint64_t) delivered_count, failed_count;
    int64_t from_ns, produced_ns;
    pd_timer_t timer;
    look_t looks[LOOKS];
    int next_number, looking_count;
};

static _Noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "pd-bench: %s: %s\n", what, why);
    exit(1);
}

static void format_id(const ingest_t *ingest, int number, char *id, size_t size)
{
    snprintf(id, size, "%s-%d", ingest->run, number);
}

/* ---- producing ---- */

static void on_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    ingest_t *ingest = opaque;

    if (message->err)
        ingest->failed_count++;
    else
        ingest->delivered_count++;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
        give_up(name, text);
}

static void make_producer(ingest_t *ingest)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    set(conf, "bootstrap.servers", ingest->bench->options.kafka);
    set(conf, "enable.idempotence", "true"); /* a record that came twice would be counted twice */
    set(conf, "linger.ms", "20");
    set(conf, "partitioner", "murmur2_random");
    set(conf, "queue.buffering.max.messages", "200000");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    rd_kafka_conf_set_opaque(conf, ingest);
    ingest->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (!ingest->producer)
        give_up("the producer", text);
}

static void produce(ingest_t *ingest, int64_t record)
{
    char key[96], value[160];
    int size;

    format_id(ingest, (int)(record % ingest->bench->options.workflows), key, sizeof(key));
    size = snprintf(value, sizeof(value),
                    "{\"customer\":\"%s\",\"order\":%" PRId64 ",\"amount\":17.5,\"items\":[1,2,3]}",
                    key, record);
    for (;;) {
        rd_kafka_resp_err_t error = rd_kafka_producev(
            ingest->producer, RD_KAFKA_V_TOPIC(ingest->bench->options.topic),
            RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE(value, (size_t)size),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

        if (!error)
            return;
        if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            give_up("producing", rd_kafka_err2str(error));
        rd_kafka_poll(ingest->producer, 10);
    }
}

/* With a rate the records are spread evenly over time; without one they go as fast as may be. */
static void keep_rate(const ingest_t *ingest, int64_t record)
{
    int64_t rate = ingest->bench->options.rate, ahead_ns;

    if (!rate)
        return;
    ahead_ns = record * NS_PER_S / rate - (pd_os_monotonic_ns() - ingest->from_ns);
    if (ahead_ns > NS_PER_MS)
        nanosleep(&(struct timespec){.tv_sec = ahead_ns / NS_PER_S, .tv_nsec = ahead_ns % NS_PER_S},
                  NULL);
}

static void *run_producer(void *ctx)
{
    ingest_t *ingest = ctx;
    int64_t count = ingest->bench->options.records;

    for (int64_t i = 0; i < count; i++) {
        if (i % 256 == 0) {
            rd_kafka_poll(ingest->producer, 0);
            keep_rate(ingest, i);
        }
        produce(ingest, i);
    }
    if (rd_kafka_flush(ingest->producer, 60000))
        give_up("producing", "records are not acknowledged after a minute");
    ingest->produced_ns = pd_os_monotonic_ns();
    atomic_store(&ingest->produced, true);
    return NULL;
}

/* ---- counting ---- */

static void print(ingest_t *ingest)
{
    double seconds = (double)(pd_os_monotonic_ns() - ingest->from_ns) / 1e9;
    double produced_s = (double)(ingest->produced_ns - ingest->from_ns) / 1e9;
    int64_t count = ingest->bench->options.records;
    double cpu_s = bench_cpu_s(ingest->bench->server_pid) - ingest->bench->server_cpu_from_s;

    printf("{\"scenario\":\"ingest\",\"rate\":%.1f,\"records\":%" PRId64 ",\"workflows\":%d,"
           "\"seconds\":%.2f,\"produced_rate\":%.1f,\"behind_s\":%.2f,\"failed\":%llu,"
           "\"errors\":%llu,\"server_cpu_us\":%.2f}\n",
           (double)count / seconds, count, ingest->bench->options.workflows, seconds,
           (double)count / produced_s, seconds - produced_s,
           (unsigned long long)ingest->failed_count, (unsigned long long)ingest->bench->error_count,
           cpu_s * 1e6 / (double)count);
}

static void look_at_next(look_t *look);

/* How many records went to the workflow. */
static int64_t wanted(const ingest_t *ingest, int number)
{
    int64_t records = ingest->bench->options.records, workflows = ingest->bench->options.workflows;

    return records / workflows + (number < records % workflows);
}

static void describe(look_t *look);

static void on_look_again(pd_timer_t *timer)
{
    describe(PD_CONTAINER_OF(timer, look_t, timer));
}

static void look_again(look_t *look)
{
    ingest_t *ingest = look->ingest;

    if (pd_os_monotonic_ns() - ingest->produced_ns > GIVE_UP_S * NS_PER_S)
        give_up("counting", "records are missing long after they were produced");
    look->timer.fire = on_look_again;
    pd_loop_timer_start(ingest->bench->loop, &look->timer, pd_os_wall_ns() + PAUSE_MS * NS_PER_MS);
}

static void on_described(void *ctx, const pd_grpc_reply_t *reply)
{
    enum { NOT_FOUND = 5 };
    look_t *look = ctx;
    ingest_t *ingest = look->ingest;
    Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionResponse *response = NULL;
    int64_t count = 0;

    if (reply->code == 0)
        response = temporal__api__workflowservice__v1__describe_workflow_execution_response__unpack(
            NULL, reply->data.size, reply->data.data);
    else if (reply->code != NOT_FOUND)
        bench_error(ingest->bench, "describe", reply);
    if (response) {
        count = response->workflow_execution_info->history_length - EVENTS_BESIDE_SIGNALS;
        temporal__api__workflowservice__v1__describe_workflow_execution_response__free_unpacked(
            response, NULL);
    }
    if (count > wanted(ingest, look->number))
        give_up("counting", "there are more signals than records");
    if (count == wanted(ingest, look->number))
        look_at_next(look);
    else
        look_again(look);
}

static void describe(look_t *look)
{
    ingest_t *ingest = look->ingest;
    Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_WORKFLOW_EXECUTION_REQUEST__INIT;
    Temporal__Api__Common__V1__WorkflowExecution execution =
        TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    char workflow_id[96];

    format_id(ingest, look->number, workflow_id, sizeof(workflow_id));
    execution.workflow_id = workflow_id;
    request.namespace_ = (char *)"default";
    request.execution = &execution;
    bench_call(ingest->bench, PD_WS_PATH "DescribeWorkflowExecution", &request, on_described, look);
}

static void look_at_next(look_t *look)
{
    ingest_t *ingest = look->ingest;

    if (ingest->next_number < ingest->bench->options.workflows) {
        look->number = ingest->next_number++;
        describe(look);
    } else if (--ingest->looking_count == 0) {
        print(ingest);
        pd_loop_event_break(ingest->bench->loop_event);
    }
}

static void on_timer(pd_timer_t *timer)
{
    ingest_t *ingest = PD_CONTAINER_OF(timer, ingest_t, timer);

    if (!atomic_load(&ingest->produced)) {
        pd_loop_timer_start(ingest->bench->loop, timer, pd_os_wall_ns() + PAUSE_MS * NS_PER_MS);
        return;
    }
    ingest->looking_count = LOOKS;
    for (int i = 0; i < LOOKS; i++) {
        ingest->looks[i].ingest = ingest;
        look_at_next(&ingest->looks[i]);
    }
}

void bench_ingest(bench_t *bench)
{
    ingest_t ingest = {.bench = bench, .run = bench->prefix};

    make_producer(&ingest);
    bench->server_cpu_from_s = bench_cpu_s(bench->server_pid);
    ingest.from_ns = pd_os_monotonic_ns();
    ingest.timer.fire = on_timer;
    pd_loop_timer_start(bench->loop, &ingest.timer, pd_os_wall_ns());
    PD_ASSERT(pthread_create(&ingest.thread, NULL, run_producer, &ingest) == 0);
    pd_loop_event_run(bench->loop_event);
    PD_ASSERT(pthread_join(ingest.thread, NULL) == 0);
    rd_kafka_destroy(ingest.producer);
}
