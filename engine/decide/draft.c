#include "engine/decide/draft.h"

#include "api/pb/time.h"
#include "base/assert.h"
#include "engine/decide/event_type.h"
#include "engine/decide/pending.h"
#include "engine/decide/workflow_task.h"

#define EVENT_CASE(NAME) PERDURE__V1__EVENT__KIND_##NAME
#define NEW(draft, Type, name) PD_PB_NEW((draft)->decision->arena, Type, name)

/* ---- making drafts ---- */

static pd_draft_t *add_draft(pd_decision_t *decision, pd_execution_t *exec, const char *run_id)
{
    pd_draft_t *draft = PD_ARENA_NEW(decision->arena, pd_draft_t);

    draft->decision = decision;
    draft->exec = exec;
    draft->run_id = run_id;
    if (decision->last_draft)
        decision->last_draft->next = draft;
    else
        decision->drafts = draft;
    decision->last_draft = draft;
    return draft;
}

static void view_task(pd_draft_task_t *task, const Perdure__V1__WorkflowTaskRow *row)
{
    if (!row)
        return;
    task->exists = true;
    task->started = row->started_event_id != 0;
    task->transient = row->transient;
    task->sticky = row->sticky;
    task->attempt = row->attempt;
    task->scheduled_event_id = row->scheduled_event_id;
    task->started_event_id = row->started_event_id;
    task->scheduled_time_ns = row->scheduled_time_ns;
    task->original_scheduled_time_ns = row->original_scheduled_time_ns;
    task->started_time_ns = row->started_time_ns;
}

pd_draft_t *pd_draft_existing(pd_decision_t *decision, pd_execution_t *exec)
{
    const Perdure__V1__ExecutionRow *row = exec->row;
    pd_draft_t *draft;

    for (draft = decision->drafts; draft; draft = draft->next) {
        if (draft->exec == exec)
            return draft;
    }
    draft = add_draft(decision, exec, row->run_id);
    draft->next_event_id = row->next_event_id;
    draft->running = pd_execution_is_running(exec);
    draft->sticky = !pd_pb_empty(row->sticky_task_queue);
    draft->sticky_task_queue = row->sticky_task_queue;
    draft->first_task_not_before_ns = row->first_task_not_before_ns;
    draft->buffered_count = row->n_buffered_events;
    draft->buffered_size = (size_t)row->buffered_size_bytes;
    draft->cancel_requested = row->cancel_requested;
    draft->signal_count = row->signal_count;
    draft->history_size_bytes = row->history_size_bytes;
    view_task(&draft->task, pd_execution_workflow_task(exec));
    return draft;
}

pd_draft_t *pd_draft_of(pd_decision_t *decision)
{
    PD_ASSERT(decision->exec);
    return pd_draft_existing(decision, decision->exec);
}

pd_draft_t *pd_draft_new_run(pd_decision_t *decision, const char *run_id)
{
    pd_draft_t *draft = add_draft(decision, NULL, run_id);

    draft->next_event_id = 1;
    draft->running = true;
    return draft;
}

void pd_decision_discard(pd_decision_t *decision)
{
    decision->drafts = decision->last_draft = NULL;
    decision->message_count = 0;
}

/* ---- adding events ---- */

static void push(pd_arena_t *arena, Perdure__V1__Event ***items, size_t *count, size_t *capacity,
                 Perdure__V1__Event *event)
{
    if (*count == *capacity) {
        size_t grown_capacity = *capacity ? *capacity * 2 : 8;
        Perdure__V1__Event **grown = pd_arena_alloc(arena, grown_capacity * sizeof(*grown));

        if (*count)
            memcpy(grown, *items, *count * sizeof(*grown));
        *items = grown;
        *capacity = grown_capacity;
    }
    (*items)[(*count)++] = event;
}

Perdure__V1__Event *pd_draft_internal(pd_draft_t *draft)
{
    Perdure__V1__Event *event = NEW(draft, Perdure__V1__Event, perdure__v1__event);

    push(draft->decision->arena, &draft->events, &draft->event_count, &draft->event_capacity,
         event);
    return event;
}

static pd_history_event_t *new_history_event(pd_draft_t *draft,
                                             Temporal__Api__Enums__V1__EventType type)
{
    pd_history_event_t *event = NEW(draft, Temporal__Api__History__V1__HistoryEvent,
                                    temporal__api__history__v1__history_event);

    event->event_type = type;
    event->event_time = pd_pb_timestamp(draft->decision->arena, draft->decision->now_ns);
    return event;
}

