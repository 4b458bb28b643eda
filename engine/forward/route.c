/* One call's ways: here, to a peer, and parked while there is nowhere to go. */
#include <google/rpc/status.pb-c.h>
#include <perdure/v1/internal.pb-c.h>
#include <string.h>

#include "api/pb/validate.h"
#include "engine/forward/forward_private.h"

#define NS_PER_MS ((int64_t)1000000)
#define PAUSE_MIN_NS (10 * NS_PER_MS) /* between tries of a parked call, doubled each time */
#define PAUSE_MAX_NS (200 * NS_PER_MS)
#define TICK_NS (10 * NS_PER_MS)

static int64_t now_ns(const pdi_route_t *route)
{
    return pd_loop_now_ns(route->forward->options.loop);
}

/* ---- answering ---- */

/* Nobody is to see such an error but the node that sent the call. */
void pdi_refuse(const pd_forward_t *forward, pd_call_t *call)
{
    Perdure__V1__NotTaken not_taken = PERDURE__V1__NOT_TAKEN__INIT;

    pd_call_fail(call, pd_rpc_error_detail(call->arena, PD_RPC_UNAVAILABLE, &not_taken,
                                           "not at home on node %s", forward->name));
}

bool pdi_is_not_taken(const pd_peer_reply_t *reply)
{
    const ProtobufCMessageDescriptor *type = &google__rpc__status__descriptor;
    const Google__Rpc__Status *status;
    pd_bytes_t details = reply->details;
    bool is = false;
    pd_arena_t arena;

    if (reply->code != PD_RPC_UNAVAILABLE || !details.size ||
        pd_pb_validate(type, details) != PD_PB_SOUND)
        return false;
    pd_arena_init(&arena);
    status = pd_pb_unpack(type, &arena, details);
    for (size_t i = 0; status && i < status->n_details; i++)
        is = is ||
             strcmp(status->details[i]->type_url, "type.googleapis.com/perdure.v1.NotTaken") == 0;
    pd_arena_deinit(&arena);
    return is;
}

static void answer_canceled(pdi_route_t *route)
{
    pd_call_fail(route->call,
                 pd_rpc_error(route->call->arena, PD_RPC_CANCELLED, "context canceled"));
}

static void answer_empty(pdi_route_t *route)
{
    pd_call_respond_data(route->call, pd_alloc(0), 0);
}

/* ---- parked ---- */

static void arm(pd_forward_t *forward)
{
    if (forward->parked_count && !forward->retry_timer.heap_index)
        pd_loop_timer_start(forward->options.loop, &forward->retry_timer,
                            pd_loop_now_ns(forward->options.loop) + TICK_NS);
}

static void unpark(pdi_route_t *route)
{
    TAILQ_REMOVE(&route->forward->parked, route, link);
    route->forward->parked_count--;
    route->state = PDI_ROUTE_HERE;
}

static void give_up(pdi_route_t *route)
{
    if (route->is_poll || route->is_done)
        answer_empty(route);
    else
        pd_call_fail(route->call, route->last_error);
}

/* Nothing has come of the call so far. */
static void park(pdi_route_t *route, const pd_rpc_error_t *error)
{
    pd_forward_t *forward = route->forward;
    int64_t now = now_ns(route);

    route->last_error = error;
    if (!route->give_up_ns) {
        route->give_up_ns = now + PD_FORWARD_PATIENCE_NS;
        route->pause_ns = PAUSE_MIN_NS;
    }
    if (forward->parked_count >= PDI_PARKED_COUNT_MAX || now >= route->give_up_ns) {
        give_up(route);
        return;
    }
    route->state = PDI_ROUTE_PARKED;
    route->call->canceled_at = PD_CALL_AT_PEER;
    route->call->place = route;
    route->next_try_ns = now + route->pause_ns;
    route->pause_ns = route->pause_ns * 2 > PAUSE_MAX_NS ? PAUSE_MAX_NS : route->pause_ns * 2;
    TAILQ_INSERT_TAIL(&forward->parked, route, link);
    forward->parked_count++;
    arm(forward);
}

static bool is_known(pdi_route_t *route)
{
    return pd_namespaces_by_name(route->forward->options.namespaces, route->new_namespace) != NULL;
}

