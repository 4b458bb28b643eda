/* COMPLETE_WORKFLOW_EXECUTION: the run ends well; with a cron schedule the next one begins. */
#include "engine/decide/close.h"
#include "engine/decide/commands/commands.h"

const pd_command_failure_t *pd_handle_complete_workflow(pd_completion_t *completion,
                                                        const pd_worker_command_t *command)
{
    const Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes *attributes =
        command->complete_workflow_execution_command_attributes;
    const pd_command_failure_t *failure = pd_command_check_close(completion);
    Temporal__Api__History__V1__WorkflowExecutionCompletedEventAttributes *completed;
    pd_history_event_t *event;
    pd_next_run_t next;

    if (failure)
        return failure;
    if (command->attributes_case !=
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES ||
        !attributes)
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES),
                               "CompleteWorkflowExecutionCommandAttributes is not set on "
                               "CompleteWorkflowExecutionCommand.");
    failure = pd_command_check_size(
        completion, PD_WFT_CAUSE(BAD_SCHEDULE_ACTIVITY_ATTRIBUTES),
        pd_command_payload_size(attributes->result),
        "CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.");
    if (failure)
        return failure;
    pd_close_plan_cron(completion->draft, &next);
    next.last_completion_result = attributes->result;
    event = pd_draft_close(completion->draft, PD_EVENT(WORKFLOW_EXECUTION_COMPLETED), false);
    event->user_metadata = command->user_metadata;
    completed = event->workflow_execution_completed_event_attributes;
    completed->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    completed->result = attributes->result;
    completed->new_execution_run_id = (char *)pd_pb_str(next.run_id);
    pd_close_begin_next(completion->draft, &next);
    completion->closed = true;
    return NULL;
}
