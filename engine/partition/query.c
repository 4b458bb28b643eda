/* Queries: a worker is asked, nothing is recorded.
 *
 *   decide --a workflow task exists--> BUFFERED --task started--> ATTACHED --completed--> answered
 *     |                                 |    ^                      ^   |
 *     |                        no task  |    '--- its task is over -|---'
 *     |                          is left|         without an answer |
 *     '--none, or the run is closed--> OFFERED -----task started----'
 *                                         '--worker answers--> answered
 *
 * A direct query goes with the next workflow task, too: a worker drops a direct query when it has
 * seen a later workflow task by the time it comes to it. The first answer is taken.
 *
 * An answer leaves once everything that the worker can have seen counts. */
#include <temporal/api/errordetails/v1/message.pb-c.h>

#include "base/hash.h"
#include "engine/limits.h"
#include "engine/partition/partition_private.h"

typedef Temporal__Api__Workflowservice__V1__QueryWorkflowRequest query_request_t;
typedef Temporal__Api__Workflowservice__V1__QueryWorkflowResponse query_response_t;
typedef Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueResponse poll_response_t;
typedef Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueResponse__QueriesEntry
    queries_entry_t;
typedef Temporal__Api__Query__V1__WorkflowQueryResult query_result_t;

enum { FIELD_HISTORY = 8, FAILING_ATTEMPT = 3 };

/* ---- deciding ---- */

/* With a workflow task scheduled or running there is news that the query must come after. */
static bool must_wait(const pd_execution_t *exec)
{
    return pd_execution_is_running(exec) &&
           (exec->row->workflow_task || !exec->row->any_workflow_task_completed);
}

static query_response_t *rejected_response(pd_arena_t *arena,
                                           Temporal__Api__Enums__V1__WorkflowExecutionStatus status)
{
    query_response_t *response = PD_PB_NEW(
        arena, query_response_t, temporal__api__workflowservice__v1__query_workflow_response);

    response->query_rejected = PD_PB_NEW(arena, Temporal__Api__Query__V1__QueryRejected,
                                         temporal__api__query__v1__query_rejected);
    response->query_rejected->status = status;
    return response;
}

static bool is_rejected(const query_request_t *request, const Perdure__V1__ExecutionRow *row)
{
    switch ((int)request->query_reject_condition) {
    case TEMPORAL__API__ENUMS__V1__QUERY_REJECT_CONDITION__QUERY_REJECT_CONDITION_NOT_OPEN:
        return true;
    case TEMPORAL__API__ENUMS__V1__QUERY_REJECT_CONDITION__QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY:
        return row->status !=
               TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_COMPLETED;
    default:
        return false;
    }
}

/* As many queries may wait for the next workflow task of one run. */
static bool buffer_is_full(const pd_execution_t *exec)
{
    const pdi_run_t *run = exec->engine;
    const pdi_query_t *query;
    size_t count = 0;

    if (!run || !must_wait(exec))
        return false;
    TAILQ_FOREACH (query, &run->queries, link)
        count += query->state != PDI_QUERY_OFFERED;
    return count >= PD_BUFFERED_QUERY_COUNT_MAX;
}

static const pd_rpc_error_t *decide_query(pd_decision_t *decision, pd_command_t *command)
{
    const Perdure__V1__ExecutionRow *row = decision->exec->row;

    if (!pd_execution_is_running(decision->exec) && is_rejected(command->request, row)) {
        decision->response = rejected_response(decision->arena, row->status);
        return NULL;
    }
    if (row->first_task_not_before_ns)
        return pd_rpc_workflow_not_ready(decision->arena, "Workflow task is not scheduled yet.");
    if (pd_execution_workflow_task(decision->exec) &&
        row->workflow_task->attempt >= FAILING_ATTEMPT)
        return pd_rpc_workflow_not_ready(
            decision->arena, "Unable to query workflow due to Workflow Task in failed state.");
    if (!row->any_workflow_task_completed && !pd_execution_is_running(decision->exec))
        return pd_rpc_workflow_not_ready(
            decision->arena, "Workflow execution closed before WorkflowTaskStarted event");
    if (buffer_is_full(decision->exec))
        return pd_rpc_busy_workflow(decision->arena,
                                    "consistent query buffer is full, this may be caused by too "
                                    "many queries and workflow not able to process query fast "
                                    "enough");
    decision->wait_for_answer = true;
    return NULL;
}

