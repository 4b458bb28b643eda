#include "engine/frontend/frontend.h"

#include <temporal/api/errordetails/v1/message.pb-c.h>

#include "api/pb/validate.h"
#include "base/memory.h"
#include "engine/frontend/frontend_private.h"

#define EXHAUSTED(KIND, NAME)                                                                      \
    TEMPORAL__API__ENUMS__V1__RESOURCE_EXHAUSTED_##KIND##__RESOURCE_EXHAUSTED_##KIND##_##NAME

static void make_metrics(pd_frontend_t *frontend)
{
    size_t count = pd_methods_count(frontend->methods);

    frontend->metrics = pd_calloc(count + 1, sizeof(frontend->metrics[0]));
    for (size_t i = 0; frontend->options.metrics && i <= count; i++)
        pd_rpc_metrics_register(&frontend->metrics[i], frontend->options.metrics,
                                i < count ? pd_methods_at(frontend->methods, i)->name : "unknown");
}

pd_frontend_t *pd_frontend_new(const pd_frontend_options_t *options)
{
    pd_frontend_t *frontend = PD_NEW(pd_frontend_t);

    PD_ASSERT(options->loop && options->router.ops && options->namespaces);
    frontend->options = *options;
    frontend->methods = pd_methods_new();
    pd_random_init(&frontend->random, options->seed);
    make_metrics(frontend);
    return frontend;
}

void pd_frontend_free(pd_frontend_t *frontend)
{
    if (!frontend)
        return;
    pd_methods_free(frontend->methods);
    pd_free(frontend->metrics);
    pd_free(frontend);
}

/* ---- what handlers use ---- */

void *pdi_new_response(pdi_rpc_t *rpc)
{
    return pd_pb_new(rpc->method->response, rpc->arena);
}

const pd_rpc_error_t *pdi_respond(pdi_rpc_t *rpc, const void *response)
{
    pd_call_respond(rpc->call, response);
    return NULL;
}

const pd_rpc_error_t *pdi_taken(pdi_rpc_t *rpc, bool taken)
{
    Temporal__Api__Errordetails__V1__ResourceExhaustedFailure *detail;

    if (taken)
        return NULL;
    detail = PD_PB_NEW(rpc->arena, Temporal__Api__Errordetails__V1__ResourceExhaustedFailure,
                       temporal__api__errordetails__v1__resource_exhausted_failure);
    detail->cause = EXHAUSTED(CAUSE, SYSTEM_OVERLOADED);
    detail->scope = EXHAUSTED(SCOPE, SYSTEM);
    return pd_rpc_error_detail(rpc->arena, PD_RPC_RESOURCE_EXHAUSTED, detail,
                               "service is overloaded, please retry later");
}

/* What a decision and its events usually take of the call's arena, beside the request. */
enum { DECISION_SIZE = 4000 };

const pd_rpc_error_t *pdi_submit(pdi_rpc_t *rpc, const pd_command_kind_t *kind,
                                 const char *workflow_id, const char *run_id, const void *request)
{
    const pd_router_t *router = &rpc->frontend->options.router;
    pd_command_t *command = PD_ARENA_NEW(rpc->arena, pd_command_t);

    PD_ASSERT(rpc->ns);
    pd_arena_reserve(rpc->arena, DECISION_SIZE);
    command->kind = kind;
    command->call = rpc->call;
    command->arena = rpc->arena;
    command->ns = rpc->ns;
    command->workflow_id = workflow_id;
    command->run_id = pd_pb_str(run_id);
    command->request = request;
    command->token = rpc->token;
    return pdi_taken(rpc, router->ops->submit(router->ctx, command));
}

/* A call whose answer is known beforehand; only whether it succeeds is open. */
typedef struct pd_instead {
    void (*finish)(pd_call_t *call);
    void *user;
    uint8_t *data;
    size_t size;
} pd_instead_t;

static void finish_instead(pd_call_t *call)
{
    pd_instead_t *instead = call->user;

    if (!call->error) {
        pd_free(call->data);
        call->data = pd_memdup(instead->data, instead->size);
        call->size = instead->size;
    }
    call->user = instead->user;
    call->finish = instead->finish;
    call->finish(call);
}

void pdi_answer_instead(pdi_rpc_t *rpc, const void *response)
{
    pd_instead_t *instead = PD_ARENA_NEW(rpc->arena, pd_instead_t);
    pd_bytes_t packed = pd_pb_pack_arena(response, rpc->arena);

    instead->finish = rpc->call->finish;
    instead->user = rpc->call->user;
    instead->data = (uint8_t *)packed.data;
    instead->size = packed.size;
    rpc->call->user = instead;
    rpc->call->finish = finish_instead;
}

char *pdi_uuid(pdi_rpc_t *rpc)
{
    char *uuid = pd_arena_alloc(rpc->arena, PD_UUID_SIZE);

    pd_random_uuid(rpc->random, rpc->now_ns, uuid);
    return uuid;
}

/* ---- before the handler ---- */

/* A task token decides about the namespace; the request may leave it out. */
static const pd_rpc_error_t *resolve_token(pdi_rpc_t *rpc)
{
    const ProtobufCBinaryData *token =
        (const void *)((const char *)rpc->request + rpc->method->task_token_offset);
    pd_bytes_t bytes = pd_bytes(token->data, token->len);
    const ProtobufCMessageDescriptor *type = &perdure__v1__task_token__descriptor;

    if (bytes.size == 0)
        return pd_rpc_invalid_argument(rpc->arena, "Task token not set on request.");
    if (pd_pb_validate(type, bytes) == PD_PB_SOUND)
        rpc->token = pd_pb_unpack(type, rpc->arena, bytes);
    if (!rpc->token)
        return pd_rpc_invalid_argument(rpc->arena, "Error deserializing task token.");
    if (pd_pb_empty(rpc->token->namespace_id))
        return pd_rpc_invalid_argument(rpc->arena, "Namespace not set on request.");
    rpc->ns = pd_namespaces_by_id(rpc->frontend->options.namespaces, rpc->token->namespace_id);
    if (!rpc->ns)
        return pd_rpc_namespace_not_found(rpc->arena, rpc->token->namespace_id);
    return NULL;
}

