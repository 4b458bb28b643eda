/* The partition's clock: one armed timer per run, at the earliest of its deadlines or before.
 *
 * Most deadlines are never reached (a workflow task's timeout, an activity's), so moving the timer
 * for each would be wasted: while the run is open it is only ever moved forward to an earlier time,
 * and when it fires too early nothing is due and it is set again. */
#include "engine/partition/partition_private.h"

static const char *key_of(pd_arena_t *arena, const char *namespace_id, const char *workflow_id,
                          const char *run_id, uint32_t *workflow_id_at, uint32_t *run_id_at,
                          uint32_t *size)
{
    size_t a = strlen(namespace_id) + 1, b = strlen(workflow_id) + 1, c = strlen(run_id) + 1;
    char *key = pd_arena_alloc(arena, a + b + c);

    memcpy(key, namespace_id, a);
    memcpy(key + a, workflow_id, b);
    memcpy(key + a + b, run_id, c);
    *workflow_id_at = (uint32_t)a;
    *run_id_at = (uint32_t)(a + b);
    *size = (uint32_t)(a + b + c);
    return key;
}

static void forget(pd_partition_t *partition, pdi_deadline_t *deadline)
{
    pd_loop_timer_stop(partition->options.loop, &deadline->timer);
    HASH_DEL(partition->deadlines, deadline);
    pd_free(deadline);
}

typedef struct due {
    int64_t now_ns;
    int64_t offered_through_ns;
    pd_partition_t *partition;
    pd_execution_t *exec;
    bool any; /* something that an event must tell */
} due_t;

static bool collect_due(void *ctx, const pd_deadline_t *deadline)
{
    due_t *due = ctx;

    if (deadline->at_ns > due->now_ns)
        return true;
    if (deadline->kind != PD_DEADLINE_ACTIVITY_OFFER)
        due->any = true;
    else if (deadline->at_ns > due->offered_through_ns)
        pdi_offer_activity_now(due->partition, due->exec,
                               pd_execution_activity(due->exec, deadline->event_id));
    return true;
}

static void submit_fire(pd_partition_t *partition, const pd_namespace_t *ns,
                        const pdi_deadline_t *deadline)
{
    pd_command_t *command = pd_command_new(&pd_command_fire_timers);

    command->ns = ns;
    command->workflow_id =
        pd_arena_strdup(command->arena, deadline->key + deadline->workflow_id_at);
    command->run_id = pd_arena_strdup(command->arena, deadline->key + deadline->run_id_at);
    pd_partition_submit(partition, command);
}

static void remember(const pd_partition_t *partition, pd_execution_t *exec,
                     pdi_deadline_t *deadline)
{
    exec->clock = deadline;
    exec->clock_life = partition->clock_life;
}

static void on_deadline(pd_timer_t *timer)
{
    pdi_deadline_t *deadline = PD_CONTAINER_OF(timer, pdi_deadline_t, timer);
    pd_partition_t *partition = deadline->partition;
    const pd_namespace_t *ns = pd_namespaces_by_id(partition->options.namespaces, deadline->key);
    int64_t now_ns = pd_partition_now_ns(partition), next_ns;
    due_t due = {.now_ns = now_ns, .partition = partition};
    pd_execution_t *exec;
    pd_error_t error;

    if (partition->state != PD_PARTITION_OWNER || !ns)
        return;
    if (partition->pending_count > PDI_TIMER_PENDING_MAX) { /* after a long pause: bit by bit */
        pd_loop_timer_start(partition->options.loop, timer, now_ns + (int64_t)10 * 1000000);
        return;
    }
    if (pd_store_execution(partition->store, deadline->key,
                           deadline->key + deadline->workflow_id_at,
                           deadline->key + deadline->run_id_at, &exec, &error) != PD_OK) {
        pdi_partition_lose(partition, &error);
        return;
    }
    if (!exec) {
        forget(partition, deadline);
        return;
    }
    remember(partition, exec, deadline);
    due.exec = exec;
    due.offered_through_ns = deadline->offered_through_ns;
    deadline->offered_through_ns = now_ns;
    pd_execution_deadlines(exec, collect_due, &due);
    if (due.any) {
        /* Once it is applied the run is watched again; if it is refused, look again soon. */
        exec->deadline_hint_ns = now_ns + (int64_t)1000 * 1000000;
        pd_loop_timer_start(partition->options.loop, timer, exec->deadline_hint_ns);
        submit_fire(partition, ns, deadline);
        return;
    }
    next_ns = pd_execution_next_deadline_ns(exec, now_ns);
    exec->deadline_hint_ns = next_ns;
    if (next_ns == INT64_MAX) {
        exec->clock = NULL;
        forget(partition, deadline);
    } else {
        pd_loop_timer_start(partition->options.loop, timer, next_ns);
    }
}

