/* commands.h -- what a worker may ask for when it completes a workflow task: one handler per
 * command type, found through a table (commands.c).
 *
 * A handler checks the attributes, then writes events to the completion's draft. When it refuses,
 * everything drafted so far is dropped and the workflow task fails with the cause given; so a
 * handler need not clean up. Handlers run in the order of the commands, in one pass, and each must
 * take constant time (100,000 commands in one completion are allowed).
 *
 * How to add a command: one file here with a pd_handle_…, one line in the table, one test.
 *
 * Thread: the partition's loop. Ownership: everything lives in the decision's arena. */
#ifndef PD_ENGINE_DECIDE_COMMANDS_COMMANDS_H
#define PD_ENGINE_DECIDE_COMMANDS_COMMANDS_H

#include <temporal/api/command/v1/message.pb-c.h>
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/draft.h"

typedef Temporal__Api__Command__V1__Command pd_worker_command_t;
typedef struct pd_canceled_activity pd_canceled_activity_t;

/* Why a command was not accepted. Exactly one of the three forms. */
typedef struct pd_command_failure {
    /* 1. The workflow task fails with `cause`; the worker gets INVALID_ARGUMENT "<cause>: <text>".
     */
    Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause;
    const char *text;
    /* 2. As 1, and the workflow is terminated with `text` as the reason (payloads too large). */
    bool terminate;
    /* 3. The whole request is refused with this error and nothing is recorded. */
    const pd_rpc_error_t *error;
} pd_command_failure_t;

/* One RespondWorkflowTaskCompleted while its commands are handled. */
typedef struct pd_completion {
    pd_decision_t *decision;
    pd_draft_t *draft;
    const Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request;
    int64_t workflow_task_completed_event_id;

    /* Results. Handlers set them. */
    /* A close command was handled: what follows it is ignored. */
    bool closed;
    /* A workflow task is needed though nothing came from outside (an activity was canceled before
     * it was started). */
    bool needs_workflow_task;
    /* Activities to start at once, in the order of scheduling: scheduled event IDs, written by
     * pd_completion_add_eager. After the last command, if the run is still open,
     * pd_completion_start_eager starts those that are still wanted. */
    int64_t *eager_event_ids;
    size_t eager_count;
    size_t eager_capacity;
    /* PollActivityTaskQueueResponse, for the response: filled by pd_completion_start_eager. */
    Temporal__Api__Workflowservice__V1__PollActivityTaskQueueResponse **eager_tasks;
    size_t eager_task_count;
    /* Activities that were canceled before any worker took them, of request_cancel_activity.c. */
    pd_canceled_activity_t *canceled;
    pd_canceled_activity_t *canceled_last;
} pd_completion_t;

/* NULL: accepted. */
typedef const pd_command_failure_t *(*pd_command_handler_t)(pd_completion_t *completion,
                                                            const pd_worker_command_t *command);

/* NULL: no such command type. */
pd_command_handler_t pd_commands_find(Temporal__Api__Enums__V1__CommandType type);

bool pd_command_type_closes(int type);
/* "StartTimer" for COMMAND_TYPE_START_TIMER; the number for what is none. */
const char *pd_command_type_name(pd_arena_t *arena, int type);
/* The names of the first 100, separated by ", ". */
const char *pd_command_type_names(pd_arena_t *arena, pd_worker_command_t *const *commands,
                                  size_t count);

/* ---- for handlers ---- */

/* The event that the command causes: pd_draft_event with the command's user metadata on it. */
pd_history_event_t *pd_completion_event(pd_completion_t *completion,
                                        const pd_worker_command_t *command,
                                        Temporal__Api__Enums__V1__EventType type);
void pd_completion_add_eager(pd_completion_t *completion, int64_t scheduled_event_id);

/* Form 1. */
const pd_command_failure_t *pd_command_fail(pd_completion_t *completion,
                                            Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause,
                                            const char *format, ...) PD_PRINTF(3, 4);
/* Form 2. */
const pd_command_failure_t *
pd_command_fail_hard(pd_completion_t *completion,
                     Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause, const char *format,
                     ...) PD_PRINTF(3, 4);

/* Form 3: INVALID_ARGUMENT, nothing is recorded. */
const pd_command_failure_t *pd_command_refuse(pd_completion_t *completion, const char *format, ...)
    PD_PRINTF(2, 3);

/* For commands that close the run: refused with UNHANDLED_COMMAND while events wait in the buffer.
 */
const pd_command_failure_t *pd_command_check_close(pd_completion_t *completion);

/* NULL when `size` is at most PD_BLOB_SIZE_MAX (limits.h); else form 2 with `text`, e.g.
 * "ScheduleActivityTaskCommandAttributes.Input exceeds size limit.". */
const pd_command_failure_t *
pd_command_check_size(pd_completion_t *completion,
                      Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause, size_t size,
                      const char *text);
/* Packed size of a Payloads, Failure, … ; 0 for NULL. */
size_t pd_command_payload_size(const void *message);

/* ---- the handlers ---- */

/* Workflow lifecycle. */
const pd_command_failure_t *pd_handle_complete_workflow(pd_completion_t *completion,
                                                        const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_fail_workflow(pd_completion_t *completion,
                                                    const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_cancel_workflow(pd_completion_t *completion,
                                                      const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_continue_as_new(pd_completion_t *completion,
                                                      const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_upsert_search_attributes(pd_completion_t *completion,
                                                               const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_modify_properties(pd_completion_t *completion,
                                                        const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_record_marker(pd_completion_t *completion,
                                                    const pd_worker_command_t *command);
/* Activities and timers. */
const pd_command_failure_t *pd_handle_schedule_activity(pd_completion_t *completion,
                                                        const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_request_cancel_activity(pd_completion_t *completion,
                                                              const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_start_timer(pd_completion_t *completion,
                                                  const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_cancel_timer(pd_completion_t *completion,
                                                   const pd_worker_command_t *command);
/* Other workflows. */
const pd_command_failure_t *pd_handle_start_child(pd_completion_t *completion,
                                                  const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_signal_external(pd_completion_t *completion,
                                                      const pd_worker_command_t *command);
const pd_command_failure_t *pd_handle_request_cancel_external(pd_completion_t *completion,
                                                              const pd_worker_command_t *command);
/* Commands that need what is not there yet (updates, Nexus): refused. */
const pd_command_failure_t *pd_handle_not_built(pd_completion_t *completion,
                                                const pd_worker_command_t *command);
/* In schedule_activity.c: starts the eager activities that are still pending and not canceled, and
 * fills completion->eager_tasks. Called once, after the last command, if the run is still open. */
void pd_completion_start_eager(pd_completion_t *completion);
/* In request_cancel_activity.c: ActivityTaskCanceled for activities that were canceled before any
 * worker took them, and returns how many. Called once, after the last command and after the buffer
 * was flushed, if the run is still open: a workflow task is needed when there were any. */
size_t pd_completion_write_canceled(pd_completion_t *completion);

#endif
