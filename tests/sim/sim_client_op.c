/* sim_client_op.c -- what a client asks for. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim_client.h"
#include "tests/sim/sim_flow.h"
#include "tests/sim/sim_worker.h"

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME
#define RESPONSE(name) &temporal__api__workflowservice__v1__##name##_response__descriptor

static char *some_workflow_id(sim_client_t *client)
{
    return pd_arena_printf(&client->arena, "wf-%u",
                           (unsigned)sim_below(client->sim, client->sim->workflow_id_count));
}

static Temporal__Api__Common__V1__WorkflowExecution *execution(sim_client_t *client, char *id)
{
    Temporal__Api__Common__V1__WorkflowExecution *execution =
        PD_PB_NEW(&client->arena, Temporal__Api__Common__V1__WorkflowExecution,
                  temporal__api__common__v1__workflow_execution);

    execution->workflow_id = id;
    return execution;
}

static void set(sim_client_t *client, const char *method, const void *request,
                const ProtobufCMessageDescriptor *response_type)
{
    client->options = (sim_call_options_t){
        .method = method,
        .request = request,
        .response_type = response_type,
        .timeout_ns = sim_fault(client->sim, 5) ? sim_between(client->sim, 0, SIM_S) : 10 * SIM_S,
        .client_name = sim_chance(client->sim, 50) ? "temporal-cli" : "",
    };
}

static Temporal__Api__Common__V1__WorkflowType *workflow_type(sim_client_t *client)
{
    Temporal__Api__Common__V1__WorkflowType *type =
        PD_PB_NEW(&client->arena, Temporal__Api__Common__V1__WorkflowType,
                  temporal__api__common__v1__workflow_type);

    type->name = (char *)"flow";
    return type;
}

static Temporal__Api__Taskqueue__V1__TaskQueue *task_queue(sim_client_t *client)
{
    Temporal__Api__Taskqueue__V1__TaskQueue *queue =
        PD_PB_NEW(&client->arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                  temporal__api__taskqueue__v1__task_queue);
    char name[24];

    sim_task_queue_name((uint32_t)sim_below(client->sim, client->sim->task_queue_count), name);
    queue->name = pd_arena_strdup(&client->arena, name);
    return queue;
}

static void give_request_id(sim_op_t *op)
{
    snprintf(op->request_id, sizeof(op->request_id), "request-%u", op->number);
}

static Google__Protobuf__Duration *some(sim_client_t *client, int64_t min_ns, int64_t max_ns)
{
    return pd_pb_duration(&client->arena, sim_between(client->sim, min_ns, max_ns));
}

static void make_start(sim_client_t *client)
{
    sim_t *sim = client->sim;
    SIM_WS(StartWorkflowExecutionRequest) *request =
        SIM_WS_NEW(&client->arena, StartWorkflowExecutionRequest, start_workflow_execution_request);

    request->namespace_ = (char *)"default";
    request->workflow_id = some_workflow_id(client);
    client->op = sim_op_new(sim, SIM_OP_START, request->workflow_id);
    give_request_id(client->op);
    request->workflow_type = workflow_type(client);
    request->task_queue = task_queue(client);
    request->input = sim_payloads(&client->arena, "0");
    request->identity = client->op->mark;
    request->request_id = client->op->request_id;
    request->workflow_id_reuse_policy = (int)sim_below(sim, 5);
    if (request->workflow_id_reuse_policy != 4)
        request->workflow_id_conflict_policy = (int)sim_below(sim, 4);
    if (sim_chance(sim, 20))
        request->workflow_run_timeout = some(client, 100 * SIM_MS, 60 * SIM_S);
    if (sim_chance(sim, 10))
        request->workflow_execution_timeout = some(client, SIM_S, 120 * SIM_S);
    if (sim_chance(sim, 40))
        request->workflow_task_timeout = some(client, SIM_S, 10 * SIM_S);
    if (sim_chance(sim, 15))
        request->retry_policy = sim_retry_policy(&sim->random, &client->arena);
    if (sim_chance(sim, 5))
        request->cron_schedule = (char *)"@every 20s";
    else if (sim_chance(sim, 10))
        request->workflow_start_delay = some(client, 10 * SIM_MS, 20 * SIM_S);
    set(client, "StartWorkflowExecution", request, RESPONSE(start_workflow_execution));
}

static void make_signal(sim_client_t *client)
{
    SIM_WS(SignalWorkflowExecutionRequest) *request = SIM_WS_NEW(
        &client->arena, SignalWorkflowExecutionRequest, signal_workflow_execution_request);
    char *workflow_id = some_workflow_id(client);

    client->op = sim_op_new(client->sim, SIM_OP_SIGNAL, workflow_id);
    if (sim_chance(client->sim, 70))
        give_request_id(client->op);
    request->namespace_ = (char *)"default";
    request->workflow_execution = execution(client, workflow_id);
    request->signal_name = (char *)"signal";
    request->input = sim_payloads(&client->arena, client->op->mark);
    request->identity = client->op->mark;
    request->request_id = client->op->request_id;
    set(client, "SignalWorkflowExecution", request, RESPONSE(signal_workflow_execution));
}

static void make_signal_with_start(sim_client_t *client)
{
    SIM_WS(SignalWithStartWorkflowExecutionRequest) *request =
        SIM_WS_NEW(&client->arena, SignalWithStartWorkflowExecutionRequest,
                   signal_with_start_workflow_execution_request);

    request->namespace_ = (char *)"default";
    request->workflow_id = some_workflow_id(client);
    client->op = sim_op_new(client->sim, SIM_OP_SIGNAL_WITH_START, request->workflow_id);
    give_request_id(client->op);
    request->workflow_type = workflow_type(client);
    request->task_queue = task_queue(client);
    request->input = sim_payloads(&client->arena, "0");
    request->identity = client->op->mark;
    request->request_id = client->op->request_id;
    request->signal_name = (char *)"signal";
    request->workflow_id_reuse_policy = (int)sim_below(client->sim, 4);
    if (sim_chance(client->sim, 10))
        request->workflow_start_delay = some(client, 10 * SIM_MS, 20 * SIM_S);
    set(client, "SignalWithStartWorkflowExecution", request,
        RESPONSE(signal_with_start_workflow_execution));
}

static void make_cancel(sim_client_t *client)
{
    SIM_WS(RequestCancelWorkflowExecutionRequest) *request =
        SIM_WS_NEW(&client->arena, RequestCancelWorkflowExecutionRequest,
                   request_cancel_workflow_execution_request);
    char *workflow_id = some_workflow_id(client);

    client->op = sim_op_new(client->sim, SIM_OP_CANCEL, workflow_id);
    give_request_id(client->op);
    request->namespace_ = (char *)"default";
    request->workflow_execution = execution(client, workflow_id);
    request->identity = client->op->mark;
    request->request_id = client->op->request_id;
    set(client, "RequestCancelWorkflowExecution", request,
        RESPONSE(request_cancel_workflow_execution));
}

void sim_client_make_terminate(sim_client_t *client, const char *workflow_id)
{
    SIM_WS(TerminateWorkflowExecutionRequest) *request = SIM_WS_NEW(
        &client->arena, TerminateWorkflowExecutionRequest, terminate_workflow_execution_request);

    client->op = sim_op_new(client->sim, SIM_OP_TERMINATE, workflow_id);
    request->namespace_ = (char *)"default";
    request->workflow_execution = execution(client, pd_arena_strdup(&client->arena, workflow_id));
    request->identity = client->op->mark;
    set(client, "TerminateWorkflowExecution", request, RESPONSE(terminate_workflow_execution));
}

static void make_history(sim_client_t *client)
{
    SIM_WS(GetWorkflowExecutionHistoryRequest) *request = SIM_WS_NEW(
        &client->arena, GetWorkflowExecutionHistoryRequest, get_workflow_execution_history_request);

    request->namespace_ = (char *)"default";
    request->execution = execution(client, some_workflow_id(client));
    request->wait_new_event = client->long_poll = sim_chance(client->sim, 50);
    if (sim_chance(client->sim, 30))
        request->maximum_page_size = 1 + (int32_t)sim_below(client->sim, 10);
    request->history_event_filter_type = (int)sim_below(client->sim, 3);
    set(client, "GetWorkflowExecutionHistory", request, RESPONSE(get_workflow_execution_history));
    if (client->long_poll)
        client->options.timeout_ns = 30 * SIM_S;
}

static void make_reverse(sim_client_t *client)
{
    SIM_WS(GetWorkflowExecutionHistoryReverseRequest) *request =
        SIM_WS_NEW(&client->arena, GetWorkflowExecutionHistoryReverseRequest,
                   get_workflow_execution_history_reverse_request);

    request->namespace_ = (char *)"default";
    request->execution = execution(client, some_workflow_id(client));
    set(client, "GetWorkflowExecutionHistoryReverse", request,
        RESPONSE(get_workflow_execution_history_reverse));
}

static void make_describe(sim_client_t *client)
{
    SIM_WS(DescribeWorkflowExecutionRequest) *request = SIM_WS_NEW(
        &client->arena, DescribeWorkflowExecutionRequest, describe_workflow_execution_request);

    request->namespace_ = (char *)"default";
    request->execution = execution(client, some_workflow_id(client));
    set(client, "DescribeWorkflowExecution", request, RESPONSE(describe_workflow_execution));
}

static void make_query(sim_client_t *client)
{
    SIM_WS(QueryWorkflowRequest) *request =
        SIM_WS_NEW(&client->arena, QueryWorkflowRequest, query_workflow_request);

    request->namespace_ = (char *)"default";
    request->execution = execution(client, some_workflow_id(client));
    request->query = PD_PB_NEW(&client->arena, Temporal__Api__Query__V1__WorkflowQuery,
                               temporal__api__query__v1__workflow_query);
    request->query->query_type = (char *)"state";
    set(client, "QueryWorkflow", request, RESPONSE(query_workflow));
    client->long_poll = true; /* may be let go in the middle */
}

