/* pending.h -- a draft's view of pending activities and timers: what the row has, with what this
 * draft added, removed or changed laid over it. Hash sets, so that one completion with 100,000
 * commands stays linear. Entries are made as they are asked for; nothing is copied up front.
 *
 * Whoever drafts an event that adds, starts, cancels or closes one of them tells this view, too.
 * An activity or timer whose close event waits in the buffer is not pending any more.
 *
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_PENDING_H
#define PD_ENGINE_DECIDE_PENDING_H

#include "engine/decide/draft.h"

typedef Temporal__Api__History__V1__ActivityTaskScheduledEventAttributes
    pd_activity_scheduled_attributes_t;

typedef struct pd_pending_activity {
    int64_t scheduled_event_id;
    const char *activity_id;
    const Perdure__V1__ActivityRow *row; /* as it was before the draft; NULL: scheduled by it */
    const pd_history_event_t *scheduled_event; /* of those that it scheduled; else NULL */
    int32_t attempt;
    bool started; /* an attempt is with a worker */
    bool cancel_requested;
    int64_t cancel_requested_event_id;
    bool removed; /* never seen by lookups */
} pd_pending_activity_t;

typedef struct pd_pending_timer {
    const char *timer_id;
    int64_t started_event_id;
    int64_t fire_time_ns;
    bool removed;
} pd_pending_timer_t;

/* NULL when not pending. The entries may be changed by the caller. @thread partition */
pd_pending_activity_t *pd_pending_activity(pd_draft_t *draft, int64_t scheduled_event_id);
pd_pending_activity_t *pd_pending_activity_by_id(pd_draft_t *draft, const char *activity_id);
/* `scheduled` is the drafted event, borrowed. The activity's ID must not be pending. */
pd_pending_activity_t *pd_pending_add_activity(pd_draft_t *draft,
                                               const pd_history_event_t *scheduled);
void pd_pending_remove_activity(pd_draft_t *draft, pd_pending_activity_t *activity);
size_t pd_pending_activity_count(pd_draft_t *draft);
/* It has ended, but its close event is not in the history yet: it waits in the buffer, or this
 * draft removed it. Asking to cancel it is no mistake then. */
bool pd_pending_activity_is_closing(pd_draft_t *draft, int64_t scheduled_event_id);

/* NULL when not pending. */
pd_pending_timer_t *pd_pending_timer(pd_draft_t *draft, const char *timer_id);
pd_pending_timer_t *pd_pending_timer_started(pd_draft_t *draft, int64_t started_event_id);
/* `timer_id` is borrowed. The ID must not be pending. */
pd_pending_timer_t *pd_pending_add_timer(pd_draft_t *draft, const char *timer_id,
                                         int64_t started_event_id, int64_t fire_time_ns);
void pd_pending_remove_timer(pd_draft_t *draft, pd_pending_timer_t *timer);

/* CancelTimer may take back a TimerFired that waits in the buffer: drafts BufferedTimerRemoved and
 * returns the timer's started event ID; 0 when there is no such event. The flush asks
 * pd_pending_omits about every buffered event. */
int64_t pd_pending_take_buffered_timer(pd_draft_t *draft, const char *timer_id);
bool pd_pending_omits(const pd_draft_t *draft, const pd_history_event_t *buffered);

/* ---- what the clock found due (see timers.c and activity_timeouts.c) ----
 *
 * Both check that it is still due at decision->now_ns. True when a history event was drafted: the
 * caller wakes the run (pd_draft_wake) once, after all that is due. An activity that is retried
 * drafts an internal event only and returns false. */
bool pd_decide_fire_activity_deadline(pd_draft_t *draft, const pd_deadline_t *deadline);
bool pd_decide_fire_timer(pd_draft_t *draft, int64_t started_event_id);

#endif
