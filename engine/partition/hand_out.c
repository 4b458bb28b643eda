/* Workflow tasks on their way to workers: the answer to a poll, or the part of an answer that an
 * eager start or a forced new task needs. Histories are stored as they go over the wire, so they
 * are spliced in, never decoded. */
#include "api/pb/time.h"
#include "base/diag.h"
#include "engine/decide/task_token.h"
#include "engine/partition/partition_private.h"

enum {
    HISTORY_PAGE_EVENT_COUNT = 256,
    HISTORY_PAGE_SIZE = 2 * 1024 * 1024,
    HISTORY_SIZE_LIMIT = 64 * 1024 * 1024,
    FIELD_HISTORY = 8, /* of PollWorkflowTaskQueueResponse */
};

typedef Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueResponse poll_response_t;

static size_t put_varint(uint8_t *out, uint64_t value)
{
    size_t size = 0;

    while (value >= 0x80) {
        out[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (uint8_t)value;
    return size;
}

/* message with one more field: a sub-message given as wire bytes. */
pd_bytes_t pdi_splice(pd_arena_t *arena, pd_bytes_t message, uint32_t field, pd_bytes_t bytes)
{
    uint8_t *data = pd_arena_alloc(arena, message.size + bytes.size + 20);
    size_t size = message.size;

    if (size)
        memcpy(data, message.data, size);
    size += put_varint(data + size, (uint64_t)field << 3 | 2);
    size += put_varint(data + size, bytes.size);
    if (bytes.size)
        memcpy(data + size, bytes.data, bytes.size);
    return pd_bytes(data, size + bytes.size);
}

/* A transient task's two events are not in the history; the worker gets them all the same. */
static pd_status_t append_transient(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row,
                                    pd_buf_t *history)
{
    const Perdure__V1__WorkflowTaskRow *task = row->workflow_task;
    Temporal__Api__History__V1__HistoryEvent scheduled =
        TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__INIT;
    Temporal__Api__History__V1__HistoryEvent started = scheduled,
                                             *events[2] = {&scheduled, &started};
    Temporal__Api__History__V1__WorkflowTaskScheduledEventAttributes scheduled_attributes =
        TEMPORAL__API__HISTORY__V1__WORKFLOW_TASK_SCHEDULED_EVENT_ATTRIBUTES__INIT;
    Temporal__Api__History__V1__WorkflowTaskStartedEventAttributes started_attributes =
        TEMPORAL__API__HISTORY__V1__WORKFLOW_TASK_STARTED_EVENT_ATTRIBUTES__INIT;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    Temporal__Api__History__V1__History tail = TEMPORAL__API__HISTORY__V1__HISTORY__INIT;

    queue.name = row->task_queue;
    queue.kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    scheduled_attributes.task_queue = &queue;
    scheduled_attributes.attempt = task->attempt;
    scheduled_attributes.start_to_close_timeout =
        pd_pb_duration(arena, task->start_to_close_timeout_ns);
    scheduled.event_id = task->scheduled_event_id;
    scheduled.event_time = pd_pb_timestamp(arena, task->scheduled_time_ns);
    scheduled.event_type = PD_EVENT(WORKFLOW_TASK_SCHEDULED);
    scheduled.attributes_case =
        TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_TASK_SCHEDULED_EVENT_ATTRIBUTES;
    scheduled.workflow_task_scheduled_event_attributes = &scheduled_attributes;
    started_attributes.scheduled_event_id = task->scheduled_event_id;
    started_attributes.identity = task->identity;
    started_attributes.request_id = task->request_id;
    started_attributes.history_size_bytes = row->history_size_bytes;
    started.event_id = task->started_event_id;
    started.event_time = pd_pb_timestamp(arena, task->started_time_ns);
    started.event_type = PD_EVENT(WORKFLOW_TASK_STARTED);
    started.attributes_case =
        TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_TASK_STARTED_EVENT_ATTRIBUTES;
    started.workflow_task_started_event_attributes = &started_attributes;
    tail.n_events = 2;
    tail.events = events;
    return pd_pb_pack(&tail, history);
}

pd_status_t pdi_hand_out_history(pd_partition_t *partition, pd_arena_t *arena, pd_execution_t *exec,
                                 int64_t first_event_id, int64_t through_event_id,
                                 pd_buf_t *history, pd_bytes_t *next_page_token, pd_error_t *error)
{
    const Perdure__V1__ExecutionRow *row = exec->row;
    bool transient_started = row->workflow_task && row->workflow_task->transient &&
                             row->workflow_task->started_event_id != 0;
    int64_t next_event_id = first_event_id, count = through_event_id - first_event_id + 1;

    *next_page_token = pd_bytes(NULL, 0);
    if (through_event_id >= row->next_event_id)
        count = row->next_event_id - first_event_id;
    if (count > HISTORY_PAGE_EVENT_COUNT)
        count = HISTORY_PAGE_EVENT_COUNT;
    if (count > 0)
        PD_TRY(pd_store_history_read(partition->store, exec, first_event_id, count,
                                     HISTORY_PAGE_SIZE, history, &next_event_id, error));
    if (next_event_id <= through_event_id && next_event_id < row->next_event_id) {
        Perdure__V1__HistoryPageToken token = PERDURE__V1__HISTORY_PAGE_TOKEN__INIT;

        token.run_id = row->run_id;
        token.next_event_id = next_event_id;
        token.is_running = pd_execution_is_running(exec);
        token.through_event_id = through_event_id;
        if (transient_started)
            token.transient_scheduled_event_id = row->workflow_task->scheduled_event_id;
        *next_page_token = pd_pb_pack_arena(&token, arena);
    } else if (transient_started && through_event_id >= row->workflow_task->started_event_id) {
        PD_TRY(append_transient(arena, row, history));
    }
    return PD_OK;
}

static void fill_response(pd_arena_t *arena, const pd_namespace_t *ns, pd_execution_t *exec,
                          poll_response_t *response)
{
    const Perdure__V1__ExecutionRow *row = exec->row;
    const Perdure__V1__WorkflowTaskRow *task = row->workflow_task;
    Perdure__V1__TaskToken token = PERDURE__V1__TASK_TOKEN__INIT;
    pd_bytes_t bytes;

    token.namespace_id = (char *)ns->id;
    token.workflow_id = row->workflow_id;
    token.run_id = row->run_id;
    token.scheduled_event_id = task->scheduled_event_id;
    token.started_event_id = task->started_event_id;
    token.attempt = task->attempt;
    token.started_time_ns = task->started_time_ns;
    bytes = pd_pb_pack_arena(&token, arena);
    response->task_token.data = (uint8_t *)bytes.data;
    response->task_token.len = bytes.size;
    response->workflow_execution = PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowExecution,
                                             temporal__api__common__v1__workflow_execution);
    response->workflow_execution->workflow_id = row->workflow_id;
    response->workflow_execution->run_id = row->run_id;
    response->workflow_type = PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowType,
                                        temporal__api__common__v1__workflow_type);
    response->workflow_type->name = row->workflow_type;
    response->previous_started_event_id = row->last_workflow_task_started_event_id;
    response->started_event_id = task->started_event_id;
    response->attempt = task->attempt;
    response->workflow_execution_task_queue = PD_PB_NEW(
        arena, Temporal__Api__Taskqueue__V1__TaskQueue, temporal__api__taskqueue__v1__task_queue);
    response->workflow_execution_task_queue->name = row->task_queue;
    response->workflow_execution_task_queue->kind =
        TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    response->scheduled_time = pd_pb_timestamp(arena, task->scheduled_time_ns);
    response->started_time = pd_pb_timestamp(arena, task->started_time_ns);
}

