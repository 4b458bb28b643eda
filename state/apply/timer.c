/* timer.c -- the workflow's own timers. */
#include "state/apply/apply.h"

#include "base/memory.h"

PDI_HISTORY_APPLIER(timer_started)
{
    const Temporal__Api__History__V1__TimerStartedEventAttributes *attributes =
        event->timer_started_event_attributes;
    pdi_timer_t *timer = pd_alloc(sizeof(*timer));

    perdure__v1__timer_row__init(timer);
    pdi_string_set(&timer->timer_id, attributes->timer_id);
    timer->started_event_id = event->event_id;
    timer->fire_time_ns = pd_ns_add(pd_pb_timestamp_ns(event->event_time),
                                    pd_pb_duration_ns(attributes->start_to_fire_timeout));
    pdi_timer_add(apply->run, timer);
    pdi_apply_hint(apply, timer->fire_time_ns);
    return PD_OK;
}

static pd_status_t end(pdi_apply_t *apply, int64_t started_event_id)
{
    size_t index;

    if (!pdi_timer(apply->run, started_event_id, &index))
        return pdi_apply_corrupt(apply, "timer %lld is not pending", (long long)started_event_id);
    pdi_timer_remove(apply->run, index);
    return PD_OK;
}

PDI_HISTORY_APPLIER(timer_fired)
{
    return end(apply, event->timer_fired_event_attributes->started_event_id);
}

PDI_HISTORY_APPLIER(timer_canceled)
{
    return end(apply, event->timer_canceled_event_attributes->started_event_id);
}
