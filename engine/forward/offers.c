/* Ready tasks on their way to the homes of their queues on other nodes: in batches, one batch a
 * home at a time, sent again until they are taken or the home moves. */
#include <string.h>

#include "api/pb/validate.h"
#include "base/diag.h"
#include "engine/forward/forward_private.h"

#define NS_PER_MS ((int64_t)1000000)
#define REFUSED_PAUSE_NS (50 * NS_PER_MS) /* views differ for a moment */
#define FAILED_PAUSE_NS (100 * NS_PER_MS)

enum {
    BATCH_COUNT_MAX = 500,
    BATCH_SIZE_MAX = 1 << 20,
    OFFER_COUNT_MAX = 200000, /* on their way to all homes together; one has about 300 bytes */
};

static void send_batch(pdi_outbox_t *outbox);
static void on_timer(pd_timer_t *timer);

/* ---- one offer ---- */

static void offer_free(pdi_far_offer_t *offer)
{
    atomic_fetch_sub_explicit(&offer->forward->offer_count, 1, memory_order_relaxed);
    pd_free(offer);
}

static pdi_outbox_t *outbox_of(pd_forward_t *forward, const char *node)
{
    pdi_outbox_t *outbox;

    for (outbox = forward->outboxes; outbox; outbox = outbox->next) {
        if (strcmp(outbox->node, node) == 0)
            return outbox;
    }
    outbox = pd_calloc(1, sizeof(*outbox) + strlen(node) + 1);
    memcpy(outbox->node, node, strlen(node) + 1);
    outbox->forward = forward;
    outbox->timer.fire = on_timer;
    TAILQ_INIT(&outbox->waiting);
    TAILQ_INIT(&outbox->sent);
    outbox->next = forward->outboxes;
    forward->outboxes = outbox;
    return outbox;
}

/* To its home by the newest view. */
static void take(pdi_far_offer_t *offer)
{
    pd_forward_t *forward = offer->forward;
    const pd_cluster_view_t *view = forward->view;
    uint32_t home =
        view ? pd_cluster_view_home(view, offer->offer.ns->id, offer->offer.normal_task_queue) : 0;
    pdi_outbox_t *outbox;

    if (!view || home == view->self) {
        pd_node_offer(forward->node, &offer->offer);
        offer_free(offer);
        return;
    }
    outbox = outbox_of(forward, view->members[home].name);
    TAILQ_INSERT_TAIL(&outbox->waiting, offer, link);
    send_batch(outbox);
}

static void run_take(pd_mail_t *mail)
{
    take(PD_CONTAINER_OF(mail, pdi_far_offer_t, mail));
}

static const char *put(char **at, const char *text)
{
    char *copy = *at;

    memcpy(copy, text, strlen(text) + 1);
    *at += strlen(text) + 1;
    return copy;
}

void pdi_offer_far(void *ctx, const pd_offer_t *from)
{
    pd_forward_t *forward = ctx;
    pdi_far_offer_t *offer;
    char *at;

    if (atomic_fetch_add_explicit(&forward->offer_count, 1, memory_order_relaxed) >=
        OFFER_COUNT_MAX) {
        atomic_fetch_sub_explicit(&forward->offer_count, 1, memory_order_relaxed);
        atomic_store(&forward->offers_dropped, true); /* all are offered again, later */
        return;
    }
    offer = pd_alloc(sizeof(*offer) + strlen(from->workflow_id) + strlen(from->run_id) +
                     strlen(from->task_queue) + strlen(from->normal_task_queue) + 4);
    at = offer->strings;
    offer->mail.run = run_take;
    offer->forward = forward;
    offer->offer = *from;
    offer->offer.workflow_id = put(&at, from->workflow_id);
    offer->offer.run_id = put(&at, from->run_id);
    offer->offer.task_queue = put(&at, from->task_queue);
    offer->offer.normal_task_queue = put(&at, from->normal_task_queue);
    pd_loop_post(forward->options.loop, &offer->mail);
}

void pdi_offer_fill(Perdure__V1__TaskOffer *to, const pd_offer_t *from)
{
    perdure__v1__task_offer__init(to);
    to->is_activity = from->kind == PD_TASK_ACTIVITY;
    to->partition = from->partition_index;
    to->epoch = from->epoch;
    to->namespace_id = (char *)from->ns->id;
    to->workflow_id = (char *)from->workflow_id;
    to->run_id = (char *)from->run_id;
    to->scheduled_event_id = from->scheduled_event_id;
    to->attempt = from->attempt;
    to->time_ns = from->time_ns;
    to->task_queue = (char *)from->task_queue;
    to->normal_task_queue = (char *)from->normal_task_queue;
    to->query_id = from->query_id;
}