static pdi_deadline_t *deadline_of(pd_partition_t *partition, const char *namespace_id,
                                   const char *workflow_id, const char *run_id)
{
    const pdi_rebuild_t *rebuild = &partition->rebuild;
    uint32_t workflow_id_at, run_id_at, size;
    pdi_deadline_t *deadline;
    const char *key;
    pd_arena_t arena;

    pd_arena_init(&arena);
    key = key_of(&arena, namespace_id, workflow_id, run_id, &workflow_id_at, &run_id_at, &size);
    HASH_FIND(hh, partition->deadlines, key, size, deadline);
    if (!deadline) {
        deadline = pd_calloc(1, sizeof(*deadline) + size);
        memcpy(deadline->key, key, size);
        deadline->partition = partition;
        deadline->workflow_id_at = workflow_id_at;
        deadline->run_id_at = run_id_at;
        deadline->key_size = size;
        deadline->timer.fire = on_deadline;
        deadline->timer.at_ns = INT64_MAX;
        deadline->offered_through_ns =
            rebuild->owes_deadlines ? rebuild->begun_ns : pd_partition_now_ns(partition);
        HASH_ADD(hh, partition->deadlines, key, size, deadline);
    }
    pd_arena_deinit(&arena);
    return deadline;
}

/* When the clock was set back, what becomes due from `at_ns` on may not have been offered; what has
 * been is offered twice, and taken once. */
static void arm(pd_partition_t *partition, pdi_deadline_t *deadline, int64_t at_ns)
{
    if (at_ns <= deadline->offered_through_ns &&
        pd_partition_now_ns(partition) < deadline->offered_through_ns)
        deadline->offered_through_ns = at_ns - 1;
    if (!deadline->timer.heap_index || at_ns < deadline->timer.at_ns)
        pd_loop_timer_start(partition->options.loop, &deadline->timer, at_ns);
}

void pdi_clock_watch(pd_partition_t *partition, pd_execution_t *exec)
{
    const Perdure__V1__ExecutionRow *row = exec->row;
    pdi_deadline_t *deadline = exec->clock_life == partition->clock_life ? exec->clock : NULL;

    if (exec->deadline_hint_ns == INT64_MAX)
        return;
    if (!deadline) {
        deadline = deadline_of(partition, row->namespace_id, row->workflow_id, row->run_id);
        remember(partition, exec, deadline);
    }
    if (pd_execution_is_running(exec))
        arm(partition, deadline, exec->deadline_hint_ns);
    else /* only its removal is left: do not load it again for the timeouts it has escaped */
        pd_loop_timer_start(partition->options.loop, &deadline->timer, exec->deadline_hint_ns);
}

void pdi_clock_watch_key(pd_partition_t *partition, const char *namespace_id,
                         const char *workflow_id, const char *run_id, int64_t at_ns)
{
    arm(partition, deadline_of(partition, namespace_id, workflow_id, run_id), at_ns);
}

void pdi_clock_clear(pd_partition_t *partition)
{
    pdi_deadline_t *deadline, *next;

    HASH_ITER (hh, partition->deadlines, deadline, next)
        forget(partition, deadline);
    partition->clock_life++; /* runs that stay in memory still point to what is gone */
}
