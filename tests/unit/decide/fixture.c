#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/pb/time.h"
#include "base/memory.h"
#include "engine/decide/enum_name.h"
#include "engine/decide/history_limit.h"
#include "engine/decide/messages/messages.h"
#include "engine/decide/task_token.h"
#include "tests/unit/decide/fixture.h"

static pd_store_t *open_store(pd_store_shared_t *shared, const char *path)
{
    pd_store_options_t options = {
        .path = path, .shared = shared, .partition = 0, .cache_size_max = 64 << 20};
    pd_store_t *store = NULL;
    pd_error_t error;

    if (pd_store_open(&options, &store, &error) != PD_OK)
        fail_msg("%s", error.text);
    return store;
}

static pd_namespaces_t *new_namespaces(const pd_namespace_t *ns)
{
    pd_namespaces_t *namespaces = pd_namespaces_new();
    Perdure__V1__NamespaceRow row = PERDURE__V1__NAMESPACE_ROW__INIT;

    row.namespace_id = (char *)ns->id;
    row.name = (char *)ns->name;
    pd_namespaces_publish(namespaces, &row);
    row.namespace_id = (char *)"99999999-2222-3333-4444-555555555555";
    row.name = (char *)"another";
    pd_namespaces_publish(namespaces, &row);
    return namespaces;
}

pd_fixture_t *pd_fixture_new(void)
{
    pd_store_shared_options_t options = {.block_cache_size = 1 << 20,
                                         .write_buffer_size = 1 << 20,
                                         .in_memory = true,
                                         .store_count = 2};
    pd_fixture_t *fixture = PD_NEW(pd_fixture_t);
    pd_error_t error;

    pd_arena_init(&fixture->arena);
    pd_random_init(&fixture->random, 1);
    fixture->ns.id = "11111111-2222-3333-4444-555555555555";
    fixture->ns.name = "default";
    fixture->ns.retention_ns = INT64_C(24) * 3600 * 1000000000;
    fixture->now_ns = INT64_C(1700000000) * 1000000000;
    fixture->workflow_id = "w";
    fixture->namespaces = new_namespaces(&fixture->ns);
    if (pd_store_shared_new(&options, &fixture->shared, &error) != PD_OK)
        fail_msg("%s", error.text);
    fixture->store = open_store(fixture->shared, "/fixture");
    return fixture;
}

void pd_fixture_free(pd_fixture_t *fixture)
{
    pd_store_free(fixture->store);
    pd_store_shared_free(fixture->shared);
    pd_namespaces_free(fixture->namespaces);
    pd_arena_deinit(&fixture->arena);
    pd_free(fixture);
}

/* ---- running ---- */

static void apply(pd_store_t *store, const Perdure__V1__Record *record)
{
    pd_error_t error = {.text = ""};

    if (pd_store_apply(store, record, &error) != PD_OK)
        fail_msg("a transition does not fit the state: %s", error.text);
}

static void record_transition(pd_fixture_t *fixture, Perdure__V1__Transition *transition)
{
    Perdure__V1__Record record = PERDURE__V1__RECORD__INIT;

    record.body_case = PERDURE__V1__RECORD__BODY_TRANSITION;
    record.transition = transition;
    record.time_ns = fixture->now_ns;
    assert_true(fixture->record_count < sizeof(fixture->records) / sizeof(fixture->records[0]));
    /* By way of the bytes, as from a log: what is not serialised is not there. */
    fixture->records[fixture->record_count] = pd_pb_clone(&record, &fixture->arena);
    apply(fixture->store, fixture->records[fixture->record_count]);
    fixture->record_count++;
}

/* As the partition does: without holes, all of them to the store's own partition. */
static void number_messages(pd_fixture_t *fixture, Perdure__V1__Transition *transition)
{
    int64_t number = pd_store_outbox(fixture->store, 0).last_number;

    for (size_t i = 0; i < transition->n_messages; i++)
        transition->messages[i]->number = ++number;
}

