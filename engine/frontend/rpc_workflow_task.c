/* Workers answer workflow tasks. The token names the run; the request goes there. */
#include "engine/frontend/validate.h"

static const pd_rpc_error_t *submit_by_token(pdi_rpc_t *rpc, const pd_command_kind_t *kind)
{
    PDI_REFUSE_IF(!rpc->token->workflow_id[0], rpc, "WorkflowId is not set on request.");
    return pdi_submit(rpc, kind, rpc->token->workflow_id, rpc->token->run_id, rpc->request);
}

const pd_rpc_error_t *pdi_respond_workflow_task_completed(pdi_rpc_t *rpc)
{
    const PD_WS(RespondWorkflowTaskCompletedRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_identity(rpc, request->identity));
    return submit_by_token(rpc, &pd_command_complete_workflow_task);
}

const pd_rpc_error_t *pdi_respond_workflow_task_failed(pdi_rpc_t *rpc)
{
    PD_WS(RespondWorkflowTaskFailedRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_identity(rpc, request->identity));
    pdi_limit_failure(rpc, &request->failure);
    return submit_by_token(rpc, &pd_command_fail_workflow_task);
}

const pd_rpc_error_t *pdi_respond_query_task_completed(pdi_rpc_t *rpc)
{
    PD_WS(RespondQueryTaskCompletedRequest) *request = rpc->request;
    const pd_router_t *router = &rpc->frontend->options.router;

    if (!rpc->token->query_id[0])
        return pd_rpc_not_found(rpc->arena, "query task not found, or already expired");
    if (pdi_blob_is_too_large(request->query_result)) { /* told to whoever asked */
        request->completed_type =
            TEMPORAL__API__ENUMS__V1__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_FAILED;
        request->query_result = NULL;
        request->error_message = (char *)"Blob data size exceeds limit.";
    }
    return pdi_taken(
        rpc, router->ops->answer_query(router->ctx, rpc->call, rpc->ns, rpc->token, request));
}

const pd_rpc_error_t *pdi_reset_sticky_task_queue(pdi_rpc_t *rpc)
{
    const PD_WS(ResetStickyTaskQueueRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_execution(rpc, request->execution));
    return pdi_submit(rpc, &pd_command_reset_sticky, request->execution->workflow_id,
                      request->execution->run_id, request);
}
