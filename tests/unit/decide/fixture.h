/* fixture.h -- deciders on a real store in memory: a command is decided, its transition applied as
 * the partition would, and the run's history can be looked at. No log, no loop, no network.
 *
 * Every record is also kept as bytes; pd_fixture_check_replay applies them to a second store and
 * compares the tables.
 *
 * Failures of the machinery fail the test at once. Thread: one. Ownership: what is returned lives
 * until pd_fixture_free. */
#ifndef PD_TESTS_UNIT_DECIDE_FIXTURE_H
#define PD_TESTS_UNIT_DECIDE_FIXTURE_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "engine/decide/draft.h"
#include "engine/matching/matching.h"

typedef struct pd_fixture {
    pd_arena_t arena;
    pd_store_shared_t *shared;
    pd_store_t *store;
    pd_random_t random;
    pd_namespace_t ns;
    pd_namespaces_t *namespaces;
    const char *workflow_id; /* whom the functions below mean: "w", see pd_fixture_look_at */
    int64_t now_ns;
    Perdure__V1__Record *records[16384];
    size_t record_count;
    /* Of the last command. */
    pd_decision_t *decision;
    const pd_rpc_error_t *error; /* refused, or recorded with an error; NULL: fine */
    bool recorded;
} pd_fixture_t;

pd_fixture_t *pd_fixture_new(void);
void pd_fixture_free(pd_fixture_t *fixture);

/* A zeroed message in the fixture's arena. */
#define PD_FIXTURE_NEW(fixture, Type, name) PD_PB_NEW(&(fixture)->arena, Type, name)

/* Decides and applies. `command` needs kind, request, token, poll, run_id as the kind wants them;
 * workflow_id fixture->workflow_id when NULL. Returns fixture->error. */
const pd_rpc_error_t *pd_fixture_run(pd_fixture_t *fixture, pd_command_t *command);

/* From now on the functions below are about this workflow. The ID is borrowed. */
void pd_fixture_look_at(pd_fixture_t *fixture, const char *workflow_id);

/* ---- messages: the store is a partition of its own, and all workflows are on it ---- */

/* The next message on its way, or NULL. In the fixture's arena. */
Perdure__V1__Message *pd_fixture_next_message(pd_fixture_t *fixture);
/* Delivers it; false when there is none. */
bool pd_fixture_deliver(pd_fixture_t *fixture);
/* Until there is none. Returns how many. */
size_t pd_fixture_deliver_all(pd_fixture_t *fixture);
/* Delivers a message as if it came once more, with no number. */
void pd_fixture_deliver_again(pd_fixture_t *fixture, const Perdure__V1__Message *message);

/* ---- the usual commands ---- */

/* A start request for the workflow, type "W", queue "q", request ID "start"; to be changed. */
Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *
pd_fixture_start_request(pd_fixture_t *fixture);
const pd_rpc_error_t *
pd_fixture_start(pd_fixture_t *fixture,
                 const Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request);
const pd_rpc_error_t *pd_fixture_signal(pd_fixture_t *fixture, const char *name,
                                        const char *request_id);
/* Lets the clock run by this much and fires what is due, at each time that something is. */
void pd_fixture_advance(pd_fixture_t *fixture, int64_t ns);

/* A worker takes the current run's workflow task from `task_queue` ("q" when NULL): its token, or
 * NULL when there is none to take. */
const Perdure__V1__TaskToken *pd_fixture_poll(pd_fixture_t *fixture, const char *task_queue);
/* A completion request with these commands, to be changed. */
Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *
pd_fixture_completion(pd_fixture_t *fixture, Temporal__Api__Command__V1__Command **commands,
                      size_t command_count);
const pd_rpc_error_t *pd_fixture_complete_with(
    pd_fixture_t *fixture, const Perdure__V1__TaskToken *token,
    const Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request);
/* With at most one command (NULL: none). */
const pd_rpc_error_t *pd_fixture_complete(pd_fixture_t *fixture,
                                          const Perdure__V1__TaskToken *token,
                                          Temporal__Api__Command__V1__Command *command);
const pd_rpc_error_t *pd_fixture_fail_task(pd_fixture_t *fixture,
                                           const Perdure__V1__TaskToken *token);

/* Commands of workers. */
Temporal__Api__Command__V1__Command *pd_fixture_cmd_complete(pd_fixture_t *fixture);
Temporal__Api__Command__V1__Command *pd_fixture_cmd_fail(pd_fixture_t *fixture, const char *type);
Temporal__Api__Command__V1__Command *pd_fixture_cmd_continue(pd_fixture_t *fixture);
Temporal__Api__Command__V1__Command *pd_fixture_cmd_marker(pd_fixture_t *fixture, const char *name);
Temporal__Api__Command__V1__Command *pd_fixture_cmd_timer(pd_fixture_t *fixture, const char *id,
                                                          int64_t ns);
Temporal__Api__Command__V1__Command *pd_fixture_cmd_cancel_timer(pd_fixture_t *fixture,
                                                                 const char *id);
Temporal__Api__Command__V1__Command *pd_fixture_cmd_activity(pd_fixture_t *fixture, const char *id);
/* Type "C", queue "q", parent close policy TERMINATE. */
Temporal__Api__Command__V1__Command *pd_fixture_cmd_child(pd_fixture_t *fixture,
                                                          const char *workflow_id);
Temporal__Api__Command__V1__Command *
pd_fixture_cmd_signal_external(pd_fixture_t *fixture, const char *workflow_id, const char *name);
Temporal__Api__Command__V1__Command *pd_fixture_cmd_cancel_external(pd_fixture_t *fixture,
                                                                    const char *workflow_id);

/* ---- looking ---- */

/* The current run of the workflow; or the one of the ID. */
pd_execution_t *pd_fixture_current(pd_fixture_t *fixture);
pd_execution_t *pd_fixture_run_of(pd_fixture_t *fixture, const char *run_id);
/* One event; fails when there is none. */
pd_history_event_t *pd_fixture_event(pd_fixture_t *fixture, pd_execution_t *exec, int64_t event_id);
/* The types of a run's events, e.g. "WorkflowExecutionStarted WorkflowTaskScheduled". */
const char *pd_fixture_types(pd_fixture_t *fixture, pd_execution_t *exec);
/* Fails when the history is another one, or its IDs are not 1, 2, 3 … */
#define pd_fixture_assert_history(fixture, exec, expected)                                         \
    assert_string_equal(pd_fixture_types(fixture, exec), expected)
/* All records, applied to an empty store, give the same tables. */
void pd_fixture_check_replay(pd_fixture_t *fixture);

#endif
