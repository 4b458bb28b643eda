/* rpc_error.h -- an error as a gRPC client sees it: code, text and typed details.
 *
 * SDKs decide by code and detail type, people and some SDKs by text; all three follow Temporal's
 * server. Thread: any. Ownership: errors live in the arena given (the call's). */
#ifndef PD_API_RPC_ERROR_H
#define PD_API_RPC_ERROR_H

#include "api/pb/pb.h"

typedef enum pd_rpc_code {
    PD_RPC_OK = 0,
    PD_RPC_CANCELLED = 1,
    PD_RPC_UNKNOWN = 2,
    PD_RPC_INVALID_ARGUMENT = 3,
    PD_RPC_DEADLINE_EXCEEDED = 4,
    PD_RPC_NOT_FOUND = 5,
    PD_RPC_ALREADY_EXISTS = 6,
    PD_RPC_PERMISSION_DENIED = 7,
    PD_RPC_RESOURCE_EXHAUSTED = 8,
    PD_RPC_FAILED_PRECONDITION = 9,
    PD_RPC_ABORTED = 10,
    PD_RPC_OUT_OF_RANGE = 11,
    PD_RPC_UNIMPLEMENTED = 12,
    PD_RPC_INTERNAL = 13,
    PD_RPC_UNAVAILABLE = 14,
    PD_RPC_DATA_LOSS = 15,
} pd_rpc_code_t;

typedef struct pd_rpc_error {
    pd_rpc_code_t code;
    const char *message;
    pd_bytes_t details; /* packed google.rpc.Status for grpc-status-details-bin; empty: none */
} pd_rpc_error_t;

/* Without details. */
pd_rpc_error_t *pd_rpc_error(pd_arena_t *arena, pd_rpc_code_t code, const char *format, ...)
    PD_PRINTF(3, 4);
/* With one detail message, usually of temporal.api.errordetails.v1; packed at once. */
pd_rpc_error_t *pd_rpc_error_detail(pd_arena_t *arena, pd_rpc_code_t code, const void *detail,
                                    const char *format, ...) PD_PRINTF(4, 5);

/* The ones used everywhere: code, text and detail in one. */
pd_rpc_error_t *pd_rpc_invalid_argument(pd_arena_t *arena, const char *format, ...) PD_PRINTF(2, 3);
/* NOT_FOUND with NotFoundFailure. */
pd_rpc_error_t *pd_rpc_not_found(pd_arena_t *arena, const char *format, ...) PD_PRINTF(2, 3);
/* NOT_FOUND with NamespaceNotFoundFailure. */
const pd_rpc_error_t *pd_rpc_namespace_not_found(pd_arena_t *arena, const char *name);
/* RESOURCE_EXHAUSTED with ResourceExhaustedFailure{cause: BUSY_WORKFLOW, scope: NAMESPACE}. */
pd_rpc_error_t *pd_rpc_busy_workflow(pd_arena_t *arena, const char *format, ...) PD_PRINTF(2, 3);
/* UNAVAILABLE without details: clients retry. */
pd_rpc_error_t *pd_rpc_unavailable(pd_arena_t *arena, const char *format, ...) PD_PRINTF(2, 3);
/* FAILED_PRECONDITION with WorkflowNotReadyFailure. */
pd_rpc_error_t *pd_rpc_workflow_not_ready(pd_arena_t *arena, const char *format, ...)
    PD_PRINTF(2, 3);

#endif