/* What a worker gets for the workflow task of `exec` that has just been started, serialised in the
 * arena: attached queries, history, task token. Part of the history only when `partial`. */
static pd_status_t build_task(pd_partition_t *partition, pd_arena_t *arena,
                              const pd_namespace_t *ns, pd_execution_t *exec, bool partial,
                              pd_bytes_t *bytes, pd_error_t *error)
{
    const Perdure__V1__ExecutionRow *row = exec->row;
    poll_response_t *response =
        PD_PB_NEW(arena, poll_response_t,
                  temporal__api__workflowservice__v1__poll_workflow_task_queue_response);
    int64_t first_event_id = partial ? row->last_workflow_task_started_event_id + 1 : 1;
    pd_bytes_t next_page_token;
    pd_status_t status;
    pd_buf_t history;

    PD_ASSERT(row->workflow_task && row->workflow_task->started_event_id);
    fill_response(arena, ns, exec, response);
    response->n_queries = pdi_query_attach(partition, exec, arena, &response->queries);
    pd_buf_init(&history, HISTORY_SIZE_LIMIT);
    status = pdi_hand_out_history(partition, arena, exec, first_event_id,
                                  row->workflow_task->started_event_id, &history, &next_page_token,
                                  error);
    if (status == PD_OK) {
        response->next_page_token.data = (uint8_t *)next_page_token.data;
        response->next_page_token.len = next_page_token.size;
        *bytes = pdi_splice(arena, pd_pb_pack_arena(response, arena), FIELD_HISTORY,
                            pd_buf_bytes(&history));
    }
    pd_buf_deinit(&history);
    return status;
}

