#include "tests/sim/check_history.h"

#include <stdio.h>
#include <string.h>

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME

#define MUST(condition, what)                                                                      \
    SIM_CHECK(sim, condition, "run %s: event %lld (type %d): %s", run_id,                          \
              (long long)event->event_id, (int)event->event_type, what)

/* ---- attributes by name ---- */

static const void *attribute(const pd_history_event_t *event, const char *name, ProtobufCType type)
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

int64_t sim_event_int(const pd_history_event_t *event, const char *name)
{
    const int64_t *value = attribute(event, name, PROTOBUF_C_TYPE_INT64);

    return value ? *value : 0;
}

const char *sim_event_text(const pd_history_event_t *event, const char *name)
{
    const char *const *value = attribute(event, name, PROTOBUF_C_TYPE_STRING);

    return value ? pd_pb_str(*value) : "";
}

bool sim_event_closes(int type)
{
    return type == TYPE(WORKFLOW_EXECUTION_COMPLETED) || type == TYPE(WORKFLOW_EXECUTION_FAILED) ||
           type == TYPE(WORKFLOW_EXECUTION_TIMED_OUT) ||
           type == TYPE(WORKFLOW_EXECUTION_TERMINATED) ||
           type == TYPE(WORKFLOW_EXECUTION_CANCELED) ||
           type == TYPE(WORKFLOW_EXECUTION_CONTINUED_AS_NEW);
}

/* ---- what has begun and not ended ---- */

static check_pending_t *find(check_table_t *table, int64_t event_id)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->items[i].event_id == event_id)
            return &table->items[i];
    }
    return NULL;
}

static check_pending_t *find_id(check_table_t *table, const char *id)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->items[i].id, id) == 0)
            return &table->items[i];
    }
    return NULL;
}

static void begin(check_table_t *table, int64_t event_id, const char *id)
{
    check_pending_t *pending;

    if (table->count == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 8;
        table->items = pd_realloc(table->items, table->capacity * sizeof(table->items[0]));
    }
    pending = &table->items[table->count++];
    *pending = (check_pending_t){.event_id = event_id};
    snprintf(pending->id, sizeof(pending->id), "%s", id);
}

static void end(check_table_t *table, check_pending_t *pending)
{
    *pending = table->items[--table->count];
}

/* ---- the grammar ---- */

static void workflow_task(sim_t *sim, check_history_t *check, const char *run_id,
                          const pd_history_event_t *event)
{
    int64_t scheduled_id = sim_event_int(event, "scheduled_event_id");
    int64_t started_id = sim_event_int(event, "started_event_id");

    switch ((int)event->event_type) {
    case TYPE(WORKFLOW_TASK_SCHEDULED):
        MUST(!check->task_scheduled_id, "a workflow task is pending already");
        check->task_scheduled_id = event->event_id;
        return;
    case TYPE(WORKFLOW_TASK_STARTED):
        MUST(check->task_scheduled_id && !check->task_started_id, "no such task to start");
        MUST(scheduled_id == check->task_scheduled_id, "starts another task");
        check->task_started_id = event->event_id;
        return;
    case TYPE(WORKFLOW_TASK_COMPLETED):
        MUST(check->task_started_id, "no started task to complete");
        check->completed_id = event->event_id;
        break;
    default: /* failed, timed out */
        MUST(check->task_scheduled_id, "no task to end");
        break;
    }
    MUST(scheduled_id == check->task_scheduled_id, "ends another task");
    MUST(started_id == check->task_started_id, "names another start");
    check->task_scheduled_id = check->task_started_id = 0;
}

static void activity(sim_t *sim, check_history_t *check, const char *run_id,
                     const pd_history_event_t *event)
{
    int64_t scheduled_id = sim_event_int(event, "scheduled_event_id");
    check_pending_t *pending = find(&check->activities, scheduled_id);

    if (event->event_type == TYPE(ACTIVITY_TASK_SCHEDULED)) {
        const char *id = sim_event_text(event, "activity_id");

        MUST(!find_id(&check->activities, id), "the activity ID is in use");
        begin(&check->activities, event->event_id, id);
        return;
    }
    MUST(pending, "no such activity");
    switch ((int)event->event_type) {
    case TYPE(ACTIVITY_TASK_STARTED):
        MUST(!pending->started_event_id, "the activity was started before");
        pending->started_event_id = event->event_id;
        return;
    case TYPE(ACTIVITY_TASK_CANCEL_REQUESTED):
        MUST(!pending->cancel_requested, "its cancellation was requested before");
        pending->cancel_requested = true;
        return;
    case TYPE(ACTIVITY_TASK_COMPLETED):
    case TYPE(ACTIVITY_TASK_FAILED):
        MUST(pending->started_event_id, "the activity was not started");
        break;
    case TYPE(ACTIVITY_TASK_CANCELED):
        MUST(pending->cancel_requested, "nobody had asked to cancel it");
        break;
    default:
        break;
    }
    MUST(sim_event_int(event, "started_event_id") == pending->started_event_id,
         "names another start");
    end(&check->activities, pending);
}

