#include "engine/decide/activity_task.h"

#include "api/pb/time.h"
#include "base/assert.h"
#include "engine/decide/task_token.h"

/* Temporal's API calls fields deprecated that its server still fills. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define NEW(arena, Type, name) PD_PB_NEW((arena), Temporal__Api__##Type, temporal__api__##name)

/* ---- finding ---- */

const pd_rpc_error_t *pd_activity_not_found(pd_decision_t *decision)
{
    return pd_rpc_not_found(
        decision->arena,
        "invalid activityID or activity already timed out or invoking workflow is completed");
}

/* By ID: every client may do that, it holds no token. */
static pd_pending_activity_t *find_by_id(pd_draft_t *draft, const char *activity_id,
                                         const pd_rpc_error_t **error)
{
    pd_arena_t *arena = draft->decision->arena;
    if (pd_pb_empty(activity_id)) {
        *error = pd_rpc_invalid_argument(arena, "activityID cannot be empty");
        return NULL;
    }
    pd_pending_activity_t *activity = pd_pending_activity_by_id(draft, activity_id);
    if (!activity)
        *error = pd_rpc_not_found(arena,
                                  "cannot find pending activity with ActivityID %s, "
                                  "check workflow execution history for more details",
                                  activity_id);
    return activity;
}

pd_pending_activity_t *pd_activity_find(pd_decision_t *decision, const pd_command_t *command,
                                        bool unstarted_by_id, const pd_rpc_error_t **error)
{
    const Perdure__V1__TaskToken *token = command->token;
    PD_ASSERT(token && decision->exec);
    if (!pd_execution_is_running(decision->exec)) {
        *error = pd_rpc_not_found(decision->arena, "workflow execution already completed");
        return NULL;
    }
    pd_draft_t *draft = pd_draft_of(decision);
    bool by_id = token->scheduled_event_id == 0;
    pd_pending_activity_t *activity = by_id ? find_by_id(draft, token->activity_id, error)
                                            : pd_pending_activity(draft, token->scheduled_event_id);
    if (by_id && !activity)
        return NULL;
    if (!activity || (!activity->started && !(by_id && unstarted_by_id)) ||
        (!by_id && token->attempt != activity->attempt)) {
        *error = pd_activity_not_found(decision);
        return NULL;
    }
    return activity;
}

/* ---- events around an attempt ---- */

void pd_activity_start_attempt(pd_draft_t *draft, pd_pending_activity_t *activity,
                               const char *request_id, const char *identity)
{
    pd_arena_t *arena = draft->decision->arena;
    PD_ASSERT(!activity->started && !activity->removed);
    Perdure__V1__ActivityAttemptStarted *started = PD_PB_NEW(
        arena, Perdure__V1__ActivityAttemptStarted, perdure__v1__activity_attempt_started);
    started->scheduled_event_id = activity->scheduled_event_id;
    started->attempt = activity->attempt;
    started->time_ns = draft->decision->now_ns;
    started->request_id = (char *)request_id;
    started->identity = (char *)identity;
    Perdure__V1__Event *event = pd_draft_internal(draft);
    event->kind_case = PERDURE__V1__EVENT__KIND_ACTIVITY_ATTEMPT_STARTED;
    event->activity_attempt_started = started;
    activity->started = true;
}

