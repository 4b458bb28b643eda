/* workflow_task.h -- how a started workflow task ends: completed, failed or timed out.
 *
 *   scheduled --start--> started --complete--> (none)
 *       ^                   |
 *       |                   +--fail, time out--> (none)
 *       +--- reschedule(next attempt) -------------+
 *
 * Attempt 2 and up leaves no trace in the history unless it completes. While the run is sticky a
 * failure only ends the stickiness: the next task is attempt 1 on the normal queue.
 *
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_WORKFLOW_TASK_H
#define PD_ENGINE_DECIDE_WORKFLOW_TASK_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/draft.h"

typedef struct pd_workflow_task_failure {
    Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause;
    Temporal__Api__Failure__V1__Failure *failure; /* may be NULL */
    const char *identity;
    const char *binary_checksum;
} pd_workflow_task_failure_t;

/* Writes WorkflowTaskCompleted (after Scheduled and Started if the task was transient) and returns
 * it. The buffer stays as it is. */
pd_history_event_t *pd_workflow_task_complete(
    pd_draft_t *draft,
    const Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request);

/* These return the next attempt, for pd_workflow_task_reschedule. */
int32_t pd_workflow_task_fail(pd_draft_t *draft, const pd_workflow_task_failure_t *failure);
/* Start-to-close. */
int32_t pd_workflow_task_time_out(pd_draft_t *draft);

/* Flushes the buffer and schedules the next task: `attempt`, or 1 when something was flushed.
 * Returns how many events were flushed. */
size_t pd_workflow_task_reschedule(pd_draft_t *draft, int32_t attempt);

/* More events wait in the buffer than may (100, or 2 MiB): the started task fails by force, so that
 * they get into the history. True when that was so. */
bool pd_workflow_task_fail_when_buffer_full(pd_draft_t *draft);

/* "UnhandledCommand" for WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND; "Unspecified" or the number
 * for what is none. */
const char *pd_workflow_task_cause_name(pd_arena_t *arena,
                                        Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause);

/* A failure of the server's own making: {message, server_failure_info{non_retryable}}. */
Temporal__Api__Failure__V1__Failure *pd_server_failure(pd_arena_t *arena, const char *message,
                                                       bool non_retryable);

#endif
