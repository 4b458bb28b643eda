/* buffer.c -- events that happened while a workflow task was running.
 *
 * They wait without an ID until the task ends. What they mean for others holds at once: a closed
 * activity is no longer pending, a signal is known. When the buffer is emptied, its events follow
 * as history events, in their final order, in the same transition. */
#include "state/apply/apply.h"

#include "base/memory.h"

#define ATTRIBUTES(NAME)                                                                           \
    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##NAME##_EVENT_ATTRIBUTES

static pd_status_t close_activity(pdi_apply_t *apply, int64_t scheduled_event_id)
{
    pdi_activity_t *activity = pdi_activity(apply->run, scheduled_event_id, NULL);

    if (!activity || activity->close_buffered)
        return pdi_apply_corrupt(apply, "activity %lld is not pending",
                                 (long long)scheduled_event_id);
    activity->close_buffered = true;
    return PD_OK;
}

static pd_status_t fire_timer(pdi_apply_t *apply, int64_t started_event_id)
{
    pdi_timer_t *timer = pdi_timer(apply->run, started_event_id, NULL);

    if (!timer || timer->fire_buffered)
        return pdi_apply_corrupt(apply, "timer %lld is not pending", (long long)started_event_id);
    timer->fire_buffered = true;
    return PD_OK;
}

/* What holds before the event has its place in the history. */
static pd_status_t take_effect(pdi_apply_t *apply, const pd_history_event_t *event)
{
    switch ((int)event->attributes_case) {
    case ATTRIBUTES(ACTIVITY_TASK_COMPLETED):
        return close_activity(apply,
                              event->activity_task_completed_event_attributes->scheduled_event_id);
    case ATTRIBUTES(ACTIVITY_TASK_FAILED):
        return close_activity(apply,
                              event->activity_task_failed_event_attributes->scheduled_event_id);
    case ATTRIBUTES(ACTIVITY_TASK_TIMED_OUT):
        return close_activity(apply,
                              event->activity_task_timed_out_event_attributes->scheduled_event_id);
    case ATTRIBUTES(ACTIVITY_TASK_CANCELED):
        return close_activity(apply,
                              event->activity_task_canceled_event_attributes->scheduled_event_id);
    case ATTRIBUTES(TIMER_FIRED):
        return fire_timer(apply, event->timer_fired_event_attributes->started_event_id);
    case ATTRIBUTES(WORKFLOW_EXECUTION_SIGNALED):
        return pdi_apply_signaled(apply, event);
    case ATTRIBUTES(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
        return pdi_apply_cancel_requested(apply, event);
    default:
        PD_TRY(pdi_apply_child_buffered(apply, event));
        return pdi_apply_external_buffered(apply, event);
    }
}

PDI_EVENT_APPLIER(event_buffered)
{
    const pd_history_event_t *buffered = event->event_buffered->event;
    pdi_row_t *row = apply->row;

    /* All members of the oneof are messages: one pointer. */
    if (!buffered || !buffered->attributes_case ||
        !buffered->workflow_execution_started_event_attributes)
        return pdi_apply_corrupt(apply, "an event without attributes is buffered");
    if (!pd_execution_is_running(&apply->run->exec))
        return pdi_apply_corrupt(apply, "an event is buffered after the run was closed");
    PD_TRY(take_effect(apply, buffered));
    pdi_array_append(&row->buffered_events, &row->n_buffered_events, pdi_message_copy(buffered));
    row->buffered_size_bytes += (int64_t)pdi_pack(&apply->store->packer, buffered).size;
    return PD_OK;
}

PDI_EVENT_APPLIER(buffered_events_flushed)
{
    pdi_row_t *row = apply->row;

    for (size_t i = 0; i < row->n_buffered_events; i++) {
        if ((int)row->buffered_events[i]->attributes_case ==
            ATTRIBUTES(WORKFLOW_EXECUTION_SIGNALED))
            apply->signals_in_effect++;
        pdi_message_free(row->buffered_events[i]);
    }
    pd_free(row->buffered_events);
    row->buffered_events = NULL;
    row->n_buffered_events = 0;
    row->buffered_size_bytes = 0;
    return PD_OK;
}

/* CancelTimer took TimerFired back: the timer is pending again, until TimerCanceled ends it. */
PDI_EVENT_APPLIER(buffered_timer_removed)
{
    int64_t started_event_id = event->buffered_timer_removed->started_event_id;
    pdi_timer_t *timer = pdi_timer(apply->run, started_event_id, NULL);
    pdi_row_t *row = apply->row;

    for (size_t i = 0; timer && i < row->n_buffered_events; i++) {
        pd_history_event_t *fired = row->buffered_events[i];

        if ((int)fired->attributes_case != ATTRIBUTES(TIMER_FIRED) ||
            fired->timer_fired_event_attributes->started_event_id != started_event_id)
            continue;
        timer->fire_buffered = false;
        row->buffered_size_bytes -= (int64_t)pdi_pack(&apply->store->packer, fired).size;
        pdi_array_remove(&row->buffered_events, &row->n_buffered_events, i);
        pdi_message_free(fired);
        return PD_OK;
    }
    return pdi_apply_corrupt(apply, "timer %lld has not fired", (long long)started_event_id);
}