int64_t pd_activity_write_started(pd_draft_t *draft, const pd_pending_activity_t *activity,
                                  const pd_activity_started_t *started,
                                  const Temporal__Api__Common__V1__WorkerVersionStamp *version)
{
    pd_arena_t *arena = draft->decision->arena;
    const Perdure__V1__ActivityRow *row = activity->row;
    pd_activity_started_t as_row = {.identity = "", .request_id = ""};
    if (row && !started) {
        as_row.identity = row->identity;
        as_row.request_id = row->request_id;
        as_row.time_ns = row->started_time_ns;
        started = &as_row;
    }
    PD_ASSERT(started && started->time_ns > 0);
    pd_history_event_t *event = pd_draft_outside_event(draft, PD_EVENT(ACTIVITY_TASK_STARTED));
    Temporal__Api__History__V1__ActivityTaskStartedEventAttributes *attributes =
        event->activity_task_started_event_attributes;
    event->event_time = pd_pb_timestamp(arena, started->time_ns);
    attributes->scheduled_event_id = activity->scheduled_event_id;
    attributes->attempt = activity->attempt;
    attributes->identity = (char *)started->identity;
    attributes->request_id = (char *)started->request_id;
    attributes->last_failure = row ? row->last_failure : NULL;
    attributes->worker_version = (Temporal__Api__Common__V1__WorkerVersionStamp *)version;
    return event->event_id;
}

/* ---- the task ---- */

static ProtobufCBinaryData pack_token(pd_draft_t *draft, const pd_activity_task_t *task,
                                      const pd_activity_attempt_t *attempt)
{
    Perdure__V1__TaskToken token = PERDURE__V1__TASK_TOKEN__INIT;
    token.namespace_id = (char *)draft->decision->ns->id;
    token.workflow_id = (char *)draft->decision->workflow_id;
    token.run_id = (char *)draft->run_id;
    token.scheduled_event_id = attempt->scheduled_event_id;
    token.attempt = attempt->attempt;
    token.started_time_ns = attempt->started_time_ns;
    token.activity_id = task->activity_id;
    token.activity_type = task->activity_type ? task->activity_type->name : (char *)"";
    pd_bytes_t bytes = pd_task_token_encode(draft->decision->arena, &token);
    return (ProtobufCBinaryData){.len = bytes.size, .data = (uint8_t *)bytes.data};
}

static void describe_workflow(pd_draft_t *draft, pd_activity_task_t *task)
{
    pd_arena_t *arena = draft->decision->arena;
    const Perdure__V1__ExecutionRow *row = draft->exec->row;
    task->workflow_namespace = (char *)draft->decision->ns->name;
    task->workflow_type = NEW(arena, Common__V1__WorkflowType, common__v1__workflow_type);
    task->workflow_type->name = row->workflow_type;
    task->workflow_execution =
        NEW(arena, Common__V1__WorkflowExecution, common__v1__workflow_execution);
    task->workflow_execution->workflow_id = row->workflow_id;
    task->workflow_execution->run_id = row->run_id;
}

pd_activity_task_t *pd_activity_build_task(pd_draft_t *draft, const pd_history_event_t *scheduled,
                                           const pd_activity_attempt_t *attempt)
{
    pd_arena_t *arena = draft->decision->arena;
    const pd_activity_scheduled_attributes_t *attributes =
        scheduled->activity_task_scheduled_event_attributes;
    PD_ASSERT(draft->exec && attributes && attempt->attempt >= 1);
    pd_activity_task_t *task = NEW(arena, Workflowservice__V1__PollActivityTaskQueueResponse,
                                   workflowservice__v1__poll_activity_task_queue_response);
    task->activity_id = attributes->activity_id;
    task->activity_type = attributes->activity_type;
    task->header = attributes->header;
    task->input = attributes->input;
    task->schedule_to_close_timeout = attributes->schedule_to_close_timeout;
    task->start_to_close_timeout = attributes->start_to_close_timeout;
    task->heartbeat_timeout = attributes->heartbeat_timeout;
    task->retry_policy = attributes->retry_policy;
    task->priority = attributes->priority;
    task->scheduled_time = scheduled->event_time;
    task->current_attempt_scheduled_time =
        pd_pb_timestamp(arena, attempt->attempt_scheduled_time_ns);
    task->started_time = pd_pb_timestamp(arena, attempt->started_time_ns);
    task->attempt = attempt->attempt;
    task->heartbeat_details = attempt->heartbeat_details;
    describe_workflow(draft, task);
    task->task_token = pack_token(draft, task, attempt);
    return task;
}
