/* RequestCancelActivityTask. A worker that runs the activity learns of it from its next heartbeat;
 * if none does, the activity is canceled on the spot. */
#include "engine/decide/close.h"
#include "engine/decide/commands/commands.h"
#include "engine/decide/pending.h"

#define ATTRIBUTES_CASE(NAME)                                                                      \
    TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_##NAME##_COMMAND_ATTRIBUTES
#define CAUSE PD_WFT_CAUSE(BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES)

struct pd_canceled_activity {
    pd_canceled_activity_t *next;
    int64_t scheduled_event_id;
    int64_t cancel_requested_event_id;
};

/* Its ActivityTaskCanceled comes after everything that the commands write, like any result. */
static void cancel_unstarted(pd_completion_t *completion, pd_pending_activity_t *activity)
{
    pd_canceled_activity_t *canceled =
        PD_ARENA_NEW(completion->decision->arena, pd_canceled_activity_t);
    canceled->scheduled_event_id = activity->scheduled_event_id;
    canceled->cancel_requested_event_id = activity->cancel_requested_event_id;
    if (completion->canceled_last)
        completion->canceled_last->next = canceled;
    else
        completion->canceled = canceled;
    completion->canceled_last = canceled;
    pd_pending_remove_activity(completion->draft, activity);
}

const pd_command_failure_t *pd_handle_request_cancel_activity(pd_completion_t *completion,
                                                              const pd_worker_command_t *command)
{
    pd_draft_t *draft = completion->draft;
    const Temporal__Api__Command__V1__RequestCancelActivityTaskCommandAttributes *attributes =
        command->request_cancel_activity_task_command_attributes;
    if (command->attributes_case != ATTRIBUTES_CASE(REQUEST_CANCEL_ACTIVITY_TASK) || !attributes)
        return pd_command_fail(completion, CAUSE,
                               "RequestCancelActivityTaskCommandAttributes is not set on "
                               "RequestCancelActivityTaskCommand.");
    if (attributes->scheduled_event_id <= 0)
        return pd_command_fail(completion, CAUSE,
                               "ScheduledEventId is not set on RequestCancelActivityTaskCommand.");
    pd_pending_activity_t *activity = pd_pending_activity(draft, attributes->scheduled_event_id);
    if (activity ? activity->cancel_requested
                 : !pd_pending_activity_is_closing(draft, attributes->scheduled_event_id))
        return pd_command_fail(completion, CAUSE,
                               "invalid history builder state for action: "
                               "add-activitytask-cancel-requested-event, ScheduledEventID: %lld",
                               (long long)attributes->scheduled_event_id);

    pd_history_event_t *event =
        pd_completion_event(completion, command, PD_EVENT(ACTIVITY_TASK_CANCEL_REQUESTED));
    event->activity_task_cancel_requested_event_attributes->scheduled_event_id =
        attributes->scheduled_event_id;
    event->activity_task_cancel_requested_event_attributes->workflow_task_completed_event_id =
        completion->workflow_task_completed_event_id;
    if (!activity)
        return NULL; /* its end is about to be told anyway */
    activity->cancel_requested = true;
    activity->cancel_requested_event_id = event->event_id;
    if (!activity->started)
        cancel_unstarted(completion, activity);
    return NULL;
}

size_t pd_completion_write_canceled(pd_completion_t *completion)
{
    pd_arena_t *arena = completion->decision->arena;
    size_t count = 0;
    for (pd_canceled_activity_t *canceled = completion->canceled; canceled;
         canceled = canceled->next, count++) {
        pd_history_event_t *event =
            pd_draft_event(completion->draft, PD_EVENT(ACTIVITY_TASK_CANCELED));
        Temporal__Api__History__V1__ActivityTaskCanceledEventAttributes *attributes =
            event->activity_task_canceled_event_attributes;
        attributes->scheduled_event_id = canceled->scheduled_event_id;
        attributes->latest_cancel_requested_event_id = canceled->cancel_requested_event_id;
        attributes->details = pd_json_string_payloads(arena, "ACTIVITY_ID_NOT_STARTED");
        attributes->identity = completion->request->identity;
    }
    return count;
}
