/* RequestCancelExternal: another workflow, often the parent, asks this one to cancel itself.
 * Answered in any case; repeats and closed runs are no error. */
#include "engine/decide/canceling.h"
#include "engine/decide/messages/messages_private.h"

#define FAILED(NAME)                                                                               \
    TEMPORAL__API__ENUMS__V1__CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE__CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_##NAME

typedef Temporal__Api__Enums__V1__CancelExternalWorkflowExecutionFailedCause cause_t;

static void answer(pd_decision_t *decision, const Perdure__V1__Message *message, cause_t cause)
{
    Perdure__V1__RequestCancelExternalAnswered *answered =
        PD_PB_NEW(decision->arena, Perdure__V1__RequestCancelExternalAnswered,
                  perdure__v1__request_cancel_external_answered);
    Perdure__V1__Message *back = pd_decision_answer(decision, "", message);

    answered->failed_cause = cause;
    answered->attributes = message->request_cancel_external->attributes;
    back->body_case = PERDURE__V1__MESSAGE__BODY_REQUEST_CANCEL_EXTERNAL_ANSWERED;
    back->request_cancel_external_answered = answered;
}

static cause_t deliver(pd_decision_t *decision, const Perdure__V1__Message *message)
{
    pd_draft_t *draft = pdi_message_draft(decision);
    pd_cancel_t cancel = {.links = NULL};

    if (!decision->exec || pdi_message_is_to_self(message))
        return FAILED(EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
    if (!draft)
        return FAILED(UNSPECIFIED);
    if (message->request_cancel_external->attributes->child_workflow_only &&
        !pdi_message_is_from_parent(draft, message))
        return FAILED(EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
    temporal__api__history__v1__workflow_execution_cancel_requested_event_attributes__init(
        &cancel.attributes);
    cancel.attributes.cause = message->request_cancel_external->attributes->reason;
    cancel.attributes.identity = (char *)"history-service";
    cancel.attributes.external_initiated_event_id = message->initiated_event_id;
    cancel.attributes.external_workflow_execution = pdi_message_sender(decision->arena, message);
    pd_cancel_request(draft, &cancel);
    return FAILED(UNSPECIFIED);
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const Perdure__V1__Message *message = command->request;

    answer(decision, message, deliver(decision, message));
    return NULL;
}

const pd_command_kind_t pdi_message_request_cancel_external = {
    .name = "REQUEST_CANCEL_EXTERNAL",
    .cause = PERDURE__V1__CAUSE__CAUSE_REQUEST_CANCEL_EXTERNAL,
    .may_create = true,
    .decide = decide,
};
