/* ChildStartAnswered: the parent records it, and lets the child begin. A parent that has closed
 * meanwhile has told the child already what becomes of it. */
#include "engine/decide/messages/messages_private.h"
#include "engine/decide/others.h"

static Temporal__Api__Common__V1__WorkflowType *type_of(pd_arena_t *arena, const char *name)
{
    Temporal__Api__Common__V1__WorkflowType *type = PD_PB_NEW(
        arena, Temporal__Api__Common__V1__WorkflowType, temporal__api__common__v1__workflow_type);

    type->name = (char *)name;
    return type;
}

static void started(pd_draft_t *draft, const Perdure__V1__ChildRow *child,
                    const Perdure__V1__ChildStartAnswered *answered)
{
    pd_history_event_t *event =
        pd_draft_outside_event(draft, PD_EVENT(CHILD_WORKFLOW_EXECUTION_STARTED));
    Temporal__Api__History__V1__ChildWorkflowExecutionStartedEventAttributes *attributes =
        event->child_workflow_execution_started_event_attributes;

    attributes->namespace_ = child->namespace_;
    attributes->namespace_id = child->namespace_id;
    attributes->initiated_event_id = child->initiated_event_id;
    attributes->workflow_execution =
        pdi_execution_of(draft->decision->arena, child->workflow_id, answered->run_id);
    attributes->workflow_type = type_of(draft->decision->arena, child->workflow_type);
    attributes->header = answered->header;
}

static void failed(pd_draft_t *draft, const Perdure__V1__ChildRow *child,
                   const Perdure__V1__ChildStartAnswered *answered)
{
    pd_history_event_t *event =
        pd_draft_outside_event(draft, PD_EVENT(START_CHILD_WORKFLOW_EXECUTION_FAILED));
    Temporal__Api__History__V1__StartChildWorkflowExecutionFailedEventAttributes *attributes =
        event->start_child_workflow_execution_failed_event_attributes;

    attributes->namespace_ = child->namespace_;
    attributes->namespace_id = child->namespace_id;
    attributes->workflow_id = child->workflow_id;
    attributes->workflow_type = type_of(draft->decision->arena, child->workflow_type);
    attributes->cause = answered->failed_cause;
    attributes->control = answered->control;
    attributes->initiated_event_id = child->initiated_event_id;
}

static void let_begin(pd_draft_t *draft, const Perdure__V1__ChildRow *child, const char *run_id)
{
    Perdure__V1__Message *message =
        pd_decision_send(draft, child->namespace_id, child->workflow_id, run_id);

    message->initiated_event_id = child->initiated_event_id;
    message->body_case = PERDURE__V1__MESSAGE__BODY_CHILD_FIRST_TASK;
    message->child_first_task = PD_PB_NEW(draft->decision->arena, Perdure__V1__ChildFirstTask,
                                          perdure__v1__child_first_task);
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const Perdure__V1__Message *message = command->request;
    const Perdure__V1__ChildStartAnswered *answered = message->child_start_answered;
    pd_draft_t *draft = pdi_message_draft(decision);
    const Perdure__V1__ChildRow *child =
        draft ? pd_others_child(draft, message->initiated_event_id) : NULL;

    if (!child || child->started_event_id || child->start_buffered)
        return NULL;
    if (answered->failed_cause) {
        failed(draft, child, answered);
    } else {
        started(draft, child, answered);
        let_begin(draft, child, answered->run_id);
    }
    pd_draft_wake(draft);
    return NULL;
}

const pd_command_kind_t pdi_message_child_start_answered = {
    .name = "CHILD_START_ANSWERED",
    .cause = PERDURE__V1__CAUSE__CAUSE_CHILD_START_ANSWERED,
    .may_create = true,
    .decide = decide,
};
