/* Scenario `workflows`: starts workflows, works on them (one activity each) and waits for their
 * close event, as an SDK's client and worker do. */
#include <stdio.h>
#include <string.h>

#include "api/pb/time.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "base/random.h"
#include "bench/pd_bench/bench.h"

#define WS(name) Temporal__Api__Workflowservice__V1__##name
#define NS_PER_S ((int64_t)1000000000)

typedef struct load {
    bench_t *bench;
    char task_queue[96];
    char sticky_queue[96];
} load_t;

typedef struct caller {
    load_t *load;
    int number;
    uint64_t sequence;
    int64_t from_ns;
    char workflow_id[96];
    char run_id[64];
} caller_t;

/* ---- reading answers without decoding histories ---- */

typedef struct field {
    uint32_t number;
    uint64_t varint;
    pd_bytes_t bytes;
} field_t;

static bool read_varint(pd_bytes_t *in, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && in->size; shift += 7) {
        uint8_t byte = *in->data++;

        in->size--;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool next_field(pd_bytes_t *in, field_t *field)
{
    uint64_t tag;

    if (!in->size || !read_varint(in, &tag))
        return false;
    field->number = (uint32_t)(tag >> 3);
    field->bytes = pd_bytes(NULL, 0);
    switch (tag & 7) {
    case 0:
        return read_varint(in, &field->varint);
    case 2:
        if (!read_varint(in, &field->varint) || field->varint > in->size)
            return false;
        field->bytes = pd_bytes(in->data, field->varint);
        break;
    case 1:
        field->varint = 8;
        break;
    case 5:
        field->varint = 4;
        break;
    default:
        return false;
    }
    if (field->varint > in->size)
        return false;
    in->data += field->varint;
    in->size -= field->varint;
    return true;
}

/* ---- the worker ---- */

static void poll_workflow(load_t *load, bool sticky);
static void poll_activity(load_t *load);

static void on_completed(void *ctx, const pd_grpc_reply_t *reply)
{
    load_t *load = ctx;

    if (reply->code != 0)
        bench_error(load->bench, "complete", reply);
}

static void complete_activity(load_t *load, pd_bytes_t token)
{
    WS(RespondActivityTaskCompletedRequest)
    request = TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST__INIT;

    request.namespace_ = (char *)"default";
    request.identity = (char *)"pd-bench";
    request.task_token.data = (uint8_t *)token.data;
    request.task_token.len = token.size;
    bench_call(load->bench, PD_WS_PATH "RespondActivityTaskCompleted", &request, on_completed,
               load);
}

/* Eager activities come inside the answer (field 2 of the response, token is their field 1). */
static void on_workflow_completed(void *ctx, const pd_grpc_reply_t *reply)
{
    load_t *load = ctx;
    pd_bytes_t in = reply->data;
    field_t field, inner;

    on_completed(ctx, reply);
    while (reply->code == 0 && next_field(&in, &field)) {
        pd_bytes_t task = field.bytes;

        if (field.number == 2 && next_field(&task, &inner) && inner.number == 1)
            complete_activity(load, inner.bytes);
    }
}

static void fill_schedule(load_t *load, pd_arena_t *arena,
                          Temporal__Api__Command__V1__Command *command)
{
    Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes *attributes =
        PD_PB_NEW(arena, Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes,
                  temporal__api__command__v1__schedule_activity_task_command_attributes);

    command->command_type =
        TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK;
    command->attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
    command->schedule_activity_task_command_attributes = attributes;
    attributes->activity_id = (char *)"1";
    attributes->activity_type = PD_PB_NEW(arena, Temporal__Api__Common__V1__ActivityType,
                                          temporal__api__common__v1__activity_type);
    attributes->activity_type->name = (char *)"BenchActivity";
    attributes->task_queue = PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                                       temporal__api__taskqueue__v1__task_queue);
    attributes->task_queue->name = load->task_queue;
    attributes->start_to_close_timeout = pd_pb_duration(arena, 60 * NS_PER_S);
    attributes->request_eager_execution = load->bench->options.eager;
}

