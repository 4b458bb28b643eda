/* methods.h -- the one table of all RPCs.
 *
 * Rows come from the services' descriptors, so that none is forgotten; what is built here is laid
 * over them by name. A row without a handler answers UNIMPLEMENTED by name.
 * Thread: any, once made. Ownership: rows belong to the table. */
#ifndef PD_ENGINE_FRONTEND_METHODS_H
#define PD_ENGINE_FRONTEND_METHODS_H

#include <protobuf-c/protobuf-c.h>

#include "api/pb/rpc_error.h"

typedef struct pdi_rpc pdi_rpc_t;
typedef struct pd_methods pd_methods_t;

/* NULL: the call was answered or handed over; else it is answered with the error. */
typedef const pd_rpc_error_t *(*pdi_handler_t)(pdi_rpc_t *rpc);

typedef enum pd_method_flags {
    PD_METHOD_LONG_POLL = 1,     /* without a deadline of at least 2 s it is refused */
    PD_METHOD_OWN_NAMESPACE = 2, /* the handler looks the namespace up by itself */
} pd_method_flags_t;

typedef struct pd_method {
    const char *service; /* "temporal.api.workflowservice.v1.WorkflowService" */
    const char *name;
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *response;
    unsigned flags;
    pdi_handler_t handle; /* NULL: not built */
    /* Of the request's fields of these names; 0: there is none. */
    unsigned namespace_offset;
    unsigned task_token_offset;
} pd_method_t;

pd_methods_t *pd_methods_new(void);
void pd_methods_free(pd_methods_t *methods);

size_t pd_methods_count(const pd_methods_t *methods);
const pd_method_t *pd_methods_at(const pd_methods_t *methods, size_t index);
size_t pd_methods_index(const pd_methods_t *methods, const pd_method_t *method);

/* By "/service/method". NULL when unknown; *error then says so in grpc-go's words. */
const pd_method_t *pd_methods_find(const pd_methods_t *methods, const char *path, pd_arena_t *arena,
                                   const pd_rpc_error_t **error);

#endif
