/* RESET_STICKY: the worker gave the run up; its next workflow task goes to the normal queue. */
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/draft.h"

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    pd_draft_t *draft = pd_draft_of(decision);

    (void)command;
    if (!draft->running)
        return pd_rpc_not_found(decision->arena, "workflow execution already completed");
    pd_draft_clear_sticky(draft);
    decision->response =
        PD_PB_NEW(decision->arena, Temporal__Api__Workflowservice__V1__ResetStickyTaskQueueResponse,
                  temporal__api__workflowservice__v1__reset_sticky_task_queue_response);
    return NULL;
}

const pd_command_kind_t pd_command_reset_sticky = {
    .name = "RESET_STICKY",
    .cause = PERDURE__V1__CAUSE__CAUSE_RESET_STICKY,
    .decide = decide,
};
