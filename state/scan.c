/* scan.c -- what is due and what is ready, over all runs, after opening and replaying.
 *
 * Rows in RocksDB of runs that changed in memory since are passed over: memory speaks for those. */
#include "base/assert.h"
#include "base/memory.h"
#include "state/store_private.h"

typedef struct pdi_scan {
    pd_store_t *store;
    const pd_store_scan_t *scan;
} pdi_scan_t;

static bool changed_in_memory(const pd_store_t *store, const pdi_run_name_t *name)
{
    const pdi_workflow_t *workflow =
        pdi_workflow_find(store, name->namespace_id, name->workflow_id);
    const pdi_run_t *run = workflow ? pdi_run_find(workflow, name->run_id) : NULL;

    return run && run->list != PDI_LIST_CLEAN;
}

static pd_status_t timer_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pdi_scan_t *scan = ctx;
    pd_bytes_t rest = key;
    pdi_run_name_t name;
    uint64_t deadline;

    if (!pdi_key_get_u64(&rest, &deadline) || !pdi_key_get_run(rest, &scan->store->text, &name))
        return pdi_row_corrupt(PDI_TABLE_TIMERS, key, "malformed key", error);
    if (!changed_in_memory(scan->store, &name))
        scan->scan->deadline(scan->scan->ctx, name.namespace_id, name.workflow_id, name.run_id,
                             pdi_key_to_ns(deadline));
    return PD_OK;
}

static pd_status_t ready_row(void *ctx, pd_bytes_t key, pd_bytes_t value, pd_error_t *error)
{
    pdi_scan_t *scan = ctx;
    pd_store_t *store = scan->store;
    Perdure__V1__ReadyRow *row;
    pdi_run_name_t name;

    if (!pdi_key_get_run(key, &store->text, &name))
        return pdi_row_corrupt(PDI_TABLE_READY, key, "malformed key", error);
    if (changed_in_memory(store, &name))
        return PD_OK;
    pd_arena_reset(&store->arena);
    row = pd_pb_unpack(&perdure__v1__ready_row__descriptor, &store->arena, value);
    if (!row)
        return pdi_row_corrupt(PDI_TABLE_READY, key, "malformed row", error);
    for (size_t i = 0; i < row->n_tasks; i++)
        scan->scan->ready(scan->scan->ctx, name.namespace_id, name.workflow_id, name.run_id,
                          row->tasks[i]);
    return PD_OK;
}

static void run_in_memory(pdi_scan_t *scan, const pdi_run_t *run)
{
    const pd_store_scan_t *to = scan->scan;
    const pdi_row_t *row = run->exec.row;
    int64_t deadline_ns = pd_execution_next_deadline_ns(&run->exec, INT64_MIN);
    Perdure__V1__ReadyTask **tasks;
    size_t count;

    if (to->deadline && deadline_ns != INT64_MAX)
        to->deadline(to->ctx, row->namespace_id, row->workflow_id, row->run_id, deadline_ns);
    if (!to->ready)
        return;
    pd_arena_reset(&scan->store->arena);
    count = pdi_ready_tasks(run, &scan->store->arena, &tasks);
    for (size_t i = 0; i < count; i++)
        to->ready(to->ctx, row->namespace_id, row->workflow_id, row->run_id, tasks[i]);
}

pd_status_t pd_store_scan(pd_store_t *store, const pd_store_scan_t *scan, pd_error_t *error)
{
    pdi_scan_t ctx = {store, scan};
    pdi_run_t *run;

    if (scan->deadline)
        PD_TRY(pdi_db_each(&store->db, PDI_TABLE_TIMERS, timer_row, &ctx, error));
    if (scan->ready)
        PD_TRY(pdi_db_each(&store->db, PDI_TABLE_READY, ready_row, &ctx, error));
    TAILQ_FOREACH (run, &store->dirty, link) {
        if (!run->exec.removed)
            run_in_memory(&ctx, run);
    }
    TAILQ_FOREACH (run, &store->held, held_link) {
        if (run->list == PDI_LIST_NONE && !run->exec.removed)
            run_in_memory(&ctx, run);
    }
    return PD_OK;
}
