#include "tests/unit/state/generator.h"

#include "tests/unit/state/generator_private.h"

enum { RUNS_MAX = 2 };

#define ATTRIBUTES(name) (&temporal__api__history__v1__##name##_event_attributes__descriptor)
#define CANCEL_REQUESTED ATTRIBUTES(workflow_execution_cancel_requested)
#define SIGNALED ATTRIBUTES(workflow_execution_signaled)

void pd_generator_init(pd_generator_t *gen, pd_store_t *store, uint64_t seed,
                       uint32_t workflow_count)
{
    memset(gen, 0, sizeof(*gen));
    pd_random_init(&gen->random, seed);
    pd_arena_init(&gen->arena);
    gen->store = store;
    gen->workflow_count = workflow_count;
    gen->now_ns = 1750000000 * S;
}

void pd_generator_deinit(pd_generator_t *gen)
{
    pd_arena_deinit(&gen->arena);
}

pd_bytes_t pd_generator_pack(pd_generator_t *gen, const Perdure__V1__Record *record)
{
    return pd_pb_pack_arena(record, &gen->arena);
}

/* ---- what happens to a run ---- */

static void schedule_task(pd_generator_t *gen, bool sticky)
{
    EVENT(gen, WORKFLOW_TASK_SCHEDULED, workflow_task_scheduled, WorkflowTaskScheduled);

    a->task_queue = gen_queue(gen, sticky);
    a->start_to_close_timeout = pd_pb_duration(&gen->arena, 10 * S);
    a->attempt = 1;
}

static bool is_sticky(pd_generator_t *gen)
{
    return gen->exec->row->sticky_task_queue[0];
}

/* Something new for the workflow: a task, unless one is there or it is too early. */
static void wake(pd_generator_t *gen)
{
    const Perdure__V1__ExecutionRow *row = gen->exec->row;

    if (!row->workflow_task && !row->first_task_not_before_ns)
        schedule_task(gen, is_sticky(gen));
    else if (row->workflow_task && row->workflow_task->transient &&
             !row->workflow_task->started_event_id)
        schedule_task(gen, false);
}

static void begin_run(pd_generator_t *gen, const char *run_id)
{
    Perdure__V1__RunEvents *run =
        PD_PB_NEW(&gen->arena, Perdure__V1__RunEvents, perdure__v1__run_events);
    Perdure__V1__Transition *transition = gen->record->transition;

    PD_ASSERT(transition->n_runs < RUNS_MAX);
    run->run_id = (char *)run_id;
    run->events = pd_arena_alloc(&gen->arena, GENERATOR_EVENTS_MAX * sizeof(run->events[0]));
    transition->runs[transition->n_runs++] = run;
    gen->run = run;
}

static void start_run(pd_generator_t *gen, const char *run_id, const char *previous_run_id)
{
    bool backoff = gen_chance(gen, 20), is_child = !previous_run_id[0] && gen_chance(gen, 20);

    begin_run(gen, run_id);
    gen->exec = NULL;
    gen->next_event_id = 1;
    gen->started_count++;
    {
        INTERNAL(gen, RUN_CREATED, run_created, RunCreated);
        a->request_id = gen_new_id(gen, "request-");
        a->previous_run_id = (char *)previous_run_id;
        a->first_task_not_before_ns = backoff ? gen->now_ns + 5 * S : 0;
        a->run_deadline_ns = gen_chance(gen, 30) ? gen->now_ns + 3600 * S : 0;
        a->execution_deadline_ns = gen_chance(gen, 30) ? gen->now_ns + 7200 * S : 0;
        a->retention_ns = 86400 * S;
        a->awaits_parent = is_child;
    }
    {
        EVENT(gen, WORKFLOW_EXECUTION_STARTED, workflow_execution_started,
              WorkflowExecutionStarted);
        a->workflow_type = PD_PB_NEW(&gen->arena, Temporal__Api__Common__V1__WorkflowType,
                                     temporal__api__common__v1__workflow_type);
        a->workflow_type->name = (char *)"OrderWorkflow";
        a->task_queue = gen_queue(gen, false);
        a->input = gen_payloads(gen);
        a->attempt = 1;
        a->first_execution_run_id = (char *)(previous_run_id[0] ? previous_run_id : run_id);
        a->original_execution_run_id = (char *)run_id;
        a->workflow_task_timeout = pd_pb_duration(&gen->arena, 10 * S);
        a->memo = gen_chance(gen, 50) ? gen_memo(gen) : NULL;
        a->first_workflow_task_backoff = backoff ? pd_pb_duration(&gen->arena, 5 * S) : NULL;
        if (is_child)
            gen_set_parent(gen, a);
    }
    if (!backoff && !is_child)
        schedule_task(gen, false);
}

