#include "engine/forward_grpc/forward_grpc.h"

#include <string.h>
#include <sys/queue.h>

#include "api/grpc/client.h"
#include "base/assert.h"
#include "base/memory.h"

#define NS_PER_MS ((int64_t)1000000)

enum {
    PEER_CALL_COUNT_MAX = 100000,
    PEER_WAITING_COUNT_MAX = 20000, /* for a connection that is being made */
    HEADER_COUNT_MAX = 64,
};
#define PEER_HELD_SIZE_MAX ((size_t)256 << 20) /* request bytes of all calls under way */

typedef struct peer_call {
    TAILQ_ENTRY(peer_call) link; /* of its peer, or of those to be told */
    struct peer *peer;           /* NULL: it could not even begin */
    pd_peers_grpc_t *peers;
    pd_grpc_pending_t *pending;
    size_t size;
    void (*on_reply)(void *ctx, const pd_peer_reply_t *reply);
    void *ctx;
    pd_peer_reply_t failed; /* when peer is NULL */
} peer_call_t;
typedef TAILQ_HEAD(peer_calls, peer_call) peer_calls_t;

typedef struct peer {
    struct peer *next;
    pd_grpc_client_t *client;
    peer_calls_t calls;
    uint32_t call_count;
    size_t held_size;
    char address[];
} peer_t;

struct pd_peers_grpc {
    pd_loop_event_t *loop_event;
    pd_loop_t *loop;
    peer_t *peers;
    peer_calls_t failed; /* to be told on the next turn */
    pd_timer_t failed_timer;
};

/* ---- what comes back ---- */

/* The caller is told by whoever takes it off. */
static void take_off(peer_call_t *call)
{
    peer_t *peer = call->peer;

    TAILQ_REMOVE(&peer->calls, call, link);
    peer->call_count--;
    peer->held_size -= call->size;
}

static void on_reply(void *ctx, const pd_grpc_reply_t *from)
{
    peer_call_t *call = ctx;
    pd_peer_reply_t reply = {
        .code = from->code,
        .message = from->message,
        .data = from->data,
        .details = from->details,
        .unsent = from->unsent,
        .lost = !from->from_peer && !from->unsent && from->code != PD_GRPC_OK &&
                from->code != PD_GRPC_DEADLINE_EXCEEDED,
    };

    take_off(call);
    call->on_reply(call->ctx, &reply);
    pd_free(call);
}

static void on_failed_timer(pd_timer_t *timer)
{
    pd_peers_grpc_t *self = PD_CONTAINER_OF(timer, pd_peers_grpc_t, failed_timer);
    peer_call_t *call, *last = TAILQ_LAST(&self->failed, peer_calls);
    bool more = last != NULL;

    while (more && (call = TAILQ_FIRST(&self->failed))) {
        more = call != last; /* what fails meanwhile is told on the next turn */
        TAILQ_REMOVE(&self->failed, call, link);
        call->on_reply(call->ctx, &call->failed);
        pd_free(call);
    }
}

static void *fail_later(pd_peers_grpc_t *self, peer_call_t *call, int code, const char *message)
{
    call->peer = NULL;
    call->failed = (pd_peer_reply_t){.code = code, .message = message, .unsent = true};
    TAILQ_INSERT_TAIL(&self->failed, call, link);
    pd_loop_timer_start(self->loop, &self->failed_timer, pd_loop_now_ns(self->loop));
    return call;
}

/* ---- peers ---- */

static pd_grpc_client_t *connect_to(pd_peers_grpc_t *self, const char *address)
{
    pd_grpc_client_options_t options;
    pd_grpc_client_t *client;
    pd_error_t error;

    pd_grpc_client_options_init(&options);
    options.address = address;
    options.user_agent = "perdure-node";
    options.waiting_count_max = PEER_WAITING_COUNT_MAX;
    options.connect_timeout_ns = PD_PEER_CONNECT_TIMEOUT_NS;
    options.backoff_min_ns = 50 * NS_PER_MS;
    /* Who is back is wanted at once; who stays dead leaves the view soon. */
    options.backoff_max_ns = 100 * NS_PER_MS;
    options.keepalive_idle_ns = 1000 * NS_PER_MS;
    options.keepalive_timeout_ns = 2000 * NS_PER_MS;
    return pd_grpc_client_new(self->loop_event, &options, &client, &error) == PD_OK ? client : NULL;
}

static peer_t *peer_of(pd_peers_grpc_t *self, const char *address)
{
    size_t size = strlen(address) + 1;
    pd_grpc_client_t *client;
    peer_t *peer;

    for (peer = self->peers; peer; peer = peer->next) {
        if (strcmp(peer->address, address) == 0)
            return peer;
    }
    client = connect_to(self, address);
    if (!client)
        return NULL;
    peer = pd_calloc(1, sizeof(*peer) + size);
    memcpy(peer->address, address, size);
    peer->client = client;
    TAILQ_INIT(&peer->calls);
    peer->next = self->peers;
    self->peers = peer;
    return peer;
}

