/* frontend.h -- from an RPC's bytes to a checked command.
 *
 * Decodes, validates, resolves the namespace and hands the call on to the router; what needs no
 * partition is answered at once. Knows nothing of HTTP/2: the gRPC adapter, the simulator and the
 * fuzzer all come in through pd_frontend_handle.
 *
 * Thread: one frontend per loop, used on that loop only. Ownership: borrows what its options name;
 * a call belongs to whoever made it until `finish` (see engine/call.h). */
#ifndef PD_ENGINE_FRONTEND_FRONTEND_H
#define PD_ENGINE_FRONTEND_FRONTEND_H

#include "engine/frontend/router.h"

typedef struct pd_frontend pd_frontend_t;

typedef struct pd_frontend_options {
    pd_loop_t *loop;
    pd_router_t router;
    pd_namespaces_t *namespaces;
    uint64_t seed;               /* of request IDs and poll IDs made here */
    const char *cluster_name;    /* GetClusterInfo; NULL: "active" */
    const char *cluster_id;      /* a UUID; NULL: all zeros */
    int32_t history_shard_count; /* GetClusterInfo: the number of partitions */
    pd_metrics_t *metrics;       /* NULL: nobody is told */
} pd_frontend_options_t;

/* The checks of requests, for partitions: commands may come without a call. @thread any */
extern const pd_command_checker_t pd_frontend_checker;

pd_frontend_t *pd_frontend_new(const pd_frontend_options_t *options);
void pd_frontend_free(pd_frontend_t *frontend);

/* `path` is "/package.Service/Method", `message` the request's bytes, lent until the call is
 * answered. The caller has set the call's arena, home (= the frontend's loop), deadline_ns,
 * client_name, finish and user; method, request, path and message are set here. The call is
 * answered exactly once, perhaps before this returns (`finish` itself always runs later, by mail).
 * @thread loop */
void pd_frontend_handle(pd_frontend_t *frontend, const char *path, pd_bytes_t message,
                        pd_call_t *call);
/* The client went away or its deadline passed. The call is still answered once. Not after `finish`.
 * @thread loop */
void pd_frontend_cancel(pd_frontend_t *frontend, pd_call_t *call);

#endif
