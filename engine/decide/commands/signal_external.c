/* SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: the signal is sent when the completion leaves the run open.
 */
#include "engine/decide/commands/commands.h"
#include "engine/decide/commands/target.h"
#include "engine/decide/new_run.h"
#include "engine/decide/others.h"
#include "engine/limits.h"
#include "engine/uuid.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Command__V1__SignalExternalWorkflowExecutionCommandAttributes attributes_t;
typedef Temporal__Api__History__V1__SignalExternalWorkflowExecutionInitiatedEventAttributes
    initiated_t;

#define CAUSE PD_WFT_CAUSE(BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES)
#define ON_COMMAND "on SignalExternalWorkflowExecutionCommand"

static const pd_command_failure_t *check_names(pd_completion_t *completion,
                                               const attributes_t *attributes)
{
    const char *ns = attributes->namespace_, *name = attributes->signal_name;
    const char *workflow_id = attributes->execution->workflow_id;
    const char *run_id = attributes->execution->run_id;

    if (pd_pb_empty(workflow_id))
        return pd_command_fail(completion, CAUSE,
                               "WorkflowId is not set " ON_COMMAND
                               ". Namespace=%s RunId=%s SignalName=%s",
                               ns, run_id, name);
    if (strlen(workflow_id) > PD_ID_SIZE_MAX)
        return pd_command_fail(completion, CAUSE,
                               "WorkflowId " ON_COMMAND " exceeds length limit. WorkflowId=%s "
                               "Length=%zu Limit=%d Namespace=%s RunId=%s SignalName=%s",
                               workflow_id, strlen(workflow_id), PD_ID_SIZE_MAX, ns, run_id, name);
    if (!pd_pb_empty(run_id) && !pd_is_uuid(run_id))
        return pd_command_fail(completion, CAUSE,
                               "Invalid RunId set " ON_COMMAND ". WorkflowId=%s Namespace=%s "
                               "RunId=%s SignalName=%s",
                               workflow_id, ns, run_id, name);
    if (pd_pb_empty(name))
        return pd_command_fail(completion, CAUSE,
                               "SignalName is not set " ON_COMMAND
                               ". WorkflowId=%s Namespace=%s RunId=%s",
                               workflow_id, ns, run_id);
    return NULL;
}

static const pd_command_failure_t *check_limits(pd_completion_t *completion,
                                                const attributes_t *attributes)
{
    size_t count = pd_others_signal_count(completion->draft);

    if (count >= PD_PENDING_EXTERNAL_COUNT_MAX)
        return pd_command_fail(completion, PD_WFT_CAUSE(PENDING_SIGNALS_LIMIT_EXCEEDED),
                               "the number of pending signals to external workflows, %zu, has "
                               "reached the per-workflow limit of %d",
                               count, PD_PENDING_EXTERNAL_COUNT_MAX);
    return pd_command_check_size(
        completion, CAUSE, pd_command_payload_size(attributes->input),
        "SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit.");
}

static const pd_command_failure_t *check(pd_completion_t *completion,
                                         const attributes_t *attributes)
{
    const pd_command_failure_t *failure;

    if (!attributes)
        return pd_command_fail(completion, CAUSE,
                               "SignalExternalWorkflowExecutionCommandAttributes is not set "
                               "on SignalExternalWorkflowExecutionCommand.");
    if (!attributes->execution)
        return pd_command_fail(completion, CAUSE, "Execution is not set " ON_COMMAND ".");
    failure = pd_target_namespace(completion, attributes->namespace_, CAUSE);
    if (!failure)
        failure = check_names(completion, attributes);
    return failure ? failure : check_limits(completion, attributes);
}

static void send(pd_completion_t *completion, const pd_history_event_t *event)
{
    pd_decision_t *decision = completion->decision;
    Perdure__V1__SignalExternal *signal =
        PD_PB_NEW(decision->arena, Perdure__V1__SignalExternal, perdure__v1__signal_external);

    signal->attributes = event->signal_external_workflow_execution_initiated_event_attributes;
    signal->request_id = (char *)pd_new_run_id(decision);
    signal->sender_namespace = (char *)decision->ns->name;
    pd_others_ask(completion->draft,
                  &(pd_asked_t){
                      .body_case = PERDURE__V1__MESSAGE__BODY_SIGNAL_EXTERNAL,
                      .body = signal,
                      .namespace_id = decision->ns->id,
                      .workflow_id = signal->attributes->workflow_execution->workflow_id,
                      .run_id = signal->attributes->workflow_execution->run_id,
                      .initiated_event_id = event->event_id,
                  });
}

const pd_command_failure_t *pd_handle_signal_external(pd_completion_t *completion,
                                                      const pd_worker_command_t *command)
{
    const attributes_t *attributes =
        command->attributes_case ==
                TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES
            ? command->signal_external_workflow_execution_command_attributes
            : NULL;
    const pd_command_failure_t *failure = check(completion, attributes);
    pd_history_event_t *event;
    initiated_t *initiated;

    if (failure)
        return failure;
    event = pd_completion_event(completion, command,
                                PD_EVENT(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED));
    initiated = event->signal_external_workflow_execution_initiated_event_attributes;
    initiated->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    initiated->namespace_ = attributes->namespace_;
    initiated->namespace_id = (char *)completion->decision->ns->id;
    initiated->workflow_execution = attributes->execution;
    initiated->signal_name = attributes->signal_name;
    initiated->input = attributes->input;
    initiated->control = attributes->control;
    initiated->child_workflow_only = attributes->child_workflow_only;
    initiated->header = attributes->header;
    send(completion, event);
    return NULL;
}
