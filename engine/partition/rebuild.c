/* What an owner has in memory beside the store: deadlines in the clock, ready tasks in matching. A
 * new owner brings them there bit by bit, beside the commands that it takes from the beginning, and
 * in the same manner offers once more the tasks of queues whose home has moved.
 *
 * Tasks come first, in laps over all of them: a filter holds from where the walk stood when it was
 * added to the same place one lap later. The first walk is opened before the first command, so that
 * it does not see what is offered as soon as it is applied. Then the deadlines, once: a backoff
 * that ends meanwhile is the clock's (`begun_ns`), or is over when the activity's row is met, or
 * both. What has changed since the walk saw it is offered in vain. */
#include "base/diag.h"
#include "engine/partition/partition_private.h"

#define PAUSE_NS ((int64_t)200 * 1000) /* between two slices others have the loop */
#define NAMESPACES_PAUSE_NS ((int64_t)5 * 1000000)
#define NAMESPACE_TOLD_NS ((int64_t)10 * 1000000000)

enum { SLICE_ROW_COUNT = 200 };

/* ---- which tasks ---- */

static bool holds(const pdi_rebuild_t *rebuild, const pd_offer_filter_t *filter,
                  pd_bytes_t position)
{
    return filter->lap == rebuild->lap ||
           pd_bytes_compare(position, pd_buf_bytes(&filter->until)) < 0;
}

static bool is_wanted(const pdi_rebuild_t *rebuild, pd_bytes_t position, const char *namespace_id,
                      const char *normal_task_queue)
{
    const pd_offer_filter_t *filter;

    STAILQ_FOREACH (filter, &rebuild->filters, link) {
        if (holds(rebuild, filter, position) &&
            filter->wants(filter, namespace_id, normal_task_queue))
            return true;
    }
    return false;
}

static void drop_filter(pdi_rebuild_t *rebuild, pd_offer_filter_t *filter)
{
    STAILQ_REMOVE(&rebuild->filters, filter, pd_offer_filter, link);
    pd_buf_deinit(&filter->until);
    filter->free(filter);
}

/* Those that have been all the way round. `at` is NULL at the end of a lap. */
static void drop_filters(pdi_rebuild_t *rebuild, const pd_bytes_t *at)
{
    pd_offer_filter_t *filter, *next;

    for (filter = STAILQ_FIRST(&rebuild->filters); filter; filter = next) {
        bool done = filter->lap < rebuild->lap;

        next = STAILQ_NEXT(filter, link);
        if (at ? done && !holds(rebuild, filter, *at) : done || !filter->until.size)
            drop_filter(rebuild, filter);
    }
}

static bool want_all(const pd_offer_filter_t *filter, const char *namespace_id,
                     const char *normal_task_queue)
{
    return true;
}

static void free_all(pd_offer_filter_t *filter)
{
    pd_free(filter);
}

static pd_offer_filter_t *filter_all(void)
{
    pd_offer_filter_t *filter = PD_NEW(pd_offer_filter_t);

    filter->wants = want_all;
    filter->free = free_all;
    return filter;
}

/* ---- what the walk tells ---- */

/* Partition 0 tells the namespaces, and may not have come so far on this node. */
static bool is_known(pd_partition_t *partition, const char *namespace_id)
{
    pdi_rebuild_t *rebuild = &partition->rebuild;
    int64_t now_ns;

    if (pd_namespaces_by_id(partition->options.namespaces, namespace_id)) {
        rebuild->waits_since_ns = 0;
        return true;
    }
    now_ns = pd_partition_now_ns(partition);
    if (!rebuild->waits_since_ns)
        rebuild->waits_since_ns = now_ns;
    if (now_ns - rebuild->waits_since_ns >= NAMESPACE_TOLD_NS) {
        PD_DIAG(PD_DIAG_WARN, "tasks wait for a namespace that this node does not know",
                "partition=%u namespace_id=%s", partition->options.index, namespace_id);
        rebuild->waits_since_ns = now_ns;
    }
    return false;
}

static bool on_deadline(void *ctx, const char *namespace_id, const char *workflow_id,
                        const char *run_id, int64_t at_ns)
{
    pd_partition_t *partition = ctx;

    if (!is_known(partition, namespace_id))
        return false;
    pdi_clock_watch_key(partition, namespace_id, workflow_id, run_id, at_ns);
    return true;
}

static bool on_ready(void *ctx, pd_bytes_t position, const char *namespace_id,
                     const char *workflow_id, const char *run_id,
                     const Perdure__V1__ReadyTask *task)
{
    pd_partition_t *partition = ctx;

    if (!is_known(partition, namespace_id))
        return false;
    if (is_wanted(&partition->rebuild, position, namespace_id, task->normal_task_queue))
        pdi_offer_row(partition, namespace_id, workflow_id, run_id, task);
    return true;
}

/* ---- the walk ---- */

static pd_partition_t *partition_of(pdi_rebuild_t *rebuild)
{
    return PD_CONTAINER_OF(rebuild, pd_partition_t, rebuild);
}

static void go_on_after(pdi_rebuild_t *rebuild, int64_t pause_ns)
{
    pd_partition_t *partition = partition_of(rebuild);

    pd_loop_timer_start(partition->options.loop, &rebuild->timer,
                        pd_partition_now_ns(partition) + pause_ns);
}

/* The next walk begins at the front. */
static void close_walk(pdi_rebuild_t *rebuild)
{
    pd_store_walk_close(rebuild->walk);
    rebuild->walk = NULL;
    pd_buf_clear(&rebuild->from);
}