void pdi_routes_retry(pd_forward_t *forward, bool all)
{
    int64_t now = pd_loop_now_ns(forward->options.loop);
    pdi_routes_t routes = TAILQ_HEAD_INITIALIZER(routes);
    pdi_route_t *route;

    TAILQ_CONCAT(&routes, &forward->parked, link);
    while ((route = TAILQ_FIRST(&routes))) {
        bool due = all || now >= route->next_try_ns || now >= route->give_up_ns;

        TAILQ_REMOVE(&routes, route, link);
        if (due) {
            forward->parked_count--;
            route->state = PDI_ROUTE_HERE;
        } else {
            TAILQ_INSERT_TAIL(&forward->parked, route, link);
        }
        if (due && route->is_done && is_known(route))
            answer_empty(route);
        else if (due && (route->is_done || now >= route->give_up_ns))
            park(route, route->last_error);
        else if (due)
            pdi_route_go(route);
    }
}

void pdi_routes_on_timer(pd_timer_t *timer)
{
    pd_forward_t *forward = PD_CONTAINER_OF(timer, pd_forward_t, retry_timer);

    pdi_routes_retry(forward, false);
    arm(forward);
}

/* ---- at a peer ---- */

/* What goes along: everything the client said, but what belongs to one connection or one hop. */
static bool goes_along(const char *name)
{
    static const char *const hop[] = {
        "te",           "content-type",  "content-length",       "user-agent",      "host",
        "grpc-timeout", "grpc-encoding", "grpc-accept-encoding", PD_FORWARD_HEADER,
    };

    if (name[0] == ':')
        return false;
    for (size_t i = 0; i < PD_ARRAY_COUNT(hop); i++) {
        if (strcmp(name, hop[i]) == 0)
            return false;
    }
    return true;
}

static size_t headers_of(const pd_forward_t *forward, const pd_call_t *call,
                         pd_peer_header_t *headers)
{
    size_t count = 0;

    headers[count++] = (pd_peer_header_t){PD_FORWARD_HEADER, forward->name};
    for (size_t i = 0; count < PDI_HEADER_COUNT_MAX && call->header_at; i++) {
        if (!call->header_at(call->headers, i, &headers[count].name, &headers[count].value))
            break;
        count += goes_along(headers[count].name);
    }
    return count;
}

static void on_error_reply(pdi_route_t *route, const pd_peer_reply_t *reply)
{
    pd_arena_t *arena = route->call->arena;
    pd_rpc_error_t *error =
        pd_rpc_error(arena, (pd_rpc_code_t)reply->code, "%s", pd_pb_str(reply->message));
    bool again = reply->unsent || (reply->lost && route->is_read);

    if (reply->code == PD_RPC_UNAVAILABLE && !again)
        again = (route->is_poll && !reply->lost) || pdi_is_not_taken(reply);
    if (again) {
        park(route, error);
    } else if (reply->lost && route->is_poll) {
        answer_empty(route);
    } else {
        if (reply->details.size)
            error->details =
                pd_bytes(pd_arena_memdup(arena, reply->details.data, reply->details.size),
                         reply->details.size);
        pd_call_fail(route->call, error);
    }
}

static void on_reply(void *ctx, const pd_peer_reply_t *reply)
{
    pdi_route_t *route = ctx;

    PD_ASSERT(route->state == PDI_ROUTE_AWAY);
    route->state = PDI_ROUTE_HERE;
    route->pending = NULL;
    route->forward->away_count--;
    if (atomic_load(&route->call->canceled)) {
        answer_canceled(route);
    } else if (reply->code != PD_RPC_OK) {
        on_error_reply(route, reply);
    } else if (route->new_namespace && !is_known(route)) {
        route->is_done = true;
        park(route, NULL);
    } else {
        pd_call_respond_data(route->call, pd_memdup(reply->data.data, reply->data.size),
                             reply->data.size);
    }
}

