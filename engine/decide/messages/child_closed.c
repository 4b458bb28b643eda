/* ChildClosed: the last run of a child's chain has closed; the run that started it records how. A
 * parent that continued as new meanwhile does not learn it. */
#include "engine/decide/messages/messages_private.h"
#include "engine/decide/others.h"

#define CLOSED_BY(NAME)                                                                            \
    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_##NAME##_EVENT_ATTRIBUTES

/* What the five events have in common. */
#define FILL(attributes, closed)                                                                   \
    ((attributes)->namespace_ = (closed)->child->namespace_,                                       \
     (attributes)->namespace_id = (closed)->child->namespace_id,                                   \
     (attributes)->workflow_execution = (closed)->execution,                                       \
     (attributes)->workflow_type = (closed)->type,                                                 \
     (attributes)->initiated_event_id = (closed)->child->initiated_event_id,                       \
     (attributes)->started_event_id = (closed)->child->started_event_id)

typedef struct closed_child {
    const Perdure__V1__ChildRow *child;
    Temporal__Api__Common__V1__WorkflowExecution *execution;
    Temporal__Api__Common__V1__WorkflowType *type;
    const pd_history_event_t *event; /* the child's */
} closed_child_t;

static void completed(pd_draft_t *draft, const closed_child_t *closed)
{
    Temporal__Api__History__V1__ChildWorkflowExecutionCompletedEventAttributes *attributes =
        pd_draft_outside_event(draft, PD_EVENT(CHILD_WORKFLOW_EXECUTION_COMPLETED))
            ->child_workflow_execution_completed_event_attributes;

    FILL(attributes, closed);
    attributes->result = closed->event->workflow_execution_completed_event_attributes->result;
}

static void failed(pd_draft_t *draft, const closed_child_t *closed)
{
    Temporal__Api__History__V1__ChildWorkflowExecutionFailedEventAttributes *attributes =
        pd_draft_outside_event(draft, PD_EVENT(CHILD_WORKFLOW_EXECUTION_FAILED))
            ->child_workflow_execution_failed_event_attributes;

    FILL(attributes, closed);
    attributes->failure = closed->event->workflow_execution_failed_event_attributes->failure;
    attributes->retry_state =
        closed->event->workflow_execution_failed_event_attributes->retry_state;
}

static void timed_out(pd_draft_t *draft, const closed_child_t *closed)
{
    Temporal__Api__History__V1__ChildWorkflowExecutionTimedOutEventAttributes *attributes =
        pd_draft_outside_event(draft, PD_EVENT(CHILD_WORKFLOW_EXECUTION_TIMED_OUT))
            ->child_workflow_execution_timed_out_event_attributes;

    FILL(attributes, closed);
    attributes->retry_state =
        closed->event->workflow_execution_timed_out_event_attributes->retry_state;
}

static void canceled(pd_draft_t *draft, const closed_child_t *closed)
{
    Temporal__Api__History__V1__ChildWorkflowExecutionCanceledEventAttributes *attributes =
        pd_draft_outside_event(draft, PD_EVENT(CHILD_WORKFLOW_EXECUTION_CANCELED))
            ->child_workflow_execution_canceled_event_attributes;

    FILL(attributes, closed);
    attributes->details = closed->event->workflow_execution_canceled_event_attributes->details;
}

static void terminated(pd_draft_t *draft, const closed_child_t *closed)
{
    Temporal__Api__History__V1__ChildWorkflowExecutionTerminatedEventAttributes *attributes =
        pd_draft_outside_event(draft, PD_EVENT(CHILD_WORKFLOW_EXECUTION_TERMINATED))
            ->child_workflow_execution_terminated_event_attributes;

    FILL(attributes, closed);
}

static void record(pd_draft_t *draft, const closed_child_t *closed)
{
    switch ((int)closed->event->attributes_case) {
    case CLOSED_BY(COMPLETED):
        completed(draft, closed);
        break;
    case CLOSED_BY(FAILED):
        failed(draft, closed);
        break;
    case CLOSED_BY(TIMED_OUT):
        timed_out(draft, closed);
        break;
    case CLOSED_BY(CANCELED):
        canceled(draft, closed);
        break;
    case CLOSED_BY(TERMINATED):
        terminated(draft, closed);
        break;
    default:
        return; /* no end of a chain */
    }
    pd_draft_wake(draft);
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const Perdure__V1__Message *message = command->request;
    pd_draft_t *draft = pdi_message_draft(decision);
    closed_child_t closed = {
        .child = draft ? pd_others_child(draft, message->initiated_event_id) : NULL,
        .event = message->child_closed->close_event,
    };

    if (!closed.child || !closed.event ||
        !closed.event->workflow_execution_started_event_attributes)
        return NULL;
    closed.execution =
        pdi_execution_of(decision->arena, closed.child->workflow_id, message->child_closed->run_id);
    closed.type = PD_PB_NEW(decision->arena, Temporal__Api__Common__V1__WorkflowType,
                            temporal__api__common__v1__workflow_type);
    closed.type->name = closed.child->workflow_type;
    record(draft, &closed);
    return NULL;
}

const pd_command_kind_t pdi_message_child_closed = {
    .name = "CHILD_CLOSED",
    .cause = PERDURE__V1__CAUSE__CAUSE_CHILD_CLOSED,
    .may_create = true,
    .decide = decide,
};
