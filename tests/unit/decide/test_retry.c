/* Retry: intervals, states, what cannot be retried; what is kept of a large failure; policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "engine/decide/activity_retry.h"
#include "engine/decide/retry_policy.h"

/* Message fields are not const. */
#define TEXT(literal) ((char *)(literal))

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)
#define STATE(NAME) ((int)PD_RETRY_STATE(NAME))
#define FAILURE_INFO(NAME) TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_##NAME
#define TIMEOUT_TYPE(NAME) TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_##NAME

static pd_arena_t arena;

static int set_up(void **state)
{
    pd_arena_init(&arena);
    return 0;
}

static int tear_down(void **state)
{
    pd_arena_deinit(&arena);
    return 0;
}

static pd_retry_policy_t *policy_of(int64_t initial_ns, double coefficient, int64_t max_ns,
                                    int32_t attempt_max)
{
    pd_retry_policy_t *policy =
        pd_pb_new(&temporal__api__common__v1__retry_policy__descriptor, &arena);
    policy->initial_interval = pd_pb_duration(&arena, initial_ns);
    policy->backoff_coefficient = coefficient;
    if (max_ns >= 0)
        policy->maximum_interval = pd_pb_duration(&arena, max_ns);
    policy->maximum_attempts = attempt_max;
    return policy;
}

static pd_failure_t *failure_of(int info)
{
    pd_failure_t *failure = pd_pb_new(&temporal__api__failure__v1__failure__descriptor, &arena);
    failure->failure_info_case = info;
    if (info == FAILURE_INFO(APPLICATION_FAILURE_INFO))
        failure->application_failure_info =
            pd_pb_new(&temporal__api__failure__v1__application_failure_info__descriptor, &arena);
    else if (info == FAILURE_INFO(TIMEOUT_FAILURE_INFO))
        failure->timeout_failure_info =
            pd_pb_new(&temporal__api__failure__v1__timeout_failure_info__descriptor, &arena);
    else if (info == FAILURE_INFO(SERVER_FAILURE_INFO))
        failure->server_failure_info =
            pd_pb_new(&temporal__api__failure__v1__server_failure_info__descriptor, &arena);
    else if (info == FAILURE_INFO(CANCELED_FAILURE_INFO))
        failure->canceled_failure_info =
            pd_pb_new(&temporal__api__failure__v1__canceled_failure_info__descriptor, &arena);
    else if (info == FAILURE_INFO(TERMINATED_FAILURE_INFO))
        failure->terminated_failure_info =
            pd_pb_new(&temporal__api__failure__v1__terminated_failure_info__descriptor, &arena);
    return failure;
}

static void intervals(void **state)
{
    const struct {
        int64_t initial_ns;
        double coefficient;
        int64_t max_ns;
        int32_t attempt;
        int64_t delay_ns;
    } cases[] = {
        {1 * S, 2, 100 * S, 1, 1 * S},
        {1 * S, 2, 100 * S, 2, 2 * S},
        {1 * S, 2, 100 * S, 7, 64 * S},
        {1 * S, 2, 100 * S, 8, 100 * S},
        {1 * S, 2, 100 * S, INT32_MAX, 100 * S},
        {500 * MS, 1.8, 1100 * MS, 2, 900 * MS},
        {500 * MS, 1.8, 1100 * MS, 3, 1100 * MS},
        {100 * MS, 1, 10 * S, 1000000, 100 * MS},
        {1 * S, 2, 0, 3, 4 * S},             /* no maximum */
        {1 * S, 2, 0, INT32_MAX, INT64_MAX}, /* saturates */
        {0, 2, 5 * S, 1, 5 * S},             /* no interval: the maximum */
    };
    for (size_t i = 0; i < PD_ARRAY_COUNT(cases); i++) {
        pd_retry_question_t question = {
            .now_ns = 1000 * S,
            .attempt = cases[i].attempt,
            .policy = policy_of(cases[i].initial_ns, cases[i].coefficient, cases[i].max_ns, 0),
        };
        int64_t delay_ns;
        assert_int_equal(pd_retry_next(&question, &delay_ns), STATE(IN_PROGRESS));
        assert_int_equal(delay_ns, cases[i].delay_ns);
    }
}