static void find_run(pd_fixture_t *fixture, pd_command_t *command, pd_decision_t *decision)
{
    pd_error_t error;

    if (pd_pb_empty(command->run_id)) {
        assert_int_equal(pd_store_current(fixture->store, fixture->ns.id, command->workflow_id,
                                          &decision->exec, &error),
                         PD_OK);
        decision->exec_is_current = decision->exec != NULL;
    } else {
        assert_int_equal(pd_store_execution(fixture->store, fixture->ns.id, command->workflow_id,
                                            command->run_id, &decision->exec, &error),
                         PD_OK);
    }
}

const pd_rpc_error_t *pd_fixture_run(pd_fixture_t *fixture, pd_command_t *command)
{
    pd_decision_t *decision = PD_ARENA_NEW(&fixture->arena, pd_decision_t);
    Perdure__V1__Transition *transition;

    command->arena = &fixture->arena;
    command->ns = &fixture->ns;
    command->decision = decision;
    if (!command->workflow_id)
        command->workflow_id = fixture->workflow_id;
    decision->arena = &fixture->arena;
    decision->now_ns = fixture->now_ns;
    decision->random = &fixture->random;
    decision->ns = &fixture->ns;
    decision->workflow_id = command->workflow_id;
    decision->store = fixture->store;
    decision->namespaces = fixture->namespaces;
    decision->received = command->received;
    find_run(fixture, command, decision);
    fixture->decision = decision;
    fixture->recorded = false;
    if (!decision->exec && !command->kind->may_create)
        return fixture->error = pd_rpc_not_found(&fixture->arena, "workflow not found for ID: %s",
                                                 command->workflow_id);
    fixture->error = command->kind->decide(decision, command);
    if (fixture->error)
        return fixture->error;
    if (!command->poll)
        pd_history_limit_enforce(decision);
    fixture->error = decision->error;
    transition = pd_decision_transition(decision, command->kind->cause);
    if (transition) {
        number_messages(fixture, transition);
        record_transition(fixture, transition);
        fixture->recorded = true;
    }
    return fixture->error;
}

void pd_fixture_look_at(pd_fixture_t *fixture, const char *workflow_id)
{
    fixture->workflow_id = workflow_id;
}

/* ---- messages ---- */

Perdure__V1__Message *pd_fixture_next_message(pd_fixture_t *fixture)
{
    int64_t number = pd_store_inbox_last(fixture->store, 0, "") + 1;

    if (number > pd_store_outbox(fixture->store, 0).last_number)
        return NULL;
    return pd_pb_unpack(&perdure__v1__message__descriptor, &fixture->arena,
                        pd_store_outbox_message(fixture->store, 0, number));
}

static void run_message(pd_fixture_t *fixture, const Perdure__V1__Message *message,
                        Perdure__V1__Received *received)
{
    pd_command_t command = {.kind = pd_message_kind(message),
                            .request = message,
                            .workflow_id = message->workflow_id,
                            .run_id = message->run_id,
                            .received = received};

    assert_non_null(command.kind);
    assert_string_equal(message->namespace_id, fixture->ns.id);
    assert_null(pd_fixture_run(fixture, &command));
}

bool pd_fixture_deliver(pd_fixture_t *fixture)
{
    Perdure__V1__Message *message = pd_fixture_next_message(fixture);
    Perdure__V1__Received *received =
        PD_FIXTURE_NEW(fixture, Perdure__V1__Received, perdure__v1__received);

    if (!message)
        return false;
    received->number = message->number;
    run_message(fixture, message, received);
    assert_true(fixture->recorded);
    return true;
}

size_t pd_fixture_deliver_all(pd_fixture_t *fixture)
{
    size_t count = 0;

    while (pd_fixture_deliver(fixture))
        count++;
    return count;
}

void pd_fixture_deliver_again(pd_fixture_t *fixture, const Perdure__V1__Message *message)
{
    run_message(fixture, message, NULL);
}

