#include "api/pb/rpc_error.h"

#include <google/rpc/status.pb-c.h>
#include <temporal/api/errordetails/v1/message.pb-c.h>

#include "base/assert.h"

static pd_rpc_error_t *make(pd_arena_t *arena, pd_rpc_code_t code, const char *message,
                            const ProtobufCMessage *detail)
{
    pd_rpc_error_t *error = PD_ARENA_NEW(arena, pd_rpc_error_t);

    error->code = code;
    error->message = message;
    if (detail) {
        Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT, *anys[] = {&any};
        Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
        pd_bytes_t value = pd_pb_pack_arena(detail, arena);

        any.type_url = pd_arena_printf(arena, "type.googleapis.com/%s", detail->descriptor->name);
        any.value.data = (uint8_t *)value.data;
        any.value.len = value.size;
        status.code = (int32_t)code;
        status.message = (char *)message;
        status.n_details = 1;
        status.details = anys;
        error->details = pd_pb_pack_arena(&status, arena);
    }
    return error;
}

#define FORMAT_MESSAGE(message)                                                                    \
    do {                                                                                           \
        va_list args_;                                                                             \
        va_start(args_, format);                                                                   \
        (message) = pd_arena_vprintf(arena, format, args_);                                        \
        va_end(args_);                                                                             \
    } while (0)

pd_rpc_error_t *pd_rpc_error(pd_arena_t *arena, pd_rpc_code_t code, const char *format, ...)
{
    char *message;

    FORMAT_MESSAGE(message);
    return make(arena, code, message, NULL);
}

pd_rpc_error_t *pd_rpc_error_detail(pd_arena_t *arena, pd_rpc_code_t code, const void *detail,
                                    const char *format, ...)
{
    char *message;

    FORMAT_MESSAGE(message);
    return make(arena, code, message, detail);
}

pd_rpc_error_t *pd_rpc_invalid_argument(pd_arena_t *arena, const char *format, ...)
{
    char *message;

    FORMAT_MESSAGE(message);
    return make(arena, PD_RPC_INVALID_ARGUMENT, message, NULL);
}

pd_rpc_error_t *pd_rpc_not_found(pd_arena_t *arena, const char *format, ...)
{
    Temporal__Api__Errordetails__V1__NotFoundFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__NOT_FOUND_FAILURE__INIT;
    char *message;

    FORMAT_MESSAGE(message);
    return make(arena, PD_RPC_NOT_FOUND, message, &detail.base);
}

const pd_rpc_error_t *pd_rpc_namespace_not_found(pd_arena_t *arena, const char *name)
{
    Temporal__Api__Errordetails__V1__NamespaceNotFoundFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__NAMESPACE_NOT_FOUND_FAILURE__INIT;

    detail.namespace_ = (char *)name;
    return make(arena, PD_RPC_NOT_FOUND, pd_arena_printf(arena, "Namespace %s is not found.", name),
                &detail.base);
}

pd_rpc_error_t *pd_rpc_busy_workflow(pd_arena_t *arena, const char *format, ...)
{
    Temporal__Api__Errordetails__V1__ResourceExhaustedFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__RESOURCE_EXHAUSTED_FAILURE__INIT;
    char *message;

    detail.cause =
        TEMPORAL__API__ENUMS__V1__RESOURCE_EXHAUSTED_CAUSE__RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW;
    detail.scope =
        TEMPORAL__API__ENUMS__V1__RESOURCE_EXHAUSTED_SCOPE__RESOURCE_EXHAUSTED_SCOPE_NAMESPACE;
    FORMAT_MESSAGE(message);
    return make(arena, PD_RPC_RESOURCE_EXHAUSTED, message, &detail.base);
}

pd_rpc_error_t *pd_rpc_unavailable(pd_arena_t *arena, const char *format, ...)
{
    char *message;

    FORMAT_MESSAGE(message);
    return make(arena, PD_RPC_UNAVAILABLE, message, NULL);
}

pd_rpc_error_t *pd_rpc_workflow_not_ready(pd_arena_t *arena, const char *format, ...)
{
    Temporal__Api__Errordetails__V1__WorkflowNotReadyFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__WORKFLOW_NOT_READY_FAILURE__INIT;
    char *message;

    FORMAT_MESSAGE(message);
    return make(arena, PD_RPC_FAILED_PRECONDITION, message, &detail.base);
}
