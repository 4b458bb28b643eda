#include "engine/decide/activity_retry.h"

#include "api/pb/time.h"
#include "base/assert.h"
#include "engine/decide/retry_policy.h"
#include "engine/decide/workflow_task.h"
#include "engine/limits.h"

#define NEW(arena, Type, name) PD_PB_NEW((arena), Temporal__Api__##Type, temporal__api__##name)
#define FAILURE_INFO(NAME) TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_##NAME
#define TIMEOUT_TYPE(NAME) TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_##NAME

/* ---- the rules ---- */

static bool is_listed(const Temporal__Api__Common__V1__RetryPolicy *policy, const char *prefix,
                      const char *type)
{
    size_t prefix_size = strlen(prefix);
    for (size_t i = 0; i < policy->n_non_retryable_error_types; i++) {
        const char *listed = policy->non_retryable_error_types[i];
        if (strncmp(listed, prefix, prefix_size) == 0 && strcmp(listed + prefix_size, type) == 0)
            return true;
    }
    return false;
}

bool pd_failure_is_retryable(const pd_failure_t *failure,
                             const Temporal__Api__Common__V1__RetryPolicy *policy)
{
    if (!failure)
        return true;
    switch ((int)failure->failure_info_case) {
    case FAILURE_INFO(TERMINATED_FAILURE_INFO):
    case FAILURE_INFO(CANCELED_FAILURE_INFO):
        return false;
    case FAILURE_INFO(TIMEOUT_FAILURE_INFO): {
        int type = failure->timeout_failure_info->timeout_type;
        return (type == TIMEOUT_TYPE(START_TO_CLOSE) || type == TIMEOUT_TYPE(HEARTBEAT)) &&
               !is_listed(policy, PD_TIMEOUT_TYPE_PREFIX, pd_timeout_type_name(type));
    }
    case FAILURE_INFO(SERVER_FAILURE_INFO):
        return !failure->server_failure_info->non_retryable;
    case FAILURE_INFO(APPLICATION_FAILURE_INFO):
        return !failure->application_failure_info->non_retryable &&
               !is_listed(policy, "", pd_pb_str(failure->application_failure_info->type));
    default:
        return true;
    }
}

/* Saturates; 0 or less only when the initial interval is. */
static int64_t exponential(int64_t initial_ns, double coefficient, int32_t attempt)
{
    double interval = (double)initial_ns, factor = coefficient;
    for (uint32_t exponent = (uint32_t)attempt - 1; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            interval *= factor;
        factor *= factor;
    }
    if (!(interval < 9.2e18)) /* also what is no number any more */
        return INT64_MAX;
    return (int64_t)interval;
}

/* The worker may choose the delay itself: that overrides the interval and its maximum. */
static const Google__Protobuf__Duration *chosen_delay(const pd_failure_t *failure)
{
    if (!failure || failure->failure_info_case != FAILURE_INFO(APPLICATION_FAILURE_INFO))
        return NULL;
    return failure->application_failure_info->next_retry_delay;
}

Temporal__Api__Enums__V1__RetryState pd_retry_next(const pd_retry_question_t *question,
                                                   int64_t *delay_ns)
{
    const Temporal__Api__Common__V1__RetryPolicy *policy = question->policy;
    *delay_ns = 0;
    if (!policy)
        return PD_RETRY_STATE(RETRY_POLICY_NOT_SET);
    if (!pd_failure_is_retryable(question->failure, policy))
        return PD_RETRY_STATE(NON_RETRYABLE_FAILURE);
    int32_t attempt = question->attempt < 1 ? 1 : question->attempt;
    if (policy->maximum_attempts > 0 && attempt >= policy->maximum_attempts)
        return PD_RETRY_STATE(MAXIMUM_ATTEMPTS_REACHED);
    const Google__Protobuf__Duration *chosen = chosen_delay(question->failure);
    int64_t max_ns = pd_pb_duration_ns(chosen ? chosen : policy->maximum_interval);
    int64_t interval_ns = chosen ? pd_pb_duration_ns(chosen)
                                 : exponential(pd_pb_duration_ns(policy->initial_interval),
                                               policy->backoff_coefficient, attempt);
    if (max_ns == 0 && interval_ns <= 0)
        return PD_RETRY_STATE(TIMEOUT);
    if (max_ns != 0 && (interval_ns <= 0 || interval_ns > max_ns))
        interval_ns = max_ns;
    if (question->expiration_ns != 0 &&
        pd_ns_add(question->now_ns, interval_ns) > question->expiration_ns)
        return PD_RETRY_STATE(TIMEOUT);
    *delay_ns = interval_ns;
    return PD_RETRY_STATE(IN_PROGRESS);
}

/* ---- what is kept of a failure ---- */