const pd_command_kind_t pd_command_query = {
    .name = "QUERY",
    .decide = decide_query,
};

/* ---- the registry ---- */

/* Lets go of the query; its command remains to be answered. */
static pd_command_t *forget(pd_partition_t *partition, pdi_query_t *query)
{
    pdi_run_t *run = query->run;
    pd_command_t *command = query->command;

    pd_loop_timer_stop(partition->options.loop, &query->sticky_timer);
    TAILQ_REMOVE(&run->queries, query, link);
    HASH_DEL(partition->queries_by_id, query);
    command->call->parked_in = NULL;
    pdi_run_release(partition, run);
    return command;
}

void pdi_query_fail(pd_partition_t *partition, pdi_query_t *query, const pd_rpc_error_t *error)
{
    pdi_command_refuse(partition, forget(partition, query), error);
}

static void answer(pd_partition_t *partition, pdi_query_t *query, const void *response,
                   const pd_rpc_error_t *error)
{
    pd_command_t *command = forget(partition, query);

    command->decision->response = response;
    pdi_pipeline_answer_later(partition, command, error);
}

static const pd_rpc_error_t *query_failed(pd_arena_t *arena, const char *message,
                                          const Temporal__Api__Failure__V1__Failure *failure)
{
    Temporal__Api__Errordetails__V1__QueryFailedFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__QUERY_FAILED_FAILURE__INIT;

    detail.failure = (Temporal__Api__Failure__V1__Failure *)failure;
    return pd_rpc_error_detail(arena, PD_RPC_INVALID_ARGUMENT, &detail, "%s", message);
}

static bool is_answer(int type)
{
    return type == TEMPORAL__API__ENUMS__V1__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED ||
           type == TEMPORAL__API__ENUMS__V1__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_FAILED;
}

/* The worker's words live in its call's arena, the answer in the query's. */
static void answer_with(pd_partition_t *partition, pdi_query_t *query, int type,
                        const Temporal__Api__Common__V1__Payloads *result, const char *message,
                        const Temporal__Api__Failure__V1__Failure *failure)
{
    pd_arena_t *arena = query->command->arena;
    query_response_t *response;

    if (type == TEMPORAL__API__ENUMS__V1__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED) {
        response = PD_PB_NEW(arena, query_response_t,
                             temporal__api__workflowservice__v1__query_workflow_response);
        response->query_result = pd_pb_clone(result, arena);
        answer(partition, query, response, NULL);
    } else {
        answer(partition, query, NULL, query_failed(arena, pd_pb_str(message), failure));
    }
}

/* ---- direct queries ---- */

static void offer(pd_partition_t *partition, pdi_query_t *query, bool sticky);

/* The sticky worker seems to be gone: its runs are not to wait for it, either. */
static void submit_reset_sticky(pd_partition_t *partition, const pdi_query_t *query)
{
    const Perdure__V1__ExecutionRow *row = query->run->exec->row;
    pd_command_t *command;

    if (!pd_execution_is_running(query->run->exec))
        return;
    command = pd_command_new(&pd_command_reset_sticky);
    command->ns = query->command->ns;
    command->workflow_id = pd_arena_strdup(command->arena, row->workflow_id);
    command->run_id = pd_arena_strdup(command->arena, row->run_id);
    pd_partition_submit(partition, command);
}

