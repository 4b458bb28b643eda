/* Becoming the owner: open the store, append OwnerChanged, replay up to it, rebuild what lives in
 * memory only. */
#include "base/diag.h"
#include "engine/partition/partition_private.h"

static void read_on(pd_partition_t *partition, int64_t from_offset);

static bool still(pd_partition_t *partition, pd_partition_state_t state)
{
    return partition->state == state && !partition->stopping;
}

/* ---- after the replay ---- */

static void on_deadline(void *ctx, const char *namespace_id, const char *workflow_id,
                        const char *run_id, int64_t at_ns)
{
    pdi_clock_watch_key(ctx, namespace_id, workflow_id, run_id, at_ns);
}

static void on_ready(void *ctx, const char *namespace_id, const char *workflow_id,
                     const char *run_id, const Perdure__V1__ReadyTask *task)
{
    pdi_offer_row(ctx, namespace_id, workflow_id, run_id, task);
}

static void on_namespace(void *ctx, const Perdure__V1__NamespaceRow *row)
{
    pd_partition_t *partition = ctx;

    pd_namespaces_publish(partition->options.namespaces, row);
}

/* ---- namespaces ---- */

typedef struct unknown {
    pd_namespaces_t *namespaces;
    bool any;
} unknown_t;

static void look_up(unknown_t *unknown, const char *namespace_id)
{
    if (!unknown->any && !pd_namespaces_by_id(unknown->namespaces, namespace_id))
        unknown->any = true;
}

static void look_up_deadline(void *ctx, const char *namespace_id, const char *workflow_id,
                             const char *run_id, int64_t at_ns)
{
    look_up(ctx, namespace_id);
}

static void look_up_ready(void *ctx, const char *namespace_id, const char *workflow_id,
                          const char *run_id, const Perdure__V1__ReadyTask *task)
{
    look_up(ctx, namespace_id);
}

static void become_owner(pd_partition_t *partition);

static void on_namespaces_timer(pd_timer_t *timer)
{
    pd_partition_t *partition = PD_CONTAINER_OF(timer, pd_partition_t, retry_timer);

    if (still(partition, PD_PARTITION_REPLAYING))
        become_owner(partition);
}

/* Partition 0 tells the namespaces, and may not have come so far: tasks and deadlines of a
 * namespace that nobody knows yet cannot be offered. True: wait for it. */
static bool wait_for_namespaces(pd_partition_t *partition, pd_status_t *status, pd_error_t *error)
{
    enum { WAIT_MS = 5 };
    unknown_t unknown = {.namespaces = partition->options.namespaces};
    pd_store_scan_t scan = {.deadline = look_up_deadline, .ready = look_up_ready, .ctx = &unknown};

    *status = pd_store_scan(partition->store, &scan, error);
    if (*status != PD_OK || !unknown.any)
        return false;
    partition->retry_timer.fire = on_namespaces_timer;
    pd_loop_timer_start(partition->options.loop, &partition->retry_timer,
                        pd_partition_now_ns(partition) + WAIT_MS * (int64_t)1000000);
    return true;
}

static void become_owner(pd_partition_t *partition)
{
    pd_store_scan_t scan = {.deadline = on_deadline, .ready = on_ready, .ctx = partition};
    pd_status_t status;
    pd_error_t error;

    partition->epoch = partition->chain.epoch;
    partition->expected_offset = partition->chain.next_offset;
    memcpy(partition->tip_hash, partition->chain.hash, PD_RECORD_HASH_SIZE);
    status = pd_store_namespaces(partition->store, on_namespace, partition, &error);
    if (status == PD_OK && wait_for_namespaces(partition, &status, &error))
        return;
    if (status != PD_OK || pd_store_scan(partition->store, &scan, &error) != PD_OK) {
        pdi_partition_lose(partition, &error);
        return;
    }
    partition->retry_delay_ns = (int64_t)10 * 1000000;
    PD_DIAG(PD_DIAG_INFO, "partition owned", "partition=%u epoch=%lld records=%llu",
            partition->options.index, (long long)partition->epoch,
            (unsigned long long)partition->chain.count);
    pdi_partition_set_state(partition, PD_PARTITION_OWNER);
}

/* ---- replay ---- */

static pd_status_t replay_record(pd_partition_t *partition, const pd_log_record_t *stored,
                                 pd_error_t *error)
{
    Perdure__V1__Record *record;
    ProtobufCMessage *message;
    pd_chain_record_t link;

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
    if (!pd_chain_counts(pd_chain_feed(&partition->chain, &link)))
        return PD_OK;
    return pd_store_apply(partition->store, record, error);
}

/* Long logs: flush on the way, so that neither memory nor a second start takes too long. */
static pd_status_t flush_on_the_way(pd_partition_t *partition, pd_error_t *error)
{
    if (pd_store_dirty_size(partition->store) < partition->options.flush_size)
        return PD_OK;
    PD_TRY(pdi_flush_everything(partition, error));
    pd_store_evict(partition->store);
    return PD_OK;
}