/* ---- batches ---- */

/* Everything that waits, to its home by the newest view. */
static void sort_again(pdi_outbox_t *outbox)
{
    pdi_far_offers_t offers = TAILQ_HEAD_INITIALIZER(offers);
    pdi_far_offer_t *offer;

    TAILQ_CONCAT(&offers, &outbox->waiting, link);
    outbox->homes_moved = false;
    while ((offer = TAILQ_FIRST(&offers))) {
        TAILQ_REMOVE(&offers, offer, link);
        take(offer);
    }
}

static void on_timer(pd_timer_t *timer)
{
    pdi_outbox_t *outbox = PD_CONTAINER_OF(timer, pdi_outbox_t, timer);

    if (outbox->homes_moved)
        sort_again(outbox);
    else
        send_batch(outbox);
}

void pdi_outboxes_sort_again(pd_forward_t *forward)
{
    for (pdi_outbox_t *outbox = forward->outboxes; outbox; outbox = outbox->next) {
        pd_loop_timer_stop(forward->options.loop, &outbox->timer);
        sort_again(outbox);
        outbox->homes_moved = outbox->pending != NULL;
    }
}

/* Frees what the home took; the rest waits again. False: some were refused. */
static bool settle(pdi_outbox_t *outbox, const Perdure__V1__OfferTasksResponse *response)
{
    pdi_far_offers_t kept = TAILQ_HEAD_INITIALIZER(kept);
    pdi_far_offer_t *offer;
    size_t at = 0;
    bool all;

    for (uint32_t index = 0; (offer = TAILQ_FIRST(&outbox->sent)); index++) {
        TAILQ_REMOVE(&outbox->sent, offer, link);
        if (response && (at >= response->n_refused || response->refused[at] != index)) {
            offer_free(offer);
            continue;
        }
        at++;
        TAILQ_INSERT_TAIL(&kept, offer, link);
    }
    all = TAILQ_EMPTY(&kept);
    TAILQ_CONCAT(&kept, &outbox->waiting, link);
    TAILQ_CONCAT(&outbox->waiting, &kept, link);
    return all;
}

static void catch_up(pd_forward_t *forward)
{
    if (atomic_load(&forward->offers_dropped) &&
        atomic_load_explicit(&forward->offer_count, memory_order_relaxed) < OFFER_COUNT_MAX / 4 &&
        atomic_exchange(&forward->offers_dropped, false))
        pd_node_offer_again(forward->node);
}

static void on_offered(void *ctx, const pd_peer_reply_t *reply)
{
    const ProtobufCMessageDescriptor *type = &perdure__v1__offer_tasks_response__descriptor;
    pdi_outbox_t *outbox = ctx;
    pd_forward_t *forward = outbox->forward;
    const Perdure__V1__OfferTasksResponse *response = NULL;
    int64_t pause_ns = FAILED_PAUSE_NS;
    pd_arena_t arena;
    bool all;

    pd_arena_init(&arena);
    outbox->pending = NULL;
    if (reply->code == PD_RPC_OK && pd_pb_validate(type, reply->data) == PD_PB_SOUND) {
        response = pd_pb_unpack(type, &arena, reply->data);
        pause_ns = REFUSED_PAUSE_NS;
    } else if (reply->code == PD_RPC_INVALID_ARGUMENT) {
        Perdure__V1__OfferTasksResponse none = PERDURE__V1__OFFER_TASKS_RESPONSE__INIT;

        PD_DIAG(PD_DIAG_ERROR, "offered tasks are malformed", "home=%s error=\"%s\"", outbox->node,
                reply->message);
        settle(outbox, &none); /* it would say so again and again */
    }
    all = settle(outbox, response);
    pd_arena_deinit(&arena);
    if (all)
        send_batch(outbox);
    else
        pd_loop_timer_start(forward->options.loop, &outbox->timer,
                            pd_loop_now_ns(forward->options.loop) + pause_ns);
    catch_up(forward);
}

