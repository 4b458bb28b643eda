/* child.c -- children of a workflow, from when they are asked for until their end is reported.
 *
 *     Initiated ──▶ initiated ── Started ──▶ started ── Completed, Failed, … ──▶ gone
 *                       └─ StartFailed ──▶ gone */
#include "state/apply/apply.h"

#include "base/memory.h"

#define ATTRIBUTES(NAME)                                                                           \
    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##NAME##_EVENT_ATTRIBUTES

static pd_status_t not_pending(pdi_apply_t *apply, int64_t initiated_event_id)
{
    return pdi_apply_corrupt(apply, "child %lld is not pending", (long long)initiated_event_id);
}

PDI_HISTORY_APPLIER(child_initiated)
{
    const Temporal__Api__History__V1__StartChildWorkflowExecutionInitiatedEventAttributes
        *attributes = event->start_child_workflow_execution_initiated_event_attributes;
    pdi_child_t *child = pd_alloc(sizeof(*child));

    perdure__v1__child_row__init(child);
    child->initiated_event_id = event->event_id;
    pdi_string_set(&child->namespace_id, attributes->namespace_id);
    pdi_string_set(&child->namespace_, attributes->namespace_);
    pdi_string_set(&child->workflow_id, attributes->workflow_id);
    if (attributes->workflow_type)
        pdi_string_set(&child->workflow_type, attributes->workflow_type->name);
    child->parent_close_policy = attributes->parent_close_policy;
    pdi_child_add(apply->run, child);
    return PD_OK;
}

static pd_status_t start(pdi_apply_t *apply, const pd_history_event_t *event)
{
    const Temporal__Api__History__V1__ChildWorkflowExecutionStartedEventAttributes *attributes =
        event->child_workflow_execution_started_event_attributes;
    pdi_child_t *child = pdi_child(apply->run, attributes->initiated_event_id, NULL);

    if (!child || child->started_event_id)
        return not_pending(apply, attributes->initiated_event_id);
    child->started_event_id = event->event_id; /* 0: it is buffered */
    child->start_buffered = event->event_id == 0;
    if (attributes->workflow_execution)
        pdi_string_set(&child->run_id, attributes->workflow_execution->run_id);
    return PD_OK;
}

PDI_HISTORY_APPLIER(child_started)
{
    return start(apply, event);
}

/* Of an event that ends a child's being pending; 0 for others. */
static int64_t ended_child(const pd_history_event_t *event)
{
    switch ((int)event->attributes_case) {
    case ATTRIBUTES(START_CHILD_WORKFLOW_EXECUTION_FAILED):
        return event->start_child_workflow_execution_failed_event_attributes->initiated_event_id;
    case ATTRIBUTES(CHILD_WORKFLOW_EXECUTION_COMPLETED):
        return event->child_workflow_execution_completed_event_attributes->initiated_event_id;
    case ATTRIBUTES(CHILD_WORKFLOW_EXECUTION_FAILED):
        return event->child_workflow_execution_failed_event_attributes->initiated_event_id;
    case ATTRIBUTES(CHILD_WORKFLOW_EXECUTION_CANCELED):
        return event->child_workflow_execution_canceled_event_attributes->initiated_event_id;
    case ATTRIBUTES(CHILD_WORKFLOW_EXECUTION_TIMED_OUT):
        return event->child_workflow_execution_timed_out_event_attributes->initiated_event_id;
    case ATTRIBUTES(CHILD_WORKFLOW_EXECUTION_TERMINATED):
        return event->child_workflow_execution_terminated_event_attributes->initiated_event_id;
    default:
        return 0;
    }
}

PDI_HISTORY_APPLIER(child_ended)
{
    int64_t initiated_event_id = ended_child(event);
    size_t index;

    if (!pdi_child(apply->run, initiated_event_id, &index))
        return not_pending(apply, initiated_event_id);
    pdi_child_remove(apply->run, index);
    return PD_OK;
}

pd_status_t pdi_apply_child_buffered(pdi_apply_t *apply, const pd_history_event_t *event)
{
    int64_t initiated_event_id = ended_child(event);
    pdi_child_t *child;

    if ((int)event->attributes_case == ATTRIBUTES(CHILD_WORKFLOW_EXECUTION_STARTED))
        return start(apply, event);
    if (!initiated_event_id)
        return PD_OK;
    child = pdi_child(apply->run, initiated_event_id, NULL);
    if (!child || child->close_buffered)
        return not_pending(apply, initiated_event_id);
    child->close_buffered = true;
    return PD_OK;
}
