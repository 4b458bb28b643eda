/* Ready tasks on their way to matching: workflow tasks as soon as they are applied, activities once
 * the record that made them ready surely counts. */
#include "engine/partition/partition_private.h"

/* A retry's backoff; the clock offers the activity when it is over. A first attempt has none, also
 * when it was scheduled at a time that has not come: by an owner whose clock was ahead. */
static bool backs_off(pd_partition_t *partition, int32_t attempt, int64_t not_before_ns)
{
    return attempt > 1 && not_before_ns > pd_partition_now_ns(partition);
}

static void offer_workflow_task(pd_partition_t *partition, const pd_ready_task_t *task)
{
    const Perdure__V1__ExecutionRow *row = task->exec->row;
    pd_offer_t offer = {
        .kind = PD_TASK_WORKFLOW,
        .partition = partition,
        .ns = pd_namespaces_by_id(partition->options.namespaces, row->namespace_id),
        .workflow_id = row->workflow_id,
        .run_id = row->run_id,
        .scheduled_event_id = task->scheduled_event_id,
        .attempt = task->attempt,
        .time_ns = task->not_before_ns,
        .task_queue = row->workflow_task->task_queue,
        .normal_task_queue = row->task_queue,
    };

    if (offer.ns)
        partition->options.sink.offer(partition->options.sink.ctx, &offer);
}

static void defer_activity(pd_partition_t *partition, pdi_pending_t *pending,
                           const pd_ready_task_t *task)
{
    const Perdure__V1__ExecutionRow *row = task->exec->row;
    const Perdure__V1__ActivityRow *activity =
        pd_execution_activity(task->exec, task->scheduled_event_id);
    size_t a = strlen(row->workflow_id) + 1, b = strlen(row->run_id) + 1;
    size_t c = strlen(activity->task_queue) + 1;
    pdi_offer_t *offer;

    if (pending->offer_count == pending->offer_capacity) {
        pending->offer_capacity = pending->offer_capacity ? pending->offer_capacity * 2 : 4;
        pending->offers =
            pd_realloc(pending->offers, pending->offer_capacity * sizeof(pending->offers[0]));
    }
    offer = &pending->offers[pending->offer_count++];
    offer->workflow_id = pd_alloc(a + b + c);
    offer->run_id = offer->workflow_id + a;
    offer->task_queue = offer->run_id + b;
    memcpy(offer->workflow_id, row->workflow_id, a);
    memcpy(offer->run_id, row->run_id, b);
    memcpy(offer->task_queue, activity->task_queue, c);
    offer->ns = pd_namespaces_by_id(partition->options.namespaces, row->namespace_id);
    offer->scheduled_event_id = task->scheduled_event_id;
    offer->attempt = task->attempt;
    offer->time_ns = task->not_before_ns;
}

void pdi_offer_ready(pd_partition_t *partition, pdi_pending_t *pending, const pd_ready_task_t *task)
{
    if (!task->is_activity)
        offer_workflow_task(partition, task);
    else if (!backs_off(partition, task->attempt, task->not_before_ns))
        defer_activity(partition, pending, task);
}

void pdi_offer_send(pd_partition_t *partition, const pdi_offer_t *deferred)
{
    pd_offer_t offer = {
        .kind = PD_TASK_ACTIVITY,
        .partition = partition,
        .ns = deferred->ns,
        .workflow_id = deferred->workflow_id,
        .run_id = deferred->run_id,
        .scheduled_event_id = deferred->scheduled_event_id,
        .attempt = deferred->attempt,
        .time_ns = deferred->time_ns,
        .task_queue = deferred->task_queue,
        .normal_task_queue = deferred->task_queue,
    };

    if (offer.ns)
        partition->options.sink.offer(partition->options.sink.ctx, &offer);
}

/* A backoff that is over was recorded long ago: the record of the failure before it counts. */
void pdi_offer_activity_now(pd_partition_t *partition, pd_execution_t *exec,
                            const Perdure__V1__ActivityRow *activity)
{
    const Perdure__V1__ExecutionRow *row = exec->row;
    pdi_offer_t offer = {
        .workflow_id = row->workflow_id,
        .run_id = row->run_id,
        .task_queue = activity->task_queue,
        .ns = pd_namespaces_by_id(partition->options.namespaces, row->namespace_id),
        .scheduled_event_id = activity->scheduled_event_id,
        .attempt = activity->attempt,
        .time_ns = activity->attempt_scheduled_time_ns,
    };

    pdi_offer_send(partition, &offer);
}

void pdi_offer_row(pd_partition_t *partition, const char *namespace_id, const char *workflow_id,
                   const char *run_id, const Perdure__V1__ReadyTask *task)
{
    pd_offer_t offer = {
        .kind = task->is_activity ? PD_TASK_ACTIVITY : PD_TASK_WORKFLOW,
        .partition = partition,
        .ns = pd_namespaces_by_id(partition->options.namespaces, namespace_id),
        .workflow_id = workflow_id,
        .run_id = run_id,
        .scheduled_event_id = task->scheduled_event_id,
        .attempt = task->attempt,
        .time_ns = task->time_ns,
        .task_queue = task->task_queue,
        .normal_task_queue = task->normal_task_queue,
    };

    if (task->is_activity && backs_off(partition, task->attempt, task->time_ns))
        return;
    if (offer.ns)
        partition->options.sink.offer(partition->options.sink.ctx, &offer);
}
