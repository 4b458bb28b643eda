#include "tests/unit/decide/steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/decide/task_token.h"

#define ATTRIBUTES_CASE(NAME)                                                                      \
    TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_##NAME##_COMMAND_ATTRIBUTES

pd_fixture_t *steps_new(void)
{
    pd_fixture_t *fixture = pd_fixture_new();
    assert_null(pd_fixture_start(fixture, pd_fixture_start_request(fixture)));
    return fixture;
}

void steps_free(pd_fixture_t *fixture)
{
    pd_fixture_check_replay(fixture);
    pd_fixture_free(fixture);
}

void steps_poll(pd_fixture_t *fixture)
{
    assert_non_null(pd_fixture_poll(fixture, NULL));
}

bool steps_complete(pd_fixture_t *fixture, command_t **commands, size_t count)
{
    const Perdure__V1__ExecutionRow *row = steps_row(fixture);
    const Perdure__V1__WorkflowTaskRow *task = row->workflow_task;
    assert_non_null(task);
    Perdure__V1__TaskToken *token =
        PD_FIXTURE_NEW(fixture, Perdure__V1__TaskToken, perdure__v1__task_token);
    token->namespace_id = TEXT(fixture->ns.id);
    token->workflow_id = TEXT(fixture->workflow_id);
    token->run_id = pd_arena_strdup(&fixture->arena, row->run_id);
    token->scheduled_event_id = task->scheduled_event_id;
    token->started_event_id = task->started_event_id;
    token->started_time_ns = task->started_time_ns;
    token->attempt = task->attempt;
    return !pd_fixture_complete_with(fixture, token,
                                     pd_fixture_completion(fixture, commands, count));
}

void steps_signal(pd_fixture_t *fixture)
{
    assert_null(pd_fixture_signal(fixture, "s", ""));
}

void steps_pass(pd_fixture_t *fixture, int64_t ns)
{
    pd_command_t command = {.kind = &pd_command_fire_timers};
    fixture->now_ns += ns;
    assert_null(pd_fixture_run(fixture, &command));
}

const task_t *steps_start_activity(pd_fixture_t *fixture, int64_t scheduled_event_id,
                                   int32_t attempt, const char *request_id)
{
    pd_poll_t *poll = PD_ARENA_NEW(&fixture->arena, pd_poll_t);
    poll->task_queue = "q";
    poll->identity = "worker";
    poll->request_id = request_id;
    pd_command_t command = {.kind = &pd_command_start_activity_task,
                            .poll = poll,
                            .scheduled_event_id = scheduled_event_id,
                            .attempt = attempt};
    return pd_fixture_run(fixture, &command) ? NULL : fixture->decision->response;
}

const Perdure__V1__TaskToken *steps_token(pd_fixture_t *fixture, const task_t *task)
{
    const Perdure__V1__TaskToken *token = pd_task_token_decode(
        &fixture->arena, pd_bytes(task->task_token.data, task->task_token.len));
    assert_non_null(token);
    return token;
}

const Perdure__V1__TaskToken *steps_token_by_id(pd_fixture_t *fixture, const char *activity_id)
{
    Perdure__V1__TaskToken *token =
        PD_FIXTURE_NEW(fixture, Perdure__V1__TaskToken, perdure__v1__task_token);
    token->namespace_id = TEXT(fixture->ns.id);
    token->workflow_id = TEXT(fixture->workflow_id);
    token->activity_id = TEXT(activity_id);
    return token;
}

bool steps_answer(pd_fixture_t *fixture, const pd_command_kind_t *kind, const void *request,
                  const Perdure__V1__TaskToken *token)
{
    pd_command_t command = {.kind = kind, .request = request, .token = token};
    return !pd_fixture_run(fixture, &command);
}

command_t *steps_request_cancel(pd_fixture_t *fixture, int64_t scheduled_event_id)
{
    command_t *command = PD_FIXTURE_NEW(fixture, Temporal__Api__Command__V1__Command,
                                        temporal__api__command__v1__command);
    command->command_type =
        TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK;
    command->attributes_case = ATTRIBUTES_CASE(REQUEST_CANCEL_ACTIVITY_TASK);
    command->request_cancel_activity_task_command_attributes = PD_FIXTURE_NEW(
        fixture, Temporal__Api__Command__V1__RequestCancelActivityTaskCommandAttributes,
        temporal__api__command__v1__request_cancel_activity_task_command_attributes);
    command->request_cancel_activity_task_command_attributes->scheduled_event_id =
        scheduled_event_id;
    return command;
}

const Perdure__V1__ExecutionRow *steps_row(pd_fixture_t *fixture)
{
    return pd_fixture_current(fixture)->row;
}

pd_history_event_t *steps_event(pd_fixture_t *fixture, int64_t event_id)
{
    return pd_fixture_event(fixture, pd_fixture_current(fixture), event_id);
}

const char *steps_types(pd_fixture_t *fixture, int64_t from_event_id)
{
    const char *types = pd_fixture_types(fixture, pd_fixture_current(fixture));
    for (int64_t id = 1; id < from_event_id; id++) {
        types = strchr(types, ' ');
        assert_non_null(types);
        types++;
    }
    return types;
}
