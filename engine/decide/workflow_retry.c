#include "engine/decide/workflow_retry.h"

#include <math.h>

#include "api/pb/time.h"

#define STATE(NAME) TEMPORAL__API__ENUMS__V1__RETRY_STATE__RETRY_STATE_##NAME
#define INFO(NAME) TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_##NAME

static bool is_listed(const Temporal__Api__Common__V1__RetryPolicy *policy, const char *type)
{
    for (size_t i = 0; i < policy->n_non_retryable_error_types; i++) {
        if (strcmp(policy->non_retryable_error_types[i], type) == 0)
            return true;
    }
    return false;
}

static bool is_retryable(const Temporal__Api__Common__V1__RetryPolicy *policy,
                         const Temporal__Api__Failure__V1__Failure *failure)
{
    if (!failure)
        return true;
    switch ((int)failure->failure_info_case) {
    case INFO(TERMINATED_FAILURE_INFO):
    case INFO(CANCELED_FAILURE_INFO):
        return false;
    case INFO(TIMEOUT_FAILURE_INFO):
        switch ((int)failure->timeout_failure_info->timeout_type) {
        case TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE:
            return !is_listed(policy, "TemporalTimeout:StartToClose");
        case TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_HEARTBEAT:
            return !is_listed(policy, "TemporalTimeout:Heartbeat");
        default:
            return false;
        }
    case INFO(SERVER_FAILURE_INFO):
        return !failure->server_failure_info->non_retryable;
    case INFO(APPLICATION_FAILURE_INFO):
        return !failure->application_failure_info->non_retryable &&
               !is_listed(policy, failure->application_failure_info->type);
    default:
        return true;
    }
}

static int64_t interval_ns(const Temporal__Api__Common__V1__RetryPolicy *policy, int32_t attempt,
                           const Temporal__Api__Failure__V1__Failure *failure)
{
    double ns;

    if (failure && (int)failure->failure_info_case == INFO(APPLICATION_FAILURE_INFO) &&
        failure->application_failure_info->next_retry_delay)
        return pd_pb_duration_ns(failure->application_failure_info->next_retry_delay);
    ns = (double)pd_pb_duration_ns(policy->initial_interval) *
         pow(policy->backoff_coefficient, attempt - 1);
    return ns >= (double)INT64_MAX || isnan(ns) ? 0 : (int64_t)ns;
}

int64_t pd_workflow_retry_backoff_ns(const pd_workflow_retry_t *retry,
                                     Temporal__Api__Enums__V1__RetryState *state)
{
    const Temporal__Api__Common__V1__RetryPolicy *policy = retry->policy;
    int32_t attempt = retry->attempt < 1 ? 1 : retry->attempt;
    int64_t backoff_ns, maximum_ns;

    *state = STATE(RETRY_POLICY_NOT_SET);
    if (!policy)
        return -1;
    *state = STATE(NON_RETRYABLE_FAILURE);
    if (!is_retryable(policy, retry->failure))
        return -1;
    *state = STATE(MAXIMUM_ATTEMPTS_REACHED);
    if (policy->maximum_attempts > 0 && attempt >= policy->maximum_attempts)
        return -1;
    *state = STATE(TIMEOUT);
    maximum_ns = pd_pb_duration_ns(policy->maximum_interval);
    backoff_ns = interval_ns(policy, attempt, retry->failure);
    if (!maximum_ns && backoff_ns <= 0)
        return -1;
    if (maximum_ns && (backoff_ns <= 0 || backoff_ns > maximum_ns))
        backoff_ns = maximum_ns;
    if (retry->expiration_ns && pd_ns_add(retry->now_ns, backoff_ns) > retry->expiration_ns)
        return -1;
    *state = STATE(IN_PROGRESS);
    return backoff_ns;
}

Temporal__Api__Common__V1__RetryPolicy *
pd_workflow_retry_defaults(pd_arena_t *arena, const Temporal__Api__Common__V1__RetryPolicy *policy)
{
    const int64_t second_ns = INT64_C(1000000000);
    Temporal__Api__Common__V1__RetryPolicy *filled;
    int64_t initial_ns, maximum_ns;

    if (!policy)
        return NULL;
    filled = pd_arena_memdup(arena, policy, sizeof(*policy));
    initial_ns = pd_pb_duration_ns(policy->initial_interval);
    if (!initial_ns) {
        initial_ns = second_ns;
        filled->initial_interval = pd_pb_duration(arena, initial_ns);
    }
    if (!pd_pb_duration_ns(policy->maximum_interval)) {
        maximum_ns = initial_ns > INT64_MAX / 100 ? INT64_MAX : initial_ns * 100;
        filled->maximum_interval = pd_pb_duration(arena, maximum_ns);
    }
    if (filled->backoff_coefficient == 0)
        filled->backoff_coefficient = 2.0;
    return filled;
}
