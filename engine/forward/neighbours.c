/* A node that does not hear the members log asks its neighbours how the cluster is, and goes by the
 * view of one who hears, until it hears again itself. Nothing that is promised depends on it, as
 * with any view: it is what lets clients and workers of such a node go on.
 *
 *     OWN ──the cluster's view is stale──▶ ASKING ──a neighbour's view──▶ BORROWED ─┐ asked
 *      ▲                                     │                              │  ▲    │ again
 *      └──────────────the cluster's view is not stale any more──────────────┘  └────┘
 *
 * Where no neighbour hears, nobody knows better than this node: it keeps the view that it has. */
#include <stdio.h>
#include <string.h>

#include "api/pb/validate.h"
#include "base/diag.h"
#include "engine/forward/forward_private.h"

#define ASK_INTERVAL_NS ((int64_t)500 * 1000000)
#define ASK_TIMEOUT_NS ((int64_t)1000 * 1000000)

/* ---- a view as a message ---- */

static Perdure__V1__GetViewResponse *message_of(const pd_cluster_view_t *view, pd_arena_t *arena)
{
    Perdure__V1__GetViewResponse *message =
        PD_PB_NEW(arena, Perdure__V1__GetViewResponse, perdure__v1__get_view_response);

    message->members = pd_arena_calloc(arena, view->member_count, sizeof(message->members[0]));
    message->partitions =
        pd_arena_calloc(arena, view->partition_count, sizeof(message->partitions[0]));
    for (uint32_t i = 0; i < view->member_count; i++) {
        Perdure__V1__GetViewResponse__Member *member = PD_PB_NEW(
            arena, Perdure__V1__GetViewResponse__Member, perdure__v1__get_view_response__member);

        member->name = (char *)view->members[i].name;
        member->incarnation = (char *)view->members[i].incarnation;
        member->address = (char *)view->members[i].address;
        member->leaving = view->members[i].leaving;
        message->members[message->n_members++] = member;
    }
    for (uint32_t i = 0; i < view->partition_count; i++) {
        Perdure__V1__GetViewResponse__Place *place = PD_PB_NEW(
            arena, Perdure__V1__GetViewResponse__Place, perdure__v1__get_view_response__place);

        place->owner = view->partitions[i].owner;
        place->preferred = view->partitions[i].preferred;
        place->standby = view->partitions[i].standby;
        place->epoch = view->partitions[i].epoch;
        message->partitions[message->n_partitions++] = place;
    }
    return message;
}

static bool is_index(int32_t index, size_t count)
{
    return index >= -1 && (index < 0 || (size_t)index < count);
}

static bool is_member_sound(const Perdure__V1__GetViewResponse__Member *member)
{
    const char *texts[] = {member->name, member->incarnation, member->address};

    for (size_t i = 0; i < PD_ARRAY_COUNT(texts); i++) {
        if (strlen(texts[i]) > PD_MEMBER_NAME_SIZE_MAX)
            return false;
    }
    return member->name[0] && member->incarnation[0];
}

static bool is_sound(const Perdure__V1__GetViewResponse *message, uint32_t partition_count)
{
    if (!message || message->n_members == 0 || message->n_members > PD_MEMBER_COUNT_MAX ||
        message->n_partitions != partition_count)
        return false;
    for (size_t i = 0; i < message->n_members; i++) {
        if (!is_member_sound(message->members[i]) ||
            (i > 0 && strcmp(message->members[i - 1]->name, message->members[i]->name) >= 0))
            return false;
    }
    for (size_t i = 0; i < message->n_partitions; i++) {
        const Perdure__V1__GetViewResponse__Place *place = message->partitions[i];

        if (!is_index(place->owner, message->n_members) ||
            !is_index(place->preferred, message->n_members) ||
            !is_index(place->standby, message->n_members))
            return false;
    }
    return true;
}

/* Where the message has this node, or where it would be. */
static uint32_t place_of_self(const Perdure__V1__GetViewResponse *message, const char *name,
                              bool *found)
{
    uint32_t at = 0;

    while (at < message->n_members && strcmp(message->members[at]->name, name) < 0)
        at++;
    *found = at < message->n_members && strcmp(message->members[at]->name, name) == 0;
    return at;
}

