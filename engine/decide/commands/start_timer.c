/* StartTimer. A timer without a timeout, or of 0, fires at once. */
#include "api/pb/time.h"
#include "engine/decide/commands/commands.h"
#include "engine/decide/pending.h"
#include "engine/decide/retry_policy.h"
#include "engine/limits.h"

#define CAUSE PD_WFT_CAUSE(BAD_START_TIMER_ATTRIBUTES)

const pd_command_failure_t *pd_handle_start_timer(pd_completion_t *completion,
                                                  const pd_worker_command_t *command)
{
    pd_draft_t *draft = completion->draft;
    const Temporal__Api__Command__V1__StartTimerCommandAttributes *attributes =
        command->start_timer_command_attributes;
    if (command->attributes_case !=
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_START_TIMER_COMMAND_ATTRIBUTES ||
        !attributes)
        return pd_command_fail(completion, CAUSE,
                               "StartTimerCommandAttributes is not set on StartTimerCommand.");
    char *timer_id = attributes->timer_id;
    if (pd_pb_empty(timer_id))
        return pd_command_fail(completion, CAUSE, "TimerId is not set on StartTimerCommand.");
    if (strlen(timer_id) > PD_ID_SIZE_MAX)
        return pd_command_fail(
            completion, CAUSE,
            "TimerId on StartTimerCommand exceeds length limit. TimerId=%s Length=%zu Limit=%d",
            timer_id, strlen(timer_id), PD_ID_SIZE_MAX);
    Google__Protobuf__Duration *timeout;
    const char *reason =
        pd_duration_check(attributes->start_to_fire_timeout, completion->decision->arena, &timeout);
    if (reason)
        return pd_command_fail(
            completion, CAUSE,
            "An invalid StartToFireTimeout is set on StartTimerCommand: %s. TimerId=%s", reason,
            timer_id);
    if (pd_pending_timer(draft, timer_id))
        return pd_command_fail(
            completion, PD_WFT_CAUSE(START_TIMER_DUPLICATE_ID),
            "invalid history builder state for action: add-timer-started-event, TimerID: %s",
            timer_id);

    pd_history_event_t *event = pd_completion_event(completion, command, PD_EVENT(TIMER_STARTED));
    Temporal__Api__History__V1__TimerStartedEventAttributes *out =
        event->timer_started_event_attributes;
    out->timer_id = timer_id;
    out->start_to_fire_timeout = timeout;
    out->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    pd_pending_add_timer(draft, timer_id, event->event_id,
                         pd_ns_add(completion->decision->now_ns, pd_pb_duration_ns(timeout)));
    return NULL;
}
