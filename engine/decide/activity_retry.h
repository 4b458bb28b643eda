/* activity_retry.h -- is there another attempt, and when? Activities and workflow runs ask alike.
 * Thread: any for pd_retry_next, the partition's loop for the rest. Ownership: the arena given. */
#ifndef PD_ENGINE_DECIDE_ACTIVITY_RETRY_H
#define PD_ENGINE_DECIDE_ACTIVITY_RETRY_H

#include <temporal/api/enums/v1/workflow.pb-c.h>

#include "engine/decide/pending.h"

typedef Temporal__Api__Failure__V1__Failure pd_failure_t;

#define PD_RETRY_STATE(NAME) TEMPORAL__API__ENUMS__V1__RETRY_STATE__RETRY_STATE_##NAME

typedef struct pd_retry_question {
    int64_t now_ns;
    int32_t attempt; /* the one that ended, from 1 */
    const Temporal__Api__Common__V1__RetryPolicy *policy;
    int64_t expiration_ns;       /* no attempt may begin after this; 0: none */
    const pd_failure_t *failure; /* how it ended; NULL: unknown, retryable */
} pd_retry_question_t;

/* IN_PROGRESS: *delay_ns until the next attempt. Otherwise why there is none. */
Temporal__Api__Enums__V1__RetryState pd_retry_next(const pd_retry_question_t *question,
                                                   int64_t *delay_ns);

/* May an attempt that ended so be repeated at all? */
bool pd_failure_is_retryable(const pd_failure_t *failure,
                             const Temporal__Api__Common__V1__RetryPolicy *policy);

/* IN_PROGRESS: ActivityRetryScheduled is drafted and the view shows the next attempt, waiting.
 * Otherwise nothing is drafted, and the caller closes the activity. */
Temporal__Api__Enums__V1__RetryState
pd_activity_retry(pd_draft_t *draft, pd_pending_activity_t *activity, pd_failure_t *failure);

/* What is kept of a failure that is too large: type, flags, and as much text as fits, in the order
 * of importance. */
pd_failure_t *pd_failure_truncate(const pd_failure_t *failure, size_t size_max, pd_arena_t *arena);

#endif
