#include "engine/decide/pending.h"

#include "base/assert.h"
#include "engine/decide/slots.h"

typedef struct pd_pending {
    pd_slots_t activities_by_event;
    pd_slots_t activities_by_id;
    size_t activity_count;
    pd_slots_t timers_by_event;
    pd_slots_t timers_by_id;
    bool timer_rows_loaded;
    /* Started event IDs of timers whose buffered TimerFired was taken back. */
    int64_t *omitted;
    size_t omitted_count;
    size_t omitted_capacity;
} pd_pending_t;

static pd_pending_t *pending_of(pd_draft_t *draft)
{
    if (draft->pending)
        return draft->pending;
    pd_pending_t *pending = PD_ARENA_NEW(draft->decision->arena, pd_pending_t);
    if (draft->exec) {
        const Perdure__V1__ExecutionRow *row = draft->exec->row;
        for (size_t i = 0; i < row->n_activities; i++)
            pending->activity_count += !row->activities[i]->close_buffered;
    }
    draft->pending = pending;
    return pending;
}

/* ---- the four tables: how entries are hashed and compared ---- */

static uint64_t activity_event_hash(const void *item)
{
    return pd_slots_hash_number(((const pd_pending_activity_t *)item)->scheduled_event_id);
}

static uint64_t activity_id_hash(const void *item)
{
    return pd_slots_hash_text(((const pd_pending_activity_t *)item)->activity_id);
}

static uint64_t timer_event_hash(const void *item)
{
    return pd_slots_hash_number(((const pd_pending_timer_t *)item)->started_event_id);
}

static uint64_t timer_id_hash(const void *item)
{
    return pd_slots_hash_text(((const pd_pending_timer_t *)item)->timer_id);
}

static bool activity_same_event(const void *a, const void *b)
{
    return ((const pd_pending_activity_t *)a)->scheduled_event_id ==
           ((const pd_pending_activity_t *)b)->scheduled_event_id;
}

static bool activity_same_id(const void *a, const void *b)
{
    return strcmp(((const pd_pending_activity_t *)a)->activity_id,
                  ((const pd_pending_activity_t *)b)->activity_id) == 0;
}

static bool timer_same_event(const void *a, const void *b)
{
    return ((const pd_pending_timer_t *)a)->started_event_id ==
           ((const pd_pending_timer_t *)b)->started_event_id;
}

static bool timer_same_id(const void *a, const void *b)
{
    return strcmp(((const pd_pending_timer_t *)a)->timer_id,
                  ((const pd_pending_timer_t *)b)->timer_id) == 0;
}

/* ---- activities ---- */

static void put_activity(pd_pending_t *pending, pd_arena_t *arena, pd_pending_activity_t *activity)
{
    pd_slots_put(&pending->activities_by_event, arena, activity, activity_event_hash,
                 activity_same_event);
    pd_slots_put(&pending->activities_by_id, arena, activity, activity_id_hash, activity_same_id);
}

static pd_pending_activity_t *load_activity(pd_draft_t *draft, pd_pending_t *pending,
                                            const Perdure__V1__ActivityRow *row)
{
    if (!row || row->close_buffered)
        return NULL;
    pd_arena_t *arena = draft->decision->arena;
    pd_pending_activity_t *activity = PD_ARENA_NEW(arena, pd_pending_activity_t);
    activity->scheduled_event_id = row->scheduled_event_id;
    activity->activity_id = row->activity_id;
    activity->row = row;
    activity->attempt = row->attempt;
    activity->started = row->started_time_ns != 0;
    activity->cancel_requested = row->cancel_requested;
    activity->cancel_requested_event_id = row->cancel_requested_event_id;
    put_activity(pending, arena, activity);
    return activity;
}

pd_pending_activity_t *pd_pending_activity(pd_draft_t *draft, int64_t scheduled_event_id)
{
    pd_pending_t *pending = pending_of(draft);
    pd_pending_activity_t probe = {.scheduled_event_id = scheduled_event_id};
    pd_pending_activity_t *activity = pd_slots_find(&pending->activities_by_event, &probe,
                                                    activity_event_hash, activity_same_event);
    if (activity)
        return activity->removed ? NULL : activity;
    if (!draft->exec)
        return NULL;
    return load_activity(draft, pending, pd_execution_activity(draft->exec, scheduled_event_id));
}

