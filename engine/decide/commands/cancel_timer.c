/* CancelTimer: also takes back a TimerFired that the workflow has not seen yet. */
#include "engine/decide/commands/commands.h"
#include "engine/decide/pending.h"
#include "engine/limits.h"

#define CAUSE PD_WFT_CAUSE(BAD_CANCEL_TIMER_ATTRIBUTES)

const pd_command_failure_t *pd_handle_cancel_timer(pd_completion_t *completion,
                                                   const pd_worker_command_t *command)
{
    pd_draft_t *draft = completion->draft;
    const Temporal__Api__Command__V1__CancelTimerCommandAttributes *attributes =
        command->cancel_timer_command_attributes;
    if (command->attributes_case !=
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_CANCEL_TIMER_COMMAND_ATTRIBUTES ||
        !attributes)
        return pd_command_fail(completion, CAUSE,
                               "CancelTimerCommandAttributes is not set on CancelTimerCommand.");
    char *timer_id = attributes->timer_id;
    if (pd_pb_empty(timer_id))
        return pd_command_fail(completion, CAUSE, "TimerId is not set on CancelTimerCommand.");
    if (strlen(timer_id) > PD_ID_SIZE_MAX)
        return pd_command_fail(
            completion, CAUSE,
            "TimerId on CancelTimerCommand exceeds length limit. TimerId=%s Length=%zu Limit=%d",
            timer_id, strlen(timer_id), PD_ID_SIZE_MAX);
    pd_pending_timer_t *timer = pd_pending_timer(draft, timer_id);
    int64_t started_event_id =
        timer ? timer->started_event_id : pd_pending_take_buffered_timer(draft, timer_id);
    if (started_event_id == 0)
        return pd_command_fail(
            completion, CAUSE,
            "invalid history builder state for action: add-timer-canceled-event, TimerID: %s",
            timer_id);

    pd_history_event_t *event = pd_completion_event(completion, command, PD_EVENT(TIMER_CANCELED));
    Temporal__Api__History__V1__TimerCanceledEventAttributes *out =
        event->timer_canceled_event_attributes;
    out->timer_id = timer_id;
    out->started_event_id = started_event_id;
    out->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    out->identity = completion->request->identity;
    if (timer)
        pd_pending_remove_timer(draft, timer);
    return NULL;
}
