#include "state/audit/run_grammar.h"

#include <string.h>
#include <temporal/api/enums/v1/event_type.pb-c.h>

#include "api/pb/pb.h"
#include "base/memory.h"

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME

/* Leaves the function with PD_CORRUPT unless the condition holds. */
#define MUST(condition, what)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return wrong(event, what, error);                                                      \
    } while (0)

typedef Temporal__Api__History__V1__HistoryEvent history_event_t;

static pd_status_t wrong(const history_event_t *event, const char *what, pd_error_t *error)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
        &temporal__api__enums__v1__event_type__descriptor, (int)event->event_type);

    return pd_error_set(error, PD_CORRUPT, "event %lld (%s): %s", (long long)event->event_id,
                        value ? value->name : "of an unknown type", what);
}

/* ---- attributes by name ---- */

static const void *attribute(const history_event_t *event, const char *name, ProtobufCType type)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
        event->base.descriptor, (unsigned)event->attributes_case);
    const ProtobufCFieldDescriptor *inner;
    const char *attributes;

    if (!field)
        return NULL;
    attributes = *(const char *const *)((const char *)event + field->offset);
    inner = protobuf_c_message_descriptor_get_field_by_name(field->descriptor, name);
    return inner && inner->type == type ? attributes + inner->offset : NULL;
}

int64_t pd_event_int(const history_event_t *event, const char *name)
{
    const int64_t *value = attribute(event, name, PROTOBUF_C_TYPE_INT64);

    return value ? *value : 0;
}

const char *pd_event_text(const history_event_t *event, const char *name)
{
    const char *const *value = attribute(event, name, PROTOBUF_C_TYPE_STRING);

    return value ? pd_pb_str(*value) : "";
}

bool pd_event_closes(int type)
{
    return type == TYPE(WORKFLOW_EXECUTION_COMPLETED) || type == TYPE(WORKFLOW_EXECUTION_FAILED) ||
           type == TYPE(WORKFLOW_EXECUTION_TIMED_OUT) ||
           type == TYPE(WORKFLOW_EXECUTION_TERMINATED) ||
           type == TYPE(WORKFLOW_EXECUTION_CANCELED) ||
           type == TYPE(WORKFLOW_EXECUTION_CONTINUED_AS_NEW);
}

/* ---- what has begun and not ended ---- */

static pd_grammar_pending_t *find(const pd_grammar_table_t *table, int64_t event_id)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->items[i].event_id == event_id)
            return &table->items[i];
    }
    return NULL;
}

static pd_grammar_pending_t *find_id(const pd_grammar_table_t *table, const char *id)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->items[i].id, id) == 0)
            return &table->items[i];
    }
    return NULL;
}

static void begin(pd_grammar_table_t *table, int64_t event_id, const char *id)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 4;
        table->items = pd_realloc(table->items, table->capacity * sizeof(table->items[0]));
    }
    table->items[table->count++] =
        (pd_grammar_pending_t){.event_id = event_id, .id = id ? pd_strdup(id) : NULL};
}

static void end(pd_grammar_table_t *table, pd_grammar_pending_t *pending)
{
    pd_free(pending->id);
    *pending = table->items[--table->count];
}

static void table_deinit(pd_grammar_table_t *table)
{
    for (size_t i = 0; i < table->count; i++)
        pd_free(table->items[i].id);
    pd_free(table->items);
    *table = (pd_grammar_table_t){0};
}

static void types_add(pd_grammar_types_t *types, int32_t type)
{
    if (types->count == types->capacity) {
        types->capacity = types->capacity ? types->capacity * 2 : 4;
        types->types = pd_realloc(types->types, types->capacity * sizeof(types->types[0]));
    }
    types->types[types->count++] = type;
}

static bool types_remove(pd_grammar_types_t *types, int32_t type)
{
    for (size_t i = 0; i < types->count; i++) {
        if (types->types[i] == type) {
            types->types[i] = types->types[--types->count];
            return true;
        }
    }
    return false;
}

static void types_deinit(pd_grammar_types_t *types)
{
    pd_free(types->types);
    *types = (pd_grammar_types_t){0};
}

/* ---- history events ---- */

