#include "engine/decide/activity_close.h"

#include "base/assert.h"
#include "engine/decide/workflow_task.h"

size_t pd_activity_payload_size(const void *message)
{
    return message ? protobuf_c_message_get_packed_size(message) : 0;
}

void pd_activity_fail(pd_draft_t *draft, pd_pending_activity_t *activity,
                      const pd_activity_failure_t *failure)
{
    PD_ASSERT(activity->started && !activity->removed);
    Temporal__Api__Enums__V1__RetryState state =
        pd_activity_retry(draft, activity, failure->failure);
    if ((int)state == PD_RETRY_STATE(IN_PROGRESS))
        return;
    int64_t started_event_id =
        pd_activity_write_started(draft, activity, NULL, failure->worker_version);
    pd_history_event_t *event = pd_draft_outside_event(draft, PD_EVENT(ACTIVITY_TASK_FAILED));
    Temporal__Api__History__V1__ActivityTaskFailedEventAttributes *attributes =
        event->activity_task_failed_event_attributes;
    attributes->failure = failure->failure;
    attributes->scheduled_event_id = activity->scheduled_event_id;
    attributes->started_event_id = started_event_id;
    attributes->retry_state = state;
    attributes->identity = (char *)failure->identity;
    pd_pending_remove_activity(draft, activity);
    pd_draft_wake(draft);
}

const pd_rpc_error_t *pd_activity_fail_oversized(pd_decision_t *decision,
                                                 pd_pending_activity_t *activity,
                                                 const char *reason, const char *identity)
{
    if (!activity->started)
        return pd_activity_not_found(decision);
    pd_activity_failure_t failure = {
        .failure = pd_server_failure(decision->arena, reason, true),
        .identity = identity,
    };
    pd_activity_fail(pd_draft_of(decision), activity, &failure);
    return NULL;
}