static void copy_member(pd_cluster_member_t *to, const Perdure__V1__GetViewResponse__Member *from)
{
    *to = (pd_cluster_member_t){
        .name = pd_strdup(from->name),
        .incarnation = pd_strdup(from->incarnation),
        .address = pd_strdup(from->address),
        .leaving = from->leaving,
    };
}

static int32_t shifted(int32_t index, uint32_t from, uint32_t by)
{
    return index >= (int32_t)from ? index + (int32_t)by : index;
}

/* The neighbour's view as this node's. Whom the others take for dead is in no view but his own: as
 * one that is about to leave, at home to no queue. NULL: the neighbour speaks of another life of
 * this node. */
static pd_cluster_view_t *borrow(const Perdure__V1__GetViewResponse *message,
                                 const pd_cluster_view_t *own)
{
    const pd_cluster_member_t *self = &own->members[own->self];
    bool found;
    uint32_t at = place_of_self(message, self->name, &found), shift = found ? 0 : 1;
    pd_cluster_view_t *view;
    pd_cluster_member_t *members;
    pd_cluster_place_t *places;

    if (found && strcmp(message->members[at]->incarnation, self->incarnation) != 0)
        return NULL;
    view = PD_NEW(pd_cluster_view_t);
    members = pd_calloc(message->n_members + shift, sizeof(*members));
    places = pd_calloc(message->n_partitions, sizeof(*places));
    for (uint32_t i = 0; i < message->n_members; i++)
        copy_member(&members[i < at ? i : i + shift], message->members[i]);
    if (!found)
        members[at] = (pd_cluster_member_t){.name = pd_strdup(self->name),
                                            .incarnation = pd_strdup(self->incarnation),
                                            .address = pd_strdup(self->address),
                                            .leaving = true};
    for (size_t i = 0; i < message->n_partitions; i++) {
        const Perdure__V1__GetViewResponse__Place *place = message->partitions[i];

        places[i] = (pd_cluster_place_t){
            .owner = shifted(place->owner, at, shift),
            .preferred = shifted(place->preferred, at, shift),
            .standby = shifted(place->standby, at, shift),
            .epoch = place->epoch,
        };
    }
    atomic_init(&view->ref_count, 1);
    view->version = own->version;
    view->self = at;
    view->stale = true;
    view->member_count = (uint32_t)message->n_members + shift;
    view->members = members;
    view->partition_count = (uint32_t)message->n_partitions;
    view->partitions = places;
    return view;
}

/* ---- asking ---- */

static void on_found_timer(pd_timer_t *timer)
{
    pd_forward_t *forward = PD_CONTAINER_OF(timer, pd_forward_t, neighbours.found_timer);
    pdi_neighbours_t *self = &forward->neighbours;
    pd_cluster_view_t *view = self->found;

    self->found = NULL;
    if (!view || pd_cluster_view_same(view, forward->view)) {
        pd_cluster_view_unref(view);
        return;
    }
    if (!self->borrowed)
        PD_DIAG(PD_DIAG_WARN, "goes by a neighbour's view",
                "node=%s neighbour=%s: own heartbeats do not come back", forward->name,
                self->asked);
    self->borrowed = true;
    pdi_forward_use(forward, view);
}

/* Not at once: peers that are in no view are let go of, and one of them may be telling us so. */
static void take(pd_forward_t *forward, const Perdure__V1__GetViewResponse *message)
{
    pdi_neighbours_t *self = &forward->neighbours;
    pd_loop_t *loop = forward->options.loop;

    pd_cluster_view_unref(self->found);
    self->found = borrow(message, self->own);
    self->found_timer.fire = on_found_timer;
    pd_loop_timer_start(loop, &self->found_timer, pd_loop_now_ns(loop));
}

