#include "engine/decide/canceling.h"

void pd_cancel_request(pd_draft_t *draft, const pd_cancel_t *cancel)
{
    pd_history_event_t *event;

    if (draft->cancel_requested)
        return;
    event = pd_draft_outside_event(draft, PD_EVENT(WORKFLOW_EXECUTION_CANCEL_REQUESTED));
    *event->workflow_execution_cancel_requested_event_attributes = cancel->attributes;
    event->links = cancel->links;
    event->n_links = cancel->n_links;
    draft->cancel_requested = true;
    /* Unlike a signal, this does not wait for the first task's backoff. */
    if (!draft->task.exists)
        pd_draft_schedule_task(draft, 1);
    pd_draft_wake(draft);
}
