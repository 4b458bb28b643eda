#define PROTOBUF_C__NO_DEPRECATED
#include "tests/unit/forward/steps.h"

#include <temporal/api/query/v1/message.pb-c.h>

#include "base/os_clock.h"

#define REQUEST(Name, name)                                                                        \
    Temporal__Api__Workflowservice__V1__##Name request =                                           \
        TEMPORAL__API__WORKFLOWSERVICE__V1__##name##__INIT

static const char request_id[] = "0196a1b2-0000-7000-8000-0000000000aa";

int steps_start(rig_t *rig, int node, const char *workflow_id, const char *task_queue)
{
    REQUEST(StartWorkflowExecutionRequest, START_WORKFLOW_EXECUTION_REQUEST);
    Temporal__Api__Common__V1__WorkflowType type = TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    rig_call_t call;
    int code;

    type.name = (char *)"T";
    queue.name = (char *)task_queue;
    request.namespace_ = (char *)"default";
    request.workflow_id = (char *)workflow_id;
    request.workflow_type = &type;
    request.task_queue = &queue;
    request.request_id = (char *)request_id;
    rig_send(rig, node, "StartWorkflowExecution", &request, &call);
    rig_await(rig, &call);
    code = call.code;
    rig_call_deinit(&call);
    return code;
}

void steps_send_signal(rig_t *rig, int node, const char *workflow_id, rig_call_t *call)
{
    REQUEST(SignalWorkflowExecutionRequest, SIGNAL_WORKFLOW_EXECUTION_REQUEST);
    Temporal__Api__Common__V1__WorkflowExecution execution =
        TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;

    execution.workflow_id = (char *)workflow_id;
    request.namespace_ = (char *)"default";
    request.workflow_execution = &execution;
    request.signal_name = (char *)"s";
    rig_send(rig, node, "SignalWorkflowExecution", &request, call);
}

int steps_signal(rig_t *rig, int node, const char *workflow_id)
{
    rig_call_t call;
    int code;

    steps_send_signal(rig, node, workflow_id, &call);
    rig_await(rig, &call);
    code = call.code;
    rig_call_deinit(&call);
    return code;
}

static Temporal__Api__Workflow__V1__WorkflowExecutionInfo *describe(rig_t *rig, int node,
                                                                    const char *workflow_id)
{
    REQUEST(DescribeWorkflowExecutionRequest, DESCRIBE_WORKFLOW_EXECUTION_REQUEST);
    Temporal__Api__Common__V1__WorkflowExecution execution =
        TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionResponse *response;
    rig_call_t call;

    execution.workflow_id = (char *)workflow_id;
    request.namespace_ = (char *)"default";
    request.execution = &execution;
    response = rig_call(
        rig, node, "DescribeWorkflowExecution", &request,
        &temporal__api__workflowservice__v1__describe_workflow_execution_response__descriptor,
        &call);
    rig_call_deinit(&call);
    return response ? response->workflow_execution_info : NULL;
}

bool steps_is_running(rig_t *rig, int node, const char *workflow_id)
{
    Temporal__Api__Workflow__V1__WorkflowExecutionInfo *info = describe(rig, node, workflow_id);

    return info &&
           info->status ==
               TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
}

int64_t steps_history_length(rig_t *rig, int node, const char *workflow_id)
{
    Temporal__Api__Workflow__V1__WorkflowExecutionInfo *info = describe(rig, node, workflow_id);

    return info ? info->history_length : -1;
}

void steps_send_long_poll(rig_t *rig, int node, const char *workflow_id, rig_call_t *call)
{
    REQUEST(GetWorkflowExecutionHistoryRequest, GET_WORKFLOW_EXECUTION_HISTORY_REQUEST);
    Temporal__Api__Common__V1__WorkflowExecution execution =
        TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;

    execution.workflow_id = (char *)workflow_id;
    request.namespace_ = (char *)"default";
    request.execution = &execution;
    request.wait_new_event = true;
    request.history_event_filter_type =
        TEMPORAL__API__ENUMS__V1__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT;
    rig_send(rig, node, "GetWorkflowExecutionHistory", &request, call);
}

typedef struct wanted_count {
    rig_node_t *node;
    uint64_t count;
} wanted_count_t;

static bool has_open_calls(void *ctx)
{
    wanted_count_t *wanted = ctx;
    pd_grpc_server_stats_t stats;

    pd_grpc_server_stats(wanted->node->server, &stats);
    return stats.open_call_count == wanted->count;
}

bool steps_until_open_calls(rig_t *rig, int node, uint64_t count)
{
    wanted_count_t wanted = {&rig->nodes[node], count};

    return rig_until(rig, has_open_calls, &wanted);
}

/* ---- workers ---- */

#define WORKER_KEY "0196a1b2-0000-7000-8000-0000000000bb"

void steps_send_poll(rig_t *rig, int node, const char *task_queue, rig_call_t *call)
{
    REQUEST(PollWorkflowTaskQueueRequest, POLL_WORKFLOW_TASK_QUEUE_REQUEST);
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;

    queue.name = (char *)task_queue;
    request.namespace_ = (char *)"default";
    request.task_queue = &queue;
    request.identity = (char *)"worker";
    request.worker_instance_key = (char *)WORKER_KEY;
    rig_send(rig, node, "PollWorkflowTaskQueue", &request, call);
}