/* ---- the usual commands ---- */

Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *
pd_fixture_start_request(pd_fixture_t *fixture)
{
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request =
        PD_FIXTURE_NEW(fixture, Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest,
                       temporal__api__workflowservice__v1__start_workflow_execution_request);

    request->workflow_id = (char *)fixture->workflow_id;
    request->workflow_type = PD_FIXTURE_NEW(fixture, Temporal__Api__Common__V1__WorkflowType,
                                            temporal__api__common__v1__workflow_type);
    request->workflow_type->name = (char *)"W";
    request->task_queue = PD_FIXTURE_NEW(fixture, Temporal__Api__Taskqueue__V1__TaskQueue,
                                         temporal__api__taskqueue__v1__task_queue);
    request->task_queue->name = (char *)"q";
    request->request_id = (char *)"start";
    request->identity = (char *)"starter";
    return request;
}

const pd_rpc_error_t *
pd_fixture_start(pd_fixture_t *fixture,
                 const Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request)
{
    pd_command_t command = {.kind = &pd_command_start_workflow, .request = request};

    return pd_fixture_run(fixture, &command);
}

const pd_rpc_error_t *pd_fixture_signal(pd_fixture_t *fixture, const char *name,
                                        const char *request_id)
{
    Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionRequest *request =
        PD_FIXTURE_NEW(fixture, Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionRequest,
                       temporal__api__workflowservice__v1__signal_workflow_execution_request);
    pd_command_t command = {.kind = &pd_command_signal, .request = request};

    request->signal_name = (char *)name;
    request->request_id = (char *)request_id;
    return pd_fixture_run(fixture, &command);
}

void pd_fixture_advance(pd_fixture_t *fixture, int64_t ns)
{
    int64_t until_ns = fixture->now_ns + ns;

    for (;;) {
        pd_execution_t *exec = pd_fixture_current(fixture);
        int64_t next_ns = exec ? pd_execution_next_deadline_ns(exec, fixture->now_ns) : INT64_MAX;
        pd_command_t command = {.kind = &pd_command_fire_timers};

        if (next_ns > until_ns)
            break;
        if (next_ns > fixture->now_ns)
            fixture->now_ns = next_ns;
        assert_null(pd_fixture_run(fixture, &command));
        if (!fixture->recorded)
            break;
    }
    fixture->now_ns = until_ns;
}

const Perdure__V1__TaskToken *pd_fixture_poll(pd_fixture_t *fixture, const char *task_queue)
{
    pd_execution_t *exec = pd_fixture_current(fixture);
    const Perdure__V1__WorkflowTaskRow *task = exec ? exec->row->workflow_task : NULL;
    pd_poll_t *poll = PD_ARENA_NEW(&fixture->arena, pd_poll_t);
    pd_command_t command = {.kind = &pd_command_start_workflow_task, .poll = poll};
    Perdure__V1__TaskToken *token;

    if (!task)
        return NULL;
    poll->task_queue = task_queue ? task_queue : "q";
    poll->identity = "worker";
    poll->request_id = pd_arena_printf(&fixture->arena, "poll-%zu", fixture->record_count);
    command.scheduled_event_id = task->scheduled_event_id;
    command.attempt = task->attempt;
    if (pd_fixture_run(fixture, &command))
        return NULL;
    exec = pd_fixture_current(fixture);
    task = exec->row->workflow_task;
    token = PD_FIXTURE_NEW(fixture, Perdure__V1__TaskToken, perdure__v1__task_token);
    token->namespace_id = (char *)fixture->ns.id;
    token->workflow_id = pd_arena_strdup(&fixture->arena, exec->row->workflow_id);
    token->run_id = pd_arena_strdup(&fixture->arena, exec->row->run_id);
    token->scheduled_event_id = task->scheduled_event_id;
    token->started_event_id = task->started_event_id;
    token->attempt = task->attempt;
    token->started_time_ns = task->started_time_ns;
    return token;
}

Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *
pd_fixture_completion(pd_fixture_t *fixture, Temporal__Api__Command__V1__Command **commands,
                      size_t command_count)
{
    Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request =
        PD_FIXTURE_NEW(fixture,
                       Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest,
                       temporal__api__workflowservice__v1__respond_workflow_task_completed_request);

    request->identity = (char *)"worker";
    request->commands = commands;
    request->n_commands = command_count;
    return request;
}

