#include "tests/unit/state/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/pb/time.h"

enum { EVENTS_MAX = 2000, RUNS_MAX = 4 };

#define HISTORY(NAME, name, Name)                                                                  \
    Temporal__Api__History__V1__##Name##EventAttributes *a = fixture_history(                      \
        f, TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME,                                \
        TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##NAME##_EVENT_ATTRIBUTES,           \
        &temporal__api__history__v1__##name##_event_attributes__descriptor)
#define INTERNAL(NAME, name, Name)                                                                 \
    Perdure__V1__##Name *a =                                                                       \
        fixture_internal(f, PERDURE__V1__EVENT__KIND_##NAME, &perdure__v1__##name##__descriptor)

static void open_store(fixture_t *f)
{
    pd_store_options_t options = {
        .path = "/fixture/state", .shared = f->shared, .partition = 0, .cache_size_max = 1 << 20};
    pd_error_t error = {.text = ""};

    if (pd_store_open(&options, &f->store, &error) != PD_OK)
        fail_msg("%s", error.text);
}

static void open_shared(fixture_t *f, bool simulated)
{
    pd_store_shared_options_t options = {.block_cache_size = 8 << 20,
                                         .write_buffer_size = 8 << 20,
                                         .store_count = 1,
                                         .in_memory = true,
                                         .simulated = simulated};
    pd_error_t error;

    memset(f, 0, sizeof(*f));
    pd_arena_init(&f->arena);
    f->now_ns = 1750000000 * S;
    assert_int_equal(pd_store_shared_new(&options, &f->shared, &error), PD_OK);
    open_store(f);
}

void fixture_open(fixture_t *f)
{
    open_shared(f, false);
}

void fixture_open_simulated(fixture_t *f)
{
    open_shared(f, true);
}

void fixture_close(fixture_t *f)
{
    pd_store_free(f->store);
    pd_store_shared_free(f->shared);
    pd_arena_deinit(&f->arena);
}

void fixture_reopen(fixture_t *f)
{
    pd_store_free(f->store);
    open_store(f);
}

static char *text(fixture_t *f, const char *from)
{
    return pd_arena_strdup(&f->arena, from);
}

void fixture_run(fixture_t *f, const char *run_id, int64_t next_event_id)
{
    Perdure__V1__Transition *transition = f->record->transition;

    f->run = PD_PB_NEW(&f->arena, Perdure__V1__RunEvents, perdure__v1__run_events);
    f->run->run_id = text(f, run_id);
    f->run->events = pd_arena_alloc(&f->arena, EVENTS_MAX * sizeof(f->run->events[0]));
    f->next_event_id = next_event_id;
    transition->runs[transition->n_runs++] = f->run;
}

void fixture_begin(fixture_t *f, const char *workflow_id, const char *run_id)
{
    pd_execution_t *exec;
    pd_error_t error;

    pd_arena_reset(&f->arena);
    f->now_ns += S;
    f->buffer = false;
    f->record = PD_PB_NEW(&f->arena, Perdure__V1__Record, perdure__v1__record);
    f->record->time_ns = f->now_ns;
    f->record->body_case = PERDURE__V1__RECORD__BODY_TRANSITION;
    f->record->transition = PD_PB_NEW(&f->arena, Perdure__V1__Transition, perdure__v1__transition);
    f->record->transition->namespace_id = (char *)FIXTURE_NAMESPACE;
    f->record->transition->workflow_id = text(f, workflow_id);
    f->record->transition->runs = pd_arena_alloc(&f->arena, RUNS_MAX * sizeof(f->run));
    assert_int_equal(
        pd_store_execution(f->store, FIXTURE_NAMESPACE, workflow_id, run_id, &exec, &error), PD_OK);
    fixture_run(f, run_id, exec ? exec->row->next_event_id : 1);
}

void fixture_apply(fixture_t *f)
{
    pd_error_t error = {.text = ""};

    if (pd_store_apply(f->store, f->record, &error) != PD_OK)
        fail_msg("%s", error.text);
    f->offset++;
}

void fixture_flush(fixture_t *f)
{
    pd_store_position_t position = {.applied_offset = f->offset};
    pd_error_t error = {.text = ""};

    pd_store_flush_begin(f->store);
    if (pd_store_flush_commit(f->store, &position, &error) != PD_OK)
        fail_msg("%s", error.text);
}

pd_execution_t *fixture_current(fixture_t *f, const char *workflow_id)
{
    pd_execution_t *exec;
    pd_error_t error = {.text = ""};

    if (pd_store_current(f->store, FIXTURE_NAMESPACE, workflow_id, &exec, &error) != PD_OK)
        fail_msg("%s", error.text);
    return exec;
}

static void add(fixture_t *f, Perdure__V1__Event__KindCase kind, void *message)
{
    Perdure__V1__Event *event = PD_PB_NEW(&f->arena, Perdure__V1__Event, perdure__v1__event);

    assert_true(f->run->n_events < EVENTS_MAX);
    event->kind_case = kind;
    event->run_created = message;
    f->run->events[f->run->n_events++] = event;
}

void *fixture_internal(fixture_t *f, Perdure__V1__Event__KindCase kind,
                       const ProtobufCMessageDescriptor *type)
{
    void *message = pd_pb_new(type, &f->arena);

    add(f, kind, message);
    return message;
}

void fixture_buffer(fixture_t *f)
{
    f->buffer = true;
}

void *fixture_history(fixture_t *f, int type, int attributes_case,
                      const ProtobufCMessageDescriptor *descriptor)
{
    pd_history_event_t *event =
        PD_PB_NEW(&f->arena, pd_history_event_t, temporal__api__history__v1__history_event);

    event->event_time = pd_pb_timestamp(&f->arena, f->now_ns);
    event->event_type = (Temporal__Api__Enums__V1__EventType)type;
    event->attributes_case =
        (Temporal__Api__History__V1__HistoryEvent__AttributesCase)attributes_case;
    event->workflow_execution_started_event_attributes = pd_pb_new(descriptor, &f->arena);
    if (f->buffer) {
        INTERNAL(EVENT_BUFFERED, event_buffered, EventBuffered);
        a->event = event;
    } else {
        event->event_id = f->next_event_id++;
        add(f, PERDURE__V1__EVENT__KIND_HISTORY, event);
    }
    return event->workflow_execution_started_event_attributes;
}

/* ---- events ---- */

static Temporal__Api__Taskqueue__V1__TaskQueue *queue(fixture_t *f, const char *name, bool sticky)
{
    Temporal__Api__Taskqueue__V1__TaskQueue *made =
        PD_PB_NEW(&f->arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                  temporal__api__taskqueue__v1__task_queue);

    made->name = text(f, name);
    made->kind = sticky ? 2 : 1;
    return made;
}

void fixture_created(fixture_t *f, const char *previous_run_id)
{
    INTERNAL(RUN_CREATED, run_created, RunCreated);

    a->request_id = (char *)"request";
    a->previous_run_id = text(f, previous_run_id);
    a->retention_ns = FIXTURE_RETENTION_NS;
}

void fixture_started(fixture_t *f, const char *first_run_id)
{
    HISTORY(WORKFLOW_EXECUTION_STARTED, workflow_execution_started, WorkflowExecutionStarted);

    a->workflow_type = PD_PB_NEW(&f->arena, Temporal__Api__Common__V1__WorkflowType,
                                 temporal__api__common__v1__workflow_type);
    a->workflow_type->name = (char *)"Order";
    a->task_queue = queue(f, "orders", false);
    a->first_execution_run_id = text(f, first_run_id);
    a->original_execution_run_id = f->run->run_id;
    a->attempt = 1;
}

void fixture_start(fixture_t *f, const char *workflow_id, const char *run_id)
{
    fixture_begin(f, workflow_id, run_id);
    fixture_created(f, "");
    fixture_started(f, run_id);
    fixture_task_scheduled(f, "orders", false, 1);
    fixture_apply(f);
}

void fixture_task_scheduled(fixture_t *f, const char *queue_name, bool sticky, int32_t attempt)
{
    HISTORY(WORKFLOW_TASK_SCHEDULED, workflow_task_scheduled, WorkflowTaskScheduled);

    a->task_queue = queue(f, queue_name, sticky);
    a->start_to_close_timeout = pd_pb_duration(&f->arena, 10 * S);
    a->attempt = attempt;
}

void fixture_task_started(fixture_t *f, int64_t scheduled_event_id)
{
    HISTORY(WORKFLOW_TASK_STARTED, workflow_task_started, WorkflowTaskStarted);

    a->scheduled_event_id = scheduled_event_id;
    a->identity = (char *)"worker";
}

void fixture_task_completed(fixture_t *f, int64_t scheduled_event_id, int64_t started_event_id)
{
    HISTORY(WORKFLOW_TASK_COMPLETED, workflow_task_completed, WorkflowTaskCompleted);

    a->scheduled_event_id = scheduled_event_id;
    a->started_event_id = started_event_id;
}

void fixture_sticky(fixture_t *f, const char *queue_name, int64_t timeout_ns)
{
    INTERNAL(STICKY_QUEUE_CHANGED, sticky_queue_changed, StickyQueueChanged);

    a->worker_task_queue = text(f, queue_name);
    a->schedule_to_start_timeout_ns = timeout_ns;
}

void fixture_activity_scheduled(fixture_t *f, const char *activity_id,
                                int64_t start_to_close_timeout_ns)
{
    HISTORY(ACTIVITY_TASK_SCHEDULED, activity_task_scheduled, ActivityTaskScheduled);

    a->activity_id = text(f, activity_id);
    a->task_queue = queue(f, "orders", false);
    a->start_to_close_timeout = pd_pb_duration(&f->arena, start_to_close_timeout_ns);
}

void fixture_attempt_started(fixture_t *f, int64_t scheduled_event_id, int32_t attempt)
{
    INTERNAL(ACTIVITY_ATTEMPT_STARTED, activity_attempt_started, ActivityAttemptStarted);

    a->scheduled_event_id = scheduled_event_id;
    a->attempt = attempt;
    a->time_ns = f->now_ns;
    a->identity = (char *)"worker";
}

void fixture_activity_completed(fixture_t *f, int64_t scheduled_event_id)
{
    HISTORY(ACTIVITY_TASK_COMPLETED, activity_task_completed, ActivityTaskCompleted);

    a->scheduled_event_id = scheduled_event_id;
}

void fixture_timer_started(fixture_t *f, const char *timer_id, int64_t timeout_ns)
{
    HISTORY(TIMER_STARTED, timer_started, TimerStarted);

    a->timer_id = text(f, timer_id);
    a->start_to_fire_timeout = pd_pb_duration(&f->arena, timeout_ns);
}

void fixture_timer_fired(fixture_t *f, const char *timer_id, int64_t started_event_id)
{
    HISTORY(TIMER_FIRED, timer_fired, TimerFired);

    a->timer_id = text(f, timer_id);
    a->started_event_id = started_event_id;
}

void fixture_signaled(fixture_t *f, const char *request_id)
{
    HISTORY(WORKFLOW_EXECUTION_SIGNALED, workflow_execution_signaled, WorkflowExecutionSignaled);

    a->signal_name = (char *)"approve";
    a->request_id = text(f, request_id);
}

void fixture_workflow_completed(fixture_t *f)
{
    HISTORY(WORKFLOW_EXECUTION_COMPLETED, workflow_execution_completed, WorkflowExecutionCompleted);

    a->workflow_task_completed_event_id = f->next_event_id - 2;
}

void fixture_terminated(fixture_t *f)
{
    HISTORY(WORKFLOW_EXECUTION_TERMINATED, workflow_execution_terminated,
            WorkflowExecutionTerminated);

    a->reason = (char *)"operator";
}

void fixture_continued_as_new(fixture_t *f, const char *next_run_id)
{
    HISTORY(WORKFLOW_EXECUTION_CONTINUED_AS_NEW, workflow_execution_continued_as_new,
            WorkflowExecutionContinuedAsNew);

    a->new_execution_run_id = text(f, next_run_id);
}
