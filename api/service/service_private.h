/* service_private.h -- the insides of service.c (which call is whose), health.c, reflection.c. */
#ifndef PD_API_SERVICE_SERVICE_PRIVATE_H
#define PD_API_SERVICE_SERVICE_PRIVATE_H

#include "api/service/descriptors.h"
#include "api/service/service.h"

enum { PDI_ANSWER_SIZE_MAX = 64 << 20 };

/* One open Watch, in its call's arena. */
typedef struct pdi_watch {
    struct pdi_watch *next, *previous;
    pd_grpc_call_t *call;
    bool known;
    bool told;
} pdi_watch_t;

struct pd_service {
    const char *const *service_names;
    size_t service_count;
    pd_descriptors_t *descriptors; /* made at the first reflection */
    pdi_watch_t *watches;
    bool serving;
};

bool pdi_service_knows(const pd_service_t *self, pd_bytes_t name);
/* Sends what is in `out` as one message, and takes the memory. */
void pdi_service_send(pd_grpc_call_t *call, pd_buf_t *out);

/* -- health.c -- */
void pdi_service_health_check(pd_service_t *self, pd_grpc_call_t *call);
void pdi_service_health_watch(pd_service_t *self, pd_grpc_call_t *call, pd_bytes_t message);
/* The call leaves; it is not answered by this. */
void pdi_service_health_forget(pd_service_t *self, pd_grpc_call_t *call);
void pdi_service_health_tell(pd_service_t *self);

/* -- reflection.c -- */
void pdi_reflection_message(pd_service_t *self, pd_grpc_call_t *call, pd_bytes_t message);

#endif
