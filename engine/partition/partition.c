/* A partition's life: start, lose, stop. What it should be meanwhile is in role.c. */
#include "engine/partition/partition.h"

#include "base/diag.h"
#include "engine/decide/messages/messages.h"
#include "engine/partition/partition_private.h"

#define RETRY_DELAY_MAX_NS ((int64_t)1000 * 1000000)
#define FAILED_DELAY_FACTOR_MAX 32 /* times failed_retry_ns */
#define STANDSTILL_NS ((int64_t)2 * 1000000000)
#define DIRTY_SIZE_MAX ((size_t)64 << 20)
#define PROGRESS_DELAY_NS ((int64_t)5 * 1000000000)
#define COMMAND_ID_KEEP_NS ((int64_t)24 * 3600 * 1000000000)

pd_partition_t *pd_partition_new(const pd_partition_options_t *options)
{
    pd_partition_t *partition = PD_NEW(pd_partition_t);

    partition->options = *options;
    partition->node = pd_strdup(options->node);
    partition->store_path = pd_strdup(options->store_path);
    partition->options.node = partition->node;
    partition->options.store_path = partition->store_path;
    partition->state = PD_PARTITION_STOPPED;
    partition->retry_delay_ns = PDI_RETRY_DELAY_MIN_NS;
    partition->failed_delay_ns = options->failed_retry_ns;
    partition->released_epoch = -1;
    partition->acquired_offset = -1;
    partition->known_epoch = -1;
    pd_chain_init(&partition->chain);
    atomic_init(&partition->status_end_offset, -1);
    pdi_partition_publish(partition);
    pd_random_init(&partition->random, options->random_seed);
    pd_arena_init(&partition->replay_arena);
    pd_buf_init(&partition->owner_record, PD_LOG_RECORD_SIZE_LIMIT);
    TAILQ_INIT(&partition->pendings);
    TAILQ_INIT(&partition->free_pendings);
    STAILQ_INIT(&partition->barrier_answers);
    LIST_INIT(&partition->runs);
    pdi_rebuild_init(partition);
    if (!partition->options.message_kind)
        partition->options.message_kind = pd_message_kind;
    if (!partition->options.standstill_ns)
        partition->options.standstill_ns = STANDSTILL_NS;
    if (!partition->options.dirty_size_max)
        partition->options.dirty_size_max = DIRTY_SIZE_MAX;
    if (partition->options.dirty_size_max < partition->options.flush_size)
        partition->options.dirty_size_max = partition->options.flush_size;
    if (!partition->options.progress_delay_ns)
        partition->options.progress_delay_ns = PROGRESS_DELAY_NS;
    if (!partition->options.command_id_keep_ns)
        partition->options.command_id_keep_ns = COMMAND_ID_KEEP_NS;
    partition->transport = pdi_transport_new(partition);
    if (options->metrics)
        pd_partition_metrics_register(&partition->metrics, options->metrics, options->index);
    pdi_snapshots_init(partition);
    return partition;
}

void pd_partition_free(pd_partition_t *partition)
{
    pdi_pending_t *pending;

    if (!partition)
        return;
    PD_ASSERT(partition->state == PD_PARTITION_STOPPED);
    pdi_snapshots_deinit(partition);
    pdi_rebuild_deinit(partition);
    while ((pending = TAILQ_FIRST(&partition->free_pendings))) {
        TAILQ_REMOVE(&partition->free_pendings, pending, link);
        pd_buf_deinit(&pending->record);
        pd_free(pending->offers);
        pd_free(pending->marks);
        pd_free(pending);
    }
    pdi_transport_free(partition->transport);
    pd_arena_deinit(&partition->replay_arena);
    pd_buf_deinit(&partition->owner_record);
    pd_free(partition->node);
    pd_free(partition->store_path);
    pd_free(partition);
}

/* ---- how far it is ---- */

enum { STATE_BITS = 7, RELEASED_BIT = 1 << STATE_BITS, EPOCH_SHIFT = STATE_BITS + 1 };

void pdi_partition_publish(pd_partition_t *partition)
{
    int64_t epoch = pdi_partition_is_writer(partition) ? partition->epoch : partition->known_epoch;
    bool released = partition->state == PD_PARTITION_FOLLOWING && partition->released_epoch >= 0 &&
                    partition->released_epoch == epoch;

    atomic_store_explicit(&partition->status_applied_offset, partition->chain.offset,
                          memory_order_relaxed);
    atomic_store_explicit(&partition->status_word,
                          (epoch + 1) << EPOCH_SHIFT | (released ? RELEASED_BIT : 0) |
                              (int64_t)partition->state,
                          memory_order_release);
}

