/* A worker has done as it was asked: the activity is canceled. */
#include "engine/decide/activity_close.h"
#include "engine/limits.h"

/* Temporal's API calls fields deprecated that its server still fills. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Workflowservice__V1__RespondActivityTaskCanceledRequest pd_request_t;

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const pd_request_t *request = command->request;
    const pd_rpc_error_t *error = NULL;
    pd_pending_activity_t *activity = pd_activity_find(decision, command, false, &error);
    if (!activity)
        return error;
    decision->response = PD_PB_NEW(
        decision->arena, Temporal__Api__Workflowservice__V1__RespondActivityTaskCanceledResponse,
        temporal__api__workflowservice__v1__respond_activity_task_canceled_response);
    if (pd_activity_payload_size(request->details) > PD_BLOB_SIZE_MAX)
        return pd_activity_fail_oversized(decision, activity, "Cancel details exceed size limit.",
                                          request->identity);
    if (!activity->cancel_requested)
        return pd_rpc_invalid_argument(
            decision->arena,
            "unable to mark activity as canceled without activity being request canceled first");

    pd_draft_t *draft = pd_draft_of(decision);
    int64_t started_event_id = pd_activity_write_started(draft, activity, NULL, NULL);
    pd_history_event_t *event = pd_draft_outside_event(draft, PD_EVENT(ACTIVITY_TASK_CANCELED));
    Temporal__Api__History__V1__ActivityTaskCanceledEventAttributes *attributes =
        event->activity_task_canceled_event_attributes;
    attributes->scheduled_event_id = activity->scheduled_event_id;
    attributes->started_event_id = started_event_id;
    attributes->latest_cancel_requested_event_id = activity->cancel_requested_event_id;
    attributes->details = request->details;
    attributes->identity = request->identity;
    pd_pending_remove_activity(draft, activity);
    pd_draft_wake(draft);
    return NULL;
}

const pd_command_kind_t pd_command_cancel_activity = {
    .name = "CANCEL_ACTIVITY",
    .cause = PERDURE__V1__CAUSE__CAUSE_CANCEL_ACTIVITY_TASK,
    .decide = decide,
};
