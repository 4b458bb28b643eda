/* Starting workflows, alone or with a signal. */
#include "engine/frontend/validate.h"

const pd_rpc_error_t *pdi_start_workflow_execution(pdi_rpc_t *rpc)
{
    PD_WS(StartWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_workflow_id(rpc, request->workflow_id));
    PDI_CHECK(pdi_check_retry_policy(rpc, request->retry_policy));
    PDI_CHECK(pdi_check_workflow_type(rpc, request->workflow_type));
    PDI_CHECK(pdi_check_task_queue(rpc, request->task_queue));
    PDI_CHECK(pdi_check_request_id(rpc, &request->request_id));
    return pdi_submit(rpc, &pd_command_start_workflow, request->workflow_id, "", request);
}

const pd_rpc_error_t *pdi_signal_with_start_workflow_execution(pdi_rpc_t *rpc)
{
    PD_WS(SignalWithStartWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_workflow_id(rpc, request->workflow_id));
    PDI_REFUSE_IF(!request->signal_name[0], rpc, "SignalName is not set on request.");
    PDI_CHECK(pdi_check_size(rpc, request->signal_name, "SignalName length exceeds limit."));
    PDI_CHECK(pdi_check_workflow_type(rpc, request->workflow_type));
    PDI_CHECK(pdi_check_task_queue(rpc, request->task_queue));
    PDI_CHECK(pdi_check_request_id(rpc, &request->request_id));
    return pdi_submit(rpc, &pd_command_signal_with_start, request->workflow_id, "", request);
}
