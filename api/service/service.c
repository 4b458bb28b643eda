#include "api/service/service_private.h"

#include "base/assert.h"
#include "base/memory.h"

static const char *const own_names[] = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
};

static const char check_path[] = "/grpc.health.v1.Health/Check";
static const char watch_path[] = "/grpc.health.v1.Health/Watch";

static bool is_reflection(const char *path)
{
    return strcmp(path, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo") == 0 ||
           strcmp(path, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") == 0;
}

pd_service_t *pd_service_new(const char *const *service_names, size_t count)
{
    pd_service_t *self = PD_NEW(pd_service_t);

    self->service_names = service_names;
    self->service_count = count;
    self->serving = true;
    return self;
}

void pd_service_free(pd_service_t *self)
{
    if (!self)
        return;
    PD_ASSERT(!self->watches);
    pd_descriptors_free(self->descriptors);
    pd_free(self);
}

bool pdi_service_knows(const pd_service_t *self, pd_bytes_t name)
{
    for (size_t i = 0; i < self->service_count; i++) {
        if (pd_bytes_equal(name, pd_bytes_str(self->service_names[i])))
            return true;
    }
    for (size_t i = 0; i < PD_ARRAY_COUNT(own_names); i++) {
        if (pd_bytes_equal(name, pd_bytes_str(own_names[i])))
            return true;
    }
    return name.size == 0; /* the server as a whole */
}

void pdi_service_send(pd_grpc_call_t *call, pd_buf_t *out)
{
    size_t size;
    uint8_t *data = pd_buf_detach(out, &size);

    pd_grpc_call_send_message(call, data, size);
}

void pd_service_set_serving(pd_service_t *self, bool serving)
{
    if (self->serving == serving)
        return;
    self->serving = serving;
    pdi_service_health_tell(self);
}

void pd_service_end_watches(pd_service_t *self)
{
    while (self->watches) {
        pd_grpc_call_t *call = self->watches->call;

        pdi_service_health_forget(self, call);
        pd_grpc_call_finish(call, PD_GRPC_UNAVAILABLE, "server is shutting down");
    }
}

bool pd_service_on_open(pd_service_t *self, pd_grpc_call_t *call)
{
    const char *path = pd_grpc_call_path(call);

    return is_reflection(path) || strcmp(path, watch_path) == 0;
}

bool pd_service_on_call(pd_service_t *self, pd_grpc_call_t *call)
{
    if (strcmp(pd_grpc_call_path(call), check_path) != 0)
        return false;
    pdi_service_health_check(self, call);
    return true;
}

bool pd_service_on_cancel(pd_service_t *self, pd_grpc_call_t *call)
{
    if (!pd_service_on_open(self, call))
        return false;
    pdi_service_health_forget(self, call);
    pd_grpc_call_finish(call, PD_GRPC_CANCELLED, NULL);
    return true;
}

void pd_service_on_message(pd_service_t *self, pd_grpc_call_t *call, pd_bytes_t message)
{
    if (is_reflection(pd_grpc_call_path(call)))
        pdi_reflection_message(self, call, message);
    else
        pdi_service_health_watch(self, call, message);
}

void pd_service_on_half_close(pd_service_t *self, pd_grpc_call_t *call)
{
    if (is_reflection(pd_grpc_call_path(call)))
        pd_grpc_call_finish(call, PD_GRPC_OK, NULL);
    else if (!pd_grpc_call_user(call)) /* a Watch that never said what */
        pd_grpc_call_finish(call, PD_GRPC_INTERNAL, "no request message");
}
