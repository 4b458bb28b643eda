/* Tasks of other nodes for workers that wait here: the owner is asked to start one, and its answer
 * goes to the worker as it is.
 *
 *   gone, or it has another owner  -> the poll goes back to the front; the task is forgotten
 *   could not be asked             -> the poll goes back; the task comes back a little later
 *   nobody knows                   -> asked again for the same request; then the poll ends empty,
 * and the task comes back (to be refused, if it was started) */
#include <string.h>

#include "engine/forward/forward_private.h"

#define NS_PER_MS ((int64_t)1000000)
#define ASK_AGAIN_NS (100 * NS_PER_MS)
#define KEPT_NS (200 * NS_PER_MS)
enum { TRY_COUNT_MAX = 3 };

/* In the arena of the poll's call. */
typedef struct start {
    pd_mail_t mail;
    pd_timer_t timer;
    pd_forward_t *forward;
    pd_poll_t *poll;
    pd_offer_t task;
    int try_count;
} start_t;

static void ask(start_t *start);

/* ---- tasks that come back ---- */

static void on_kept(pd_timer_t *timer)
{
    pdi_kept_task_t *kept = PD_CONTAINER_OF(timer, pdi_kept_task_t, timer);
    pd_forward_t *forward = kept->forward;

    TAILQ_REMOVE(&forward->kept, kept, link);
    pd_node_offer(forward->node, &kept->task);
    pd_arena_deinit(&kept->arena);
    pd_free(kept);
}

static void copy_task(pd_offer_t *to, const pd_offer_t *from, pd_arena_t *arena)
{
    *to = *from;
    to->far_node = pd_arena_strdup(arena, from->far_node);
    to->workflow_id = pd_arena_strdup(arena, from->workflow_id);
    to->run_id = pd_arena_strdup(arena, from->run_id);
    to->task_queue = pd_arena_strdup(arena, from->task_queue);
    to->normal_task_queue = pd_arena_strdup(arena, from->normal_task_queue);
}

static void keep_task(const start_t *start)
{
    pd_forward_t *forward = start->forward;
    pdi_kept_task_t *kept = PD_NEW(pdi_kept_task_t);

    kept->forward = forward;
    pd_arena_init(&kept->arena);
    copy_task(&kept->task, &start->task, &kept->arena);
    kept->timer.fire = on_kept;
    TAILQ_INSERT_TAIL(&forward->kept, kept, link);
    pd_loop_timer_start(forward->options.loop, &kept->timer,
                        pd_loop_now_ns(forward->options.loop) + KEPT_NS);
}

void pdi_kept_tasks_free(pd_forward_t *forward)
{
    pdi_kept_task_t *kept;

    while ((kept = TAILQ_FIRST(&forward->kept))) {
        TAILQ_REMOVE(&forward->kept, kept, link);
        pd_loop_timer_stop(forward->options.loop, &kept->timer);
        pd_arena_deinit(&kept->arena);
        pd_free(kept);
    }
}

/* ---- asking ---- */

static void return_poll(const start_t *start)
{
    pd_node_return_poll(start->forward->node, start->poll);
}

static void answer_empty(const start_t *start)
{
    pd_call_respond_data(start->poll->call, pd_alloc(0), 0);
}

static void on_again(pd_timer_t *timer)
{
    ask(PD_CONTAINER_OF(timer, start_t, timer));
}

static void nobody_knows(start_t *start)
{
    pd_loop_t *loop = start->forward->options.loop;

    if (start->try_count < TRY_COUNT_MAX && !atomic_load(&start->poll->call->canceled)) {
        start->timer.fire = on_again;
        pd_loop_timer_start(loop, &start->timer, pd_loop_now_ns(loop) + ASK_AGAIN_NS);
        return;
    }
    keep_task(start);
    answer_empty(start);
}

static void on_started(void *ctx, const pd_peer_reply_t *reply)
{
    start_t *start = ctx;

    start->forward->away_count--;
    if (reply->code == PD_RPC_OK) {
        pd_call_respond_data(start->poll->call, pd_memdup(reply->data.data, reply->data.size),
                             reply->data.size);
    } else if (pdi_is_not_taken(reply) || reply->code == PD_RPC_NOT_FOUND ||
               reply->code == PD_RPC_INVALID_ARGUMENT) {
        return_poll(start);
    } else if (reply->code == PD_RPC_RESOURCE_EXHAUSTED ||
               (reply->unsent && start->try_count == 1)) {
        keep_task(start);
        return_poll(start);
    } else {
        nobody_knows(start);
    }
}

static pd_bytes_t pack(const start_t *start, pd_arena_t *arena)
{
    Perdure__V1__StartTaskRequest request = PERDURE__V1__START_TASK_REQUEST__INIT;
    Perdure__V1__TaskOffer task;
    const pd_poll_t *poll = start->poll;

    pdi_offer_fill(&task, &start->task);
    request.task = &task;
    request.task_queue = (char *)poll->task_queue;
    request.normal_task_queue = (char *)pd_pb_str(poll->normal_task_queue);
    request.identity = (char *)pd_pb_str(poll->identity);
    request.build_id = (char *)pd_pb_str(poll->build_id);
    request.request_id = (char *)poll->request_id;
    return pd_pb_pack_arena(&request, arena);
}

static void ask(start_t *start)
{
    pd_forward_t *forward = start->forward;
    const pd_cluster_member_t *owner = pdi_member(forward, start->task.far_node);
    pd_peer_request_t request = {
        .path = "/perdure.v1.Internal/StartTask",
        .timeout_ns = PDI_INTERNAL_TIMEOUT_MS * NS_PER_MS,
        .on_reply = on_started,
        .ctx = start,
    };
    pd_arena_t arena;

    if (atomic_load(&start->poll->call->canceled) || !owner) {
        keep_task(start);
        if (!owner && start->try_count == 0)
            return_poll(start);
        else
            answer_empty(start);
        return;
    }
    start->try_count++;
    forward->away_count++;
    pd_arena_init(&arena);
    request.message = pack(start, &arena);
    request.address = owner->address;
    forward->options.peers.ops->call(forward->options.peers.ctx, &request);
    pd_arena_deinit(&arena);
}

static void run_start(pd_mail_t *mail)
{
    ask(PD_CONTAINER_OF(mail, start_t, mail));
}

void pdi_start_far(void *ctx, pd_poll_t *poll, const pd_offer_t *task)
{
    pd_forward_t *forward = ctx;
    start_t *start = PD_ARENA_NEW(poll->call->arena, start_t);

    start->mail.run = run_start;
    start->forward = forward;
    start->poll = poll;
    copy_task(&start->task, task, poll->call->arena);
    pd_loop_post(forward->options.loop, &start->mail);
}

/* ---- what other nodes ask ---- */

static void start_refused(pd_call_t *call)
{
    call->error = NULL;
    call->not_taken = false;
    call->again = NULL;
    pdi_refuse(call->router, call);
}

void pdi_start_task_here(void *ctx, pd_poll_t *poll, const pd_offer_t *task)
{
    pd_forward_t *forward = ctx;

    poll->call->again = start_refused;
    poll->call->router = forward;
    pd_node_start_task(forward->node, poll, task);
}
