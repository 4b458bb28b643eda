#include "tests/sim/sim_client.h"

#include <string.h>

enum { ATTEMPT_MAX = 8 };

static void next_later(sim_client_t *client);

static void done(sim_client_t *client)
{
    client->busy = false;
    client->op = NULL;
    pd_arena_reset(&client->arena);
    if (!client->sim->closing)
        next_later(client);
}

static void acknowledged(sim_client_t *client, const sim_reply_t *reply)
{
    const SIM_WS(StartWorkflowExecutionResponse) * started;
    const SIM_WS(SignalWithStartWorkflowExecutionResponse) * signaled;

    switch (client->op->kind) {
    case SIM_OP_START:
        started = reply->response;
        sim_op_acknowledged(client->sim, client->op, started->run_id, started->started);
        break;
    case SIM_OP_SIGNAL_WITH_START:
        signaled = reply->response;
        sim_op_acknowledged(client->sim, client->op, signaled->run_id, signaled->started);
        break;
    default:
        sim_op_acknowledged(client->sim, client->op, "", false);
        break;
    }
}

static void send(sim_client_t *client);

static void on_retry(pd_timer_t *timer)
{
    send(PD_CONTAINER_OF(timer, sim_client_t, timer));
}

static void on_answered(void *ctx, const sim_reply_t *reply)
{
    sim_client_t *client = ctx;
    sim_t *sim = client->sim;
    bool again = reply->unknown || reply->code == PD_RPC_RESOURCE_EXHAUSTED;

    client->call = NULL;
    pd_loop_timer_stop(sim_clients_loop(sim), &client->impatience);
    if (client->op && reply->unknown)
        client->op->maybe = true;
    if (again && --client->attempt_left && (client->op || sim_chance(sim, 50))) {
        client->timer.fire = on_retry;
        pd_loop_timer_start(sim_clients_loop(sim), &client->timer,
                            sim_now_ns(sim) + sim_between(sim, 50 * SIM_MS, 3 * SIM_S));
        return;
    }
    if (client->op) {
        if (again)
            sim_op_given_up(sim, client->op);
        else if (reply->code == PD_RPC_OK)
            acknowledged(client, reply);
        else
            sim_op_rejected(sim, client->op);
    } else if (reply->code == PD_RPC_OK &&
               strncmp(client->options.method, "GetWorkflow", 11) == 0) {
        sim_client_check_history(client, reply);
    }
    done(client);
}

static void on_impatience(pd_timer_t *timer)
{
    sim_client_t *client = PD_CONTAINER_OF(timer, sim_client_t, impatience);

    if (client->call)
        sim_call_cancel(client->call);
}

static void send(sim_client_t *client)
{
    sim_t *sim = client->sim;

    if (client->op)
        client->op->attempt_count++;
    sim->clients->call_count++;
    client->options.done = on_answered;
    client->options.ctx = client;
    client->call = sim_call(sim, &client->options);
    if (sim_fault(sim, client->long_poll ? 30 : 5)) {
        client->impatience.fire = on_impatience;
        pd_loop_timer_start(sim_clients_loop(sim), &client->impatience,
                            sim_now_ns(sim) + sim_between(sim, 0, 3 * SIM_S));
    }
}

static void begin(sim_client_t *client)
{
    client->busy = true;
    client->attempt_left = ATTEMPT_MAX;
    if (client->op && client->sim->faults && sim_chance(client->sim, 20))
        client->attempt_left = 1;
    send(client);
}

static void on_next(pd_timer_t *timer)
{
    sim_client_t *client = PD_CONTAINER_OF(timer, sim_client_t, timer);

    if (client->sim->closing)
        return;
    client->long_poll = false;
    sim_client_choose(client);
    begin(client);
}

static void next_later(sim_client_t *client)
{
    client->timer.fire = on_next;
    pd_loop_timer_start(sim_clients_loop(client->sim), &client->timer,
                        sim_now_ns(client->sim) + sim_between(client->sim, SIM_MS, 2 * SIM_S));
}

sim_clients_t *sim_clients_new(sim_t *sim)
{
    sim_clients_t *clients = PD_NEW(sim_clients_t);

    clients->sim = sim;
    clients->count = 2 + (uint32_t)sim_below(sim, 5);
    clients->items = pd_calloc(clients->count, sizeof(clients->items[0]));
    for (uint32_t i = 0; i < clients->count; i++) {
        clients->items[i].sim = sim;
        clients->items[i].index = i;
        pd_arena_init(&clients->items[i].arena);
    }
    return clients;
}

void sim_clients_free(sim_clients_t *clients)
{
    for (uint32_t i = 0; i < clients->count; i++) {
        pd_loop_timer_stop(sim_clients_loop(clients->sim), &clients->items[i].timer);
        pd_loop_timer_stop(sim_clients_loop(clients->sim), &clients->items[i].impatience);
        pd_arena_deinit(&clients->items[i].arena);
    }
    pd_free(clients->items);
    pd_free(clients);
}

void sim_clients_start(sim_clients_t *clients)
{
    for (uint32_t i = 0; i < clients->count; i++)
        next_later(&clients->items[i]);
}

bool sim_clients_idle(const sim_clients_t *clients)
{
    for (uint32_t i = 0; i < clients->count; i++) {
        if (clients->items[i].busy)
            return false;
    }
    return true;
}

void sim_clients_terminate(sim_clients_t *clients, const sim_run_t *run)
{
    sim_client_t *client = &clients->items[0];

    PD_ASSERT(!client->busy);
    client->long_poll = false;
    sim_client_make_terminate(client, run->workflow_id);
    begin(client);
}