static pd_status_t workflow_task(pd_run_grammar_t *run, const history_event_t *event,
                                 pd_error_t *error)
{
    int64_t scheduled_id = pd_event_int(event, "scheduled_event_id");
    int64_t started_id = pd_event_int(event, "started_event_id");

    switch ((int)event->event_type) {
    case TYPE(WORKFLOW_TASK_SCHEDULED):
        MUST(!run->task_scheduled_id, "a workflow task is pending already");
        run->task_scheduled_id = event->event_id;
        return PD_OK;
    case TYPE(WORKFLOW_TASK_STARTED):
        MUST(run->task_scheduled_id && !run->task_started_id, "no such task to start");
        MUST(scheduled_id == run->task_scheduled_id, "starts another task");
        run->task_started_id = event->event_id;
        return PD_OK;
    case TYPE(WORKFLOW_TASK_COMPLETED):
        MUST(run->task_started_id, "no started task to complete");
        run->completed_id = event->event_id;
        break;
    default: /* failed, timed out */
        MUST(run->task_scheduled_id, "no task to end");
        break;
    }
    MUST(scheduled_id == run->task_scheduled_id, "ends another task");
    MUST(started_id == run->task_started_id, "names another start");
    run->task_scheduled_id = run->task_started_id = 0;
    return PD_OK;
}

static pd_status_t activity(pd_run_grammar_t *run, const history_event_t *event, pd_error_t *error)
{
    pd_grammar_pending_t *pending =
        find(&run->activities, pd_event_int(event, "scheduled_event_id"));

    if (event->event_type == TYPE(ACTIVITY_TASK_SCHEDULED)) {
        const char *id = pd_event_text(event, "activity_id");

        MUST(!find_id(&run->activities, id), "the activity ID is in use");
        begin(&run->activities, event->event_id, id);
        return PD_OK;
    }
    MUST(pending, "no such activity");
    switch ((int)event->event_type) {
    case TYPE(ACTIVITY_TASK_STARTED):
        MUST(!pending->started_event_id, "the activity was started before");
        pending->started_event_id = event->event_id;
        return PD_OK;
    case TYPE(ACTIVITY_TASK_CANCEL_REQUESTED):
        MUST(!pending->cancel_requested, "its cancellation was requested before");
        pending->cancel_requested = true;
        return PD_OK;
    case TYPE(ACTIVITY_TASK_COMPLETED):
    case TYPE(ACTIVITY_TASK_FAILED):
        MUST(pending->started_event_id, "the activity was not started");
        break;
    case TYPE(ACTIVITY_TASK_CANCELED):
        MUST(pending->cancel_requested, "nobody had asked to cancel it");
        break;
    default: /* timed out */
        break;
    }
    MUST(pd_event_int(event, "started_event_id") == pending->started_event_id,
         "names another start");
    end(&run->activities, pending);
    return PD_OK;
}

static pd_status_t timer(pd_run_grammar_t *run, const history_event_t *event, pd_error_t *error)
{
    const char *id = pd_event_text(event, "timer_id");
    pd_grammar_pending_t *pending = find_id(&run->timers, id);

    if (event->event_type == TYPE(TIMER_STARTED)) {
        MUST(!pending, "the timer ID is in use");
        begin(&run->timers, event->event_id, id);
        return PD_OK;
    }
    MUST(pending, "no such timer");
    MUST(pd_event_int(event, "started_event_id") == pending->event_id, "names another start");
    end(&run->timers, pending);
    return PD_OK;
}

static pd_status_t child(pd_run_grammar_t *run, const history_event_t *event, pd_error_t *error)
{
    pd_grammar_pending_t *pending = find(&run->children, pd_event_int(event, "initiated_event_id"));

    switch ((int)event->event_type) {
    case TYPE(START_CHILD_WORKFLOW_EXECUTION_INITIATED):
        begin(&run->children, event->event_id, NULL);
        return PD_OK;
    case TYPE(CHILD_WORKFLOW_EXECUTION_STARTED):
        MUST(pending, "no such child was initiated");
        MUST(!pending->started_event_id, "the child was started before");
        pending->started_event_id = event->event_id;
        return PD_OK;
    case TYPE(START_CHILD_WORKFLOW_EXECUTION_FAILED):
        MUST(pending, "no such child was initiated");
        MUST(!pending->started_event_id, "the child was started");
        break;
    default: /* it closed */
        MUST(pending, "no such child was initiated, or it has closed before");
        MUST(pending->started_event_id, "the child was not started");
        MUST(pd_event_int(event, "started_event_id") == pending->started_event_id,
             "names another start");
        break;
    }
    end(&run->children, pending);
    return PD_OK;
}

