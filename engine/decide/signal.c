/* SIGNAL: an event for the workflow, once per request ID. */
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/link.h"
#include "engine/decide/signaling.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionRequest request_t;
typedef Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionResponse response_t;

static void answer(pd_decision_t *decision, const request_t *request)
{
    response_t *response = PD_PB_NEW(
        decision->arena, Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionResponse,
        temporal__api__workflowservice__v1__signal_workflow_execution_response);

    response->link = pd_link_request(decision, decision->exec->row->run_id, request->request_id,
                                     PD_EVENT(WORKFLOW_EXECUTION_SIGNALED));
    decision->response = response;
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const request_t *request = command->request;
    pd_draft_t *draft = pd_draft_of(decision);
    pd_signal_t signal = {.links = request->links, .n_links = request->n_links};
    const pd_rpc_error_t *error;

    answer(decision, request);
    if (pd_signal_is_known(draft, request->request_id))
        return NULL;
    if (!draft->running)
        return pd_rpc_not_found(decision->arena, "workflow execution already completed");
    temporal__api__history__v1__workflow_execution_signaled_event_attributes__init(
        &signal.attributes);
    signal.attributes.signal_name = request->signal_name;
    signal.attributes.input = request->input;
    signal.attributes.identity = request->identity;
    signal.attributes.header = request->header;
    signal.attributes.request_id = request->request_id;
    error = pd_signal_check(decision, draft, &signal);
    if (error)
        return error;
    pd_signal_add(draft, &signal);
    pd_draft_wake(draft);
    return NULL;
}

const pd_command_kind_t pd_command_signal = {
    .name = "SIGNAL",
    .cause = PERDURE__V1__CAUSE__CAUSE_SIGNAL_WORKFLOW,
    .decide = decide,
};