static void append_history(pd_draft_t *draft, pd_history_event_t *event)
{
    Perdure__V1__Event *wrapped = pd_draft_internal(draft);

    event->event_id = draft->next_event_id++;
    event->task_id = event->event_id;
    wrapped->kind_case = EVENT_CASE(HISTORY);
    wrapped->history = event;
}

pd_history_event_t *pd_draft_event(pd_draft_t *draft, Temporal__Api__Enums__V1__EventType type)
{
    pd_history_event_t *event = new_history_event(draft, type);

    PD_ASSERT(draft->running);
    pd_event_type_attach(event, draft->decision->arena);
    append_history(draft, event);
    return event;
}

pd_history_event_t *pd_draft_outside_event(pd_draft_t *draft,
                                           Temporal__Api__Enums__V1__EventType type)
{
    Perdure__V1__EventBuffered *buffered;
    Perdure__V1__Event *wrapped;
    pd_history_event_t *event;

    if (!draft->task.started) {
        draft->outside_event_count++;
        return pd_draft_event(draft, type);
    }
    PD_ASSERT(draft->running);
    event = new_history_event(draft, type);
    pd_event_type_attach(event, draft->decision->arena);
    buffered = NEW(draft, Perdure__V1__EventBuffered, perdure__v1__event_buffered);
    buffered->event = event;
    wrapped = pd_draft_internal(draft);
    wrapped->kind_case = EVENT_CASE(EVENT_BUFFERED);
    wrapped->event_buffered = buffered;
    draft->buffered_count++;
    push(draft->decision->arena, &draft->buffered, &draft->buffered_new_count,
         &draft->buffered_new_capacity, wrapped);
    return event;
}

/* ---- the workflow task ---- */

static int64_t task_timeout_ns(const pd_draft_t *draft)
{
    return draft->exec ? draft->exec->row->workflow_task_timeout_ns
                       : draft->new_workflow_task_timeout_ns;
}

/* After the third attempt a worker gets more time each time: 5 s, doubled, up to 10 minutes. */
static int64_t start_to_close_timeout_ns(const pd_draft_t *draft, int32_t attempt)
{
    const int64_t backoff_max_ns = (int64_t)600 * 1000000000;
    int64_t timeout_ns = task_timeout_ns(draft), backoff_ns = (int64_t)5 * 1000000000;

    if (attempt <= 3)
        return timeout_ns;
    for (int32_t i = 4; i < attempt && backoff_ns < backoff_max_ns; i++)
        backoff_ns *= 2;
    if (backoff_ns > backoff_max_ns)
        backoff_ns = backoff_max_ns;
    return pd_ns_add(timeout_ns, backoff_ns);
}

static Temporal__Api__Taskqueue__V1__TaskQueue *task_queue_of(pd_draft_t *draft, bool sticky)
{
    Temporal__Api__Taskqueue__V1__TaskQueue *queue = NEW(
        draft, Temporal__Api__Taskqueue__V1__TaskQueue, temporal__api__taskqueue__v1__task_queue);
    const char *normal = draft->exec ? draft->exec->row->task_queue : draft->new_task_queue;

    if (sticky) {
        queue->name = (char *)draft->sticky_task_queue;
        queue->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY;
        queue->normal_name = (char *)normal;
    } else {
        queue->name = (char *)normal;
        queue->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    }
    return queue;
}

static void schedule_transient(pd_draft_t *draft, int32_t attempt)
{
    Perdure__V1__TransientTaskScheduled *scheduled =
        NEW(draft, Perdure__V1__TransientTaskScheduled, perdure__v1__transient_task_scheduled);
    Perdure__V1__Event *event = pd_draft_internal(draft);

    scheduled->scheduled_event_id = draft->next_event_id;
    scheduled->attempt = attempt;
    scheduled->time_ns = draft->decision->now_ns;
    scheduled->task_queue = task_queue_of(draft, false);
    scheduled->start_to_close_timeout_ns = start_to_close_timeout_ns(draft, attempt);
    event->kind_case = EVENT_CASE(TRANSIENT_TASK_SCHEDULED);
    event->transient_task_scheduled = scheduled;
}

static void schedule_real(pd_draft_t *draft, int32_t attempt, bool sticky)
{
    pd_history_event_t *event = pd_draft_event(draft, PD_EVENT(WORKFLOW_TASK_SCHEDULED));
    Temporal__Api__History__V1__WorkflowTaskScheduledEventAttributes *attributes =
        event->workflow_task_scheduled_event_attributes;

    attributes->task_queue = task_queue_of(draft, sticky);
    attributes->start_to_close_timeout =
        pd_pb_duration(draft->decision->arena, start_to_close_timeout_ns(draft, attempt));
    attributes->attempt = attempt;
}

