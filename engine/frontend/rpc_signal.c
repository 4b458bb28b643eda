/* From outside into a running workflow: signal, cancel request, terminate. */
#include "engine/frontend/validate.h"

const pd_rpc_error_t *pdi_prepare_signal(pdi_rpc_t *rpc)
{
    const PD_WS(SignalWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_execution(rpc, request->workflow_execution));
    PDI_REFUSE_IF(!request->signal_name[0], rpc, "SignalName is not set on request.");
    PDI_CHECK(pdi_check_size(rpc, request->signal_name, "SignalName length exceeds limit."));
    PDI_CHECK(pdi_check_size(rpc, request->request_id, "RequestId length exceeds limit."));
    PDI_CHECK(pdi_check_links(rpc, request->links, request->n_links));
    PDI_CHECK(pdi_check_blob(rpc, request->input));
    return NULL;
}

const pd_rpc_error_t *pdi_signal_workflow_execution(pdi_rpc_t *rpc)
{
    const PD_WS(SignalWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_prepare_signal(rpc));
    return pdi_submit(rpc, &pd_command_signal, request->workflow_execution->workflow_id,
                      request->workflow_execution->run_id, request);
}

const pd_rpc_error_t *pdi_prepare_request_cancel(pdi_rpc_t *rpc)
{
    const PD_WS(RequestCancelWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_execution(rpc, request->workflow_execution));
    PDI_CHECK(pdi_check_links(rpc, request->links, request->n_links));
    return NULL;
}

const pd_rpc_error_t *pdi_request_cancel_workflow_execution(pdi_rpc_t *rpc)
{
    const PD_WS(RequestCancelWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_prepare_request_cancel(rpc));
    return pdi_submit(rpc, &pd_command_request_cancel, request->workflow_execution->workflow_id,
                      request->workflow_execution->run_id, request);
}

const pd_rpc_error_t *pdi_prepare_terminate(pdi_rpc_t *rpc)
{
    PD_WS(TerminateWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_execution(rpc, request->workflow_execution));
    PDI_CHECK(pdi_check_links(rpc, request->links, request->n_links));
    if (!request->reason[0])
        request->reason = (char *)"terminated by user via frontend";
    if (!request->identity[0])
        request->identity = (char *)"frontend-service";
    return NULL;
}

const pd_rpc_error_t *pdi_terminate_workflow_execution(pdi_rpc_t *rpc)
{
    const PD_WS(TerminateWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_prepare_terminate(rpc));
    return pdi_submit(rpc, &pd_command_terminate, request->workflow_execution->workflow_id,
                      request->workflow_execution->run_id, request);
}