static void on_sticky_timeout(pd_timer_t *timer)
{
    pdi_query_t *query = PD_CONTAINER_OF(timer, pdi_query_t, sticky_timer);
    pd_partition_t *partition = query->command->partition;

    offer(partition, query, false);
    submit_reset_sticky(partition, query);
}

static void send_offer(pd_partition_t *partition, const pdi_query_t *query, bool sticky)
{
    const Perdure__V1__ExecutionRow *row = query->run->exec->row;
    pd_offer_t task = {
        .kind = PD_TASK_WORKFLOW,
        .partition = partition,
        .ns = query->command->ns,
        .workflow_id = row->workflow_id,
        .run_id = row->run_id,
        .time_ns = pd_partition_now_ns(partition),
        .task_queue = sticky ? row->sticky_task_queue : row->task_queue,
        .normal_task_queue = row->task_queue,
        .query_id = query->id,
    };

    partition->options.sink.offer(partition->options.sink.ctx, &task);
}

static void offer(pd_partition_t *partition, pdi_query_t *query, bool sticky)
{
    const Perdure__V1__ExecutionRow *row = query->run->exec->row;

    query->state = PDI_QUERY_OFFERED;
    query->with_worker = false;
    if (sticky) {
        query->sticky_timer.fire = on_sticky_timeout;
        pd_loop_timer_start(partition->options.loop, &query->sticky_timer,
                            pd_partition_now_ns(partition) +
                                row->sticky_schedule_to_start_timeout_ns);
    }
    send_offer(partition, query, sticky);
}

void pdi_query_offer_again(pd_partition_t *partition, const pd_offer_filter_t *filter)
{
    pdi_query_t *query, *next;

    HASH_ITER (hh, partition->queries_by_id, query, next) {
        const Perdure__V1__ExecutionRow *row = query->run->exec->row;

        if (query->state == PDI_QUERY_OFFERED && !query->with_worker &&
            filter->wants(filter, row->namespace_id, row->task_queue))
            send_offer(partition, query, query->sticky_timer.heap_index != 0);
    }
}

static void go_direct(pd_partition_t *partition, pdi_query_t *query)
{
    offer(partition, query, !pd_pb_empty(query->run->exec->row->sticky_task_queue));
}

static void on_canceled(pd_call_t *call)
{
    pdi_query_t *query = call->parked_in;

    pdi_query_fail(query->command->partition, query,
                   pd_rpc_error(call->arena, PD_RPC_CANCELLED, "context canceled"));
}

void pdi_query_start(pd_partition_t *partition, pd_command_t *command)
{
    pd_execution_t *exec = command->decision->exec;
    pdi_query_t *query = PD_ARENA_NEW(command->arena, pdi_query_t);

    /* A worker may answer late: a query of another owner must not have the same ID. */
    if (!partition->next_query_id)
        partition->next_query_id =
            pd_hash_mix((uint64_t)partition->epoch ^ partition->options.random_seed) >> 8;
    query->id = ++partition->next_query_id;
    query->command = command;
    query->run = pdi_run_of(partition, exec);
    TAILQ_INSERT_TAIL(&query->run->queries, query, link);
    HASH_ADD(hh, partition->queries_by_id, id, sizeof(query->id), query);
    command->call->parked_in = query;
    command->call->unpark = on_canceled;
    if (atomic_load(&command->call->canceled))
        on_canceled(command->call);
    else if (must_wait(exec))
        query->state = PDI_QUERY_BUFFERED;
    else
        go_direct(partition, query);
}

static pdi_query_t *find(pd_partition_t *partition, uint64_t id)
{
    pdi_query_t *query;

    HASH_FIND(hh, partition->queries_by_id, &id, sizeof(id), query);
    return query;
}

