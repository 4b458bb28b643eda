/* The one order of things: decide, append, apply in memory, and what happens at acknowledgement. */
#include <perdure/v1/record.pb-c.h>

#include "api/pb/validate.h"
#include "base/diag.h"
#include "engine/decide/history_limit.h"
#include "engine/partition/partition_private.h"

/* What came in once can be written again, inside of what the engine wraps it into. */
_Static_assert(PD_RECORD_DEPTH_MAX >= PD_PB_DEPTH_MAX + 32, "records are too shallow for requests");

enum {
    FREE_PENDING_COUNT_MAX = 1024,
    PENDING_COUNT_MAX = 20000,
    OUTBOX_SIZE_MAX = 64 << 20, /* bytes of messages that wait: then clients are refused */
};

/* ---- pendings ---- */

static void on_append(pd_log_append_t *append);

static pdi_pending_t *pending_new(pd_partition_t *partition)
{
    pdi_pending_t *pending = TAILQ_FIRST(&partition->free_pendings);

    if (pending) {
        TAILQ_REMOVE(&partition->free_pendings, pending, link);
        partition->free_pending_count--;
    } else {
        pending = PD_NEW(pdi_pending_t);
        pending->partition = partition;
        pd_buf_init(&pending->record, PD_LOG_RECORD_SIZE_LIMIT);
    }
    STAILQ_INIT(&pending->answers);
    pending->acknowledged = pending->abandoned = pending->flush_boundary = false;
    pending->command = NULL;
    pending->offer_count = pending->mark_count = 0;
    pending->namespace_row = NULL;
    pending->namespace_call = NULL;
    return pending;
}

static void pending_free(pdi_pending_t *pending)
{
    enum { KEPT_RECORD_SIZE = 64 * 1024 };
    pd_partition_t *partition = pending->partition;

    PD_ASSERT(STAILQ_EMPTY(&pending->answers));
    if (partition->free_pending_count < FREE_PENDING_COUNT_MAX &&
        pending->record.capacity <= KEPT_RECORD_SIZE) {
        pd_buf_clear(&pending->record);
        TAILQ_INSERT_HEAD(&partition->free_pendings, pending, link);
        partition->free_pending_count++;
        return;
    }
    pd_buf_deinit(&pending->record);
    pd_free(pending->offers);
    pd_free(pending->marks);
    pd_free(pending);
}

/* ---- append and apply ---- */

static void apply_effects(pd_partition_t *partition, pdi_pending_t *pending)
{
    pd_execution_t *const *touched;
    const pd_ready_task_t *ready;
    size_t count = pd_store_ready(partition->store, &ready);

    for (size_t i = 0; i < count; i++)
        pdi_offer_ready(partition, pending, &ready[i]);
    count = pd_store_touched(partition->store, &touched);
    for (size_t i = 0; i < count; i++)
        pdi_clock_watch(partition, touched[i]);
}

/* The rest may decide again, so it works on a copy: deciding changes what the store lends. */
static void wake_waiters(pd_partition_t *partition, pd_command_t *command)
{
    pd_execution_t *const *touched, *waited_on[4];
    size_t count = pd_store_touched(partition->store, &touched), waited_count = 0;

    for (size_t i = 0; i < count && waited_count < PD_ARRAY_COUNT(waited_on); i++) {
        if (touched[i]->engine)
            waited_on[waited_count++] = touched[i];
    }
    for (size_t i = 0; i < waited_count; i++)
        pdi_run_changed(partition, waited_on[i], command);
}

static bool encode(pd_partition_t *partition, Perdure__V1__Record *record, pdi_pending_t *pending,
                   pd_error_t *error)
{
    pd_status_t status;

    record->epoch = partition->epoch;
    record->prev_hash.data = partition->tip_hash;
    record->prev_hash.len = PD_RECORD_HASH_SIZE;
    record->time_ns = pd_partition_now_ns(partition);
    status = pd_record_encode(partition->options.codec, &record->base, &pending->record);
    if (status != PD_OK)
        pd_error_set(error, status, "the transition is too large or too deep for a log record");
    return status == PD_OK;
}

