/* When dirty rows go to RocksDB: after so many bytes or so much time, at a transition boundary, and
 * not before that transition is acknowledged. */
#include "engine/partition/partition_private.h"

static void position_of(const pd_partition_t *partition, int64_t commands_through,
                        pd_store_position_t *position)
{
    position->applied_offset = partition->chain.offset;
    position->epoch = partition->chain.epoch;
    memcpy(position->running_hash, partition->chain.hash, PD_RECORD_HASH_SIZE);
    position->commands_through = commands_through;
}

static void on_flush_timer(pd_timer_t *timer)
{
    pd_partition_t *partition = PD_CONTAINER_OF(timer, pd_partition_t, flush_timer);
    pdi_pending_t *last = TAILQ_LAST(&partition->pendings, pdi_pendings);
    pd_error_t error;

    partition->flush_timer_armed = false;
    if (!partition->store || pd_store_flush_held(partition->store))
        return;
    if (last) {
        pd_store_flush_begin(partition->store);
        last->flush_boundary = true;
    } else if (pdi_flush_everything(partition, &error) != PD_OK) {
        pdi_partition_lose(partition, &error);
    } else {
        pd_store_evict(partition->store);
    }
}

void pdi_flush_after_apply(pd_partition_t *partition, pdi_pending_t *pending)
{
    if (pd_store_flush_held(partition->store))
        return;
    if (pending && pd_store_dirty_size(partition->store) >= partition->options.flush_size) {
        pd_store_flush_begin(partition->store);
        pending->flush_boundary = true;
    } else if (!partition->flush_timer_armed) {
        partition->flush_timer_armed = true;
        partition->flush_timer.fire = on_flush_timer;
        pd_loop_timer_start(partition->options.loop, &partition->flush_timer,
                            pd_partition_now_ns(partition) + partition->options.flush_delay_ns);
    }
}

pd_status_t pdi_flush_acknowledged(pd_partition_t *partition, pdi_pending_t *pending,
                                   pd_error_t *error)
{
    pd_store_position_t position;

    if (!pending->flush_boundary)
        return PD_OK;
    position_of(partition, pending->commands_through, &position);
    PD_TRY(pd_store_flush_commit(partition->store, &position, error));
    pdi_measure_flushed(partition);
    pd_store_evict(partition->store);
    pdi_snapshots_flushed(partition);
    return PD_OK;
}

void pdi_flush_position(const pd_partition_t *partition, pd_store_position_t *position)
{
    position_of(partition, pd_store_commands_through(partition->store), position);
}

/* Everything applied is acknowledged. */
pd_status_t pdi_flush_everything(pd_partition_t *partition, pd_error_t *error)
{
    pd_store_position_t position;

    pdi_flush_position(partition, &position);
    pd_store_flush_begin(partition->store);
    PD_TRY(pd_store_flush_commit(partition->store, &position, error));
    pdi_measure_flushed(partition);
    pdi_snapshots_flushed(partition);
    return PD_OK;
}