const pd_rpc_error_t *pd_fixture_complete_with(
    pd_fixture_t *fixture, const Perdure__V1__TaskToken *token,
    const Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request)
{
    pd_command_t command = {.kind = &pd_command_complete_workflow_task,
                            .request = request,
                            .token = token,
                            .workflow_id = token->workflow_id,
                            .run_id = token->run_id};

    return pd_fixture_run(fixture, &command);
}

const pd_rpc_error_t *pd_fixture_complete(pd_fixture_t *fixture,
                                          const Perdure__V1__TaskToken *token,
                                          Temporal__Api__Command__V1__Command *command)
{
    return pd_fixture_complete_with(fixture, token,
                                    pd_fixture_completion(fixture, &command, command != NULL));
}

const pd_rpc_error_t *pd_fixture_fail_task(pd_fixture_t *fixture,
                                           const Perdure__V1__TaskToken *token)
{
    Temporal__Api__Workflowservice__V1__RespondWorkflowTaskFailedRequest *request = PD_FIXTURE_NEW(
        fixture, Temporal__Api__Workflowservice__V1__RespondWorkflowTaskFailedRequest,
        temporal__api__workflowservice__v1__respond_workflow_task_failed_request);
    pd_command_t command = {.kind = &pd_command_fail_workflow_task,
                            .request = request,
                            .token = token,
                            .workflow_id = token->workflow_id,
                            .run_id = token->run_id};

    request->cause = PD_WFT_CAUSE(WORKFLOW_WORKER_UNHANDLED_FAILURE);
    request->identity = (char *)"worker";
    return pd_fixture_run(fixture, &command);
}

/* ---- looking ---- */

pd_execution_t *pd_fixture_current(pd_fixture_t *fixture)
{
    pd_execution_t *exec = NULL;
    pd_error_t error;

    assert_int_equal(
        pd_store_current(fixture->store, fixture->ns.id, fixture->workflow_id, &exec, &error),
        PD_OK);
    return exec;
}

pd_execution_t *pd_fixture_run_of(pd_fixture_t *fixture, const char *run_id)
{
    pd_execution_t *exec = NULL;
    pd_error_t error;

    assert_int_equal(pd_store_execution(fixture->store, fixture->ns.id, fixture->workflow_id,
                                        run_id, &exec, &error),
                     PD_OK);
    return exec;
}

pd_history_event_t *pd_fixture_event(pd_fixture_t *fixture, pd_execution_t *exec, int64_t event_id)
{
    pd_history_event_t *event = NULL;
    pd_error_t error;

    assert_int_equal(
        pd_store_history_event(fixture->store, exec, event_id, &fixture->arena, &event, &error),
        PD_OK);
    assert_non_null(event);
    return event;
}

const char *pd_fixture_types(pd_fixture_t *fixture, pd_execution_t *exec)
{
    char *types = pd_arena_strdup(&fixture->arena, "");

    for (int64_t id = 1; id < exec->row->next_event_id; id++) {
        pd_history_event_t *event = pd_fixture_event(fixture, exec, id);
        const char *name =
            pd_enum_name(&fixture->arena, &temporal__api__enums__v1__event_type__descriptor,
                         "EVENT_TYPE_", (int)event->event_type);

        assert_int_equal(event->event_id, id);
        types = pd_arena_printf(&fixture->arena, "%s%s%s", types, id > 1 ? " " : "", name);
    }
    return types;
}

void pd_fixture_check_replay(pd_fixture_t *fixture)
{
    pd_store_t *other = open_store(fixture->shared, "/replayed");
    pd_buf_t ours, theirs;
    pd_error_t error;

    pd_buf_init(&ours, 64 << 20);
    pd_buf_init(&theirs, 64 << 20);
    for (size_t i = 0; i < fixture->record_count; i++)
        apply(other, fixture->records[i]);
    assert_int_equal(pd_store_dump(fixture->store, &ours, &error), PD_OK);
    assert_int_equal(pd_store_dump(other, &theirs, &error), PD_OK);
    assert_true(pd_bytes_equal(pd_buf_bytes(&ours), pd_buf_bytes(&theirs)));
    pd_buf_deinit(&ours);
    pd_buf_deinit(&theirs);
    pd_store_free(other);
}
