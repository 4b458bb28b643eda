/* steps.h -- what tests of activities and timers do over and over, on top of the fixture.
 * Thread: one. Ownership: everything returned lives until pd_fixture_free. */
#ifndef PD_TESTS_UNIT_DECIDE_STEPS_H
#define PD_TESTS_UNIT_DECIDE_STEPS_H

#include "tests/unit/decide/fixture.h"

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)
/* Message fields are not const. */
#define TEXT(literal) ((char *)(literal))

typedef Temporal__Api__Command__V1__Command command_t;
typedef Temporal__Api__Workflowservice__V1__PollActivityTaskQueueResponse task_t;

/* With workflow "w" started; its first workflow task waits. */
pd_fixture_t *steps_new(void);
/* The replay is checked, too. */
void steps_free(pd_fixture_t *fixture);

/* A worker takes the workflow task. */
void steps_poll(pd_fixture_t *fixture);
/* … and completes it with commands. False when it was refused: see fixture->error. */
bool steps_complete(pd_fixture_t *fixture, command_t **commands, size_t count);
/* Both. */
#define STEP(fixture, ...) (steps_poll(fixture), COMPLETE(fixture, __VA_ARGS__))
#define COMPLETE(fixture, ...)                                                                     \
    steps_complete((fixture), (command_t *[]){__VA_ARGS__},                                        \
                   sizeof((command_t *[]){__VA_ARGS__}) / sizeof(command_t *))
void steps_signal(pd_fixture_t *fixture);
/* Moves the clock, then fires all that is due, at once. */
void steps_pass(pd_fixture_t *fixture, int64_t ns);

/* NULL when refused. */
const task_t *steps_start_activity(pd_fixture_t *fixture, int64_t scheduled_event_id,
                                   int32_t attempt, const char *request_id);
const Perdure__V1__TaskToken *steps_token(pd_fixture_t *fixture, const task_t *task);
const Perdure__V1__TaskToken *steps_token_by_id(pd_fixture_t *fixture, const char *activity_id);
/* An answer about an activity. False when refused. */
bool steps_answer(pd_fixture_t *fixture, const pd_command_kind_t *kind, const void *request,
                  const Perdure__V1__TaskToken *token);
command_t *steps_request_cancel(pd_fixture_t *fixture, int64_t scheduled_event_id);

const Perdure__V1__ExecutionRow *steps_row(pd_fixture_t *fixture);
pd_history_event_t *steps_event(pd_fixture_t *fixture, int64_t event_id);
/* "TimerFired WorkflowTaskScheduled": the types from that event on. */
const char *steps_types(pd_fixture_t *fixture, int64_t from_event_id);

#endif
