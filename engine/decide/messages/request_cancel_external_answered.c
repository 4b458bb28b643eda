/* RequestCancelExternalAnswered: what became of a request to cancel another workflow. */
#include "engine/decide/messages/messages_private.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__History__V1__RequestCancelExternalWorkflowExecutionInitiatedEventAttributes
    initiated_t;

static void requested(pd_draft_t *draft, int64_t initiated_event_id, const initiated_t *initiated)
{
    Temporal__Api__History__V1__ExternalWorkflowExecutionCancelRequestedEventAttributes
        *attributes =
            pd_draft_outside_event(draft, PD_EVENT(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED))
                ->external_workflow_execution_cancel_requested_event_attributes;

    attributes->initiated_event_id = initiated_event_id;
    attributes->namespace_ = (char *)draft->decision->ns->name;
    attributes->namespace_id = initiated->namespace_id;
    attributes->workflow_execution = initiated->workflow_execution;
}

static void failed(pd_draft_t *draft, int64_t initiated_event_id,
                   const Perdure__V1__RequestCancelExternalAnswered *answered)
{
    const initiated_t *initiated = answered->attributes;
    Temporal__Api__History__V1__RequestCancelExternalWorkflowExecutionFailedEventAttributes
        *attributes = pd_draft_outside_event(
                          draft, PD_EVENT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED))
                          ->request_cancel_external_workflow_execution_failed_event_attributes;

    attributes->cause = answered->failed_cause;
    attributes->initiated_event_id = initiated_event_id;
    attributes->namespace_ = (char *)draft->decision->ns->name;
    attributes->namespace_id = initiated->namespace_id;
    attributes->workflow_execution = initiated->workflow_execution;
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const Perdure__V1__Message *message = command->request;
    const Perdure__V1__RequestCancelExternalAnswered *answered =
        message->request_cancel_external_answered;
    pd_draft_t *draft = pdi_message_draft(decision);
    const Perdure__V1__ExternalRow *external =
        draft ? pd_execution_external_cancel(draft->exec, message->initiated_event_id) : NULL;

    if (!external || external->answer_buffered || !answered->attributes)
        return NULL;
    if (answered->failed_cause)
        failed(draft, message->initiated_event_id, answered);
    else
        requested(draft, message->initiated_event_id, answered->attributes);
    pd_draft_wake(draft);
    return NULL;
}

const pd_command_kind_t pdi_message_request_cancel_external_answered = {
    .name = "REQUEST_CANCEL_EXTERNAL_ANSWERED",
    .cause = PERDURE__V1__CAUSE__CAUSE_REQUEST_CANCEL_EXTERNAL_ANSWERED,
    .may_create = true,
    .decide = decide,
};
