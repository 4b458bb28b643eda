#include "tests/sim/sim_producer.h"

#include <stdio.h>

#include "engine/partition/partition_private.h"
#include "engine/partitioner.h"
#include "tests/sim/sim_flow.h"
#include "tests/sim/sim_ledger.h"
#include "tests/sim/sim_worker.h"
#include "tests/sim/sim_world.h"

/* One record that was produced. */
typedef struct produced {
    uint32_t partition;
    int64_t offset;
    sim_op_t *op; /* NULL: garbage */
    bool rejected;
} produced_t;

struct sim_producer {
    sim_t *sim;
    pd_timer_t timer;
    pd_arena_t arena;
    produced_t *items;
    size_t count, capacity;
};

#define BODY(NAME) PERDURE__V1__COMMAND__BODY_##NAME

static void add(sim_producer_t *producer, uint32_t partition, pd_bytes_t key, pd_bytes_t value,
                sim_op_t *op)
{
    sim_t *sim = producer->sim;

    if (producer->count == producer->capacity) {
        producer->capacity = producer->capacity ? producer->capacity * 2 : 64;
        producer->items =
            pd_realloc(producer->items, producer->capacity * sizeof(producer->items[0]));
    }
    producer->items[producer->count] = (produced_t){.partition = partition, .op = op};
    producer->items[producer->count].offset =
        pd_log_memory_append_foreign(sim->world->storage, PD_LOG_COMMANDS, partition, key, value);
    sim_trace(sim, "produced %u:%lld %s", partition,
              (long long)producer->items[producer->count].offset, op ? op->mark : "garbage");
    producer->count++;
}

/* ---- garbage ---- */

static void produce_garbage(sim_producer_t *producer)
{
    sim_t *sim = producer->sim;
    uint32_t partition = (uint32_t)sim_below(sim, sim->partition_count);
    pd_bytes_t key = pd_bytes_str("wf-1"), value;
    uint8_t bytes[64];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)sim_below(sim, 256);
    value = pd_bytes(bytes, sim_below(sim, sizeof(bytes) + 1));
    if (sim_chance(sim, 20))
        value = pd_bytes(NULL, 0);
    if (sim_chance(sim, 20))
        key = pd_bytes(NULL, 0);
    add(producer, partition, key, value, NULL);
}

/* ---- commands ---- */

static Temporal__Api__Common__V1__WorkflowExecution *execution(sim_producer_t *producer, char *id)
{
    Temporal__Api__Common__V1__WorkflowExecution *execution =
        PD_PB_NEW(&producer->arena, Temporal__Api__Common__V1__WorkflowExecution,
                  temporal__api__common__v1__workflow_execution);

    execution->workflow_id = id;
    return execution;
}

static void make_signal(sim_producer_t *producer, Perdure__V1__Command *command, char *id)
{
    SIM_WS(SignalWorkflowExecutionRequest) *request = SIM_WS_NEW(
        &producer->arena, SignalWorkflowExecutionRequest, signal_workflow_execution_request);
    sim_op_t *op = sim_op_new(producer->sim, SIM_OP_SIGNAL, id);

    request->workflow_execution = execution(producer, id);
    request->signal_name = (char *)"signal";
    request->input = sim_payloads(&producer->arena, op->mark);
    request->identity = op->mark;
    command->body_case = BODY(SIGNAL_WORKFLOW);
    command->signal_workflow = request;
}

static void make_signal_with_start(sim_producer_t *producer, Perdure__V1__Command *command,
                                   char *id)
{
    pd_arena_t *arena = &producer->arena;
    SIM_WS(SignalWithStartWorkflowExecutionRequest) *request =
        SIM_WS_NEW(arena, SignalWithStartWorkflowExecutionRequest,
                   signal_with_start_workflow_execution_request);
    sim_op_t *op = sim_op_new(producer->sim, SIM_OP_SIGNAL_WITH_START, id);
    char name[24];

    sim_task_queue_name((uint32_t)sim_below(producer->sim, producer->sim->task_queue_count), name);
    request->workflow_id = id;
    request->workflow_type = PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowType,
                                       temporal__api__common__v1__workflow_type);
    request->workflow_type->name = (char *)"flow";
    request->task_queue = PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                                    temporal__api__taskqueue__v1__task_queue);
    request->task_queue->name = pd_arena_strdup(arena, name);
    request->input = sim_payloads(arena, "0");
    request->signal_name = (char *)"signal";
    request->identity = op->mark;
    command->body_case = BODY(SIGNAL_WITH_START);
    command->signal_with_start = request;
}