static bool send_record(pd_partition_t *partition, Perdure__V1__Record *record,
                        pdi_pending_t *pending, pd_error_t *error)
{
    size_t value_size;

    if (!encode(partition, record, pending, error))
        return false;
    /* The key goes behind the value: both are borrowed by the log longer than a call may live. */
    value_size = pending->record.size;
    memset(&pending->append, 0, sizeof(pending->append));
    if (record->body_case == PERDURE__V1__RECORD__BODY_TRANSITION) {
        pd_bytes_t key = pd_bytes_str(record->transition->workflow_id);

        if (pd_buf_append(&pending->record, key.data, key.size) != PD_OK)
            return false;
        pending->append.key = pd_bytes(pending->record.data + value_size, key.size);
    }
    pending->append.value = pd_bytes(pending->record.data, value_size);
    pending->append.done = on_append;
    if (pd_log_append(partition->writer, &pending->append) != PD_OK) {
        pd_error_set(error, PD_LIMIT, "the transition is larger than a log record may be");
        return false;
    }
    pd_record_hash(partition->tip_hash, pending->append.value, partition->tip_hash);
    memcpy(pending->hash_after, partition->tip_hash, PD_RECORD_HASH_SIZE);
    TAILQ_INSERT_TAIL(&partition->pendings, pending, link);
    partition->pending_count++;
    pdi_measure_append(partition, pending);
    STAILQ_CONCAT(&pending->answers, &partition->barrier_answers);
    return true;
}

/* Applied is what every reader of the log will apply: the record as its bytes tell it. So live and
 * replayed state cannot differ by something that the bytes do not hold, and the events, which may
 * name strings of the very rows that they change, share no memory with them. */
static pd_status_t apply_appended(pd_partition_t *partition, const pdi_pending_t *pending,
                                  pd_error_t *error)
{
    int64_t begin_ns = pdi_measure_apply_begin(partition);
    ProtobufCMessage *message;

    pd_arena_reset(&partition->replay_arena);
    PD_TRY(pd_record_decode(partition->options.codec, &partition->replay_arena,
                            pending->append.value, &message, error));
    PD_TRY(pd_store_apply(partition->store, (Perdure__V1__Record *)message, error));
    pdi_measure_apply_end(partition, begin_ns, (Perdure__V1__Record *)message);
    return PD_OK;
}

void pdi_pipeline_append(pd_partition_t *partition, Perdure__V1__Record *record,
                         pd_command_t *command, pd_arena_t *arena)
{
    pdi_pending_t *pending = pending_new(partition);
    pd_error_t error;

    pending->command = command;
    if (!send_record(partition, record, pending, &error)) {
        PD_ASSERT(command);
        pending_free(pending);
        pdi_pipeline_answer_later(partition, command,
                                  pd_rpc_invalid_argument(command->arena, "%s", error.text));
        return;
    }
    if (apply_appended(partition, pending, &error) != PD_OK) {
        PD_DIAG(PD_DIAG_ERROR, "own transition does not fit the state",
                "partition=%u command=%s error=\"%s\"", partition->options.index,
                command ? command->kind->name : "-", error.text);
        PD_UNREACHABLE();
    }
    pending->commands_through = pd_store_commands_through(partition->store);
    if (record->body_case == PERDURE__V1__RECORD__BODY_TRANSITION)
        pdi_outbox_appended(pending, record->transition);
    apply_effects(partition, pending);
    if (command) {
        if (command->decision->hand_out_workflow_task)
            pdi_hand_out_applied(partition, command);
        if (command->kind->applied)
            command->kind->applied(partition, command);
    }
    pdi_flush_after_apply(partition, pending);
    pdi_watch_appended(partition);
    wake_waiters(partition, command);
}

/* ---- decide ---- */

static const pd_rpc_error_t *run_not_found(pd_command_t *command)
{
    if (pd_pb_empty(command->run_id))
        return pd_rpc_not_found(command->arena, "workflow not found for ID: %s",
                                command->workflow_id);
    return pd_rpc_not_found(command->arena,
                            "workflow execution not found for workflow ID \"%s\" and run ID \"%s\"",
                            command->workflow_id, command->run_id);
}

