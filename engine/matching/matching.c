#include "engine/matching/matching.h"

#include <uthash.h>

#include "api/pb/time.h"
#include "base/assert.h"
#include "base/memory.h"
#include "engine/partition/partition.h"

#define NS_PER_S ((int64_t)1000000000)
#define STICKY_UNAVAILABLE_NS (10 * NS_PER_S) /* a sticky queue not polled for so long is dead */
#define POLLER_HISTORY_NS (300 * NS_PER_S)    /* pollers are shown for so long */
#define SWEEP_NS (60 * NS_PER_S)              /* idle queues are let go */

enum { POLLER_COUNT_MAX = 100 };

/* A task that waits for a poller; one allocation with its strings. */
typedef struct pdi_task {
    TAILQ_ENTRY(pdi_task) link;
    pd_partition_t *partition;
    const pd_namespace_t *ns;
    const char *workflow_id;
    const char *run_id;
    const char *normal_task_queue;
    const char *far_node; /* NULL: of this node */
    uint32_t partition_index;
    int64_t epoch;
    int64_t scheduled_event_id;
    int64_t time_ns;
    uint64_t query_id;
    int32_t attempt;
    char strings[];
} pdi_task_t;
typedef TAILQ_HEAD(pdi_tasks, pdi_task) pdi_tasks_t;

/* Who has polled, for describing the queue. */
typedef struct pdi_poller {
    struct pdi_poller *next;
    int64_t last_access_ns;
    char identity[];
} pdi_poller_t;

typedef struct pd_task_queue {
    UT_hash_handle hh;
    pd_matching_t *matching;
    const pd_namespace_t *ns;
    pd_task_kind_t kind;
    const char *name;  /* within key */
    char *normal_name; /* NULL until known; equals name unless this one is sticky */
    TAILQ_HEAD(, pd_poll) polls;
    pdi_tasks_t tasks;
    int64_t task_count;
    int64_t last_poll_ns;
    bool shut_down; /* a sticky queue whose worker said goodbye */
    pdi_poller_t *pollers;
    size_t key_size;
    char key[]; /* kind, namespace ID NUL, name NUL */
} pd_task_queue_t;

struct pd_matching {
    pd_loop_t *loop;
    pd_matching_far_t far;
    pd_task_queue_t *queues;
    pd_timer_t sweep_timer;
    bool stopped;
    pd_matching_metrics_t metrics;
};

/* ---- counting ---- */

static void count_tasks(pd_task_queue_t *queue, int64_t count)
{
    queue->task_count += count;
    pd_gauge_add(&queue->matching->metrics.backlog_count[queue->kind], count);
}

static void count_match(pd_task_queue_t *queue, int64_t time_ns, uint64_t query_id)
{
    if (!query_id)
        pd_histogram_observe(&queue->matching->metrics.schedule_to_start[queue->kind],
                             pd_loop_now_ns(queue->matching->loop) - time_ns);
}

/* ---- queues ---- */

