/* sim_task.c -- one workflow task in a worker's hands, from its arrival to its answer. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim_worker.h"

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME
#define FAILED_CAUSE(NAME)                                                                         \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##NAME
#define ANSWERED TEMPORAL__API__ENUMS__V1__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED

enum { ATTEMPT_MAX = 6 };

typedef SIM_WS(PollWorkflowTaskQueueResponse) poll_response_t;
typedef SIM_WS(RespondWorkflowTaskCompletedRequest) completion_t;

/* Lives until its last answer came. */
typedef struct task {
    sim_worker_t *worker;
    sim_t *sim;
    pd_arena_t arena;
    const poll_response_t *given; /* a copy */
    size_t durable_count;         /* of its events: not those of a transient task */
    sim_flow_t flow;
    sim_commands_t commands;
    const ProtobufCMessage *request;
    const char *method;
    const ProtobufCMessageDescriptor *response_type;
    sim_op_t *op;
    uint32_t attempt_left;
    bool send_twice;
    pd_timer_t timer;
} task_t;

static void end_task(task_t *task)
{
    task->sim->workers->open_task_count--;
    pd_loop_timer_stop(sim_clients_loop(task->sim), &task->timer);
    pd_arena_deinit(&task->arena);
    pd_free(task);
}

/* ---- the cache ---- */

static sim_cached_t *cached_of(sim_worker_t *worker, const char *run_id)
{
    sim_cached_t *cached;

    HASH_FIND_STR(worker->cache, run_id, cached);
    return cached;
}

static void forget(sim_worker_t *worker, const char *run_id)
{
    sim_cached_t *cached = cached_of(worker, run_id);

    if (cached) {
        HASH_DEL(worker->cache, cached);
        pd_free(cached);
    }
}

static void remember(sim_worker_t *worker, const sim_flow_t *flow)
{
    sim_cached_t *cached = cached_of(worker, flow->run_id);

    if (!cached) {
        cached = PD_NEW(sim_cached_t);
        cached->flow = *flow;
        HASH_ADD_STR(worker->cache, flow.run_id, cached);
    }
    cached->flow = *flow;
}

/* ---- sending answers ---- */

static void send(task_t *task);

static void on_retry(pd_timer_t *timer)
{
    send(PD_CONTAINER_OF(timer, task_t, timer));
}

/* The events that the commands had to lead to, in order, right behind the completion. */
static void check_commands(const task_t *task)
{
    const sim_occurrence_t *completed = NULL;
    size_t at = 0;
    sim_run_t *run;

    for (size_t i = 0; i < task->op->occurrence_count; i++) {
        if (task->op->occurrences[i].type == TYPE(WORKFLOW_TASK_COMPLETED))
            completed = &task->op->occurrences[i];
    }
    SIM_CHECK(task->sim, completed, "%s is not in the log", task->op->mark);
    run = completed->run;
    for (size_t i = (size_t)completed->event_id; i < run->event_count; i++) {
        if (pd_event_int(run->events[i], "workflow_task_completed_event_id") != completed->event_id)
            continue;
        SIM_CHECK(task->sim,
                  at < task->commands.count &&
                      task->commands.event_types[at] == (int)run->events[i]->event_type,
                  "run %s: %s: event %lld (type %d) is not what command %zu asked for", run->run_id,
                  task->op->mark, (long long)run->events[i]->event_id,
                  (int)run->events[i]->event_type, at);
        at++;
    }
    SIM_CHECK(task->sim, at == task->commands.count, "run %s: %s: %zu commands led to %zu events",
              run->run_id, task->op->mark, task->commands.count, at);
}

static void completed(task_t *task, const sim_reply_t *reply)
{
    const SIM_WS(RespondWorkflowTaskCompletedResponse) *response = reply->response;
    const poll_response_t *given = task->given;

    SIM_CHECK(task->sim, !task->commands.bad, "run %s: bad commands were accepted (%s)",
              task->flow.run_id, task->op->mark);
    check_commands(task);
    sim_audit_check_events(task->sim->audit, task->flow.run_id,
                           given->history ? given->history->events : NULL, task->durable_count,
                           "a workflow task whose completion was acknowledged");
    for (size_t i = 0; i < response->n_activity_tasks; i++)
        sim_activity_begin(task->worker, response->activity_tasks[i]);
    if (response->workflow_task)
        sim_task_begin(task->worker, response->workflow_task, true);
}

