/* START_CHILD_WORKFLOW_EXECUTION: checks and completes the attributes, as the history is to show
 * them. The child is asked for when the completion leaves the run open. */
#include "api/pb/time.h"
#include "base/assert.h"
#include "engine/decide/commands/commands.h"
#include "engine/decide/commands/target.h"
#include "engine/decide/cron.h"
#include "engine/decide/new_run.h"
#include "engine/decide/others.h"
#include "engine/decide/retry_policy.h"
#include "engine/limits.h"
#include "engine/search_attributes.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Command__V1__StartChildWorkflowExecutionCommandAttributes attributes_t;
typedef Temporal__Api__History__V1__StartChildWorkflowExecutionInitiatedEventAttributes initiated_t;

#define CAUSE PD_WFT_CAUSE(BAD_START_CHILD_EXECUTION_ATTRIBUTES)
#define ON_COMMAND "on StartChildWorkflowExecutionCommand"

/* The command, and what of the event differs from it. */
typedef struct wanted {
    const attributes_t *attributes;
    const char *workflow_type;
    const char *ns; /* name */
    Temporal__Api__Taskqueue__V1__TaskQueue *task_queue;
    pd_started_t times;
    Temporal__Api__Common__V1__RetryPolicy *retry_policy;
} wanted_t;

/* ---- checks ---- */

static const pd_command_failure_t *too_long(pd_completion_t *completion, const wanted_t *wanted,
                                            const char *what, size_t size)
{
    const attributes_t *attributes = wanted->attributes;

    if (strcmp(what, "WorkflowId") == 0)
        return pd_command_fail(completion, CAUSE,
                               "WorkflowId " ON_COMMAND " exceeds length limit. WorkflowId=%s "
                               "Length=%zu Limit=%d WorkflowType=%s Namespace=%s",
                               attributes->workflow_id, size, PD_ID_SIZE_MAX, wanted->workflow_type,
                               wanted->ns);
    return pd_command_fail(completion, CAUSE,
                           "WorkflowType " ON_COMMAND " exceeds length limit. WorkflowId=%s "
                           "WorkflowType=%s Length=%zu Limit=%d Namespace=%s",
                           attributes->workflow_id, wanted->workflow_type, size, PD_ID_SIZE_MAX,
                           wanted->ns);
}

static const pd_command_failure_t *check_names(pd_completion_t *completion, const wanted_t *wanted)
{
    const char *workflow_id = wanted->attributes->workflow_id;

    if (pd_pb_empty(workflow_id))
        return pd_command_fail(completion, CAUSE,
                               "Required field WorkflowId is not set " ON_COMMAND
                               ". WorkflowType=%s Namespace=%s",
                               wanted->workflow_type, wanted->ns);
    if (pd_pb_empty(wanted->workflow_type))
        return pd_command_fail(completion, CAUSE,
                               "Required field WorkflowType is not set " ON_COMMAND
                               ". WorkflowId=%s Namespace=%s",
                               workflow_id, wanted->ns);
    if (strlen(workflow_id) > PD_ID_SIZE_MAX)
        return too_long(completion, wanted, "WorkflowId", strlen(workflow_id));
    if (strlen(wanted->workflow_type) > PD_ID_SIZE_MAX)
        return too_long(completion, wanted, "WorkflowType", strlen(wanted->workflow_type));
    return NULL;
}

/* "<what> on StartChild…: <reason>. WorkflowId=…". */
static const pd_command_failure_t *fail_with(pd_completion_t *completion, const wanted_t *wanted,
                                             const char *what, const char *reason)
{
    return pd_command_fail(
        completion, CAUSE, "%s " ON_COMMAND ": %s. WorkflowId=%s WorkflowType=%s Namespace=%s",
        what, reason, wanted->attributes->workflow_id, wanted->workflow_type, wanted->ns);
}

static const pd_command_failure_t *check_times(pd_completion_t *completion, wanted_t *wanted)
{
    pd_arena_t *arena = completion->decision->arena;
    const attributes_t *attributes = wanted->attributes;
    const struct {
        const char *what;
        const Google__Protobuf__Duration *in;
        Google__Protobuf__Duration **out;
    } all[] = {
        {"Invalid WorkflowExecutionTimeout", attributes->workflow_execution_timeout,
         &wanted->times.workflow_execution_timeout},
        {"Invalid WorkflowRunTimeout", attributes->workflow_run_timeout,
         &wanted->times.workflow_run_timeout},
        {"Invalid WorkflowTaskTimeout", attributes->workflow_task_timeout,
         &wanted->times.workflow_task_timeout},
    };

    for (size_t i = 0; i < PD_ARRAY_COUNT(all); i++) {
        const char *reason = pd_duration_check(all[i].in, arena, all[i].out);

        if (reason)
            return fail_with(completion, wanted, all[i].what, reason);
    }
    pd_new_run_cap_timeouts(arena, &wanted->times);
    if (!wanted->times.workflow_run_timeout)
        wanted->times.workflow_run_timeout = pd_pb_duration(arena, 0);
    return NULL;
}

