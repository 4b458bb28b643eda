#include "tests/sim/sim_net.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "engine/frontend/frontend.h"
#include "tests/sim/sim_world.h"

/* What a cut link makes of a call without a deadline: the peer answers no pings any more. */
#define SILENCE_NS (4 * SIM_S)

typedef struct net_call {
    LIST_ENTRY(net_call) link;
    sim_t *sim;
    sim_net_t *from; /* NULL: nobody waits for a reply any more */
    sim_server_t *from_server, *to;
    pd_call_t call;
    pd_arena_t arena;
    const char *path;
    pd_bytes_t message;
    pd_peer_header_t *headers;
    size_t header_count;
    void (*on_reply)(void *ctx, const pd_peer_reply_t *reply);
    void *ctx;
    pd_peer_reply_t reply;
    pd_timer_t travel_timer, deadline_timer;
    pd_mail_t arrival_mail, cancel_mail, reply_mail;
    enum { TO_SERVER, AT_SERVER, TO_CALLER, OVER } state; /* of the call or its answer */
    bool arrival_posted, cancel_posted, reply_posted;
    bool replied; /* the caller has heard, or is about to */
    bool let_go;  /* the callee crashed, and has been told to stop working at it */
} net_call_t;

struct sim_net {
    sim_server_t *server;
};

/* One simulation at a time in a process. */
static LIST_HEAD(, net_call) open_calls = LIST_HEAD_INITIALIZER(open_calls);

static pd_loop_t *net_loop(sim_t *sim)
{
    return sim_loops_at(&sim->loops, SIM_LOOP_BROKER);
}

static bool is_cut(const net_call_t *self, bool back)
{
    uint32_t a = self->from_server->index, b = self->to->index;

    return back ? self->sim->world->cut[b][a] : self->sim->world->cut[a][b];
}

static void release_if_over(net_call_t *self)
{
    if (self->state == AT_SERVER || self->arrival_posted || self->cancel_posted ||
        self->reply_posted || (self->from && !self->replied))
        return;
    pd_loop_timer_stop(net_loop(self->sim), &self->travel_timer);
    pd_loop_timer_stop(net_loop(self->sim), &self->deadline_timer);
    LIST_REMOVE(self, link);
    pd_free(self->call.data);
    pd_arena_deinit(&self->arena);
    pd_free(self);
}

/* ---- the caller's side ---- */

static void run_reply(pd_mail_t *mail)
{
    net_call_t *self = PD_CONTAINER_OF(mail, net_call_t, reply_mail);

    if (self->from)
        self->on_reply(self->ctx, &self->reply);
    self->from = NULL;
    self->reply_posted = false; /* not before: a turn may stand still in on_reply */
    release_if_over(self);
}

static void reply(net_call_t *self, const pd_peer_reply_t *reply)
{
    if (self->replied || !self->from)
        return;
    self->replied = self->reply_posted = true;
    self->reply = *reply;
    self->reply_mail.run = run_reply;
    sim_loops_post_whole(sim_server_front(self->from_server), &self->reply_mail);
}

static void reply_lost(net_call_t *self, const char *why)
{
    pd_peer_reply_t lost = {.code = PD_RPC_UNAVAILABLE, .message = why, .lost = true};

    reply(self, &lost);
}

/* ---- the callee's side ---- */

static void on_way_back(pd_timer_t *timer)
{
    net_call_t *self = PD_CONTAINER_OF(timer, net_call_t, travel_timer);
    pd_peer_reply_t answer = {.message = ""};

    self->state = OVER;
    if (!is_cut(self, true)) {
        if (self->call.error) {
            answer.code = (int)self->call.error->code;
            answer.message = self->call.error->message;
            answer.details = self->call.error->details;
        } else {
            answer.data = pd_bytes(self->call.data, self->call.size);
        }
        reply(self, &answer);
    }
    release_if_over(self);
}

