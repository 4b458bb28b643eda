/* COMPLETE_WORKFLOW_TASK: a worker's commands become events.
 *
 * The whole completion is drafted in one pass. If a command is refused, the draft is thrown away
 * and another one made in which the workflow task failed: so nothing of a bad completion remains.
 */
#include "api/pb/time.h"
#include "engine/decide/commands/commands.h"
#include "engine/decide/task_token.h"
#include "engine/decide/workflow_task.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest request_t;
typedef Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedResponse response_t;

/* How long a worker may prolong one task without making progress. */
static const int64_t HEARTBEATS_TIMEOUT_NS = INT64_C(30) * 60 * 1000000000;

static void set_stickiness(pd_draft_t *draft, const request_t *request)
{
    const Temporal__Api__Taskqueue__V1__StickyExecutionAttributes *sticky =
        request->sticky_attributes;

    if (!sticky || !sticky->worker_task_queue || pd_pb_empty(sticky->worker_task_queue->name))
        pd_draft_clear_sticky(draft);
    else
        pd_draft_set_sticky(draft, sticky->worker_task_queue->name,
                            pd_pb_duration_ns(sticky->schedule_to_start_timeout));
}

/* A command that closes the run must be the last one; unknown commands are refused before any
 * other is looked at. */
static const pd_command_failure_t *check_sequence(pd_completion_t *completion)
{
    const request_t *request = completion->request;

    for (size_t i = 0; i < request->n_commands; i++) {
        int type = (int)request->commands[i]->command_type;

        if (!pd_commands_find(request->commands[i]->command_type))
            return pd_command_refuse(completion, "unknown command type: %s",
                                     pd_command_type_name(completion->decision->arena, type));
        if (pd_command_type_closes(type) && i + 1 < request->n_commands)
            return pd_command_refuse(
                completion, "invalid command sequence: [%s], command %s must be the last command.",
                pd_command_type_names(completion->decision->arena, request->commands,
                                      request->n_commands),
                pd_command_type_name(completion->decision->arena, type));
    }
    return NULL;
}

static const pd_command_failure_t *handle_commands(pd_completion_t *completion)
{
    const request_t *request = completion->request;
    const pd_command_failure_t *refused = check_sequence(completion);

    if (refused)
        return refused;
    for (size_t i = 0; i < request->n_commands && !completion->closed; i++) {
        const pd_worker_command_t *command = request->commands[i];
        pd_command_handler_t handle = pd_commands_find(command->command_type);
        const pd_command_failure_t *failure = handle(completion, command);

        if (failure)
            return failure;
    }
    return NULL;
}

/* ---- the ways it can end ---- */

static const pd_rpc_error_t *time_out_heartbeats(pd_decision_t *decision, pd_draft_t *draft)
{
    int32_t attempt = pd_workflow_task_time_out(draft);

    pd_workflow_task_reschedule(draft, attempt);
    decision->error = pd_rpc_not_found(decision->arena, "workflow task heartbeat timeout");
    return NULL;
}

static const pd_rpc_error_t *fail(pd_decision_t *decision, const request_t *request,
                                  const pd_command_failure_t *failure, int32_t attempt)
{
    pd_arena_t *arena = decision->arena;
    const char *name = pd_workflow_task_cause_name(arena, failure->cause);
    const char *message =
        failure->text ? pd_arena_printf(arena, "%s: %s", name, failure->text) : name;
    const pd_rpc_error_t *error;
    pd_draft_t *draft;
    int32_t next;

    if (failure->error)
        return failure->error;
    error = pd_rpc_invalid_argument(arena, "%s", message);
    /* A task that keeps failing is left to time out: that slows its worker down. */
    if (attempt > 1 && failure->cause != PD_WFT_CAUSE(UNHANDLED_COMMAND))
        return error;
    pd_decision_discard(decision);
    draft = pd_draft_of(decision);
    next = pd_workflow_task_fail(draft, &(pd_workflow_task_failure_t){
                                            .cause = failure->cause,
                                            .failure = pd_server_failure(arena, message, false),
                                            .identity = request->identity,
                                            .binary_checksum = request->binary_checksum,
                                        });
    if (failure->terminate) {
        pd_history_event_t *event =
            pd_draft_close(draft, PD_EVENT(WORKFLOW_EXECUTION_TERMINATED), false);

        event->workflow_execution_terminated_event_attributes->reason = (char *)message;
        event->workflow_execution_terminated_event_attributes->identity = (char *)"history-service";
    } else {
        pd_workflow_task_reschedule(draft, next);
    }
    decision->error = error;
    return NULL;
}