pd_pending_activity_t *pd_pending_activity_by_id(pd_draft_t *draft, const char *activity_id)
{
    pd_pending_t *pending = pending_of(draft);
    pd_pending_activity_t probe = {.activity_id = activity_id};
    pd_pending_activity_t *activity =
        pd_slots_find(&pending->activities_by_id, &probe, activity_id_hash, activity_same_id);
    if (activity)
        return activity->removed ? NULL : activity;
    if (!draft->exec)
        return NULL;
    return load_activity(draft, pending, pd_execution_activity_by_id(draft->exec, activity_id));
}

pd_pending_activity_t *pd_pending_add_activity(pd_draft_t *draft,
                                               const pd_history_event_t *scheduled)
{
    PD_ASSERT(scheduled->event_id > 0);
    pd_pending_t *pending = pending_of(draft);
    pd_arena_t *arena = draft->decision->arena;
    pd_pending_activity_t *activity = PD_ARENA_NEW(arena, pd_pending_activity_t);
    activity->scheduled_event_id = scheduled->event_id;
    activity->activity_id = scheduled->activity_task_scheduled_event_attributes->activity_id;
    activity->scheduled_event = scheduled;
    activity->attempt = 1;
    put_activity(pending, arena, activity);
    pending->activity_count++;
    return activity;
}

void pd_pending_remove_activity(pd_draft_t *draft, pd_pending_activity_t *activity)
{
    pd_pending_t *pending = pending_of(draft);
    PD_ASSERT(!activity->removed && pending->activity_count > 0);
    activity->removed = true;
    pending->activity_count--;
}

size_t pd_pending_activity_count(pd_draft_t *draft)
{
    return pending_of(draft)->activity_count;
}

bool pd_pending_activity_is_closing(pd_draft_t *draft, int64_t scheduled_event_id)
{
    pd_pending_t *pending = pending_of(draft);
    pd_pending_activity_t probe = {.scheduled_event_id = scheduled_event_id};
    const pd_pending_activity_t *activity = pd_slots_find(&pending->activities_by_event, &probe,
                                                          activity_event_hash, activity_same_event);
    if (activity)
        return activity->removed;
    if (!draft->exec || draft->buffer_flushed)
        return false;
    const Perdure__V1__ActivityRow *row = pd_execution_activity(draft->exec, scheduled_event_id);
    return row && row->close_buffered;
}

/* ---- timers ---- */

static void put_timer(pd_pending_t *pending, pd_arena_t *arena, pd_pending_timer_t *timer)
{
    pd_slots_put(&pending->timers_by_event, arena, timer, timer_event_hash, timer_same_event);
    pd_slots_put(&pending->timers_by_id, arena, timer, timer_id_hash, timer_same_id);
}

static pd_pending_timer_t *load_timer(pd_draft_t *draft, pd_pending_t *pending,
                                      const Perdure__V1__TimerRow *row)
{
    if (!row || row->fire_buffered)
        return NULL;
    pd_arena_t *arena = draft->decision->arena;
    pd_pending_timer_t *timer = PD_ARENA_NEW(arena, pd_pending_timer_t);
    timer->timer_id = row->timer_id;
    timer->started_event_id = row->started_event_id;
    timer->fire_time_ns = row->fire_time_ns;
    put_timer(pending, arena, timer);
    return timer;
}

pd_pending_timer_t *pd_pending_timer(pd_draft_t *draft, const char *timer_id)
{
    pd_pending_t *pending = pending_of(draft);
    pd_pending_timer_t probe = {.timer_id = timer_id};
    pd_pending_timer_t *timer =
        pd_slots_find(&pending->timers_by_id, &probe, timer_id_hash, timer_same_id);
    if (timer)
        return timer->removed ? NULL : timer;
    if (!draft->exec || pending->timer_rows_loaded)
        return NULL;
    return load_timer(draft, pending, pd_execution_timer(draft->exec, timer_id));
}

/* The rows have no index by event: the first question loads them all, since whoever asks has just
 * walked through all deadlines anyway and may ask for thousands. */
static void load_all_timers(pd_draft_t *draft, pd_pending_t *pending)
{
    pending->timer_rows_loaded = true;
    if (!draft->exec)
        return;
    const Perdure__V1__ExecutionRow *row = draft->exec->row;
    for (size_t i = 0; i < row->n_timers; i++) {
        pd_pending_timer_t probe = {.started_event_id = row->timers[i]->started_event_id};
        if (!pd_slots_find(&pending->timers_by_event, &probe, timer_event_hash, timer_same_event))
            load_timer(draft, pending, row->timers[i]);
    }
}

