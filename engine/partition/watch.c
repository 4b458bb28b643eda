/* An owner that watches itself. It is told of its records only by their acknowledgements; so on a
 * log that others can write to it also looks whether somebody else has taken the partition while it
 * was idle, and whether its own records come back.
 *
 * Idle, it waits at the tail of the log like any follower: no traffic, and it hears of a new owner
 * at once. Busy, which it is until a whole WATCH_NS has passed without an append, it does not read
 * what it has written: each append would cost the broker a Fetch as well, and a new owner's record
 * is noticed by the hole that it leaves. A timer looks whether it gets on:
 *   - nothing acknowledged for standstill_ns while the log grew: it is stuck, and gives up;
 *   - the oldest append unacknowledged for ACKNOWLEDGED_NS: so is its writer. */
#include "base/diag.h"
#include "engine/partition/partition_private.h"

#define WATCH_NS ((int64_t)500 * 1000000)
#define ACKNOWLEDGED_NS ((int64_t)10000 * 1000000)

static bool is_owner_changed(pd_partition_t *partition, const pd_log_record_t *stored)
{
    Perdure__V1__Record *record = NULL;
    ProtobufCMessage *message;
    pd_arena_t arena;
    bool is = false;

    pd_arena_init(&arena);
    if (pd_record_decode(partition->options.codec, &arena, stored->value, &message, NULL) ==
        PD_OK) {
        record = (Perdure__V1__Record *)message;
        is = record->body_case == PERDURE__V1__RECORD__BODY_OWNER_CHANGED;
        if (is)
            pdi_follow_note_owner(partition, stored->offset, record->owner_changed);
    }
    pd_arena_deinit(&arena);
    return is;
}

/* An OwnerChanged behind our own, whatever else has been written since: we are the owner no more.
 */
bool pdi_watch_deposed(pd_partition_t *partition, const pd_log_read_t *read, int64_t through)
{
    for (uint32_t i = 0; i < read->count && read->records[i].offset < through; i++) {
        int64_t offset = read->records[i].offset;
        pd_error_t error;

        if (offset <= partition->epoch || !is_owner_changed(partition, &read->records[i]))
            continue;
        pd_error_set(&error, PD_FENCED, "a new owner took over at offset %lld", (long long)offset);
        pdi_partition_lose(partition, &error);
        return true;
    }
    return false;
}

static void give_up(pd_partition_t *partition, pd_status_t status, const char *why)
{
    pd_error_t error;

    pd_error_set(
        &error, status, "%s since %lld ms", why,
        (long long)((pd_partition_now_ns(partition) - partition->stalled_since_ns) / 1000000));
    pdi_partition_lose(partition, &error);
}

void pdi_watch_reader_free(pd_partition_t *partition)
{
    if (partition->gap_wanted)
        pdi_pipeline_read_gap(partition);
    else
        pdi_follow_read(partition);
}

/* What the idle owner waited for: its own records, or somebody else's, which are void. */
void pdi_watch_read(pd_partition_t *partition, const pd_log_read_t *read)
{
    if (pdi_watch_deposed(partition, read, INT64_MAX))
        return;
    if (TAILQ_EMPTY(&partition->pendings) && read->next_offset > partition->expected_offset)
        partition->expected_offset = read->next_offset;
    pdi_watch_reader_free(partition);
}

static void arm(pd_partition_t *partition);

static void on_end_read(pd_log_read_t *read)
{
    pd_partition_t *partition = PD_CONTAINER_OF(read, pd_partition_t, gap_read);

    if (!partition->reader) /* closed meanwhile */
        return;
    partition->reading_gap = false;
    if (!pdi_partition_is_writer(partition)) {
        pdi_follow_read(partition);
        return;
    }
    if (read->status == PD_OK) {
        atomic_store_explicit(&partition->status_end_offset, read->end_offset,
                              memory_order_relaxed);
        if (partition->expected_offset == partition->watched_offset &&
            !TAILQ_EMPTY(&partition->pendings) && read->end_offset > partition->expected_offset &&
            !TAILQ_FIRST(&partition->pendings)->acknowledged) {
            give_up(partition, PD_UNAVAILABLE, "the log grows, and nothing is acknowledged");
            return;
        }
    }
    pdi_watch_reader_free(partition);
}

static void read_end(pd_partition_t *partition)
{
    if (partition->reader->reading)
        return;
    partition->reading_gap = true;
    partition->gap_read.from_offset = PD_LOG_END;
    partition->gap_read.size_max = 0;
    partition->gap_read.wait = false;
    partition->gap_read.done = on_end_read;
    pd_log_read(partition->reader, &partition->gap_read);
}

static void on_watch(pd_timer_t *timer)
{
    pd_partition_t *partition = PD_CONTAINER_OF(timer, pd_partition_t, watch_timer);
    int64_t now_ns = pd_partition_now_ns(partition);

    partition->watch_armed = false;
    if (!pdi_partition_is_writer(partition))
        return;
    if (partition->expected_offset != partition->watched_offset) {
        partition->watched_offset = partition->expected_offset;
        partition->stalled_since_ns = now_ns;
    } else if (TAILQ_EMPTY(&partition->pendings)) {
        pdi_follow_read(partition);
        return;
    } else if (now_ns - partition->stalled_since_ns >= ACKNOWLEDGED_NS) {
        give_up(partition, PD_UNKNOWN_OUTCOME, "nothing is acknowledged");
        return;
    } else if (now_ns - partition->stalled_since_ns >= partition->options.standstill_ns) {
        read_end(partition);
    }
    arm(partition);
}

static void arm(pd_partition_t *partition)
{
    partition->watch_armed = true;
    partition->watch_timer.fire = on_watch;
    pd_loop_timer_start(partition->options.loop, &partition->watch_timer,
                        pd_partition_now_ns(partition) + WATCH_NS);
}

void pdi_watch_appended(pd_partition_t *partition)
{
    const pdi_pending_t *oldest = TAILQ_FIRST(&partition->pendings);

    if (partition->options.log->info.exclusive)
        return;
    if (!oldest || !TAILQ_NEXT(oldest, link))
        partition->stalled_since_ns = pd_partition_now_ns(partition);
    if (partition->watch_armed)
        return;
    partition->watched_offset = partition->expected_offset;
    arm(partition);
}
