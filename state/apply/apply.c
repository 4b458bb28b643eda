/* apply.c -- records into rows: dispatch by kind of record and event. */
#include "state/apply/apply.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    EVENT_KIND_COUNT = 19,
    EXACT_HINT_MAX = 16,  /* so many pending entries are looked through after each transition */
    DIRTY_RUN_SIZE = 512, /* what a dirty run adds to a batch beside its events, roughly */
};

pd_status_t pdi_apply_corrupt(pdi_apply_t *apply, const char *format, ...)
{
    char what[PD_ERROR_TEXT_SIZE / 2];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return pd_error_set(apply->error, PD_CORRUPT, "partition %u, workflow %.80s, run %.40s: %s",
                        apply->store->partition, apply->transition->workflow_id, apply->run_id,
                        what);
}

/* ---- what the last apply changed ---- */

void pdi_apply_touch(pdi_apply_t *apply)
{
    pd_store_t *store = apply->store;
    pdi_run_t *run = apply->run;

    if (run->touched_seq == store->apply_seq)
        return;
    run->touched_seq = store->apply_seq;
    if (store->touched_count == store->touched_capacity) {
        store->touched_capacity = store->touched_capacity ? store->touched_capacity * 2 : 8;
        store->touched =
            pd_realloc(store->touched, store->touched_capacity * sizeof(store->touched[0]));
    }
    store->touched[store->touched_count++] = &run->exec;
    run->exec.row->state_transition_count++;
    if (run->list != PDI_LIST_DIRTY) {
        pdi_run_list_set(store, run, PDI_LIST_DIRTY);
        store->dirty_size += DIRTY_RUN_SIZE + run->packed_size;
    }
}

void pdi_apply_ready(pdi_apply_t *apply, bool is_activity, int64_t scheduled_event_id,
                     int32_t attempt, int64_t not_before_ns)
{
    pd_store_t *store = apply->store;

    if (store->ready_count == store->ready_capacity) {
        store->ready_capacity = store->ready_capacity ? store->ready_capacity * 2 : 8;
        store->ready = pd_realloc(store->ready, store->ready_capacity * sizeof(store->ready[0]));
    }
    store->ready[store->ready_count++] = (pd_ready_task_t){
        &apply->run->exec, is_activity, scheduled_event_id, attempt, not_before_ns};
}

void pdi_apply_hint(pdi_apply_t *apply, int64_t at_ns)
{
    if (at_ns < apply->run->exec.deadline_hint_ns)
        apply->run->exec.deadline_hint_ns = at_ns;
}

/* Was it taken, replaced or dropped in the same record? */
static bool still_ready(const pd_ready_task_t *ready)
{
    const pdi_row_t *row = ready->exec->row;
    const pdi_activity_t *activity;

    if (ready->exec->removed || !pd_execution_is_running(ready->exec))
        return false;
    if (!ready->is_activity)
        return row->workflow_task && row->workflow_task->started_event_id == 0 &&
               row->workflow_task->scheduled_event_id == ready->scheduled_event_id &&
               row->workflow_task->attempt == ready->attempt;
    activity = pd_execution_activity(ready->exec, ready->scheduled_event_id);
    return activity && activity->started_time_ns == 0 && !activity->close_buffered &&
           activity->attempt == ready->attempt;
}

static void finish(pd_store_t *store)
{
    size_t kept = 0;

    for (size_t i = 0; i < store->ready_count; i++) {
        if (still_ready(&store->ready[i]))
            store->ready[kept++] = store->ready[i];
    }
    store->ready_count = kept;
    for (size_t i = 0; i < store->touched_count; i++) {
        pd_execution_t *exec = store->touched[i];

        if (exec->row->n_activities + exec->row->n_timers <= EXACT_HINT_MAX ||
            !pd_execution_is_running(exec)) {
            exec->deadline_hint_ns = pd_execution_next_deadline_ns(exec, INT64_MIN);
        } else {
            int64_t at_ns = pdi_run_deadline_ns(pdi_run(exec));

            if (at_ns < exec->deadline_hint_ns)
                exec->deadline_hint_ns = at_ns;
        }
    }
}

/* ---- transitions ---- */

