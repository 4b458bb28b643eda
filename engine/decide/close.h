/* close.h -- what follows when a run closes: a retry, the next cron run, or nothing.
 *
 * First plan (which gives the next run's ID for the close event), then write the close event, then
 * begin the next run.
 *
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_CLOSE_H
#define PD_ENGINE_DECIDE_CLOSE_H

#include "engine/decide/new_run.h"

typedef struct pd_next_run {
    const char *run_id; /* NULL: no run follows */
    Temporal__Api__Enums__V1__ContinueAsNewInitiator initiator;
    int64_t backoff_ns;
    /* Of the close event that is being written. */
    Temporal__Api__Enums__V1__RetryState retry_state;
    /* Handed to the next run; the caller sets them where they apply. */
    Temporal__Api__Common__V1__Payloads *last_completion_result;
    Temporal__Api__Failure__V1__Failure *failure;
} pd_next_run_t;

/* The run completed: only a cron schedule makes another. */
void pd_close_plan_cron(pd_draft_t *draft, pd_next_run_t *next);
/* The run failed or timed out: the retry policy first, then the cron schedule, which passes on the
 * last completion result that this run had been given. */
void pd_close_plan_retry(pd_draft_t *draft, Temporal__Api__Failure__V1__Failure *failure,
                         pd_next_run_t *next);
/* Writes the next run's first events, if there is a next run. */
void pd_close_begin_next(pd_draft_t *draft, const pd_next_run_t *next);

/* At least a second lies between the starts of two runs of a chain: `backoff_ns` (-1: none asked
 * for), made longer where needed; -1 stays when nothing is needed. */
int64_t pd_close_min_backoff_ns(const pd_draft_t *draft, int64_t backoff_ns);

/* The run's WorkflowExecutionStarted event, read from the history. */
const pd_history_event_t *pd_close_started(pd_draft_t *draft);
/* What any next run takes over from the draft's: IDs, deadlines, links, reset points, execution
 * timeout, priority. The caller fills in the rest. `initiator` decides about callbacks. */
void pd_close_carry(pd_draft_t *draft, const pd_history_event_t *before,
                    Temporal__Api__Enums__V1__ContinueAsNewInitiator initiator, pd_new_run_t *run);

typedef struct pd_links {
    Temporal__Api__Common__V1__Link **links;
    size_t n_links;
} pd_links_t;

/* Terminates the run. `links` may be NULL. */
void pd_close_terminate(pd_draft_t *draft, const char *reason,
                        Temporal__Api__Common__V1__Payloads *details, const char *identity,
                        const pd_links_t *links);
/* Payloads with one JSON string. */
Temporal__Api__Common__V1__Payloads *pd_json_string_payloads(pd_arena_t *arena, const char *text);

#endif
