/* sim_client.h -- clients that start, signal, cancel, terminate, read and query at random, and
 * repeat what was lost with the same request ID, as SDKs do.
 *
 * Thread: the front loop. Ownership: clients live as long as the simulation. */
#ifndef PD_TESTS_SIM_SIM_CLIENT_H
#define PD_TESTS_SIM_SIM_CLIENT_H

#include "tests/sim/sim_call.h"
#include "tests/sim/sim_ledger.h"

typedef struct sim_client {
    sim_t *sim;
    uint32_t index;
    pd_timer_t timer; /* the next thing to do, or the next attempt */
    pd_timer_t impatience;
    pd_arena_t arena; /* of what is being done */
    sim_call_t *call;
    sim_call_options_t options;
    sim_op_t *op;
    uint32_t attempt_left;
    bool busy;
    /* A history being followed. */
    char workflow_id[64], run_id[40];
    bool long_poll;
} sim_client_t;

struct sim_clients {
    sim_t *sim;
    sim_client_t *items;
    uint32_t count;
    uint64_t call_count;
};

sim_clients_t *sim_clients_new(sim_t *sim);
void sim_clients_free(sim_clients_t *clients);
void sim_clients_start(sim_clients_t *clients);
bool sim_clients_idle(const sim_clients_t *clients);
/* Everything that would never end by itself (cron) is terminated, once clients are idle. */
void sim_clients_terminate(sim_clients_t *clients, const sim_run_t *run);

/* sim_client_op.c: what a client does next. Fills options and, for what changes something, op. */
void sim_client_choose(sim_client_t *client);
void sim_client_make_terminate(sim_client_t *client, const char *workflow_id);
/* The answer of a read. */
void sim_client_check_history(sim_client_t *client, const sim_reply_t *reply);

#endif