static void fill_complete(pd_arena_t *arena, Temporal__Api__Command__V1__Command *command)
{
    command->command_type =
        TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
    command->attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
    command->complete_workflow_execution_command_attributes =
        PD_PB_NEW(arena, Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes,
                  temporal__api__command__v1__complete_workflow_execution_command_attributes);
}

static void complete_workflow_task(load_t *load, pd_bytes_t token, bool first)
{
    WS(RespondWorkflowTaskCompletedRequest)
    request = TEMPORAL__API__WORKFLOWSERVICE__V1__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
    Temporal__Api__Command__V1__Command command = TEMPORAL__API__COMMAND__V1__COMMAND__INIT,
                                        *commands[] = {&command};
    pd_arena_t arena;

    pd_arena_init(&arena);
    if (first)
        fill_schedule(load, &arena, &command);
    else
        fill_complete(&arena, &command);
    request.namespace_ = (char *)"default";
    request.identity = (char *)"pd-bench";
    request.task_token.data = (uint8_t *)token.data;
    request.task_token.len = token.size;
    request.n_commands = 1;
    request.commands = commands;
    if (load->bench->options.sticky) {
        request.sticky_attributes =
            PD_PB_NEW(&arena, Temporal__Api__Taskqueue__V1__StickyExecutionAttributes,
                      temporal__api__taskqueue__v1__sticky_execution_attributes);
        request.sticky_attributes->worker_task_queue =
            PD_PB_NEW(&arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                      temporal__api__taskqueue__v1__task_queue);
        request.sticky_attributes->worker_task_queue->name = load->sticky_queue;
        request.sticky_attributes->worker_task_queue->kind =
            TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY;
        request.sticky_attributes->worker_task_queue->normal_name = load->task_queue;
        request.sticky_attributes->schedule_to_start_timeout =
            pd_pb_duration(&arena, 10 * NS_PER_S);
    }
    bench_call(load->bench, PD_WS_PATH "RespondWorkflowTaskCompleted", &request,
               on_workflow_completed, load);
    pd_arena_deinit(&arena);
}

static void take_workflow_task(load_t *load, const pd_grpc_reply_t *reply)
{
    pd_bytes_t in = reply->data, token = {NULL, 0};
    uint64_t previous_started_event_id = 0;
    field_t field;

    if (reply->code != 0)
        bench_error(load->bench, "poll workflow", reply);
    while (reply->code == 0 && next_field(&in, &field)) {
        if (field.number == 1)
            token = field.bytes;
        else if (field.number == 4)
            previous_started_event_id = field.varint;
    }
    if (token.size)
        complete_workflow_task(load, token, previous_started_event_id == 0);
}

static void on_workflow_task(void *ctx, const pd_grpc_reply_t *reply)
{
    load_t *load = ctx;

    take_workflow_task(load, reply);
    if (!load->bench->over)
        poll_workflow(load, false);
}

static void on_sticky_task(void *ctx, const pd_grpc_reply_t *reply)
{
    load_t *load = ctx;

    take_workflow_task(load, reply);
    if (!load->bench->over)
        poll_workflow(load, true);
}

static void poll_workflow(load_t *load, bool sticky)
{
    WS(PollWorkflowTaskQueueRequest)
    request = TEMPORAL__API__WORKFLOWSERVICE__V1__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;

    queue.name = sticky ? load->sticky_queue : load->task_queue;
    queue.kind = sticky ? TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY
                        : TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    if (sticky)
        queue.normal_name = load->task_queue;
    request.namespace_ = (char *)"default";
    request.task_queue = &queue;
    request.identity = (char *)"pd-bench";
    bench_poll(load->bench, PD_WS_PATH "PollWorkflowTaskQueue", &request,
               sticky ? on_sticky_task : on_workflow_task, load);
}

static void on_activity_task(void *ctx, const pd_grpc_reply_t *reply)
{
    load_t *load = ctx;
    pd_bytes_t in = reply->data;
    field_t field;

    if (reply->code != 0)
        bench_error(load->bench, "poll activity", reply);
    while (reply->code == 0 && next_field(&in, &field)) {
        if (field.number == 1 && field.bytes.size)
            complete_activity(load, field.bytes);
    }
    if (!load->bench->over)
        poll_activity(load);
}

