/* retry_policy.h -- retry policies as they come from outside: defaults, checks; durations, too.
 * Activities and workflows share them.
 * Thread: any. Ownership: messages are the caller's and may be changed; texts live in the arena. */
#ifndef PD_ENGINE_DECIDE_RETRY_POLICY_H
#define PD_ENGINE_DECIDE_RETRY_POLICY_H

#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/enums/v1/workflow.pb-c.h>

#include "api/pb/time.h"

typedef Temporal__Api__Common__V1__RetryPolicy pd_retry_policy_t;

/* The longest duration that is kept; longer ones are cut to it, as Temporal does. */
#define PD_DURATION_MAX_NS (INT64_C(100) * 365 * 24 * 3600 * 1000000000)
/* How non-retryable error types name timeouts, e.g. "TemporalTimeout:StartToClose". */
#define PD_TIMEOUT_TYPE_PREFIX "TemporalTimeout:"

/* NULL when fine, and *out is a copy cut to PD_DURATION_MAX_NS (NULL for NULL); else the reason. */
const char *pd_duration_check(const Google__Protobuf__Duration *duration, pd_arena_t *arena,
                              Google__Protobuf__Duration **out);

/* Fills what is 0: 1 s, coefficient 2, 100 times the initial interval, attempts without limit. */
void pd_retry_policy_fill(pd_retry_policy_t *policy, pd_arena_t *arena);

/* NULL when fine (also for NULL), else the text of the INVALID_ARGUMENT. */
const char *pd_retry_policy_check(pd_retry_policy_t *policy, pd_arena_t *arena);

/* "StartToClose" etc.; "Unspecified" for unknown ones. */
const char *pd_timeout_type_name(Temporal__Api__Enums__V1__TimeoutType type);

#endif
