/* ready.c -- run → tasks that some worker may take: matching is rebuilt from these after a start.
 */
#include "state/store_private.h"

static bool task_is_ready(const pdi_row_t *row)
{
    return row->workflow_task && row->workflow_task->started_event_id == 0;
}

static bool activity_is_ready(const pdi_activity_t *activity)
{
    return activity->started_time_ns == 0 && !activity->close_buffered;
}

bool pdi_ready_any(const pdi_run_t *run)
{
    const pdi_row_t *row = run->exec.row;

    if (!pd_execution_is_running(&run->exec))
        return false;
    if (task_is_ready(row))
        return true;
    for (size_t i = 0; i < row->n_activities; i++) {
        if (activity_is_ready(row->activities[i]))
            return true;
    }
    return false;
}

static Perdure__V1__ReadyTask *task_new(pd_arena_t *arena)
{
    return PD_PB_NEW(arena, Perdure__V1__ReadyTask, perdure__v1__ready_task);
}

size_t pdi_ready_tasks(const pdi_run_t *run, pd_arena_t *arena, Perdure__V1__ReadyTask ***tasks)
{
    const pdi_row_t *row = run->exec.row;
    size_t count = 0;

    *tasks = pd_arena_alloc(arena, (row->n_activities + 1) * sizeof(**tasks));
    if (!pd_execution_is_running(&run->exec))
        return 0;
    if (task_is_ready(row)) {
        Perdure__V1__ReadyTask *task = (*tasks)[count++] = task_new(arena);

        task->scheduled_event_id = row->workflow_task->scheduled_event_id;
        task->attempt = row->workflow_task->attempt;
        task->task_queue = row->workflow_task->task_queue;
        task->normal_task_queue = row->task_queue;
        task->time_ns = row->workflow_task->scheduled_time_ns;
    }
    for (size_t i = 0; i < row->n_activities; i++) {
        const pdi_activity_t *activity = row->activities[i];
        Perdure__V1__ReadyTask *task;

        if (!activity_is_ready(activity))
            continue;
        task = (*tasks)[count++] = task_new(arena);
        task->is_activity = true;
        task->scheduled_event_id = activity->scheduled_event_id;
        task->attempt = activity->attempt;
        task->task_queue = task->normal_task_queue = activity->task_queue;
        task->time_ns = activity->attempt_scheduled_time_ns;
    }
    return count;
}

void pdi_ready_update(pd_store_t *store, pdi_run_t *run, bool present, pd_bytes_t run_key)
{
    if (present) {
        Perdure__V1__ReadyRow row = PERDURE__V1__READY_ROW__INIT;

        pd_arena_reset(&store->arena);
        row.n_tasks = pdi_ready_tasks(run, &store->arena, &row.tasks);
        pdi_batch_put(&store->db, PDI_TABLE_READY, run_key, pdi_pack(&store->packer, &row));
    } else if (run->flushed.ready) {
        pdi_batch_delete(&store->db, PDI_TABLE_READY, run_key);
    }
    run->flushed.ready = present;
}