pd_pending_timer_t *pd_pending_timer_started(pd_draft_t *draft, int64_t started_event_id)
{
    pd_pending_t *pending = pending_of(draft);
    if (!pending->timer_rows_loaded)
        load_all_timers(draft, pending);
    pd_pending_timer_t probe = {.started_event_id = started_event_id};
    pd_pending_timer_t *timer =
        pd_slots_find(&pending->timers_by_event, &probe, timer_event_hash, timer_same_event);
    return timer && !timer->removed ? timer : NULL;
}

pd_pending_timer_t *pd_pending_add_timer(pd_draft_t *draft, const char *timer_id,
                                         int64_t started_event_id, int64_t fire_time_ns)
{
    PD_ASSERT(started_event_id > 0);
    pd_pending_t *pending = pending_of(draft);
    pd_arena_t *arena = draft->decision->arena;
    pd_pending_timer_t *timer = PD_ARENA_NEW(arena, pd_pending_timer_t);
    timer->timer_id = timer_id;
    timer->started_event_id = started_event_id;
    timer->fire_time_ns = fire_time_ns;
    put_timer(pending, arena, timer);
    return timer;
}

void pd_pending_remove_timer(pd_draft_t *draft, pd_pending_timer_t *timer)
{
    PD_ASSERT(draft->pending && !timer->removed);
    timer->removed = true;
}

/* ---- TimerFired taken back out of the buffer ---- */

static bool omitted(const pd_pending_t *pending, int64_t started_event_id)
{
    for (size_t i = 0; i < pending->omitted_count; i++)
        if (pending->omitted[i] == started_event_id)
            return true;
    return false;
}

static void omit(pd_pending_t *pending, pd_arena_t *arena, int64_t started_event_id)
{
    if (pending->omitted_count == pending->omitted_capacity) {
        size_t capacity = pending->omitted_capacity ? pending->omitted_capacity * 2 : 8;
        int64_t *grown = pd_arena_alloc(arena, capacity * sizeof(int64_t));
        if (pending->omitted_count > 0)
            memcpy(grown, pending->omitted, pending->omitted_count * sizeof(int64_t));
        pending->omitted = grown;
        pending->omitted_capacity = capacity;
    }
    pending->omitted[pending->omitted_count++] = started_event_id;
}

int64_t pd_pending_take_buffered_timer(pd_draft_t *draft, const char *timer_id)
{
    /* Only events buffered by earlier decisions can be meant: nobody buffers and cancels at once.
     */
    if (!draft->exec || draft->buffer_flushed || draft->buffered_count == 0)
        return 0;
    pd_pending_t *pending = pending_of(draft);
    const Perdure__V1__ExecutionRow *row = draft->exec->row;
    for (size_t i = 0; i < row->n_buffered_events; i++) {
        const pd_history_event_t *event = row->buffered_events[i];
        if (event->event_type != PD_EVENT(TIMER_FIRED) || !event->timer_fired_event_attributes)
            continue;
        int64_t started_event_id = event->timer_fired_event_attributes->started_event_id;
        if (strcmp(event->timer_fired_event_attributes->timer_id, timer_id) != 0 ||
            omitted(pending, started_event_id))
            continue;
        omit(pending, draft->decision->arena, started_event_id);
        draft->buffered_count--;
        Perdure__V1__BufferedTimerRemoved *removed =
            PD_PB_NEW(draft->decision->arena, Perdure__V1__BufferedTimerRemoved,
                      perdure__v1__buffered_timer_removed);
        removed->timer_id = event->timer_fired_event_attributes->timer_id;
        removed->started_event_id = started_event_id;
        Perdure__V1__Event *internal = pd_draft_internal(draft);
        internal->kind_case = PERDURE__V1__EVENT__KIND_BUFFERED_TIMER_REMOVED;
        internal->buffered_timer_removed = removed;
        return started_event_id;
    }
    return 0;
}

bool pd_pending_omits(const pd_draft_t *draft, const pd_history_event_t *buffered)
{
    const pd_pending_t *pending = draft->pending;
    return pending && buffered->event_type == PD_EVENT(TIMER_FIRED) &&
           buffered->timer_fired_event_attributes &&
           omitted(pending, buffered->timer_fired_event_attributes->started_event_id);
}
