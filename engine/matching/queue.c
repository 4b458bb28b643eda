/* queue.c -- a task queue: who has polled it, and the tasks that wait there. */
#include "api/pb/time.h"
#include "base/memory.h"
#include "engine/matching/matching_private.h"

enum { POLLER_COUNT_MAX = 100 };

/* ---- counting ---- */

static void count_tasks(pd_task_queue_t *queue, int64_t count)
{
    queue->task_count += count;
    pd_gauge_add(&queue->matching->metrics.backlog_count[queue->kind], count);
}

void pdi_queue_count_match(pd_task_queue_t *queue, int64_t time_ns, uint64_t query_id)
{
    pd_matching_t *matching = queue->matching;

    if (!query_id)
        pd_histogram_observe(&matching->metrics.schedule_to_start[queue->kind],
                             pd_loop_now_ns(matching->loop) - time_ns);
}

/* ---- queues ---- */

pd_task_queue_t *pdi_queue_find(pd_matching_t *matching, const pd_namespace_t *ns,
                                pd_task_kind_t kind, const char *name, bool create)
{
    size_t a = strlen(ns->id) + 1, b = strlen(name) + 1, size = 1 + a + b;
    char stack_key[256], *key = size <= sizeof(stack_key) ? stack_key : pd_alloc(size);
    pd_task_queue_t *queue;

    key[0] = (char)kind;
    memcpy(key + 1, ns->id, a);
    memcpy(key + 1 + a, name, b);
    HASH_FIND(hh, matching->queues, key, size, queue);
    if (!queue && create) {
        queue = pd_calloc(1, sizeof(*queue) + size);
        memcpy(queue->key, key, size);
        queue->key_size = size;
        queue->matching = matching;
        queue->ns = ns;
        queue->kind = kind;
        queue->name = queue->key + 1 + a;
        queue->last_poll_ns = INT64_MIN / 2;
        TAILQ_INIT(&queue->polls);
        TAILQ_INIT(&queue->tasks);
        HASH_ADD(hh, matching->queues, key, size, queue);
    }
    if (key != stack_key)
        pd_free(key);
    return queue;
}

void pdi_queue_free(pd_task_queue_t *queue)
{
    pdi_poller_t *poller;

    PD_ASSERT(TAILQ_EMPTY(&queue->polls));
    pdi_queue_drop_tasks(queue);
    while ((poller = queue->pollers)) {
        queue->pollers = poller->next;
        pd_free(poller);
    }
    HASH_DEL(queue->matching->queues, queue);
    pd_free(queue->normal_name);
    pd_free(queue);
}

void pdi_queue_note_normal(pd_task_queue_t *queue, const char *normal_task_queue)
{
    if (!queue->normal_name && queue->matching->far.is_home)
        queue->normal_name = pd_strdup(normal_task_queue);
}

bool pdi_queue_is_home(const pd_task_queue_t *queue)
{
    const pd_matching_far_t *far = &queue->matching->far;

    return !far->is_home || far->is_home(far->ctx, queue->ns, queue->normal_name);
}

void pdi_queue_note_poller(pd_task_queue_t *queue, const char *identity, int64_t now_ns)
{
    pdi_poller_t **at = &queue->pollers, *poller;
    size_t count = 0, size = strlen(identity) + 1;

    while ((poller = *at)) {
        if (strcmp(poller->identity, identity) == 0) {
            poller->last_access_ns = now_ns;
            return;
        }
        if (now_ns - poller->last_access_ns > PDI_POLLER_HISTORY_NS) {
            *at = poller->next;
            pd_free(poller);
            continue;
        }
        count++;
        at = &poller->next;
    }
    if (count >= POLLER_COUNT_MAX)
        return;
    poller = pd_alloc(sizeof(*poller) + size);
    memcpy(poller->identity, identity, size);
    poller->last_access_ns = now_ns;
    poller->next = queue->pollers;
    queue->pollers = poller;
}

/* ---- tasks ---- */

static bool is_origin_of(const pdi_origin_t *origin, const pd_offer_t *offer)
{
    if (origin->is_far != (offer->far_node != NULL))
        return false;
    if (!origin->is_far)
        return origin->partition == offer->partition;
    return origin->partition_index == offer->partition_index && origin->epoch == offer->epoch &&
           strcmp(origin->far_node, offer->far_node) == 0;
}

/* The one that offered last is in front: it goes on offering. */
static pdi_origin_t *origin_of(pd_matching_t *matching, const pd_offer_t *offer)
{
    size_t size = offer->far_node ? strlen(offer->far_node) + 1 : 1;
    pdi_origin_t *origin;

    LIST_FOREACH (origin, &matching->origins, link) {
        if (is_origin_of(origin, offer))
            break;
    }
    if (origin && origin == LIST_FIRST(&matching->origins))
        return origin;
    if (origin) {
        LIST_REMOVE(origin, link);
    } else {
        origin = pd_calloc(1, sizeof(*origin) + size);
        TAILQ_INIT(&origin->tasks);
        origin->partition = offer->partition;
        origin->partition_index = offer->partition_index;
        origin->epoch = offer->epoch;
        origin->is_far = offer->far_node != NULL;
        memcpy(origin->far_node, pd_pb_str(offer->far_node), size);
    }
    LIST_INSERT_HEAD(&matching->origins, origin, link);
    return origin;
}

