/* CONTINUE_AS_NEW_WORKFLOW_EXECUTION: the run ends and the next one begins, in one transition. */
#include "api/pb/time.h"
#include "engine/decide/close.h"
#include "engine/decide/commands/commands.h"
#include "engine/decide/retry_policy.h"
#include "engine/limits.h"
#include "engine/search_attributes.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes attributes_t;
typedef Temporal__Api__History__V1__WorkflowExecutionContinuedAsNewEventAttributes continued_t;
typedef Temporal__Api__Taskqueue__V1__TaskQueue task_queue_t;

#define CAUSE PD_WFT_CAUSE(BAD_CONTINUE_AS_NEW_ATTRIBUTES)
#define INITIATOR(NAME)                                                                            \
    TEMPORAL__API__ENUMS__V1__CONTINUE_AS_NEW_INITIATOR__CONTINUE_AS_NEW_INITIATOR_##NAME

/* The command with what it leaves out taken from the run before. */
typedef struct wanted {
    const char *workflow_type;
    const char *task_queue;
    Google__Protobuf__Duration *run_timeout;
    Google__Protobuf__Duration *task_timeout;
    Google__Protobuf__Duration *backoff;
    Temporal__Api__Common__V1__RetryPolicy *retry_policy;
} wanted_t;

/* ---- checks ---- */

static const pd_command_failure_t *fail_with(pd_completion_t *completion, const wanted_t *wanted,
                                             const char *what, const char *error)
{
    return pd_command_fail(completion, CAUSE,
                           "%s on ContinueAsNewWorkflowExecutionCommand: %s. WorkflowType=%s "
                           "TaskQueue=name:\"%s\"  kind:TASK_QUEUE_KIND_NORMAL",
                           what, error, wanted->workflow_type, wanted->task_queue);
}

static const pd_command_failure_t *check_names(pd_completion_t *completion, const wanted_t *wanted)
{
    if (strlen(wanted->workflow_type) > PD_ID_SIZE_MAX)
        return pd_command_fail(completion, CAUSE,
                               "WorkflowType on ContinueAsNewWorkflowExecutionCommand exceeds "
                               "length limit. WorkflowType=%s Length=%zu Limit=%d",
                               wanted->workflow_type, strlen(wanted->workflow_type),
                               PD_ID_SIZE_MAX);
    if (strlen(wanted->task_queue) > PD_ID_SIZE_MAX)
        return pd_command_fail(completion, CAUSE,
                               "error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: "
                               "taskQueue length exceeds limit. WorkflowType=%s "
                               "TaskQueue=name:\"%s\"  kind:TASK_QUEUE_KIND_NORMAL",
                               wanted->workflow_type, wanted->task_queue);
    if (strncmp(wanted->task_queue, "/_sys/", 6) == 0)
        return pd_command_fail(completion, CAUSE,
                               "error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: "
                               "task queue name cannot start with reserved prefix /_sys/. "
                               "WorkflowType=%s TaskQueue=name:\"%s\"  "
                               "kind:TASK_QUEUE_KIND_NORMAL",
                               wanted->workflow_type, wanted->task_queue);
    return NULL;
}

static const pd_command_failure_t *check_times(pd_completion_t *completion,
                                               const attributes_t *attributes, wanted_t *wanted)
{
    pd_arena_t *arena = completion->decision->arena;
    const char *error =
        pd_duration_check(attributes->workflow_run_timeout, arena, &wanted->run_timeout);

    if (error)
        return fail_with(completion, wanted, "Invalid WorkflowRunTimeout", error);
    error = pd_duration_check(attributes->workflow_task_timeout, arena, &wanted->task_timeout);
    if (error)
        return fail_with(completion, wanted, "Invalid WorkflowTaskTimeout", error);
    error = pd_duration_check(attributes->backoff_start_interval, arena, &wanted->backoff);
    if (error)
        return fail_with(completion, wanted, "Invalid BackoffStartInterval", error);
    wanted->retry_policy = pd_new_run_retry_policy(arena, attributes->retry_policy);
    error = pd_retry_policy_check(wanted->retry_policy, arena);
    if (error)
        return fail_with(completion, wanted, "invalid WorkflowRetryPolicy", error);
    return NULL;
}

static const pd_command_failure_t *check_sizes(pd_completion_t *completion,
                                               const attributes_t *attributes)
{
    const pd_command_failure_t *failure = pd_command_check_size(
        completion, CAUSE, pd_command_payload_size(attributes->input),
        "ContinueAsNewWorkflowExecutionCommandAttributes. Input exceeds size limit.");

    if (failure)
        return failure;
    return pd_command_check_size(
        completion, CAUSE, pd_command_payload_size(attributes->memo),
        "ContinueAsNewWorkflowExecutionCommandAttributes. Memo exceeds size limit.");
}