static void signal_run(pd_generator_t *gen)
{
    Temporal__Api__History__V1__WorkflowExecutionSignaledEventAttributes *a = pd_pb_new(
        &temporal__api__history__v1__workflow_execution_signaled_event_attributes__descriptor,
        &gen->arena);

    a->signal_name = (char *)"approve";
    a->input = gen_payloads(gen);
    a->request_id = gen_chance(gen, 80) ? gen_new_id(gen, "signal-") : (char *)"";
    gen_add_outside(gen, TYPE(WORKFLOW_EXECUTION_SIGNALED), CASE(WORKFLOW_EXECUTION_SIGNALED), a);
    wake(gen);
}

static void cancel_run(pd_generator_t *gen)
{
    Temporal__Api__History__V1__WorkflowExecutionCancelRequestedEventAttributes *a =
        pd_pb_new(CANCEL_REQUESTED, &gen->arena);

    a->cause = (char *)"enough";
    gen_add_outside(gen, TYPE(WORKFLOW_EXECUTION_CANCEL_REQUESTED),
                    CASE(WORKFLOW_EXECUTION_CANCEL_REQUESTED), a);
    wake(gen);
}

static void fire_timer(pd_generator_t *gen, const Perdure__V1__TimerRow *timer)
{
    Temporal__Api__History__V1__TimerFiredEventAttributes *a = pd_pb_new(
        &temporal__api__history__v1__timer_fired_event_attributes__descriptor, &gen->arena);

    a->timer_id = pd_arena_strdup(&gen->arena, timer->timer_id);
    a->started_event_id = timer->started_event_id;
    gen_add_outside(gen, TYPE(TIMER_FIRED), CASE(TIMER_FIRED), a);
    wake(gen);
}

static void end_activity(pd_generator_t *gen, const Perdure__V1__ActivityRow *activity)
{
    Temporal__Api__History__V1__ActivityTaskStartedEventAttributes *started =
        pd_pb_new(&temporal__api__history__v1__activity_task_started_event_attributes__descriptor,
                  &gen->arena);

    started->scheduled_event_id = activity->scheduled_event_id;
    started->attempt = activity->attempt;
    started->identity = pd_arena_strdup(&gen->arena, activity->identity);
    gen_add_outside(gen, TYPE(ACTIVITY_TASK_STARTED), CASE(ACTIVITY_TASK_STARTED), started);
    if (gen_chance(gen, 70)) {
        Temporal__Api__History__V1__ActivityTaskCompletedEventAttributes *a = pd_pb_new(
            &temporal__api__history__v1__activity_task_completed_event_attributes__descriptor,
            &gen->arena);

        a->scheduled_event_id = activity->scheduled_event_id;
        a->result = gen_payloads(gen);
        gen_add_outside(gen, TYPE(ACTIVITY_TASK_COMPLETED), CASE(ACTIVITY_TASK_COMPLETED), a);
    } else {
        Temporal__Api__History__V1__ActivityTaskFailedEventAttributes *a = pd_pb_new(
            &temporal__api__history__v1__activity_task_failed_event_attributes__descriptor,
            &gen->arena);

        a->scheduled_event_id = activity->scheduled_event_id;
        gen_add_outside(gen, TYPE(ACTIVITY_TASK_FAILED), CASE(ACTIVITY_TASK_FAILED), a);
    }
    wake(gen);
}