/* Signals to, and cancellations of, other workflows: initiated, then answered once. */
static pd_status_t external(pd_grammar_table_t *table, bool initiated, const history_event_t *event,
                            pd_error_t *error)
{
    pd_grammar_pending_t *pending = find(table, pd_event_int(event, "initiated_event_id"));

    if (initiated) {
        begin(table, event->event_id, NULL);
        return PD_OK;
    }
    MUST(pending, "nothing such was initiated, or it was answered before");
    end(table, pending);
    return PD_OK;
}

static pd_status_t close_event(pd_run_grammar_t *run, const history_event_t *event,
                               pd_error_t *error)
{
    bool by_command = event->event_type != TYPE(WORKFLOW_EXECUTION_TIMED_OUT) &&
                      event->event_type != TYPE(WORKFLOW_EXECUTION_TERMINATED);

    MUST(!run->task_started_id, "closed over a running workflow task");
    MUST(run->buffered.count == 0, "closed with events in the buffer");
    if (by_command) {
        MUST(!run->task_scheduled_id, "closed by a command over a scheduled workflow task");
        MUST(pd_event_int(event, "workflow_task_completed_event_id") == run->completed_id &&
                 run->completed_id,
             "closed by no completion");
    }
    run->closed = true;
    return PD_OK;
}

static pd_status_t event_of_type(pd_run_grammar_t *run, const history_event_t *event,
                                 pd_error_t *error)
{
    switch ((int)event->event_type) {
    case TYPE(WORKFLOW_TASK_SCHEDULED):
    case TYPE(WORKFLOW_TASK_STARTED):
    case TYPE(WORKFLOW_TASK_COMPLETED):
    case TYPE(WORKFLOW_TASK_FAILED):
    case TYPE(WORKFLOW_TASK_TIMED_OUT):
        return workflow_task(run, event, error);
    case TYPE(ACTIVITY_TASK_SCHEDULED):
    case TYPE(ACTIVITY_TASK_STARTED):
    case TYPE(ACTIVITY_TASK_COMPLETED):
    case TYPE(ACTIVITY_TASK_FAILED):
    case TYPE(ACTIVITY_TASK_TIMED_OUT):
    case TYPE(ACTIVITY_TASK_CANCELED):
    case TYPE(ACTIVITY_TASK_CANCEL_REQUESTED):
        return activity(run, event, error);
    case TYPE(TIMER_STARTED):
    case TYPE(TIMER_FIRED):
    case TYPE(TIMER_CANCELED):
        return timer(run, event, error);
    case TYPE(START_CHILD_WORKFLOW_EXECUTION_INITIATED):
    case TYPE(START_CHILD_WORKFLOW_EXECUTION_FAILED):
    case TYPE(CHILD_WORKFLOW_EXECUTION_STARTED):
    case TYPE(CHILD_WORKFLOW_EXECUTION_COMPLETED):
    case TYPE(CHILD_WORKFLOW_EXECUTION_FAILED):
    case TYPE(CHILD_WORKFLOW_EXECUTION_CANCELED):
    case TYPE(CHILD_WORKFLOW_EXECUTION_TIMED_OUT):
    case TYPE(CHILD_WORKFLOW_EXECUTION_TERMINATED):
        return child(run, event, error);
    case TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED):
    case TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED):
    case TYPE(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED):
        return external(&run->external_signals,
                        event->event_type == TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED),
                        event, error);
    case TYPE(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED):
    case TYPE(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED):
    case TYPE(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED):
        return external(&run->external_cancels,
                        event->event_type ==
                            TYPE(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED),
                        event, error);
    case TYPE(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
        MUST(!run->cancel_requested, "canceled twice");
        run->cancel_requested = true;
        return PD_OK;
    default:
        return PD_OK;
    }
}

