/* frontend_private.h -- what the handlers of single RPCs share.
 *
 * A handler is `pdi_<rpc>`: it checks the request in the order in which Temporal's server does (the
 * order decides which of several errors is told), fills in defaults, and answers or hands over.
 * Requests may be changed in place: they live in the call's arena and belong to the call.
 *
 * Thread: the frontend's loop. Ownership: pdi_rpc_t lives in the call's arena. */
#ifndef PD_ENGINE_FRONTEND_FRONTEND_PRIVATE_H
#define PD_ENGINE_FRONTEND_FRONTEND_PRIVATE_H

#include "api/pb/time.h"
#include "base/assert.h"
#include "base/random.h"
#include "engine/frontend/frontend.h"
#include "engine/frontend/methods.h"
#include "engine/limits.h"

/* PD_WS(Start…Request): the type of a message of the workflow service. */
#define PD_WS(Name) Temporal__Api__Workflowservice__V1__##Name

struct pd_frontend {
    pd_frontend_options_t options;
    pd_methods_t *methods;
    pd_random_t random;
    pd_rpc_metrics_t *metrics; /* by method; the last one of those that do not exist */
};

struct pdi_rpc {
    pd_frontend_t *frontend;
    pd_call_t *call;
    pd_arena_t *arena;
    const pd_method_t *method;
    void *request;
    const pd_namespace_t *ns;      /* NULL: the method names none, or PD_METHOD_OWN_NAMESPACE */
    Perdure__V1__TaskToken *token; /* of a request that has a task_token */
    int64_t now_ns;
    pd_random_t *random;
};

/* An empty response message of the method's type. */
void *pdi_new_response(pdi_rpc_t *rpc);
/* Answers; returns NULL, for `return pdi_respond(...)`. */
const pd_rpc_error_t *pdi_respond(pdi_rpc_t *rpc, const void *response);
/* Hands the request to the partition of workflow_id. */
const pd_rpc_error_t *pdi_submit(pdi_rpc_t *rpc, const pd_command_kind_t *kind,
                                 const char *workflow_id, const char *run_id, const void *request);
/* RESOURCE_EXHAUSTED unless `taken`. */
const pd_rpc_error_t *pdi_taken(pdi_rpc_t *rpc, bool taken);
/* A successful answer that comes back is replaced by this one. */
void pdi_answer_instead(pdi_rpc_t *rpc, const void *response);
/* A new UUID in the arena. */
char *pdi_uuid(pdi_rpc_t *rpc);

/* ---- handlers, by file ---- */

/* rpc_system.c */
const pd_rpc_error_t *pdi_get_system_info(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_get_cluster_info(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_health_check(pdi_rpc_t *rpc);
/* rpc_namespace.c */
const pd_rpc_error_t *pdi_register_namespace(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_describe_namespace(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_list_namespaces(pdi_rpc_t *rpc);
/* rpc_start.c */
const pd_rpc_error_t *pdi_start_workflow_execution(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_signal_with_start_workflow_execution(pdi_rpc_t *rpc);
/* What these do before they hand over: check, fill in defaults. Without a call, too. */
const pd_rpc_error_t *pdi_prepare_start(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_prepare_signal_with_start(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_prepare_signal(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_prepare_request_cancel(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_prepare_terminate(pdi_rpc_t *rpc);
/* rpc_signal.c */
const pd_rpc_error_t *pdi_signal_workflow_execution(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_request_cancel_workflow_execution(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_terminate_workflow_execution(pdi_rpc_t *rpc);
/* rpc_poll.c */
const pd_rpc_error_t *pdi_poll_workflow_task_queue(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_poll_activity_task_queue(pdi_rpc_t *rpc);
/* rpc_workflow_task.c */
const pd_rpc_error_t *pdi_respond_workflow_task_completed(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_respond_workflow_task_failed(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_respond_query_task_completed(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_reset_sticky_task_queue(pdi_rpc_t *rpc);
/* rpc_activity.c */
const pd_rpc_error_t *pdi_respond_activity_task_completed(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_respond_activity_task_failed(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_respond_activity_task_canceled(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_record_activity_task_heartbeat(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_respond_activity_task_completed_by_id(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_respond_activity_task_failed_by_id(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_respond_activity_task_canceled_by_id(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_record_activity_task_heartbeat_by_id(pdi_rpc_t *rpc);
/* rpc_read.c */
const pd_rpc_error_t *pdi_get_workflow_execution_history(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_get_workflow_execution_history_reverse(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_describe_workflow_execution(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_query_workflow(pdi_rpc_t *rpc);
/* rpc_task_queue.c */
const pd_rpc_error_t *pdi_describe_task_queue(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_list_task_queue_partitions(pdi_rpc_t *rpc);
/* rpc_worker.c */
const pd_rpc_error_t *pdi_shutdown_worker(pdi_rpc_t *rpc);
/* rpc_internal.c */
const pd_rpc_error_t *pdi_get_view(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_offer_tasks(pdi_rpc_t *rpc);
const pd_rpc_error_t *pdi_start_task(pdi_rpc_t *rpc);

#endif
