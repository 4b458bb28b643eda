/* validate.h -- checks that several RPCs share. Each returns NULL when all is well, else the error
 * with the words of Temporal's server. Thread: the frontend's loop. */
#ifndef PD_ENGINE_FRONTEND_VALIDATE_H
#define PD_ENGINE_FRONTEND_VALIDATE_H

#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/failure/v1/message.pb-c.h>
#include <temporal/api/taskqueue/v1/message.pb-c.h>

#include "engine/frontend/frontend_private.h"

/* PD_ID_SIZE_MAX bytes at most, else INVALID_ARGUMENT with `text`. */
const pd_rpc_error_t *pdi_check_size(pdi_rpc_t *rpc, const char *value, const char *text);
const pd_rpc_error_t *pdi_check_identity(pdi_rpc_t *rpc, const char *identity);
const pd_rpc_error_t *pdi_check_workflow_id(pdi_rpc_t *rpc, const char *workflow_id);
const pd_rpc_error_t *
pdi_check_workflow_type(pdi_rpc_t *rpc,
                        const Temporal__Api__Common__V1__WorkflowType *workflow_type);
/* Set, with a workflow ID, and a run ID that is empty or a UUID. */
const pd_rpc_error_t *
pdi_check_execution(pdi_rpc_t *rpc, const Temporal__Api__Common__V1__WorkflowExecution *execution);
/* Makes one when it is empty. */
const pd_rpc_error_t *pdi_check_request_id(pdi_rpc_t *rpc, char **request_id);
/* Kind UNSPECIFIED becomes NORMAL. */
const pd_rpc_error_t *pdi_check_task_queue(pdi_rpc_t *rpc,
                                           Temporal__Api__Taskqueue__V1__TaskQueue *task_queue);
/* For what is to run: not a queue of the server itself. */
const pd_rpc_error_t *pdi_check_own_task_queue(pdi_rpc_t *rpc,
                                               Temporal__Api__Taskqueue__V1__TaskQueue *task_queue);
/* Negative ones are refused, over-long ones cut. */
const pd_rpc_error_t *pdi_check_duration(pdi_rpc_t *rpc, Google__Protobuf__Duration **duration,
                                         const char *name);
/* Fills in defaults. NULL is fine. */
const pd_rpc_error_t *pdi_check_retry_policy(pdi_rpc_t *rpc,
                                             Temporal__Api__Common__V1__RetryPolicy *policy);
/* `message` (may be NULL) takes at most PD_BLOB_SIZE_MAX bytes on the wire. */
const pd_rpc_error_t *pdi_check_blob(pdi_rpc_t *rpc, const void *message);
bool pdi_blob_is_too_large(const void *message);
const pd_rpc_error_t *pdi_check_links(pdi_rpc_t *rpc, Temporal__Api__Common__V1__Link *const *links,
                                      size_t link_count);
const pd_rpc_error_t *pdi_check_priority(pdi_rpc_t *rpc,
                                         const Temporal__Api__Common__V1__Priority *priority);
/* Replaces a failure that is too large by a server failure that has it, cut, as its cause. */
bool pdi_limit_failure(pdi_rpc_t *rpc, Temporal__Api__Failure__V1__Failure **failure);
/* A failure that the server itself reports; not retried. */
Temporal__Api__Failure__V1__Failure *pdi_server_failure(pdi_rpc_t *rpc, const char *message);

/* Leaves the enclosing handler with the error, if there is one. */
#define PDI_CHECK(expr)                                                                            \
    do {                                                                                           \
        const pd_rpc_error_t *pdi_check_error_ = (expr);                                           \
        if (pdi_check_error_)                                                                      \
            return pdi_check_error_;                                                               \
    } while (0)

/* … with INVALID_ARGUMENT when the condition holds. */
#define PDI_REFUSE_IF(cond, rpc, ...)                                                              \
    do {                                                                                           \
        if (cond)                                                                                  \
            return pd_rpc_invalid_argument((rpc)->arena, __VA_ARGS__);                             \
    } while (0)

#endif