static void poll_activity(load_t *load)
{
    WS(PollActivityTaskQueueRequest)
    request = TEMPORAL__API__WORKFLOWSERVICE__V1__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;

    queue.name = load->task_queue;
    request.namespace_ = (char *)"default";
    request.task_queue = &queue;
    request.identity = (char *)"pd-bench";
    bench_poll(load->bench, PD_WS_PATH "PollActivityTaskQueue", &request, on_activity_task, load);
}

/* ---- the client ---- */

static void next(caller_t *caller);

static void wait_for_close(caller_t *caller);

/* History is field 1; without events the long poll ended before the workflow did. */
static void on_history(void *ctx, const pd_grpc_reply_t *reply)
{
    caller_t *caller = ctx;
    bench_t *bench = caller->load->bench;
    pd_bytes_t in = reply->data;
    bool closed = false;
    field_t field;

    while (reply->code == 0 && next_field(&in, &field))
        closed |= field.number == 1 && field.bytes.size > 0;
    if (reply->code != 0)
        bench_error(bench, "history", reply);
    else if (!closed && !bench->over) {
        wait_for_close(caller);
        return;
    } else
        bench_done(bench, caller->from_ns);
    if (!bench->over)
        next(caller);
}

static void wait_for_close(caller_t *caller)
{
    WS(GetWorkflowExecutionHistoryRequest)
    request = TEMPORAL__API__WORKFLOWSERVICE__V1__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
    Temporal__Api__Common__V1__WorkflowExecution execution =
        TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;

    execution.workflow_id = caller->workflow_id;
    execution.run_id = caller->run_id;
    request.namespace_ = (char *)"default";
    request.execution = &execution;
    request.wait_new_event = true;
    request.history_event_filter_type =
        TEMPORAL__API__ENUMS__V1__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT;
    bench_poll(caller->load->bench, PD_WS_PATH "GetWorkflowExecutionHistory", &request, on_history,
               caller);
}

static void on_started(void *ctx, const pd_grpc_reply_t *reply)
{
    caller_t *caller = ctx;
    pd_bytes_t in = reply->data;
    field_t field;

    if (reply->code != 0) {
        bench_error(caller->load->bench, "start", reply);
        if (!caller->load->bench->over)
            next(caller);
        return;
    }
    while (next_field(&in, &field)) {
        if (field.number == 1 && field.bytes.size < sizeof(caller->run_id)) {
            memcpy(caller->run_id, field.bytes.data, field.bytes.size);
            caller->run_id[field.bytes.size] = '\0';
        }
    }
    wait_for_close(caller);
}

static void next(caller_t *caller)
{
    WS(StartWorkflowExecutionRequest) request;
    char request_id[PD_UUID_SIZE];

    snprintf(caller->workflow_id, sizeof(caller->workflow_id), "%s-%d-%llu",
             caller->load->bench->prefix, caller->number, (unsigned long long)caller->sequence++);
    bench_start_request(caller->load->bench, &request, caller->workflow_id,
                        caller->load->task_queue, request_id);
    caller->from_ns = pd_os_monotonic_ns();
    bench_call(caller->load->bench, PD_WS_PATH "StartWorkflowExecution", &request, on_started,
               caller);
}

void bench_scenario_workflows(bench_t *bench)
{
    load_t *load = PD_NEW(load_t);
    caller_t *callers = pd_calloc((size_t)bench->options.concurrency, sizeof(*callers));

    load->bench = bench;
    snprintf(load->task_queue, sizeof(load->task_queue), "%s-queue", bench->prefix);
    snprintf(load->sticky_queue, sizeof(load->sticky_queue), "%s-sticky", bench->prefix);
    for (int i = 0; i < bench->options.pollers; i++) {
        poll_workflow(load, false);
        if (bench->options.sticky)
            poll_workflow(load, true);
        poll_activity(load);
    }
    for (int i = 0; i < bench->options.concurrency; i++) {
        callers[i].load = load;
        callers[i].number = i;
        next(&callers[i]);
    }
    bench_begin(bench);
}