static void travel(net_call_t *self, void (*fire)(pd_timer_t *timer))
{
    sim_t *sim = self->sim;
    int64_t delay_ns = sim_between(sim, 50 * SIM_US, 2 * SIM_MS);

    if (sim_fault(sim, 3))
        delay_ns = sim_between(sim, 0, 3 * SIM_S);
    self->travel_timer.fire = fire;
    pd_loop_timer_start(net_loop(sim), &self->travel_timer, sim_now_ns(sim) + delay_ns);
}

static void finish(pd_call_t *call)
{
    net_call_t *self = call->user;

    self->state = TO_CALLER;
    if (self->replied || !self->from) {
        self->state = OVER;
        release_if_over(self);
        return;
    }
    travel(self, on_way_back);
}

static bool header_at(const void *headers, size_t index, const char **name, const char **value)
{
    const net_call_t *self = headers;

    if (index >= self->header_count)
        return false;
    *name = self->headers[index].name;
    *value = self->headers[index].value;
    return true;
}

static void run_arrival(pd_mail_t *mail)
{
    static const pd_peer_reply_t refused = {
        .code = PD_RPC_UNAVAILABLE, .message = "connection refused", .unsent = true};
    net_call_t *self = PD_CONTAINER_OF(mail, net_call_t, arrival_mail);
    pd_frontend_t *frontend = self->to->frontend; /* also while it stops: it may still own */

    self->arrival_posted = false;
    self->state = OVER;
    if (self->replied || !self->from) {
        release_if_over(self);
    } else if (!frontend) {
        reply(self, &refused);
    } else {
        self->state = AT_SERVER;
        pd_frontend_handle(frontend, self->path, self->message, &self->call);
    }
}

static void on_way(pd_timer_t *timer)
{
    net_call_t *self = PD_CONTAINER_OF(timer, net_call_t, travel_timer);

    if (is_cut(self, false)) { /* the deadline ends it */
        self->state = OVER;
        return;
    }
    self->arrival_posted = true;
    self->arrival_mail.run = run_arrival;
    sim_loops_post_whole(sim_server_front(self->to), &self->arrival_mail);
}

static void run_cancel(pd_mail_t *mail)
{
    net_call_t *self = PD_CONTAINER_OF(mail, net_call_t, cancel_mail);

    if (self->state == AT_SERVER && self->to->frontend)
        pd_frontend_cancel(self->to->frontend, &self->call);
    self->cancel_posted = false; /* not before: a turn may stand still in there */
    release_if_over(self);
}

/* The stream is reset: the callee may stop working at it, unless the news is lost, too. */
static void reset(net_call_t *self)
{
    if (self->state != AT_SERVER || self->cancel_posted || is_cut(self, false))
        return;
    self->cancel_posted = true;
    self->cancel_mail.run = run_cancel;
    sim_loops_post_whole(sim_server_front(self->to), &self->cancel_mail);
}

static void on_deadline(pd_timer_t *timer)
{
    net_call_t *self = PD_CONTAINER_OF(timer, net_call_t, deadline_timer);

    reset(self);
    reply_lost(self, "the peer does not answer");
}

/* ---- the operations ---- */

static const char *copy(net_call_t *self, const char *text)
{
    return pd_arena_printf(&self->arena, "%s", text);
}

static void copy_request(net_call_t *self, const pd_peer_request_t *request)
{
    uint8_t *bytes = pd_arena_calloc(&self->arena, request->message.size + 1, 1);

    if (request->message.size)
        memcpy(bytes, request->message.data, request->message.size);
    self->message = pd_bytes(bytes, request->message.size);
    self->path = copy(self, request->path);
    self->header_count = request->header_count;
    self->headers =
        pd_arena_calloc(&self->arena, request->header_count + 1, sizeof(self->headers[0]));
    self->call.client_name = "";
    for (size_t i = 0; i < request->header_count; i++) {
        self->headers[i].name = copy(self, request->headers[i].name);
        self->headers[i].value = copy(self, request->headers[i].value);
        if (strcmp(self->headers[i].name, "client-name") == 0)
            self->call.client_name = self->headers[i].value;
    }
    self->on_reply = request->on_reply;
    self->ctx = request->ctx;
}

