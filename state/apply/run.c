/* run.c -- runs come and go. */
#include "state/apply/apply.h"

#include "base/memory.h"

PDI_EVENT_APPLIER(run_created)
{
    const Perdure__V1__RunCreated *created = event->run_created;
    pdi_row_t *row;

    if (apply->run || pdi_run_find(apply->workflow, apply->run_id) || pd_pb_empty(apply->run_id))
        return pdi_apply_corrupt(apply, "the run is created a second time");
    apply->run = pdi_run_new(apply->store, apply->workflow, apply->run_id);
    apply->row = row = apply->run->exec.row;
    row->status =
        TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
    pdi_string_set(&row->create_request_id, created->request_id);
    pdi_string_set(&row->previous_run_id, created->previous_run_id);
    row->first_task_not_before_ns = created->first_task_not_before_ns;
    row->run_deadline_ns = created->run_deadline_ns;
    row->execution_deadline_ns = created->execution_deadline_ns;
    row->retention_ns = created->retention_ns;
    row->awaits_parent = created->awaits_parent;
    pdi_workflow_set_current(apply->workflow, apply->run_id);
    pdi_apply_touch(apply);
    return PD_OK;
}

PDI_EVENT_APPLIER(run_removed)
{
    pdi_workflow_t *workflow = apply->workflow;

    if (pd_execution_is_running(&apply->run->exec))
        return pdi_apply_corrupt(apply, "a run that is not closed is removed");
    PD_TRY(pdi_workflow_load_current(apply->store, workflow, apply->error));
    if (workflow->current == PDI_CURRENT_RUN &&
        strcmp(workflow->current_run_id, apply->row->run_id) == 0)
        pdi_workflow_set_current(workflow, NULL);
    apply->run->exec.removed = true;
    apply->run->exec.deadline_hint_ns = INT64_MAX;
    return PD_OK;
}

/* Its place among the attached ones; adds it when it is not there yet. */
static int64_t *attached_event_id(pdi_row_t *row, const char *request_id)
{
    size_t count = row->n_attached_request_ids;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(row->attached_request_ids[i], request_id) == 0)
            return &row->attached_request_event_ids[i];
    }
    pdi_array_append(&row->attached_request_ids, &row->n_attached_request_ids,
                     pd_strdup(request_id));
    row->attached_request_event_ids = pd_realloc(
        row->attached_request_event_ids, (count + 1) * sizeof(row->attached_request_event_ids[0]));
    row->attached_request_event_ids[count] = 0;
    row->n_attached_request_event_ids = count + 1;
    return &row->attached_request_event_ids[count];
}

/* Comes behind its event, or while that waits in the buffer. */
PDI_EVENT_APPLIER(request_attached)
{
    (void)attached_event_id(apply->row, pd_pb_str(event->request_attached->request_id));
    return PD_OK;
}

PDI_HISTORY_APPLIER(options_updated)
{
    const char *request_id =
        event->workflow_execution_options_updated_event_attributes->attached_request_id;

    if (!pd_pb_empty(request_id))
        *attached_event_id(apply->row, request_id) = event->event_id;
    return PD_OK;
}
