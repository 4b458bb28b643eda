/* new_run.h -- the first events of a run: RunCreated, WorkflowExecutionStarted, perhaps the signal
 * that came with the start, and the first workflow task unless that has to wait.
 *
 * Thread: the partition's loop. Ownership: the decision's arena; requests are borrowed. */
#ifndef PD_ENGINE_DECIDE_NEW_RUN_H
#define PD_ENGINE_DECIDE_NEW_RUN_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/draft.h"

typedef Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes pd_started_t;
typedef Temporal__Api__History__V1__WorkflowExecutionSignaledEventAttributes pd_signaled_t;
typedef Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest pd_start_request_t;

typedef struct pd_new_run {
    const char *run_id;
    const char *request_id;
    /* What the caller decides of the Started event. pd_new_run_write adds IDs, the workflow ID, the
     * attempt when it is 0, the backoff and the expiration. */
    pd_started_t *started;
    Temporal__Api__Sdk__V1__UserMetadata *user_metadata;
    Temporal__Api__Common__V1__Link **links;
    size_t n_links;
    /* The run before it in the chain; NULL: this is the first. */
    const char *previous_run_id;
    const char *first_run_id;
    int64_t execution_deadline_ns; /* carried over along the chain; 0: from the timeout, if any */
    int64_t first_task_backoff_ns;
    bool no_backoff_field; /* continue-as-new without a backoff leaves the field out */
    const pd_signaled_t *signaled;
    Temporal__Api__Common__V1__Link **signal_links;
    size_t n_signal_links;
    bool awaits_parent; /* a child: the parent records its start before the first task */
    bool eager;         /* start the first task at once for whoever asked; needs no backoff */
} pd_new_run_t;

pd_draft_t *pd_new_run_write(pd_decision_t *decision, const pd_new_run_t *run);

/* A run as a client asks for it: defaults filled in, timeouts capped, cron and start delay turned
 * into a backoff. Fields of `request` are borrowed. */
void pd_new_run_from_request(pd_decision_t *decision, const pd_start_request_t *request,
                             pd_new_run_t *run);

/* A new UUID. */
const char *pd_new_run_id(pd_decision_t *decision);

/* What every start must satisfy beyond the frontend's checks: sizes. NULL: fine. */
const pd_rpc_error_t *pd_new_run_check(pd_decision_t *decision, const pd_start_request_t *request);

/* The run timeout is at most the execution timeout, the workflow task's at most 120 s and the run
 * timeout, and 10 s when there is none. */
void pd_new_run_cap_timeouts(pd_arena_t *arena, pd_started_t *started);
/* A copy with the defaults filled in; NULL stays NULL. */
Temporal__Api__Common__V1__RetryPolicy *
pd_new_run_retry_policy(pd_arena_t *arena, const Temporal__Api__Common__V1__RetryPolicy *policy);

#endif
