/* REQUEST_CANCEL: asks the workflow to cancel itself. Repeats and closed runs are no error. */
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/canceling.h"
#include "engine/decide/chain.h"

typedef Temporal__Api__Workflowservice__V1__RequestCancelWorkflowExecutionRequest request_t;

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const request_t *request = command->request;
    pd_draft_t *draft;
    pd_cancel_t cancel = {.links = request->links, .n_links = request->n_links};

    pd_chain_use_current(decision, request->first_execution_run_id);
    draft = pd_draft_of(decision);
    decision->response = PD_PB_NEW(
        decision->arena, Temporal__Api__Workflowservice__V1__RequestCancelWorkflowExecutionResponse,
        temporal__api__workflowservice__v1__request_cancel_workflow_execution_response);
    if (!draft->running)
        return NULL;
    if (!pd_chain_matches(decision, request->first_execution_run_id))
        return pd_rpc_not_found(decision->arena, "workflow execution not found");
    temporal__api__history__v1__workflow_execution_cancel_requested_event_attributes__init(
        &cancel.attributes);
    cancel.attributes.cause = request->reason;
    cancel.attributes.identity = request->identity;
    pd_cancel_request(draft, &cancel);
    return NULL;
}

const pd_command_kind_t pd_command_request_cancel = {
    .name = "REQUEST_CANCEL",
    .cause = PERDURE__V1__CAUSE__CAUSE_REQUEST_CANCEL,
    .decide = decide,
};
