#include "tests/sim/sim_call.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "engine/frontend/frontend.h"
#include "tests/sim/sim_world.h"

/* Both sides' view of one call. The client hears once: the answer, or that it is lost; the server
 * may answer later than that, to nobody. Freed when the two are through with it. */
struct sim_call {
    pd_call_t call;
    pd_arena_t arena;
    LIST_ENTRY(sim_call) link;
    sim_t *sim;
    sim_server_t *server;
    sim_call_options_t options;
    uint8_t *bytes;
    size_t size;
    int64_t deadline_ns; /* the client's clock */
    pd_timer_t deadline_timer;
    pd_mail_t arrival_mail, cancel_mail, told_mail;
    bool at_server;     /* the frontend has it and has not answered */
    bool on_way;        /* to the server */
    bool cancel_on_way; /* likewise */
    bool told;          /* the client knows, or is about to hear, how it ended */
    bool told_on_way;
    bool lost; /* … namely not by an answer */
    pd_rpc_code_t lost_code;
    uint64_t number;
    /* When it was first seen to be overdue: the clock may jump. */
    uint64_t overdue_step;
    int64_t overdue_ns;
};

/* One simulation at a time in a process. */
static LIST_HEAD(, sim_call) open_calls = LIST_HEAD_INITIALIZER(open_calls);
static uint64_t call_number;

static void release_if_over(sim_call_t *self)
{
    if (self->at_server || self->on_way || self->cancel_on_way || self->told_on_way || !self->told)
        return;
    LIST_REMOVE(self, link);
    pd_free(self->call.data);
    pd_free(self->bytes);
    pd_arena_deinit(&self->arena);
    pd_free(self);
}

static bool is_unknown(pd_rpc_code_t code)
{
    return code == PD_RPC_UNAVAILABLE || code == PD_RPC_CANCELLED ||
           code == PD_RPC_DEADLINE_EXCEEDED;
}

/* ---- the client's side ---- */

static void run_told(pd_mail_t *mail)
{
    sim_call_t *self = PD_CONTAINER_OF(mail, sim_call_t, told_mail);
    sim_reply_t reply = {.arena = &self->arena, .message = ""};

    pd_loop_timer_stop(sim_clients_loop(self->sim), &self->deadline_timer);
    if (self->lost) {
        reply.code = self->lost_code;
        reply.message = "lost";
    } else if (self->call.error) {
        reply.code = self->call.error->code;
        reply.message = self->call.error->message;
    } else {
        reply.response = pd_pb_unpack(self->options.response_type, &self->arena,
                                      pd_bytes(self->call.data, self->call.size));
        SIM_CHECK(self->sim, reply.response, "%s: malformed response", self->options.method);
    }
    reply.unknown = is_unknown(reply.code);
    sim_trace(self->sim, "call %llu %s -> %d %s", (unsigned long long)self->number,
              self->options.method, (int)reply.code, reply.message);
    SIM_CHECK(self->sim, reply.code != PD_RPC_INTERNAL && reply.code != PD_RPC_UNKNOWN,
              "%s: code %d %s", self->options.method, (int)reply.code, reply.message);
    if (self->options.done)
        self->options.done(self->options.ctx, &reply);
    self->told_on_way = false;
    release_if_over(self);
}

static void tell(sim_call_t *self)
{
    if (self->told)
        return;
    self->told = self->told_on_way = true;
    self->told_mail.run = run_told;
    sim_loops_post_whole(sim_clients_loop(self->sim), &self->told_mail);
}

static void lose(sim_call_t *self, pd_rpc_code_t code)
{
    if (self->told)
        return;
    self->lost = true;
    self->lost_code = code;
    tell(self);
}

/* ---- the server's side ---- */

static void finish(pd_call_t *call)
{
    sim_call_t *self = call->user;

    self->at_server = false;
    tell(self);
    release_if_over(self);
}

static void run_arrival(pd_mail_t *mail)
{
    sim_call_t *self = PD_CONTAINER_OF(mail, sim_call_t, arrival_mail);
    pd_frontend_t *frontend = sim_server_frontend(self->server);

    self->on_way = false;
    if (!frontend) { /* connection refused: surely not done */
        lose(self, PD_RPC_UNAVAILABLE);
        release_if_over(self);
        return;
    }
    self->at_server = true;
    pd_frontend_handle(frontend,
                       pd_arena_printf(&self->arena,
                                       "/temporal.api.workflowservice.v1.WorkflowService/%s",
                                       self->options.method),
                       pd_bytes(self->bytes, self->size), &self->call);
}

static void run_cancel(pd_mail_t *mail)
{
    sim_call_t *self = PD_CONTAINER_OF(mail, sim_call_t, cancel_mail);

    self->cancel_on_way = false;
    if (self->at_server && self->server->frontend)
        pd_frontend_cancel(self->server->frontend, &self->call);
    release_if_over(self);
}