static void add_filter(pdi_rebuild_t *rebuild, pd_offer_filter_t *filter)
{
    filter->lap = rebuild->lap;
    pd_buf_init(&filter->until, SIZE_MAX);
    PD_ASSERT(pd_buf_append(&filter->until, rebuild->from.data, rebuild->from.size) == PD_OK);
    STAILQ_INSERT_TAIL(&rebuild->filters, filter, link);
}

static void choose_phase(pdi_rebuild_t *rebuild)
{
    rebuild->phase = !STAILQ_EMPTY(&rebuild->filters) ? PDI_REBUILD_TASKS
                     : rebuild->owes_deadlines        ? PDI_REBUILD_DEADLINES
                                                      : PDI_REBUILD_NONE;
}

static void end_walk(pdi_rebuild_t *rebuild)
{
    close_walk(rebuild);
    if (rebuild->phase == PDI_REBUILD_DEADLINES) {
        rebuild->owes_deadlines = false;
    } else {
        drop_filters(rebuild, NULL);
        rebuild->lap++;
    }
    choose_phase(rebuild);
}

/* Of a walk over tasks that goes on: it may be for nobody any more. */
static void end_early(pdi_rebuild_t *rebuild)
{
    pd_bytes_t at;

    if (rebuild->phase != PDI_REBUILD_TASKS || !pd_store_walk_position(rebuild->walk, &at))
        return;
    drop_filters(rebuild, &at);
    if (!STAILQ_EMPTY(&rebuild->filters))
        return;
    close_walk(rebuild);
    choose_phase(rebuild);
}

/* False: a namespace is not known yet. */
static bool open_walk(pdi_rebuild_t *rebuild)
{
    pd_partition_t *partition = partition_of(rebuild);
    pd_store_walk_to_t to = {.ctx = partition};

    if (rebuild->phase == PDI_REBUILD_DEADLINES)
        to.deadline = on_deadline;
    else
        to.ready = on_ready;
    rebuild->walk = pd_store_walk_open(partition->store, &to, pd_buf_bytes(&rebuild->from));
    return rebuild->walk != NULL;
}

static void on_timer(pd_timer_t *timer)
{
    pdi_rebuild_t *rebuild = PD_CONTAINER_OF(timer, pdi_rebuild_t, timer);
    pd_store_walk_state_t state;
    pd_error_t error;

    if (!rebuild->walk && !open_walk(rebuild)) {
        go_on_after(rebuild, NAMESPACES_PAUSE_NS);
        return;
    }
    if (pd_store_walk_step(rebuild->walk, SLICE_ROW_COUNT, &state, &error) != PD_OK) {
        pdi_partition_lose(partition_of(rebuild), &error);
        return;
    }
    if (state == PD_STORE_WALK_END)
        end_walk(rebuild);
    else
        end_early(rebuild);
    if (rebuild->phase != PDI_REBUILD_NONE)
        go_on_after(rebuild, state == PD_STORE_WALK_REFUSED ? NAMESPACES_PAUSE_NS : PAUSE_NS);
}

/* ---- begin, once more, end ---- */

void pdi_rebuild_init(pd_partition_t *partition)
{
    pdi_rebuild_t *rebuild = &partition->rebuild;

    rebuild->timer.fire = on_timer;
    STAILQ_INIT(&rebuild->filters);
    pd_buf_init(&rebuild->from, SIZE_MAX);
}

void pdi_rebuild_begin(pd_partition_t *partition)
{
    pdi_rebuild_t *rebuild = &partition->rebuild;

    PD_ASSERT(rebuild->phase == PDI_REBUILD_NONE);
    rebuild->begun_ns = pd_partition_now_ns(partition);
    rebuild->owes_deadlines = true;
    add_filter(rebuild, filter_all());
    choose_phase(rebuild);
    go_on_after(rebuild, open_walk(rebuild) ? 0 : NAMESPACES_PAUSE_NS);
}

void pdi_rebuild_stop(pd_partition_t *partition)
{
    pdi_rebuild_t *rebuild = &partition->rebuild;

    pd_loop_timer_stop(partition->options.loop, &rebuild->timer);
    while (!STAILQ_EMPTY(&rebuild->filters))
        drop_filter(rebuild, STAILQ_FIRST(&rebuild->filters));
    close_walk(rebuild);
    rebuild->owes_deadlines = false;
    rebuild->phase = PDI_REBUILD_NONE;
}

void pdi_rebuild_deinit(pd_partition_t *partition)
{
    pd_buf_deinit(&partition->rebuild.from);
}

/* The walk is opened anew where it stands: what it sees is from before the filter was added, and
 * what was offered since then may have gone to a home that is none any more. */
static void look_again(pdi_rebuild_t *rebuild)
{
    pd_bytes_t at;

    pd_buf_clear(&rebuild->from);
    if (pd_store_walk_position(rebuild->walk, &at))
        PD_ASSERT(pd_buf_append(&rebuild->from, at.data, at.size) == PD_OK);
    pd_store_walk_close(rebuild->walk);
    rebuild->walk = NULL;
}

void pd_partition_offer_again(pd_partition_t *partition, pd_offer_filter_t *filter)
{
    pdi_rebuild_t *rebuild = &partition->rebuild;

    PD_ASSERT_LOOP(partition->options.loop);
    if (partition->state != PD_PARTITION_OWNER) {
        filter->free(filter);
        return;
    }
    pdi_query_offer_again(partition, filter);
    if (rebuild->phase == PDI_REBUILD_TASKS && rebuild->walk)
        look_again(rebuild);
    add_filter(rebuild, filter);
    if (rebuild->phase == PDI_REBUILD_NONE) {
        choose_phase(rebuild);
        go_on_after(rebuild, 0);
    }
}