static bool advance_activity(pd_generator_t *gen, const Perdure__V1__ActivityRow *activity)
{
    if (activity->close_buffered)
        return false;
    if (!activity->started_time_ns) {
        INTERNAL(gen, ACTIVITY_ATTEMPT_STARTED, activity_attempt_started, ActivityAttemptStarted);
        a->scheduled_event_id = activity->scheduled_event_id;
        a->attempt = activity->attempt;
        a->time_ns = gen->now_ns;
        a->identity = (char *)"worker-7";
        a->request_id = gen_new_id(gen, "");
        return true;
    }
    if (gen_chance(gen, 50)) {
        end_activity(gen, activity);
    } else if (gen_chance(gen, 50)) {
        INTERNAL(gen, ACTIVITY_HEARTBEAT_RECORDED, activity_heartbeat_recorded,
                 ActivityHeartbeatRecorded);
        a->scheduled_event_id = activity->scheduled_event_id;
        a->time_ns = gen->now_ns;
        a->details = gen_chance(gen, 50) ? gen_payloads(gen) : NULL;
    } else {
        INTERNAL(gen, ACTIVITY_RETRY_SCHEDULED, activity_retry_scheduled, ActivityRetryScheduled);
        a->scheduled_event_id = activity->scheduled_event_id;
        a->attempt = activity->attempt + 1;
        a->not_before_ns = gen->now_ns + (int64_t)gen_below(gen, 10) * S;
        a->last_worker_identity = (char *)"worker-7";
        a->last_failure = PD_PB_NEW(&gen->arena, Temporal__Api__Failure__V1__Failure,
                                    temporal__api__failure__v1__failure);
        a->last_failure->message = (char *)"no stock";
    }
    return true;
}

/* Empties the buffer: its events follow, activities' ends last. True when there were any. */
static bool flush_buffer(pd_generator_t *gen, bool timers_gone)
{
    const Perdure__V1__ExecutionRow *row = gen->exec->row;
    size_t count = row->n_buffered_events;

    if (count == 0)
        return false;
    gen_add_internal(gen, PERDURE__V1__EVENT__KIND_BUFFERED_EVENTS_FLUSHED,
                     &perdure__v1__buffered_events_flushed__descriptor);
    for (size_t i = 0; i < count; i++) {
        pd_history_event_t *event = pd_pb_clone(row->buffered_events[i], &gen->arena);

        if (!(timers_gone && event->event_type == TYPE(TIMER_FIRED)))
            gen_add_history(gen, event);
    }
    return true;
}

static void schedule_activity(pd_generator_t *gen, int64_t completed_event_id)
{
    EVENT(gen, ACTIVITY_TASK_SCHEDULED, activity_task_scheduled, ActivityTaskScheduled);

    a->activity_id = pd_arena_printf(&gen->arena, "%lld", (long long)gen->next_event_id);
    a->activity_type = PD_PB_NEW(&gen->arena, Temporal__Api__Common__V1__ActivityType,
                                 temporal__api__common__v1__activity_type);
    a->activity_type->name = (char *)"charge";
    a->task_queue = gen_queue(gen, false);
    a->input = gen_payloads(gen);
    a->start_to_close_timeout = gen_duration(gen, 80, 60);
    a->schedule_to_close_timeout = gen_duration(gen, 50, 600);
    a->schedule_to_start_timeout = gen_duration(gen, 30, 600);
    a->heartbeat_timeout = gen_duration(gen, 30, 10);
    a->workflow_task_completed_event_id = completed_event_id;
    a->retry_policy = PD_PB_NEW(&gen->arena, Temporal__Api__Common__V1__RetryPolicy,
                                temporal__api__common__v1__retry_policy);
    a->retry_policy->backoff_coefficient = 2;
    a->retry_policy->initial_interval = pd_pb_duration(&gen->arena, S);
}

