/* What a partition should be, and the next step towards it.
 *
 *     IDLE, wanted                        -> pdi_follow_begin
 *     FOLLOWING, to own                   -> pdi_acquire_begin, unless a newer owner is known
 *     FOLLOWING, not wanted               -> let_go
 *     ACQUIRING                           -> pdi_acquire_step
 *     OWNER, not to own                   -> release, then maybe_released
 *     LOST, FAILED                        -> nothing: the retry timer comes here again */
#include "base/diag.h"
#include "engine/partition/partition_private.h"

/* ---- OWNER -> RELEASING -> FOLLOWING ---- */

static void release(pd_partition_t *partition)
{
    pdi_partition_set_state(partition, PD_PARTITION_RELEASING);
    pdi_transport_stop(partition); /* nothing new from there either */
    pdi_rebuild_stop(partition);   /* what it would offer is void soon */
    pdi_run_release_all(partition, "the partition moves to another node; try again");
}

static bool is_drained(const pd_partition_t *partition)
{
    return TAILQ_EMPTY(&partition->pendings) && STAILQ_EMPTY(&partition->barrier_answers) &&
           !partition->turn_posted && LIST_EMPTY(&partition->runs);
}

/* Everything applied counts and is acknowledged: what is in memory is what a follower would have
 * read, so it goes on from here. */
static void maybe_released(pd_partition_t *partition)
{
    if (!is_drained(partition))
        return;
    pdi_partition_close_writer(partition);
    pdi_partition_left_ownership(partition);
    partition->released_epoch = partition->epoch;
    partition->follow_offset = partition->expected_offset;
    PD_DIAG(PD_DIAG_INFO, "partition released", "partition=%u epoch=%lld offset=%lld",
            partition->options.index, (long long)partition->epoch,
            (long long)partition->chain.offset);
    pdi_partition_set_state(partition, PD_PARTITION_FOLLOWING);
    pdi_follow_read(partition);
    pdi_role_step(partition);
}

/* ---- FOLLOWING ---- */

/* Whoever decided that it is to own must have known of the newest owner, or that one is this node
 * itself (an OwnerChanged of which it did not hear that it landed). */
static bool may_acquire(const pd_partition_t *partition)
{
    return !partition->closing_writer && !partition->owner_append_in_flight &&
           (partition->known_epoch <= partition->deposes_epoch || partition->known_is_self);
}

/* FOLLOWING -> IDLE. The store's directory stays: another time there is less to read. */
static void let_go(pd_partition_t *partition)
{
    pdi_partition_set_state(partition, PD_PARTITION_IDLE);
    pdi_partition_close_reader(partition);
    pdi_partition_drop_memory(partition, true, "the partition is on another node");
}

void pdi_role_step(pd_partition_t *partition)
{
    if (partition->stopping)
        return;
    switch (partition->state) {
    case PD_PARTITION_IDLE:
        if (partition->role != PD_PARTITION_NONE && !partition->closing_reader)
            pdi_follow_begin(partition);
        break;
    case PD_PARTITION_FOLLOWING:
        if (partition->role == PD_PARTITION_NONE)
            let_go(partition);
        else if (partition->role == PD_PARTITION_TO_OWN && may_acquire(partition))
            pdi_acquire_begin(partition);
        break;
    case PD_PARTITION_ACQUIRING:
        pdi_acquire_step(partition);
        break;
    case PD_PARTITION_OWNER:
        if (partition->role != PD_PARTITION_TO_OWN) {
            release(partition);
            maybe_released(partition);
        }
        break;
    case PD_PARTITION_RELEASING:
        maybe_released(partition);
        break;
    case PD_PARTITION_LOST:
    case PD_PARTITION_FAILED:
    case PD_PARTITION_STOPPED:
        break;
    }
}

void pd_partition_set_role(pd_partition_t *partition, pd_partition_role_t role,
                           int64_t deposes_epoch)
{
    PD_ASSERT_LOOP(partition->options.loop);
    partition->role = role;
    partition->deposes_epoch = deposes_epoch;
    pdi_role_step(partition);
}
