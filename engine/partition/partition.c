/* A partition's life: start, lose, stop. */
#include "engine/partition/partition.h"

#include "base/diag.h"
#include "engine/partition/partition_private.h"

#define RETRY_DELAY_MIN_NS ((int64_t)10 * 1000000)
#define RETRY_DELAY_MAX_NS ((int64_t)1000 * 1000000)

pd_partition_t *pd_partition_new(const pd_partition_options_t *options)
{
    pd_partition_t *partition = PD_NEW(pd_partition_t);

    partition->options = *options;
    partition->node = pd_strdup(options->node);
    partition->store_path = pd_strdup(options->store_path);
    partition->options.node = partition->node;
    partition->options.store_path = partition->store_path;
    partition->state = PD_PARTITION_STOPPED;
    partition->retry_delay_ns = RETRY_DELAY_MIN_NS;
    pd_random_init(&partition->random, options->random_seed);
    pd_arena_init(&partition->replay_arena);
    pd_buf_init(&partition->owner_record, PD_LOG_RECORD_SIZE_LIMIT);
    TAILQ_INIT(&partition->pendings);
    TAILQ_INIT(&partition->free_pendings);
    STAILQ_INIT(&partition->barrier_answers);
    LIST_INIT(&partition->runs);
    return partition;
}

void pd_partition_free(pd_partition_t *partition)
{
    pdi_pending_t *pending;

    if (!partition)
        return;
    PD_ASSERT(partition->state == PD_PARTITION_STOPPED);
    while ((pending = TAILQ_FIRST(&partition->free_pendings))) {
        TAILQ_REMOVE(&partition->free_pendings, pending, link);
        pd_buf_deinit(&pending->record);
        pd_free(pending->offers);
        pd_free(pending);
    }
    pd_arena_deinit(&partition->replay_arena);
    pd_buf_deinit(&partition->owner_record);
    pd_free(partition->node);
    pd_free(partition->store_path);
    pd_free(partition);
}

void pdi_partition_set_state(pd_partition_t *partition, pd_partition_state_t state)
{
    if (partition->state == state)
        return;
    partition->state = state;
    if (partition->changed)
        partition->changed(partition->changed_ctx, state);
}

static void drop_memory(pd_partition_t *partition, const char *why)
{
    pd_loop_timer_stop(partition->options.loop, &partition->flush_timer);
    partition->flush_timer_armed = false;
    pdi_pipeline_fail_all(partition, why);
    pdi_run_fail_all(partition, why);
    pdi_clock_clear(partition);
    pd_store_free(partition->store);
    partition->store = NULL;
}

static void on_writer_closed(pd_mail_t *mail)
{
    pd_partition_t *partition = PD_CONTAINER_OF(mail, pd_partition_t, writer_closed);

    partition->closing_writer = false;
    pdi_partition_maybe_stopped(partition);
}

static void on_reader_closed(pd_mail_t *mail)
{
    pd_partition_t *partition = PD_CONTAINER_OF(mail, pd_partition_t, reader_closed);

    partition->closing_reader = false;
    pdi_partition_maybe_stopped(partition);
}

static void close_log(pd_partition_t *partition)
{
    if (partition->writer) {
        pd_log_writer_t *writer = partition->writer;

        partition->writer = NULL;
        partition->closing_writer = true;
        partition->writer_closed.run = on_writer_closed;
        pd_log_close_writer(writer, &partition->writer_closed);
    }
    if (partition->reader) {
        pd_log_reader_t *reader = partition->reader;

        partition->reader = NULL;
        partition->closing_reader = true;
        partition->reader_closed.run = on_reader_closed;
        pd_log_close_reader(reader, &partition->reader_closed);
    }
}

static void on_retry(pd_timer_t *timer)
{
    pd_partition_t *partition = PD_CONTAINER_OF(timer, pd_partition_t, retry_timer);

    if (partition->stopping) {
        pdi_partition_maybe_stopped(partition);
        return;
    }
    if (partition->closing_writer || partition->closing_reader) {
        pd_loop_timer_start(partition->options.loop, timer,
                            pd_partition_now_ns(partition) + RETRY_DELAY_MIN_NS);
        return;
    }
    pdi_partition_acquire(partition);
}

/* A fenced owner comes back too: whether it should own the partition is somebody else's matter, and
 * on a single node it should. */
void pdi_partition_lose(pd_partition_t *partition, const pd_error_t *error)
{
    bool hopeless = error->status == PD_IO || error->status == PD_CORRUPT;

    if (partition->state == PD_PARTITION_LOST || partition->state == PD_PARTITION_FAILED ||
        partition->state == PD_PARTITION_STOPPED)
        return;
    PD_DIAG(hopeless ? PD_DIAG_ERROR : PD_DIAG_WARN, "partition lost",
            "partition=%u epoch=%lld offset=%lld status=%s error=\"%s\"", partition->options.index,
            (long long)partition->epoch, (long long)partition->chain.offset,
            pd_status_name(error->status), error->text);
    pdi_partition_set_state(partition, hopeless ? PD_PARTITION_FAILED : PD_PARTITION_LOST);
    drop_memory(partition, hopeless ? error->text : "the partition has lost its owner; try again");
    close_log(partition);
    if (!hopeless) {
        partition->retry_timer.fire = on_retry;
        pd_loop_timer_start(partition->options.loop, &partition->retry_timer,
                            pd_partition_now_ns(partition) + partition->retry_delay_ns);
        partition->retry_delay_ns *= 2;
        if (partition->retry_delay_ns > RETRY_DELAY_MAX_NS)
            partition->retry_delay_ns = RETRY_DELAY_MAX_NS;
    }
    pdi_partition_maybe_stopped(partition);
}

void pd_partition_start(pd_partition_t *partition,
                        void (*changed)(void *ctx, pd_partition_state_t state), void *ctx)
{
    PD_ASSERT_LOOP(partition->options.loop);
    PD_ASSERT(partition->state == PD_PARTITION_STOPPED);
    partition->changed = changed;
    partition->changed_ctx = ctx;
    partition->stopping = false;
    partition->waiters_released = false;
    pdi_partition_acquire(partition);
}

/* Everything that was appended is acknowledged: flush it all, let go, tell. */
static void stop_now(pd_partition_t *partition)
{
    pd_error_t error;

    if (partition->state == PD_PARTITION_OWNER) {
        if (pd_store_flush_held(partition->store) ||
            pdi_flush_everything(partition, &error) != PD_OK)
            PD_DIAG(PD_DIAG_WARN, "last flush failed", "partition=%u: the log has it all",
                    partition->options.index);
        pdi_partition_set_state(partition, PD_PARTITION_LOST);
    }
    pd_loop_timer_stop(partition->options.loop, &partition->retry_timer);
    drop_memory(partition, "the server is shutting down");
    close_log(partition);
}

void pdi_partition_maybe_stopped(pd_partition_t *partition)
{
    if (!partition->stopping || partition->state == PD_PARTITION_STOPPED)
        return;
    if (partition->state == PD_PARTITION_OWNER) {
        if (!TAILQ_EMPTY(&partition->pendings) || partition->turn_posted)
            return;
        stop_now(partition);
    }
    if (partition->writer || partition->reader)
        stop_now(partition);
    if (partition->closing_writer || partition->closing_reader || partition->abandoned_count ||
        partition->owner_append_in_flight || partition->turn_posted)
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
    drop_memory(partition, "crash");
    close_log(partition);
    pdi_partition_maybe_stopped(partition);
}

pd_loop_t *pd_partition_loop(pd_partition_t *partition)
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
