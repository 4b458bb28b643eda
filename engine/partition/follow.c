/* Reading the log and applying what counts, without effects: an owner before it owns, and a standby
 * for as long as it is one. Everything that is read is durable, so every record is a boundary at
 * which the store may be flushed. */
#include "base/diag.h"
#include "engine/partition/partition_private.h"

#define READ_AGAIN_NS ((int64_t)20 * 1000000)
#define PAUSE_MAX_NS ((int64_t)100 * 1000000)

/* What is applied in one turn of the loop, which has other partitions: a few milliseconds. */
enum { SLICE_SIZE = 128 << 10 };

static bool follows(const pd_partition_t *partition)
{
    return partition->state == PD_PARTITION_FOLLOWING || partition->state == PD_PARTITION_ACQUIRING;
}

void pdi_follow_note_owner(pd_partition_t *partition, int64_t offset,
                           const Perdure__V1__OwnerChanged *changed)
{
    if (offset <= partition->known_epoch)
        return;
    partition->known_epoch = offset;
    partition->known_is_self = strcmp(pd_pb_str(changed->node), partition->node) == 0;
}

static pd_status_t apply_stored(pd_partition_t *partition, const pd_log_record_t *stored,
                                pd_error_t *error)
{
    Perdure__V1__Record *record;
    ProtobufCMessage *message;
    pd_chain_verdict_t verdict;
    pd_chain_record_t link;

    partition->log_size += stored->value.size;
    pd_arena_reset(&partition->replay_arena);
    if (pd_record_decode(partition->options.codec, &partition->replay_arena, stored->value,
                         &message, error) != PD_OK) {
        /* Not one of ours, or damaged: it cannot chain, so it is void like any foreign record. */
        PD_DIAG(PD_DIAG_WARN, "unreadable record is void", "partition=%u offset=%lld error=\"%s\"",
                partition->options.index, (long long)stored->offset, error->text);
        return PD_OK;
    }
    record = (Perdure__V1__Record *)message;
    link.offset = stored->offset;
    link.epoch = record->epoch;
    link.prev_hash = pd_bytes(record->prev_hash.data, record->prev_hash.len);
    link.is_owner_changed = record->body_case == PERDURE__V1__RECORD__BODY_OWNER_CHANGED;
    link.bytes = stored->value;
    verdict = pd_chain_feed(&partition->chain, &link);
    if (verdict == PD_CHAIN_VOID_HASH)
        PD_DIAG(PD_DIAG_INFO, "a record of the owner is void",
                "partition=%u offset=%lld epoch=%lld after=%lld: %s", partition->options.index,
                (long long)stored->offset, (long long)link.epoch,
                (long long)partition->chain.offset, pd_chain_verdict_text(verdict));
    PD_TRY(pdi_restore_judge(partition, &link, verdict, error));
    if (!pd_chain_counts(verdict))
        return PD_OK;
    if (link.is_owner_changed)
        pdi_follow_note_owner(partition, stored->offset, record->owner_changed);
    return pd_store_apply(partition->store, record, error);
}

static pd_status_t apply_all(pd_partition_t *partition, const pd_log_read_t *read,
                             pd_error_t *error)
{
    for (uint32_t i = 0; i < read->count; i++) {
        const pd_log_record_t *record = &read->records[i];

        if (record->offset < partition->follow_offset) /* our own, of when we owned it */
            continue;
        PD_TRY(apply_stored(partition, record, error));
        partition->follow_offset = record->offset + 1;
        pdi_flush_after_apply(partition, NULL); /* memory is bounded on the way, too */
    }
    if (read->next_offset > partition->follow_offset)
        partition->follow_offset = read->next_offset;
    return PD_OK;
}

static void on_read_timer(pd_timer_t *timer)
{
    pdi_watch_reader_free(PD_CONTAINER_OF(timer, pd_partition_t, read_timer));
}

static void read_failed(pd_partition_t *partition, const pd_log_read_t *read)
{
    pd_error_t error;

    if (read->status == PD_UNAVAILABLE) {
        partition->read_timer.fire = on_read_timer;
        pd_loop_timer_start(partition->options.loop, &partition->read_timer,
                            pd_partition_now_ns(partition) + READ_AGAIN_NS);
        return;
    }
    pd_error_set(&error, PD_IO, "the log cannot be read from offset %lld (%s)",
                 (long long)read->from_offset, pd_status_name(read->status));
    if (!pdi_partition_is_writer(partition) && read->status == PD_NOT_FOUND &&
        pdi_restore_instead(partition, PD_NOT_FOUND))
        error.status = PD_UNAVAILABLE; /* comes back, to a snapshot */
    pdi_partition_lose(partition, &error);
}

/* A standby that catches up is in nobody's way: it takes half of its loop's time, and when that is
 * short, less. Who is to own the partition does not wait. */
