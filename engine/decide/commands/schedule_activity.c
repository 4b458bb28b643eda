/* ScheduleActivityTask: checks and completes the attributes, as the history is to show them; starts
 * the activity at once when the worker asked for it and may have it. */
#include "api/pb/time.h"
#include "base/assert.h"
#include "engine/decide/activity_task.h"
#include "engine/decide/commands/commands.h"
#include "engine/decide/retry_policy.h"
#include "engine/limits.h"

/* Temporal's API calls fields deprecated that its server still fills. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes pd_attributes_t;
typedef Google__Protobuf__Duration pd_duration_t;

#define ATTRIBUTES_CASE(NAME)                                                                      \
    TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_##NAME##_COMMAND_ATTRIBUTES
#define CAUSE PD_WFT_CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES)
#define RESERVED_PREFIX "/_sys/"
/* The queue of the workers that the server itself runs in a namespace. */
#define PER_NAMESPACE_WORKER_QUEUE "temporal-sys-per-ns-tq"

/* NULL when fine, else the text. */
static const char *check_queue_name(const char *name)
{
    if (pd_pb_empty(name))
        return "missing task queue name";
    if (strlen(name) > PD_ID_SIZE_MAX)
        return "taskQueue length exceeds limit";
    if (strncmp(name, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0)
        return "task queue name cannot start with reserved prefix " RESERVED_PREFIX;
    return NULL;
}

static const char *check_queue(const pd_attributes_t *attributes, const char *workflow_queue,
                               pd_activity_scheduled_attributes_t *out, pd_arena_t *arena)
{
    if (!attributes->task_queue)
        return "taskQueue is not set";
    const char *reason = check_queue_name(attributes->task_queue->name);
    if (reason)
        return reason;
    if (strcmp(attributes->task_queue->name, PER_NAMESPACE_WORKER_QUEUE) == 0 &&
        strcmp(workflow_queue, PER_NAMESPACE_WORKER_QUEUE) != 0)
        return pd_arena_printf(arena,
                               "cannot use internal per-namespace task queue:%s (in parent "
                               "component task queue: %s)",
                               attributes->task_queue->name, workflow_queue);
    out->task_queue = pd_pb_new(&temporal__api__taskqueue__v1__task_queue__descriptor, arena);
    *out->task_queue = *attributes->task_queue;
    if (out->task_queue->kind ==
        TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_UNSPECIFIED)
        out->task_queue->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    return NULL;
}

static const char *check_names(const pd_attributes_t *attributes,
                               pd_activity_scheduled_attributes_t *out, pd_arena_t *arena)
{
    const char *type = attributes->activity_type ? attributes->activity_type->name : "";
    if (pd_pb_empty(attributes->activity_id))
        return "activityId is not set";
    if (pd_pb_empty(type))
        return "activityType is not set";
    out->retry_policy = pd_pb_new(&temporal__api__common__v1__retry_policy__descriptor, arena);
    if (attributes->retry_policy)
        *out->retry_policy = *attributes->retry_policy;
    pd_retry_policy_fill(out->retry_policy, arena);
    const char *reason = pd_retry_policy_check(out->retry_policy, arena);
    if (reason)
        return reason;
    if (strlen(attributes->activity_id) > PD_ID_SIZE_MAX)
        return pd_arena_printf(arena, "activityId exceeds length limit. Length=%zu Limit=%d",
                               strlen(attributes->activity_id), PD_ID_SIZE_MAX);
    if (strlen(type) > PD_ID_SIZE_MAX)
        return pd_arena_printf(arena, "activityType exceeds length limit. Length=%zu Limit=%d",
                               strlen(type), PD_ID_SIZE_MAX);
    return NULL;
}

static const char *check_priority(const Temporal__Api__Common__V1__Priority *priority)
{
    if (!priority)
        return NULL;
    if (priority->priority_key < 0)
        return "invalid priorities: priority key can't be negative";
    if (strlen(pd_pb_str(priority->fairness_key)) > PD_FAIRNESS_KEY_SIZE_MAX)
        return "invalid priorities: fairness key length exceeds limit";
    if (priority->fairness_weight < 0)
        return "invalid priorities: must be greater than zero";
    return NULL;
}

static pd_duration_t *shorter(pd_duration_t *a, pd_duration_t *b, pd_arena_t *arena)
{
    int64_t a_ns = pd_pb_duration_ns(a), b_ns = pd_pb_duration_ns(b);
    return pd_pb_duration(arena, a_ns < b_ns ? a_ns : b_ns);
}

static const char *check_durations(const pd_attributes_t *attributes,
                                   pd_activity_scheduled_attributes_t *out, pd_arena_t *arena)
{
    const struct {
        const char *name;
        const pd_duration_t *in;
        pd_duration_t **out;
    } all[] = {
        {"ScheduleToCloseTimeout", attributes->schedule_to_close_timeout,
         &out->schedule_to_close_timeout},
        {"ScheduleToStartTimeout", attributes->schedule_to_start_timeout,
         &out->schedule_to_start_timeout},
        {"StartToCloseTimeout", attributes->start_to_close_timeout, &out->start_to_close_timeout},
        {"HeartbeatTimeout", attributes->heartbeat_timeout, &out->heartbeat_timeout},
    };
    for (size_t i = 0; i < PD_ARRAY_COUNT(all); i++) {
        const char *reason = pd_duration_check(all[i].in, arena, all[i].out);
        if (reason)
            return pd_arena_printf(arena, "invalid %s: %s", all[i].name, reason);
    }
    return NULL;
}

/* Timeouts that are not given follow from those that are, and from the run's. */
static const char *deduce_timeouts(pd_activity_scheduled_attributes_t *out, int64_t run_timeout_ns,
                                   pd_arena_t *arena)
{
    pd_duration_t *run_timeout = pd_pb_duration(arena, run_timeout_ns);
    bool has_start = pd_pb_duration_ns(out->schedule_to_start_timeout) > 0;
    bool has_run = pd_pb_duration_ns(out->start_to_close_timeout) > 0;
    if (pd_pb_duration_ns(out->schedule_to_close_timeout) > 0) {
        pd_duration_t *whole = out->schedule_to_close_timeout;
        out->schedule_to_start_timeout =
            has_start ? shorter(out->schedule_to_start_timeout, whole, arena) : whole;
        out->start_to_close_timeout =
            has_run ? shorter(out->start_to_close_timeout, whole, arena) : whole;
    } else if (has_run) {
        out->schedule_to_close_timeout = run_timeout;
        if (!has_start)
            out->schedule_to_start_timeout = run_timeout;
    } else {
        return pd_arena_printf(arena,
                               "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set "
                               "on the activity. ActivityId=%s ActivityType=%s",
                               out->activity_id, out->activity_type->name);
    }
    if (run_timeout_ns > 0) {
        pd_duration_t **all[] = {&out->schedule_to_close_timeout, &out->schedule_to_start_timeout,
                                 &out->start_to_close_timeout, &out->heartbeat_timeout};
        for (size_t i = 0; i < PD_ARRAY_COUNT(all); i++)
            if (pd_pb_duration_ns(*all[i]) > run_timeout_ns)
                *all[i] = run_timeout;
    }
    out->heartbeat_timeout = shorter(out->heartbeat_timeout, out->start_to_close_timeout, arena);
    return NULL;
}

/* NULL when fine: then `out` holds what the event is to show. */
static const char *check(const pd_attributes_t *attributes, const Perdure__V1__ExecutionRow *row,
                         pd_activity_scheduled_attributes_t *out, pd_arena_t *arena)
{
    const char *reason = check_queue(attributes, row->task_queue, out, arena);
    if (!reason)
        reason = check_names(attributes, out, arena);
    if (!reason)
        reason = check_priority(attributes->priority);
    if (!reason)
        reason = check_durations(attributes, out, arena);
    if (reason)
        return reason;
    out->activity_id = attributes->activity_id;
    out->activity_type = attributes->activity_type;
    return deduce_timeouts(out, row->run_timeout_ns, arena);
}

static void write_scheduled(pd_completion_t *completion, const pd_worker_command_t *command,
                            const pd_activity_scheduled_attributes_t *checked)
{
    const pd_attributes_t *attributes = command->schedule_activity_task_command_attributes;
    pd_history_event_t *event =
        pd_completion_event(completion, command, PD_EVENT(ACTIVITY_TASK_SCHEDULED));
    pd_activity_scheduled_attributes_t *out = event->activity_task_scheduled_event_attributes;
    *out = *checked;
    out->header = attributes->header;
    out->input = attributes->input;
    out->priority = attributes->priority;
    out->use_workflow_build_id = attributes->use_workflow_build_id;
    out->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    pd_pending_add_activity(completion->draft, event);
    if (attributes->request_eager_execution)
        pd_completion_add_eager(completion, event->event_id);
}

const pd_command_failure_t *pd_handle_schedule_activity(pd_completion_t *completion,
                                                        const pd_worker_command_t *command)
{
    pd_arena_t *arena = completion->decision->arena;
    const pd_attributes_t *attributes = command->schedule_activity_task_command_attributes;
    if (command->attributes_case != ATTRIBUTES_CASE(SCHEDULE_ACTIVITY_TASK) || !attributes)
        return pd_command_fail(completion, CAUSE,
                               "ScheduleActivityTaskCommandAttributes is not set on "
                               "ScheduleActivityTaskCommand.");
    pd_activity_scheduled_attributes_t checked =
        TEMPORAL__API__HISTORY__V1__ACTIVITY_TASK_SCHEDULED_EVENT_ATTRIBUTES__INIT;
    const char *reason = check(attributes, completion->draft->exec->row, &checked, arena);
    if (reason)
        return pd_command_fail(completion, CAUSE, "%s", reason);
    const pd_command_failure_t *failure =
        pd_command_check_size(completion, CAUSE, pd_command_payload_size(attributes->input),
                              "ScheduleActivityTaskCommandAttributes.Input exceeds size limit.");
    if (failure)
        return failure;
    if (pd_pending_activity_count(completion->draft) >= PD_PENDING_ACTIVITY_COUNT_MAX)
        return pd_command_fail(
            completion, PD_WFT_CAUSE(PENDING_ACTIVITIES_LIMIT_EXCEEDED),
            "the number of pending activities, %zu, has reached the per-workflow limit of %d",
            pd_pending_activity_count(completion->draft), PD_PENDING_ACTIVITY_COUNT_MAX);
    if (pd_pending_activity_by_id(completion->draft, attributes->activity_id))
        return pd_command_fail(completion, PD_WFT_CAUSE(SCHEDULE_ACTIVITY_DUPLICATE_ID),
                               "invalid history builder state for action: "
                               "add-activitytask-scheduled-event, ActivityID: %s",
                               attributes->activity_id);
    write_scheduled(completion, command, &checked);
    return NULL;
}

/* ---- eager ---- */

static void start_one(pd_completion_t *completion, pd_pending_activity_t *activity)
{
    pd_decision_t *decision = completion->decision;
    char *request_id = pd_arena_alloc(decision->arena, PD_UUID_SIZE);
    pd_random_uuid(decision->random, decision->now_ns, request_id);
    pd_activity_start_attempt(completion->draft, activity, request_id,
                              completion->request->identity);
    pd_activity_attempt_t attempt = {
        .attempt = activity->attempt,
        .scheduled_event_id = activity->scheduled_event_id,
        .attempt_scheduled_time_ns = decision->now_ns,
        .started_time_ns = decision->now_ns,
    };
    completion->eager_tasks[completion->eager_task_count++] =
        pd_activity_build_task(completion->draft, activity->scheduled_event, &attempt);
}

void pd_completion_start_eager(pd_completion_t *completion)
{
    if (completion->eager_count == 0)
        return;
    completion->eager_tasks = pd_arena_calloc(completion->decision->arena, completion->eager_count,
                                              sizeof(*completion->eager_tasks));
    for (size_t i = 0; i < completion->eager_count; i++) {
        pd_pending_activity_t *activity =
            pd_pending_activity(completion->draft, completion->eager_event_ids[i]);
        if (activity && !activity->started && activity->scheduled_event)
            start_one(completion, activity);
    }
}
