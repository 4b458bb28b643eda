/* CANCEL_WORKFLOW_EXECUTION: the run ends as canceled. Neither retry nor cron follows. */
#include "engine/decide/commands/commands.h"

const pd_command_failure_t *pd_handle_cancel_workflow(pd_completion_t *completion,
                                                      const pd_worker_command_t *command)
{
    const Temporal__Api__Command__V1__CancelWorkflowExecutionCommandAttributes *attributes =
        command->cancel_workflow_execution_command_attributes;
    const pd_command_failure_t *failure = pd_command_check_close(completion);
    Temporal__Api__History__V1__WorkflowExecutionCanceledEventAttributes *canceled;
    pd_history_event_t *event;

    if (failure)
        return failure;
    if (command->attributes_case !=
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_CANCEL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES ||
        !attributes)
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES),
                               "CancelWorkflowExecutionCommandAttributes is not set on "
                               "CancelWorkflowExecutionCommand.");
    event = pd_draft_close(completion->draft, PD_EVENT(WORKFLOW_EXECUTION_CANCELED), false);
    event->user_metadata = command->user_metadata;
    canceled = event->workflow_execution_canceled_event_attributes;
    canceled->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    canceled->details = attributes->details;
    completion->closed = true;
    return NULL;
}
