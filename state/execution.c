#include "state/execution.h"

#include "base/assert.h"
#include "base/memory.h"
#include "state/store_private.h"

bool pd_execution_is_running(const pd_execution_t *exec)
{
    return exec->row->status ==
           TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
}

const Perdure__V1__WorkflowTaskRow *pd_execution_workflow_task(const pd_execution_t *exec)
{
    return pd_execution_is_running(exec) ? exec->row->workflow_task : NULL;
}

/* ---- by event ID: the lists are sorted, since event IDs only grow ---- */

/* `list`: pointers to rows, each with an event ID at that offset. */
static void *find(const void *list, size_t count, size_t id_offset, int64_t event_id, size_t *index)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *row;
        int64_t id;

        memcpy(&row, (const char *)list + middle * sizeof(row), sizeof(row));
        memcpy(&id, row + id_offset, sizeof(id));
        if (id == event_id) {
            if (index)
                *index = middle;
            return (void *)row;
        }
        if (id < event_id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

pdi_activity_t *pdi_activity(const pdi_run_t *run, int64_t scheduled_event_id, size_t *index)
{
    return find(run->exec.row->activities, run->exec.row->n_activities,
                offsetof(pdi_activity_t, scheduled_event_id), scheduled_event_id, index);
}

pdi_timer_t *pdi_timer(const pdi_run_t *run, int64_t started_event_id, size_t *index)
{
    return find(run->exec.row->timers, run->exec.row->n_timers,
                offsetof(pdi_timer_t, started_event_id), started_event_id, index);
}

pdi_child_t *pdi_child(const pdi_run_t *run, int64_t initiated_event_id, size_t *index)
{
    return find(run->exec.row->children, run->exec.row->n_children,
                offsetof(pdi_child_t, initiated_event_id), initiated_event_id, index);
}

pdi_external_t *pdi_external(pdi_external_t *const *list, size_t count, int64_t initiated_event_id,
                             size_t *index)
{
    return find(list, count, offsetof(pdi_external_t, initiated_event_id), initiated_event_id,
                index);
}

void pdi_activity_add(pdi_run_t *run, pdi_activity_t *activity)
{
    pdi_row_t *row = run->exec.row;

    PD_ASSERT(row->n_activities == 0 || row->activities[row->n_activities - 1]->scheduled_event_id <
                                            activity->scheduled_event_id);
    pdi_array_append(&row->activities, &row->n_activities, activity);
    if (pdi_id_index_built(&run->activity_ids))
        pdi_id_index_add(&run->activity_ids, activity->activity_id, activity);
}

void pdi_activity_remove(pdi_run_t *run, size_t index)
{
    pdi_row_t *row = run->exec.row;
    pdi_activity_t *activity = row->activities[index];

    if (pdi_id_index_built(&run->activity_ids))
        pdi_id_index_remove(&run->activity_ids, activity->activity_id, activity);
    pdi_array_remove(&row->activities, &row->n_activities, index);
    pdi_message_free(activity);
}

void pdi_timer_add(pdi_run_t *run, pdi_timer_t *timer)
{
    pdi_row_t *row = run->exec.row;

    PD_ASSERT(row->n_timers == 0 ||
              row->timers[row->n_timers - 1]->started_event_id < timer->started_event_id);
    pdi_array_append(&row->timers, &row->n_timers, timer);
    if (pdi_id_index_built(&run->timer_ids))
        pdi_id_index_add(&run->timer_ids, timer->timer_id, timer);
}

void pdi_timer_remove(pdi_run_t *run, size_t index)
{
    pdi_row_t *row = run->exec.row;
    pdi_timer_t *timer = row->timers[index];

    if (pdi_id_index_built(&run->timer_ids))
        pdi_id_index_remove(&run->timer_ids, timer->timer_id, timer);
    pdi_array_remove(&row->timers, &row->n_timers, index);
    pdi_message_free(timer);
}

void pdi_child_add(pdi_run_t *run, pdi_child_t *child)
{
    pdi_row_t *row = run->exec.row;

    PD_ASSERT(row->n_children == 0 ||
              row->children[row->n_children - 1]->initiated_event_id < child->initiated_event_id);
    pdi_array_append(&row->children, &row->n_children, child);
}

void pdi_child_remove(pdi_run_t *run, size_t index)
{
    pdi_row_t *row = run->exec.row;
    pdi_child_t *child = row->children[index];

    pdi_array_remove(&row->children, &row->n_children, index);
    pdi_message_free(child);
}

const pdi_child_t *pd_execution_child(const pd_execution_t *exec, int64_t initiated_event_id)
{
    return pdi_child(pdi_run(exec), initiated_event_id, NULL);
}

const pdi_external_t *pd_execution_external_signal(const pd_execution_t *exec,
                                                   int64_t initiated_event_id)
{
    return pdi_external(exec->row->external_signals, exec->row->n_external_signals,
                        initiated_event_id, NULL);
}

const pdi_external_t *pd_execution_external_cancel(const pd_execution_t *exec,
                                                   int64_t initiated_event_id)
{
    return pdi_external(exec->row->external_cancels, exec->row->n_external_cancels,
                        initiated_event_id, NULL);
}

void pdi_signal_request_add(pdi_run_t *run, const char *request_id)
{
    pdi_row_t *row = run->exec.row;
    char *copy = pd_strdup(request_id);

    pdi_array_append(&row->signal_request_ids, &row->n_signal_request_ids, copy);
    if (pdi_id_index_built(&run->signal_ids))
        pdi_id_index_add(&run->signal_ids, copy, copy);
}

/* ---- by ID: linear while there are few, else an index that is built when first needed ---- */

const pdi_activity_t *pd_execution_activity(const pd_execution_t *exec, int64_t scheduled_event_id)
{
    return pdi_activity(pdi_run(exec), scheduled_event_id, NULL);
}

const pdi_activity_t *pd_execution_activity_by_id(const pd_execution_t *exec,
                                                  const char *activity_id)
{
    pdi_run_t *run = pdi_run(exec);
    const pdi_row_t *row = exec->row;

    if (row->n_activities > PDI_INDEX_MIN && !pdi_id_index_built(&run->activity_ids)) {
        pdi_id_index_build(&run->activity_ids, row->n_activities);
        for (size_t i = 0; i < row->n_activities; i++)
            pdi_id_index_add(&run->activity_ids, row->activities[i]->activity_id,
                             row->activities[i]);
    }
    if (pdi_id_index_built(&run->activity_ids))
        return pdi_id_index_find(&run->activity_ids, activity_id);
    for (size_t i = 0; i < row->n_activities; i++) {
        if (strcmp(row->activities[i]->activity_id, activity_id) == 0)
            return row->activities[i];
    }
    return NULL;
}

const pdi_timer_t *pd_execution_timer(const pd_execution_t *exec, const char *timer_id)
{
    pdi_run_t *run = pdi_run(exec);
    const pdi_row_t *row = exec->row;

    if (row->n_timers > PDI_INDEX_MIN && !pdi_id_index_built(&run->timer_ids)) {
        pdi_id_index_build(&run->timer_ids, row->n_timers);
        for (size_t i = 0; i < row->n_timers; i++)
            pdi_id_index_add(&run->timer_ids, row->timers[i]->timer_id, row->timers[i]);
    }
    if (pdi_id_index_built(&run->timer_ids))
        return pdi_id_index_find(&run->timer_ids, timer_id);
    for (size_t i = 0; i < row->n_timers; i++) {
        if (strcmp(row->timers[i]->timer_id, timer_id) == 0)
            return row->timers[i];
    }
    return NULL;
}

bool pd_execution_has_signal_request(const pd_execution_t *exec, const char *request_id)
{
    pdi_run_t *run = pdi_run(exec);
    const pdi_row_t *row = exec->row;

    if (row->n_signal_request_ids > PDI_INDEX_MIN && !pdi_id_index_built(&run->signal_ids)) {
        pdi_id_index_build(&run->signal_ids, row->n_signal_request_ids);
        for (size_t i = 0; i < row->n_signal_request_ids; i++)
            pdi_id_index_add(&run->signal_ids, row->signal_request_ids[i],
                             row->signal_request_ids[i]);
    }
    if (pdi_id_index_built(&run->signal_ids))
        return pdi_id_index_find(&run->signal_ids, request_id) != NULL;
    for (size_t i = 0; i < row->n_signal_request_ids; i++) {
        if (strcmp(row->signal_request_ids[i], request_id) == 0)
            return true;
    }
    return false;
}