static void on_reply(void *ctx, const pd_peer_reply_t *reply)
{
    const ProtobufCMessageDescriptor *type = &perdure__v1__get_view_response__descriptor;
    pd_forward_t *forward = ctx;
    pdi_neighbours_t *self = &forward->neighbours;
    const Perdure__V1__GetViewResponse *message = NULL;
    pd_arena_t arena;

    self->pending = NULL;
    pd_arena_init(&arena);
    if (reply->code == PD_RPC_OK && pd_pb_validate(type, reply->data) == PD_PB_SOUND)
        message = pd_pb_unpack(type, &arena, reply->data);
    if (is_sound(message, forward->options.partition_count)) {
        take(forward, message); /* and the same neighbour is asked the next time */
    } else {
        if (reply->code == PD_RPC_OK)
            PD_DIAG(PD_DIAG_ERROR, "a neighbour's view is malformed", "neighbour=%s", self->asked);
        self->next++;
    }
    pd_arena_deinit(&arena);
}

/* The timer goes on meanwhile: an answer that takes long is waited for, not asked for again. */
static void ask(pd_forward_t *forward)
{
    pdi_neighbours_t *self = &forward->neighbours;
    const pd_cluster_view_t *own = self->own;
    Perdure__V1__GetViewRequest message = PERDURE__V1__GET_VIEW_REQUEST__INIT;
    pd_peer_request_t request = {
        .path = "/perdure.v1.Internal/GetView",
        .timeout_ns = ASK_TIMEOUT_NS,
        .on_reply = on_reply,
        .ctx = forward,
    };
    const pd_cluster_member_t *member;
    pd_arena_t arena;

    if (self->pending || own->member_count < 2)
        return;
    if (self->next % own->member_count == own->self)
        self->next++;
    member = &own->members[self->next % own->member_count];
    snprintf(self->asked, sizeof(self->asked), "%s", member->name);
    pd_arena_init(&arena);
    message.node = forward->name;
    request.address = member->address;
    request.message = pd_pb_pack_arena(&message, &arena);
    self->pending = forward->options.peers.ops->call(forward->options.peers.ctx, &request);
    pd_arena_deinit(&arena);
}

static void on_timer(pd_timer_t *timer)
{
    pd_forward_t *forward = PD_CONTAINER_OF(timer, pd_forward_t, neighbours.timer);
    pd_loop_t *loop = forward->options.loop;

    ask(forward);
    pd_loop_timer_start(loop, timer, pd_loop_now_ns(loop) + ASK_INTERVAL_NS);
}

static void stop(pd_forward_t *forward)
{
    pdi_neighbours_t *self = &forward->neighbours;

    pd_loop_timer_stop(forward->options.loop, &self->timer);
    if (self->pending)
        forward->options.peers.ops->cancel(forward->options.peers.ctx, self->pending);
    self->pending = NULL;
    pd_loop_timer_stop(forward->options.loop, &self->found_timer);
    pd_cluster_view_unref(self->found);
    self->found = NULL;
}

void pdi_neighbours_own_view(pd_forward_t *forward, pd_cluster_view_t *view)
{
    pdi_neighbours_t *self = &forward->neighbours;
    bool asks = self->own && self->own->stale;

    pd_cluster_view_unref(self->own);
    self->own = pd_cluster_view_ref(view);
    if (!view->stale && asks) {
        stop(forward);
        if (self->borrowed)
            PD_DIAG(PD_DIAG_INFO, "goes by its own view again", "node=%s", forward->name);
        self->borrowed = false;
    }
    if (self->borrowed)
        pd_cluster_view_unref(view);
    else
        pdi_forward_use(forward, view);
    if (view->stale && !asks) {
        self->timer.fire = on_timer;
        on_timer(&self->timer);
    }
}

void pdi_neighbours_free(pd_forward_t *forward)
{
    pdi_neighbours_t *self = &forward->neighbours;

    pd_loop_timer_stop(forward->options.loop, &self->timer);
    pd_loop_timer_stop(forward->options.loop, &self->found_timer);
    pd_cluster_view_unref(self->found);
    pd_cluster_view_unref(self->own);
}

/* ---- what other nodes ask ---- */

void pdi_get_view_here(void *ctx, pd_call_t *call)
{
    const pd_forward_t *forward = ctx;
    const pd_cluster_view_t *own = forward->neighbours.own;

    if (!own || own->stale)
        pd_call_fail(call, pd_rpc_unavailable(call->arena, "node %s does not hear the log either",
                                              forward->name));
    else
        pd_call_respond(call, message_of(own, call->arena));
}