static void states(void **state)
{
    int64_t delay_ns;
    pd_retry_question_t question = {.now_ns = 1000 * S, .attempt = 1};
    assert_int_equal(pd_retry_next(&question, &delay_ns), STATE(RETRY_POLICY_NOT_SET));
    question.policy = policy_of(1 * S, 2, 100 * S, 2);
    assert_int_equal(pd_retry_next(&question, &delay_ns), STATE(IN_PROGRESS));
    question.attempt = 2;
    assert_int_equal(pd_retry_next(&question, &delay_ns), STATE(MAXIMUM_ATTEMPTS_REACHED));
    /* The next attempt may begin at the very end, not later. */
    question.attempt = 1;
    question.expiration_ns = 1001 * S;
    assert_int_equal(pd_retry_next(&question, &delay_ns), STATE(IN_PROGRESS));
    question.expiration_ns = 1001 * S - 1;
    assert_int_equal(pd_retry_next(&question, &delay_ns), STATE(TIMEOUT));
    /* What cannot be retried is told before everything else. */
    question.attempt = 2;
    question.failure = failure_of(FAILURE_INFO(CANCELED_FAILURE_INFO));
    assert_int_equal(pd_retry_next(&question, &delay_ns), STATE(NON_RETRYABLE_FAILURE));
    pd_retry_question_t nothing = {.now_ns = 1, .attempt = 1, .policy = policy_of(0, 2, 0, 0)};
    assert_int_equal(pd_retry_next(&nothing, &delay_ns), STATE(TIMEOUT));
}

static void chosen_delay(void **state)
{
    int64_t delay_ns;
    pd_failure_t *failure = failure_of(FAILURE_INFO(APPLICATION_FAILURE_INFO));
    pd_retry_question_t question = {.now_ns = 1000 * S,
                                    .attempt = 3,
                                    .policy = policy_of(100 * S, 2, 100 * S, 0),
                                    .failure = failure};
    failure->application_failure_info->next_retry_delay = pd_pb_duration(&arena, 500 * S);
    assert_int_equal(pd_retry_next(&question, &delay_ns), STATE(IN_PROGRESS));
    assert_int_equal(delay_ns, 500 * S);
    question.expiration_ns = 1400 * S;
    assert_int_equal(pd_retry_next(&question, &delay_ns), STATE(TIMEOUT));
    failure->application_failure_info->next_retry_delay = pd_pb_duration(&arena, 0);
    assert_int_equal(pd_retry_next(&question, &delay_ns), STATE(TIMEOUT));
}

static void retryable(void **state)
{
    pd_retry_policy_t *policy = policy_of(S, 2, 100 * S, 0);
    char *types[] = {TEXT("Fatal"), TEXT("TemporalTimeout:Heartbeat")};
    policy->non_retryable_error_types = types;
    policy->n_non_retryable_error_types = PD_ARRAY_COUNT(types);
    assert_true(pd_failure_is_retryable(NULL, policy));
    assert_true(pd_failure_is_retryable(failure_of(0), policy));
    assert_false(pd_failure_is_retryable(failure_of(FAILURE_INFO(CANCELED_FAILURE_INFO)), policy));
    assert_false(
        pd_failure_is_retryable(failure_of(FAILURE_INFO(TERMINATED_FAILURE_INFO)), policy));

    pd_failure_t *failure = failure_of(FAILURE_INFO(APPLICATION_FAILURE_INFO));
    failure->application_failure_info->type = TEXT("Fata");
    assert_true(pd_failure_is_retryable(failure, policy));
    failure->application_failure_info->type = TEXT("Fatal");
    assert_false(pd_failure_is_retryable(failure, policy));
    failure->application_failure_info->type = TEXT("");
    assert_true(pd_failure_is_retryable(failure, policy));
    failure->application_failure_info->non_retryable = true;
    assert_false(pd_failure_is_retryable(failure, policy));

    failure = failure_of(FAILURE_INFO(SERVER_FAILURE_INFO));
    assert_true(pd_failure_is_retryable(failure, policy));
    failure->server_failure_info->non_retryable = true;
    assert_false(pd_failure_is_retryable(failure, policy));

    failure = failure_of(FAILURE_INFO(TIMEOUT_FAILURE_INFO));
    const bool expected[] = {false, true, false, false, false};
    for (int type = 0; type <= TIMEOUT_TYPE(HEARTBEAT); type++) {
        failure->timeout_failure_info->timeout_type = type;
        assert_int_equal(pd_failure_is_retryable(failure, policy), expected[type]);
    }
    policy->n_non_retryable_error_types = 1;
    assert_true(pd_failure_is_retryable(failure, policy));
}

static char *repeated(char c, size_t count)
{
    char *text = pd_arena_alloc(&arena, count + 1);
    memset(text, c, count);
    text[count] = '\0';
    return text;
}

