/* When dirty rows go to RocksDB: after so many bytes or so much time, at a transition boundary, and
 * not before that transition is acknowledged. They are encoded on the loop and written beside it
 * (disk.c); meanwhile commands go on, and what they change is for the next flush. */
#include "engine/partition/partition_private.h"

static void position_of(const pd_partition_t *partition, int64_t commands_through,
                        pd_store_position_t *position)
{
    position->applied_offset = partition->chain.offset;
    position->epoch = partition->chain.epoch;
    memcpy(position->running_hash, partition->chain.hash, PD_RECORD_HASH_SIZE);
    position->commands_through = commands_through;
}

void pdi_flush_position(const pd_partition_t *partition, pd_store_position_t *position)
{
    position_of(partition, pd_store_commands_through(partition->store), position);
}

/* Everything applied is acknowledged. */
static void flush_now(pd_partition_t *partition)
{
    pd_store_position_t position;

    pdi_flush_position(partition, &position);
    pd_store_flush_begin(partition->store);
    pd_store_flush_seal(partition->store, &position);
    pdi_disk_write(partition);
}

static void on_flush_timer(pd_timer_t *timer)
{
    pd_partition_t *partition = PD_CONTAINER_OF(timer, pd_partition_t, flush_timer);
    pdi_pending_t *last = TAILQ_LAST(&partition->pendings, pdi_pendings);

    partition->flush_timer_armed = false;
    if (!partition->store || pd_store_flush_held(partition->store))
        return; /* armed again when that one is written, if anything was applied meanwhile */
    if (!last) {
        flush_now(partition);
        return;
    }
    pd_store_flush_begin(partition->store);
    last->flush_boundary = true;
}

static void arm(pd_partition_t *partition)
{
    if (partition->flush_timer_armed)
        return;
    partition->flush_timer_armed = true;
    partition->flush_timer.fire = on_flush_timer;
    pd_loop_timer_start(partition->options.loop, &partition->flush_timer,
                        pd_partition_now_ns(partition) + partition->options.flush_delay_ns);
}

static bool is_dirty(const pd_partition_t *partition, size_t size)
{
    return pd_store_dirty_size(partition->store) >= size;
}

void pdi_flush_after_apply(pd_partition_t *partition, pdi_pending_t *pending)
{
    if (pd_store_flush_held(partition->store)) {
        partition->flush_wanted = true;
        if (is_dirty(partition, partition->options.dirty_size_max))
            pdi_disk_wait(partition);
    } else if (!is_dirty(partition, partition->options.flush_size)) {
        arm(partition);
    } else if (pending) {
        pd_store_flush_begin(partition->store);
        pending->flush_boundary = true;
    } else {
        flush_now(partition);
    }
}

void pdi_flush_acknowledged(pd_partition_t *partition, pdi_pending_t *pending)
{
    pd_store_position_t position;

    if (!pending->flush_boundary)
        return;
    position_of(partition, pending->commands_through, &position);
    pd_store_flush_seal(partition->store, &position);
    pdi_disk_write(partition);
}

void pdi_flush_written(pd_partition_t *partition, pd_status_t status, const pd_error_t *error)
{
    if (status != PD_OK) {
        pdi_partition_lose(partition, error);
        return;
    }
    pdi_measure_flushed(partition);
    pd_store_evict(partition->store);
    pdi_snapshots_flushed(partition);
    if (partition->flush_wanted)
        arm(partition);
    partition->flush_wanted = false;
}
