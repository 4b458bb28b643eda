/* sim_call.h -- RPCs as clients make them: real bytes into the frontend, an answer or a lost
 * connection back.
 *
 * A call travels: from the clients' loop to the server's frontend, and back. Thread: the clients'
 * loop. Ownership: a call frees itself after `done` has run; what a reply holds
 * lives until `done` returns. */
#ifndef PD_TESTS_SIM_SIM_CALL_H
#define PD_TESTS_SIM_SIM_CALL_H

#include "engine/call.h"
#include "tests/sim/sim_server.h"

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

/* To a server that the dice choose. */
sim_call_t *sim_call(sim_t *sim, const sim_call_options_t *options);
/* The client lets go: `done` is told CANCELLED, unknown, soon. */
void sim_call_cancel(sim_call_t *call);
/* The server died: whatever it says now, no client will hear it. */
void sim_calls_lose(sim_server_t *server);
/* Likewise: it lets go what waits. */
void sim_calls_cancel_at(sim_server_t *server, pd_frontend_t *frontend);
/* Calls that the server has and has not answered; and which, for a failure's message. */
size_t sim_calls_at_count(const sim_server_t *server);
const char *sim_calls_at_text(const sim_server_t *server);
/* One is open although its deadline is past: sim_calls_check will see whether it hangs. */
bool sim_calls_overdue(void);
/* Fails when one is open long after its deadline. */
void sim_calls_check(sim_t *sim);
/* Runs whatever is due until every client has heard its last answer. The servers are gone. */
void sim_calls_drain(sim_t *sim);

#endif