static void command(pd_generator_t *gen, int64_t completed_event_id)
{
    switch (gen_below(gen, 7)) {
    case 5:
    case 6:
        gen_ask_others(gen, completed_event_id);
        return;
    case 0:
    case 1:
        schedule_activity(gen, completed_event_id);
        return;
    case 2: {
        EVENT(gen, TIMER_STARTED, timer_started, TimerStarted);
        a->timer_id = pd_arena_printf(&gen->arena, "timer-%lld", (long long)gen->next_event_id);
        a->start_to_fire_timeout = pd_pb_duration(&gen->arena, (int64_t)gen_below(gen, 100) * S);
        return;
    }
    case 3: {
        EVENT(gen, WORKFLOW_PROPERTIES_MODIFIED, workflow_properties_modified,
              WorkflowPropertiesModified);
        a->upserted_memo = gen_memo(gen);
        return;
    }
    default: {
        EVENT(gen, MARKER_RECORDED, marker_recorded, MarkerRecorded);
        a->marker_name = (char *)"version";
        return;
    }
    }
}

static void close_run(pd_generator_t *gen, int64_t completed_event_id)
{
    if (gen_chance(gen, 60)) {
        EVENT(gen, WORKFLOW_EXECUTION_COMPLETED, workflow_execution_completed,
              WorkflowExecutionCompleted);
        a->result = gen_payloads(gen);
        a->workflow_task_completed_event_id = completed_event_id;
    } else {
        char *next_run_id = gen_new_id(gen, "");
        char *run_id = pd_arena_strdup(&gen->arena, gen->exec->row->run_id);
        EVENT(gen, WORKFLOW_EXECUTION_CONTINUED_AS_NEW, workflow_execution_continued_as_new,
              WorkflowExecutionContinuedAsNew);
        a->new_execution_run_id = next_run_id;
        start_run(gen, next_run_id, run_id);
    }
}

static void complete_task(pd_generator_t *gen)
{
    const Perdure__V1__ExecutionRow *row = gen->exec->row;
    const Perdure__V1__WorkflowTaskRow *task = row->workflow_task;
    int64_t completed_event_id;
    bool timers_gone = false;

    if (task->transient) {
        int32_t attempt = task->attempt;
        {
            INTERNAL(gen, TRANSIENT_TASK_ENDED, transient_task_ended, TransientTaskEnded);
            a->scheduled_event_id = task->scheduled_event_id;
        }
        {
            EVENT(gen, WORKFLOW_TASK_SCHEDULED, workflow_task_scheduled, WorkflowTaskScheduled);
            a->attempt = attempt;
            a->task_queue = gen_queue(gen, false);
        }
        {
            EVENT(gen, WORKFLOW_TASK_STARTED, workflow_task_started, WorkflowTaskStarted);
            a->scheduled_event_id = gen->next_event_id - 2;
        }
    }
    completed_event_id = gen->next_event_id;
    {
        EVENT(gen, WORKFLOW_TASK_COMPLETED, workflow_task_completed, WorkflowTaskCompleted);
        a->scheduled_event_id = task->transient ? gen->next_event_id - 3 : task->scheduled_event_id;
        a->started_event_id = task->transient ? gen->next_event_id - 2 : task->started_event_id;
        a->identity = (char *)"worker-7";
    }
    if (gen_chance(gen, 50)) {
        INTERNAL(gen, STICKY_QUEUE_CHANGED, sticky_queue_changed, StickyQueueChanged);
        a->worker_task_queue = (char *)(gen_chance(gen, 70) ? "worker-7:sticky" : "");
        a->schedule_to_start_timeout_ns = 10 * S;
    }
    for (uint64_t i = gen_below(gen, 4); i > 0; i--)
        command(gen, completed_event_id);
    if (gen_chance(gen, 20)) {
        for (size_t i = 0; i < row->n_timers && i < 4; i++) {
            EVENT(gen, TIMER_CANCELED, timer_canceled, TimerCanceled);
            a->timer_id = pd_arena_strdup(&gen->arena, row->timers[i]->timer_id);
            a->started_event_id = row->timers[i]->started_event_id;
        }
        timers_gone = row->n_timers <= 4;
        if (!timers_gone)
            gen->run->n_events -= 4, gen->next_event_id -= 4;
    }
    if (flush_buffer(gen, timers_gone))
        schedule_task(gen, false);
    else if (gen_chance(gen, 20))
        close_run(gen, completed_event_id);
}

