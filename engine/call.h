/* call.h -- one RPC on its way through the engine.
 *
 * A call is made by the frontend (or by the simulator), travels by mail between loops, and has
 * exactly one holder at a time: whoever holds it answers it, once. Answers are serialised on the
 * holder's thread and finished on the home loop.
 *
 * Thread: fields are the holder's; `canceled` is readable anywhere.
 * Ownership: the arena and everything in it lives until `finish` has run. */
#ifndef PD_ENGINE_CALL_H
#define PD_ENGINE_CALL_H

#include <stdatomic.h>

#include "api/pb/rpc_error.h"
#include "base/loop.h"
#include "engine/metrics.h"

typedef struct pd_call pd_call_t;

struct pd_call {
    pd_mail_t mail; /* the holder's, to pass the call on */
    pd_loop_t *home;
    pd_arena_t *arena;
    const char *method; /* e.g. "StartWorkflowExecution" */
    ProtobufCMessage *request;
    const char *path;   /* "/package.Service/Method", lent until the answer */
    pd_bytes_t message; /* the request's bytes as they came, lent until the answer */
    /* The request's headers by index, strings lent until the answer; false: no more. NULL: the call
     * came without any. */
    bool (*header_at)(const void *headers, size_t index, const char **name, const char **value);
    const void *headers;
    int64_t deadline_ns;      /* wall clock; INT64_MAX: none */
    const char *client_name;  /* header client-name, "" when absent */
    bool follows_next_run_id; /* header supported-features says so */
    _Atomic(bool) canceled;   /* the client is gone; an answer is harmless */

    /* The answer: `error`, or `data` (pd_alloc'ed, taken by whoever finishes). */
    const pd_rpc_error_t *error;
    bool not_taken; /* with `error`: surely nothing came of the call, it may be tried again */
    uint8_t *data;
    size_t size;
    /* Runs on the home loop, once, after an answer was given. */
    void (*finish)(pd_call_t *call);
    void *user;                /* of whoever made the call */
    pd_rpc_metrics_t *metrics; /* of its method, the home loop's; NULL: not counted */
    int64_t began_ns;

    /* Where the router sent the call, for a cancellation to follow it. The frontend's loop sets
     * these before the call leaves. */
    pd_loop_t *routed_to;
    enum {
        PD_CALL_AT_PARTITION,
        PD_CALL_AT_MATCHING,
        PD_CALL_AT_PEER, /* on another node, or on its way there: engine/forward */
    } canceled_at;
    void *place;

    /* A router that would rather send a call elsewhere than let it fail sets these before the call
     * leaves: instead of `finish`, `again` gets a call that comes home not_taken, and holds it. */
    void (*again)(pd_call_t *call);
    void *router, *routed;

    /* Set while the holder, on routed_to, lets the call wait: what gets it out again. */
    void (*unpark)(pd_call_t *call);
    void *parked_in;

    /* A cancellation under way keeps the call alive: `finish` waits for it. Home loop only. */
    uint32_t hold_count;
    bool finish_due;
};

/* `finish` waits until as many _unhold as _hold have come. @thread home */
void pd_call_hold(pd_call_t *call);
void pd_call_unhold(pd_call_t *call);

/* Serialises `response` and sends the call home. @thread holder */
void pd_call_respond(pd_call_t *call, const void *response);
/* Takes `data` (pd_alloc'ed). @thread holder */
void pd_call_respond_data(pd_call_t *call, uint8_t *data, size_t size);
/* The error lives in the call's arena or forever. @thread holder */
void pd_call_fail(pd_call_t *call, const pd_rpc_error_t *error);
/* As pd_call_fail, for a call that was not even begun, or only read: it may be tried again, here or
 * elsewhere. Never for a call whose outcome is unknown. @thread holder */
void pd_call_fail_not_taken(pd_call_t *call, const pd_rpc_error_t *error);

#endif
