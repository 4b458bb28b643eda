/* activity.c -- activities: one row while pending, over all attempts.
 *
 *     Scheduled ──▶ scheduled ── AttemptStarted ──▶ started ── Completed, Failed, … ──▶ gone
 *                      ▲                               │
 *                      └──────── RetryScheduled ───────┘ */
#include "state/apply/apply.h"

#include "base/memory.h"

static pd_status_t not_pending(pdi_apply_t *apply, int64_t scheduled_event_id)
{
    return pdi_apply_corrupt(apply, "activity %lld is not pending", (long long)scheduled_event_id);
}

PDI_HISTORY_APPLIER(activity_scheduled)
{
    const Temporal__Api__History__V1__ActivityTaskScheduledEventAttributes *attributes =
        event->activity_task_scheduled_event_attributes;
    pdi_activity_t *activity = pd_alloc(sizeof(*activity));

    perdure__v1__activity_row__init(activity);
    activity->scheduled_event_id = event->event_id;
    pdi_string_set(&activity->activity_id, attributes->activity_id);
    if (attributes->activity_type)
        pdi_string_set(&activity->activity_type, attributes->activity_type->name);
    if (attributes->task_queue)
        pdi_string_set(&activity->task_queue, attributes->task_queue->name);
    activity->scheduled_time_ns = activity->attempt_scheduled_time_ns =
        pd_pb_timestamp_ns(event->event_time);
    activity->schedule_to_close_timeout_ns =
        pd_pb_duration_ns(attributes->schedule_to_close_timeout);
    activity->schedule_to_start_timeout_ns =
        pd_pb_duration_ns(attributes->schedule_to_start_timeout);
    activity->start_to_close_timeout_ns = pd_pb_duration_ns(attributes->start_to_close_timeout);
    activity->heartbeat_timeout_ns = pd_pb_duration_ns(attributes->heartbeat_timeout);
    activity->retry_policy = pdi_message_copy(attributes->retry_policy);
    activity->priority = pdi_message_copy(attributes->priority);
    activity->user_metadata = pdi_message_copy(event->user_metadata);
    activity->attempt = 1;
    pdi_activity_add(apply->run, activity);
    pdi_apply_hint(apply, pdi_activity_deadline_ns(activity));
    pdi_apply_ready(apply, true, activity->scheduled_event_id, 1, activity->scheduled_time_ns);
    return PD_OK;
}

PDI_HISTORY_APPLIER(activity_cancel_requested)
{
    int64_t scheduled_event_id =
        event->activity_task_cancel_requested_event_attributes->scheduled_event_id;
    pdi_activity_t *activity = pdi_activity(apply->run, scheduled_event_id, NULL);

    if (!activity)
        return not_pending(apply, scheduled_event_id);
    activity->cancel_requested = true;
    activity->cancel_requested_event_id = event->event_id;
    return PD_OK;
}

static pd_status_t end(pdi_apply_t *apply, int64_t scheduled_event_id)
{
    size_t index;

    if (!pdi_activity(apply->run, scheduled_event_id, &index))
        return not_pending(apply, scheduled_event_id);
    pdi_activity_remove(apply->run, index);
    return PD_OK;
}

PDI_HISTORY_APPLIER(activity_completed)
{
    return end(apply, event->activity_task_completed_event_attributes->scheduled_event_id);
}

PDI_HISTORY_APPLIER(activity_failed)
{
    return end(apply, event->activity_task_failed_event_attributes->scheduled_event_id);
}

PDI_HISTORY_APPLIER(activity_timed_out)
{
    return end(apply, event->activity_task_timed_out_event_attributes->scheduled_event_id);
}

PDI_HISTORY_APPLIER(activity_canceled)
{
    return end(apply, event->activity_task_canceled_event_attributes->scheduled_event_id);
}

PDI_EVENT_APPLIER(activity_attempt_started)
{
    const Perdure__V1__ActivityAttemptStarted *started = event->activity_attempt_started;
    pdi_activity_t *activity = pdi_activity(apply->run, started->scheduled_event_id, NULL);

    if (!activity || activity->started_time_ns || activity->close_buffered)
        return not_pending(apply, started->scheduled_event_id);
    activity->attempt = started->attempt;
    /* 0 means not started. */
    activity->started_time_ns = started->time_ns ? started->time_ns : 1;
    pdi_string_set(&activity->request_id, started->request_id);
    pdi_string_set(&activity->identity, started->identity);
    pdi_apply_hint(apply, pdi_activity_deadline_ns(activity));
    return PD_OK;
}

PDI_EVENT_APPLIER(activity_retry_scheduled)
{
    const Perdure__V1__ActivityRetryScheduled *retry = event->activity_retry_scheduled;
    pdi_activity_t *activity = pdi_activity(apply->run, retry->scheduled_event_id, NULL);

    if (!activity || activity->close_buffered)
        return not_pending(apply, retry->scheduled_event_id);
    activity->attempt = retry->attempt;
    activity->attempt_scheduled_time_ns = retry->not_before_ns;
    activity->started_time_ns = 0;
    if (retry->answered_time_ns)
        activity->last_attempt_complete_time_ns = retry->answered_time_ns;
    pdi_string_set(&activity->request_id, NULL);
    pdi_string_set(&activity->last_worker_identity, retry->last_worker_identity);
    pdi_message_free(activity->last_failure);
    activity->last_failure = pdi_message_copy(retry->last_failure);
    pdi_apply_hint(apply, pdi_activity_deadline_ns(activity));
    pdi_apply_ready(apply, true, activity->scheduled_event_id, activity->attempt,
                    activity->attempt_scheduled_time_ns);
    return PD_OK;
}

PDI_EVENT_APPLIER(activity_heartbeat_recorded)
{
    const Perdure__V1__ActivityHeartbeatRecorded *recorded = event->activity_heartbeat_recorded;
    pdi_activity_t *activity = pdi_activity(apply->run, recorded->scheduled_event_id, NULL);

    if (!activity)
        return not_pending(apply, recorded->scheduled_event_id);
    activity->heartbeat_time_ns = recorded->time_ns;
    pdi_message_free(activity->heartbeat_details);
    activity->heartbeat_details = pdi_message_copy(recorded->details);
    return PD_OK;
}
