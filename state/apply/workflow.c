/* workflow.c -- the run's beginning and its end. */
#include "state/apply/apply.h"

#include "base/memory.h"

/* The run's own ID, which is most often the first and the original one, is kept once. */
static void set_run_id(pdi_run_t *run, char **field, const char *run_id)
{
    if (run_id && strcmp(run_id, run->run_id) == 0)
        *field = run->run_id;
    else
        pdi_string_set(field, run_id);
}

static void
set_parent(pdi_row_t *row,
           const Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes *attributes)
{
    if (attributes->parent_workflow_execution) {
        pdi_string_set(&row->parent_namespace_id, attributes->parent_workflow_namespace_id);
        pdi_string_set(&row->parent_namespace, attributes->parent_workflow_namespace);
        pdi_string_set(&row->parent_workflow_id,
                       attributes->parent_workflow_execution->workflow_id);
        pdi_string_set(&row->parent_run_id, attributes->parent_workflow_execution->run_id);
        row->parent_initiated_event_id = attributes->parent_initiated_event_id;
    }
    if (attributes->root_workflow_execution) {
        pdi_string_set(&row->root_workflow_id, attributes->root_workflow_execution->workflow_id);
        pdi_string_set(&row->root_run_id, attributes->root_workflow_execution->run_id);
    }
}

PDI_HISTORY_APPLIER(workflow_started)
{
    const Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes *attributes =
        event->workflow_execution_started_event_attributes;
    pdi_row_t *row = apply->row;

    row->start_time_ns = pd_pb_timestamp_ns(event->event_time);
    row->execution_time_ns =
        pd_ns_add(row->start_time_ns, pd_pb_duration_ns(attributes->first_workflow_task_backoff));
    if (attributes->workflow_type)
        pdi_string_set(&row->workflow_type, attributes->workflow_type->name);
    if (attributes->task_queue)
        pdi_string_set(&row->task_queue, attributes->task_queue->name);
    set_run_id(apply->run, &row->first_run_id, attributes->first_execution_run_id);
    set_run_id(apply->run, &row->original_run_id, attributes->original_execution_run_id);
    row->execution_timeout_ns = pd_pb_duration_ns(attributes->workflow_execution_timeout);
    row->run_timeout_ns = pd_pb_duration_ns(attributes->workflow_run_timeout);
    row->workflow_task_timeout_ns = pd_pb_duration_ns(attributes->workflow_task_timeout);
    row->attempt = attributes->attempt;
    pdi_string_set(&row->cron_schedule, attributes->cron_schedule);
    row->retry_policy = pdi_message_copy(attributes->retry_policy);
    row->memo = pdi_message_copy(attributes->memo);
    row->search_attributes = pdi_message_copy(attributes->search_attributes);
    row->priority = pdi_message_copy(attributes->priority);
    row->user_metadata = pdi_message_copy(event->user_metadata);
    row->reset_points = pdi_message_copy(attributes->prev_auto_reset_points);
    row->create_request_event_id = event->event_id;
    set_parent(row, attributes);
    apply->workflow->current_dirty |= apply->workflow->current == PDI_CURRENT_RUN &&
                                      strcmp(apply->workflow->current_run_id, row->run_id) == 0;
    return PD_OK;
}

/* Activities, children and the workflow task stay: Describe shows what was pending at the end. */
static void clear_pending(pdi_run_t *run)
{
    pdi_row_t *row = run->exec.row;

    for (size_t i = 0; i < row->n_timers; i++)
        pdi_message_free(row->timers[i]);
    for (size_t i = 0; i < row->n_buffered_events; i++)
        pdi_message_free(row->buffered_events[i]);
    pd_free(row->timers);
    pd_free(row->buffered_events);
    row->timers = NULL;
    row->buffered_events = NULL;
    row->n_timers = row->n_buffered_events = 0;
    row->buffered_size_bytes = 0;
    pdi_id_index_deinit(&run->activity_ids);
    pdi_id_index_deinit(&run->timer_ids);
}

#define STATUS(NAME)                                                                               \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##NAME

static pd_status_t close_run(pdi_apply_t *apply, const pd_history_event_t *event,
                             Temporal__Api__Enums__V1__WorkflowExecutionStatus status,
                             const char *next_run_id)
{
    pdi_row_t *row = apply->row;

    row->status = status;
    row->close_time_ns = pd_pb_timestamp_ns(event->event_time);
    row->removal_time_ns =
        row->retention_ns > 0 ? pd_ns_add(row->close_time_ns, row->retention_ns) : 0;
    pdi_string_set(&row->next_run_id, next_run_id);
    clear_pending(apply->run);
    if (!pd_pb_empty(next_run_id))
        pdi_apply_builds_expire(apply);
    row->close_attempted = false;
    if (apply->workflow->current == PDI_CURRENT_UNKNOWN)
        PD_TRY(pdi_workflow_load_current(apply->store, apply->workflow, apply->error));
    if (apply->workflow->current == PDI_CURRENT_RUN &&
        strcmp(apply->workflow->current_run_id, row->run_id) == 0)
        apply->workflow->current_dirty = true;
    return PD_OK;
}

PDI_HISTORY_APPLIER(workflow_completed)
{
    return close_run(apply, event, STATUS(COMPLETED),
                     event->workflow_execution_completed_event_attributes->new_execution_run_id);
}

PDI_HISTORY_APPLIER(workflow_failed)
{
    return close_run(apply, event, STATUS(FAILED),
                     event->workflow_execution_failed_event_attributes->new_execution_run_id);
}

PDI_HISTORY_APPLIER(workflow_timed_out)
{
    return close_run(apply, event, STATUS(TIMED_OUT),
                     event->workflow_execution_timed_out_event_attributes->new_execution_run_id);
}

PDI_HISTORY_APPLIER(workflow_canceled)
{
    return close_run(apply, event, STATUS(CANCELED), NULL);
}

PDI_HISTORY_APPLIER(workflow_terminated)
{
    return close_run(apply, event, STATUS(TERMINATED), NULL);
}

PDI_HISTORY_APPLIER(workflow_continued_as_new)
{
    return close_run(
        apply, event, STATUS(CONTINUED_AS_NEW),
        event->workflow_execution_continued_as_new_event_attributes->new_execution_run_id);
}
