/* FAIL_WORKFLOW_TASK: a worker could not make anything of the task. */
#include "engine/decide/close.h"
#include "engine/decide/task_token.h"
#include "engine/decide/workflow_task.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Workflowservice__V1__RespondWorkflowTaskFailedRequest request_t;

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const request_t *request = command->request;
    pd_draft_t *draft = pd_draft_of(decision);
    int32_t attempt;

    if (!draft->running)
        return pd_rpc_not_found(decision->arena, "workflow execution already completed");
    if (!pd_task_token_is_of_workflow_task(command->token, draft))
        return pd_rpc_not_found(decision->arena, "Workflow task not found.");
    decision->response = PD_PB_NEW(
        decision->arena, Temporal__Api__Workflowservice__V1__RespondWorkflowTaskFailedResponse,
        temporal__api__workflowservice__v1__respond_workflow_task_failed_response);
    if (request->cause == PD_WFT_CAUSE(GRPC_MESSAGE_TOO_LARGE)) {
        pd_close_terminate(draft, pd_workflow_task_cause_name(decision->arena, request->cause),
                           NULL, "history-service", NULL);
        return NULL;
    }
    attempt = pd_workflow_task_fail(draft, &(pd_workflow_task_failure_t){
                                               .cause = request->cause,
                                               .failure = request->failure,
                                               .identity = request->identity,
                                               .binary_checksum = request->binary_checksum,
                                           });
    pd_workflow_task_reschedule(draft, attempt);
    return NULL;
}

const pd_command_kind_t pd_command_fail_workflow_task = {
    .name = "FAIL_WORKFLOW_TASK",
    .cause = PERDURE__V1__CAUSE__CAUSE_FAIL_WORKFLOW_TASK,
    .decide = decide,
};