static const pd_command_failure_t *check(pd_completion_t *completion,
                                         const attributes_t *attributes, wanted_t *wanted)
{
    const Perdure__V1__ExecutionRow *row = completion->draft->exec->row;
    const pd_command_failure_t *failure;
    const char *error;

    if (!attributes)
        return pd_command_fail(completion, CAUSE,
                               "ContinueAsNewWorkflowExecutionCommandAttributes is not set on "
                               "ContinueAsNewWorkflowExecutionCommand.");
    error = pd_search_attributes_check(completion->decision->arena, completion->decision->ns->name,
                                       attributes->search_attributes);
    if (error && !strstr(error, "exceeds size limit"))
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_SEARCH_ATTRIBUTES), "%s", error);
    wanted->workflow_type =
        attributes->workflow_type && !pd_pb_empty(attributes->workflow_type->name)
            ? attributes->workflow_type->name
            : row->workflow_type;
    wanted->task_queue = attributes->task_queue && !pd_pb_empty(attributes->task_queue->name)
                             ? attributes->task_queue->name
                             : row->task_queue;
    failure = check_names(completion, wanted);
    if (!failure)
        failure = check_times(completion, attributes, wanted);
    if (!failure)
        failure = check_sizes(completion, attributes);
    return !failure && error ? pd_command_fail_hard(completion, CAUSE, "%s", error) : failure;
}

/* ---- writing ---- */

static void fill_started(pd_completion_t *completion, const attributes_t *attributes,
                         const wanted_t *wanted, pd_started_t *started)
{
    pd_arena_t *arena = completion->decision->arena;
    const Perdure__V1__ExecutionRow *row = completion->draft->exec->row;

    started->workflow_type = PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowType,
                                       temporal__api__common__v1__workflow_type);
    started->workflow_type->name = (char *)wanted->workflow_type;
    started->task_queue = PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                                    temporal__api__taskqueue__v1__task_queue);
    started->task_queue->name = (char *)wanted->task_queue;
    started->task_queue->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    started->workflow_run_timeout = wanted->run_timeout;
    if (!pd_pb_duration_ns(wanted->run_timeout))
        started->workflow_run_timeout = pd_pb_duration(arena, row->run_timeout_ns);
    started->workflow_task_timeout = wanted->task_timeout;
    if (!pd_pb_duration_ns(wanted->task_timeout))
        started->workflow_task_timeout = pd_pb_duration(arena, row->workflow_task_timeout_ns);
    pd_new_run_cap_timeouts(arena, started);
    started->input = attributes->input;
    started->header = attributes->header;
    started->retry_policy = wanted->retry_policy;
    started->cron_schedule = attributes->cron_schedule;
    started->last_completion_result = attributes->last_completion_result;
    started->continued_failure = attributes->failure;
    started->memo = attributes->memo;
    started->search_attributes = attributes->search_attributes;
    if (started->search_attributes)
        pd_search_attributes_set_types(arena, started->search_attributes);
    started->attempt = attributes->initiator == INITIATOR(RETRY) ? row->attempt + 1 : 1;
}

static void write_close(pd_completion_t *completion, const pd_worker_command_t *command,
                        const pd_new_run_t *run)
{
    const attributes_t *attributes = command->continue_as_new_workflow_execution_command_attributes;
    pd_history_event_t *event =
        pd_draft_close(completion->draft, PD_EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW), false);
    continued_t *continued = event->workflow_execution_continued_as_new_event_attributes;

    event->user_metadata = command->user_metadata;
    continued->new_execution_run_id = (char *)run->run_id;
    continued->workflow_type = run->started->workflow_type;
    continued->task_queue = run->started->task_queue;
    continued->input = attributes->input;
    continued->workflow_run_timeout = run->started->workflow_run_timeout;
    continued->workflow_task_timeout = run->started->workflow_task_timeout;
    continued->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    continued->backoff_start_interval = attributes->backoff_start_interval;
    continued->initiator = attributes->initiator;
    continued->failure = attributes->failure;
    continued->last_completion_result = attributes->last_completion_result;
    continued->header = attributes->header;
    continued->memo = attributes->memo;
    continued->search_attributes = attributes->search_attributes;
    continued->inherit_build_id = attributes->inherit_build_id;
    continued->initial_versioning_behavior = attributes->initial_versioning_behavior;
}

static void begin_next(pd_completion_t *completion, pd_new_run_t *run)
{
    pd_started_t *started = run->started;

    pd_memo_drop_nil(&started->memo);
    pd_search_attributes_drop_nil(&started->search_attributes);
    (void)pd_new_run_write(completion->decision, run);
}

const pd_command_failure_t *pd_handle_continue_as_new(pd_completion_t *completion,
                                                      const pd_worker_command_t *command)
{
    const attributes_t *attributes =
        command->attributes_case ==
                TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES
            ? command->continue_as_new_workflow_execution_command_attributes
            : NULL;
    const pd_command_failure_t *failure = pd_command_check_close(completion);
    pd_draft_t *draft = completion->draft;
    wanted_t wanted = {0};
    pd_new_run_t run;
    int64_t backoff_ns;

    if (!failure)
        failure = check(completion, attributes, &wanted);
    if (failure)
        return failure;
    pd_close_carry(draft, pd_close_started(draft),
                   attributes->initiator ? attributes->initiator : INITIATOR(WORKFLOW), &run);
    fill_started(completion, attributes, &wanted, run.started);
    run.run_id = pd_new_run_id(completion->decision);
    backoff_ns =
        pd_close_min_backoff_ns(draft, wanted.backoff ? pd_pb_duration_ns(wanted.backoff) : -1);
    run.no_backoff_field = backoff_ns < 0;
    run.first_task_backoff_ns = backoff_ns > 0 ? backoff_ns : 0;
    write_close(completion, command, &run);
    begin_next(completion, &run);
    completion->closed = true;
    return NULL;
}
