/* sim_call.h -- RPCs as clients make them: real bytes into the frontend, an answer or a lost
 * connection back.
 *
 * Thread: the front loop. Ownership: a call frees itself after `done` has run; what a reply holds
 * lives until `done` returns. */
#ifndef PD_TESTS_SIM_SIM_CALL_H
#define PD_TESTS_SIM_SIM_CALL_H

#include "engine/call.h"
#include "tests/sim/sim.h"

typedef struct sim_call sim_call_t;

typedef struct sim_reply {
    pd_rpc_code_t code;
    bool unknown;         /* nobody knows whether it was done: lost connection, deadline … */
    const char *message;  /* of an error */
    const void *response; /* PD_RPC_OK: the response message */
    pd_arena_t *arena;    /* the call's */
} sim_reply_t;

typedef struct sim_call_options {
    const char *method;  /* of WorkflowService */
    const void *request; /* serialised at once */
    const ProtobufCMessageDescriptor *response_type;
    int64_t timeout_ns;
    const char *client_name;
    void (*done)(void *ctx, const sim_reply_t *reply);
    void *ctx;
} sim_call_options_t;

sim_call_t *sim_call(sim_t *sim, const sim_call_options_t *options);
/* The client lets go: `done` is told CANCELLED, unknown. */
void sim_call_cancel(sim_call_t *call);
/* The server died: whatever it says now, no client will hear it. */
void sim_calls_lose_all(sim_t *sim);
size_t sim_calls_open_count(const sim_t *sim);
/* Tells which, for a failure's message. */
const char *sim_calls_open_text(const sim_t *sim);
/* Fails when one is open long after its deadline. */
void sim_calls_check(sim_t *sim);

#endif
