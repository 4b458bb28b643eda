/* deadlines.c -- when something about a run is due: the one list.
 *
 *   kind                        at                                    while
 *   FIRST_TASK                  first_task_not_before                 no task, no parent awaited
 *   TIMER                       fire_time                             TimerFired is not buffered
 *   TASK_SCHEDULE_TO_START      schedule_to_start_deadline            sticky, not started
 *   TASK_START_TO_CLOSE         started + start_to_close              started
 *   ACTIVITY_OFFER              attempt_scheduled                     a retry, not started
 *   ACTIVITY_SCHEDULE_TO_START  attempt_scheduled + schedule_to_start not started
 *   ACTIVITY_SCHEDULE_TO_CLOSE  scheduled + schedule_to_close         always
 *   ACTIVITY_START_TO_CLOSE     started + start_to_close              started
 *   ACTIVITY_HEARTBEAT          last heartbeat or start + heartbeat   started
 *   RUN, EXECUTION              run_deadline, execution_deadline      running
 *   RETENTION                   removal_time                          closed
 *
 * A timeout of 0 is none. An activity whose close event waits in the buffer has no deadlines. Sums
 * saturate: what would be due after the year 2262, never is. */
#include "api/pb/time.h"
#include "state/store_private.h"

typedef struct pdi_sink {
    bool (*each)(void *ctx, const pd_deadline_t *deadline);
    void *ctx;
    bool stopped;
} pdi_sink_t;

static void emit(pdi_sink_t *sink, pd_deadline_kind_t kind, int64_t at_ns, int64_t event_id)
{
    pd_deadline_t deadline = {kind, at_ns, event_id};

    if (!sink->stopped && !sink->each(sink->ctx, &deadline))
        sink->stopped = true;
}

static void emit_after(pdi_sink_t *sink, pd_deadline_kind_t kind, int64_t from_ns,
                       int64_t timeout_ns, int64_t event_id)
{
    if (timeout_ns > 0)
        emit(sink, kind, pd_ns_add(from_ns, timeout_ns), event_id);
}

static void workflow_task(pdi_sink_t *sink, const Perdure__V1__WorkflowTaskRow *task)
{
    if (task->started_event_id)
        emit_after(sink, PD_DEADLINE_TASK_START_TO_CLOSE, task->started_time_ns,
                   task->start_to_close_timeout_ns, task->scheduled_event_id);
    else if (task->sticky && task->schedule_to_start_deadline_ns > 0)
        emit(sink, PD_DEADLINE_TASK_SCHEDULE_TO_START, task->schedule_to_start_deadline_ns,
             task->scheduled_event_id);
}

static void activity_deadlines(pdi_sink_t *sink, const pdi_activity_t *activity)
{
    int64_t id = activity->scheduled_event_id, since = activity->started_time_ns;

    if (activity->close_buffered)
        return;
    emit_after(sink, PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE, activity->scheduled_time_ns,
               activity->schedule_to_close_timeout_ns, id);
    if (activity->started_time_ns == 0) {
        if (activity->attempt > 1) /* also when whoever scheduled the first had a clock ahead */
            emit(sink, PD_DEADLINE_ACTIVITY_OFFER, activity->attempt_scheduled_time_ns, id);
        emit_after(sink, PD_DEADLINE_ACTIVITY_SCHEDULE_TO_START,
                   activity->attempt_scheduled_time_ns, activity->schedule_to_start_timeout_ns, id);
        return;
    }
    emit_after(sink, PD_DEADLINE_ACTIVITY_START_TO_CLOSE, activity->started_time_ns,
               activity->start_to_close_timeout_ns, id);
    if (activity->heartbeat_time_ns > since)
        since = activity->heartbeat_time_ns;
    emit_after(sink, PD_DEADLINE_ACTIVITY_HEARTBEAT, since, activity->heartbeat_timeout_ns, id);
}

/* What does not come from the lists of activities and timers. */
static void run_deadlines(pdi_sink_t *sink, const pd_execution_t *exec)
{
    const pdi_row_t *row = exec->row;

    if (!pd_execution_is_running(exec)) {
        if (row->removal_time_ns > 0)
            emit(sink, PD_DEADLINE_RETENTION, row->removal_time_ns, 0);
        return;
    }
    if (row->run_deadline_ns > 0)
        emit(sink, PD_DEADLINE_RUN, row->run_deadline_ns, 0);
    if (row->execution_deadline_ns > 0)
        emit(sink, PD_DEADLINE_EXECUTION, row->execution_deadline_ns, 0);
    if (row->workflow_task)
        workflow_task(sink, row->workflow_task);
    else if (row->first_task_not_before_ns > 0 && !row->any_workflow_task_completed &&
             !row->awaits_parent)
        emit(sink, PD_DEADLINE_FIRST_TASK, row->first_task_not_before_ns, 0);
}

void pd_execution_deadlines(const pd_execution_t *exec,
                            bool (*each)(void *ctx, const pd_deadline_t *deadline), void *ctx)
{
    const pdi_row_t *row = exec->row;
    pdi_sink_t sink = {each, ctx, false};

    run_deadlines(&sink, exec);
    if (!pd_execution_is_running(exec))
        return;
    for (size_t i = 0; i < row->n_timers && !sink.stopped; i++) {
        if (!row->timers[i]->fire_buffered)
            emit(&sink, PD_DEADLINE_TIMER, row->timers[i]->fire_time_ns,
                 row->timers[i]->started_event_id);
    }
    for (size_t i = 0; i < row->n_activities && !sink.stopped; i++)
        activity_deadlines(&sink, row->activities[i]);
}

/* ---- the earliest ---- */

typedef struct pdi_earliest {
    int64_t now_ns;
    int64_t at_ns;
} pdi_earliest_t;

static bool take_earliest(void *ctx, const pd_deadline_t *deadline)
{
    pdi_earliest_t *earliest = ctx;

    if (deadline->kind == PD_DEADLINE_ACTIVITY_OFFER && deadline->at_ns <= earliest->now_ns)
        return true;
    if (deadline->at_ns < earliest->at_ns)
        earliest->at_ns = deadline->at_ns;
    return true;
}

int64_t pd_execution_next_deadline_ns(const pd_execution_t *exec, int64_t now_ns)
{
    pdi_earliest_t earliest = {now_ns, INT64_MAX};

    pd_execution_deadlines(exec, take_earliest, &earliest);
    return earliest.at_ns;
}

int64_t pdi_run_deadline_ns(const pdi_run_t *run)
{
    pdi_earliest_t earliest = {INT64_MIN, INT64_MAX};
    pdi_sink_t sink = {take_earliest, &earliest, false};

    run_deadlines(&sink, &run->exec);
    return earliest.at_ns;
}

int64_t pdi_activity_deadline_ns(const pdi_activity_t *activity)
{
    pdi_earliest_t earliest = {INT64_MIN, INT64_MAX};
    pdi_sink_t sink = {take_earliest, &earliest, false};

    activity_deadlines(&sink, activity);
    return earliest.at_ns;
}
