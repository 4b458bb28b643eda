/* flush.c -- writing behind: dirty rows become one batch, which is written once everything up to
 * their transition boundary is acknowledged. */
#include "base/assert.h"
#include "state/store_private.h"

/* A removed run: whatever RocksDB has of it goes. */
static void delete_run(pd_store_t *store, pdi_run_t *run, pd_bytes_t run_key)
{
    pdi_batch_delete(&store->db, PDI_TABLE_EXECUTIONS, run_key);
    pdi_timers_update(store, run, INT64_MAX, run_key);
    pdi_ready_update(store, run, false, run_key);
    pdi_history_delete(store, run);
    pdi_signals_delete(store, run);
}

static void put_run(pd_store_t *store, pdi_run_t *run, pd_bytes_t run_key)
{
    /* The row goes last: what lies beside it, is filled in by the others. */
    pdi_history_put(store, run);
    pdi_signals_put(store, run);
    pdi_timers_update(store, run, pd_execution_next_deadline_ns(&run->exec, INT64_MIN), run_key);
    pdi_ready_update(store, run, pdi_ready_any(run), run_key);
    pdi_executions_put(store, run, run_key);
}

static void flush_current(pd_store_t *store, pdi_run_t *run)
{
    pdi_workflow_t *workflow = run->workflow;

    if (!workflow->current_dirty)
        return;
    if (workflow->current == PDI_CURRENT_NONE) {
        if (workflow->current_persisted)
            pdi_current_delete(store, workflow);
        workflow->current_persisted = false;
    } else {
        if (strcmp(workflow->current_run_id, run->exec.row->run_id) != 0)
            return; /* that run is dirty, too */
        pdi_current_put(store, workflow, run);
        workflow->current_persisted = true;
    }
    workflow->current_dirty = false;
    workflow->current_held = true;
}

static void flush_run(pd_store_t *store, pdi_run_t *run)
{
    bool was_persisted = run->persisted;

    pdi_run_key(run, &store->run_key);
    if (!run->exec.removed)
        put_run(store, run, pdi_key_bytes(&store->run_key));
    else if (was_persisted)
        delete_run(store, run, pdi_key_bytes(&store->run_key));
    run->persisted = !run->exec.removed;
    flush_current(store, run);
    pdi_run_list_set(store, run, PDI_LIST_NONE);
    PD_ASSERT(!run->held);
    run->held = true;
    TAILQ_INSERT_TAIL(&store->held, run, held_link);
}

void pd_store_flush_begin(pd_store_t *store)
{
    pdi_run_t *run;

    PD_ASSERT(!store->flush_held && TAILQ_EMPTY(&store->held));
    while ((run = TAILQ_FIRST(&store->dirty)))
        flush_run(store, run);
    pdi_namespaces_put(store);
    pdi_outbox_put(store);
    pdi_inbox_put(store);
    pdi_ingest_put(store);
    pdi_command_ids_put(store);
    store->dirty_size = 0;
    store->flush_held = true;
}

static void settle_run(pd_store_t *store, pdi_run_t *run)
{
    TAILQ_REMOVE(&store->held, run, held_link);
    run->held = false;
    run->workflow->current_held = false;
    run->tail_committed_size = run->tail_flushed_size;
    if (!run->exec.removed)
        pdi_tail_trim(run);
    if (run->list != PDI_LIST_NONE)
        return; /* changed since */
    if (run->exec.removed)
        pdi_run_let_go(store, run);
    else
        pdi_run_list_set(store, run, PDI_LIST_CLEAN);
}

void pd_store_flush_seal(pd_store_t *store, const pd_store_position_t *position)
{
    PD_ASSERT(store->flush_held);
    PD_ASSERT(position->applied_offset >= store->position.applied_offset);
    pdi_meta_put(store, position);
    store->held_position = *position;
}

pd_status_t pd_store_flush_write(pd_store_t *store, pd_error_t *error)
{
    return pdi_batch_write(&store->db, error);
}

void pd_store_flush_end(pd_store_t *store)
{
    pdi_run_t *run;

    PD_ASSERT(store->flush_held);
    store->position = store->held_position;
    store->flush_held = false;
    pdi_command_ids_committed(store);
    while ((run = TAILQ_FIRST(&store->held)))
        settle_run(store, run);
}

pd_status_t pd_store_flush_commit(pd_store_t *store, const pd_store_position_t *position,
                                  pd_error_t *error)
{
    pd_store_flush_seal(store, position);
    PD_TRY(pd_store_flush_write(store, error));
    pd_store_flush_end(store);
    return PD_OK;
}

bool pd_store_flush_held(const pd_store_t *store)
{
    return store->flush_held;
}

size_t pd_store_dirty_size(const pd_store_t *store)
{
    return store->dirty_size;
}
