/* SignalExternal: a signal from another workflow, answered in any case. */
#include "engine/decide/messages/messages_private.h"
#include "engine/decide/signaling.h"

#define FAILED(NAME)                                                                               \
    TEMPORAL__API__ENUMS__V1__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_##NAME

typedef Temporal__Api__Enums__V1__SignalExternalWorkflowExecutionFailedCause cause_t;

static void answer(pd_decision_t *decision, const Perdure__V1__Message *message, cause_t cause)
{
    Perdure__V1__SignalExternalAnswered *answered =
        PD_PB_NEW(decision->arena, Perdure__V1__SignalExternalAnswered,
                  perdure__v1__signal_external_answered);
    Perdure__V1__Message *back = pd_decision_answer(decision, "", message);

    answered->failed_cause = cause;
    answered->attributes = pd_arena_memdup(decision->arena, message->signal_external->attributes,
                                           sizeof(*message->signal_external->attributes));
    answered->attributes->input = NULL;
    answered->attributes->header = NULL;
    back->body_case = PERDURE__V1__MESSAGE__BODY_SIGNAL_EXTERNAL_ANSWERED;
    back->signal_external_answered = answered;
}

static pd_signal_t signal_of(pd_arena_t *arena, const Perdure__V1__Message *message)
{
    const Perdure__V1__SignalExternal *external = message->signal_external;
    pd_signal_t signal = {.links = NULL};

    temporal__api__history__v1__workflow_execution_signaled_event_attributes__init(
        &signal.attributes);
    signal.attributes.signal_name = external->attributes->signal_name;
    signal.attributes.input = external->attributes->input;
    signal.attributes.identity = (char *)"history-service";
    signal.attributes.header = external->attributes->header;
    signal.attributes.external_workflow_execution = pdi_message_sender(arena, message);
    signal.attributes.request_id = external->request_id;
    return signal;
}

/* A run that is closing takes it all the same: nobody would try again. */
static cause_t deliver(pd_decision_t *decision, const Perdure__V1__Message *message)
{
    pd_draft_t *draft = pdi_message_draft(decision);
    pd_signal_t signal = signal_of(decision->arena, message);

    if (!draft || pdi_message_is_to_self(message))
        return FAILED(EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
    if (pd_signal_is_known(draft, signal.attributes.request_id))
        return FAILED(UNSPECIFIED);
    if (pd_signal_check_limits(decision, draft, &signal))
        return FAILED(SIGNAL_COUNT_LIMIT_EXCEEDED);
    if (message->signal_external->attributes->child_workflow_only &&
        !pdi_message_is_from_parent(draft, message))
        return FAILED(EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND);
    pd_signal_add(draft, &signal);
    pd_draft_wake(draft);
    return FAILED(UNSPECIFIED);
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const Perdure__V1__Message *message = command->request;

    answer(decision, message, deliver(decision, message));
    return NULL;
}

const pd_command_kind_t pdi_message_signal_external = {
    .name = "SIGNAL_EXTERNAL",
    .cause = PERDURE__V1__CAUSE__CAUSE_SIGNAL_EXTERNAL,
    .may_create = true,
    .decide = decide,
};
