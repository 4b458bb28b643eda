/* bench_main.c -- what a record costs: encode, decode, hash; beside protobuf-c's own encoding and
 * avro-c's generic values.
 *
 *     pd_record_bench [SECONDS PER MEASUREMENT] */
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/pb/pb.h"
#include "base/assert.h"
#include "log/record/record.h"
#include <perdure/v1/record.pb-c.h>

typedef struct bench {
    const pd_record_codec_t *codec;
    pd_arena_t arena; /* holds the messages */
    pd_arena_t scratch;
    pd_buf_t buf;
    ProtobufCMessage *message;
    pd_bytes_t encoded;
    pd_bytes_t packed;
    avro_value_iface_t *generic;
    avro_value_t value;
    char *out;
    uint8_t hash[PD_RECORD_HASH_SIZE];
    double seconds;
} bench_t;

#define CHOSEN(event)                                                                              \
    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##event##_EVENT_ATTRIBUTES
#define NEW(bench, Type, name) PD_PB_NEW(&(bench)->arena, Type, name)

/* CPU time of this thread: what others do on the machine disturbs it less. */
static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void measure(bench_t *bench, const char *what, void (*run)(bench_t *))
{
    double start = now();
    double end;
    long count = 0;

    do {
        for (int i = 0; i < 1000; i++)
            run(bench);
        count += 1000;
        end = now();
    } while (end - start < bench->seconds);
    printf("  %-28s %7.0f ns\n", what, (end - start) * 1e9 / (double)count);
}

static void run_encode(bench_t *bench)
{
    pd_buf_clear(&bench->buf);
    PD_ASSERT(pd_record_encode(bench->codec, bench->message, &bench->buf) == PD_OK);
}

static void run_decode(bench_t *bench)
{
    ProtobufCMessage *message;

    pd_arena_reset(&bench->scratch);
    PD_ASSERT(pd_record_decode(bench->codec, &bench->scratch, bench->encoded, &message, NULL) ==
              PD_OK);
}

static void run_hash(bench_t *bench)
{
    pd_record_hash(bench->hash, bench->encoded, bench->hash);
}

static void run_pack(bench_t *bench)
{
    pd_buf_clear(&bench->buf);
    PD_ASSERT(pd_pb_pack(bench->message, &bench->buf) == PD_OK);
}

static void run_unpack(bench_t *bench)
{
    pd_arena_reset(&bench->scratch);
    PD_ASSERT(pd_pb_unpack(bench->message->descriptor, &bench->scratch, bench->packed));
}

static void run_avro_read(bench_t *bench)
{
    avro_reader_t reader =
        avro_reader_memory((const char *)bench->encoded.data + PD_RECORD_HEADER_SIZE,
                           (int64_t)bench->encoded.size - PD_RECORD_HEADER_SIZE);

    PD_ASSERT(avro_value_reset(&bench->value) == 0);
    PD_ASSERT(avro_value_read(reader, &bench->value) == 0);
    avro_reader_free(reader);
}

static void run_avro_write(bench_t *bench)
{
    avro_writer_t writer = avro_writer_memory(bench->out, (int64_t)bench->encoded.size);

    PD_ASSERT(avro_value_write(writer, &bench->value) == 0);
    avro_writer_free(writer);
}

static void measure_all(bench_t *bench, const char *name, Perdure__V1__Record *record)
{
    bench->message = &record->base;
    run_encode(bench);
    bench->encoded =
        pd_bytes(pd_arena_memdup(&bench->arena, bench->buf.data, bench->buf.size), bench->buf.size);
    bench->packed = pd_pb_pack_arena(record, &bench->arena);
    bench->out = pd_arena_alloc(&bench->arena, bench->encoded.size);
    printf("%s: %zu bytes (protobuf %zu)\n", name, bench->encoded.size, bench->packed.size);
    measure(bench, "encode", run_encode);
    measure(bench, "decode", run_decode);
    measure(bench, "hash", run_hash);
    measure(bench, "protobuf-c pack", run_pack);
    measure(bench, "protobuf-c unpack", run_unpack);
    PD_ASSERT(avro_generic_value_new(bench->generic, &bench->value) == 0);
    measure(bench, "avro-c generic read", run_avro_read);
    measure(bench, "avro-c generic write", run_avro_write);
    avro_value_decref(&bench->value);
}

