/* call.h -- one gRPC call as the server's handler sees it.
 *
 * Unary: on_call comes once with the whole request; the handler answers once, now or much later
 * (a long poll), with _respond or _fail. Streaming (only where on_open said so): on_message for
 * each message, on_half_close at their end; the handler sends any number of messages and ends with
 * _finish.
 *
 * Life: a call lives until it is answered (_respond, _fail, _finish), whatever happens to the peer.
 * When the peer resets it, the connection is lost or the deadline passes, on_cancel comes (once,
 * never after the answer); answering is then still due, frees the call, and sends nothing. Thread:
 * everything on the server's loop, but the bytes and strings that a call lends may be read by other
 * threads until the answer. Ownership: a call lends what its getters return, until it is answered.
 */
#ifndef PD_API_GRPC_CALL_H
#define PD_API_GRPC_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

typedef struct pd_grpc_call pd_grpc_call_t;

/* The codes of gRPC. */
typedef enum pd_grpc_code {
    PD_GRPC_OK = 0,
    PD_GRPC_CANCELLED = 1,
    PD_GRPC_UNKNOWN = 2,
    PD_GRPC_INVALID_ARGUMENT = 3,
    PD_GRPC_DEADLINE_EXCEEDED = 4,
    PD_GRPC_NOT_FOUND = 5,
    PD_GRPC_ALREADY_EXISTS = 6,
    PD_GRPC_PERMISSION_DENIED = 7,
    PD_GRPC_RESOURCE_EXHAUSTED = 8,
    PD_GRPC_FAILED_PRECONDITION = 9,
    PD_GRPC_ABORTED = 10,
    PD_GRPC_OUT_OF_RANGE = 11,
    PD_GRPC_UNIMPLEMENTED = 12,
    PD_GRPC_INTERNAL = 13,
    PD_GRPC_UNAVAILABLE = 14,
    PD_GRPC_DATA_LOSS = 15,
    PD_GRPC_UNAUTHENTICATED = 16,
} pd_grpc_code_t;

/* Upper-case name, e.g. "NOT_FOUND"; "CODE(n)" is not made: unknown numbers give "UNKNOWN".
 * @thread any */
const char *pd_grpc_code_name(int code);

/* All functions: @thread loop. A handler may answer from inside its callbacks. */
typedef struct pd_grpc_server_handler {
    /* Unary: the whole request is here. */
    void (*on_call)(void *ctx, pd_grpc_call_t *call);
    /* The peer does not wait any more; the answer is still due. May be NULL. */
    void (*on_cancel)(void *ctx, pd_grpc_call_t *call);
    /* The headers are here: true makes it a streaming call. NULL: all calls are unary. */
    bool (*on_open)(void *ctx, pd_grpc_call_t *call);
    /* Streaming: `message` is borrowed until the return. */
    void (*on_message)(void *ctx, pd_grpc_call_t *call, pd_bytes_t message);
    /* Streaming: the peer sends no more. */
    void (*on_half_close)(void *ctx, pd_grpc_call_t *call);
} pd_grpc_server_handler_t;

/* "/pkg.Service/Method" */
const char *pd_grpc_call_path(const pd_grpc_call_t *call);
/* First value of a request header (lower-case name; pseudo-headers too); NULL when absent. Values
 * of
 * "-bin" headers are still in base64 (see text.h). */
const char *pd_grpc_call_header(const pd_grpc_call_t *call, const char *name);
/* All of them by index, in the order of coming, pseudo-headers too; false: there is no such index.
 * NUL-terminated, lent until the call is answered. */
bool pd_grpc_call_header_at(const pd_grpc_call_t *call, size_t index, const char **name,
                            const char **value);
/* Wall clock, ns since 1970; INT64_MAX when the peer gave none. The server enforces it. */
int64_t pd_grpc_call_deadline_ns(const pd_grpc_call_t *call);
/* Unary: the request, inflated. */
pd_bytes_t pd_grpc_call_message(const pd_grpc_call_t *call);
/* Empties when the call is answered. */
pd_arena_t *pd_grpc_call_arena(pd_grpc_call_t *call);
/* One pointer for the handler. */
void *pd_grpc_call_user(const pd_grpc_call_t *call);
void pd_grpc_call_set_user(pd_grpc_call_t *call, void *user);
/* Has on_cancel come, or would the answer be lost for another reason? */
bool pd_grpc_call_is_cancelled(const pd_grpc_call_t *call);

/* Answers with OK and one message. Takes `data` (pd_alloc; NULL when size is 0). Ends the call. */
void pd_grpc_call_respond(pd_grpc_call_t *call, uint8_t *data, size_t size);
/* Answers with an error. `message` is UTF-8 (may be NULL), `details` an encoded google.rpc.Status
 * or empty; both borrowed until the return. code is not OK. Ends the call. */
void pd_grpc_call_fail(pd_grpc_call_t *call, int code, const char *message, pd_bytes_t details);

/* Streaming. Takes `data` (pd_alloc). */
void pd_grpc_call_send_message(pd_grpc_call_t *call, uint8_t *data, size_t size);
/* Streaming: what was sent waits for the peer before this, in bytes; a handler that produces
 * without being asked stops above some bound. */
size_t pd_grpc_call_unsent_size(const pd_grpc_call_t *call);
/* Streaming: the end, with OK or an error. Ends the call. */
void pd_grpc_call_finish(pd_grpc_call_t *call, int code, const char *message);

#endif