static void make_describe_queue(sim_client_t *client)
{
    SIM_WS(DescribeTaskQueueRequest) *request =
        SIM_WS_NEW(&client->arena, DescribeTaskQueueRequest, describe_task_queue_request);

    request->namespace_ = (char *)"default";
    request->task_queue = task_queue(client);
    request->task_queue_type = 1 + (int)sim_below(client->sim, 2);
    request->report_stats = true;
    set(client, "DescribeTaskQueue", request, RESPONSE(describe_task_queue));
}

static void make_reset_sticky(sim_client_t *client)
{
    SIM_WS(ResetStickyTaskQueueRequest) *request =
        SIM_WS_NEW(&client->arena, ResetStickyTaskQueueRequest, reset_sticky_task_queue_request);

    request->namespace_ = (char *)"default";
    request->execution = execution(client, some_workflow_id(client));
    set(client, "ResetStickyTaskQueue", request, RESPONSE(reset_sticky_task_queue));
}

/* A token that was never given out, or a name too long: the answer does not matter, but there must
 * be one. */
static void make_garbage(sim_client_t *client)
{
    SIM_WS(RespondActivityTaskCompletedRequest) *request =
        SIM_WS_NEW(&client->arena, RespondActivityTaskCompletedRequest,
                   respond_activity_task_completed_request);
    size_t size = (size_t)sim_below(client->sim, 64);
    uint8_t *bytes = pd_arena_alloc(&client->arena, 64);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)sim_below(client->sim, 256);
    request->namespace_ = (char *)(sim_chance(client->sim, 50) ? "default" : "nowhere");
    request->task_token = (ProtobufCBinaryData){size, bytes};
    set(client, "RespondActivityTaskCompleted", request, RESPONSE(respond_activity_task_completed));
}

