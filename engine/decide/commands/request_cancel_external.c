/* REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION: also how a child is canceled. The request is sent
 * when the completion leaves the run open. */
#include "engine/decide/commands/commands.h"
#include "engine/decide/commands/target.h"
#include "engine/decide/new_run.h"
#include "engine/decide/others.h"
#include "engine/limits.h"
#include "engine/uuid.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Command__V1__RequestCancelExternalWorkflowExecutionCommandAttributes
    attributes_t;
typedef Temporal__Api__History__V1__RequestCancelExternalWorkflowExecutionInitiatedEventAttributes
    initiated_t;

#define CAUSE PD_WFT_CAUSE(BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES)
#define ON_COMMAND "on RequestCancelExternalWorkflowExecutionCommand"

static const pd_command_failure_t *check_names(pd_completion_t *completion,
                                               const attributes_t *attributes)
{
    const char *ns = attributes->namespace_, *run_id = attributes->run_id;
    const char *workflow_id = attributes->workflow_id;

    if (pd_pb_empty(workflow_id))
        return pd_command_fail(completion, CAUSE,
                               "WorkflowId is not set " ON_COMMAND ". Namespace=%s RunId=%s", ns,
                               run_id);
    if (strlen(workflow_id) > PD_ID_SIZE_MAX)
        return pd_command_fail(completion, CAUSE,
                               "WorkflowId " ON_COMMAND " exceeds length limit. WorkflowId=%s "
                               "Length=%zu Limit=%d RunId=%s Namespace=%s",
                               workflow_id, strlen(workflow_id), PD_ID_SIZE_MAX, run_id, ns);
    if (!pd_pb_empty(run_id) && !pd_is_uuid(run_id))
        return pd_command_fail(completion, CAUSE,
                               "Invalid RunId set " ON_COMMAND
                               ". WorkflowId=%s RunId=%s Namespace=%s",
                               workflow_id, run_id, ns);
    if (pd_others_asked_child(completion->draft, workflow_id))
        return pd_command_fail(completion, CAUSE,
                               "Start and RequestCancel for child workflow is not allowed in same "
                               "workflow task. WorkflowId=%s RunId=%s Namespace=%s",
                               workflow_id, run_id, ns);
    return NULL;
}

static const pd_command_failure_t *check(pd_completion_t *completion,
                                         const attributes_t *attributes)
{
    size_t count = pd_others_cancel_count(completion->draft);
    const pd_command_failure_t *failure;

    if (!attributes)
        return pd_command_fail(completion, CAUSE,
                               "RequestCancelExternalWorkflowExecutionCommandAttributes is not "
                               "set " ON_COMMAND ".");
    failure = pd_target_namespace(completion, attributes->namespace_, CAUSE);
    if (!failure)
        failure = check_names(completion, attributes);
    if (!failure && count >= PD_PENDING_EXTERNAL_COUNT_MAX)
        failure =
            pd_command_fail(completion, PD_WFT_CAUSE(PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED),
                            "the number of pending requests to cancel external workflows, %zu, "
                            "has reached the per-workflow limit of %d",
                            count, PD_PENDING_EXTERNAL_COUNT_MAX);
    return failure;
}

static void send(pd_completion_t *completion, const pd_history_event_t *event)
{
    pd_decision_t *decision = completion->decision;
    Perdure__V1__RequestCancelExternal *cancel = PD_PB_NEW(
        decision->arena, Perdure__V1__RequestCancelExternal, perdure__v1__request_cancel_external);

    cancel->attributes =
        event->request_cancel_external_workflow_execution_initiated_event_attributes;
    cancel->request_id = (char *)pd_new_run_id(decision);
    cancel->sender_namespace = (char *)decision->ns->name;
    pd_others_ask(completion->draft,
                  &(pd_asked_t){
                      .body_case = PERDURE__V1__MESSAGE__BODY_REQUEST_CANCEL_EXTERNAL,
                      .body = cancel,
                      .namespace_id = decision->ns->id,
                      .workflow_id = cancel->attributes->workflow_execution->workflow_id,
                      .run_id = cancel->attributes->workflow_execution->run_id,
                      .initiated_event_id = event->event_id,
                  });
}

const pd_command_failure_t *pd_handle_request_cancel_external(pd_completion_t *completion,
                                                              const pd_worker_command_t *command)
{
    const attributes_t *attributes =
        command->attributes_case ==
                TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES
            ? command->request_cancel_external_workflow_execution_command_attributes
            : NULL;
    const pd_command_failure_t *failure = check(completion, attributes);
    pd_history_event_t *event;
    initiated_t *initiated;

    if (failure)
        return failure;
    event = pd_completion_event(completion, command,
                                PD_EVENT(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED));
    initiated = event->request_cancel_external_workflow_execution_initiated_event_attributes;
    initiated->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    initiated->namespace_ = attributes->namespace_;
    initiated->namespace_id = (char *)completion->decision->ns->id;
    initiated->workflow_execution =
        PD_PB_NEW(completion->decision->arena, Temporal__Api__Common__V1__WorkflowExecution,
                  temporal__api__common__v1__workflow_execution);
    initiated->workflow_execution->workflow_id = attributes->workflow_id;
    initiated->workflow_execution->run_id = attributes->run_id;
    initiated->control = attributes->control;
    initiated->child_workflow_only = attributes->child_workflow_only;
    initiated->reason = attributes->reason;
    send(completion, event);
    return NULL;
}