/* Before the task that it is about. */
static void add_heartbeated(pd_draft_t *draft, int64_t original_scheduled_time_ns)
{
    Perdure__V1__WorkflowTaskHeartbeated *heartbeated =
        PD_PB_NEW(draft->decision->arena, Perdure__V1__WorkflowTaskHeartbeated,
                  perdure__v1__workflow_task_heartbeated);
    Perdure__V1__Event *event = pd_draft_internal(draft);

    heartbeated->original_scheduled_time_ns = original_scheduled_time_ns;
    event->kind_case = PERDURE__V1__EVENT__KIND_WORKFLOW_TASK_HEARTBEATED;
    event->workflow_task_heartbeated = heartbeated;
}

static void schedule_next(pd_completion_t *completion, int64_t heartbeat_since_ns)
{
    pd_draft_t *draft = completion->draft;
    size_t flushed_count = pd_draft_flush_buffer(draft);

    flushed_count += pd_completion_write_canceled(completion);
    if (!completion->request->force_create_new_workflow_task && !flushed_count &&
        !completion->needs_workflow_task)
        return;
    if (heartbeat_since_ns)
        add_heartbeated(draft, heartbeat_since_ns);
    pd_draft_schedule_task(draft, 1);
    if (heartbeat_since_ns)
        draft->task.original_scheduled_time_ns = heartbeat_since_ns;
    if (completion->request->return_new_workflow_task) {
        pd_draft_start_task(draft, "request-from-RespondWorkflowTaskCompleted",
                            completion->request->identity);
        completion->decision->hand_out_workflow_task = true;
        completion->decision->hand_out_run_id = draft->run_id;
    }
}

static const void *answer(pd_completion_t *completion)
{
    response_t *response =
        PD_PB_NEW(completion->decision->arena,
                  Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedResponse,
                  temporal__api__workflowservice__v1__respond_workflow_task_completed_response);

    response->activity_tasks = completion->eager_tasks;
    response->n_activity_tasks = completion->eager_task_count;
    return response;
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const request_t *request = command->request;
    pd_draft_t *draft = pd_draft_of(decision);
    pd_completion_t completion = {.decision = decision, .draft = draft, .request = request};
    int32_t attempt = draft->task.attempt;
    int64_t original_ns = draft->task.original_scheduled_time_ns;
    bool heartbeat =
        request->force_create_new_workflow_task && !request->n_commands && !request->n_messages;
    const pd_command_failure_t *failure;

    if (!pd_task_token_is_of_workflow_task(command->token, draft))
        return pd_rpc_not_found(decision->arena, "Workflow task not found.");
    if (request->versioning_behavior && !request->deployment && !request->deployment_options)
        return pd_rpc_invalid_argument(decision->arena,
                                       "deployment must be set when versioning behavior specified");
    if (heartbeat && decision->now_ns > pd_ns_add(original_ns, HEARTBEATS_TIMEOUT_NS))
        return time_out_heartbeats(decision, draft);
    completion.workflow_task_completed_event_id =
        pd_workflow_task_complete(draft, request)->event_id;
    set_stickiness(draft, request);
    failure = handle_commands(&completion);
    if (failure)
        return fail(decision, request, failure, attempt);
    if (draft->running) {
        pd_completion_start_eager(&completion);
        schedule_next(&completion, heartbeat ? original_ns : 0);
    }
    decision->response = answer(&completion);
    return NULL;
}

const pd_command_kind_t pd_command_complete_workflow_task = {
    .name = "COMPLETE_WORKFLOW_TASK",
    .cause = PERDURE__V1__CAUSE__CAUSE_COMPLETE_WORKFLOW_TASK,
    .decide = decide,
};