static pd_status_t find_run(pd_partition_t *partition, pd_command_t *command,
                            pd_decision_t *decision, pd_error_t *error)
{
    pd_execution_t *current = NULL;

    if (pd_pb_empty(command->run_id)) {
        PD_TRY(pd_store_current(partition->store, command->ns->id, command->workflow_id,
                                &decision->exec, error));
        decision->exec_is_current = decision->exec != NULL;
        return PD_OK;
    }
    PD_TRY(
        pd_store_current(partition->store, command->ns->id, command->workflow_id, &current, error));
    if (current && strcmp(current->row->run_id, command->run_id) == 0) {
        decision->exec = current;
        decision->exec_is_current = true;
        return PD_OK;
    }
    return pd_store_execution(partition->store, command->ns->id, command->workflow_id,
                              command->run_id, &decision->exec, error);
}

/* The answer leaves when the record counts, and may name rows of the state, which the next command
 * changes: so it is serialised here and now. */
static void keep_response(pd_decision_t *decision)
{
    if (!decision->response || decision->hand_out_workflow_task)
        return;
    decision->response_data = pd_pb_pack_arena(decision->response, decision->arena);
    if (!decision->response_data.size) /* an empty answer */
        decision->response = NULL;
}

static void decide(pd_partition_t *partition, pd_command_t *command)
{
    pd_decision_t *decision = command->decision;
    const pd_rpc_error_t *refusal = NULL;
    Perdure__V1__Transition *transition;

    if (!decision->exec && !command->kind->may_create)
        refusal = run_not_found(command);
    else
        refusal = command->kind->decide(decision, command);
    if (refusal) {
        pdi_pipeline_answer_later(partition, command, refusal);
        return;
    }
    if (decision->wait_for_change) {
        pdi_run_park(partition, command);
        return;
    }
    if (decision->wait_for_answer) {
        pdi_query_start(partition, command);
        return;
    }
    if (!command->poll)
        pd_history_limit_enforce(decision);
    keep_response(decision);
    transition = pd_decision_transition(decision, command->kind->cause);
    if (transition) {
        Perdure__V1__Record record = PERDURE__V1__RECORD__INIT;

        record.body_case = PERDURE__V1__RECORD__BODY_TRANSITION;
        record.transition = transition;
        transition->commands_through = pdi_transport_commands_through(partition, command);
        pdi_outbox_number(partition, transition);
        pdi_pipeline_append(partition, &record, command, command->arena);
    } else {
        /* A repeated request may be handed the task once more that it was handed before. */
        if (decision->hand_out_workflow_task)
            pdi_hand_out_applied(partition, command);
        pdi_pipeline_answer_later(partition, command, NULL);
    }
}

/* While it is being released only those who waited are still answered. */
static bool takes(const pd_partition_t *partition, bool wait_expired)
{
    if (partition->stopping)
        return false;
    return partition->state == PD_PARTITION_OWNER ||
           (partition->state == PD_PARTITION_RELEASING && wait_expired);
}

/* What the command is decided on: the state as it is now. */
static pd_status_t prepare(pd_partition_t *partition, pd_command_t *command, bool wait_expired,
                           pd_error_t *error)
{
    pd_decision_t *decision = PD_ARENA_NEW(command->arena, pd_decision_t);

    decision->arena = command->arena;
    decision->now_ns = pd_partition_now_ns(partition);
    decision->random = &partition->random;
    decision->ns = command->ns;
    decision->workflow_id = command->workflow_id;
    decision->store = partition->store;
    decision->namespaces = partition->options.namespaces;
    decision->wait_expired = wait_expired;
    decision->received = command->received;
    decision->command_id = command->command_id;
    command->decision = decision;
    return find_run(partition, command, decision, error);
}

