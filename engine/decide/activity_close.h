/* activity_close.h -- how an activity ends other than by completion, shared by several commands.
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_ACTIVITY_CLOSE_H
#define PD_ENGINE_DECIDE_ACTIVITY_CLOSE_H

#include "engine/decide/activity_task.h"

typedef Temporal__Api__Failure__V1__Failure pd_failure_t;

#define PD_RETRY_STATE(NAME) TEMPORAL__API__ENUMS__V1__RETRY_STATE__RETRY_STATE_##NAME

/* Packed size; 0 for NULL. */
size_t pd_activity_payload_size(const void *message);

/* A failure that the server itself found. `message` is borrowed. */
pd_failure_t *pd_server_failure(pd_arena_t *arena, const char *message, bool non_retryable);

/* What is kept of a failure that is too large: type, flags and as much text as fits. */
pd_failure_t *pd_failure_truncate(const pd_failure_t *failure, size_t size_max, pd_arena_t *arena);

/* ActivityTaskStarted and ActivityTaskFailed; the activity is no longer pending. The caller wakes
 * the run. */
void pd_activity_write_failed(pd_draft_t *draft, pd_pending_activity_t *activity,
                              pd_failure_t *failure,
                              Temporal__Api__Enums__V1__RetryState retry_state,
                              const char *identity,
                              const Temporal__Api__Common__V1__WorkerVersionStamp *version);

/* What a worker sent is too large to keep: the activity fails with `reason`, never retried, and the
 * run is woken. Refuses like a failure does when the activity was not started. */
const pd_rpc_error_t *pd_activity_fail_oversized(pd_decision_t *decision,
                                                 pd_pending_activity_t *activity,
                                                 const char *reason, const char *identity);

#endif
