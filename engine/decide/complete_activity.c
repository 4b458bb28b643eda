/* A worker, or anybody who knows the activity's ID, completes an activity. */
#include "engine/decide/activity_close.h"
#include "engine/limits.h"

/* Temporal's API calls fields deprecated that its server still fills. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Workflowservice__V1__RespondActivityTaskCompletedRequest pd_request_t;

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const pd_request_t *request = command->request;
    const pd_rpc_error_t *error = NULL;
    pd_pending_activity_t *activity = pd_activity_find(decision, command, true, &error);
    if (!activity)
        return error;
    decision->response = PD_PB_NEW(
        decision->arena, Temporal__Api__Workflowservice__V1__RespondActivityTaskCompletedResponse,
        temporal__api__workflowservice__v1__respond_activity_task_completed_response);
    if (pd_activity_payload_size(request->result) > PD_BLOB_SIZE_MAX)
        return pd_activity_fail_oversized(decision, activity, "Complete result exceeds size limit.",
                                          request->identity);

    pd_draft_t *draft = pd_draft_of(decision);
    /* By ID also before any worker took it: then whoever completes it counts as its worker. */
    pd_activity_started_t now = {
        .identity = request->identity, .request_id = "", .time_ns = decision->now_ns};
    int64_t started_event_id = pd_activity_write_started(
        draft, activity, activity->started ? NULL : &now, request->worker_version);
    pd_history_event_t *event = pd_draft_outside_event(draft, PD_EVENT(ACTIVITY_TASK_COMPLETED));
    Temporal__Api__History__V1__ActivityTaskCompletedEventAttributes *attributes =
        event->activity_task_completed_event_attributes;
    attributes->scheduled_event_id = activity->scheduled_event_id;
    attributes->started_event_id = started_event_id;
    attributes->identity = request->identity;
    attributes->result = request->result;
    pd_pending_remove_activity(draft, activity);
    pd_draft_wake(draft);
    return NULL;
}

const pd_command_kind_t pd_command_complete_activity = {
    .name = "COMPLETE_ACTIVITY",
    .cause = PERDURE__V1__CAUSE__CAUSE_COMPLETE_ACTIVITY_TASK,
    .decide = decide,
};