static void timer(sim_t *sim, check_history_t *check, const char *run_id,
                  const pd_history_event_t *event)
{
    const char *id = sim_event_text(event, "timer_id");
    check_pending_t *pending = find_id(&check->timers, id);

    if (event->event_type == TYPE(TIMER_STARTED)) {
        MUST(!pending, "the timer ID is in use");
        begin(&check->timers, event->event_id, id);
        return;
    }
    MUST(pending, "no such timer");
    MUST(sim_event_int(event, "started_event_id") == pending->event_id, "names another start");
    end(&check->timers, pending);
}

static void close_event(sim_t *sim, check_history_t *check, const char *run_id,
                        const pd_history_event_t *event)
{
    bool by_command = event->event_type != TYPE(WORKFLOW_EXECUTION_TIMED_OUT) &&
                      event->event_type != TYPE(WORKFLOW_EXECUTION_TERMINATED);

    MUST(!check->task_started_id, "closed over a running workflow task");
    MUST(check->buffered_count == 0, "closed with events in the buffer");
    if (by_command) {
        MUST(!check->task_scheduled_id, "closed by a command over a scheduled workflow task");
        MUST(sim_event_int(event, "workflow_task_completed_event_id") == check->completed_id &&
                 check->completed_id,
             "closed by no completion");
    }
    check->closed = true;
}

void check_history_event(sim_t *sim, check_history_t *check, const char *run_id,
                         const pd_history_event_t *event)
{
    int64_t completed_id = sim_event_int(event, "workflow_task_completed_event_id");
    int type = (int)event->event_type;

    MUST(!check->closed, "behind the close event");
    MUST(event->event_id == check->event_count + 1, "ids are not dense");
    MUST((type == TYPE(WORKFLOW_EXECUTION_STARTED)) == (event->event_id == 1),
         "a history begins with WorkflowExecutionStarted, and only there");
    MUST(!completed_id || completed_id == check->completed_id,
         "made by commands, not of the last completion");
    MUST(event->event_time && event->event_time->seconds > 0, "no time");
    check->event_count = event->event_id;
    check->last_type = type;
    if (sim_event_closes(type)) {
        close_event(sim, check, run_id, event);
        return;
    }
    switch (type) {
    case TYPE(WORKFLOW_TASK_SCHEDULED):
    case TYPE(WORKFLOW_TASK_STARTED):
    case TYPE(WORKFLOW_TASK_COMPLETED):
    case TYPE(WORKFLOW_TASK_FAILED):
    case TYPE(WORKFLOW_TASK_TIMED_OUT):
        workflow_task(sim, check, run_id, event);
        break;
    case TYPE(ACTIVITY_TASK_SCHEDULED):
    case TYPE(ACTIVITY_TASK_STARTED):
    case TYPE(ACTIVITY_TASK_COMPLETED):
    case TYPE(ACTIVITY_TASK_FAILED):
    case TYPE(ACTIVITY_TASK_TIMED_OUT):
    case TYPE(ACTIVITY_TASK_CANCELED):
    case TYPE(ACTIVITY_TASK_CANCEL_REQUESTED):
        activity(sim, check, run_id, event);
        break;
    case TYPE(TIMER_STARTED):
    case TYPE(TIMER_FIRED):
    case TYPE(TIMER_CANCELED):
        timer(sim, check, run_id, event);
        break;
    case TYPE(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
        MUST(!check->cancel_requested, "canceled twice");
        check->cancel_requested = true;
        break;
    default:
        break;
    }
}

void check_history_internal(sim_t *sim, check_history_t *check, const char *run_id,
                            const Perdure__V1__Event *event)
{
    SIM_CHECK(sim, !check->removed, "run %s: event (kind %d) after its removal", run_id,
              (int)event->kind_case);
    switch (event->kind_case) {
    case PERDURE__V1__EVENT__KIND_EVENT_BUFFERED:
        SIM_CHECK(sim, !check->closed, "run %s: an event is buffered after the close", run_id);
        check->buffered_count++;
        break;
    case PERDURE__V1__EVENT__KIND_BUFFERED_EVENTS_FLUSHED:
        check->buffered_count = 0;
        break;
    case PERDURE__V1__EVENT__KIND_BUFFERED_TIMER_REMOVED:
        check->buffered_count--;
        break;
    case PERDURE__V1__EVENT__KIND_RUN_REMOVED:
        SIM_CHECK(sim, check->closed, "run %s is removed but open", run_id);
        check->removed = true;
        break;
    default:
        break;
    }
}

void check_history_init(check_history_t *check)
{
    memset(check, 0, sizeof(*check));
}

void check_history_deinit(check_history_t *check)
{
    pd_free(check->activities.items);
    pd_free(check->timers.items);
}
