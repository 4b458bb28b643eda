#include "engine/frontend_grpc/frontend_grpc.h"

#include <string.h>

#include "base/memory.h"

static void finish(pd_call_t *call)
{
    pd_grpc_call_t *grpc = call->user;
    uint8_t *data = call->data;
    size_t size = call->size;

    /* The call is gone with its arena after either of these. */
    if (call->error) {
        pd_grpc_call_fail(grpc, (int)call->error->code, call->error->message, call->error->details);
        return;
    }
    if (size == 0) {
        pd_free(data);
        data = NULL;
    }
    pd_grpc_call_respond(grpc, data, size);
}

static bool header_at(const void *headers, size_t index, const char **name, const char **value)
{
    return pd_grpc_call_header_at(headers, index, name, value);
}

static void on_call(void *ctx, pd_grpc_call_t *grpc)
{
    pd_frontend_grpc_t *self = ctx;
    pd_arena_t *arena = pd_grpc_call_arena(grpc);
    pd_call_t *call = PD_ARENA_NEW(arena, pd_call_t);
    const char *client_name = pd_grpc_call_header(grpc, "client-name");
    const char *features = pd_grpc_call_header(grpc, "supported-features");

    call->home = self->loop;
    call->arena = arena;
    call->deadline_ns = pd_grpc_call_deadline_ns(grpc);
    call->client_name = client_name ? client_name : "";
    call->follows_next_run_id = features && strstr(features, "follows-next-run-id");
    atomic_init(&call->canceled, false);
    call->header_at = header_at;
    call->headers = grpc;
    call->finish = finish;
    call->user = grpc;
    pd_grpc_call_set_user(grpc, call);
    pd_frontend_handle(self->frontend, pd_grpc_call_path(grpc), pd_grpc_call_message(grpc), call);
}

static void on_cancel(void *ctx, pd_grpc_call_t *grpc)
{
    pd_frontend_grpc_t *self = ctx;
    pd_call_t *call = pd_grpc_call_user(grpc);

    if (call)
        pd_frontend_cancel(self->frontend, call);
}

const pd_grpc_server_handler_t pd_frontend_grpc_handler = {
    .on_call = on_call,
    .on_cancel = on_cancel,
};
