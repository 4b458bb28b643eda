/* activity_task.h -- what all commands about one activity share: finding it, its events around an
 * attempt, the task that a worker gets.
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_ACTIVITY_TASK_H
#define PD_ENGINE_DECIDE_ACTIVITY_TASK_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/pending.h"

typedef Temporal__Api__Workflowservice__V1__PollActivityTaskQueueResponse pd_activity_task_t;

/* The activity that a command from a worker or a client means: by token, or by ID when the token
 * has no scheduled event. NULL and *error when there is none, or not in this attempt.
 * `unstarted_by_id`: found by ID, it need not have been started. */
pd_pending_activity_t *pd_activity_find(pd_decision_t *decision, const pd_command_t *command,
                                        bool unstarted_by_id, const pd_rpc_error_t **error);

/* The error for tokens that mean nothing (any more). */
const pd_rpc_error_t *pd_activity_not_found(pd_decision_t *decision);

/* Drafts ActivityAttemptStarted and marks the activity started. */
void pd_activity_start_attempt(pd_draft_t *draft, pd_pending_activity_t *activity,
                               const char *request_id, const char *identity);

/* Who starts an attempt that is only written down now, with its close event. */
typedef struct pd_activity_started {
    const char *identity;
    const char *request_id;
    int64_t time_ns;
    const Temporal__Api__Common__V1__WorkerVersionStamp *worker_version;
} pd_activity_started_t;

/* Attempts are not in the history while they run: ActivityTaskStarted is written now, because the
 * activity is about to close. Returns what the close event's started_event_id is to be: the event's
 * ID; 0 when it went into the buffer (flushing wires it). `started` NULL: as the row has it. */
int64_t pd_activity_write_started(pd_draft_t *draft, const pd_pending_activity_t *activity,
                                  const pd_activity_started_t *started,
                                  const Temporal__Api__Common__V1__WorkerVersionStamp *version);

/* What a worker gets. `scheduled` is the ActivityTaskScheduled event, which was read or drafted. */
typedef struct pd_activity_attempt {
    int32_t attempt;
    int64_t scheduled_event_id;
    int64_t attempt_scheduled_time_ns;
    int64_t started_time_ns;
    Temporal__Api__Common__V1__Payloads *heartbeat_details;
} pd_activity_attempt_t;

pd_activity_task_t *pd_activity_build_task(pd_draft_t *draft, const pd_history_event_t *scheduled,
                                           const pd_activity_attempt_t *attempt);

#endif