static char *text(bench_t *bench, const char *constant)
{
    return pd_arena_strdup(&bench->arena, constant);
}

static Google__Protobuf__Duration *duration(bench_t *bench, int64_t seconds)
{
    Google__Protobuf__Duration *value =
        NEW(bench, Google__Protobuf__Duration, google__protobuf__duration);

    value->seconds = seconds;
    return value;
}

static Temporal__Api__Common__V1__Payloads *payloads(bench_t *bench)
{
    Temporal__Api__Common__V1__Payload *payload =
        NEW(bench, Temporal__Api__Common__V1__Payload, temporal__api__common__v1__payload);
    Temporal__Api__Common__V1__Payload__MetadataEntry *entry =
        NEW(bench, Temporal__Api__Common__V1__Payload__MetadataEntry,
            temporal__api__common__v1__payload__metadata_entry);
    Temporal__Api__Common__V1__Payloads *list =
        NEW(bench, Temporal__Api__Common__V1__Payloads, temporal__api__common__v1__payloads);

    entry->key = text(bench, "encoding");
    entry->value =
        (ProtobufCBinaryData){10, (uint8_t *)pd_arena_strdup(&bench->arena, "json/plain")};
    payload->n_metadata = 1;
    payload->metadata = pd_arena_memdup(&bench->arena, &entry, sizeof(entry));
    payload->data.data = (uint8_t *)pd_arena_strdup(
        &bench->arena,
        "{\"order\":\"A-1000\",\"items\":[{\"sku\":\"X\",\"count\":2}],\"total\":19.95}");
    payload->data.len = strlen((char *)payload->data.data);
    list->n_payloads = 1;
    list->payloads = pd_arena_memdup(&bench->arena, &payload, sizeof(payload));
    return list;
}

static Temporal__Api__History__V1__HistoryEvent *event(bench_t *bench, int64_t id)
{
    Temporal__Api__History__V1__HistoryEvent *history = NEW(
        bench, Temporal__Api__History__V1__HistoryEvent, temporal__api__history__v1__history_event);

    history->event_id = id;
    history->event_time = NEW(bench, Google__Protobuf__Timestamp, google__protobuf__timestamp);
    history->event_time->seconds = 1795348800 + id;
    history->event_time->nanos = 123456789;
    history->task_id = 1048576 + id;
    return history;
}

static Temporal__Api__History__V1__HistoryEvent *task_started(bench_t *bench)
{
    Temporal__Api__History__V1__HistoryEvent *history = event(bench, 3);
    Temporal__Api__History__V1__WorkflowTaskStartedEventAttributes *started =
        NEW(bench, Temporal__Api__History__V1__WorkflowTaskStartedEventAttributes,
            temporal__api__history__v1__workflow_task_started_event_attributes);

    history->event_type = TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_WORKFLOW_TASK_STARTED;
    history->attributes_case = CHOSEN(WORKFLOW_TASK_STARTED);
    history->workflow_task_started_event_attributes = started;
    started->scheduled_event_id = 2;
    started->identity = text(bench, "4711@worker-host-1");
    started->request_id = text(bench, "7b3c7d0e-6c1c-4f7e-9d39-0a1b2c3d4e5f");
    started->history_size_bytes = 512;
    return history;
}