static const pdi_event_applier_t event_appliers[EVENT_KIND_COUNT] = {
    [PERDURE__V1__EVENT__KIND_HISTORY] = pdi_apply_history,
    [PERDURE__V1__EVENT__KIND_RUN_CREATED] = pdi_apply_run_created,
    [PERDURE__V1__EVENT__KIND_EVENT_BUFFERED] = pdi_apply_event_buffered,
    [PERDURE__V1__EVENT__KIND_BUFFERED_EVENTS_FLUSHED] = pdi_apply_buffered_events_flushed,
    [PERDURE__V1__EVENT__KIND_TRANSIENT_TASK_SCHEDULED] = pdi_apply_transient_task_scheduled,
    [PERDURE__V1__EVENT__KIND_TRANSIENT_TASK_STARTED] = pdi_apply_transient_task_started,
    [PERDURE__V1__EVENT__KIND_TRANSIENT_TASK_ENDED] = pdi_apply_transient_task_ended,
    [PERDURE__V1__EVENT__KIND_STICKY_QUEUE_CHANGED] = pdi_apply_sticky_queue_changed,
    [PERDURE__V1__EVENT__KIND_ACTIVITY_ATTEMPT_STARTED] = pdi_apply_activity_attempt_started,
    [PERDURE__V1__EVENT__KIND_ACTIVITY_RETRY_SCHEDULED] = pdi_apply_activity_retry_scheduled,
    [PERDURE__V1__EVENT__KIND_ACTIVITY_HEARTBEAT_RECORDED] = pdi_apply_activity_heartbeat_recorded,
    [PERDURE__V1__EVENT__KIND_CLOSE_ATTEMPTED] = pdi_apply_close_attempted,
    [PERDURE__V1__EVENT__KIND_WORKFLOW_TASK_HEARTBEATED] = pdi_apply_task_heartbeated,
    [PERDURE__V1__EVENT__KIND_RUN_REMOVED] = pdi_apply_run_removed,
    [PERDURE__V1__EVENT__KIND_FIRST_TASK_BACKOFF_ENDED] = pdi_apply_first_task_backoff_ended,
    [PERDURE__V1__EVENT__KIND_REQUEST_ATTACHED] = pdi_apply_request_attached,
    [PERDURE__V1__EVENT__KIND_BUFFERED_TIMER_REMOVED] = pdi_apply_buffered_timer_removed,
    [PERDURE__V1__EVENT__KIND_FIRST_TASK_RELEASED] = pdi_apply_first_task_released,
};

static pd_status_t apply_event(pdi_apply_t *apply, const Perdure__V1__Event *event)
{
    unsigned kind = (unsigned)event->kind_case;

    /* All members of the oneof are messages: one pointer. */
    if (kind >= EVENT_KIND_COUNT || !event_appliers[kind] || !event->history)
        return pdi_apply_corrupt(apply, "event of unknown kind %u", kind);
    if (kind == PERDURE__V1__EVENT__KIND_RUN_CREATED)
        return event_appliers[kind](apply, event);
    if (!apply->run || apply->run->exec.removed)
        return pdi_apply_corrupt(apply, "event of a run that does not exist");
    pdi_apply_touch(apply);
    return event_appliers[kind](apply, event);
}

static pd_status_t apply_run(pdi_apply_t *apply, const Perdure__V1__RunEvents *events)
{
    apply->run_id = events->run_id;
    apply->original_scheduled_time_ns = 0;
    apply->signals_in_effect = 0;
    apply->run = NULL;
    apply->row = NULL;
    /* A run that begins here is not looked for in RocksDB: run IDs are never used again. */
    if (events->n_events && events->events[0]->kind_case != PERDURE__V1__EVENT__KIND_RUN_CREATED) {
        PD_TRY(
            pdi_run_load(apply->store, apply->workflow, events->run_id, &apply->run, apply->error));
        apply->row = apply->run ? apply->run->exec.row : NULL;
    }
    for (size_t i = 0; i < events->n_events; i++)
        PD_TRY(apply_event(apply, events->events[i]));
    return PD_OK;
}

static pd_status_t apply_transition(pd_store_t *store, const Perdure__V1__Record *record,
                                    pd_error_t *error)
{
    pdi_apply_t apply = {.store = store,
                         .transition = record->transition,
                         .time_ns = record->time_ns,
                         .error = error,
                         .run_id = ""};
    pd_status_t status = PD_OK;

    apply.workflow =
        pdi_workflow_get(store, record->transition->namespace_id, record->transition->workflow_id);
    for (size_t i = 0; i < record->transition->n_runs && status == PD_OK; i++)
        status = apply_run(&apply, record->transition->runs[i]);
    pdi_workflow_release(store, apply.workflow);
    return status;
}

pd_status_t pd_store_apply(pd_store_t *store, const Perdure__V1__Record *record, pd_error_t *error)
{
    pd_status_t status = PD_OK;

    store->apply_seq++;
    store->touched_count = store->ready_count = 0;
    switch (record->body_case) {
    case PERDURE__V1__RECORD__BODY_TRANSITION:
        status = apply_transition(store, record, error);
        if (status == PD_OK)
            status = pdi_apply_messages(store, record->time_ns, record->transition, error);
        break;
    case PERDURE__V1__RECORD__BODY_PROGRESS:
        status = pdi_apply_progress(store, record->progress, error);
        break;
    case PERDURE__V1__RECORD__BODY_NAMESPACE_REGISTERED:
        status = pdi_apply_namespace(store, record->time_ns, record->namespace_registered, error);
        break;
    case PERDURE__V1__RECORD__BODY_OWNER_CHANGED:
    case PERDURE__V1__RECORD__BODY_BARRIER:
        break; /* of interest for the log's position only */
    case PERDURE__V1__RECORD__BODY__NOT_SET:
    case _PERDURE__V1__RECORD__BODY__CASE_IS_INT_SIZE:
        status = pd_error_set(error, PD_CORRUPT, "partition %u: a record without a body",
                              store->partition);
        break;
    }
    finish(store);
    return status;
}

size_t pd_store_touched(const pd_store_t *store, pd_execution_t *const **execs)
{
    *execs = store->touched;
    return store->touched_count;
}

size_t pd_store_ready(const pd_store_t *store, const pd_ready_task_t **tasks)
{
    *tasks = store->ready;
    return store->ready_count;
}