static pd_task_queue_t *queue_find(pd_matching_t *matching, const pd_namespace_t *ns,
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

static void queue_free(pd_task_queue_t *queue)
{
    pdi_poller_t *poller;
    pdi_task_t *task;

    PD_ASSERT(TAILQ_EMPTY(&queue->polls));
    while ((task = TAILQ_FIRST(&queue->tasks))) {
        TAILQ_REMOVE(&queue->tasks, task, link);
        pd_free(task);
    }
    while ((poller = queue->pollers)) {
        queue->pollers = poller->next;
        pd_free(poller);
    }
    HASH_DEL(queue->matching->queues, queue);
    pd_free(queue->normal_name);
    pd_free(queue);
}

static void note_normal(pd_task_queue_t *queue, const char *normal_task_queue)
{
    if (!queue->normal_name && queue->matching->far.is_home)
        queue->normal_name = pd_strdup(normal_task_queue);
}

static bool is_home(const pd_task_queue_t *queue)
{
    const pd_matching_far_t *far = &queue->matching->far;

    return !far->is_home || far->is_home(far->ctx, queue->ns, queue->normal_name);
}

static void note_poller(pd_task_queue_t *queue, const char *identity, int64_t now_ns)
{
    pdi_poller_t **at = &queue->pollers, *poller;
    size_t count = 0, size = strlen(identity) + 1;

    while ((poller = *at)) {
        if (strcmp(poller->identity, identity) == 0) {
            poller->last_access_ns = now_ns;
            return;
        }
        if (now_ns - poller->last_access_ns > POLLER_HISTORY_NS) {
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

static pdi_task_t *task_new(const pd_offer_t *offer)
{
    size_t a = strlen(offer->workflow_id) + 1, b = strlen(offer->run_id) + 1;
    size_t c = strlen(offer->normal_task_queue) + 1;
    size_t d = offer->far_node ? strlen(offer->far_node) + 1 : 0;
    pdi_task_t *task = pd_alloc(sizeof(*task) + a + b + c + d);

    memcpy(task->strings, offer->workflow_id, a);
    memcpy(task->strings + a, offer->run_id, b);
    memcpy(task->strings + a + b, offer->normal_task_queue, c);
    task->workflow_id = task->strings;
    task->run_id = task->strings + a;
    task->normal_task_queue = task->strings + a + b;
    task->far_node = d ? memcpy(task->strings + a + b + c, offer->far_node, d) : NULL;
    task->partition_index = offer->partition_index;
    task->epoch = offer->epoch;
    task->partition = offer->partition;
    task->ns = offer->ns;
    task->scheduled_event_id = offer->scheduled_event_id;
    task->attempt = offer->attempt;
    task->time_ns = offer->time_ns;
    task->query_id = offer->query_id;
    return task;
}

static void run_submit(pd_mail_t *mail)
{
    pd_command_t *command = PD_CONTAINER_OF(mail, pd_command_t, mail);

    pd_partition_submit(command->partition, command);
}

static void run_hand_out_query(pd_mail_t *mail)
{
    pd_poll_t *poll = PD_CONTAINER_OF(mail, pd_poll_t, mail);

    pd_partition_hand_out_query(poll->partition, poll, poll->query_id);
}

/* Always by mail, even on one loop: a partition in the midst of a command must not get the next. */
static void match(pd_poll_t *poll, pd_task_kind_t kind, const pd_offer_t *task)
{
    pd_command_t *command;

    if (task->far_node) {
        poll->matching->far.start(poll->matching->far.ctx, poll, task);
        return;
    }
    if (task->query_id) {
        poll->partition = task->partition;
        poll->query_id = task->query_id;
        poll->mail.run = run_hand_out_query;
        pd_loop_post(pd_partition_loop(task->partition), &poll->mail);
        return;
    }
    command = pd_command_new(kind == PD_TASK_WORKFLOW ? &pd_command_start_workflow_task
                                                      : &pd_command_start_activity_task);
    command->ns = task->ns;
    command->workflow_id = pd_arena_strdup(command->arena, task->workflow_id);
    command->run_id = pd_arena_strdup(command->arena, task->run_id);
    command->scheduled_event_id = task->scheduled_event_id;
    command->attempt = task->attempt;
    command->poll = poll;
    command->partition = task->partition;
    command->mail.run = run_submit;
    pd_loop_post(pd_partition_loop(task->partition), &command->mail);
}

static pd_offer_t offer_of(const pd_task_queue_t *queue, const pdi_task_t *task)
{
    return (pd_offer_t){
        .kind = queue->kind,
        .partition = task->partition,
        .far_node = task->far_node,
        .partition_index = task->partition_index,
        .epoch = task->epoch,
        .ns = task->ns,
        .workflow_id = task->workflow_id,
        .run_id = task->run_id,
        .scheduled_event_id = task->scheduled_event_id,
        .attempt = task->attempt,
        .time_ns = task->time_ns,
        .task_queue = queue->name,
        .normal_task_queue = task->normal_task_queue,
        .query_id = task->query_id,
    };
}

static void match_task(pd_poll_t *poll, pd_task_queue_t *queue, pdi_task_t *task)
{
    pd_offer_t offer = offer_of(queue, task);

    TAILQ_REMOVE(&queue->tasks, task, link);
    count_tasks(queue, -1);
    count_match(queue, task->time_ns, task->query_id);
    match(poll, queue->kind, &offer);
    pd_free(task);
}

/* ---- polls ---- */

static void answer_empty(pd_poll_t *poll)
{
    pd_call_respond_data(poll->call, pd_alloc(0), 0);
}

/* Takes a waiting poll off its queue. */
static void unwait(pd_poll_t *poll)
{
    pd_loop_timer_stop(poll->matching->loop, &poll->timer);
    TAILQ_REMOVE(&poll->queue->polls, poll, link);
    pd_gauge_add(&poll->matching->metrics.poller_count[poll->kind], -1);
    poll->queue = NULL;
    poll->call->parked_in = NULL;
}

static void on_poll_expired(pd_timer_t *timer)
{
    pd_poll_t *poll = PD_CONTAINER_OF(timer, pd_poll_t, timer);

    note_poller(poll->queue, poll->identity, pd_loop_now_ns(poll->matching->loop));
    unwait(poll);
    answer_empty(poll);
}

static void on_poll_canceled(pd_call_t *call)
{
    pd_poll_t *poll = call->parked_in;

    unwait(poll);
    pd_call_fail(call, pd_rpc_error(call->arena, PD_RPC_CANCELLED, "context canceled"));
}

static void wait_in(pd_task_queue_t *queue, pd_poll_t *poll, bool at_front)
{
    poll->queue = queue;
    pd_gauge_add(&queue->matching->metrics.poller_count[poll->kind], 1);
    if (at_front)
        TAILQ_INSERT_HEAD(&queue->polls, poll, link);
    else
        TAILQ_INSERT_TAIL(&queue->polls, poll, link);
    poll->call->parked_in = poll;
    poll->call->unpark = on_poll_canceled;
    poll->timer.fire = on_poll_expired;
    pd_loop_timer_start(queue->matching->loop, &poll->timer, poll->until_ns);
}

static void take_poll(pd_matching_t *matching, pd_poll_t *poll, bool at_front)
{
    pd_task_queue_t *queue = queue_find(matching, poll->ns, poll->kind, poll->task_queue, true);
    int64_t now_ns = pd_loop_now_ns(matching->loop);
    pdi_task_t *task = TAILQ_FIRST(&queue->tasks);

    poll->matching = matching;
    poll->not_taken = false;
    poll->refusal = PD_RPC_OK;
    note_normal(queue, poll->normal_task_queue ? poll->normal_task_queue : poll->task_queue);
    queue->last_poll_ns = now_ns;
    queue->shut_down = false;
    if (atomic_load(&poll->call->canceled))
        pd_call_fail(poll->call,
                     pd_rpc_error(poll->call->arena, PD_RPC_CANCELLED, "context canceled"));
    else if (matching->stopped || poll->until_ns <= now_ns)
        answer_empty(poll);
    else if (!is_home(queue))
        pd_call_fail_not_taken(
            poll->call,
            pd_rpc_unavailable(poll->call->arena, "the task queue is not at home here"));
    else if (task)
        match_task(poll, queue, task);
    else
        wait_in(queue, poll, at_front);
}

void pd_matching_poll(pd_matching_t *matching, pd_poll_t *poll)
{
    PD_ASSERT_LOOP(matching->loop);
    note_poller(queue_find(matching, poll->ns, poll->kind, poll->task_queue, true), poll->identity,
                pd_loop_now_ns(matching->loop));
    take_poll(matching, poll, false);
}

void pd_matching_poll_returned(pd_matching_t *matching, pd_poll_t *poll)
{
    PD_ASSERT_LOOP(matching->loop);
    take_poll(matching, poll, true);
}

/* A sticky queue counts as served while somebody waits there or has polled it lately. */
static bool is_served(const pd_task_queue_t *queue, int64_t now_ns)
{
    return !queue->shut_down &&
           (!TAILQ_EMPTY(&queue->polls) || now_ns - queue->last_poll_ns < STICKY_UNAVAILABLE_NS);
}

void pd_matching_offer(pd_matching_t *matching, const pd_offer_t *offer)
{
    pd_task_queue_t *queue = queue_find(matching, offer->ns, offer->kind, offer->task_queue, true);
    bool sticky = strcmp(offer->task_queue, offer->normal_task_queue) != 0;
    pd_poll_t *poll;
    pdi_task_t *task;

    PD_ASSERT_LOOP(matching->loop);
    if (matching->stopped ||
        (offer->far_node &&
         matching->far.is_void(matching->far.ctx, offer->partition_index, offer->epoch)))
        return;
    note_normal(queue, offer->normal_task_queue);
    if (sticky && !is_served(queue, pd_loop_now_ns(matching->loop)))
        queue = queue_find(matching, offer->ns, offer->kind, offer->normal_task_queue, true);
    note_normal(queue, offer->normal_task_queue);
    poll = TAILQ_FIRST(&queue->polls);
    if (poll) {
        queue->last_poll_ns = pd_loop_now_ns(matching->loop);
        unwait(poll);
        count_match(queue, offer->time_ns, offer->query_id);
        match(poll, queue->kind, offer);
        return;
    }
    task = task_new(offer);
    TAILQ_INSERT_TAIL(&queue->tasks, task, link);
    count_tasks(queue, 1);
}

void pd_matching_cancel(pd_matching_t *matching, pd_call_t *call)
{
    PD_ASSERT_LOOP(matching->loop);
    if (call->parked_in)
        call->unpark(call);
}

/* ---- workers that leave ---- */

static void move_to_normal(pd_task_queue_t *queue)
{
    pdi_tasks_t tasks = TAILQ_HEAD_INITIALIZER(tasks);
    pdi_task_t *task;

    TAILQ_CONCAT(&tasks, &queue->tasks, link);
    count_tasks(queue, -queue->task_count);
    while ((task = TAILQ_FIRST(&tasks))) {
        pd_offer_t offer = offer_of(queue, task);

        offer.task_queue = task->normal_task_queue;
        TAILQ_REMOVE(&tasks, task, link);
        pd_matching_offer(queue->matching, &offer);
        pd_free(task);
    }
}

static void answer_polls_of(pd_task_queue_t *queue, const char *worker_instance_key)
{
    pd_poll_t *poll, *next;

    for (poll = TAILQ_FIRST(&queue->polls); poll; poll = next) {
        next = TAILQ_NEXT(poll, link);
        if (worker_instance_key &&
            strcmp(pd_pb_str(poll->worker_instance_key), worker_instance_key) != 0)
            continue;
        unwait(poll);
        answer_empty(poll);
    }
}

void pd_matching_shutdown_worker(pd_matching_t *matching, const pd_namespace_t *ns,
                                 const char *worker_instance_key, const char *sticky_task_queue)
{
    pd_task_queue_t *queue, *next;

    PD_ASSERT_LOOP(matching->loop);
    if (!pd_pb_empty(worker_instance_key)) {
        HASH_ITER (hh, matching->queues, queue, next) {
            if (queue->ns == ns)
                answer_polls_of(queue, worker_instance_key);
        }
    }
    queue = pd_pb_empty(sticky_task_queue)
                ? NULL
                : queue_find(matching, ns, PD_TASK_WORKFLOW, sticky_task_queue, false);
    if (queue) {
        queue->shut_down = true;
        move_to_normal(queue);
    }
}

/* ---- describing ---- */

void pd_matching_describe(pd_matching_t *matching, const pd_namespace_t *ns, pd_task_kind_t kind,
                          const char *task_queue, pd_arena_t *arena, pd_task_queue_view_t *view)
{
    pd_task_queue_t *queue = queue_find(matching, ns, kind, task_queue, false);
    Temporal__Api__Taskqueue__V1__PollerInfo **pollers;
    int64_t now_ns = pd_loop_now_ns(matching->loop);

    memset(view, 0, sizeof(*view));
    if (!queue)
        return;
    pollers = pd_arena_calloc(arena, POLLER_COUNT_MAX + 1, sizeof(*pollers));
    for (pdi_poller_t *poller = queue->pollers; poller; poller = poller->next) {
        Temporal__Api__Taskqueue__V1__PollerInfo *info;

        if (now_ns - poller->last_access_ns > POLLER_HISTORY_NS)
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

/* ---- other nodes ---- */

typedef bool (*drops_t)(const pd_matching_t *matching, const pdi_task_t *task, const void *ctx);

static void drop_tasks(pd_task_queue_t *queue, drops_t drops, const void *ctx)
{
    pdi_task_t *task, *next;

    for (task = TAILQ_FIRST(&queue->tasks); task; task = next) {
        next = TAILQ_NEXT(task, link);
        if (!drops(queue->matching, task, ctx))
            continue;
        TAILQ_REMOVE(&queue->tasks, task, link);
        count_tasks(queue, -1);
        pd_free(task);
    }
}

static bool is_any(const pd_matching_t *matching, const pdi_task_t *task, const void *ctx)
{
    return true;
}

static bool is_void(const pd_matching_t *matching, const pdi_task_t *task, const void *ctx)
{
    return task->far_node &&
           matching->far.is_void(matching->far.ctx, task->partition_index, task->epoch);
}

static bool is_of_partition(const pd_matching_t *matching, const pdi_task_t *task, const void *ctx)
{
    return task->partition == ctx;
}

void pd_matching_homes_changed(pd_matching_t *matching)
{
    pd_task_queue_t *queue, *next;

    PD_ASSERT_LOOP(matching->loop);
    HASH_ITER (hh, matching->queues, queue, next) {
        drop_tasks(queue, is_void, NULL);
        if (queue->normal_name && !is_home(queue))
            answer_polls_of(queue, NULL);
    }
}

/* ---- life ---- */

static void on_sweep(pd_timer_t *timer)
{
    pd_matching_t *matching = PD_CONTAINER_OF(timer, pd_matching_t, sweep_timer);
    int64_t now_ns = pd_loop_now_ns(matching->loop);
    pd_task_queue_t *queue, *next;

    HASH_ITER (hh, matching->queues, queue, next) {
        if (queue->normal_name && !is_home(queue))
            drop_tasks(queue, is_any, NULL);
        if (TAILQ_EMPTY(&queue->polls) && TAILQ_EMPTY(&queue->tasks) &&
            now_ns - queue->last_poll_ns > POLLER_HISTORY_NS)
            queue_free(queue);
    }
    pd_loop_timer_start(matching->loop, timer, now_ns + SWEEP_NS);
}

pd_matching_t *pd_matching_new(const pd_matching_options_t *options)
{
    pd_matching_t *matching = PD_NEW(pd_matching_t);

    matching->loop = options->loop;
    matching->far = options->far;
    matching->sweep_timer.fire = on_sweep;
    if (options->metrics)
        pd_matching_metrics_register(&matching->metrics, options->metrics);
    return matching;
}

void pd_matching_start(pd_matching_t *matching)
{
    on_sweep(&matching->sweep_timer);
}

void pd_matching_stop(pd_matching_t *matching)
{
    pd_task_queue_t *queue, *next;

    matching->stopped = true;
    pd_loop_timer_stop(matching->loop, &matching->sweep_timer);
    HASH_ITER (hh, matching->queues, queue, next)
        answer_polls_of(queue, NULL);
}

void pd_matching_forget_partition(pd_matching_t *matching, const pd_partition_t *partition)
{
    pd_task_queue_t *queue, *next;

    HASH_ITER (hh, matching->queues, queue, next)
        drop_tasks(queue, is_of_partition, partition);
}

void pd_matching_free(pd_matching_t *matching)
{
    pd_task_queue_t *queue, *next;

    if (!matching)
        return;
    HASH_ITER (hh, matching->queues, queue, next)
        queue_free(queue);
    pd_free(matching);
}