static void fail_task(pd_generator_t *gen)
{
    const Perdure__V1__WorkflowTaskRow *task = gen->exec->row->workflow_task;
    int32_t attempt = task->attempt;

    if (task->transient) {
        INTERNAL(gen, TRANSIENT_TASK_ENDED, transient_task_ended, TransientTaskEnded);
        a->scheduled_event_id = task->scheduled_event_id;
        a->cause = 3;
    } else {
        EVENT(gen, WORKFLOW_TASK_FAILED, workflow_task_failed, WorkflowTaskFailed);
        a->scheduled_event_id = task->scheduled_event_id;
        a->started_event_id = task->started_event_id;
        a->cause = 2;
    }
    if (flush_buffer(gen, false)) {
        schedule_task(gen, false);
    } else {
        INTERNAL(gen, TRANSIENT_TASK_SCHEDULED, transient_task_scheduled, TransientTaskScheduled);
        a->scheduled_event_id = gen->next_event_id;
        a->attempt = attempt + 1;
        a->time_ns = gen->now_ns;
        a->task_queue = gen_queue(gen, false);
        a->start_to_close_timeout_ns = 10 * S;
    }
}

static void take_task(pd_generator_t *gen)
{
    const Perdure__V1__WorkflowTaskRow *task = gen->exec->row->workflow_task;

    if (task->transient) {
        INTERNAL(gen, TRANSIENT_TASK_STARTED, transient_task_started, TransientTaskStarted);
        a->scheduled_event_id = task->scheduled_event_id;
        a->started_event_id = task->scheduled_event_id + 1;
        a->time_ns = gen->now_ns;
        a->identity = (char *)"worker-7";
    } else if (task->sticky && gen_chance(gen, 20)) {
        {
            EVENT(gen, WORKFLOW_TASK_TIMED_OUT, workflow_task_timed_out, WorkflowTaskTimedOut);
            a->scheduled_event_id = task->scheduled_event_id;
        }
        gen_add_internal(gen, PERDURE__V1__EVENT__KIND_STICKY_QUEUE_CHANGED,
                         &perdure__v1__sticky_queue_changed__descriptor);
        schedule_task(gen, false);
    } else {
        EVENT(gen, WORKFLOW_TASK_STARTED, workflow_task_started, WorkflowTaskStarted);
        a->scheduled_event_id = task->scheduled_event_id;
        a->request_id = gen_new_id(gen, "");
        a->identity = (char *)"worker-7";
        a->history_size_bytes = gen->exec->row->history_size_bytes;
    }
}

static void terminate_run(pd_generator_t *gen)
{
    const Perdure__V1__WorkflowTaskRow *task = gen->exec->row->workflow_task;

    if (task && task->started_event_id && !task->transient) {
        EVENT(gen, WORKFLOW_TASK_FAILED, workflow_task_failed, WorkflowTaskFailed);
        a->scheduled_event_id = task->scheduled_event_id;
        a->started_event_id = task->started_event_id;
    }
    flush_buffer(gen, false);
    EVENT(gen, WORKFLOW_EXECUTION_TERMINATED, workflow_execution_terminated,
          WorkflowExecutionTerminated);
    a->reason = (char *)"operator";
}

