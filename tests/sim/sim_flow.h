/* sim_flow.h -- what the simulated workflows do.
 *
 * A flow is what a worker knows of a run: the fold of the history that it was given. From it, the
 * seed and the number of completed tasks follow the next commands, so every worker that replays the
 * same history asks for the same. Every flow ends: after some tasks it closes, and it never waits
 * for nothing.
 *
 * Thread: one. Ownership: a plain value. */
#ifndef PD_TESTS_SIM_SIM_FLOW_H
#define PD_TESTS_SIM_SIM_FLOW_H

#include <temporal/api/command/v1/message.pb-c.h>

#include "tests/sim/check_history.h"
#include "tests/sim/sim.h"

enum { SIM_FLOW_PENDING_MAX = 64, SIM_COMMAND_MAX = 12 };

typedef struct sim_flow_pending {
    int64_t event_id;
    char id[40];
    bool cancel_requested;
    bool eternal; /* a timer of a thousand years: nobody waits for it */
} sim_flow_pending_t;

typedef struct sim_flow {
    char run_id[40];
    int64_t next_event_id;
    uint32_t turn; /* completed workflow tasks */
    uint32_t generation;
    uint32_t signal_count;
    bool cancel_requested;
    sim_flow_pending_t activities[SIM_FLOW_PENDING_MAX], timers[SIM_FLOW_PENDING_MAX];
    uint32_t activity_count, timer_count;
} sim_flow_t;

typedef struct sim_commands {
    Temporal__Api__Command__V1__Command *items[SIM_COMMAND_MAX];
    int event_types[SIM_COMMAND_MAX]; /* that each of them must lead to */
    size_t count;
    bool closes;
    bool bad; /* something in it must be refused */
} sim_commands_t;

void sim_flow_init(sim_flow_t *flow, const char *run_id);
/* The next event of the history. */
void sim_flow_fold(sim_flow_t *flow, const pd_history_event_t *event);
/* `give_up`: close now, whatever the flow wants. */
void sim_flow_decide(sim_t *sim, const sim_flow_t *flow, pd_arena_t *arena, const char *task_queue,
                     bool give_up, sim_commands_t *commands);
/* Adds a command that no server should accept. */
void sim_flow_spoil(sim_t *sim, const sim_flow_t *flow, pd_arena_t *arena,
                    sim_commands_t *commands);

Temporal__Api__Common__V1__Payloads *sim_payloads(pd_arena_t *arena, const char *text);
Temporal__Api__Common__V1__RetryPolicy *sim_retry_policy(pd_random_t *random, pd_arena_t *arena);

#endif
