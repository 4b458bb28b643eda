/* Reading one workflow: the partition answers, once what it knows surely counts. */
#include <temporal/api/query/v1/message.pb-c.h>

#include "api/pb/validate.h"
#include "engine/frontend/validate.h"
#include "engine/uuid.h"

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

/* A page token goes on with the run that it began with, whatever is the current one by now. */
static const pd_rpc_error_t *use_token_run(pdi_rpc_t *rpc, const ProtobufCBinaryData *bytes,
                                           Temporal__Api__Common__V1__WorkflowExecution *execution)
{
    const ProtobufCMessageDescriptor *type = &perdure__v1__history_page_token__descriptor;
    pd_bytes_t wire = pd_bytes(bytes->data, bytes->len);
    const Perdure__V1__HistoryPageToken *token = NULL;

    if (wire.size == 0)
        return NULL;
    if (pd_pb_validate(type, wire) == PD_PB_SOUND)
        token = pd_pb_unpack(type, rpc->arena, wire);
    PDI_REFUSE_IF(!token || !pd_is_uuid(token->run_id), rpc, "Invalid NextPageToken.");
    PDI_REFUSE_IF(execution->run_id[0] && strcmp(execution->run_id, token->run_id) != 0, rpc,
                  "RunId in the request does not match the NextPageToken.");
    execution->run_id = token->run_id;
    return NULL;
}

const pd_rpc_error_t *pdi_get_workflow_execution_history(pdi_rpc_t *rpc)
{
    PD_WS(GetWorkflowExecutionHistoryRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_execution(rpc, request->execution));
    PDI_CHECK(use_token_run(rpc, &request->next_page_token, request->execution));
    request->maximum_page_size = page_size(request->maximum_page_size);
    if (request->history_event_filter_type == FILTER(UNSPECIFIED))
        request->history_event_filter_type = FILTER(ALL_EVENT);
    return submit(rpc, &pd_command_get_history, request->execution);
}

const pd_rpc_error_t *pdi_get_workflow_execution_history_reverse(pdi_rpc_t *rpc)
{
    PD_WS(GetWorkflowExecutionHistoryReverseRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_execution(rpc, request->execution));
    PDI_CHECK(use_token_run(rpc, &request->next_page_token, request->execution));
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