/* Cuts between characters to what is left. */
static char *cut(const char *text, int64_t *left, pd_arena_t *arena)
{
    const int64_t framing = 4;
    const char *from = pd_pb_str(text);
    size_t size = strlen(from), room = *left > 0 ? (size_t)*left : 0;
    if (size > room) {
        size = room;
        while (size > 0 && ((uint8_t)from[size] & 0xc0) == 0x80)
            size--;
    }
    if (size > 0)
        *left -= (int64_t)size + framing;
    char *out = pd_arena_alloc(arena, size + 1);
    memcpy(out, from, size);
    out[size] = '\0';
    return out;
}

static void cut_info(const pd_failure_t *from, pd_failure_t *to, int64_t *left, pd_arena_t *arena)
{
    const int64_t application_size = 8, server_size = 4;
    if (from->failure_info_case == FAILURE_INFO(APPLICATION_FAILURE_INFO)) {
        to->failure_info_case = FAILURE_INFO(APPLICATION_FAILURE_INFO);
        to->application_failure_info =
            NEW(arena, Failure__V1__ApplicationFailureInfo, failure__v1__application_failure_info);
        to->application_failure_info->non_retryable = from->application_failure_info->non_retryable;
        to->application_failure_info->type = cut(from->application_failure_info->type, left, arena);
        *left -= application_size;
    } else if (from->failure_info_case == FAILURE_INFO(SERVER_FAILURE_INFO)) {
        to->failure_info_case = FAILURE_INFO(SERVER_FAILURE_INFO);
        to->server_failure_info =
            NEW(arena, Failure__V1__ServerFailureInfo, failure__v1__server_failure_info);
        to->server_failure_info->non_retryable = from->server_failure_info->non_retryable;
        *left -= server_size;
    }
}

pd_failure_t *pd_failure_truncate(const pd_failure_t *failure, size_t size_max, pd_arena_t *arena)
{
    enum { DEPTH_MAX = 20, CAUSE_SIZE = 4 };
    pd_failure_t *first = NULL, **link = &first;
    int64_t left = (int64_t)size_max;
    for (int depth = 0; failure && depth <= DEPTH_MAX; depth++, failure = failure->cause) {
        if (depth > 0) {
            if (left <= CAUSE_SIZE)
                break;
            left -= CAUSE_SIZE;
        }
        pd_failure_t *copy = NEW(arena, Failure__V1__Failure, failure__v1__failure);
        cut_info(failure, copy, &left, arena);
        copy->source = cut(failure->source, &left, arena);
        copy->message = cut(failure->message, &left, arena);
        copy->stack_trace = cut(failure->stack_trace, &left, arena);
        *link = copy;
        link = &copy->cause;
    }
    return first;
}

static pd_failure_t *kept_failure(pd_failure_t *failure, pd_arena_t *arena)
{
    if (!failure ||
        protobuf_c_message_get_packed_size(&failure->base) <= PD_ACTIVITY_FAILURE_SIZE_MAX)
        return failure;
    pd_failure_t *kept = pd_server_failure(arena, "Failure exceeds size limit.", false);
    kept->cause = pd_failure_truncate(failure, PD_ACTIVITY_FAILURE_SIZE_MAX, arena);
    return kept;
}

/* ---- activities ---- */

Temporal__Api__Enums__V1__RetryState
pd_activity_retry(pd_draft_t *draft, pd_pending_activity_t *activity, pd_failure_t *failure)
{
    pd_arena_t *arena = draft->decision->arena;
    const Perdure__V1__ActivityRow *row = activity->row;
    PD_ASSERT(row && !activity->removed);
    if (activity->cancel_requested)
        return PD_RETRY_STATE(CANCEL_REQUESTED);
    pd_retry_question_t question = {
        .now_ns = draft->decision->now_ns,
        .attempt = activity->attempt,
        .policy = row->retry_policy,
        .failure = failure,
    };
    if (row->schedule_to_close_timeout_ns > 0)
        question.expiration_ns =
            pd_ns_add(row->scheduled_time_ns, row->schedule_to_close_timeout_ns);
    int64_t delay_ns;
    Temporal__Api__Enums__V1__RetryState state = pd_retry_next(&question, &delay_ns);
    if ((int)state != PD_RETRY_STATE(IN_PROGRESS))
        return state;

    activity->attempt++;
    activity->started = false;
    Perdure__V1__ActivityRetryScheduled *scheduled = PD_PB_NEW(
        arena, Perdure__V1__ActivityRetryScheduled, perdure__v1__activity_retry_scheduled);
    scheduled->scheduled_event_id = activity->scheduled_event_id;
    scheduled->attempt = activity->attempt;
    scheduled->not_before_ns = pd_ns_add(draft->decision->now_ns, delay_ns);
    scheduled->last_failure = kept_failure(failure, arena);
    scheduled->last_worker_identity = row->identity;
    if (!failure || failure->failure_info_case != FAILURE_INFO(TIMEOUT_FAILURE_INFO))
        scheduled->answered_time_ns = draft->decision->now_ns;
    Perdure__V1__Event *event = pd_draft_internal(draft);
    event->kind_case = PERDURE__V1__EVENT__KIND_ACTIVITY_RETRY_SCHEDULED;
    event->activity_retry_scheduled = scheduled;
    return state;
}
