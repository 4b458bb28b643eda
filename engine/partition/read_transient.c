/* Page tokens, and the events of a transient workflow task, which no history has. */
#include "api/pb/time.h"
#include "api/pb/validate.h"
#include "engine/decide/draft.h"
#include "engine/partition/read_private.h"

#define ATTRIBUTES(NAME) TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##NAME

Perdure__V1__HistoryPageToken *pdi_read_token(pd_arena_t *arena, const ProtobufCBinaryData *bytes)
{
    const ProtobufCMessageDescriptor *type = &perdure__v1__history_page_token__descriptor;
    pd_bytes_t wire = pd_bytes(bytes->data, bytes->len);

    if (pd_pb_validate(type, wire) != PD_PB_SOUND)
        return NULL;
    return pd_pb_unpack(type, arena, wire);
}

static pd_history_event_t *new_event(pd_arena_t *arena, int64_t event_id, int64_t time_ns)
{
    pd_history_event_t *event =
        PD_PB_NEW(arena, pd_history_event_t, temporal__api__history__v1__history_event);

    event->event_id = event_id;
    event->event_time = pd_pb_timestamp(arena, time_ns);
    return event;
}

static pd_history_event_t *scheduled_event(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row,
                                           const Perdure__V1__WorkflowTaskRow *task)
{
    pd_history_event_t *event = new_event(arena, task->scheduled_event_id, task->scheduled_time_ns);
    Temporal__Api__History__V1__WorkflowTaskScheduledEventAttributes *attributes =
        PD_PB_NEW(arena, Temporal__Api__History__V1__WorkflowTaskScheduledEventAttributes,
                  temporal__api__history__v1__workflow_task_scheduled_event_attributes);

    attributes->task_queue = PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                                       temporal__api__taskqueue__v1__task_queue);
    attributes->task_queue->name = row->task_queue;
    attributes->task_queue->kind =
        TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    attributes->start_to_close_timeout = pd_pb_duration(arena, task->start_to_close_timeout_ns);
    attributes->attempt = task->attempt;
    event->event_type = PD_EVENT(WORKFLOW_TASK_SCHEDULED);
    event->attributes_case = ATTRIBUTES(WORKFLOW_TASK_SCHEDULED_EVENT_ATTRIBUTES);
    event->workflow_task_scheduled_event_attributes = attributes;
    return event;
}

static pd_history_event_t *started_event(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row,
                                         const Perdure__V1__WorkflowTaskRow *task)
{
    pd_history_event_t *event = new_event(arena, task->started_event_id, task->started_time_ns);
    Temporal__Api__History__V1__WorkflowTaskStartedEventAttributes *attributes =
        PD_PB_NEW(arena, Temporal__Api__History__V1__WorkflowTaskStartedEventAttributes,
                  temporal__api__history__v1__workflow_task_started_event_attributes);

    attributes->scheduled_event_id = task->scheduled_event_id;
    attributes->request_id = task->request_id;
    attributes->history_size_bytes = row->history_size_bytes;
    attributes->suggest_continue_as_new = task->suggest_continue_as_new;
    event->event_type = PD_EVENT(WORKFLOW_TASK_STARTED);
    event->attributes_case = ATTRIBUTES(WORKFLOW_TASK_STARTED_EVENT_ATTRIBUTES);
    event->workflow_task_started_event_attributes = attributes;
    return event;
}

pd_status_t pdi_read_transient(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row,
                               const Perdure__V1__WorkflowTaskRow *task, pd_buf_t *history)
{
    Temporal__Api__History__V1__History tail = TEMPORAL__API__HISTORY__V1__HISTORY__INIT;
    pd_history_event_t *events[2];

    tail.events = events;
    events[tail.n_events++] = scheduled_event(arena, row, task);
    if (task->started_event_id != 0)
        events[tail.n_events++] = started_event(arena, row, task);
    return pd_pb_pack(&tail, history);
}
