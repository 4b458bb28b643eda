#include "tests/sim/sim_call.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "engine/frontend/frontend.h"
#include "tests/sim/sim_world.h"

struct sim_call {
    pd_call_t call;
    pd_arena_t arena;
    LIST_ENTRY(sim_call) link;
    sim_t *sim;
    sim_call_options_t options;
    uint8_t *bytes;
    pd_timer_t deadline_timer;
    pd_mail_t refused_mail;
    bool at_server;
    bool lost;
    bool canceled;
    pd_rpc_code_t lost_code;
    uint64_t number;
    uint64_t overdue_step; /* at which it was seen to be overdue; the clock may jump */
};

/* One simulation at a time in a process. */
static LIST_HEAD(, sim_call) open_calls = LIST_HEAD_INITIALIZER(open_calls);
static uint64_t call_number;

static void release(sim_call_t *self)
{
    LIST_REMOVE(self, link);
    pd_loop_timer_stop(sim_front(self->sim), &self->deadline_timer);
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

static void finish(pd_call_t *call)
{
    sim_call_t *self = call->user;
    sim_reply_t reply = {.arena = &self->arena, .message = ""};

    if (self->lost) {
        reply.code = self->lost_code;
        reply.message = "lost";
    } else if (call->error) {
        reply.code = call->error->code;
        reply.message = call->error->message;
    } else {
        reply.response = pd_pb_unpack(self->options.response_type, &self->arena,
                                      pd_bytes(call->data, call->size));
        SIM_CHECK(self->sim, reply.response, "%s: malformed response", self->options.method);
    }
    reply.unknown = is_unknown(reply.code);
    sim_trace(self->sim, "call %llu %s -> %d %s", (unsigned long long)self->number,
              self->options.method, (int)reply.code, reply.message);
    SIM_CHECK(self->sim, reply.code != PD_RPC_INTERNAL && reply.code != PD_RPC_UNKNOWN,
              "%s: code %d %s", self->options.method, (int)reply.code, reply.message);
    if (self->options.done)
        self->options.done(self->options.ctx, &reply);
    release(self);
}

static void run_refused(pd_mail_t *mail)
{
    sim_call_t *self = PD_CONTAINER_OF(mail, sim_call_t, refused_mail);

    finish(&self->call);
}

static void let_go(sim_call_t *self, pd_rpc_code_t code)
{
    if (self->lost || self->canceled)
        return;
    self->lost = self->canceled = true;
    self->lost_code = code;
    pd_loop_timer_stop(sim_front(self->sim), &self->deadline_timer);
    if (self->at_server && sim_world_frontend(self->sim->world))
        pd_frontend_cancel(sim_world_frontend(self->sim->world), &self->call);
}

static void on_deadline(pd_timer_t *timer)
{
    let_go(PD_CONTAINER_OF(timer, sim_call_t, deadline_timer), PD_RPC_DEADLINE_EXCEEDED);
}

void sim_call_cancel(sim_call_t *call)
{
    let_go(call, PD_RPC_CANCELLED);
}

static void hand_over(sim_call_t *self)
{
    pd_frontend_t *frontend = sim_world_frontend(self->sim->world);
    char *path = pd_arena_printf(
        &self->arena, "/temporal.api.workflowservice.v1.WorkflowService/%s", self->options.method);

    if (!frontend) { /* connection refused: surely not done */
        self->lost = true;
        self->lost_code = PD_RPC_UNAVAILABLE;
        self->refused_mail.run = run_refused;
        pd_loop_post(sim_front(self->sim), &self->refused_mail);
        return;
    }
    self->at_server = true;
    self->deadline_timer.fire = on_deadline;
    pd_loop_timer_start(sim_front(self->sim), &self->deadline_timer, self->call.deadline_ns);
    pd_frontend_handle(
        frontend, path,
        pd_bytes(self->bytes, protobuf_c_message_get_packed_size(self->options.request)),
        &self->call);
}

sim_call_t *sim_call(sim_t *sim, const sim_call_options_t *options)
{
    sim_call_t *self = PD_NEW(sim_call_t);

    self->sim = sim;
    self->options = *options;
    self->number = ++call_number;
    pd_arena_init(&self->arena);
    LIST_INSERT_HEAD(&open_calls, self, link);
    self->bytes = pd_alloc(protobuf_c_message_get_packed_size(options->request));
    protobuf_c_message_pack(options->request, self->bytes);
    self->call.home = sim_front(sim);
    self->call.arena = &self->arena;
    self->call.deadline_ns = sim_now_ns(sim) + options->timeout_ns;
    self->call.client_name = options->client_name ? options->client_name : "";
    self->call.finish = finish;
    self->call.user = self;
    sim_trace(sim, "call %llu %s", (unsigned long long)self->number, options->method);
    hand_over(self);
    self->options.request = NULL;
    return self;
}

void sim_calls_lose_all(sim_t *sim)
{
    sim_call_t *self;

    LIST_FOREACH (self, &open_calls, link) {
        if (self->lost)
            continue;
        self->lost = true;
        self->lost_code = PD_RPC_UNAVAILABLE;
        pd_loop_timer_stop(sim_front(sim), &self->deadline_timer);
    }
}

size_t sim_calls_open_count(const sim_t *sim)
{
    size_t count = 0;
    sim_call_t *self;

    LIST_FOREACH (self, &open_calls, link)
        count++;
    return count;
}

const char *sim_calls_open_text(const sim_t *sim)
{
    static char text[400];
    size_t size = 0;
    sim_call_t *self;

    text[0] = '\0';
    LIST_FOREACH (self, &open_calls, link) {
        if (size < sizeof(text) - 80)
            size += (size_t)snprintf(text + size, sizeof(text) - size, " %llu:%s%s",
                                     (unsigned long long)self->number, self->options.method,
                                     self->call.parked_in ? "(parked)" : "");
    }
    return text;
}

void sim_calls_check(sim_t *sim)
{
    enum { GRACE_NS_IN_S = 30, GRACE_STEP_COUNT = 3000 };
    uint64_t step = sim->loops.step_count;
    sim_call_t *self;

    LIST_FOREACH (self, &open_calls, link) {
        if (sim_now_ns(sim) < self->call.deadline_ns + GRACE_NS_IN_S * SIM_S)
            continue;
        if (!self->overdue_step)
            self->overdue_step = step;
        SIM_CHECK(sim, step - self->overdue_step < GRACE_STEP_COUNT,
                  "call %llu %s is not answered long after its deadline",
                  (unsigned long long)self->number, self->options.method);
    }
}