void sim_client_choose(sim_client_t *client)
{
    uint64_t what = sim_below(client->sim, 100);

    if (what < 30)
        make_start(client);
    else if (what < 48)
        make_signal(client);
    else if (what < 55)
        make_signal_with_start(client);
    else if (what < 59)
        make_cancel(client);
    else if (what < 63)
        sim_client_make_terminate(client, some_workflow_id(client));
    else if (what < 78)
        make_history(client);
    else if (what < 81)
        make_reverse(client);
    else if (what < 87)
        make_describe(client);
    else if (what < 94)
        make_query(client);
    else if (what < 96)
        make_describe_queue(client);
    else if (what < 98)
        make_reset_sticky(client);
    else
        make_garbage(client);
}

/* ---- reads ---- */

static const char *run_of(sim_t *sim, const pd_history_event_t *first)
{
    (void)sim;
    return first->event_type == TYPE(WORKFLOW_EXECUTION_STARTED)
               ? first->workflow_execution_started_event_attributes->original_execution_run_id
               : NULL;
}

/* What a read has shown counts forever. Behind it may be the two events of a transient task. */
void sim_client_check_history(sim_client_t *client, const sim_reply_t *reply)
{
    const SIM_WS(GetWorkflowExecutionHistoryResponse) *response = reply->response;
    size_t count = response->history ? response->history->n_events : 0;
    pd_history_event_t **events = count ? response->history->events : NULL;
    const char *run_id = count ? run_of(client->sim, events[0]) : NULL;

    if (!run_id)
        return;
    for (size_t i = 0; i < count; i++) {
        if (events[i]->event_type == TYPE(WORKFLOW_TASK_SCHEDULED) &&
            events[i]->workflow_task_scheduled_event_attributes->attempt > 1 && i + 2 >= count) {
            count = i;
            break;
        }
    }
    sim_audit_check_events(client->sim->audit, run_id, events, count, "a history that was read");
}