static const char *check_cron(const char *cron_schedule, int64_t now_ns)
{
    if (pd_pb_empty(cron_schedule))
        return NULL;
    if (!pd_cron_is_valid(cron_schedule))
        return "invalid CronSchedule.";
    if (pd_cron_next_ns(cron_schedule, now_ns) == INT64_MAX)
        return "invalid CronSchedule, no time can be found to satisfy the schedule";
    return NULL;
}

static const pd_command_failure_t *check_policies(pd_completion_t *completion, wanted_t *wanted)
{
    pd_arena_t *arena = completion->decision->arena;
    const char *reason;

    wanted->retry_policy = pd_new_run_retry_policy(arena, wanted->attributes->retry_policy);
    reason = pd_retry_policy_check(wanted->retry_policy, arena);
    if (reason)
        return fail_with(completion, wanted, "invalid WorkflowRetryPolicy", reason);
    reason = check_cron(wanted->attributes->cron_schedule, completion->decision->now_ns);
    if (reason)
        return fail_with(completion, wanted, "invalid CronSchedule", reason);
    return NULL;
}

static const char *check_priority(const Temporal__Api__Common__V1__Priority *priority)
{
    if (!priority)
        return NULL;
    if (priority->priority_key < 0)
        return "priority key can't be negative";
    if (strlen(pd_pb_str(priority->fairness_key)) > PD_FAIRNESS_KEY_SIZE_MAX)
        return "fairness key length exceeds limit";
    if (priority->fairness_weight < 0)
        return "must be greater than zero";
    return NULL;
}

static const pd_command_failure_t *check_queue(pd_completion_t *completion, wanted_t *wanted)
{
    const char *reason =
        pd_target_queue(completion, wanted->attributes->task_queue, &wanted->task_queue);

    if (!reason)
        return NULL;
    return pd_command_fail(completion, CAUSE,
                           "invalid TaskQueue " ON_COMMAND ": %s. WorkflowId=%s WorkflowType=%s "
                           "Namespace=%s TaskQueue=name:\"%s\"  kind:TASK_QUEUE_KIND_NORMAL",
                           reason, wanted->attributes->workflow_id, wanted->workflow_type,
                           wanted->ns, wanted->task_queue->name);
}

static const pd_command_failure_t *check_limits(pd_completion_t *completion, const wanted_t *wanted)
{
    size_t count = pd_others_child_count(completion->draft);
    const pd_command_failure_t *failure = pd_command_check_size(
        completion, CAUSE, pd_command_payload_size(wanted->attributes->input),
        "StartChildWorkflowExecutionCommandAttributes. Input exceeds size limit.");

    if (!failure)
        failure = pd_command_check_size(
            completion, CAUSE, pd_command_payload_size(wanted->attributes->memo),
            "StartChildWorkflowExecutionCommandAttributes.Memo exceeds size limit.");
    if (!failure && count >= PD_PENDING_CHILD_COUNT_MAX)
        failure = pd_command_fail(completion, PD_WFT_CAUSE(PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED),
                                  "the number of pending child workflow executions, %zu, has "
                                  "reached the per-workflow limit of %d",
                                  count, PD_PENDING_CHILD_COUNT_MAX);
    return failure;
}

static const pd_command_failure_t *check_rest(pd_completion_t *completion, wanted_t *wanted)
{
    const pd_command_failure_t *failure = check_names(completion, wanted);
    const char *reason;

    if (!failure)
        failure = check_times(completion, wanted);
    if (!failure)
        failure = check_policies(completion, wanted);
    if (failure)
        return failure;
    reason = check_priority(wanted->attributes->priority);
    if (reason)
        return pd_command_fail(completion, CAUSE, "%s", reason);
    failure = check_queue(completion, wanted);
    return failure ? failure : check_limits(completion, wanted);
}

static const pd_command_failure_t *check(pd_completion_t *completion, wanted_t *wanted)
{
    const pd_command_failure_t *failure;
    const char *error;

    if (!wanted->attributes)
        return pd_command_fail(completion, CAUSE,
                               "StartChildWorkflowExecutionCommandAttributes is not set " ON_COMMAND
                               ".");
    wanted->ns = pd_pb_empty(wanted->attributes->namespace_) ? completion->decision->ns->name
                                                             : wanted->attributes->namespace_;
    wanted->workflow_type =
        wanted->attributes->workflow_type ? wanted->attributes->workflow_type->name : "";
    failure = pd_target_namespace(completion, wanted->ns, CAUSE);
    if (failure)
        return failure;
    error = pd_search_attributes_check(completion->decision->arena, wanted->ns,
                                       wanted->attributes->search_attributes);
    if (error && !strstr(error, "exceeds size limit"))
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_SEARCH_ATTRIBUTES), "%s", error);
    failure = check_rest(completion, wanted);
    return !failure && error ? pd_command_fail_hard(completion, CAUSE, "%s", error) : failure;
}

/* ---- writing ---- */

