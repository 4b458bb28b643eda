/* history.c -- history events: into the history, and to the applier of their type. */
#include "base/assert.h"
#include "state/apply/apply.h"

/* Goes into the history and changes nothing else. */
static pd_status_t nothing(pdi_apply_t *apply, const pd_history_event_t *event)
{
    return PD_OK;
}

typedef struct pdi_history_type {
    pdi_history_applier_t apply; /* NULL: no such event */
    int attributes_case;
} pdi_history_type_t;

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME
#define ROW(NAME, ATTRIBUTES, applier)                                                             \
    [TYPE(NAME)] = {                                                                               \
        applier,                                                                                   \
        TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##ATTRIBUTES##_EVENT_ATTRIBUTES}
#define SAME(NAME, applier) ROW(NAME, NAME, applier)

static const pdi_history_type_t types[] = {
    SAME(WORKFLOW_EXECUTION_STARTED, pdi_apply_workflow_started),
    SAME(WORKFLOW_EXECUTION_COMPLETED, pdi_apply_workflow_completed),
    SAME(WORKFLOW_EXECUTION_FAILED, pdi_apply_workflow_failed),
    SAME(WORKFLOW_EXECUTION_TIMED_OUT, pdi_apply_workflow_timed_out),
    SAME(WORKFLOW_TASK_SCHEDULED, pdi_apply_task_scheduled),
    SAME(WORKFLOW_TASK_STARTED, pdi_apply_task_started),
    SAME(WORKFLOW_TASK_COMPLETED, pdi_apply_task_completed),
    SAME(WORKFLOW_TASK_TIMED_OUT, pdi_apply_task_timed_out),
    SAME(WORKFLOW_TASK_FAILED, pdi_apply_task_failed),
    SAME(ACTIVITY_TASK_SCHEDULED, pdi_apply_activity_scheduled),
    SAME(ACTIVITY_TASK_STARTED, nothing), /* the attempt started long before */
    SAME(ACTIVITY_TASK_COMPLETED, pdi_apply_activity_completed),
    SAME(ACTIVITY_TASK_FAILED, pdi_apply_activity_failed),
    SAME(ACTIVITY_TASK_TIMED_OUT, pdi_apply_activity_timed_out),
    SAME(ACTIVITY_TASK_CANCEL_REQUESTED, pdi_apply_activity_cancel_requested),
    SAME(ACTIVITY_TASK_CANCELED, pdi_apply_activity_canceled),
    SAME(TIMER_STARTED, pdi_apply_timer_started),
    SAME(TIMER_FIRED, pdi_apply_timer_fired),
    SAME(TIMER_CANCELED, pdi_apply_timer_canceled),
    SAME(WORKFLOW_EXECUTION_CANCEL_REQUESTED, pdi_apply_cancel_requested),
    SAME(WORKFLOW_EXECUTION_CANCELED, pdi_apply_workflow_canceled),
    SAME(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, pdi_apply_external_cancel_initiated),
    SAME(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, pdi_apply_external_answered),
    SAME(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED, pdi_apply_external_answered),
    SAME(MARKER_RECORDED, nothing),
    SAME(WORKFLOW_EXECUTION_SIGNALED, pdi_apply_signaled),
    SAME(WORKFLOW_EXECUTION_TERMINATED, pdi_apply_workflow_terminated),
    SAME(WORKFLOW_EXECUTION_CONTINUED_AS_NEW, pdi_apply_workflow_continued_as_new),
    SAME(START_CHILD_WORKFLOW_EXECUTION_INITIATED, pdi_apply_child_initiated),
    SAME(START_CHILD_WORKFLOW_EXECUTION_FAILED, pdi_apply_child_ended),
    SAME(CHILD_WORKFLOW_EXECUTION_STARTED, pdi_apply_child_started),
    SAME(CHILD_WORKFLOW_EXECUTION_COMPLETED, pdi_apply_child_ended),
    SAME(CHILD_WORKFLOW_EXECUTION_FAILED, pdi_apply_child_ended),
    SAME(CHILD_WORKFLOW_EXECUTION_CANCELED, pdi_apply_child_ended),
    SAME(CHILD_WORKFLOW_EXECUTION_TIMED_OUT, pdi_apply_child_ended),
    SAME(CHILD_WORKFLOW_EXECUTION_TERMINATED, pdi_apply_child_ended),
    SAME(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, pdi_apply_external_signal_initiated),
    SAME(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, pdi_apply_external_answered),
    SAME(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, pdi_apply_external_answered),
    SAME(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, pdi_apply_search_attributes_upserted),
    SAME(WORKFLOW_EXECUTION_UPDATE_ADMITTED, nothing),
    SAME(WORKFLOW_EXECUTION_UPDATE_ACCEPTED, nothing),
    SAME(WORKFLOW_EXECUTION_UPDATE_REJECTED, nothing),
    SAME(WORKFLOW_EXECUTION_UPDATE_COMPLETED, nothing),
    SAME(WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY, nothing),
    SAME(ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY, nothing),
    SAME(WORKFLOW_PROPERTIES_MODIFIED, pdi_apply_properties_modified),
    SAME(NEXUS_OPERATION_SCHEDULED, nothing),
    SAME(NEXUS_OPERATION_STARTED, nothing),
    SAME(NEXUS_OPERATION_COMPLETED, nothing),
    SAME(NEXUS_OPERATION_FAILED, nothing),
    SAME(NEXUS_OPERATION_CANCELED, nothing),
    SAME(NEXUS_OPERATION_TIMED_OUT, nothing),
    SAME(NEXUS_OPERATION_CANCEL_REQUESTED, nothing),
    SAME(WORKFLOW_EXECUTION_OPTIONS_UPDATED, pdi_apply_options_updated),
    SAME(NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED, nothing),
    SAME(NEXUS_OPERATION_CANCEL_REQUEST_FAILED, nothing),
    SAME(WORKFLOW_EXECUTION_PAUSED, nothing),
    SAME(WORKFLOW_EXECUTION_UNPAUSED, nothing),
    SAME(WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED, nothing),
};

pd_status_t pdi_apply_history(pdi_apply_t *apply, const Perdure__V1__Event *wrapped)
{
    const pd_history_event_t *event = wrapped->history;
    const pdi_history_type_t *type = &types[0];
    size_t size;

    if ((unsigned)event->event_type < PD_ARRAY_COUNT(types))
        type = &types[event->event_type];
    if (!type->apply)
        return pdi_apply_corrupt(apply, "history event of unknown type %d", (int)event->event_type);
    /* All members of the oneof are messages: one pointer. */
    if ((int)event->attributes_case != type->attributes_case ||
        !event->workflow_execution_started_event_attributes)
        return pdi_apply_corrupt(apply, "event %lld of type %d has attributes of another type",
                                 (long long)event->event_id, (int)event->event_type);
    if (event->event_id != apply->row->next_event_id)
        return pdi_apply_corrupt(apply, "event %lld where %lld is the next",
                                 (long long)event->event_id, (long long)apply->row->next_event_id);
    if (!pd_execution_is_running(&apply->run->exec))
        return pdi_apply_corrupt(apply, "event %lld after the run was closed",
                                 (long long)event->event_id);
    if ((event->event_id == 1) != (event->event_type == TYPE(WORKFLOW_EXECUTION_STARTED)))
        return pdi_apply_corrupt(apply, "event %lld is of type %d", (long long)event->event_id,
                                 (int)event->event_type);
    size = pdi_tail_append(apply->store, apply->run, event);
    apply->store->dirty_size += size;
    apply->row->next_event_id++;
    apply->row->history_size_bytes += (int64_t)size;
    return type->apply(apply, event);
}