static void on_replay_read(pd_log_read_t *read)
{
    pd_partition_t *partition = PD_CONTAINER_OF(read, pd_partition_t, read);
    pd_error_t error;

    if (!still(partition, PD_PARTITION_REPLAYING))
        return;
    if (read->status != PD_OK) {
        pd_error_set(&error, read->status == PD_NOT_FOUND ? PD_CORRUPT : read->status,
                     "the log cannot be read from offset %lld (%s)", (long long)read->from_offset,
                     pd_status_name(read->status));
        pdi_partition_lose(partition, &error);
        return;
    }
    for (uint32_t i = 0; i < read->count; i++) {
        const pd_log_record_t *record = &read->records[i];

        if (record->offset > partition->replay_through)
            break;
        if (replay_record(partition, record, &error) != PD_OK ||
            flush_on_the_way(partition, &error) != PD_OK) {
            pdi_partition_lose(partition, &error);
            return;
        }
    }
    if (read->next_offset > partition->replay_through) {
        partition->chain.next_offset = partition->replay_through + 1;
        if (partition->chain.epoch != partition->replay_through) {
            pd_error_set(&error, PD_FENCED, "another owner took over at offset %lld",
                         (long long)partition->chain.epoch);
            pdi_partition_lose(partition, &error);
            return;
        }
        become_owner(partition);
        return;
    }
    read_on(partition, read->next_offset);
}

static void read_on(pd_partition_t *partition, int64_t from_offset)
{
    partition->read.from_offset = from_offset;
    partition->read.size_max = 0;
    partition->read.wait = false;
    partition->read.done = on_replay_read;
    pd_log_read(partition->reader, &partition->read);
}

static void start_replay(pd_partition_t *partition)
{
    pd_store_position_t position;

    pd_store_position(partition->store, &position);
    pd_chain_init(&partition->chain);
    if (position.applied_offset >= 0) {
        partition->chain.epoch = position.epoch;
        partition->chain.offset = position.applied_offset;
        partition->chain.next_offset = position.applied_offset + 1;
        memcpy(partition->chain.hash, position.running_hash, PD_RECORD_HASH_SIZE);
    }
    pdi_partition_set_state(partition, PD_PARTITION_REPLAYING);
    read_on(partition, position.applied_offset >= 0 ? position.applied_offset + 1 : PD_LOG_FIRST);
}

/* ---- OwnerChanged ---- */

static void on_owner_append(pd_log_append_t *append)
{
    pd_partition_t *partition = PD_CONTAINER_OF(append, pd_partition_t, owner_append);
    pd_error_t error;

    partition->owner_append_in_flight = false;
    if (!still(partition, PD_PARTITION_ACQUIRING)) {
        pdi_partition_maybe_stopped(partition);
        return;
    }
    if (append->status != PD_OK) {
        pd_log_writer_error(partition->writer, &error);
        error.status = append->status;
        pdi_partition_lose(partition, &error);
        return;
    }
    partition->replay_through = append->offset;
    start_replay(partition);
}

static pd_status_t append_owner(pd_partition_t *partition, pd_error_t *error)
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

static pd_status_t open_all(pd_partition_t *partition, pd_error_t *error)
{
    pd_store_options_t store_options = {
        .path = partition->store_path,
        .shared = partition->options.store_shared,
        .partition = partition->options.index,
        .cache_size_max = partition->options.store_cache_size_max,
    };
    pd_log_handle_options_t handle = {
        .loop = partition->options.loop,
        .topic = PD_LOG_EVENTS,
        .partition = partition->options.index,
    };

    PD_TRY(pd_store_open(&store_options, &partition->store, error));
    PD_TRY(pd_log_open_writer(partition->options.log, &handle, &partition->writer, error));
    PD_TRY(pd_log_open_reader(partition->options.log, &handle, &partition->reader, error));
    return append_owner(partition, error);
}

void pdi_partition_acquire(pd_partition_t *partition)
{
    pd_error_t error = {.status = PD_OK};
    pd_status_t status;

    if (partition->owner_append_in_flight) { /* of the attempt before: its buffer is borrowed */
        pd_error_set(&error, PD_UNAVAILABLE, "the append before is still in flight");
        partition->state = PD_PARTITION_STARTING;
        pdi_partition_lose(partition, &error);
        return;
    }
    pdi_partition_set_state(partition, PD_PARTITION_STARTING);
    pdi_partition_set_state(partition, PD_PARTITION_ACQUIRING);
    status = open_all(partition, &error);
    if (status != PD_OK) {
        if (error.status == PD_OK)
            pd_error_set(&error, status, "cannot append OwnerChanged");
        pdi_partition_lose(partition, &error);
    }
}
