/* FAIL_WORKFLOW_EXECUTION: the run fails; its retry policy or its cron schedule may make another.
 */
#include "engine/decide/close.h"
#include "engine/decide/commands/commands.h"

const pd_command_failure_t *pd_handle_fail_workflow(pd_completion_t *completion,
                                                    const pd_worker_command_t *command)
{
    const Temporal__Api__Command__V1__FailWorkflowExecutionCommandAttributes *attributes =
        command->fail_workflow_execution_command_attributes;
    const pd_command_failure_t *failure = pd_command_check_close(completion);
    Temporal__Api__History__V1__WorkflowExecutionFailedEventAttributes *failed;
    pd_history_event_t *event;
    pd_next_run_t next;

    if (failure)
        return failure;
    if (command->attributes_case !=
            TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES ||
        !attributes)
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES),
                               "FailWorkflowExecutionCommandAttributes is not set on "
                               "FailWorkflowExecutionCommand.");
    if (!attributes->failure)
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES),
                               "Failure is not set on FailWorkflowExecutionCommand.");
    failure =
        pd_command_check_size(completion, PD_WFT_CAUSE(BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES),
                              pd_command_payload_size(attributes->failure),
                              "FailWorkflowExecutionCommandAttributes.Failure exceeds size limit.");
    if (failure)
        return failure;
    pd_close_plan_retry(completion->draft, attributes->failure, &next);
    event = pd_draft_close(completion->draft, PD_EVENT(WORKFLOW_EXECUTION_FAILED), false);
    event->user_metadata = command->user_metadata;
    failed = event->workflow_execution_failed_event_attributes;
    failed->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    failed->failure = attributes->failure;
    failed->retry_state = next.retry_state;
    failed->new_execution_run_id = (char *)pd_pb_str(next.run_id);
    pd_close_begin_next(completion->draft, &next);
    completion->closed = true;
    return NULL;
}