static void make_cancel(sim_producer_t *producer, Perdure__V1__Command *command, char *id)
{
    SIM_WS(RequestCancelWorkflowExecutionRequest) *request =
        SIM_WS_NEW(&producer->arena, RequestCancelWorkflowExecutionRequest,
                   request_cancel_workflow_execution_request);
    sim_op_t *op = sim_op_new(producer->sim, SIM_OP_CANCEL, id);

    request->workflow_execution = execution(producer, id);
    request->identity = op->mark;
    command->body_case = BODY(REQUEST_CANCEL_WORKFLOW);
    command->request_cancel_workflow = request;
}

static void make_terminate(sim_producer_t *producer, Perdure__V1__Command *command, char *id)
{
    SIM_WS(TerminateWorkflowExecutionRequest) *request = SIM_WS_NEW(
        &producer->arena, TerminateWorkflowExecutionRequest, terminate_workflow_execution_request);
    sim_op_t *op = sim_op_new(producer->sim, SIM_OP_TERMINATE, id);

    request->workflow_execution = execution(producer, id);
    request->identity = op->mark;
    command->body_case = BODY(TERMINATE_WORKFLOW);
    command->terminate_workflow = request;
}

static void produce_command(sim_producer_t *producer)
{
    static void (*const makers[])(sim_producer_t *, Perdure__V1__Command *, char *) = {
        make_signal, make_signal, make_signal_with_start, make_cancel, make_terminate};
    sim_t *sim = producer->sim;
    Perdure__V1__Command command = PERDURE__V1__COMMAND__INIT;
    char *id = pd_arena_printf(&producer->arena, "wf-%u",
                               (unsigned)sim_below(sim, sim->workflow_id_count));
    uint32_t partition = pd_partition_of(id, sim->partition_count);
    sim_op_t *op;
    pd_buf_t buf;

    pd_buf_init(&buf, PD_LOG_RECORD_SIZE_LIMIT);
    command.namespace_ = (char *)(sim_chance(sim, 95) ? "default" : "nowhere");
    makers[sim_below(sim, PD_ARRAY_COUNT(makers))](producer, &command, id);
    op = sim->ledger->ops[sim->ledger->count - 1];
    op->attempt_count = 1;
    if (sim_chance(sim, 60))
        command.command_id = pd_arena_printf(&producer->arena, "command of %s", op->mark);
    PD_ASSERT(pd_record_encode(sim->options.command_codec, &command.base, &buf) == PD_OK);
    if (sim_chance(sim, 10))
        partition = (uint32_t)sim_below(sim, sim->partition_count);
    add(producer, partition, pd_bytes_str(id), pd_buf_bytes(&buf), op);
    while (!pd_pb_empty(command.command_id) && sim_chance(sim, 30)) {
        if (sim_chance(sim, 20))
            partition = (uint32_t)sim_below(sim, sim->partition_count);
        add(producer, partition, pd_bytes_str(id), pd_buf_bytes(&buf), op);
    }
    pd_buf_deinit(&buf);
}

static void on_timer(pd_timer_t *timer)
{
    sim_producer_t *producer = PD_CONTAINER_OF(timer, sim_producer_t, timer);

    if (producer->sim->closing)
        return;
    pd_arena_reset(&producer->arena);
    if (sim_chance(producer->sim, 15))
        produce_garbage(producer);
    else
        produce_command(producer);
    sim_producer_start(producer);
}

/* ---- what became of it ---- */

static const char *identity_of(const Perdure__V1__Command *command)
{
    switch ((int)command->body_case) {
    case BODY(SIGNAL_WORKFLOW):
        return command->signal_workflow->identity;
    case BODY(SIGNAL_WITH_START):
        return command->signal_with_start->identity;
    case BODY(REQUEST_CANCEL_WORKFLOW):
        return command->request_cancel_workflow->identity;
    case BODY(TERMINATE_WORKFLOW):
        return command->terminate_workflow->identity;
    default:
        return "";
    }
}

