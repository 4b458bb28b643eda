/* matching.c -- a task and a poll meet. */
#include "engine/matching/matching_private.h"

#include "base/memory.h"
#include "engine/partition/partition.h"

#define NS_PER_S ((int64_t)1000000000)
#define STICKY_UNAVAILABLE_NS (10 * NS_PER_S) /* a sticky queue not polled for so long is dead */
#define SWEEP_NS (60 * NS_PER_S)              /* idle queues are let go */

/* ---- tasks ---- */

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
        .partition = task->origin->partition,
        .far_node = task->origin->is_far ? task->origin->far_node : NULL,
        .partition_index = task->origin->partition_index,
        .epoch = task->origin->epoch,
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

    pdi_task_take(task);
    pdi_queue_count_match(queue, task->time_ns, task->query_id);
    match(poll, queue->kind, &offer);
    pdi_task_free(task);
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

    pdi_queue_note_poller(poll->queue, poll->identity, pd_loop_now_ns(poll->matching->loop));
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
    pd_task_queue_t *queue = pdi_queue_find(matching, poll->ns, poll->kind, poll->task_queue, true);
    int64_t now_ns = pd_loop_now_ns(matching->loop);
    pdi_task_t *task = TAILQ_FIRST(&queue->tasks);

    poll->matching = matching;
    poll->not_taken = false;
    poll->refusal = PD_RPC_OK;
    if (pdi_worker_is_gone(matching, poll->worker_instance_key)) {
        answer_empty(poll);
        return;
    }
    pdi_queue_note_normal(queue,
                          poll->normal_task_queue ? poll->normal_task_queue : poll->task_queue);
    queue->last_poll_ns = now_ns;
    queue->shut_down = false;
    if (atomic_load(&poll->call->canceled))
        pd_call_fail(poll->call,
                     pd_rpc_error(poll->call->arena, PD_RPC_CANCELLED, "context canceled"));
    else if (matching->stopped || poll->until_ns <= now_ns)
        answer_empty(poll);
    else if (!pdi_queue_is_home(queue))
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
    pdi_queue_note_poller(pdi_queue_find(matching, poll->ns, poll->kind, poll->task_queue, true),
                          poll->identity, pd_loop_now_ns(matching->loop));
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
    pd_task_queue_t *queue =
        pdi_queue_find(matching, offer->ns, offer->kind, offer->task_queue, true);
    bool sticky = strcmp(offer->task_queue, offer->normal_task_queue) != 0;
    pd_poll_t *poll;

    PD_ASSERT_LOOP(matching->loop);
    if (matching->stopped ||
        (offer->far_node &&
         matching->far.is_void(matching->far.ctx, offer->partition_index, offer->epoch)))
        return;
    pdi_queue_note_normal(queue, offer->normal_task_queue);
    if (sticky && !is_served(queue, pd_loop_now_ns(matching->loop)))
        queue = pdi_queue_find(matching, offer->ns, offer->kind, offer->normal_task_queue, true);
    pdi_queue_note_normal(queue, offer->normal_task_queue);
    poll = TAILQ_FIRST(&queue->polls);
    if (poll) {
        queue->last_poll_ns = pd_loop_now_ns(matching->loop);
        unwait(poll);
        pdi_queue_count_match(queue, offer->time_ns, offer->query_id);
        match(poll, queue->kind, offer);
        return;
    }
    pdi_task_add(queue, offer);
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
    pdi_task_t *task, *last = TAILQ_LAST(&queue->tasks, pdi_tasks);
    bool more = last != NULL;

    while (more) {
        pd_offer_t offer;

        task = TAILQ_FIRST(&queue->tasks);
        more = task != last;
        offer = offer_of(queue, task);
        offer.task_queue = task->normal_task_queue;
        pdi_task_take(task);
        pd_matching_offer(queue->matching, &offer);
        pdi_task_free(task);
    }
}