static pd_status_t history(pd_run_grammar_t *run, const history_event_t *event, pd_error_t *error)
{
    int64_t completed_id = pd_event_int(event, "workflow_task_completed_event_id");
    int type = (int)event->event_type;

    MUST(!run->closed, "behind the close event");
    MUST(event->event_id == run->event_count + 1, "ids are not dense");
    MUST((type == TYPE(WORKFLOW_EXECUTION_STARTED)) == (event->event_id == 1),
         "a history begins with WorkflowExecutionStarted, and only there");
    MUST(!completed_id || completed_id == run->completed_id,
         "made by commands, not of the last completion");
    MUST(event->event_time && event->event_time->seconds > 0, "no time");
    run->event_count = event->event_id;
    run->last_type = type;
    types_remove(&run->leaving, type);
    return pd_event_closes(type) ? close_event(run, event, error)
                                 : event_of_type(run, event, error);
}

/* ---- all events ---- */

static pd_status_t buffer_flushed(pd_run_grammar_t *run, pd_error_t *error)
{
    if (run->buffered.count == 0 || run->leaving.count)
        return pd_error_set(error, PD_CORRUPT, "the buffer is emptied, but there is nothing in it");
    types_deinit(&run->leaving);
    run->leaving = run->buffered;
    run->buffered = (pd_grammar_types_t){0};
    return PD_OK;
}

pd_status_t pd_run_grammar_event(pd_run_grammar_t *run, const Perdure__V1__Event *event,
                                 pd_error_t *error)
{
    if (run->removed)
        return pd_error_set(error, PD_CORRUPT, "an event (kind %d) after the run's removal",
                            (int)event->kind_case);
    switch (event->kind_case) {
    case PERDURE__V1__EVENT__KIND_HISTORY:
        return history(run, event->history, error);
    case PERDURE__V1__EVENT__KIND_EVENT_BUFFERED:
        if (run->closed || !event->event_buffered->event)
            return pd_error_set(error, PD_CORRUPT, "an event is buffered after the close");
        if (!run->task_started_id && !run->transient_started)
            return pd_error_set(error, PD_CORRUPT,
                                "an event is buffered, but no workflow task is running");
        types_add(&run->buffered, (int32_t)event->event_buffered->event->event_type);
        return PD_OK;
    case PERDURE__V1__EVENT__KIND_BUFFERED_EVENTS_FLUSHED:
        return buffer_flushed(run, error);
    case PERDURE__V1__EVENT__KIND_BUFFERED_TIMER_REMOVED:
        if (!types_remove(&run->buffered, TYPE(TIMER_FIRED)))
            return pd_error_set(error, PD_CORRUPT, "no timer is in the buffer to be taken out");
        return PD_OK;
    case PERDURE__V1__EVENT__KIND_TRANSIENT_TASK_STARTED:
        run->transient_started = true;
        return PD_OK;
    case PERDURE__V1__EVENT__KIND_TRANSIENT_TASK_ENDED:
        run->transient_started = false;
        return PD_OK;
    case PERDURE__V1__EVENT__KIND_RUN_REMOVED:
        if (!run->closed)
            return pd_error_set(error, PD_CORRUPT, "the run is removed but open");
        run->removed = true;
        return PD_OK;
    default: /* of no concern to the history's shape */
        return PD_OK;
    }
}

pd_status_t pd_run_grammar_step_end(pd_run_grammar_t *run, pd_error_t *error)
{
    if (run->leaving.count)
        return pd_error_set(error, PD_CORRUPT,
                            "%zu events left the buffer and did not enter the history",
                            run->leaving.count);
    if (run->closed) { /* nothing of this is asked any more */
        bool removed = run->removed, cancel_requested = run->cancel_requested;
        int64_t event_count = run->event_count;
        int32_t last_type = run->last_type;

        pd_run_grammar_deinit(run);
        pd_run_grammar_init(run);
        run->closed = true;
        run->removed = removed;
        run->cancel_requested = cancel_requested;
        run->event_count = event_count;
        run->last_type = last_type;
    }
    return PD_OK;
}

void pd_run_grammar_init(pd_run_grammar_t *run)
{
    memset(run, 0, sizeof(*run));
}

void pd_run_grammar_deinit(pd_run_grammar_t *run)
{
    table_deinit(&run->activities);
    table_deinit(&run->timers);
    table_deinit(&run->children);
    table_deinit(&run->external_signals);
    table_deinit(&run->external_cancels);
    types_deinit(&run->buffered);
    types_deinit(&run->leaving);
}