void pd_partition_submit(pd_partition_t *partition, pd_command_t *command)
{
    bool wait_expired = command->decision && command->decision->wait_expired;
    pd_error_t error;

    PD_ASSERT_LOOP(partition->options.loop);
    command->partition = partition;
    if (!takes(partition, wait_expired)) {
        pdi_command_not_taken(partition, command,
                              pd_rpc_unavailable(command->arena, "partition %u is not ready",
                                                 partition->options.index));
        return;
    }
    if (partition->pending_count >= PENDING_COUNT_MAX ||
        (command->call && pd_store_outbox_size(partition->store) > OUTBOX_SIZE_MAX)) {
        pdi_command_refuse(partition, command,
                           pd_rpc_error(command->arena, PD_RPC_RESOURCE_EXHAUSTED,
                                        "partition %u is overloaded", partition->options.index));
        return;
    }
    if (prepare(partition, command, wait_expired, &error) != PD_OK) {
        pdi_command_refuse(partition, command,
                           pd_rpc_unavailable(command->arena, "%s", error.text));
        pdi_partition_lose(partition, &error);
        return;
    }
    decide(partition, command);
}

/* Something of this workflow is on its way that may never count. */
static bool is_in_doubt(const pd_partition_t *partition, const char *workflow_id)
{
    pd_bytes_t key = pd_bytes_str(workflow_id);
    const pdi_pending_t *pending;

    TAILQ_FOREACH (pending, &partition->pendings, link) {
        if (pending->append.key.size == key.size &&
            memcmp(pending->append.key.data, key.data, key.size) == 0)
            return true;
    }
    return false;
}

void pdi_pipeline_end_wait(pd_partition_t *partition, pd_command_t *command, const char *why)
{
    const pd_rpc_error_t *unavailable = pd_rpc_unavailable(command->arena, "%s", why);
    pd_error_t error;

    if (is_in_doubt(partition, command->workflow_id) ||
        prepare(partition, command, true, &error) != PD_OK || !command->decision->exec ||
        command->kind->decide(command->decision, command))
        pdi_command_not_taken(partition, command, unavailable);
    else
        pd_partition_answer(partition, command);
}

/* ---- acknowledgement ---- */

static void send_offers(pd_partition_t *partition, pdi_pending_t *pending)
{
    for (size_t i = 0; i < pending->offer_count; i++) {
        pdi_offer_send(partition, &pending->offers[i]);
        pd_free(pending->offers[i].workflow_id);
    }
    pending->offer_count = 0;
}

static void publish_namespace(pd_partition_t *partition, pdi_pending_t *pending)
{
    if (pending->namespace_row) {
        pdi_namespace_counts(partition, pending->namespace_row, pending->namespace_call);
        protobuf_c_message_free_unpacked(&pending->namespace_row->base, NULL);
    }
    pending->namespace_row = NULL;
    pending->namespace_call = NULL;
}

/* The record surely counts: let its effects out. False: the partition was lost over it. */
static bool settle(pd_partition_t *partition, pdi_pending_t *pending)
{

    TAILQ_REMOVE(&partition->pendings, pending, link);
    partition->pending_count--;
    pdi_measure_acknowledged(partition, pending);
    partition->expected_offset = pending->append.offset + 1;
    partition->chain.offset = pending->append.offset;
    partition->chain.next_offset = pending->append.offset + 1;
    partition->chain.count++;
    partition->log_size += pending->append.value.size;
    memcpy(partition->chain.hash, pending->hash_after, PD_RECORD_HASH_SIZE);
    atomic_store_explicit(&partition->status_applied_offset, partition->chain.offset,
                          memory_order_relaxed);
    publish_namespace(partition, pending);
    if (pending->command)
        pdi_command_finish(partition, pending->command);
    pending->command = NULL;
    pdi_answers_run(partition, &pending->answers);
    send_offers(partition, pending);
    pdi_transport_settled(partition, pending);
    if (!pdi_partition_is_writer(partition)) { /* lost over what an answer led to */
        pending_free(pending);
        return false;
    }
    pdi_flush_acknowledged(partition, pending);
    pending_free(pending);
    return true;
}

static void settle_all(pd_partition_t *partition);

/* Somebody else wrote between our records. An OwnerChanged: we have lost the partition. Anything
 * else is void (its epoch is not ours), and we go on. */