/* All of them when `ends` is NULL. */
static void answer_polls_of(pd_task_queue_t *queue,
                            bool (*ends)(const pd_poll_t *poll, const void *ctx), const void *ctx)
{
    pd_poll_t *poll, *next;

    for (poll = TAILQ_FIRST(&queue->polls); poll; poll = next) {
        next = TAILQ_NEXT(poll, link);
        if (ends && !ends(poll, ctx))
            continue;
        unwait(poll);
        answer_empty(poll);
    }
}

static bool is_workers(const pd_poll_t *poll, const void *worker_instance_key)
{
    return strcmp(pd_pb_str(poll->worker_instance_key), worker_instance_key) == 0;
}

void pd_matching_shutdown_worker(pd_matching_t *matching, const pd_namespace_t *ns,
                                 const char *worker_instance_key, const char *sticky_task_queue)
{
    pd_task_queue_t *queue, *next;

    PD_ASSERT_LOOP(matching->loop);
    if (!pd_pb_empty(worker_instance_key)) {
        pdi_worker_gone(matching, worker_instance_key);
        HASH_ITER (hh, matching->queues, queue, next) {
            if (queue->ns == ns)
                answer_polls_of(queue, is_workers, worker_instance_key);
        }
    }
    queue = pd_pb_empty(sticky_task_queue)
                ? NULL
                : pdi_queue_find(matching, ns, PD_TASK_WORKFLOW, sticky_task_queue, false);
    if (queue) {
        queue->shut_down = true;
        move_to_normal(queue);
    }
}

/* ---- other nodes ---- */

static bool is_of(const pdi_origin_t *origin, const void *partition)
{
    return origin->partition == partition;
}

static bool is_void(const pdi_origin_t *origin, const void *ctx)
{
    const pd_matching_far_t *far = ctx;

    return origin->is_far && far->is_void(far->ctx, origin->partition_index, origin->epoch);
}

/* Whoever has left waits for its workers' calls to end before it stops, and whoever is cut off must
 * not swallow tasks. */
static bool came_through_a_gone(const pd_poll_t *poll, const void *ctx)
{
    const pd_matching_far_t *far = ctx;

    return poll->through && !far->is_member(far->ctx, poll->through);
}

void pd_matching_homes_changed(pd_matching_t *matching)
{
    pd_task_queue_t *queue, *next;

    PD_ASSERT_LOOP(matching->loop);
    pdi_origins_drop(matching, is_void, &matching->far);
    HASH_ITER (hh, matching->queues, queue, next) {
        if (queue->normal_name && !pdi_queue_is_home(queue))
            answer_polls_of(queue, NULL, NULL);
        else
            answer_polls_of(queue, came_through_a_gone, &matching->far);
    }
}

/* ---- life ---- */

static void on_sweep(pd_timer_t *timer)
{
    pd_matching_t *matching = PD_CONTAINER_OF(timer, pd_matching_t, sweep_timer);
    int64_t now_ns = pd_loop_now_ns(matching->loop);
    pd_task_queue_t *queue, *next;

    HASH_ITER (hh, matching->queues, queue, next) {
        if (queue->normal_name && !pdi_queue_is_home(queue))
            pdi_queue_drop_tasks(queue);
        if (TAILQ_EMPTY(&queue->polls) && TAILQ_EMPTY(&queue->tasks) &&
            now_ns - queue->last_poll_ns > PDI_POLLER_HISTORY_NS)
            pdi_queue_free(queue);
    }
    pd_loop_timer_start(matching->loop, timer, now_ns + SWEEP_NS);
}

pd_matching_t *pd_matching_new(const pd_matching_options_t *options)
{
    pd_matching_t *matching = PD_NEW(pd_matching_t);

    matching->loop = options->loop;
    matching->far = options->far;
    LIST_INIT(&matching->origins);
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
        answer_polls_of(queue, NULL, NULL);
}

void pd_matching_forget_partition(pd_matching_t *matching, const pd_partition_t *partition)
{
    pdi_origins_drop(matching, is_of, partition);
}

void pd_matching_free(pd_matching_t *matching)
{
    pd_task_queue_t *queue, *next;

    if (!matching)
        return;
    HASH_ITER (hh, matching->queues, queue, next)
        pdi_queue_free(queue);
    pdi_workers_free(matching);
    pd_free(matching);
}