void pd_draft_schedule_task(pd_draft_t *draft, int32_t attempt)
{
    pd_draft_task_t *task = &draft->task;
    bool sticky = draft->sticky && attempt == 1;

    PD_ASSERT(draft->running && !task->exists && attempt >= 1);
    memset(task, 0, sizeof(*task));
    task->exists = true;
    task->attempt = attempt;
    task->transient = attempt > 1;
    task->sticky = sticky;
    task->scheduled_event_id = draft->next_event_id;
    task->scheduled_time_ns = task->original_scheduled_time_ns = draft->decision->now_ns;
    draft->first_task_not_before_ns = 0;
    if (task->transient)
        schedule_transient(draft, attempt);
    else
        schedule_real(draft, attempt, sticky);
}

void pd_draft_wake(pd_draft_t *draft)
{
    if (pd_workflow_task_fail_when_buffer_full(draft))
        return;
    if (draft->running && !draft->task.exists && !draft->first_task_not_before_ns)
        pd_draft_schedule_task(draft, 1);
}

static void start_transient(pd_draft_t *draft, const char *request_id, const char *identity)
{
    pd_draft_task_t *task = &draft->task;
    Perdure__V1__TransientTaskStarted *started =
        NEW(draft, Perdure__V1__TransientTaskStarted, perdure__v1__transient_task_started);
    Perdure__V1__Event *event = pd_draft_internal(draft);

    started->scheduled_event_id = task->scheduled_event_id;
    started->started_event_id = task->started_event_id = task->scheduled_event_id + 1;
    started->time_ns = draft->decision->now_ns;
    started->request_id = (char *)request_id;
    started->identity = (char *)identity;
    event->kind_case = EVENT_CASE(TRANSIENT_TASK_STARTED);
    event->transient_task_started = started;
}

static void start_real(pd_draft_t *draft, const char *request_id, const char *identity)
{
    enum { SIZE_SUGGEST = 4 * 1024 * 1024, COUNT_SUGGEST = 4096 };
    pd_draft_task_t *task = &draft->task;
    pd_history_event_t *event = pd_draft_event(draft, PD_EVENT(WORKFLOW_TASK_STARTED));
    Temporal__Api__History__V1__WorkflowTaskStartedEventAttributes *attributes =
        event->workflow_task_started_event_attributes;

    task->started_event_id = event->event_id;
    attributes->scheduled_event_id = task->scheduled_event_id;
    attributes->identity = (char *)identity;
    attributes->request_id = (char *)request_id;
    attributes->history_size_bytes = draft->history_size_bytes;
    if (draft->history_size_bytes >= SIZE_SUGGEST || event->event_id >= COUNT_SUGGEST) {
        Temporal__Api__Enums__V1__SuggestContinueAsNewReason *reasons =
            pd_arena_alloc(draft->decision->arena, 2 * sizeof(*reasons));
        size_t count = 0;

        if (draft->history_size_bytes >= SIZE_SUGGEST)
            reasons[count++] =
                TEMPORAL__API__ENUMS__V1__SUGGEST_CONTINUE_AS_NEW_REASON__SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE;
        if (event->event_id >= COUNT_SUGGEST)
            reasons[count++] =
                TEMPORAL__API__ENUMS__V1__SUGGEST_CONTINUE_AS_NEW_REASON__SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS;
        attributes->suggest_continue_as_new = true;
        attributes->suggest_continue_as_new_reasons = reasons;
        attributes->n_suggest_continue_as_new_reasons = count;
    }
}

/* Something was written behind the place that a transient task had reserved: it becomes a real task
 * of attempt 1. */
static void make_real(pd_draft_t *draft)
{
    draft->task.exists = false;
    pd_draft_schedule_task(draft, 1);
}

void pd_draft_start_task(pd_draft_t *draft, const char *request_id, const char *identity)
{
    pd_draft_task_t *task = &draft->task;

    PD_ASSERT(task->exists && !task->started);
    if (task->transient && task->scheduled_event_id != draft->next_event_id)
        make_real(draft);
    if (task->transient)
        start_transient(draft, request_id, identity);
    else
        start_real(draft, request_id, identity);
    task->started = true;
    task->started_time_ns = draft->decision->now_ns;
}

/* ---- the buffer ---- */

