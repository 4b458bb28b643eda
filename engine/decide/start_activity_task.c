/* A poller takes an activity task: its attempt begins. */
#include "api/pb/time.h"
#include "base/assert.h"
#include "engine/decide/activity_task.h"
#include "engine/partition/partition.h"

/* The same poller asks again (its first answer got lost): it gets the same answer. */
static bool is_repeat(const pd_pending_activity_t *activity, const char *request_id)
{
    return activity->row && !pd_pb_empty(request_id) &&
           strcmp(activity->row->request_id, request_id) == 0;
}

/* What the activity does not say, its workflow does. */
static Temporal__Api__Common__V1__Priority *
merged_priority(const Temporal__Api__Common__V1__Priority *workflow,
                const Temporal__Api__Common__V1__Priority *activity, pd_arena_t *arena)
{
    if (!workflow || !activity)
        return (Temporal__Api__Common__V1__Priority *)(activity ? activity : workflow);
    Temporal__Api__Common__V1__Priority *merged =
        pd_arena_memdup(arena, workflow, sizeof(*workflow));
    if (activity->priority_key != 0)
        merged->priority_key = activity->priority_key;
    if (!pd_pb_empty(activity->fairness_key))
        merged->fairness_key = activity->fairness_key;
    if (activity->fairness_weight != 0)
        merged->fairness_weight = activity->fairness_weight;
    return merged;
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    pd_arena_t *arena = decision->arena;
    PD_ASSERT(command->poll && decision->exec);
    if (!pd_execution_is_running(decision->exec))
        return pd_rpc_not_found(arena, "workflow execution already completed");
    pd_draft_t *draft = pd_draft_of(decision);
    pd_pending_activity_t *activity = pd_pending_activity(draft, command->scheduled_event_id);
    if (!activity || activity->attempt != command->attempt)
        return pd_rpc_not_found(arena, "activity task not found");
    const Perdure__V1__ActivityRow *row = activity->row;
    bool repeated = activity->started && is_repeat(activity, command->poll->request_id);
    if (activity->started && !repeated)
        return pd_rpc_not_found(arena, "activity task already started");
    /* That it is due was seen when it was offered, if by another clock. Refused now, nobody would
     * offer it again. */
    pd_history_event_t *scheduled;
    pd_error_t error;
    if (pd_store_history_event(decision->store, decision->exec, activity->scheduled_event_id, arena,
                               &scheduled, &error) != PD_OK ||
        !scheduled || !scheduled->activity_task_scheduled_event_attributes)
        return pd_rpc_unavailable(arena, "cannot read the history of the activity");
    if (!repeated)
        pd_activity_start_attempt(draft, activity, command->poll->request_id,
                                  command->poll->identity);
    pd_activity_attempt_t attempt = {
        .attempt = activity->attempt,
        .scheduled_event_id = activity->scheduled_event_id,
        .attempt_scheduled_time_ns = row->attempt_scheduled_time_ns,
        .started_time_ns = repeated ? row->started_time_ns : decision->now_ns,
        .heartbeat_details = row->heartbeat_details,
    };
    pd_activity_task_t *task = pd_activity_build_task(draft, scheduled, &attempt);
    task->priority = merged_priority(decision->exec->row->priority, task->priority, arena);
    decision->response = task;
    return NULL;
}

const pd_command_kind_t pd_command_start_activity_task = {
    .name = "START_ACTIVITY_TASK",
    .cause = PERDURE__V1__CAUSE__CAUSE_START_ACTIVITY_TASK,
    .decide = decide,
    .refused = pd_partition_return_poll,
};