static void on_answered(void *ctx, const sim_reply_t *reply)
{
    task_t *task = ctx;
    sim_op_t *op = task->op;

    if (reply->unknown || reply->code == PD_RPC_RESOURCE_EXHAUSTED) {
        if (op && reply->unknown)
            op->maybe = true;
        if (--task->attempt_left) {
            task->timer.fire = on_retry;
            pd_loop_timer_start(sim_clients_loop(task->sim), &task->timer,
                                sim_now_ns(task->sim) +
                                    sim_between(task->sim, 20 * SIM_MS, 2 * SIM_S));
            return;
        }
        if (op)
            sim_op_given_up(task->sim, op);
    } else if (reply->code == PD_RPC_OK) {
        if (op)
            sim_op_acknowledged(task->sim, op, task->flow.run_id, false);
        if (op && op->kind == SIM_OP_COMPLETE_TASK)
            completed(task, reply);
    } else {
        if (op)
            sim_op_rejected(task->sim, op);
        forget(task->worker, task->flow.run_id);
    }
    end_task(task);
}

static void on_second_answered(void *ctx, const sim_reply_t *reply)
{
}

static void send(task_t *task)
{
    sim_call_options_t options = {
        .method = task->method,
        .request = task->request,
        .response_type = task->response_type,
        .timeout_ns = 10 * SIM_S,
        .done = on_answered,
        .ctx = task,
    };

    if (task->op)
        task->op->attempt_count++;
    sim_call(task->sim, &options);
    if (task->send_twice) { /* the same bytes once more: at most one of them may count */
        task->send_twice = false;
        if (task->op)
            task->op->maybe = true;
        options.done = on_second_answered;
        options.ctx = NULL;
        sim_call(task->sim, &options);
    }
}

/* ---- answers ---- */

static ProtobufCBinaryData token_of(const task_t *task)
{
    return task->given->task_token;
}

static void set_sticky(task_t *task, completion_t *request)
{
    pd_arena_t *arena = &task->arena;

    request->sticky_attributes =
        PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__StickyExecutionAttributes,
                  temporal__api__taskqueue__v1__sticky_execution_attributes);
    request->sticky_attributes->worker_task_queue = PD_PB_NEW(
        arena, Temporal__Api__Taskqueue__V1__TaskQueue, temporal__api__taskqueue__v1__task_queue);
    request->sticky_attributes->worker_task_queue->name = task->worker->sticky_queue;
    request->sticky_attributes->worker_task_queue->kind =
        TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY;
    request->sticky_attributes->worker_task_queue->normal_name = task->worker->task_queue;
    request->sticky_attributes->schedule_to_start_timeout = pd_pb_duration(
        arena, sim_chance(task->sim, 50) ? 5 * SIM_S : sim_between(task->sim, SIM_MS, 10 * SIM_S));
}

static void answer_queries(task_t *task, completion_t *request)
{
    typedef SIM_WS(RespondWorkflowTaskCompletedRequest__QueryResultsEntry) entry_t;
    pd_arena_t *arena = &task->arena;

    request->query_results =
        pd_arena_calloc(arena, task->given->n_queries + 1, sizeof(request->query_results[0]));
    for (size_t i = 0; i < task->given->n_queries; i++) {
        entry_t *entry = PD_PB_NEW(
            arena, entry_t,
            temporal__api__workflowservice__v1__respond_workflow_task_completed_request__query_results_entry);

        if (sim_fault(task->sim, 20))
            continue;
        entry->key = task->given->queries[i]->key;
        entry->value = PD_PB_NEW(arena, Temporal__Api__Query__V1__WorkflowQueryResult,
                                 temporal__api__query__v1__workflow_query_result);
        entry->value->result_type = ANSWERED;
        entry->value->answer = sim_payloads(arena, "answer");
        request->query_results[request->n_query_results++] = entry;
    }
}

static void complete(task_t *task)
{
    completion_t *request = SIM_WS_NEW(&task->arena, RespondWorkflowTaskCompletedRequest,
                                       respond_workflow_task_completed_request);
    bool truncated = task->given->next_page_token.len > 0;

    sim_flow_decide(task->sim, &task->flow, &task->arena, task->worker->task_queue, truncated,
                    &task->commands);
    if (sim_fault(task->sim, 5))
        sim_flow_spoil(task->sim, &task->flow, &task->arena, &task->commands);
    task->op =
        sim_op_new(task->sim, SIM_OP_COMPLETE_TASK, task->given->workflow_execution->workflow_id);
    request->namespace_ = (char *)"default";
    request->task_token = token_of(task);
    request->identity = task->op->mark;
    request->n_commands = task->commands.count;
    request->commands = task->commands.items;
    if (task->worker->sticky)
        set_sticky(task, request);
    answer_queries(task, request);
    request->return_new_workflow_task = sim_chance(task->sim, 50);
    request->force_create_new_workflow_task = sim_fault(task->sim, 5);
    task->method = "RespondWorkflowTaskCompleted";
    task->request = &request->base;
    task->response_type =
        &temporal__api__workflowservice__v1__respond_workflow_task_completed_response__descriptor;
    task->send_twice = sim_fault(task->sim, 3);
}