static pd_bytes_t pack_batch(pdi_outbox_t *outbox, pd_arena_t *arena)
{
    Perdure__V1__OfferTasksRequest request = PERDURE__V1__OFFER_TASKS_REQUEST__INIT;
    Perdure__V1__TaskOffer *offers = pd_arena_calloc(arena, BATCH_COUNT_MAX, sizeof(*offers));
    pdi_far_offer_t *offer;
    size_t size = 0;

    request.node = outbox->forward->name;
    request.offers = pd_arena_calloc(arena, BATCH_COUNT_MAX, sizeof(*request.offers));
    while ((offer = TAILQ_FIRST(&outbox->waiting)) && request.n_offers < BATCH_COUNT_MAX &&
           size < BATCH_SIZE_MAX) {
        TAILQ_REMOVE(&outbox->waiting, offer, link);
        TAILQ_INSERT_TAIL(&outbox->sent, offer, link);
        request.offers[request.n_offers] = &offers[request.n_offers];
        pdi_offer_fill(&offers[request.n_offers], &offer->offer);
        size += protobuf_c_message_get_packed_size(&offers[request.n_offers].base);
        request.n_offers++;
    }
    return pd_pb_pack_arena(&request, arena);
}

static void send_batch(pdi_outbox_t *outbox)
{
    pd_forward_t *forward = outbox->forward;
    const pd_cluster_member_t *home = pdi_member(forward, outbox->node);
    pd_peer_request_t request = {
        .path = "/perdure.v1.Internal/OfferTasks",
        .timeout_ns = PDI_INTERNAL_TIMEOUT_MS * NS_PER_MS,
        .on_reply = on_offered,
        .ctx = outbox,
    };
    pd_arena_t arena;

    /* Without a member of that name all is sorted anew with the next view. */
    if (outbox->pending || outbox->timer.heap_index || TAILQ_EMPTY(&outbox->waiting) || !home)
        return;
    pd_arena_init(&arena);
    request.message = pack_batch(outbox, &arena);
    request.address = home->address;
    outbox->pending = forward->options.peers.ops->call(forward->options.peers.ctx, &request);
    pd_arena_deinit(&arena);
}

void pdi_outboxes_free(pd_forward_t *forward)
{
    pdi_outbox_t *outbox;

    while ((outbox = forward->outboxes)) {
        pdi_far_offer_t *offer;

        forward->outboxes = outbox->next;
        pd_loop_timer_stop(forward->options.loop, &outbox->timer);
        TAILQ_CONCAT(&outbox->waiting, &outbox->sent, link);
        while ((offer = TAILQ_FIRST(&outbox->waiting))) {
            TAILQ_REMOVE(&outbox->waiting, offer, link);
            offer_free(offer);
        }
        pd_free(outbox);
    }
}

/* ---- what other nodes offer ---- */

static bool accept_offer(pd_forward_t *forward, const char *node,
                         const Perdure__V1__TaskOffer *from)
{
    const pd_namespace_t *ns = pd_namespaces_by_id(forward->options.namespaces, from->namespace_id);
    pd_offer_t offer = {
        .kind = from->is_activity ? PD_TASK_ACTIVITY : PD_TASK_WORKFLOW,
        .far_node = node,
        .partition_index = from->partition,
        .epoch = from->epoch,
        .ns = ns,
        .workflow_id = from->workflow_id,
        .run_id = from->run_id,
        .scheduled_event_id = from->scheduled_event_id,
        .attempt = from->attempt,
        .time_ns = from->time_ns,
        .task_queue = from->task_queue,
        .normal_task_queue = from->normal_task_queue,
        .query_id = from->query_id,
    };

    if (!ns || !forward->view || strcmp(node, forward->name) == 0 ||
        pd_cluster_view_home(forward->view, ns->id, from->normal_task_queue) != forward->view->self)
        return false;
    pd_node_offer(forward->node, &offer);
    return true;
}

void pdi_offer_tasks_here(void *ctx, pd_call_t *call, const Perdure__V1__OfferTasksRequest *request)
{
    Perdure__V1__OfferTasksResponse response = PERDURE__V1__OFFER_TASKS_RESPONSE__INIT;

    response.refused =
        pd_arena_calloc(call->arena, request->n_offers + 1, sizeof(*response.refused));
    for (size_t i = 0; i < request->n_offers; i++) {
        if (!accept_offer(ctx, request->node, request->offers[i]))
            response.refused[response.n_refused++] = (uint32_t)i;
    }
    pd_call_respond(call, &response);
}
