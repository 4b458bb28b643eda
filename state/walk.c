/* walk.c -- what is due and what is ready, over all runs, in steps.
 *
 * Memory speaks for runs that are changed when the walk is opened: they are told at once, and
 * marked, so that their rows are passed over. Rows of all others are told as they were then. */
#include "base/assert.h"
#include "base/memory.h"
#include "state/store_private.h"

struct pd_store_walk {
    pd_store_t *store;
    pdi_table_t table;
    pd_store_walk_to_t to;
    pdi_cursor_t cursor;
};

static bool was_told(const pd_store_walk_t *walk, const pdi_run_name_t *name)
{
    const pdi_workflow_t *workflow =
        pdi_workflow_find(walk->store, name->namespace_id, name->workflow_id);
    const pdi_run_t *run = workflow ? pdi_run_find(workflow, name->run_id) : NULL;

    return run && run->told_by_walk == walk->store->walk;
}

/* ---- rows ---- */

static pd_status_t timer_row(pd_store_walk_t *walk, pd_bytes_t key, bool *taken, pd_error_t *error)
{
    pd_bytes_t rest = key;
    pdi_run_name_t name;
    uint64_t deadline;

    if (!pdi_key_get_u64(&rest, &deadline) || !pdi_key_get_run(rest, &walk->store->text, &name))
        return pdi_row_corrupt(PDI_TABLE_TIMERS, key, "malformed key", error);
    *taken = was_told(walk, &name) ||
             walk->to.deadline(walk->to.ctx, name.namespace_id, name.workflow_id, name.run_id,
                               pdi_key_to_ns(deadline));
    return PD_OK;
}

static pd_status_t ready_row(pd_store_walk_t *walk, pd_bytes_t key, pd_bytes_t value, bool *taken,
                             pd_error_t *error)
{
    pd_store_t *store = walk->store;
    Perdure__V1__ReadyRow *row;
    pdi_run_name_t name;

    *taken = true;
    if (!pdi_key_get_run(key, &store->text, &name))
        return pdi_row_corrupt(PDI_TABLE_READY, key, "malformed key", error);
    if (was_told(walk, &name))
        return PD_OK;
    pd_arena_reset(&store->arena);
    row = pd_pb_unpack(&perdure__v1__ready_row__descriptor, &store->arena, value);
    if (!row)
        return pdi_row_corrupt(PDI_TABLE_READY, key, "malformed row", error);
    for (size_t i = 0; i < row->n_tasks && *taken; i++)
        *taken = walk->to.ready(walk->to.ctx, key, name.namespace_id, name.workflow_id, name.run_id,
                                row->tasks[i]);
    return PD_OK;
}

pd_status_t pd_store_walk_step(pd_store_walk_t *walk, size_t row_count_max,
                               pd_store_walk_state_t *state, pd_error_t *error)
{
    pd_bytes_t key, value;

    for (size_t i = 0; i < row_count_max; i++) {
        bool taken = true;

        if (!pdi_cursor_row(&walk->cursor, &key, &value)) {
            *state = PD_STORE_WALK_END;
            return pdi_cursor_status(&walk->cursor, error);
        }
        PD_TRY(walk->table == PDI_TABLE_TIMERS ? timer_row(walk, key, &taken, error)
                                               : ready_row(walk, key, value, &taken, error));
        if (!taken) {
            *state = PD_STORE_WALK_REFUSED;
            return PD_OK;
        }
        pdi_cursor_next(&walk->cursor);
    }
    *state = PD_STORE_WALK_MORE;
    return PD_OK;
}

/* ---- runs in memory ---- */

static bool tell_deadline(const pd_store_walk_t *walk, const pdi_run_t *run)
{
    const pdi_row_t *row = run->exec.row;
    int64_t deadline_ns = pd_execution_next_deadline_ns(&run->exec, INT64_MIN);

    return deadline_ns == INT64_MAX ||
           walk->to.deadline(walk->to.ctx, row->namespace_id, row->workflow_id, row->run_id,
                             deadline_ns);
}

static bool tell_ready(const pd_store_walk_t *walk, const pdi_run_t *run, pd_bytes_t from)
{
    const pdi_row_t *row = run->exec.row;
    pd_store_t *store = walk->store;
    Perdure__V1__ReadyTask **tasks;
    bool taken = true;
    size_t count;

    pdi_run_key(run, &store->key);
    if (pd_bytes_compare(pdi_key_bytes(&store->key), from) < 0)
        return true;
    pd_arena_reset(&store->arena);
    count = pdi_ready_tasks(run, &store->arena, &tasks);
    for (size_t i = 0; i < count && taken; i++)
        taken = walk->to.ready(walk->to.ctx, pdi_key_bytes(&store->key), row->namespace_id,
                               row->workflow_id, row->run_id, tasks[i]);
    return taken;
}

static bool tell_run(const pd_store_walk_t *walk, pdi_run_t *run, pd_bytes_t from)
{
    run->told_by_walk = walk->store->walk;
    if (run->exec.removed)
        return true;
    return walk->table == PDI_TABLE_TIMERS ? tell_deadline(walk, run) : tell_ready(walk, run, from);
}

static bool tell_memory(pd_store_walk_t *walk, pd_bytes_t from)
{
    pdi_run_t *run;

    TAILQ_FOREACH (run, &walk->store->dirty, link) {
        if (!tell_run(walk, run, from))
            return false;
    }
    TAILQ_FOREACH (run, &walk->store->held, held_link) {
        if (run->list == PDI_LIST_NONE && !tell_run(walk, run, from))
            return false;
    }
    return true;
}

/* ---- */

pd_store_walk_t *pd_store_walk_open(pd_store_t *store, const pd_store_walk_to_t *to,
                                    pd_bytes_t from)
{
    pd_store_walk_t *walk = PD_NEW(pd_store_walk_t);

    PD_ASSERT(!store->walking && !to->deadline != !to->ready);
    PD_ASSERT(to->ready || !from.size);
    walk->store = store;
    walk->table = to->deadline ? PDI_TABLE_TIMERS : PDI_TABLE_READY;
    walk->to = *to;
    store->walk++;
    if (!tell_memory(walk, from)) {
        pd_free(walk);
        return NULL;
    }
    pdi_cursor_open(&walk->cursor, &store->db, walk->table, from);
    store->walking = true;
    return walk;
}

void pd_store_walk_close(pd_store_walk_t *walk)
{
    if (!walk)
        return;
    walk->store->walking = false;
    pdi_cursor_close(&walk->cursor);
    pd_free(walk);
}

bool pd_store_walk_position(const pd_store_walk_t *walk, pd_bytes_t *position)
{
    pd_bytes_t value;

    return pdi_cursor_row(&walk->cursor, position, &value);
}
