/* TERMINATE: the run ends here and now; its worker is not asked. */
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/chain.h"
#include "engine/decide/close.h"

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const Temporal__Api__Workflowservice__V1__TerminateWorkflowExecutionRequest *request =
        command->request;
    pd_draft_t *draft;

    pd_chain_use_current(decision, request->first_execution_run_id);
    draft = pd_draft_of(decision);
    if (!draft->running)
        return pd_rpc_not_found(decision->arena, "workflow execution already completed");
    if (!pd_chain_matches(decision, request->first_execution_run_id))
        return pd_rpc_not_found(decision->arena, "workflow execution not found");
    pd_close_terminate(draft, request->reason, request->details, request->identity,
                       &(pd_links_t){request->links, request->n_links});
    decision->response = PD_PB_NEW(
        decision->arena, Temporal__Api__Workflowservice__V1__TerminateWorkflowExecutionResponse,
        temporal__api__workflowservice__v1__terminate_workflow_execution_response);
    return NULL;
}

const pd_command_kind_t pd_command_terminate = {
    .name = "TERMINATE",
    .cause = PERDURE__V1__CAUSE__CAUSE_TERMINATE,
    .decide = decide,
};