static void fail(task_t *task, int cause)
{
    SIM_WS(RespondWorkflowTaskFailedRequest) *request = SIM_WS_NEW(
        &task->arena, RespondWorkflowTaskFailedRequest, respond_workflow_task_failed_request);

    task->op =
        sim_op_new(task->sim, SIM_OP_FAIL_TASK, task->given->workflow_execution->workflow_id);
    request->namespace_ = (char *)"default";
    request->task_token = token_of(task);
    request->identity = task->op->mark;
    request->cause = cause;
    task->method = "RespondWorkflowTaskFailed";
    task->request = &request->base;
    task->response_type =
        &temporal__api__workflowservice__v1__respond_workflow_task_failed_response__descriptor;
}

static void answer_query(task_t *task)
{
    SIM_WS(RespondQueryTaskCompletedRequest) *request = SIM_WS_NEW(
        &task->arena, RespondQueryTaskCompletedRequest, respond_query_task_completed_request);

    request->namespace_ = (char *)"default";
    request->task_token = token_of(task);
    request->completed_type = ANSWERED;
    request->query_result = sim_payloads(&task->arena, "answer");
    task->method = "RespondQueryTaskCompleted";
    task->request = &request->base;
    task->response_type =
        &temporal__api__workflowservice__v1__respond_query_task_completed_response__descriptor;
}

/* ---- what was given ---- */

/* Checks the events and folds them. False: they cannot be used (this worker has lost its cache). */
static bool take_history(task_t *task)
{
    const poll_response_t *given = task->given;
    size_t count = given->history ? given->history->n_events : 0;
    sim_cached_t *cached = cached_of(task->worker, task->flow.run_id);
    int64_t first = count ? given->history->events[0]->event_id : 0;

    SIM_CHECK(task->sim, count, "run %s: a workflow task without history", task->flow.run_id);
    SIM_CHECK(
        task->sim, first == 1 || first == given->previous_started_event_id + 1,
        "run %s: its history begins with event %lld, the task before had been started by %lld",
        task->flow.run_id, (long long)first, (long long)given->previous_started_event_id);
    for (size_t i = 0; i < count; i++)
        SIM_CHECK(task->sim, given->history->events[i]->event_id == first + (int64_t)i,
                  "run %s: a task's history has a hole behind event %lld", task->flow.run_id,
                  (long long)first + (long long)i - 1);
    SIM_CHECK(task->sim,
              given->next_page_token.len || first + (int64_t)count - 1 == given->started_event_id,
              "run %s: a task started by event %lld, whose history ends with %lld",
              task->flow.run_id, (long long)given->started_event_id,
              (long long)first + (long long)count - 1);
    task->durable_count = given->attempt > 1 && count >= 2 ? count - 2 : count;
    if (first != 1) {
        if (!cached || cached->flow.next_event_id != first)
            return false;
        task->flow = cached->flow;
    }
    for (size_t i = 0; i < count; i++)
        sim_flow_fold(&task->flow, given->history->events[i]);
    remember(task->worker, &task->flow);
    return true;
}

static void plan(task_t *task)
{
    sim_t *sim = task->sim;
    int64_t delay_ns = sim_between(sim, 0, 30 * SIM_MS);

    if (sim_fault(sim, 5))
        delay_ns = sim_between(sim, 0, 15 * SIM_S); /* late, perhaps too late */
    task->timer.fire = on_retry;
    pd_loop_timer_start(sim_clients_loop(sim), &task->timer, sim_now_ns(sim) + delay_ns);
}

/* A direct query that comes to a cached run after a later workflow task, as SDKs see it. */
static bool is_outdated(sim_worker_t *worker, const poll_response_t *response)
{
    const sim_cached_t *cached = cached_of(worker, response->workflow_execution->run_id);

    return cached && response->previous_started_event_id < cached->flow.next_event_id - 1;
}

void sim_task_begin(sim_worker_t *worker, const poll_response_t *response, bool sticky)
{
    sim_t *sim = worker->sim;
    task_t *task;

    if (!response->task_token.len) /* the poll's time was over */
        return;
    SIM_CHECK(sim, response->workflow_execution && response->workflow_execution->run_id[0],
              "a workflow task without a workflow");
    if (sim_fault(sim, 5))
        forget(worker, response->workflow_execution->run_id);
    if (sim_fault(sim, 5)) /* never answered */
        return;
    if (response->query && !response->history && is_outdated(worker, response)) /* dropped */
        return;
    task = PD_NEW(task_t);
    task->worker = worker;
    task->sim = sim;
    task->attempt_left = ATTEMPT_MAX;
    pd_arena_init(&task->arena);
    task->given = pd_pb_clone(response, &task->arena);
    sim->workers->open_task_count++;
    sim->workers->task_count++;
    sim_flow_init(&task->flow, response->workflow_execution->run_id);
    if (response->query)
        answer_query(task);
    else if (!take_history(task))
        fail(task, FAILED_CAUSE(RESET_STICKY_TASK_QUEUE));
    else if (sim_fault(sim, 5))
        fail(task, FAILED_CAUSE(WORKFLOW_WORKER_UNHANDLED_FAILURE));
    else
        complete(task);
    plan(task);
}
