/* Reading one workflow: the partition answers, once what it knows surely counts. */
#include <temporal/api/query/v1/message.pb-c.h>

#include "engine/frontend/validate.h"

#define FILTER(NAME)                                                                               \
    TEMPORAL__API__ENUMS__V1__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_##NAME

static int32_t page_size(int32_t wanted)
{
    return wanted <= 0 || wanted > PD_HISTORY_PAGE_EVENT_COUNT ? PD_HISTORY_PAGE_EVENT_COUNT
                                                               : wanted;
}

static const pd_rpc_error_t *submit(pdi_rpc_t *rpc, const pd_command_kind_t *kind,
                                    const Temporal__Api__Common__V1__WorkflowExecution *execution)
{
    return pdi_submit(rpc, kind, execution->workflow_id, execution->run_id, rpc->request);
}

const pd_rpc_error_t *pdi_get_workflow_execution_history(pdi_rpc_t *rpc)
{
    PD_WS(GetWorkflowExecutionHistoryRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_execution(rpc, request->execution));
    request->maximum_page_size = page_size(request->maximum_page_size);
    if (request->history_event_filter_type == FILTER(UNSPECIFIED))
        request->history_event_filter_type = FILTER(ALL_EVENT);
    return submit(rpc, &pd_command_get_history, request->execution);
}

const pd_rpc_error_t *pdi_get_workflow_execution_history_reverse(pdi_rpc_t *rpc)
{
    PD_WS(GetWorkflowExecutionHistoryReverseRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_execution(rpc, request->execution));
    request->maximum_page_size = page_size(request->maximum_page_size);
    return submit(rpc, &pd_command_get_history_reverse, request->execution);
}

const pd_rpc_error_t *pdi_describe_workflow_execution(pdi_rpc_t *rpc)
{
    const PD_WS(DescribeWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_execution(rpc, request->execution));
    return submit(rpc, &pd_command_describe, request->execution);
}

const pd_rpc_error_t *pdi_query_workflow(pdi_rpc_t *rpc)
{
    const PD_WS(QueryWorkflowRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_execution(rpc, request->execution));
    PDI_REFUSE_IF(!request->query, rpc, "WorkflowQuery is not set on request.");
    PDI_REFUSE_IF(!request->query->query_type[0], rpc, "QueryType is not set on request.");
    PDI_CHECK(pdi_check_blob(rpc, request->query));
    return submit(rpc, &pd_command_query, request->execution);
}
