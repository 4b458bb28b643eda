/* Becoming the owner: append OwnerChanged with a new writer, go on applying the log up to it,
 * begin to rebuild what lives in memory only. */
#include "base/diag.h"
#include "engine/partition/partition_private.h"

/* Our OwnerChanged has landed, and the log brings nothing for so long. */
#define UNREAD_NS ((int64_t)5000 * 1000000)

/* ---- everything up to the OwnerChanged is applied ---- */

static void on_namespace(void *ctx, const Perdure__V1__NamespaceRow *row)
{
    pdi_namespace_counts(ctx, row, NULL); /* whoever owned before may not have come to tell them */
}

static void become_owner(pd_partition_t *partition)
{
    pd_error_t error;

    pd_loop_timer_stop(partition->options.loop, &partition->acquire_timer);
    partition->epoch = partition->chain.epoch;
    partition->expected_offset = partition->follow_offset;
    memcpy(partition->tip_hash, partition->chain.hash, PD_RECORD_HASH_SIZE);
    if (pd_store_namespaces(partition->store, on_namespace, partition, &error) != PD_OK) {
        pdi_partition_lose(partition, &error);
        return;
    }
    partition->retry_delay_ns = PDI_RETRY_DELAY_MIN_NS;
    partition->failed_delay_ns = partition->options.failed_retry_ns;
    PD_DIAG(PD_DIAG_INFO, "partition owned", "partition=%u epoch=%lld records=%llu",
            partition->options.index, (long long)partition->epoch,
            (unsigned long long)partition->chain.count);
    partition->offers = true;
    pdi_partition_set_state(partition, PD_PARTITION_OWNER);
    pdi_rebuild_begin(partition);
    pdi_watch_appended(partition);
    pdi_transport_start(partition);
    pdi_role_step(partition); /* it may be wanted elsewhere by now */
}

void pdi_acquire_step(pd_partition_t *partition)
{
    pd_error_t error;

    if (partition->acquired_offset < 0 || partition->follow_offset <= partition->acquired_offset)
        return;
    if (partition->chain.epoch != partition->acquired_offset) {
        pd_error_set(&error, PD_FENCED, "another owner took over at offset %lld",
                     (long long)partition->chain.epoch);
        pdi_partition_lose(partition, &error);
        return;
    }
    become_owner(partition);
}

/* ---- OwnerChanged ---- */

static void watch_reading(pd_partition_t *partition);

/* A reader that has gone deaf would keep the partition without an owner for ever: this one is
 * chosen, and will never be it. Another reader may be better, or another node. */
static void on_acquire_timer(pd_timer_t *timer)
{
    pd_partition_t *partition = PD_CONTAINER_OF(timer, pd_partition_t, acquire_timer);
    pd_error_t error;

    if (partition->state != PD_PARTITION_ACQUIRING ||
        partition->follow_offset > partition->acquired_offset)
        return;
    if (partition->follow_offset != partition->acquire_watched_offset) {
        watch_reading(partition);
        return;
    }
    pd_error_set(&error, PD_UNAVAILABLE,
                 "the log does not bring what is before our OwnerChanged at offset %lld: it stands "
                 "at %lld",
                 (long long)partition->acquired_offset, (long long)partition->follow_offset);
    pdi_partition_lose(partition, &error);
}

static void watch_reading(pd_partition_t *partition)
{
    partition->acquire_watched_offset = partition->follow_offset;
    partition->acquire_timer.fire = on_acquire_timer;
    pd_loop_timer_start(partition->options.loop, &partition->acquire_timer,
                        pd_partition_now_ns(partition) + UNREAD_NS);
}

static void on_owner_append(pd_log_append_t *append)
{
    pd_partition_t *partition = PD_CONTAINER_OF(append, pd_partition_t, owner_append);
    pd_error_t error;

    partition->owner_append_in_flight = false;
    if (partition->state != PD_PARTITION_ACQUIRING || partition->stopping) { /* lost meanwhile */
        pdi_role_step(partition);
        pdi_partition_maybe_stopped(partition);
        return;
    }
    if (append->status != PD_OK) {
        pd_log_writer_error(partition->writer, &error);
        error.status = append->status;
        pdi_partition_lose(partition, &error);
        return;
    }
    partition->acquired_offset = append->offset;
    watch_reading(partition);
    pdi_acquire_step(partition);
}

static pd_status_t append_owner(pd_partition_t *partition)
{
    Perdure__V1__Record record = PERDURE__V1__RECORD__INIT;
    Perdure__V1__OwnerChanged changed = PERDURE__V1__OWNER_CHANGED__INIT;
    char acquisition_id[PD_UUID_SIZE];

    pd_random_uuid(&partition->random, pd_partition_now_ns(partition), acquisition_id);
    changed.node = partition->node;
    changed.acquisition_id = acquisition_id;
    record.time_ns = pd_partition_now_ns(partition);
    record.body_case = PERDURE__V1__RECORD__BODY_OWNER_CHANGED;
    record.owner_changed = &changed;
    pd_buf_clear(&partition->owner_record);
    PD_TRY(pd_record_encode(partition->options.codec, &record.base, &partition->owner_record));
    memset(&partition->owner_append, 0, sizeof(partition->owner_append));
    partition->owner_append.value = pd_buf_bytes(&partition->owner_record);
    partition->owner_append.done = on_owner_append;
    PD_TRY(pd_log_append(partition->writer, &partition->owner_append));
    partition->owner_append_in_flight = true;
    return PD_OK;
}

void pdi_acquire_begin(pd_partition_t *partition)
{
    pd_log_handle_options_t handle = {
        .loop = partition->options.loop,
        .topic = PD_LOG_EVENTS,
        .partition = partition->options.index,
    };
    pd_error_t error = {.status = PD_OK};
    pd_status_t status;

    PD_ASSERT(!partition->writer && !partition->closing_writer);
    PD_ASSERT(!partition->owner_append_in_flight);
    partition->acquired_offset = -1;
    pdi_partition_set_state(partition, PD_PARTITION_ACQUIRING);
    status = pd_log_open_writer(partition->options.log, &handle, &partition->writer, &error);
    if (status == PD_OK)
        status = append_owner(partition);
    if (status != PD_OK) {
        if (error.status == PD_OK)
            pd_error_set(&error, status, "cannot append OwnerChanged");
        pdi_partition_lose(partition, &error);
        return;
    }
    pdi_follow_read(partition); /* a standby may be taking its time */
}
