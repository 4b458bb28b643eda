/* workflow_task.c -- the workflow task: at most one at a time.
 *
 *     none ── Scheduled ──▶ scheduled ── Started ──▶ started ── Completed, Failed, TimedOut ──▶
 * none └───────── TimedOut (sticky, not taken) ──────────────────────▶ none
 *
 * From the second attempt on, a task is transient: the same diagram with Transient… events, which
 * are not in the history. A real task may take the place of a transient one, not of a real one. */
#include "state/apply/apply.h"

#include "base/memory.h"

typedef Perdure__V1__WorkflowTaskRow task_row_t;

#define KIND(NAME) TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_##NAME

static task_row_t *schedule(pdi_apply_t *apply, int64_t scheduled_event_id, int32_t attempt,
                            int64_t time_ns, const Temporal__Api__Taskqueue__V1__TaskQueue *queue)
{
    task_row_t *task = apply->row->workflow_task;

    pdi_message_free(task);
    apply->row->workflow_task = task = pd_alloc(sizeof(*task));
    perdure__v1__workflow_task_row__init(task);
    task->scheduled_event_id = scheduled_event_id;
    task->attempt = attempt;
    task->scheduled_time_ns = task->original_scheduled_time_ns = time_ns;
    if (queue) {
        pdi_string_set(&task->task_queue, queue->name);
        task->sticky = queue->kind == KIND(STICKY);
    }
    if (task->sticky && apply->row->sticky_schedule_to_start_timeout_ns > 0)
        task->schedule_to_start_deadline_ns =
            pd_ns_add(time_ns, apply->row->sticky_schedule_to_start_timeout_ns);
    apply->row->first_task_not_before_ns = 0;
    apply->row->awaits_parent = false;
    pdi_apply_ready(apply, false, scheduled_event_id, attempt, time_ns);
    return task;
}

static void drop(pdi_apply_t *apply)
{
    pdi_message_free(apply->row->workflow_task);
    apply->row->workflow_task = NULL;
}

static void set_failure(pdi_apply_t *apply, Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause,
                        const Temporal__Api__Failure__V1__Failure *failure)
{
    pdi_message_free(apply->row->last_workflow_task_failure);
    apply->row->last_workflow_task_failure = pdi_message_copy(failure);
    apply->row->last_workflow_task_failed_cause = cause;
}

/* The pending task, which must be that one; NULL else. */
static task_row_t *pending(pdi_apply_t *apply, int64_t scheduled_event_id, bool transient)
{
    task_row_t *task = apply->row->workflow_task;

    if (!task || task->scheduled_event_id != scheduled_event_id || task->transient != transient)
        return NULL;
    return task;
}

static pd_status_t not_pending(pdi_apply_t *apply, int64_t scheduled_event_id)
{
    return pdi_apply_corrupt(apply, "workflow task %lld is not pending",
                             (long long)scheduled_event_id);
}

PDI_HISTORY_APPLIER(task_scheduled)
{
    const Temporal__Api__History__V1__WorkflowTaskScheduledEventAttributes *attributes =
        event->workflow_task_scheduled_event_attributes;
    task_row_t *task = apply->row->workflow_task;

    if (task && !task->transient)
        return pdi_apply_corrupt(apply, "workflow task %lld is scheduled while %lld is pending",
                                 (long long)event->event_id, (long long)task->scheduled_event_id);
    task = schedule(apply, event->event_id, attributes->attempt,
                    pd_pb_timestamp_ns(event->event_time), attributes->task_queue);
    task->start_to_close_timeout_ns = pd_pb_duration_ns(attributes->start_to_close_timeout);
    if (apply->original_scheduled_time_ns)
        task->original_scheduled_time_ns = apply->original_scheduled_time_ns;
    return PD_OK;
}

PDI_HISTORY_APPLIER(task_started)
{
    const Temporal__Api__History__V1__WorkflowTaskStartedEventAttributes *attributes =
        event->workflow_task_started_event_attributes;
    task_row_t *task = pending(apply, attributes->scheduled_event_id, false);

    if (!task || task->started_event_id)
        return not_pending(apply, attributes->scheduled_event_id);
    task->started_event_id = event->event_id;
    task->started_time_ns = pd_pb_timestamp_ns(event->event_time);
    pdi_string_set(&task->request_id, attributes->request_id);
    pdi_string_set(&task->identity, attributes->identity);
    task->suggest_continue_as_new = attributes->suggest_continue_as_new;
    task->history_size_bytes = attributes->history_size_bytes;
    return PD_OK;
}

