/* ParentClosed: the parent's run is over, and this is what its child is to do: whichever run of the
 * child's chain is the current one. */
#include "engine/decide/canceling.h"
#include "engine/decide/close.h"
#include "engine/decide/messages/messages_private.h"

#define POLICY(NAME) TEMPORAL__API__ENUMS__V1__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_##NAME

static bool is_meant(const pd_draft_t *draft, const Perdure__V1__Message *message)
{
    const Perdure__V1__ExecutionRow *row = draft->exec->row;
    const char *first_run_id = message->parent_closed->first_run_id;

    return pdi_message_is_from_parent(draft, message) &&
           row->parent_initiated_event_id == message->initiated_event_id &&
           (pd_pb_empty(first_run_id) || strcmp(first_run_id, row->first_run_id) == 0);
}

static void request_cancel(pd_draft_t *draft, const Perdure__V1__Message *message)
{
    pd_cancel_t cancel = {.links = NULL};

    temporal__api__history__v1__workflow_execution_cancel_requested_event_attributes__init(
        &cancel.attributes);
    cancel.attributes.identity = message->parent_closed->identity;
    cancel.attributes.external_workflow_execution =
        pdi_message_sender(draft->decision->arena, message);
    pd_cancel_request(draft, &cancel);
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const Perdure__V1__Message *message = command->request;
    pd_draft_t *draft = pdi_message_draft(decision);

    if (!draft || !is_meant(draft, message))
        return NULL;
    switch ((int)message->parent_closed->policy) {
    case POLICY(TERMINATE):
        pd_close_terminate(draft, "by parent close policy", NULL, message->parent_closed->identity,
                           NULL);
        break;
    case POLICY(REQUEST_CANCEL):
        request_cancel(draft, message);
        break;
    default:
        /* To be abandoned; but nobody is left to let it begin. */
        if (draft->exec->row->awaits_parent)
            pd_close_terminate(draft, "parent closed before it recorded the start", NULL,
                               message->parent_closed->identity, NULL);
        break;
    }
    return NULL;
}

const pd_command_kind_t pdi_message_parent_closed = {
    .name = "PARENT_CLOSED",
    .cause = PERDURE__V1__CAUSE__CAUSE_PARENT_CLOSED,
    .may_create = true,
    .decide = decide,
};