/* The rejected command may have been forwarded first: it is known by its mark. */
static void reject_op(sim_t *sim, pd_arena_t *arena, ProtobufCBinaryData value)
{
    ProtobufCMessage *message;
    const char *mark;

    if (pd_record_decode(sim->options.command_codec, arena, pd_bytes(value.data, value.len),
                         &message, NULL) != PD_OK)
        return;
    mark = identity_of((const Perdure__V1__Command *)message);
    for (size_t i = 0; i < sim->ledger->count; i++) {
        sim_op_t *op = sim->ledger->ops[i];

        if (strcmp(op->mark, mark) == 0 && op->state == SIM_OP_OPEN && !op->occurrence_count)
            op->state = SIM_OP_REJECTED;
    }
}

static void read_rejects(sim_producer_t *producer, uint32_t partition)
{
    sim_t *sim = producer->sim;
    uint64_t count = pd_log_memory_count(sim->world->storage, PD_LOG_REJECTED, partition);

    for (uint64_t i = 0; i < count; i++) {
        pd_log_record_t record =
            pd_log_memory_record(sim->world->storage, PD_LOG_REJECTED, partition, i);
        const Perdure__V1__Rejected *rejected;
        ProtobufCMessage *message;
        pd_arena_t arena;

        pd_arena_init(&arena);
        if (pd_record_decode(sim->options.rejected_codec, &arena, record.value, &message, NULL) ==
            PD_OK) { /* else a stranger's */
            rejected = (const Perdure__V1__Rejected *)message;
            reject_op(sim, &arena, rejected->original_value);
            for (size_t k = 0; k < producer->count; k++) {
                produced_t *item = &producer->items[k];

                if ((int32_t)item->partition == rejected->partition &&
                    item->offset == rejected->offset)
                    item->rejected = true;
            }
        }
        pd_arena_deinit(&arena);
    }
}

static int64_t last_offset(sim_t *sim, uint32_t partition)
{
    pd_log_memory_t *storage = sim->world->storage;
    uint64_t count = pd_log_memory_count(storage, PD_LOG_COMMANDS, partition);

    return count ? pd_log_memory_record(storage, PD_LOG_COMMANDS, partition, count - 1).offset : -1;
}

bool sim_producer_idle(const sim_producer_t *producer)
{
    sim_t *sim = producer->sim;

    for (uint32_t i = 0; i < sim->partition_count; i++) {
        pd_partition_t *partition = sim_world_owner(sim->world, i, -1);
        pd_transport_stats_t stats;

        if (!partition)
            return false;
        pd_partition_transport_stats(partition, &stats);
        if (stats.outbox_waiting || stats.commands_through < last_offset(sim, i) ||
            partition->pending_count) /* read, decided, and on its way to the log */
            return false;
    }
    return true;
}

void sim_producer_check(sim_producer_t *producer)
{
    sim_t *sim = producer->sim;

    for (uint32_t i = 0; i < sim->partition_count; i++)
        read_rejects(producer, i);
    for (size_t i = 0; i < producer->count; i++) {
        produced_t *item = &producer->items[i];

        if (!item->op)
            SIM_CHECK(sim, item->rejected, "garbage at %u:%lld was passed over in silence",
                      item->partition, (long long)item->offset);
        else if (item->op->state == SIM_OP_OPEN)
            item->op->state = SIM_OP_ACKNOWLEDGED;
    }
}

/* ---- life ---- */

sim_producer_t *sim_producer_new(sim_t *sim)
{
    sim_producer_t *producer = PD_NEW(sim_producer_t);

    producer->sim = sim;
    pd_arena_init(&producer->arena);
    return producer;
}

void sim_producer_free(sim_producer_t *producer)
{
    pd_loop_timer_stop(sim_clients_loop(producer->sim), &producer->timer);
    pd_arena_deinit(&producer->arena);
    pd_free(producer->items);
    pd_free(producer);
}

void sim_producer_start(sim_producer_t *producer)
{
    producer->timer.fire = on_timer;
    pd_loop_timer_start(sim_clients_loop(producer->sim), &producer->timer,
                        sim_now_ns(producer->sim) + sim_between(producer->sim, 0, 2 * SIM_S));
}