PDI_HISTORY_APPLIER(task_completed)
{
    const Temporal__Api__History__V1__WorkflowTaskCompletedEventAttributes *attributes =
        event->workflow_task_completed_event_attributes;
    task_row_t *task = pending(apply, attributes->scheduled_event_id, false);

    if (!task || task->started_event_id != attributes->started_event_id)
        return not_pending(apply, attributes->scheduled_event_id);
    drop(apply);
    apply->row->last_workflow_task_started_event_id = attributes->started_event_id;
    apply->row->last_workflow_task_completed_event_id = event->event_id;
    apply->row->any_workflow_task_completed = true;
    apply->row->close_attempted = false;
    set_failure(apply, 0, NULL);
    pdi_apply_build(apply, event);
    pdi_string_set(&apply->row->last_worker_identity, attributes->identity);
    return PD_OK;
}

PDI_HISTORY_APPLIER(task_failed)
{
    const Temporal__Api__History__V1__WorkflowTaskFailedEventAttributes *attributes =
        event->workflow_task_failed_event_attributes;

    if (!pending(apply, attributes->scheduled_event_id, false))
        return not_pending(apply, attributes->scheduled_event_id);
    drop(apply);
    set_failure(apply, attributes->cause, attributes->failure);
    return PD_OK;
}

PDI_HISTORY_APPLIER(task_timed_out)
{
    int64_t scheduled_event_id =
        event->workflow_task_timed_out_event_attributes->scheduled_event_id;

    if (!pending(apply, scheduled_event_id, false))
        return not_pending(apply, scheduled_event_id);
    drop(apply);
    set_failure(apply, 0, NULL); /* a timeout has neither */
    return PD_OK;
}

PDI_EVENT_APPLIER(transient_task_scheduled)
{
    const Perdure__V1__TransientTaskScheduled *scheduled = event->transient_task_scheduled;
    task_row_t *task = apply->row->workflow_task;

    if (task || !pd_execution_is_running(&apply->run->exec))
        return pdi_apply_corrupt(apply, "transient workflow task %lld may not be scheduled",
                                 (long long)scheduled->scheduled_event_id);
    task = schedule(apply, scheduled->scheduled_event_id, scheduled->attempt, scheduled->time_ns,
                    scheduled->task_queue);
    task->transient = true;
    task->start_to_close_timeout_ns = scheduled->start_to_close_timeout_ns;
    return PD_OK;
}

PDI_EVENT_APPLIER(transient_task_started)
{
    const Perdure__V1__TransientTaskStarted *started = event->transient_task_started;
    task_row_t *task = pending(apply, started->scheduled_event_id, true);

    if (!task || task->started_event_id || !started->started_event_id)
        return not_pending(apply, started->scheduled_event_id);
    task->started_event_id = started->started_event_id;
    task->started_time_ns = started->time_ns;
    pdi_string_set(&task->request_id, started->request_id);
    pdi_string_set(&task->identity, started->identity);
    task->history_size_bytes = apply->row->history_size_bytes;
    return PD_OK;
}

PDI_EVENT_APPLIER(transient_task_ended)
{
    const Perdure__V1__TransientTaskEnded *ended = event->transient_task_ended;

    if (!pending(apply, ended->scheduled_event_id, true))
        return not_pending(apply, ended->scheduled_event_id);
    drop(apply);
    if (ended->cause || ended->failure)
        set_failure(apply, ended->cause, ended->failure);
    return PD_OK;
}

PDI_EVENT_APPLIER(sticky_queue_changed)
{
    const Perdure__V1__StickyQueueChanged *changed = event->sticky_queue_changed;

    pdi_string_set(&apply->row->sticky_task_queue, changed->worker_task_queue);
    apply->row->sticky_schedule_to_start_timeout_ns =
        apply->row->sticky_task_queue[0] ? changed->schedule_to_start_timeout_ns : 0;
    return PD_OK;
}

PDI_EVENT_APPLIER(close_attempted)
{
    apply->row->close_attempted = true;
    return PD_OK;
}

PDI_EVENT_APPLIER(task_heartbeated)
{
    apply->original_scheduled_time_ns =
        event->workflow_task_heartbeated->original_scheduled_time_ns;
    return PD_OK;
}

PDI_EVENT_APPLIER(first_task_backoff_ended)
{
    apply->row->first_task_not_before_ns = 0;
    return PD_OK;
}

PDI_EVENT_APPLIER(first_task_released)
{
    apply->row->awaits_parent = false;
    return PD_OK;
}