static void send_to(pdi_route_t *route, const pd_cluster_member_t *member)
{
    pd_forward_t *forward = route->forward;
    pd_call_t *call = route->call;
    pd_peer_header_t headers[PDI_HEADER_COUNT_MAX];
    pd_peer_request_t request = {
        .address = member->address,
        .path = call->path,
        .message = call->message,
        .headers = headers,
        .header_count = headers_of(forward, call, headers),
        .on_reply = on_reply,
        .ctx = route,
    };

    if (forward->away_count >= PDI_AWAY_COUNT_MAX) {
        pd_call_fail(call, pd_rpc_error(call->arena, PD_RPC_RESOURCE_EXHAUSTED,
                                        "too many calls are forwarded already"));
        return;
    }
    if (call->deadline_ns != INT64_MAX) {
        request.timeout_ns = call->deadline_ns - now_ns(route);
        if (request.timeout_ns < 1)
            request.timeout_ns = 1;
    }
    forward->away_count++;
    route->state = PDI_ROUTE_AWAY;
    call->canceled_at = PD_CALL_AT_PEER;
    call->place = route;
    route->pending = forward->options.peers.ops->call(forward->options.peers.ctx, &request);
}

static void on_told(void *ctx, const pd_peer_reply_t *reply)
{
}

void pdi_route_tell_others(pd_forward_t *forward, const pd_call_t *call)
{
    pd_peer_header_t headers[PDI_HEADER_COUNT_MAX];
    pd_peer_request_t request = {
        .path = call->path,
        .message = call->message,
        .headers = headers,
        .header_count = headers_of(forward, call, headers),
        .timeout_ns = PDI_INTERNAL_TIMEOUT_MS * NS_PER_MS,
        .on_reply = on_told,
    };

    for (uint32_t i = 0; i < forward->view->member_count; i++) {
        if (i == forward->view->self)
            continue;
        request.address = forward->view->members[i].address;
        forward->options.peers.ops->call(forward->options.peers.ctx, &request);
    }
}

/* ---- ways ---- */

/* Index into the view's members; -1: nobody knows. */
static int32_t place_of(const pdi_route_t *route)
{
    const pd_cluster_view_t *view = route->forward->view;

    if (route->partition >= 0)
        return view->partitions[route->partition].owner;
    return (int32_t)pd_cluster_view_home(view, route->namespace_id, route->task_queue);
}

static void again_by_route(pd_call_t *call)
{
    pdi_route_again(call->routed);
}

static void go_here(pdi_route_t *route)
{
    pd_call_t *call = route->call;

    call->again = again_by_route;
    call->router = route->forward;
    call->routed = route;
    call->routed_to = NULL;                  /* until the local router says otherwise */
    call->canceled_at = PD_CALL_AT_MATCHING; /* never a peer */
    if (!route->go_here(route))
        pd_call_fail(call, pd_rpc_error(call->arena, PD_RPC_RESOURCE_EXHAUSTED,
                                        "service is overloaded, please retry later"));
}

void pdi_route_go(pdi_route_t *route)
{
    const pd_cluster_view_t *view = route->forward->view;
    int32_t place = view ? place_of(route) : -1;

    if (atomic_load(&route->call->canceled))
        answer_canceled(route);
    else if (!view || place == (int32_t)view->self)
        go_here(route);
    else if (pdi_forwarded_by(route->call))
        pdi_refuse(route->forward, route->call);
    else if (place < 0)
        park(route, pd_rpc_unavailable(route->call->arena, "partition %d has no owner now",
                                       route->partition));
    else
        send_to(route, &view->members[place]);
}

void pdi_route_again(pdi_route_t *route)
{
    pd_call_t *call = route->call;
    const pd_rpc_error_t *error = call->error;

    PD_ASSERT(call->not_taken && error);
    call->error = NULL;
    call->not_taken = false;
    if (pdi_forwarded_by(call))
        pdi_refuse(route->forward, route->call);
    else
        park(route, error);
}

void pdi_route_cancel(pdi_route_t *route)
{
    pd_forward_t *forward = route->forward;

    switch (route->state) {
    case PDI_ROUTE_HERE:
        return; /* answered already */
    case PDI_ROUTE_AWAY:
        forward->options.peers.ops->cancel(forward->options.peers.ctx, route->pending);
        route->pending = NULL;
        route->state = PDI_ROUTE_HERE;
        forward->away_count--;
        break;
    case PDI_ROUTE_PARKED:
        unpark(route);
        break;
    }
    answer_canceled(route);
}
