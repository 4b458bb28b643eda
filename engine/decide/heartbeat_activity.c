/* A worker reports progress, and learns whether it should stop. */
#include "engine/decide/activity_close.h"
#include "engine/decide/heartbeat.h"
#include "engine/limits.h"

typedef Temporal__Api__Workflowservice__V1__RecordActivityTaskHeartbeatRequest pd_request_t;
typedef Temporal__Api__Workflowservice__V1__RecordActivityTaskHeartbeatResponse pd_response_t;

void pd_activity_record_heartbeat(pd_draft_t *draft, const pd_pending_activity_t *activity,
                                  Temporal__Api__Common__V1__Payloads *details)
{
    Perdure__V1__ActivityHeartbeatRecorded *recorded =
        PD_PB_NEW(draft->decision->arena, Perdure__V1__ActivityHeartbeatRecorded,
                  perdure__v1__activity_heartbeat_recorded);
    recorded->scheduled_event_id = activity->scheduled_event_id;
    recorded->time_ns = draft->decision->now_ns;
    recorded->details = details;
    Perdure__V1__Event *event = pd_draft_internal(draft);
    event->kind_case = PERDURE__V1__EVENT__KIND_ACTIVITY_HEARTBEAT_RECORDED;
    event->activity_heartbeat_recorded = recorded;
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const pd_request_t *request = command->request;
    const pd_rpc_error_t *error = NULL;
    pd_pending_activity_t *activity = pd_activity_find(decision, command, false, &error);
    if (!activity)
        return error;
    pd_response_t *response = PD_PB_NEW(
        decision->arena, Temporal__Api__Workflowservice__V1__RecordActivityTaskHeartbeatResponse,
        temporal__api__workflowservice__v1__record_activity_task_heartbeat_response);
    decision->response = response;
    if (pd_activity_payload_size(request->details) > PD_BLOB_SIZE_MAX) {
        /* The activity fails; its worker is told to stop. */
        response->cancel_requested = true;
        return pd_activity_fail_oversized(
            decision, activity, "Heartbeat details exceed size limit.", request->identity);
    }
    response->cancel_requested = activity->cancel_requested;
    pd_activity_record_heartbeat(pd_draft_of(decision), activity, request->details);
    return NULL;
}

const pd_command_kind_t pd_command_heartbeat_activity = {
    .name = "HEARTBEAT_ACTIVITY",
    .cause = PERDURE__V1__CAUSE__CAUSE_HEARTBEAT_ACTIVITY_TASK,
    .decide = decide,
};