/* The field of the response that holds a workflow task; 0: the response is one. */
static uint32_t field_in_response(const ProtobufCMessage *response)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *field;
    } holders[] = {
        {&temporal__api__workflowservice__v1__start_workflow_execution_response__descriptor,
         "eager_workflow_task"},
        {&temporal__api__workflowservice__v1__respond_workflow_task_completed_response__descriptor,
         "workflow_task"},
    };

    for (size_t i = 0; response && i < PD_ARRAY_COUNT(holders); i++) {
        if (response->descriptor == holders[i].type)
            return protobuf_c_message_descriptor_get_field_by_name(holders[i].type,
                                                                   holders[i].field)
                ->id;
    }
    return 0;
}

static pd_execution_t *handed_out_run(pd_partition_t *partition, pd_command_t *command,
                                      pd_error_t *error)
{
    const char *run_id = command->decision->hand_out_run_id;
    pd_execution_t *exec = NULL;

    if (!run_id && command->decision->exec)
        run_id = command->decision->exec->row->run_id;
    PD_ASSERT(run_id);
    if (pd_store_execution(partition->store, command->ns->id, command->workflow_id, run_id, &exec,
                           error) != PD_OK)
        return NULL;
    PD_ASSERT(exec);
    return exec;
}

/* A worker's poll is answered here, before the acknowledgement: a workflow task changes nothing
 * until its completion is recorded. Everything else goes out with the acknowledgement. */
void pdi_hand_out_applied(pd_partition_t *partition, pd_command_t *command)
{
    pd_decision_t *decision = command->decision;
    pd_poll_t *poll = command->poll;
    pd_bytes_t bytes;
    pd_error_t error;
    pd_execution_t *exec = handed_out_run(partition, command, &error);
    bool partial = poll && poll->normal_task_queue && exec &&
                   exec->row->last_workflow_task_started_event_id > 0;
    uint32_t field = field_in_response(decision->response);

    if (!poll && exec)
        partial = exec->row->last_workflow_task_started_event_id > 0;
    if (!exec || build_task(partition, command->arena, command->ns, exec, partial, &bytes,
                            &error) != PD_OK) {
        PD_DIAG(PD_DIAG_ERROR, "workflow task cannot be handed out", "partition=%u error=\"%s\"",
                partition->options.index, error.text);
        return; /* it will time out and be tried again */
    }
    if (field) {
        decision->response_data = pdi_splice(
            command->arena, pd_pb_pack_arena(decision->response, command->arena), field, bytes);
    } else if (poll) {
        command->poll = NULL;
        pd_call_respond_data(poll->call, pd_memdup(bytes.data, bytes.size), bytes.size);
    }
}
