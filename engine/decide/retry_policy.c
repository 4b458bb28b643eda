#include "engine/decide/retry_policy.h"

#include "engine/limits.h"

#define TIMEOUT_TYPE(NAME) TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_##NAME

const char *pd_duration_check(const Google__Protobuf__Duration *duration, pd_arena_t *arena,
                              Google__Protobuf__Duration **out)
{
    *out = NULL;
    if (!duration)
        return NULL;
    if ((duration->seconds > 0 && duration->nanos < 0) ||
        (duration->seconds < 0 && duration->nanos > 0))
        return "duration has seconds and nanos with different signs";
    int64_t ns = pd_pb_duration_ns(duration);
    if (ns < 0)
        return "negative duration";
    *out = pd_pb_duration(arena, ns > PD_DURATION_MAX_NS ? PD_DURATION_MAX_NS : ns);
    return NULL;
}

void pd_retry_policy_fill(pd_retry_policy_t *policy, pd_arena_t *arena)
{
    const int64_t interval_max_factor = 100;
    if (pd_pb_duration_ns(policy->initial_interval) == 0)
        policy->initial_interval = pd_pb_duration(arena, PD_NS_PER_S);
    if (pd_pb_duration_ns(policy->maximum_interval) == 0) {
        int64_t initial_ns = pd_pb_duration_ns(policy->initial_interval);
        int64_t max_ns;
        if (__builtin_mul_overflow(initial_ns, interval_max_factor, &max_ns))
            max_ns = INT64_MAX;
        policy->maximum_interval = pd_pb_duration(arena, max_ns);
    }
    if (policy->backoff_coefficient == 0)
        policy->backoff_coefficient = 2;
}

const char *pd_timeout_type_name(Temporal__Api__Enums__V1__TimeoutType type)
{
    switch ((int)type) {
    case TIMEOUT_TYPE(START_TO_CLOSE):
        return "StartToClose";
    case TIMEOUT_TYPE(SCHEDULE_TO_START):
        return "ScheduleToStart";
    case TIMEOUT_TYPE(SCHEDULE_TO_CLOSE):
        return "ScheduleToClose";
    case TIMEOUT_TYPE(HEARTBEAT):
        return "Heartbeat";
    default:
        return "Unspecified";
    }
}

/* Both the short form and the enum's own name are known. */
static bool names_a_timeout(const char *name)
{
    for (int type = TIMEOUT_TYPE(START_TO_CLOSE); type <= TIMEOUT_TYPE(HEARTBEAT); type++) {
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
            &temporal__api__enums__v1__timeout_type__descriptor, type);
        if (strcmp(name, pd_timeout_type_name(type)) == 0 ||
            (value && strcmp(name, value->name) == 0))
            return true;
    }
    return false;
}

static const char *check_types(const pd_retry_policy_t *policy, pd_arena_t *arena)
{
    size_t prefix_size = strlen(PD_TIMEOUT_TYPE_PREFIX);
    for (size_t i = 0; i < policy->n_non_retryable_error_types; i++) {
        const char *type = policy->non_retryable_error_types[i];
        if (strncmp(type, PD_TIMEOUT_TYPE_PREFIX, prefix_size) == 0 &&
            !names_a_timeout(type + prefix_size))
            return pd_arena_printf(arena, "Invalid timeout type value: %s.", type + prefix_size);
    }
    return NULL;
}

const char *pd_retry_policy_check(pd_retry_policy_t *policy, pd_arena_t *arena)
{
    /* With one attempt there is no retry, and the rest is not looked at. */
    if (!policy || policy->maximum_attempts == 1)
        return NULL;
    const char *reason =
        pd_duration_check(policy->initial_interval, arena, &policy->initial_interval);
    if (reason)
        return pd_arena_printf(arena, "invalid InitialInterval set on retry policy: %s", reason);
    if (!(policy->backoff_coefficient >= 1))
        return "BackoffCoefficient cannot be less than 1 on retry policy.";
    reason = pd_duration_check(policy->maximum_interval, arena, &policy->maximum_interval);
    if (reason)
        return pd_arena_printf(arena, "invalid MaximumInterval set on retry policy: %s", reason);
    int64_t max_ns = pd_pb_duration_ns(policy->maximum_interval);
    if (max_ns > 0 && max_ns < pd_pb_duration_ns(policy->initial_interval))
        return "MaximumInterval cannot be less than InitialInterval on retry policy.";
    if (policy->maximum_attempts < 0)
        return "MaximumAttempts cannot be negative on retry policy.";
    return check_types(policy, arena);
}
