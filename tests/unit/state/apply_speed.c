/* apply_speed.c -- how long applying and flushing take, for records that are decoded already.
 *
 * One-activity workflows, seven transitions each, those of many workflows interleaved; by hand:
 *     state_apply_speed [workflows [in flight [transitions per flush [steps [directory]]]]]
 * With fewer than 7 steps the workflows stay open: the resident size shows what an idle one costs.
 * Without a directory, RocksDB keeps its files in memory and is set up for few rows: not how a
 * server's is, flush_commit takes far longer. */
#include <stdio.h>
#include <stdlib.h>
#include <temporal/api/history/v1/message.pb-c.h>
#include <time.h>

#include "api/pb/time.h"
#include "base/assert.h"
#include "base/random.h"
#include "state/execution.h"

#define S ((int64_t)1000000000)
#define NAMESPACE "0190b7a2-5f3c-7a11-8000-0123456789ab"
#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME
#define CASE(NAME) TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##NAME##_EVENT_ATTRIBUTES
#define EVENT(NAME, name, Name)                                                                    \
    Temporal__Api__History__V1__##Name##EventAttributes *a =                                       \
        history(TYPE(NAME), CASE(NAME),                                                            \
                &temporal__api__history__v1__##name##_event_attributes__descriptor)

enum { STEPS = 7, EVENTS_MAX = 8, CHUNK = 20 /* records decoded at once, so that they are hot */ };

static pd_arena_t arena;
static pd_random_t randomness;
static int64_t now_ns = 1750000000 * S;
static Perdure__V1__RunEvents *run;
static int64_t event_id;

/* Of this thread: other load on the machine does not count. */
static double seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static Perdure__V1__Event *add(Perdure__V1__Event__KindCase kind, void *message)
{
    Perdure__V1__Event *event = PD_PB_NEW(&arena, Perdure__V1__Event, perdure__v1__event);

    event->kind_case = kind;
    event->run_created = message;
    run->events[run->n_events++] = event;
    return event;
}

static void *history(int type, int attributes_case, const ProtobufCMessageDescriptor *descriptor)
{
    pd_history_event_t *event =
        PD_PB_NEW(&arena, pd_history_event_t, temporal__api__history__v1__history_event);

    event->event_id = event_id++;
    event->event_time = pd_pb_timestamp(&arena, now_ns);
    event->event_type = (Temporal__Api__Enums__V1__EventType)type;
    event->task_id = 1048576 + event_id;
    event->attributes_case =
        (Temporal__Api__History__V1__HistoryEvent__AttributesCase)attributes_case;
    event->workflow_execution_started_event_attributes = pd_pb_new(descriptor, &arena);
    add(PERDURE__V1__EVENT__KIND_HISTORY, event);
    return event->workflow_execution_started_event_attributes;
}

static Temporal__Api__Taskqueue__V1__TaskQueue *queue(void)
{
    Temporal__Api__Taskqueue__V1__TaskQueue *made = PD_PB_NEW(
        &arena, Temporal__Api__Taskqueue__V1__TaskQueue, temporal__api__taskqueue__v1__task_queue);

    made->name = (char *)"orders";
    made->kind = 1;
    return made;
}

static Temporal__Api__Common__V1__Payloads *payloads(void)
{
    Temporal__Api__Common__V1__Payloads *made =
        PD_PB_NEW(&arena, Temporal__Api__Common__V1__Payloads, temporal__api__common__v1__payloads);
    Temporal__Api__Common__V1__Payload *one =
        PD_PB_NEW(&arena, Temporal__Api__Common__V1__Payload, temporal__api__common__v1__payload);
    Temporal__Api__Common__V1__Payload__MetadataEntry *entry =
        PD_PB_NEW(&arena, Temporal__Api__Common__V1__Payload__MetadataEntry,
                  temporal__api__common__v1__payload__metadata_entry);

    entry->key = (char *)"encoding";
    entry->value = (ProtobufCBinaryData){10, (uint8_t *)"json/plain"};
    one->n_metadata = 1;
    one->metadata = pd_arena_memdup(&arena, &entry, sizeof(entry));
    one->data = (ProtobufCBinaryData){20, (uint8_t *)"{\"order\":1234567890}"};
    made->n_payloads = 1;
    made->payloads = pd_arena_memdup(&arena, &one, sizeof(one));
    return made;
}

static char *uuid(void)
{
    char text[PD_UUID_SIZE];

    pd_random_uuid(&randomness, now_ns, text);
    return pd_arena_strdup(&arena, text);
}

static void schedule_task(void)
{
    EVENT(WORKFLOW_TASK_SCHEDULED, workflow_task_scheduled, WorkflowTaskScheduled);

    a->task_queue = queue();
    a->start_to_close_timeout = pd_pb_duration(&arena, 10 * S);
    a->attempt = 1;
}

static void start_task(void)
{
    EVENT(WORKFLOW_TASK_STARTED, workflow_task_started, WorkflowTaskStarted);

    a->scheduled_event_id = event_id - 2;
    a->identity = (char *)"12345@worker-7@";
    a->request_id = uuid();
    a->history_size_bytes = 500;
}

static void complete_task(void)
{
    EVENT(WORKFLOW_TASK_COMPLETED, workflow_task_completed, WorkflowTaskCompleted);

    a->scheduled_event_id = event_id - 3;
    a->started_event_id = event_id - 2;
    a->identity = (char *)"12345@worker-7@";
}

static void step_start(void)
{
    Perdure__V1__RunCreated *created =
        PD_PB_NEW(&arena, Perdure__V1__RunCreated, perdure__v1__run_created);

    event_id = 1;
    created->request_id = uuid();
    created->retention_ns = 86400 * S;
    add(PERDURE__V1__EVENT__KIND_RUN_CREATED, created);
    {
        EVENT(WORKFLOW_EXECUTION_STARTED, workflow_execution_started, WorkflowExecutionStarted);
        a->workflow_type = PD_PB_NEW(&arena, Temporal__Api__Common__V1__WorkflowType,
                                     temporal__api__common__v1__workflow_type);
        a->workflow_type->name = (char *)"OrderWorkflow";
        a->task_queue = queue();
        a->input = payloads();
        a->attempt = 1;
        a->first_execution_run_id = a->original_execution_run_id = run->run_id;
        a->workflow_task_timeout = pd_pb_duration(&arena, 10 * S);
        a->identity = (char *)"12345@client-1@";
    }
    schedule_task();
}

static void step_schedule_activity(void)
{
    event_id = 4;
    complete_task();
    EVENT(ACTIVITY_TASK_SCHEDULED, activity_task_scheduled, ActivityTaskScheduled);
    a->activity_id = (char *)"5";
    a->activity_type = PD_PB_NEW(&arena, Temporal__Api__Common__V1__ActivityType,
                                 temporal__api__common__v1__activity_type);
    a->activity_type->name = (char *)"ChargeActivity";
    a->task_queue = queue();
    a->input = payloads();
    a->start_to_close_timeout = pd_pb_duration(&arena, 10 * S);
    a->workflow_task_completed_event_id = 4;
    a->retry_policy = PD_PB_NEW(&arena, Temporal__Api__Common__V1__RetryPolicy,
                                temporal__api__common__v1__retry_policy);
    a->retry_policy->backoff_coefficient = 2;
    a->retry_policy->initial_interval = pd_pb_duration(&arena, S);
    a->retry_policy->maximum_interval = pd_pb_duration(&arena, 100 * S);
}

static void step_start_activity(void)
{
    Perdure__V1__ActivityAttemptStarted *started = PD_PB_NEW(
        &arena, Perdure__V1__ActivityAttemptStarted, perdure__v1__activity_attempt_started);

    started->scheduled_event_id = 5;
    started->attempt = 1;
    started->time_ns = now_ns;
    started->request_id = uuid();
    started->identity = (char *)"12345@worker-7@";
    add(PERDURE__V1__EVENT__KIND_ACTIVITY_ATTEMPT_STARTED, started);
}

static void step_complete_activity(void)
{
    event_id = 6;
    {
        EVENT(ACTIVITY_TASK_STARTED, activity_task_started, ActivityTaskStarted);
        a->scheduled_event_id = 5;
        a->attempt = 1;
        a->identity = (char *)"12345@worker-7@";
        a->request_id = uuid();
    }
    {
        EVENT(ACTIVITY_TASK_COMPLETED, activity_task_completed, ActivityTaskCompleted);
        a->scheduled_event_id = 5;
        a->started_event_id = 6;
        a->result = payloads();
        a->identity = (char *)"12345@worker-7@";
    }
    schedule_task();
}

static void step_complete_workflow(void)
{
    event_id = 10;
    complete_task();
    EVENT(WORKFLOW_EXECUTION_COMPLETED, workflow_execution_completed, WorkflowExecutionCompleted);
    a->result = payloads();
    a->workflow_task_completed_event_id = 10;
}

static Perdure__V1__Record *make(int workflow, const char *run_id, int step)
{
    Perdure__V1__Record *record = PD_PB_NEW(&arena, Perdure__V1__Record, perdure__v1__record);
    Perdure__V1__Transition *transition =
        PD_PB_NEW(&arena, Perdure__V1__Transition, perdure__v1__transition);

    now_ns += 5000;
    run = PD_PB_NEW(&arena, Perdure__V1__RunEvents, perdure__v1__run_events);
    run->run_id = (char *)run_id;
    run->events = pd_arena_alloc(&arena, EVENTS_MAX * sizeof(run->events[0]));
    record->time_ns = now_ns;
    record->body_case = PERDURE__V1__RECORD__BODY_TRANSITION;
    record->transition = transition;
    transition->namespace_id = (char *)NAMESPACE;
    transition->workflow_id = pd_arena_printf(&arena, "order-workflow-%d", workflow);
    transition->n_runs = 1;
    transition->runs = pd_arena_memdup(&arena, &run, sizeof(run));
    switch (step) {
    case 0:
        step_start();
        break;
    case 1:
        event_id = 3;
        start_task();
        break;
    case 2:
        step_schedule_activity();
        break;
    case 3:
        step_start_activity();
        break;
    case 4:
        step_complete_activity();
        break;
    case 5:
        event_id = 9;
        start_task();
        break;
    default:
        step_complete_workflow();
    }
    return record;
}

typedef struct times {
    double apply, begin, commit, evict;
    long flushes;
} times_t;

static void flush(pd_store_t *store, times_t *times, int64_t offset)
{
    pd_store_position_t position = {.applied_offset = offset};
    pd_error_t error;
    double start = seconds();

    pd_store_flush_begin(store);
    times->begin += seconds() - start;
    start = seconds();
    PD_ASSERT(pd_store_flush_commit(store, &position, &error) == PD_OK);
    times->commit += seconds() - start;
    start = seconds();
    pd_store_evict(store);
    times->evict += seconds() - start;
    times->flushes++;
}

static long resident_size(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long total = 0, resident = 0;

    PD_ASSERT(file && fscanf(file, "%ld %ld", &total, &resident) == 2);
    fclose(file);
    return resident * 4096;
}

static long apply_chunk(pd_store_t *store, int first, char (*run_ids)[PD_UUID_SIZE], int count,
                        int step, long per_flush, long done, times_t *times)
{
    Perdure__V1__Record *records[CHUNK];
    pd_error_t error;
    double start;

    pd_arena_reset(&arena);
    for (int i = 0; i < count; i++)
        records[i] = make(first + i, run_ids[i], step);
    start = seconds();
    for (int i = 0; i < count; i++) {
        if (pd_store_apply(store, records[i], &error) != PD_OK) {
            fprintf(stderr, "%s\n", error.text);
            exit(1);
        }
    }
    times->apply += seconds() - start;
    if ((done + count) / per_flush != done / per_flush)
        flush(store, times, done + count);
    return done + count;
}

int main(int argc, char **argv)
{
    int workflows = argc > 1 ? atoi(argv[1]) : 100000, in_flight = argc > 2 ? atoi(argv[2]) : 1000;
    long per_flush = argc > 3 ? atol(argv[3]) : 5000, done = 0;
    pd_store_shared_options_t shared_options = {.block_cache_size = 64 << 20,
                                                .write_buffer_size = 64 << 20,
                                                .store_count = 1,
                                                .in_memory = argc <= 5};
    pd_store_options_t options = {.path = argc > 5 ? argv[5] : "/speed",
                                  .shared = NULL,
                                  .partition = 0,
                                  .cache_size_max = 64 << 20};
    int steps = argc > 4 ? atoi(argv[4]) : STEPS;
    char(*run_ids)[PD_UUID_SIZE] = calloc((size_t)in_flight, sizeof(*run_ids));
    times_t times = {0};
    pd_store_t *store;
    pd_error_t error;

    pd_random_init(&randomness, 1);
    pd_arena_init(&arena);
    PD_ASSERT(pd_store_shared_new(&shared_options, &options.shared, &error) == PD_OK);
    if (pd_store_open(&options, &store, &error) != PD_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    for (int first = 0; first < workflows; first += in_flight) {
        for (int i = 0; i < in_flight; i++)
            pd_random_uuid(&randomness, now_ns, run_ids[i]);
        for (int step = 0; step < steps; step++) {
            for (int i = 0; i < in_flight; i += CHUNK)
                done = apply_chunk(store, first + i, &run_ids[i],
                                   in_flight - i < CHUNK ? in_flight - i : CHUNK, step, per_flush,
                                   done, &times);
        }
    }
    flush(store, &times, done);
    if (steps < STEPS)
        printf("%ld MB resident\n", resident_size() >> 20);
    printf("%ld transitions, %ld flushes; ns per transition: apply %.0f, flush_begin %.0f, "
           "flush_commit %.0f, evict %.0f; together %.0f/s\n",
           done, times.flushes, 1e9 * times.apply / (double)done, 1e9 * times.begin / (double)done,
           1e9 * times.commit / (double)done, 1e9 * times.evict / (double)done,
           (double)done / (times.apply + times.begin + times.commit + times.evict));
    pd_store_free(store);
    pd_store_shared_free(options.shared);
    pd_arena_deinit(&arena);
    free(run_ids);
    return 0;
}