static const pd_rpc_error_t *resolve_namespace(pdi_rpc_t *rpc)
{
    const pd_namespace_t *ns;
    const char *name = "";

    if (rpc->method->namespace_offset)
        name = *(char *const *)((const char *)rpc->request + rpc->method->namespace_offset);
    if (strlen(name) > PD_ID_SIZE_MAX)
        return pd_rpc_invalid_argument(rpc->arena, "Namespace length exceeds limit.");
    if (rpc->method->flags & PD_METHOD_OWN_NAMESPACE)
        return NULL;
    if (rpc->method->task_token_offset) {
        const pd_rpc_error_t *error = resolve_token(rpc);

        if (error)
            return error;
    }
    if (!rpc->method->namespace_offset || (rpc->token && !name[0]))
        return NULL;
    if (!name[0])
        return pd_rpc_invalid_argument(rpc->arena, "Namespace is empty.");
    ns = pd_namespaces_by_name(rpc->frontend->options.namespaces, name);
    if (!ns)
        return pd_rpc_namespace_not_found(rpc->arena, name);
    if (rpc->token && ns != rpc->ns)
        return pd_rpc_invalid_argument(
            rpc->arena, "Operation requested with a token from a different namespace.");
    rpc->ns = ns;
    return NULL;
}

static const pd_rpc_error_t *check_deadline(pdi_rpc_t *rpc)
{
    if (rpc->call->deadline_ns == INT64_MAX)
        return pd_rpc_invalid_argument(rpc->arena, "Context timeout is not set.");
    if (rpc->call->deadline_ns - rpc->now_ns < PD_POLL_TIMEOUT_MIN_NS)
        return pd_rpc_error(rpc->arena, PD_RPC_FAILED_PRECONDITION,
                            "Context timeout is too short.");
    return NULL;
}

/* The words are grpc-go's; INTERNAL is what it answers, too. */
static const pd_rpc_error_t *decode(pdi_rpc_t *rpc, pd_bytes_t message)
{
    switch (pd_pb_validate(rpc->method->request, message)) {
    case PD_PB_SOUND:
        rpc->request = pd_pb_unpack(rpc->method->request, rpc->arena, message);
        if (rpc->request)
            return NULL;
        break;
    case PD_PB_BAD_WIRE:
        break;
    case PD_PB_BAD_UTF8:
        return pd_rpc_error(
            rpc->arena, PD_RPC_INTERNAL,
            "grpc: error unmarshalling request: string field contains invalid UTF-8");
    case PD_PB_NUL_BYTE: /* ours alone: what is lasting is not told with a code that is retried */
        return pd_rpc_invalid_argument(rpc->arena, "string field contains a NUL character");
    case PD_PB_TOO_DEEP:
        return pd_rpc_invalid_argument(rpc->arena, "message is nested too deeply");
    }
    return pd_rpc_error(rpc->arena, PD_RPC_INTERNAL,
                        "grpc: error unmarshalling request: proto:\xc2\xa0"
                        "cannot parse invalid wire-format data");
}

static const pd_rpc_error_t *handle(pdi_rpc_t *rpc, const char *path, pd_bytes_t message)
{
    const pd_rpc_error_t *error = NULL;

    rpc->method = pd_methods_find(rpc->frontend->methods, path, rpc->arena, &error);
    if (!rpc->method)
        return error;
    rpc->call->method = rpc->method->name;
    rpc->call->metrics =
        &rpc->frontend->metrics[pd_methods_index(rpc->frontend->methods, rpc->method)];
    if (!rpc->method->handle)
        return pd_rpc_error(rpc->arena, PD_RPC_UNIMPLEMENTED, "%s is not implemented",
                            rpc->method->name);
    error = decode(rpc, message);
    if (error)
        return error;
    rpc->call->request = rpc->request;
    error = resolve_namespace(rpc);
    if (!error && (rpc->method->flags & PD_METHOD_LONG_POLL))
        error = check_deadline(rpc);
    return error ? error : rpc->method->handle(rpc);
}

void pd_frontend_handle(pd_frontend_t *frontend, const char *path, pd_bytes_t message,
                        pd_call_t *call)
{
    pdi_rpc_t *rpc = PD_ARENA_NEW(call->arena, pdi_rpc_t);
    const pd_rpc_error_t *error;

    PD_ASSERT_LOOP(frontend->options.loop);
    PD_ASSERT(call->home == frontend->options.loop);
    call->method = "";
    call->metrics = &frontend->metrics[pd_methods_count(frontend->methods)];
    call->began_ns = pd_loop_now_ns(frontend->options.loop);
    call->path = path;
    call->message = message;
    rpc->frontend = frontend;
    rpc->call = call;
    rpc->arena = call->arena;
    rpc->now_ns = pd_loop_now_ns(frontend->options.loop);
    rpc->random = &frontend->random;
    error = handle(rpc, path, message);
    pd_gauge_add(&call->metrics->open_count, 1);
    if (error)
        pd_call_fail(call, error);
}

void pd_frontend_cancel(pd_frontend_t *frontend, pd_call_t *call)
{
    PD_ASSERT_LOOP(frontend->options.loop);
    if (atomic_exchange(&call->canceled, true))
        return;
    frontend->options.router.ops->cancel(frontend->options.router.ctx, call);
}
