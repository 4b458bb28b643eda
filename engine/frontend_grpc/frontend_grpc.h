/* frontend_grpc.h -- binds a gRPC server's calls to a frontend.
 *
 * Apart from the frontend so that the simulator and the fuzzer need no HTTP/2.
 * Thread: the loop that server and frontend share. Ownership: a pd_call_t lives in its gRPC call's
 * arena; the server's ctx is the frontend. */
#ifndef PD_ENGINE_FRONTEND_GRPC_FRONTEND_GRPC_H
#define PD_ENGINE_FRONTEND_GRPC_FRONTEND_GRPC_H

#include "api/grpc/call.h"
#include "engine/frontend/frontend.h"

/* What a call of the server needs to reach a frontend: ctx of pd_frontend_grpc_handler. */
typedef struct pd_frontend_grpc {
    pd_frontend_t *frontend;
    pd_loop_t *loop;
} pd_frontend_grpc_t;

/* Handles unary calls; ctx is a pd_frontend_grpc_t. Whoever serves streams (reflection) copies the
 * table and adds on_open, on_message and on_half_close. */
extern const pd_grpc_server_handler_t pd_frontend_grpc_handler;

#endif
