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

PDI_EVENT_APPLIER(request_attached)
{
    pdi_array_append(&apply->row->attached_request_ids, &apply->row->n_attached_request_ids,
                     pd_strdup(event->request_attached->request_id));
    return PD_OK;
}