static pdi_task_t *task_new(const pd_offer_t *offer)
{
    size_t a = strlen(offer->workflow_id) + 1, b = strlen(offer->run_id) + 1;
    size_t c = strlen(offer->normal_task_queue) + 1;
    pdi_task_t *task = pd_alloc(sizeof(*task) + a + b + c);

    memcpy(task->strings, offer->workflow_id, a);
    memcpy(task->strings + a, offer->run_id, b);
    memcpy(task->strings + a + b, offer->normal_task_queue, c);
    task->workflow_id = task->strings;
    task->run_id = task->strings + a;
    task->normal_task_queue = task->strings + a + b;
    task->ns = offer->ns;
    task->scheduled_event_id = offer->scheduled_event_id;
    task->attempt = offer->attempt;
    task->time_ns = offer->time_ns;
    task->query_id = offer->query_id;
    return task;
}

void pdi_task_add(pd_task_queue_t *queue, const pd_offer_t *offer)
{
    pdi_task_t *task = task_new(offer);

    task->queue = queue;
    task->origin = origin_of(queue->matching, offer);
    TAILQ_INSERT_TAIL(&queue->tasks, task, link);
    TAILQ_INSERT_TAIL(&task->origin->tasks, task, origin_link);
    count_tasks(queue, 1);
}

void pdi_task_take(pdi_task_t *task)
{
    PD_ASSERT(task->queue);
    TAILQ_REMOVE(&task->queue->tasks, task, link);
    count_tasks(task->queue, -1);
    task->queue = NULL;
}

void pdi_task_free(pdi_task_t *task)
{
    pdi_origin_t *origin = task->origin;

    if (task->queue)
        pdi_task_take(task);
    TAILQ_REMOVE(&origin->tasks, task, origin_link);
    pd_free(task);
    if (!TAILQ_EMPTY(&origin->tasks))
        return;
    LIST_REMOVE(origin, link);
    pd_free(origin);
}

void pdi_queue_drop_tasks(pd_task_queue_t *queue)
{
    pdi_task_t *task;

    while ((task = TAILQ_FIRST(&queue->tasks)))
        pdi_task_free(task);
}

void pdi_origins_drop(pd_matching_t *matching,
                      bool (*drops)(const pdi_origin_t *origin, const void *ctx), const void *ctx)
{
    pdi_origin_t *origin, *next;

    for (origin = LIST_FIRST(&matching->origins); origin; origin = next) {
        pdi_task_t *task = TAILQ_FIRST(&origin->tasks), *following;

        next = LIST_NEXT(origin, link);
        for (task = drops(origin, ctx) ? task : NULL; task; task = following) {
            following = TAILQ_NEXT(task, origin_link);
            pdi_task_free(task); /* with the last one the origin */
        }
    }
}

/* ---- describing ---- */

void pd_matching_describe(pd_matching_t *matching, const pd_namespace_t *ns, pd_task_kind_t kind,
                          const char *task_queue, pd_arena_t *arena, pd_task_queue_view_t *view)
{
    pd_task_queue_t *queue = pdi_queue_find(matching, ns, kind, task_queue, false);
    Temporal__Api__Taskqueue__V1__PollerInfo **pollers;
    int64_t now_ns = pd_loop_now_ns(matching->loop);

    memset(view, 0, sizeof(*view));
    if (!queue)
        return;
    pollers = pd_arena_calloc(arena, POLLER_COUNT_MAX + 1, sizeof(*pollers));
    for (pdi_poller_t *poller = queue->pollers; poller; poller = poller->next) {
        Temporal__Api__Taskqueue__V1__PollerInfo *info;

        if (now_ns - poller->last_access_ns > PDI_POLLER_HISTORY_NS)
            continue;
        info = PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__PollerInfo,
                         temporal__api__taskqueue__v1__poller_info);
        info->identity = pd_arena_strdup(arena, poller->identity);
        info->last_access_time = pd_pb_timestamp(arena, poller->last_access_ns);
        info->rate_per_second = 100000;
        pollers[view->poller_count++] = info;
    }
    view->pollers = (const Temporal__Api__Taskqueue__V1__PollerInfo *const *)pollers;
    view->backlog_count = queue->task_count;
    if (!TAILQ_EMPTY(&queue->tasks))
        view->backlog_age_ns = now_ns - TAILQ_FIRST(&queue->tasks)->time_ns;
}