static void fill_direct(pd_arena_t *arena, pdi_query_t *query, poll_response_t *response)
{
    const Perdure__V1__ExecutionRow *row = query->run->exec->row;
    Perdure__V1__TaskToken token = PERDURE__V1__TASK_TOKEN__INIT;
    pd_bytes_t bytes;

    token.namespace_id = row->namespace_id;
    token.workflow_id = row->workflow_id;
    token.run_id = row->run_id;
    token.query_id = pd_arena_printf(arena, "%llu", (unsigned long long)query->id);
    bytes = pd_pb_pack_arena(&token, arena);
    response->task_token.data = (uint8_t *)bytes.data;
    response->task_token.len = bytes.size;
    response->workflow_execution = PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowExecution,
                                             temporal__api__common__v1__workflow_execution);
    response->workflow_execution->workflow_id = row->workflow_id;
    response->workflow_execution->run_id = row->run_id;
    response->workflow_type = PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowType,
                                        temporal__api__common__v1__workflow_type);
    response->workflow_type->name = row->workflow_type;
    response->previous_started_event_id = row->last_workflow_task_started_event_id;
    response->attempt = 1;
    response->workflow_execution_task_queue = PD_PB_NEW(
        arena, Temporal__Api__Taskqueue__V1__TaskQueue, temporal__api__taskqueue__v1__task_queue);
    response->workflow_execution_task_queue->name = row->task_queue;
    response->workflow_execution_task_queue->kind =
        TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    response->query = ((const query_request_t *)query->command->request)->query;
}

/* A sticky worker has the run in its cache and needs no history; any other gets it from the
 * beginning, through the last completed workflow task and what came after. */
void pd_partition_hand_out_query(pd_partition_t *partition, pd_poll_t *poll, uint64_t query_id)
{
    pdi_query_t *query = find(partition, query_id);
    pd_arena_t *arena = poll->call->arena;
    bool sticky = poll->normal_task_queue != NULL;
    poll_response_t *response;
    pd_bytes_t next_page_token, bytes;
    pd_error_t error;
    pd_buf_t history;

    if (!query || query->state != PDI_QUERY_OFFERED || query->with_worker) {
        partition->options.sink.poll_returned(partition->options.sink.ctx, poll);
        return;
    }
    query->with_worker = true;
    query->answerable = true;
    response = PD_PB_NEW(arena, poll_response_t,
                         temporal__api__workflowservice__v1__poll_workflow_task_queue_response);
    fill_direct(arena, query, response);
    pd_buf_init(&history, PD_LOG_RECORD_SIZE_LIMIT);
    if (!sticky && pdi_hand_out_history(partition, arena, query->run->exec, 1,
                                        query->run->exec->row->next_event_id - 1, &history,
                                        &next_page_token, &error) == PD_OK) {
        response->next_page_token.data = (uint8_t *)next_page_token.data;
        response->next_page_token.len = next_page_token.size;
    }
    bytes =
        pdi_splice(arena, pd_pb_pack_arena(response, arena), FIELD_HISTORY, pd_buf_bytes(&history));
    pd_buf_deinit(&history);
    pd_call_respond_data(poll->call, pd_memdup(bytes.data, bytes.size), bytes.size);
}

void pd_partition_answer_query(
    pd_partition_t *partition, pd_call_t *call, const Perdure__V1__TaskToken *token,
    const Temporal__Api__Workflowservice__V1__RespondQueryTaskCompletedRequest *request)
{
    pdi_query_t *query = find(partition, strtoull(pd_pb_str(token->query_id), NULL, 10));

    if (!query || !query->answerable) {
        pd_call_fail(call,
                     pd_rpc_not_found(call->arena, "query task not found, or already expired"));
        return;
    }
    /* An answer that is neither is no answer: the caller goes on waiting. */
    if (is_answer((int)request->completed_type))
        answer_with(partition, query, (int)request->completed_type, request->query_result,
                    request->error_message, request->failure);
    pd_call_respond_data(call, pd_alloc(0), 0);
}

/* ---- queries that go with a workflow task ---- */