static void read_on(pd_partition_t *partition, const pd_log_read_t *read, int64_t begun_ns)
{
    int64_t pause_ns =
        partition->options.precise_ns ? partition->options.precise_ns() - begun_ns : 0;

    if (partition->role != PD_PARTITION_STANDBY || partition->state != PD_PARTITION_FOLLOWING ||
        !pause_ns || read->next_offset >= read->end_offset) {
        pdi_follow_read(partition);
        return;
    }
    partition->read_timer.fire = on_read_timer;
    pd_loop_timer_start(partition->options.loop, &partition->read_timer,
                        pd_partition_now_ns(partition) +
                            (pause_ns < PAUSE_MAX_NS ? pause_ns : PAUSE_MAX_NS));
}

static void on_read(pd_log_read_t *read)
{
    pd_partition_t *partition = PD_CONTAINER_OF(read, pd_partition_t, read);
    int64_t begun_ns = 0;
    pd_error_t error;

    if (!partition->reader) /* closed meanwhile */
        return;
    if (read->status != PD_OK) {
        read_failed(partition, read);
        return;
    }
    if (pdi_partition_is_writer(partition)) {
        pdi_watch_read(partition, read);
        return;
    }
    if (!follows(partition))
        return;
    if (partition->options.snapshots.directory && partition->follow_offset == PD_LOG_FIRST &&
        read->start_offset > 0) {
        pd_error_set(&error, PD_IO,
                     "the log begins at offset %lld, and there is neither a state nor a snapshot "
                     "to go on from",
                     (long long)read->start_offset);
        pdi_partition_lose(partition, &error);
        return;
    }
    atomic_store_explicit(&partition->status_end_offset, read->end_offset, memory_order_relaxed);
    if (partition->options.precise_ns)
        begun_ns = partition->options.precise_ns();
    if (apply_all(partition, read, &error) != PD_OK) {
        pdi_partition_lose(partition, &error);
        return;
    }
    pdi_partition_publish(partition);
    pdi_role_step(partition);
    read_on(partition, read, begun_ns);
}

static bool reads_on(const pd_partition_t *partition)
{
    if (pdi_partition_is_writer(partition))
        return !partition->watch_armed && TAILQ_EMPTY(&partition->pendings) &&
               !partition->options.log->info.exclusive;
    return follows(partition);
}

void pdi_follow_read(pd_partition_t *partition)
{
    if (!reads_on(partition) || partition->stopping || partition->reader->reading)
        return;
    partition->read.from_offset =
        pdi_partition_is_writer(partition) ? partition->expected_offset : partition->follow_offset;
    partition->read.size_max = pdi_partition_is_writer(partition) ? 0 : SLICE_SIZE;
    partition->read.wait = true;
    partition->read.done = on_read;
    pd_log_read(partition->reader, &partition->read);
}

static pd_status_t open_reader(pd_partition_t *partition, pd_error_t *error)
{
    pd_log_handle_options_t handle = {
        .loop = partition->options.loop,
        .topic = PD_LOG_EVENTS,
        .partition = partition->options.index,
    };

    return pd_log_open_reader(partition->options.log, &handle, &partition->reader, error);
}

static void go_on_from_store(pd_partition_t *partition)
{
    pd_store_position_t position;

    atomic_store_explicit(&partition->status_end_offset, -1, memory_order_relaxed);
    pd_store_position(partition->store, &position);
    pd_chain_init(&partition->chain);
    partition->follow_offset = PD_LOG_FIRST;
    if (position.applied_offset >= 0) {
        partition->chain.epoch = position.epoch;
        if (position.epoch > partition->known_epoch) { /* whose, nobody remembers */
            partition->known_epoch = position.epoch;
            partition->known_is_self = false;
        }
        partition->chain.offset = position.applied_offset;
        partition->chain.next_offset = position.applied_offset + 1;
        memcpy(partition->chain.hash, position.running_hash, PD_RECORD_HASH_SIZE);
        partition->follow_offset = position.applied_offset + 1;
    }
}

void pdi_follow_begin(pd_partition_t *partition)
{
    PD_ASSERT(!partition->store && !partition->reader && !partition->closing_reader);
    if (!partition->disk.busy && !pdi_restore_begin(partition))
        pdi_disk_open(partition);
}

void pdi_follow_opened(pd_partition_t *partition, pd_store_t *store, pd_status_t status,
                       pd_error_t *error)
{
    partition->store = store;
    if (status != PD_OK || open_reader(partition, error) != PD_OK) {
        pdi_partition_lose(partition, error);
        return;
    }
    go_on_from_store(partition);
    partition->released_epoch = -1;
    pdi_partition_set_state(partition, PD_PARTITION_FOLLOWING);
    pdi_role_step(partition);
    pdi_follow_read(partition);
}
