/* Task queues as matching sees them. */
#define PROTOBUF_C__NO_DEPRECATED
#include "engine/frontend/validate.h"

#define MODE(NAME)                                                                                 \
    TEMPORAL__API__ENUMS__V1__DESCRIBE_TASK_QUEUE_MODE__DESCRIBE_TASK_QUEUE_MODE_##NAME
#define QUEUE_KIND(NAME) TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_##NAME

const pd_rpc_error_t *pdi_describe_task_queue(pdi_rpc_t *rpc)
{
    PD_WS(DescribeTaskQueueRequest) *request = rpc->request;
    const pd_router_t *router = &rpc->frontend->options.router;

    PDI_CHECK(pdi_check_task_queue(rpc, request->task_queue));
    PDI_REFUSE_IF(
        request->api_mode == MODE(ENHANCED) && request->task_queue->kind == QUEUE_KIND(STICKY), rpc,
        "Enhanced DescribeTaskQueue is not valid for a sticky queue, use "
        "api_mode=UNSPECIFIED or a normal queue.");
    return pdi_taken(rpc,
                     router->ops->describe_task_queue(router->ctx, rpc->call, rpc->ns, request));
}

/* One place sees the whole queue: there is one partition of each kind. */
const pd_rpc_error_t *pdi_list_task_queue_partitions(pdi_rpc_t *rpc)
{
    PD_WS(ListTaskQueuePartitionsRequest) *request = rpc->request;
    PD_WS(ListTaskQueuePartitionsResponse) *response = pdi_new_response(rpc);
    Temporal__Api__Taskqueue__V1__TaskQueuePartitionMetadata *partition =
        PD_PB_NEW(rpc->arena, Temporal__Api__Taskqueue__V1__TaskQueuePartitionMetadata,
                  temporal__api__taskqueue__v1__task_queue_partition_metadata);

    PDI_CHECK(pdi_check_task_queue(rpc, request->task_queue));
    partition->key = request->task_queue->name;
    response->n_activity_task_queue_partitions = 1;
    response->activity_task_queue_partitions = &partition;
    response->n_workflow_task_queue_partitions = 1;
    response->workflow_task_queue_partitions = &partition;
    return pdi_respond(rpc, response);
}