static void on_gap_read(pd_log_read_t *read)
{
    pd_partition_t *partition = PD_CONTAINER_OF(read, pd_partition_t, gap_read);
    pdi_pending_t *first = TAILQ_FIRST(&partition->pendings);
    pd_error_t error;

    if (!partition->reader) /* closed meanwhile */
        return;
    partition->reading_gap = false;
    if (!pdi_partition_is_writer(partition) || !first)
        return;
    if (read->status != PD_OK) {
        pd_error_set(&error, PD_UNKNOWN_OUTCOME, "the gap before offset %lld cannot be read",
                     (long long)first->append.offset);
        pdi_partition_lose(partition, &error);
        return;
    }
    if (pdi_watch_deposed(partition, read, first->append.offset))
        return;
    partition->expected_offset =
        read->next_offset < first->append.offset ? read->next_offset : first->append.offset;
    settle_all(partition);
}

void pdi_pipeline_read_gap(pd_partition_t *partition)
{
    partition->gap_wanted = partition->reader->reading; /* that read completes: there are records */
    if (partition->gap_wanted)
        return;
    partition->reading_gap = true;
    partition->gap_read.from_offset = partition->expected_offset;
    partition->gap_read.size_max = 0;
    partition->gap_read.wait = false;
    partition->gap_read.done = on_gap_read;
    pd_log_read(partition->reader, &partition->gap_read);
}

static void settle_all(pd_partition_t *partition)
{
    pdi_pending_t *pending;

    while (!partition->reading_gap && !partition->gap_wanted &&
           (pending = TAILQ_FIRST(&partition->pendings)) && pending->acknowledged) {
        if (pending->append.offset != partition->expected_offset) {
            pdi_pipeline_read_gap(partition);
            return;
        }
        if (!settle(partition, pending))
            return;
    }
    pdi_partition_maybe_stopped(partition);
}

static void on_append(pd_log_append_t *append)
{
    pdi_pending_t *pending = PD_CONTAINER_OF(append, pdi_pending_t, append);
    pd_partition_t *partition = pending->partition;
    pd_error_t error;

    if (pending->abandoned) { /* the partition was lost meanwhile */
        partition->abandoned_count--;
        pending_free(pending);
        pdi_partition_maybe_stopped(partition);
        return;
    }
    if (append->status != PD_OK) {
        pending->acknowledged = true; /* not in flight any more */
        pd_log_writer_error(partition->writer, &error);
        error.status = append->status;
        pdi_partition_lose(partition, &error);
        return;
    }
    pending->acknowledged = true;
    settle_all(partition);
}

/* What has a record in flight ends with an unknown outcome; whatever only read, was refused or was
 * a repeat has not been taken. */
void pdi_pipeline_fail_all(pd_partition_t *partition, const char *why)
{
    pdi_answers_t answers = STAILQ_HEAD_INITIALIZER(answers);
    pdi_answer_t *answer;
    pdi_pending_t *pending;

    while ((pending = TAILQ_FIRST(&partition->pendings))) {
        pd_command_t *command = pending->command;

        TAILQ_REMOVE(&partition->pendings, pending, link);
        partition->pending_count--;
        STAILQ_CONCAT(&answers, &pending->answers);
        for (size_t i = 0; i < pending->offer_count; i++)
            pd_free(pending->offers[i].workflow_id);
        pending->offer_count = 0;
        pending->command = NULL;
        if (pending->namespace_row)
            protobuf_c_message_free_unpacked(&pending->namespace_row->base, NULL);
        pending->namespace_row = NULL;
        if (pending->namespace_call)
            pd_call_fail(pending->namespace_call,
                         pd_rpc_unavailable(pending->namespace_call->arena, "%s", why));
        pending->namespace_call = NULL;
        if (pending->acknowledged) {
            pending_free(pending);
        } else {
            pending->abandoned = true;
            partition->abandoned_count++;
        }
        if (command)
            pdi_command_refuse(partition, command, pd_rpc_unavailable(command->arena, "%s", why));
    }
    pd_gauge_set(&partition->metrics.pending_count, 0);
    STAILQ_CONCAT(&answers, &partition->barrier_answers);
    while ((answer = STAILQ_FIRST(&answers))) {
        STAILQ_REMOVE_HEAD(&answers, link);
        pdi_command_not_taken(partition, answer->command,
                              pd_rpc_unavailable(answer->command->arena, "%s", why));
    }
}
