/* grpc.health.v1.Health */
#include "api/service/service_private.h"
#include "api/service/wire.h"
#include "base/assert.h"

enum { REQUEST_SERVICE = 1, RESPONSE_STATUS = 1 };
enum { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };

static bool read_service(pd_bytes_t message, pd_bytes_t *service)
{
    bool bad = false;
    pdi_field_t field;

    *service = pd_bytes(NULL, 0);
    while (pdi_wire_next(&message, &field, &bad)) {
        if (field.number == REQUEST_SERVICE && field.type == 2)
            *service = field.bytes;
    }
    return !bad;
}

static void write_status(pd_buf_t *out, int status)
{
    pd_buf_init(out, PDI_ANSWER_SIZE_MAX);
    pdi_wire_put_varint(out, RESPONSE_STATUS, (uint64_t)status);
}

void pdi_service_health_check(pd_service_t *self, pd_grpc_call_t *call)
{
    pd_bytes_t service;
    pd_buf_t out;
    size_t size;
    uint8_t *data;

    if (!read_service(pd_grpc_call_message(call), &service)) {
        pd_grpc_call_fail(call, PD_GRPC_INTERNAL, "grpc: error unmarshalling request",
                          pd_bytes(NULL, 0));
        return;
    }
    if (!pdi_service_knows(self, service)) {
        pd_grpc_call_fail(call, PD_GRPC_NOT_FOUND, "unknown service", pd_bytes(NULL, 0));
        return;
    }
    write_status(&out, self->serving ? SERVING : NOT_SERVING);
    data = pd_buf_detach(&out, &size);
    pd_grpc_call_respond(call, data, size);
}

static void tell(pd_service_t *self, pdi_watch_t *watch)
{
    int status = self->serving ? SERVING : NOT_SERVING;
    pd_buf_t out;

    if (watch->told && !watch->known)
        return;
    watch->told = true;
    write_status(&out, watch->known ? status : SERVICE_UNKNOWN);
    pdi_service_send(watch->call, &out);
}

void pdi_service_health_watch(pd_service_t *self, pd_grpc_call_t *call, pd_bytes_t message)
{
    pdi_watch_t *watch;
    pd_bytes_t service;

    if (pd_grpc_call_user(call))
        return; /* one request is all that counts */
    if (!read_service(message, &service)) {
        pd_grpc_call_finish(call, PD_GRPC_INTERNAL, "grpc: error unmarshalling request");
        return;
    }
    watch = PD_ARENA_NEW(pd_grpc_call_arena(call), pdi_watch_t);
    watch->call = call;
    watch->known = pdi_service_knows(self, service);
    watch->next = self->watches;
    if (watch->next)
        watch->next->previous = watch;
    self->watches = watch;
    pd_grpc_call_set_user(call, watch);
    tell(self, watch);
}

void pdi_service_health_forget(pd_service_t *self, pd_grpc_call_t *call)
{
    for (pdi_watch_t *watch = self->watches; watch; watch = watch->next) {
        if (watch->call != call)
            continue;
        if (watch->previous)
            watch->previous->next = watch->next;
        else
            self->watches = watch->next;
        if (watch->next)
            watch->next->previous = watch->previous;
        return;
    }
}

void pdi_service_health_tell(pd_service_t *self)
{
    for (pdi_watch_t *watch = self->watches; watch; watch = watch->next)
        tell(self, watch);
}
