/* User timers that are due. */
#include "engine/decide/pending.h"

bool pd_decide_fire_timer(pd_draft_t *draft, int64_t started_event_id)
{
    if (!draft->running)
        return false;
    pd_pending_timer_t *timer = pd_pending_timer_started(draft, started_event_id);
    if (!timer || timer->fire_time_ns > draft->decision->now_ns)
        return false;
    pd_history_event_t *event = pd_draft_outside_event(draft, PD_EVENT(TIMER_FIRED));
    event->timer_fired_event_attributes->timer_id = (char *)timer->timer_id;
    event->timer_fired_event_attributes->started_event_id = timer->started_event_id;
    pd_pending_remove_timer(draft, timer);
    return true;
}