static void advance_run(pd_generator_t *gen)
{
    const Perdure__V1__ExecutionRow *row = gen->exec->row;
    uint64_t dice = gen_below(gen, 100);

    if (dice < 3) {
        terminate_run(gen);
    } else if (dice < 20) {
        signal_run(gen);
    } else if (dice < 23 && !row->cancel_requested) {
        cancel_run(gen);
    } else if (dice < 50 && row->n_activities &&
               advance_activity(gen, row->activities[gen_below(gen, row->n_activities)])) {
        return;
    } else if (dice < 55 && gen_hear_of_others(gen)) {
        wake(gen);
    } else if (row->awaits_parent) {
        gen_add_internal(gen, PERDURE__V1__EVENT__KIND_FIRST_TASK_RELEASED,
                         &perdure__v1__first_task_released__descriptor);
        wake(gen);
    } else if (dice < 60 && row->n_timers) {
        const Perdure__V1__TimerRow *timer = row->timers[gen_below(gen, row->n_timers)];

        if (timer->fire_buffered)
            signal_run(gen);
        else
            fire_timer(gen, timer);
    } else if (!row->workflow_task && row->first_task_not_before_ns) {
        gen_add_internal(gen, PERDURE__V1__EVENT__KIND_FIRST_TASK_BACKOFF_ENDED,
                         &perdure__v1__first_task_backoff_ended__descriptor);
        schedule_task(gen, false);
    } else if (!row->workflow_task) {
        signal_run(gen);
    } else if (!row->workflow_task->started_event_id) {
        take_task(gen);
    } else if (gen_chance(gen, 85)) {
        complete_task(gen);
    } else {
        fail_task(gen);
    }
}

const Perdure__V1__Record *pd_generator_next(pd_generator_t *gen)
{
    Perdure__V1__Transition *transition;
    pd_error_t error;
    uint64_t number = gen_below(gen, gen->workflow_count);

    pd_arena_reset(&gen->arena);
    gen->now_ns += (int64_t)gen_below(gen, 2000000000);
    gen->record = PD_PB_NEW(&gen->arena, Perdure__V1__Record, perdure__v1__record);
    gen->record->time_ns = gen->now_ns;
    if (gen_chance(gen, 1)) {
        gen->record->body_case = PERDURE__V1__RECORD__BODY_NAMESPACE_REGISTERED;
        gen->record->namespace_registered = PD_PB_NEW(&gen->arena, Perdure__V1__NamespaceRegistered,
                                                      perdure__v1__namespace_registered);
        gen->record->namespace_registered->namespace_id =
            pd_arena_printf(&gen->arena, "namespace-%d", (int)gen_below(gen, 5));
        gen->record->namespace_registered->name = gen_new_id(gen, "name-");
        return gen->record;
    }
    if (gen_chance(gen, 3))
        return gen_progress(gen);
    transition = PD_PB_NEW(&gen->arena, Perdure__V1__Transition, perdure__v1__transition);
    gen->record->body_case = PERDURE__V1__RECORD__BODY_TRANSITION;
    gen->record->transition = transition;
    transition->namespace_id = (char *)NAMESPACE;
    transition->workflow_id = pd_arena_printf(
        &gen->arena, number % 3 ? "order %d/\xc3\xa9" : "0190b7a2-5f3c-7a11-8000-%012d",
        (int)number);
    transition->runs = pd_arena_alloc(&gen->arena, RUNS_MAX * sizeof(transition->runs[0]));
    PD_ASSERT(pd_store_current(gen->store, NAMESPACE, transition->workflow_id, &gen->exec,
                               &error) == PD_OK);
    if (!gen->exec || (!pd_execution_is_running(gen->exec) && gen_chance(gen, 50))) {
        start_run(gen, gen_new_id(gen, ""), "");
    } else {
        begin_run(gen, pd_arena_strdup(&gen->arena, gen->exec->row->run_id));
        gen->next_event_id = gen->exec->row->next_event_id;
        if (pd_execution_is_running(gen->exec)) {
            advance_run(gen);
        } else {
            gen_add_internal(gen, PERDURE__V1__EVENT__KIND_RUN_REMOVED,
                             &perdure__v1__run_removed__descriptor);
            gen->removed_count++;
        }
    }
    gen_add_messages(gen, transition);
    return gen->record;
}