static void let_go(sim_call_t *self, pd_rpc_code_t code)
{
    if (self->told)
        return;
    self->cancel_on_way = true;
    self->cancel_mail.run = run_cancel;
    sim_loops_post_whole(sim_server_front(self->server), &self->cancel_mail);
    lose(self, code);
}

static void on_deadline(pd_timer_t *timer)
{
    let_go(PD_CONTAINER_OF(timer, sim_call_t, deadline_timer), PD_RPC_DEADLINE_EXCEEDED);
}

void sim_call_cancel(sim_call_t *call)
{
    let_go(call, PD_RPC_CANCELLED);
}

sim_call_t *sim_call(sim_t *sim, const sim_call_options_t *options)
{
    sim_call_t *self = PD_NEW(sim_call_t);

    self->sim = sim;
    self->server = sim_world_some_server(sim->world);
    self->options = *options;
    self->options.request = NULL;
    self->number = ++call_number;
    pd_arena_init(&self->arena);
    LIST_INSERT_HEAD(&open_calls, self, link);
    self->size = protobuf_c_message_get_packed_size(options->request);
    self->bytes = pd_alloc(self->size);
    protobuf_c_message_pack(options->request, self->bytes);
    self->call.home = sim_server_front(self->server);
    self->call.arena = &self->arena;
    self->call.deadline_ns = pd_loop_now_ns(self->call.home) + options->timeout_ns;
    self->call.client_name = options->client_name ? options->client_name : "";
    self->call.finish = finish;
    self->call.user = self;
    sim_trace(sim, "call %llu %s to %s", (unsigned long long)self->number, options->method,
              self->server->name);
    self->on_way = true;
    self->arrival_mail.run = run_arrival;
    sim_loops_post_whole(self->call.home, &self->arrival_mail);
    self->deadline_timer.fire = on_deadline;
    self->deadline_ns = sim_now_ns(sim) + options->timeout_ns;
    pd_loop_timer_start(sim_clients_loop(sim), &self->deadline_timer, self->deadline_ns);
    return self;
}

/* ---- all of them ---- */

void sim_calls_lose(sim_server_t *server)
{
    sim_call_t *self;

    LIST_FOREACH (self, &open_calls, link) {
        if (self->server == server && self->at_server)
            lose(self, PD_RPC_UNAVAILABLE);
    }
}

void sim_calls_cancel_at(sim_server_t *server, pd_frontend_t *frontend)
{
    sim_call_t *self, *next;

    for (self = LIST_FIRST(&open_calls); self; self = next) {
        next = LIST_NEXT(self, link);
        if (self->server == server && self->at_server)
            pd_frontend_cancel(frontend, &self->call);
    }
}

size_t sim_calls_at_count(const sim_server_t *server)
{
    size_t count = 0;
    sim_call_t *self;

    LIST_FOREACH (self, &open_calls, link)
        count += self->server == server && self->at_server;
    return count;
}

const char *sim_calls_at_text(const sim_server_t *server)
{
    static char text[400];
    size_t size = 0;
    sim_call_t *self;

    text[0] = '\0';
    LIST_FOREACH (self, &open_calls, link) {
        if (self->server == server && self->at_server && size < sizeof(text) - 80)
            size += (size_t)snprintf(text + size, sizeof(text) - size, " %llu:%s%s",
                                     (unsigned long long)self->number, self->options.method,
                                     self->call.parked_in ? "(parked)" : "");
    }
    return text;
}

bool sim_calls_overdue(void)
{
    const sim_call_t *self;

    LIST_FOREACH (self, &open_calls, link) {
        if (self->overdue_step)
            return true;
    }
    return false;
}

void sim_calls_check(sim_t *sim)
{
    enum { GRACE_NS_IN_S = 30, GRACE_STEP_COUNT = 3000 };
    uint64_t step = sim->loops.step_count;
    sim_call_t *self;

    LIST_FOREACH (self, &open_calls, link) {
        if (sim_now_ns(sim) < self->deadline_ns + GRACE_NS_IN_S * SIM_S)
            continue;
        if (!self->overdue_step) {
            self->overdue_step = step;
            self->overdue_ns = sim_now_ns(sim);
        }
        SIM_CHECK(sim,
                  step - self->overdue_step < GRACE_STEP_COUNT ||
                      sim_now_ns(sim) < self->overdue_ns + GRACE_NS_IN_S * SIM_S,
                  "call %llu %s is not answered long after its deadline",
                  (unsigned long long)self->number, self->options.method);
    }
}

void sim_calls_drain(sim_t *sim)
{
    while (!LIST_EMPTY(&open_calls))
        SIM_CHECK(sim, sim_loops_step_now(&sim->loops), "a call to a server that is gone stays");
}