void pd_partition_status(const pd_partition_t *partition, pd_partition_status_t *status)
{
    int64_t word = atomic_load_explicit(&partition->status_word, memory_order_acquire);

    status->state = (pd_partition_state_t)(word & (RELEASED_BIT - 1));
    status->released = (word & RELEASED_BIT) != 0;
    status->epoch = (word >> EPOCH_SHIFT) - 1;
    status->applied_offset =
        atomic_load_explicit(&partition->status_applied_offset, memory_order_relaxed);
    status->end_offset = atomic_load_explicit(&partition->status_end_offset, memory_order_relaxed);
    if (status->end_offset >= 0 && status->end_offset <= status->applied_offset)
        status->end_offset = status->applied_offset + 1;
}

void pdi_partition_set_state(pd_partition_t *partition, pd_partition_state_t state)
{
    if (partition->state == state)
        return;
    partition->state = state;
    if (state == PD_PARTITION_OWNER)
        pd_counter_add(&partition->metrics.epoch_changes, 1);
    pdi_partition_publish(partition);
    if (partition->changed)
        partition->changed(partition->changed_ctx, state);
}

/* ---- letting go ---- */

void pdi_partition_left_ownership(pd_partition_t *partition)
{
    pdi_transport_stop(partition);
    pd_loop_timer_stop(partition->options.loop, &partition->acquire_timer);
    pd_loop_timer_stop(partition->options.loop, &partition->watch_timer);
    partition->watch_armed = false;
    partition->gap_wanted = false;
    pdi_rebuild_stop(partition);
    pdi_clock_clear(partition);
    if (partition->offers && !partition->stopping && partition->options.sink.forget)
        partition->options.sink.forget(partition->options.sink.ctx, partition);
    partition->offers = false;
}

void pdi_partition_drop_memory(pd_partition_t *partition, bool flushes, const char *why)
{
    pd_loop_t *loop = partition->options.loop;

    pd_loop_timer_stop(loop, &partition->flush_timer);
    partition->flush_timer_armed = false;
    pd_loop_timer_stop(loop, &partition->read_timer);
    pdi_transport_stop(partition); /* before what it submitted fails */
    pdi_run_fail_all(partition, why);
    pdi_pipeline_fail_all(partition, why);
    pdi_partition_left_ownership(partition);
    pdi_disk_close(partition, flushes);
}

static void on_writer_closed(pd_mail_t *mail)
{
    pd_partition_t *partition = PD_CONTAINER_OF(mail, pd_partition_t, writer_closed);

    partition->closing_writer = false;
    pdi_role_step(partition);
    pdi_partition_maybe_stopped(partition);
}

static void on_reader_closed(pd_mail_t *mail)
{
    pd_partition_t *partition = PD_CONTAINER_OF(mail, pd_partition_t, reader_closed);

    partition->closing_reader = false;
    partition->reading_gap = false;
    pdi_role_step(partition);
    pdi_partition_maybe_stopped(partition);
}

void pdi_partition_close_writer(pd_partition_t *partition)
{
    pd_log_writer_t *writer = partition->writer;

    if (!writer)
        return;
    partition->writer = NULL;
    partition->closing_writer = true;
    partition->writer_closed.run = on_writer_closed;
    pd_log_close_writer(writer, &partition->writer_closed);
}

void pdi_partition_close_reader(pd_partition_t *partition)
{
    pd_log_reader_t *reader = partition->reader;

    if (!reader)
        return;
    partition->reader = NULL;
    partition->closing_reader = true;
    partition->reader_closed.run = on_reader_closed;
    pd_log_close_reader(reader, &partition->reader_closed);
}

/* ---- losing, and coming back ---- */

static void on_retry(pd_timer_t *timer)
{
    pd_partition_t *partition = PD_CONTAINER_OF(timer, pd_partition_t, retry_timer);

    if (partition->stopping) {
        pdi_partition_maybe_stopped(partition);
        return;
    }
    if (partition->closing_writer || partition->closing_reader) {
        pd_loop_timer_start(partition->options.loop, timer,
                            pd_partition_now_ns(partition) + PDI_RETRY_DELAY_MIN_NS);
        return;
    }
    pdi_partition_set_state(partition, PD_PARTITION_IDLE);
    pdi_role_step(partition);
}

static void retry_after(pd_partition_t *partition, int64_t *delay_ns, int64_t delay_max_ns)
{
    partition->retry_timer.fire = on_retry;
    pd_loop_timer_start(partition->options.loop, &partition->retry_timer,
                        pd_partition_now_ns(partition) + *delay_ns);
    *delay_ns *= 2;
    if (*delay_ns > delay_max_ns)
        *delay_ns = delay_max_ns;
}