/* started_event_id of a child's close event, and its initiated_event_id; NULL for other types. */
static int64_t *child_close_started_id(pd_history_event_t *event, int64_t *initiated_event_id)
{
    switch ((int)event->event_type) {
    case PD_EVENT(CHILD_WORKFLOW_EXECUTION_COMPLETED):
        *initiated_event_id =
            event->child_workflow_execution_completed_event_attributes->initiated_event_id;
        return &event->child_workflow_execution_completed_event_attributes->started_event_id;
    case PD_EVENT(CHILD_WORKFLOW_EXECUTION_FAILED):
        *initiated_event_id =
            event->child_workflow_execution_failed_event_attributes->initiated_event_id;
        return &event->child_workflow_execution_failed_event_attributes->started_event_id;
    case PD_EVENT(CHILD_WORKFLOW_EXECUTION_TIMED_OUT):
        *initiated_event_id =
            event->child_workflow_execution_timed_out_event_attributes->initiated_event_id;
        return &event->child_workflow_execution_timed_out_event_attributes->started_event_id;
    case PD_EVENT(CHILD_WORKFLOW_EXECUTION_CANCELED):
        *initiated_event_id =
            event->child_workflow_execution_canceled_event_attributes->initiated_event_id;
        return &event->child_workflow_execution_canceled_event_attributes->started_event_id;
    case PD_EVENT(CHILD_WORKFLOW_EXECUTION_TERMINATED):
        *initiated_event_id =
            event->child_workflow_execution_terminated_event_attributes->initiated_event_id;
        return &event->child_workflow_execution_terminated_event_attributes->started_event_id;
    default:
        return NULL;
    }
}

/* scheduled_event_id and started_event_id of the close event of an activity or a child (whose event
 * is called initiated, not scheduled); NULL for other types. */
static int64_t *close_event_started_id(pd_history_event_t *event, int64_t *scheduled_event_id)
{
    switch ((int)event->event_type) {
    case PD_EVENT(ACTIVITY_TASK_COMPLETED):
        *scheduled_event_id = event->activity_task_completed_event_attributes->scheduled_event_id;
        return &event->activity_task_completed_event_attributes->started_event_id;
    case PD_EVENT(ACTIVITY_TASK_FAILED):
        *scheduled_event_id = event->activity_task_failed_event_attributes->scheduled_event_id;
        return &event->activity_task_failed_event_attributes->started_event_id;
    case PD_EVENT(ACTIVITY_TASK_TIMED_OUT):
        *scheduled_event_id = event->activity_task_timed_out_event_attributes->scheduled_event_id;
        return &event->activity_task_timed_out_event_attributes->started_event_id;
    case PD_EVENT(ACTIVITY_TASK_CANCELED):
        *scheduled_event_id = event->activity_task_canceled_event_attributes->scheduled_event_id;
        return &event->activity_task_canceled_event_attributes->started_event_id;
    default:
        return child_close_started_id(event, scheduled_event_id);
    }
}

typedef struct started_id {
    int64_t scheduled_event_id;
    int64_t started_event_id;
} started_id_t;

/* False: it is no Started event of an activity or a child. */
static bool take_started_id(const pd_history_event_t *event, started_id_t *id)
{
    id->started_event_id = event->event_id;
    if ((int)event->event_type == PD_EVENT(ACTIVITY_TASK_STARTED))
        id->scheduled_event_id = event->activity_task_started_event_attributes->scheduled_event_id;
    else if ((int)event->event_type == PD_EVENT(CHILD_WORKFLOW_EXECUTION_STARTED))
        id->scheduled_event_id =
            event->child_workflow_execution_started_event_attributes->initiated_event_id;
    else
        return false;
    return true;
}

/* At most a buffer's worth of entries (100 by default): a scan is fine. */
static void wire(pd_history_event_t *event, const started_id_t *ids, size_t count)
{
    int64_t scheduled_event_id = 0;
    int64_t *started_event_id = close_event_started_id(event, &scheduled_event_id);

    if (!started_event_id)
        return;
    for (size_t i = 0; i < count; i++) {
        if (ids[i].scheduled_event_id == scheduled_event_id)
            *started_event_id = ids[i].started_event_id;
    }
}

