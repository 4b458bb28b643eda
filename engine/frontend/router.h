/* router.h -- what the frontend needs of the node: somebody who knows where things live.
 *
 * Implemented by engine/node (many loops), by the simulator and, as a stub, by tests and the
 * fuzzer. Every function that returns bool takes the call on `true` and answers it exactly once, on
 * any loop, now or later; on `false` (a mailbox is full) the call stays with the frontend, which
 * answers RESOURCE_EXHAUSTED.
 *
 * Thread: called on the frontend's loop (pd_call_t.home). Ownership: everything handed over lives
 * in the call's arena until the call was answered. */
#ifndef PD_ENGINE_FRONTEND_ROUTER_H
#define PD_ENGINE_FRONTEND_ROUTER_H

#include <perdure/v1/internal.pb-c.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/command.h"
#include "engine/matching/matching.h"

typedef struct pd_router_ops {
    const char *name;
    /* To the partition of command->workflow_id. kind, call, arena, ns, workflow_id, run_id, request
     * and, for answers to tasks, token are set. */
    bool (*submit)(void *ctx, pd_command_t *command);
    /* To the home of (ns, task_queue, kind). Answered empty at until_ns. */
    bool (*poll)(void *ctx, pd_poll_t *poll);
    /* A worker's answer to a direct query (token->query_id), for whoever waits for it. Answered
     * with RespondQueryTaskCompletedResponse, or NOT_FOUND when nobody waits any more. */
    bool (*answer_query)(
        void *ctx, pd_call_t *call, const pd_namespace_t *ns, const Perdure__V1__TaskToken *token,
        const Temporal__Api__Workflowservice__V1__RespondQueryTaskCompletedRequest *request);
    /* Pollers and counts as matching sees them. Answered with DescribeTaskQueueResponse. */
    bool (*describe_task_queue)(
        void *ctx, pd_call_t *call, const pd_namespace_t *ns,
        const Temporal__Api__Workflowservice__V1__DescribeTaskQueueRequest *request);
    /* Lets go of that worker's polls (by worker_instance_key) and marks its sticky queue as no
     * longer served. Answered with ShutdownWorkerResponse. */
    bool (*shutdown_worker)(
        void *ctx, pd_call_t *call, const pd_namespace_t *ns,
        const Temporal__Api__Workflowservice__V1__ShutdownWorkerRequest *request);
    /* To partition 0. `ns` is complete (ID made). Answered with RegisterNamespaceResponse once it
     * is known everywhere, or ALREADY_EXISTS `Namespace "<name>" already exists`. */
    bool (*register_namespace)(void *ctx, pd_call_t *call,
                               const Perdure__V1__NamespaceRegistered *ns);
    /* perdure.v1.Internal, what nodes say to each other; NULL: there are no other nodes. They take
     * the call. */
    void (*get_view)(void *ctx, pd_call_t *call);
    void (*offer_tasks)(void *ctx, pd_call_t *call, const Perdure__V1__OfferTasksRequest *request);
    /* `poll` is that of a worker on another node. Answered with its Poll…Response. */
    void (*start_task)(void *ctx, pd_poll_t *poll, const pd_offer_t *task);
    /* The client of a call that the router took is gone (call->canceled is set): whoever parked it
     * may answer it now. Comes at most once, never after the answer reached the home loop. */
    void (*cancel)(void *ctx, pd_call_t *call);
} pd_router_ops_t;

typedef struct pd_router {
    const pd_router_ops_t *ops;
    void *ctx;
} pd_router_t;

#endif
