/* service.h -- the services that every gRPC server has: health (Check, Watch) and reflection (v1,
 * v1alpha).
 *
 * A server's handler passes its callbacks on: these functions say whether the call is theirs.
 *
 *     static bool on_open(void *ctx, pd_grpc_call_t *call) { return pd_service_on_open(s, call); }
 *     static void on_call(void *ctx, pd_grpc_call_t *call) { if (!pd_service_on_call(s, call)) ...;
 * }
 *
 * All streaming calls of the server are theirs, so on_message and on_half_close go through unasked.
 * Thread: the server's loop; one pd_service_t per server. Ownership: names are borrowed until
 * _free. */
#ifndef PD_API_SERVICE_SERVICE_H
#define PD_API_SERVICE_SERVICE_H

#include "api/grpc/call.h"

typedef struct pd_service pd_service_t;

/* service_names: full names of what the server offers; health and reflection add themselves. */
pd_service_t *pd_service_new(const char *const *service_names, size_t count);
/* No call of theirs may be open. */
void pd_service_free(pd_service_t *self);

/* What health answers; SERVING at first. Watchers are told. */
void pd_service_set_serving(pd_service_t *self, bool serving);
/* Ends all Watch calls (UNAVAILABLE), so that a draining server need not wait for them. */
void pd_service_end_watches(pd_service_t *self);

bool pd_service_on_open(pd_service_t *self, pd_grpc_call_t *call);
bool pd_service_on_call(pd_service_t *self, pd_grpc_call_t *call);
bool pd_service_on_cancel(pd_service_t *self, pd_grpc_call_t *call);
void pd_service_on_message(pd_service_t *self, pd_grpc_call_t *call, pd_bytes_t message);
void pd_service_on_half_close(pd_service_t *self, pd_grpc_call_t *call);

#endif