static Temporal__Api__History__V1__HistoryEvent *activity_scheduled(bench_t *bench)
{
    Temporal__Api__History__V1__HistoryEvent *history = event(bench, 5);
    Temporal__Api__History__V1__ActivityTaskScheduledEventAttributes *scheduled =
        NEW(bench, Temporal__Api__History__V1__ActivityTaskScheduledEventAttributes,
            temporal__api__history__v1__activity_task_scheduled_event_attributes);

    history->event_type = TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_SCHEDULED;
    history->attributes_case = CHOSEN(ACTIVITY_TASK_SCHEDULED);
    history->activity_task_scheduled_event_attributes = scheduled;
    scheduled->activity_id = text(bench, "5");
    scheduled->activity_type = NEW(bench, Temporal__Api__Common__V1__ActivityType,
                                   temporal__api__common__v1__activity_type);
    scheduled->activity_type->name = text(bench, "charge_credit_card");
    scheduled->task_queue = NEW(bench, Temporal__Api__Taskqueue__V1__TaskQueue,
                                temporal__api__taskqueue__v1__task_queue);
    scheduled->task_queue->name = text(bench, "orders");
    scheduled->task_queue->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    scheduled->input = payloads(bench);
    scheduled->schedule_to_close_timeout = duration(bench, 3600);
    scheduled->schedule_to_start_timeout = duration(bench, 3600);
    scheduled->start_to_close_timeout = duration(bench, 10);
    scheduled->heartbeat_timeout = duration(bench, 5);
    scheduled->workflow_task_completed_event_id = 4;
    scheduled->retry_policy =
        NEW(bench, Temporal__Api__Common__V1__RetryPolicy, temporal__api__common__v1__retry_policy);
    scheduled->retry_policy->initial_interval = duration(bench, 1);
    scheduled->retry_policy->maximum_interval = duration(bench, 100);
    scheduled->retry_policy->backoff_coefficient = 2.0;
    return history;
}

static Perdure__V1__Record *transition(bench_t *bench, Perdure__V1__Cause cause,
                                       Temporal__Api__History__V1__HistoryEvent *history)
{
    Perdure__V1__Record *record = NEW(bench, Perdure__V1__Record, perdure__v1__record);
    Perdure__V1__RunEvents *run = NEW(bench, Perdure__V1__RunEvents, perdure__v1__run_events);
    Perdure__V1__Event *one = NEW(bench, Perdure__V1__Event, perdure__v1__event);

    one->kind_case = PERDURE__V1__EVENT__KIND_HISTORY;
    one->history = history;
    run->run_id = text(bench, "0199f4a1-2b3c-7d4e-8f50-61728394a5b6");
    run->n_events = 1;
    run->events = pd_arena_memdup(&bench->arena, &one, sizeof(one));
    record->epoch = 123456;
    record->prev_hash = (ProtobufCBinaryData){
        PD_RECORD_HASH_SIZE, pd_arena_calloc(&bench->arena, 1, PD_RECORD_HASH_SIZE)};
    record->time_ns = INT64_C(1795348800123456789);
    record->body_case = PERDURE__V1__RECORD__BODY_TRANSITION;
    record->transition = NEW(bench, Perdure__V1__Transition, perdure__v1__transition);
    record->transition->cause = cause;
    record->transition->namespace_id = text(bench, "32049b68-7872-4094-8e63-d0dd59896a83");
    record->transition->workflow_id = text(bench, "order-2026-11-22-000123");
    record->transition->n_runs = 1;
    record->transition->runs = pd_arena_memdup(&bench->arena, &run, sizeof(run));
    return record;
}

int main(int argc, char **argv)
{
    pd_record_codec_t *codec;
    bench_t bench = {.seconds = argc > 1 ? atof(argv[1]) : 0.5};
    avro_schema_t schema;
    double start = now();

    codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    printf("codec made in %.1f ms\n", (now() - start) * 1e3);
    bench.codec = codec;
    pd_arena_init(&bench.arena);
    pd_arena_init(&bench.scratch);
    pd_buf_init(&bench.buf, 1 << 20);
    PD_ASSERT(avro_schema_from_json_length(pd_record_codec_schema_json(codec),
                                           strlen(pd_record_codec_schema_json(codec)),
                                           &schema) == 0);
    bench.generic = avro_generic_class_from_schema(schema);
    measure_all(
        &bench, "workflow task started",
        transition(&bench, PERDURE__V1__CAUSE__CAUSE_START_WORKFLOW_TASK, task_started(&bench)));
    measure_all(&bench, "activity scheduled",
                transition(&bench, PERDURE__V1__CAUSE__CAUSE_COMPLETE_WORKFLOW_TASK,
                           activity_scheduled(&bench)));
    avro_value_iface_decref(bench.generic);
    avro_schema_decref(schema);
    pd_buf_deinit(&bench.buf);
    pd_arena_deinit(&bench.scratch);
    pd_arena_deinit(&bench.arena);
    pd_record_codec_free(codec);
    return 0;
}