static void fill(pd_completion_t *completion, const wanted_t *wanted, initiated_t *initiated)
{
    const attributes_t *attributes = wanted->attributes;

    initiated->namespace_ = (char *)wanted->ns;
    initiated->namespace_id = (char *)completion->decision->ns->id;
    initiated->workflow_id = attributes->workflow_id;
    initiated->workflow_type = attributes->workflow_type;
    initiated->task_queue = wanted->task_queue;
    initiated->input = attributes->input;
    initiated->workflow_execution_timeout = wanted->times.workflow_execution_timeout;
    initiated->workflow_run_timeout = wanted->times.workflow_run_timeout;
    initiated->workflow_task_timeout = wanted->times.workflow_task_timeout;
    initiated->parent_close_policy =
        attributes->parent_close_policy
            ? attributes->parent_close_policy
            : TEMPORAL__API__ENUMS__V1__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_TERMINATE;
    initiated->control = attributes->control;
    initiated->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    initiated->workflow_id_reuse_policy =
        attributes->workflow_id_reuse_policy
            ? attributes->workflow_id_reuse_policy
            : TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE;
    initiated->retry_policy = wanted->retry_policy;
    initiated->cron_schedule = attributes->cron_schedule;
    initiated->header = attributes->header;
    initiated->memo = attributes->memo;
    pd_memo_drop_nil(&initiated->memo);
    initiated->search_attributes = attributes->search_attributes;
    pd_search_attributes_drop_nil(&initiated->search_attributes);
    if (initiated->search_attributes)
        pd_search_attributes_set_types(completion->decision->arena, initiated->search_attributes);
    initiated->inherit_build_id = attributes->inherit_build_id;
    initiated->priority = attributes->priority;
}

/* What the child asks for itself, and for the rest what its parent has. */
static Temporal__Api__Common__V1__Priority *
merged_priority(pd_arena_t *arena, const Temporal__Api__Common__V1__Priority *parent,
                Temporal__Api__Common__V1__Priority *own)
{
    Temporal__Api__Common__V1__Priority *merged;

    if (!parent)
        return own;
    merged = pd_arena_memdup(arena, parent, sizeof(*parent));
    if (own && own->priority_key)
        merged->priority_key = own->priority_key;
    if (own && !pd_pb_empty(own->fairness_key))
        merged->fairness_key = own->fairness_key;
    if (own && own->fairness_weight > 0)
        merged->fairness_weight = own->fairness_weight;
    return merged;
}

static Temporal__Api__Common__V1__WorkflowExecution *root_of(pd_arena_t *arena,
                                                             const Perdure__V1__ExecutionRow *row)
{
    Temporal__Api__Common__V1__WorkflowExecution *root =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowExecution,
                  temporal__api__common__v1__workflow_execution);
    bool is_root = pd_pb_empty(row->root_workflow_id);

    root->workflow_id = is_root ? row->workflow_id : row->root_workflow_id;
    root->run_id = is_root ? row->run_id : row->root_run_id;
    return root;
}

static void send(pd_completion_t *completion, const pd_history_event_t *event)
{
    pd_decision_t *decision = completion->decision;
    const Perdure__V1__ExecutionRow *row = completion->draft->exec->row;
    Perdure__V1__StartChild *start =
        PD_PB_NEW(decision->arena, Perdure__V1__StartChild, perdure__v1__start_child);

    start->attributes = pd_arena_memdup(
        decision->arena, event->start_child_workflow_execution_initiated_event_attributes,
        sizeof(*start->attributes));
    start->attributes->priority =
        merged_priority(decision->arena, row->priority, start->attributes->priority);
    start->request_id =
        pd_arena_printf(decision->arena, "%s:%lld:0", row->run_id, (long long)event->event_id);
    start->parent_namespace = (char *)decision->ns->name;
    start->root = root_of(decision->arena, row);
    start->user_metadata = event->user_metadata;
    pd_others_ask(completion->draft, &(pd_asked_t){
                                         .body_case = PERDURE__V1__MESSAGE__BODY_START_CHILD,
                                         .body = start,
                                         .namespace_id = decision->ns->id,
                                         .workflow_id = start->attributes->workflow_id,
                                         .run_id = "",
                                         .initiated_event_id = event->event_id,
                                     });
}

const pd_command_failure_t *pd_handle_start_child(pd_completion_t *completion,
                                                  const pd_worker_command_t *command)
{
    wanted_t wanted = {
        .attributes =
            command->attributes_case ==
                    TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_START_CHILD_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES
                ? command->start_child_workflow_execution_command_attributes
                : NULL,
        .times = TEMPORAL__API__HISTORY__V1__WORKFLOW_EXECUTION_STARTED_EVENT_ATTRIBUTES__INIT,
    };
    const pd_command_failure_t *failure = check(completion, &wanted);
    pd_history_event_t *event;

    if (failure)
        return failure;
    event = pd_completion_event(completion, command,
                                PD_EVENT(START_CHILD_WORKFLOW_EXECUTION_INITIATED));
    fill(completion, &wanted, event->start_child_workflow_execution_initiated_event_attributes);
    send(completion, event);
    return NULL;
}
