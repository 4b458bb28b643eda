/* workflow_retry.h -- is a failed or timed out run retried, and when? Pure. Thread: any. */
#ifndef PD_ENGINE_DECIDE_WORKFLOW_RETRY_H
#define PD_ENGINE_DECIDE_WORKFLOW_RETRY_H

#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/enums/v1/workflow.pb-c.h>
#include <temporal/api/failure/v1/message.pb-c.h>

#include "api/pb/pb.h"

typedef struct pd_workflow_retry {
    const Temporal__Api__Common__V1__RetryPolicy *policy; /* NULL: no retries */
    int32_t attempt;                                      /* the one that failed, from 1 */
    int64_t expiration_ns;                                /* no retry may begin after it; 0: none */
    int64_t now_ns;
    const Temporal__Api__Failure__V1__Failure *failure;
} pd_workflow_retry_t;

/* The wait before the next attempt; -1 when there is none. *state says why. */
int64_t pd_workflow_retry_backoff_ns(const pd_workflow_retry_t *retry,
                                     Temporal__Api__Enums__V1__RetryState *state);

/* The policy with the reference's defaults where the client left zero: 1 s, doubled, up to 100
 * times the first interval, any number of attempts. NULL stays NULL. */
Temporal__Api__Common__V1__RetryPolicy *
pd_workflow_retry_defaults(pd_arena_t *arena, const Temporal__Api__Common__V1__RetryPolicy *policy);

#endif
