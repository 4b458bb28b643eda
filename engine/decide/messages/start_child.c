/* StartChild: begin to be. The run is made with its first event only; its first workflow task
 * waits until the parent has recorded that it was started. */
#include "engine/decide/close.h"
#include "engine/decide/id_policy.h"
#include "engine/decide/messages/messages_private.h"
#include "engine/decide/new_run.h"

#define FAILED(NAME)                                                                               \
    TEMPORAL__API__ENUMS__V1__START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE__START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_##NAME

typedef Temporal__Api__History__V1__StartChildWorkflowExecutionInitiatedEventAttributes initiated_t;

static void answer(pd_decision_t *decision, const Perdure__V1__Message *message, const char *run_id,
                   Temporal__Api__Enums__V1__StartChildWorkflowExecutionFailedCause failed_cause)
{
    Perdure__V1__ChildStartAnswered *answered = PD_PB_NEW(
        decision->arena, Perdure__V1__ChildStartAnswered, perdure__v1__child_start_answered);
    Perdure__V1__Message *back = pd_decision_answer(decision, run_id, message);

    answered->run_id = (char *)run_id;
    answered->failed_cause = failed_cause;
    answered->header = message->start_child->attributes->header;
    answered->control = message->start_child->attributes->control;
    back->body_case = PERDURE__V1__MESSAGE__BODY_CHILD_START_ANSWERED;
    back->child_start_answered = answered;
}

static pd_start_request_t request_of(const Perdure__V1__StartChild *start)
{
    pd_start_request_t request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__START_WORKFLOW_EXECUTION_REQUEST__INIT;
    const initiated_t *attributes = start->attributes;

    request.workflow_id = attributes->workflow_id;
    request.workflow_type = attributes->workflow_type;
    request.task_queue = attributes->task_queue;
    request.input = attributes->input;
    request.workflow_execution_timeout = attributes->workflow_execution_timeout;
    request.workflow_run_timeout = attributes->workflow_run_timeout;
    request.workflow_task_timeout = attributes->workflow_task_timeout;
    request.request_id = start->request_id;
    request.retry_policy = attributes->retry_policy;
    request.cron_schedule = attributes->cron_schedule;
    request.memo = attributes->memo;
    request.search_attributes = attributes->search_attributes;
    request.header = attributes->header;
    request.user_metadata = start->user_metadata;
    request.priority = attributes->priority;
    return request;
}

static void start(pd_decision_t *decision, const Perdure__V1__Message *message, const char *run_id)
{
    const Perdure__V1__StartChild *start = message->start_child;
    const pd_start_request_t request = request_of(start);
    pd_new_run_t run;

    pd_new_run_from_request(decision, &request, &run);
    run.run_id = run_id;
    run.awaits_parent = true;
    run.started->parent_workflow_namespace = start->parent_namespace;
    run.started->parent_workflow_namespace_id = message->sender_namespace_id;
    run.started->parent_workflow_execution = pdi_message_sender(decision->arena, message);
    run.started->parent_initiated_event_id = message->initiated_event_id;
    run.started->root_workflow_execution = start->root;
    (void)pd_new_run_write(decision, &run);
    answer(decision, message, run_id, FAILED(UNSPECIFIED));
}

static void terminate_and_start(pd_decision_t *decision, const Perdure__V1__Message *message)
{
    const char *run_id = pd_new_run_id(decision);
    const char *details = pd_arena_printf(decision->arena, "terminated by new runID: %s", run_id);

    pd_close_terminate(pd_draft_of(decision), "TerminateIfRunning WorkflowIdReusePolicy",
                       pd_json_string_payloads(decision->arena, details), "history-service", NULL);
    start(decision, message, run_id);
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const Perdure__V1__Message *message = command->request;
    const pd_id_request_t id_request = {
        .request_id = message->start_child->request_id,
        .reuse = message->start_child->attributes->workflow_id_reuse_policy,
        .default_conflict = PD_CONFLICT(FAIL),
    };
    const Perdure__V1__ExecutionRow *row = decision->exec ? decision->exec->row : NULL;
    const pd_rpc_error_t *error;

    switch (pd_id_policy(decision->arena, &id_request, row, &error)) {
    case PD_ID_START:
        start(decision, message, pd_new_run_id(decision));
        break;
    case PD_ID_TERMINATE_AND_START:
        terminate_and_start(decision, message);
        break;
    case PD_ID_SAME_REQUEST:
        answer(decision, message, row->run_id, FAILED(UNSPECIFIED));
        break;
    case PD_ID_USE_EXISTING:
    case PD_ID_ATTACHED_REQUEST:
    case PD_ID_REFUSED:
        answer(decision, message, "", FAILED(WORKFLOW_ALREADY_EXISTS));
        break;
    }
    return NULL;
}

const pd_command_kind_t pdi_message_start_child = {
    .name = "START_CHILD",
    .cause = PERDURE__V1__CAUSE__CAUSE_START_CHILD,
    .may_create = true,
    .decide = decide,
};
