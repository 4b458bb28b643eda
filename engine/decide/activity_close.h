/* activity_close.h -- how an attempt ends other than by success, shared by several commands.
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_ACTIVITY_CLOSE_H
#define PD_ENGINE_DECIDE_ACTIVITY_CLOSE_H

#include "engine/decide/activity_retry.h"
#include "engine/decide/activity_task.h"

/* Packed size; 0 for NULL. */
size_t pd_activity_payload_size(const void *message);

/* How an attempt that did not succeed ended. */
typedef struct pd_activity_failure {
    pd_failure_t *failure; /* may be NULL */
    const char *identity;
    const Temporal__Api__Common__V1__WorkerVersionStamp *worker_version;
} pd_activity_failure_t;

/* The attempt failed: it is retried (an internal event only), or the activity has failed (its
 * events are written, it is no longer pending, the run is woken). The activity must be started. */
void pd_activity_fail(pd_draft_t *draft, pd_pending_activity_t *activity,
                      const pd_activity_failure_t *failure);

/* What a worker sent is too large to keep: the attempt fails with `reason`, which is not retried.
 * NOT_FOUND when the activity is not started. */
const pd_rpc_error_t *pd_activity_fail_oversized(pd_decision_t *decision,
                                                 pd_pending_activity_t *activity,
                                                 const char *reason, const char *identity);

#endif
