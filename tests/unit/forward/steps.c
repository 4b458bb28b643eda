#define PROTOBUF_C__NO_DEPRECATED
#include "tests/unit/forward/steps.h"

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

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
