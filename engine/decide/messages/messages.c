#include "engine/decide/messages/messages.h"

#include "engine/decide/messages/messages_private.h"

static const pd_command_kind_t *const KINDS[] = {
    [PERDURE__V1__MESSAGE__BODY_START_CHILD] = &pdi_message_start_child,
    [PERDURE__V1__MESSAGE__BODY_CHILD_START_ANSWERED] = &pdi_message_child_start_answered,
    [PERDURE__V1__MESSAGE__BODY_CHILD_FIRST_TASK] = &pdi_message_child_first_task,
    [PERDURE__V1__MESSAGE__BODY_CHILD_CLOSED] = &pdi_message_child_closed,
    [PERDURE__V1__MESSAGE__BODY_SIGNAL_EXTERNAL] = &pdi_message_signal_external,
    [PERDURE__V1__MESSAGE__BODY_SIGNAL_EXTERNAL_ANSWERED] = &pdi_message_signal_external_answered,
    [PERDURE__V1__MESSAGE__BODY_REQUEST_CANCEL_EXTERNAL] = &pdi_message_request_cancel_external,
    [PERDURE__V1__MESSAGE__BODY_REQUEST_CANCEL_EXTERNAL_ANSWERED] =
        &pdi_message_request_cancel_external_answered,
    [PERDURE__V1__MESSAGE__BODY_PARENT_CLOSED] = &pdi_message_parent_closed,
};

const pd_command_kind_t *pd_message_kind(const Perdure__V1__Message *message)
{
    size_t index = (size_t)message->body_case;

    /* All members of the oneof are messages: one pointer. */
    return index < sizeof(KINDS) / sizeof(KINDS[0]) && message->start_child ? KINDS[index] : NULL;
}

/* ---- shared ---- */

pd_draft_t *pdi_message_draft(pd_decision_t *decision)
{
    if (!decision->exec || !pd_execution_is_running(decision->exec))
        return NULL;
    return pd_draft_of(decision);
}

bool pdi_message_is_from_parent(const pd_draft_t *draft, const Perdure__V1__Message *message)
{
    const Perdure__V1__ExecutionRow *row = draft->exec->row;

    return !pd_pb_empty(row->parent_workflow_id) &&
           strcmp(row->parent_workflow_id, message->sender_workflow_id) == 0 &&
           strcmp(row->parent_run_id, message->sender_run_id) == 0;
}

bool pdi_message_is_to_self(const Perdure__V1__Message *message)
{
    return strcmp(message->namespace_id, message->sender_namespace_id) == 0 &&
           strcmp(message->workflow_id, message->sender_workflow_id) == 0;
}

Temporal__Api__Common__V1__WorkflowExecution *
pdi_execution_of(pd_arena_t *arena, const char *workflow_id, const char *run_id)
{
    Temporal__Api__Common__V1__WorkflowExecution *execution =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowExecution,
                  temporal__api__common__v1__workflow_execution);

    execution->workflow_id = (char *)workflow_id;
    execution->run_id = (char *)run_id;
    return execution;
}

Temporal__Api__Common__V1__WorkflowExecution *
pdi_message_sender(pd_arena_t *arena, const Perdure__V1__Message *message)
{
    return pdi_execution_of(arena, message->sender_workflow_id, message->sender_run_id);
}