size_t pdi_query_attach(pd_partition_t *partition, pd_execution_t *exec, pd_arena_t *arena,
                        queries_entry_t ***entries)
{
    const Perdure__V1__WorkflowTaskRow *task = exec->row->workflow_task;
    pdi_run_t *run = exec->engine;
    size_t count = 0, at = 0;
    pdi_query_t *query;

    if (!run)
        return 0;
    TAILQ_FOREACH (query, &run->queries, link)
        count += query->state != PDI_QUERY_ATTACHED;
    *entries = pd_arena_calloc(arena, count + 1, sizeof(**entries));
    TAILQ_FOREACH (query, &run->queries, link) {
        queries_entry_t *entry;

        if (query->state == PDI_QUERY_ATTACHED)
            continue;
        pd_loop_timer_stop(partition->options.loop, &query->sticky_timer);
        query->state = PDI_QUERY_ATTACHED;
        query->task_started_event_id = task->started_event_id;
        query->task_attempt = task->attempt;
        entry = PD_PB_NEW(
            arena, queries_entry_t,
            temporal__api__workflowservice__v1__poll_workflow_task_queue_response__queries_entry);
        entry->key = pd_arena_printf(arena, "%llu", (unsigned long long)query->id);
        entry->value = ((const query_request_t *)query->command->request)->query;
        (*entries)[at++] = entry;
    }
    return count;
}

/* The results that came with a completion. */
static void answer_attached(
    pd_partition_t *partition, pdi_run_t *run,
    const Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request)
{
    for (size_t i = 0; i < request->n_query_results; i++) {
        const query_result_t *result = request->query_results[i]->value;
        pdi_query_t *query =
            find(partition, strtoull(pd_pb_str(request->query_results[i]->key), NULL, 10));

        if (query && query->run == run && query->state == PDI_QUERY_ATTACHED && result)
            answer_with(partition, query, (int)result->result_type, result->answer,
                        result->error_message, result->failure);
    }
}

/* The next task may have been started by what ended the one before. */
static bool is_over(const pdi_query_t *query, const Perdure__V1__WorkflowTaskRow *task)
{
    return !task || task->started_event_id != query->task_started_event_id ||
           task->attempt != query->task_attempt;
}

/* One query whose workflow task is over, or will never come. */
static void move_on(pd_partition_t *partition, pdi_query_t *query)
{
    const Perdure__V1__ExecutionRow *row = query->run->exec->row;

    if (pd_execution_is_running(query->run->exec) && row->workflow_task)
        return; /* goes with the next one */
    if (row->any_workflow_task_completed)
        go_direct(partition, query);
    else
        pdi_query_fail(
            partition, query,
            pd_rpc_workflow_not_ready(query->command->arena, "Unable to query workflow."));
}

void pdi_query_run_changed(pd_partition_t *partition, pd_execution_t *exec, pd_command_t *command)
{
    const Perdure__V1__WorkflowTaskRow *task = pd_execution_workflow_task(exec);
    pdi_run_t *run = exec->engine;
    pdi_query_t *query, *next;
    /* Answering the last query would release the run under our feet. */
    pdi_query_t guard = {.state = PDI_QUERY_OFFERED};

    TAILQ_INSERT_TAIL(&run->queries, &guard, link);
    if (command && command->kind == &pd_command_complete_workflow_task)
        answer_attached(partition, run, command->request);
    for (query = TAILQ_FIRST(&run->queries); query; query = next) {
        next = TAILQ_NEXT(query, link);
        if (query->state == PDI_QUERY_ATTACHED && is_over(query, task))
            query->state = PDI_QUERY_BUFFERED; /* its task ended without an answer */
        if (query->state == PDI_QUERY_BUFFERED)
            move_on(partition, query);
    }
    TAILQ_REMOVE(&run->queries, &guard, link);
    pdi_run_release(partition, run);
}