void steps_send_activity_poll(rig_t *rig, int node, const char *task_queue, rig_call_t *call)
{
    REQUEST(PollActivityTaskQueueRequest, POLL_ACTIVITY_TASK_QUEUE_REQUEST);
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;

    queue.name = (char *)task_queue;
    request.namespace_ = (char *)"default";
    request.task_queue = &queue;
    request.identity = (char *)"worker";
    rig_send(rig, node, "PollActivityTaskQueue", &request, call);
}

steps_task_t *steps_task_of(rig_t *rig, rig_call_t *call)
{
    steps_task_t *task;

    rig_await(rig, call);
    task = rig_answer(
        rig, call,
        &temporal__api__workflowservice__v1__poll_workflow_task_queue_response__descriptor);
    rig_call_deinit(call);
    return task;
}

steps_task_t *steps_poll(rig_t *rig, int node, const char *task_queue)
{
    rig_call_t call;

    steps_send_poll(rig, node, task_queue, &call);
    return steps_task_of(rig, &call);
}

int steps_complete(rig_t *rig, int node, const steps_task_t *task, bool ends_workflow,
                   const char *activity_task_queue)
{
    REQUEST(RespondWorkflowTaskCompletedRequest, RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST);
    Temporal__Api__Command__V1__Command command = TEMPORAL__API__COMMAND__V1__COMMAND__INIT;
    Temporal__Api__Command__V1__Command *commands[1] = {&command};
    Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes end =
        TEMPORAL__API__COMMAND__V1__COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES__INIT;
    Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes schedule =
        TEMPORAL__API__COMMAND__V1__SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES__INIT;
    Temporal__Api__Common__V1__ActivityType type = TEMPORAL__API__COMMON__V1__ACTIVITY_TYPE__INIT;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;
    rig_call_t call;
    int code;

    command.command_type =
        TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION;
    command.attributes_case =
        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
    command.complete_workflow_execution_command_attributes = &end;
    if (activity_task_queue) {
        type.name = (char *)"A";
        queue.name = (char *)activity_task_queue;
        timeout.seconds = 60;
        schedule.activity_id = (char *)"1";
        schedule.activity_type = &type;
        schedule.task_queue = &queue;
        schedule.start_to_close_timeout = &timeout;
        command.command_type =
            TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK;
        command.attributes_case =
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
        command.schedule_activity_task_command_attributes = &schedule;
    }
    request.namespace_ = (char *)"default";
    request.task_token = task->task_token;
    request.n_commands = ends_workflow || activity_task_queue;
    request.commands = commands;
    rig_send(rig, node, "RespondWorkflowTaskCompleted", &request, &call);
    rig_await(rig, &call);
    code = call.code;
    rig_call_deinit(&call);
    return code;
}

void steps_send_query(rig_t *rig, int node, const char *workflow_id, rig_call_t *call)
{
    REQUEST(QueryWorkflowRequest, QUERY_WORKFLOW_REQUEST);
    Temporal__Api__Common__V1__WorkflowExecution execution =
        TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    Temporal__Api__Query__V1__WorkflowQuery query = TEMPORAL__API__QUERY__V1__WORKFLOW_QUERY__INIT;

    execution.workflow_id = (char *)workflow_id;
    query.query_type = (char *)"q";
    request.namespace_ = (char *)"default";
    request.execution = &execution;
    request.query = &query;
    rig_send(rig, node, "QueryWorkflow", &request, call);
}

int steps_answer_query(rig_t *rig, int node, const steps_task_t *task)
{
    REQUEST(RespondQueryTaskCompletedRequest, RESPOND_QUERY_TASK_COMPLETED_REQUEST);
    rig_call_t call;
    int code;

    request.namespace_ = (char *)"default";
    request.task_token = task->task_token;
    request.completed_type =
        TEMPORAL__API__ENUMS__V1__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED;
    rig_send(rig, node, "RespondQueryTaskCompleted", &request, &call);
    rig_await(rig, &call);
    code = call.code;
    rig_call_deinit(&call);
    return code;
}

int steps_pollers(rig_t *rig, int node, const char *task_queue, int64_t *backlog)
{
    REQUEST(DescribeTaskQueueRequest, DESCRIBE_TASK_QUEUE_REQUEST);
    Temporal__Api__Workflowservice__V1__DescribeTaskQueueResponse *response;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    rig_call_t call;

    queue.name = (char *)task_queue;
    request.namespace_ = (char *)"default";
    request.task_queue = &queue;
    request.task_queue_type = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_WORKFLOW;
    request.report_stats = true;
    response = rig_call(
        rig, node, "DescribeTaskQueue", &request,
        &temporal__api__workflowservice__v1__describe_task_queue_response__descriptor, &call);
    rig_call_deinit(&call);
    if (!response)
        return -1;
    *backlog = response->stats->approximate_backlog_count;
    return (int)response->n_pollers;
}

bool steps_until_backlog(rig_t *rig, int node, const char *task_queue, int64_t count)
{
    int64_t until_ns = pd_os_monotonic_ns() + 20000 * RIG_MS, backlog;

    do {
        if (steps_pollers(rig, node, task_queue, &backlog) < 0)
            return false;
    } while (backlog != count && pd_os_monotonic_ns() < until_ns);
    return backlog == count;
}

int steps_shutdown_worker(rig_t *rig, int node)
{
    REQUEST(ShutdownWorkerRequest, SHUTDOWN_WORKER_REQUEST);
    rig_call_t call;
    int code;

    request.namespace_ = (char *)"default";
    request.worker_instance_key = (char *)WORKER_KEY;
    rig_send(rig, node, "ShutdownWorker", &request, &call);
    rig_await(rig, &call);
    code = call.code;
    rig_call_deinit(&call);
    return code;
}