/* The buffer's events in the order of arrival, copied: rows are not to be changed. */
static pd_history_event_t **collect_buffer(pd_draft_t *draft, size_t *count)
{
    pd_arena_t *arena = draft->decision->arena;
    size_t row_count =
        draft->exec && !draft->buffer_flushed ? draft->exec->row->n_buffered_events : 0;
    pd_history_event_t **events;

    *count = 0;
    events = pd_arena_alloc(arena, (row_count + draft->buffered_new_count + 1) * sizeof(*events));
    for (size_t i = 0; i < row_count; i++) {
        const pd_history_event_t *event = draft->exec->row->buffered_events[i];

        if (!pd_pending_omits(draft, event)) /* a timer that was canceled after it fired */
            events[(*count)++] = pd_pb_clone(event, arena);
    }
    for (size_t i = 0; i < draft->buffered_new_count; i++)
        events[(*count)++] = pd_pb_clone(draft->buffered[i]->event_buffered->event, arena);
    return events;
}

size_t pd_draft_flush_buffer(pd_draft_t *draft)
{
    pd_arena_t *arena = draft->decision->arena;
    size_t count, id_count = 0;
    pd_history_event_t **events = collect_buffer(draft, &count);
    started_id_t *ids;
    Perdure__V1__Event *flushed;

    if (!count)
        return 0;
    flushed = pd_draft_internal(draft);
    flushed->kind_case = EVENT_CASE(BUFFERED_EVENTS_FLUSHED);
    flushed->buffered_events_flushed =
        NEW(draft, Perdure__V1__BufferedEventsFlushed, perdure__v1__buffered_events_flushed);
    ids = pd_arena_alloc(arena, count * sizeof(*ids));
    for (int closing = 0; closing <= 1; closing++) {
        for (size_t i = 0; i < count; i++) {
            pd_history_event_t *event = events[i];

            if (pd_event_type_closes_pending(event->event_type) != (closing == 1))
                continue;
            wire(event, ids, id_count);
            append_history(draft, event);
            id_count += take_started_id(event, &ids[id_count]);
        }
    }
    draft->buffer_flushed = true;
    draft->buffered_new_count = draft->buffered_count = draft->buffered_size = 0;
    return count;
}

/* ---- stickiness, closing ---- */

void pd_draft_set_sticky(pd_draft_t *draft, const char *worker_task_queue,
                         int64_t schedule_to_start_timeout_ns)
{
    const Perdure__V1__ExecutionRow *row = draft->exec ? draft->exec->row : NULL;
    bool as_row =
        row && strcmp(pd_pb_str(row->sticky_task_queue), pd_pb_str(draft->sticky_task_queue)) == 0;
    Perdure__V1__StickyQueueChanged *changed;
    Perdure__V1__Event *event;

    if (as_row && strcmp(pd_pb_str(row->sticky_task_queue), worker_task_queue) == 0 &&
        row->sticky_schedule_to_start_timeout_ns == schedule_to_start_timeout_ns)
        return;
    changed = NEW(draft, Perdure__V1__StickyQueueChanged, perdure__v1__sticky_queue_changed);
    changed->worker_task_queue = (char *)worker_task_queue;
    changed->schedule_to_start_timeout_ns = schedule_to_start_timeout_ns;
    event = pd_draft_internal(draft);
    event->kind_case = EVENT_CASE(STICKY_QUEUE_CHANGED);
    event->sticky_queue_changed = changed;
    draft->sticky = !pd_pb_empty(worker_task_queue);
    draft->sticky_task_queue = worker_task_queue;
}

void pd_draft_clear_sticky(pd_draft_t *draft)
{
    if (draft->sticky)
        pd_draft_set_sticky(draft, "", 0);
}

static void fail_task_by_force(pd_draft_t *draft)
{
    pd_history_event_t *event;
    Temporal__Api__History__V1__WorkflowTaskFailedEventAttributes *attributes;

    if (draft->task.transient)
        return; /* not in the history: the close event ends it */
    event = pd_draft_event(draft, PD_EVENT(WORKFLOW_TASK_FAILED));
    attributes = event->workflow_task_failed_event_attributes;
    attributes->scheduled_event_id = draft->task.scheduled_event_id;
    attributes->started_event_id = draft->task.started_event_id;
    attributes->cause = PD_WFT_CAUSE(FORCE_CLOSE_COMMAND);
    attributes->identity = (char *)"history-service";
}

pd_history_event_t *pd_draft_close(pd_draft_t *draft, Temporal__Api__Enums__V1__EventType type,
                                   bool force)
{
    pd_history_event_t *event;

    PD_ASSERT(draft->running);
    if (draft->task.started && force)
        fail_task_by_force(draft);
    memset(&draft->task, 0, sizeof(draft->task));
    pd_draft_flush_buffer(draft);
    event = draft->close_event = pd_draft_event(draft, type);
    draft->running = false;
    return event;
}