static void truncation(void **state)
{
    pd_failure_t *failure = failure_of(FAILURE_INFO(APPLICATION_FAILURE_INFO));
    failure->application_failure_info->type = TEXT("Boom");
    failure->application_failure_info->non_retryable = true;
    failure->source = TEXT("parity");
    failure->message = repeated('m', 6000);
    failure->stack_trace = repeated('s', 6000);
    failure->cause = failure_of(0);
    pd_failure_t *cut = pd_failure_truncate(failure, 4096, &arena);
    assert_string_equal(cut->application_failure_info->type, "Boom");
    assert_true(cut->application_failure_info->non_retryable);
    assert_string_equal(cut->source, "parity");
    assert_int_equal(strlen(cut->message), 4070); /* as the reference has it */
    assert_string_equal(cut->stack_trace, "");
    assert_null(cut->cause);
    assert_true(protobuf_c_message_get_packed_size(&cut->base) <= 4096);

    /* Causes are kept while there is room; characters stay whole. */
    failure->message = TEXT("short");
    failure->stack_trace = TEXT("");
    failure->cause->message = TEXT("\xc3\xa4\xc3\xa4\xc3\xa4");
    cut = pd_failure_truncate(failure, 4096, &arena);
    assert_string_equal(cut->cause->message, failure->cause->message);
    cut = pd_failure_truncate(failure, 4 + 4 + 8 + 6 + 4 + 5 + 4 + 4 + 3, &arena);
    assert_string_equal(cut->cause->message, "\xc3\xa4");

    pd_failure_t *deep = NULL;
    for (int i = 0; i < 1000; i++) {
        pd_failure_t *outer = failure_of(0);
        outer->message = TEXT("x");
        outer->cause = deep;
        deep = outer;
    }
    size_t depth = 0;
    for (cut = pd_failure_truncate(deep, 1000000, &arena); cut; cut = cut->cause)
        depth++;
    assert_int_equal(depth, 21);
}

static void policies(void **state)
{
    pd_retry_policy_t *policy = policy_of(0, 0, -1, 0);
    pd_retry_policy_fill(policy, &arena);
    assert_int_equal(pd_pb_duration_ns(policy->initial_interval), 1 * S);
    assert_int_equal(pd_pb_duration_ns(policy->maximum_interval), 100 * S);
    assert_true(policy->backoff_coefficient == 2);
    assert_null(pd_retry_policy_check(policy, &arena));
    assert_null(pd_retry_policy_check(NULL, &arena));

    policy = policy_of(-5 * S, 0.5, 1, 1);
    assert_null(pd_retry_policy_check(policy, &arena)); /* one attempt: nothing else matters */
    policy->maximum_attempts = 0;
    assert_string_equal(pd_retry_policy_check(policy, &arena),
                        "invalid InitialInterval set on retry policy: negative duration");
    assert_string_equal(pd_retry_policy_check(policy_of(S, 0.9, 1, 0), &arena),
                        "BackoffCoefficient cannot be less than 1 on retry policy.");
    assert_string_equal(pd_retry_policy_check(policy_of(S, 2, S - 1, 0), &arena),
                        "MaximumInterval cannot be less than InitialInterval on retry policy.");
    assert_string_equal(pd_retry_policy_check(policy_of(S, 2, S, -1), &arena),
                        "MaximumAttempts cannot be negative on retry policy.");
    policy = policy_of(S, 2, S, 0);
    char *types[] = {TEXT("TemporalTimeout:StartToClose"),
                     TEXT("TemporalTimeout:TIMEOUT_TYPE_HEARTBEAT"),
                     TEXT("TemporalTimeout:Nonsense")};
    policy->non_retryable_error_types = types;
    policy->n_non_retryable_error_types = 2;
    assert_null(pd_retry_policy_check(policy, &arena));
    policy->n_non_retryable_error_types = 3;
    assert_string_equal(pd_retry_policy_check(policy, &arena),
                        "Invalid timeout type value: Nonsense.");
}

static void durations(void **state)
{
    Google__Protobuf__Duration in = GOOGLE__PROTOBUF__DURATION__INIT, *out = &in;
    assert_null(pd_duration_check(NULL, &arena, &out));
    assert_null(out);
    in.seconds = 1;
    in.nanos = -5;
    assert_string_equal(pd_duration_check(&in, &arena, &out),
                        "duration has seconds and nanos with different signs");
    in.seconds = INT64_C(1) << 40;
    in.nanos = 7;
    assert_null(pd_duration_check(&in, &arena, &out));
    assert_int_equal(out->seconds, INT64_C(100) * 365 * 24 * 3600);
    assert_int_equal(out->nanos, 0);
    in.seconds = INT64_MIN;
    in.nanos = 0;
    assert_string_equal(pd_duration_check(&in, &arena, &out), "negative duration");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals), cmocka_unit_test(states),     cmocka_unit_test(chosen_delay),
        cmocka_unit_test(retryable), cmocka_unit_test(truncation), cmocka_unit_test(policies),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