/* Addresses are names here. */
static sim_server_t *server_at(sim_t *sim, const char *address)
{
    for (uint32_t i = 0; i < sim->world->server_count; i++) {
        if (strcmp(sim->world->servers[i].name, address) == 0)
            return &sim->world->servers[i];
    }
    sim_fail(sim, "a call to nobody: %s", address);
}

static void *call(void *ctx, const pd_peer_request_t *request)
{
    sim_net_t *net = ctx;
    sim_t *sim = net->server->sim;
    net_call_t *self = PD_NEW(net_call_t);
    int64_t silence_ns = request->timeout_ns > 0 ? request->timeout_ns : SILENCE_NS;

    self->sim = sim;
    self->from = net;
    self->from_server = net->server;
    self->to = server_at(sim, request->address);
    pd_arena_init(&self->arena);
    copy_request(self, request);
    self->call.home = sim_server_front(self->to);
    self->call.arena = &self->arena;
    self->call.deadline_ns =
        request->timeout_ns > 0 ? pd_loop_now_ns(self->call.home) + request->timeout_ns : INT64_MAX;
    self->call.header_at = header_at;
    self->call.headers = self;
    self->call.finish = finish;
    self->call.user = self;
    LIST_INSERT_HEAD(&open_calls, self, link);
    self->deadline_timer.fire = on_deadline;
    pd_loop_timer_start(net_loop(sim), &self->deadline_timer, sim_now_ns(sim) + silence_ns);
    travel(self, on_way);
    return self;
}

static void cancel(void *ctx, void *pending)
{
    net_call_t *self = pending;

    (void)ctx;
    reset(self);
    self->from = NULL;
    release_if_over(self);
}

static void keep(void *ctx, const pd_cluster_view_t *view)
{
    sim_net_t *net = ctx;
    net_call_t *self;

    LIST_FOREACH (self, &open_calls, link) {
        bool is_member = false;

        for (uint32_t i = 0; i < view->member_count; i++)
            is_member |= strcmp(view->members[i].address, self->to->name) == 0;
        if (self->from == net && !is_member) {
            reset(self);
            reply_lost(self, "no member any more");
        }
    }
}

sim_net_t *sim_net_new(sim_server_t *server)
{
    sim_net_t *net = PD_NEW(sim_net_t);

    net->server = server;
    return net;
}

void sim_net_free(sim_net_t *net)
{
    net_call_t *self, *next;

    for (self = LIST_FIRST(&open_calls); self; self = next) {
        next = LIST_NEXT(self, link);
        if (self->from != net)
            continue;
        reset(self);
        self->from = NULL;
        release_if_over(self);
    }
    pd_free(net);
}

pd_peers_t sim_net_peers(sim_net_t *net)
{
    static const pd_peers_ops_t ops = {.name = "sim", .call = call, .cancel = cancel, .keep = keep};

    return (pd_peers_t){.ops = &ops, .ctx = net};
}

size_t sim_net_at_count(const sim_server_t *server)
{
    size_t count = 0;
    net_call_t *self;

    LIST_FOREACH (self, &open_calls, link)
        count += self->to == server && self->state == AT_SERVER;
    return count;
}

static net_call_t *held_at(const sim_server_t *server)
{
    net_call_t *self;

    LIST_FOREACH (self, &open_calls, link) {
        if (self->to == server && self->state == AT_SERVER && !self->let_go)
            return self;
    }
    return NULL;
}

/* From the start each time: a cancellation may free other calls, those that it made. */
void sim_net_lose(sim_server_t *server, pd_frontend_t *frontend)
{
    net_call_t *self;

    while ((self = held_at(server))) {
        self->let_go = true;
        reply_lost(self, "connection lost");
        pd_frontend_cancel(frontend, &self->call);
    }
    LIST_FOREACH (self, &open_calls, link) {
        if (self->from != server->net || self->replied)
            continue;
        reset(self);
        reply_lost(self, "connection lost");
    }
}

/* ---- faults ---- */

void sim_net_cut(sim_t *sim, uint32_t from, uint32_t to, bool is_cut)
{
    sim->world->cut[from][to] = is_cut;
}

void sim_net_heal(sim_t *sim)
{
    memset(sim->world->cut, 0, sizeof(sim->world->cut));
}