static void peer_free(peer_t *peer)
{
    peer_call_t *call;

    pd_grpc_client_free(peer->client);
    while ((call = TAILQ_FIRST(&peer->calls))) {
        take_off(call);
        pd_free(call);
    }
    pd_free(peer);
}

static bool is_member(const pd_cluster_view_t *view, const char *address)
{
    for (uint32_t i = 0; i < view->member_count; i++) {
        if (strcmp(view->members[i].address, address) == 0)
            return true;
    }
    return false;
}

static void keep(void *ctx, const pd_cluster_view_t *view)
{
    static const pd_peer_reply_t gone = {
        .code = PD_GRPC_UNAVAILABLE, .message = "the node has left the cluster", .lost = true};
    pd_peers_grpc_t *self = ctx;
    peer_t **at = &self->peers, *peer;

    while ((peer = *at)) {
        peer_call_t *call;

        if (is_member(view, peer->address)) {
            at = &peer->next;
            continue;
        }
        *at = peer->next; /* first: whoever is told may call again */
        while ((call = TAILQ_FIRST(&peer->calls))) {
            pd_grpc_client_cancel(peer->client, call->pending);
            take_off(call);
            call->on_reply(call->ctx, &gone);
            pd_free(call);
            at = &self->peers; /* the list may have changed */
        }
        peer_free(peer);
        at = &self->peers;
    }
}

/* ---- calls ---- */

static void *call_peer(void *ctx, const pd_peer_request_t *request)
{
    pd_peers_grpc_t *self = ctx;
    pd_grpc_metadata_t metadata[HEADER_COUNT_MAX];
    peer_t *peer = peer_of(self, request->address);
    peer_call_t *call = PD_NEW(peer_call_t);
    pd_grpc_request_t grpc = {
        .path = request->path,
        .timeout_ns = request->timeout_ns,
        .metadata = metadata,
        .on_reply = on_reply,
        .ctx = call,
    };

    call->peers = self;
    call->on_reply = request->on_reply;
    call->ctx = request->ctx;
    call->size = request->message.size;
    if (!peer)
        return fail_later(self, call, PD_GRPC_UNAVAILABLE, "the peer's address has no known form");
    if (peer->call_count >= PEER_CALL_COUNT_MAX ||
        peer->held_size + call->size > PEER_HELD_SIZE_MAX)
        return fail_later(self, call, PD_GRPC_RESOURCE_EXHAUSTED,
                          "too much is under way to another node");
    for (size_t i = 0; i < request->header_count && i < HEADER_COUNT_MAX; i++)
        metadata[grpc.metadata_count++] =
            (pd_grpc_metadata_t){request->headers[i].name, request->headers[i].value};
    grpc.size = request->message.size;
    grpc.data = grpc.size ? pd_memdup(request->message.data, grpc.size) : NULL;
    call->peer = peer;
    TAILQ_INSERT_TAIL(&peer->calls, call, link);
    peer->call_count++;
    peer->held_size += call->size;
    call->pending = pd_grpc_client_call(peer->client, &grpc);
    return call;
}

static void cancel(void *ctx, void *pending)
{
    pd_peers_grpc_t *self = ctx;
    peer_call_t *call = pending;

    if (call->peer) {
        pd_grpc_client_cancel(call->peer->client, call->pending);
        take_off(call);
        pd_free(call);
        return;
    }
    PD_ASSERT(call->peers == self);
    TAILQ_REMOVE(&self->failed, call, link);
    pd_free(call);
}

pd_peers_t pd_peers_grpc_peers(pd_peers_grpc_t *self)
{
    static const pd_peers_ops_t ops = {
        .name = "grpc",
        .call = call_peer,
        .cancel = cancel,
        .keep = keep,
    };

    return (pd_peers_t){.ops = &ops, .ctx = self};
}

/* ---- life ---- */

pd_peers_grpc_t *pd_peers_grpc_new(pd_loop_event_t *loop)
{
    pd_peers_grpc_t *self = PD_NEW(pd_peers_grpc_t);

    self->loop_event = loop;
    self->loop = pd_loop_event_loop(loop);
    self->failed_timer.fire = on_failed_timer;
    TAILQ_INIT(&self->failed);
    return self;
}

void pd_peers_grpc_free(pd_peers_grpc_t *self)
{
    peer_call_t *call;
    peer_t *peer;

    if (!self)
        return;
    pd_loop_timer_stop(self->loop, &self->failed_timer);
    while ((peer = self->peers)) {
        self->peers = peer->next;
        peer_free(peer);
    }
    while ((call = TAILQ_FIRST(&self->failed))) {
        TAILQ_REMOVE(&self->failed, call, link);
        pd_free(call);
    }
    pd_free(self);
}