void pdi_partition_lose(pd_partition_t *partition, const pd_error_t *error)
{
    bool hopeless;

    if (partition->state == PD_PARTITION_LOST || partition->state == PD_PARTITION_FAILED ||
        partition->state == PD_PARTITION_STOPPED)
        return;
    hopeless = error->status == PD_IO ||
               (error->status == PD_CORRUPT && !pdi_restore_instead(partition, PD_CORRUPT));
    PD_DIAG(hopeless ? PD_DIAG_ERROR : PD_DIAG_WARN, "partition lost",
            "partition=%u epoch=%lld offset=%lld status=%s error=\"%s\"", partition->options.index,
            (long long)partition->epoch, (long long)partition->chain.offset,
            pd_status_name(error->status), error->text);
    if (partition->deposes_epoch != INT64_MAX && partition->role == PD_PARTITION_TO_OWN)
        partition->role = PD_PARTITION_STANDBY; /* until told anew, by who knows of the loss */
    pdi_partition_set_state(partition, hopeless ? PD_PARTITION_FAILED : PD_PARTITION_LOST);
    pdi_partition_drop_memory(
        partition, false, hopeless ? error->text : "the partition has lost its owner; try again");
    pdi_partition_close_writer(partition);
    pdi_partition_close_reader(partition);
    if (!hopeless)
        retry_after(partition, &partition->retry_delay_ns, RETRY_DELAY_MAX_NS);
    else if (partition->options.failed_retry_ns)
        retry_after(partition, &partition->failed_delay_ns,
                    partition->options.failed_retry_ns * FAILED_DELAY_FACTOR_MAX);
    pdi_partition_maybe_stopped(partition);
}

/* ---- start, stop ---- */

void pd_partition_start(pd_partition_t *partition,
                        void (*changed)(void *ctx, pd_partition_state_t state), void *ctx)
{
    PD_ASSERT_LOOP(partition->options.loop);
    PD_ASSERT(partition->state == PD_PARTITION_STOPPED);
    partition->changed = changed;
    partition->changed_ctx = ctx;
    partition->stopping = false;
    partition->waiters_released = false;
    partition->role = PD_PARTITION_NONE;
    pdi_partition_set_state(partition, PD_PARTITION_IDLE);
}

/* Everything that was appended is acknowledged: flush it all, let go, tell. */
static void stop_now(pd_partition_t *partition)
{
    bool counts = pdi_partition_is_writer(partition) || partition->state == PD_PARTITION_FOLLOWING;

    if (counts)
        pdi_partition_set_state(partition, PD_PARTITION_LOST);
    pd_loop_timer_stop(partition->options.loop, &partition->retry_timer);
    pdi_partition_drop_memory(partition, counts, "the server is shutting down");
    pdi_partition_close_writer(partition);
    pdi_partition_close_reader(partition);
}

void pdi_partition_maybe_stopped(pd_partition_t *partition)
{
    if (partition->state == PD_PARTITION_RELEASING)
        pdi_role_step(partition);
    if (!partition->stopping || partition->state == PD_PARTITION_STOPPED)
        return;
    if (pdi_partition_is_writer(partition)) {
        if (!TAILQ_EMPTY(&partition->pendings) || partition->turn_posted)
            return;
        stop_now(partition);
    }
    if (partition->writer || partition->reader)
        stop_now(partition);
    if (partition->closing_writer || partition->closing_reader || partition->abandoned_count ||
        partition->owner_append_in_flight || partition->turn_posted ||
        !pdi_transport_stopped(partition) || pdi_snapshots_busy(partition) || partition->disk.busy)
        return;
    pd_loop_timer_stop(partition->options.loop, &partition->retry_timer);
    pdi_partition_set_state(partition, PD_PARTITION_STOPPED);
}

void pd_partition_stop(pd_partition_t *partition)
{
    PD_ASSERT_LOOP(partition->options.loop);
    if (partition->state == PD_PARTITION_STOPPED)
        return;
    partition->stopping = true;
    pdi_run_fail_all(partition, "the server is shutting down");
    pdi_partition_maybe_stopped(partition);
}

void pd_partition_crash(pd_partition_t *partition)
{
    if (partition->state == PD_PARTITION_STOPPED)
        return;
    partition->stopping = true;
    partition->state = PD_PARTITION_FAILED;
    pd_loop_timer_stop(partition->options.loop, &partition->retry_timer);
    pdi_partition_drop_memory(partition, false, "crash");
    pdi_partition_close_writer(partition);
    pdi_partition_close_reader(partition);
    pdi_partition_maybe_stopped(partition);
}

pd_loop_t *pd_partition_loop(const pd_partition_t *partition)
{
    return partition->options.loop;
}

uint32_t pd_partition_index(const pd_partition_t *partition)
{
    return partition->options.index;
}

pd_partition_state_t pd_partition_state(const pd_partition_t *partition)
{
    return partition->state;
}

int64_t pd_partition_now_ns(pd_partition_t *partition)
{
    return pd_loop_now_ns(partition->options.loop);
}
