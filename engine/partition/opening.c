/* Opening and closing a partition's store: RocksDB waits for the disk, now and then for half a
 * second. That is done on a thread, so that the loop's other partitions go on; in the simulator, on
 * the loop. */
#include "base/diag.h"
#include "engine/partition/partition_private.h"

static void open_store(pdi_opening_t *self)
{
    const pd_partition_t *partition = PD_CONTAINER_OF(self, pd_partition_t, opening);
    pd_store_options_t options = {
        .path = partition->store_path,
        .shared = partition->options.store_shared,
        .partition = partition->options.index,
        .cache_size_max = partition->options.store_cache_size_max,
    };

    self->store = NULL;
    self->status = pd_store_open(&options, &self->store, &self->error);
    if (self->status != PD_OK)
        self->store = NULL;
}

/* Whether the partition is still to follow: it may have been stopped, or be wanted no more. */
static void opened(pd_partition_t *partition)
{
    pdi_opening_t *self = &partition->opening;
    bool wanted = partition->state == PD_PARTITION_IDLE && !partition->stopping &&
                  partition->role != PD_PARTITION_NONE;

    if (wanted)
        pdi_follow_opened(partition, self->store, self->status, &self->error);
    else if (self->store)
        pd_store_free(self->store);
}

static void close_store(pdi_opening_t *self)
{
    pd_partition_t *partition = PD_CONTAINER_OF(self, pd_partition_t, opening);

    pdi_snapshots_let_go(partition);
    if (self->flushes && !pd_store_flush_held(self->store)) {
        pd_store_flush_begin(self->store);
        if (pd_store_flush_commit(self->store, &self->position, &self->error) != PD_OK)
            PD_DIAG(PD_DIAG_WARN, "last flush failed",
                    "partition=%u error=\"%s\": the log has it all", partition->options.index,
                    self->error.text);
    }
    pd_store_free(self->store);
}

/* ---- on a thread, or here and now ---- */

static void *run_thread(void *ctx)
{
    pdi_opening_t *self = ctx;

    self->work(self);
    pd_loop_post(PD_CONTAINER_OF(self, pd_partition_t, opening)->options.loop, &self->done);
    return NULL;
}

static void on_done(pd_mail_t *mail)
{
    pdi_opening_t *self = PD_CONTAINER_OF(mail, pdi_opening_t, done);
    pd_partition_t *partition = PD_CONTAINER_OF(self, pd_partition_t, opening);

    PD_ASSERT(pthread_join(self->thread, NULL) == 0);
    self->busy = false;
    self->worked(partition);
    pdi_partition_maybe_stopped(partition);
}

static void run(pd_partition_t *partition, void (*work)(pdi_opening_t *self),
                void (*worked)(pd_partition_t *partition))
{
    pdi_opening_t *self = &partition->opening;

    PD_ASSERT(!self->busy);
    self->work = work;
    self->worked = worked;
    self->done.run = on_done;
    self->busy = partition->options.open_on_thread &&
                 pthread_create(&self->thread, NULL, run_thread, self) == 0;
    if (self->busy)
        return;
    work(self);
    worked(partition);
}

void pdi_opening_begin(pd_partition_t *partition)
{
    run(partition, open_store, opened);
}

void pdi_closing_begin(pd_partition_t *partition, bool flushes)
{
    pdi_opening_t *self = &partition->opening;

    if (!partition->store)
        return;
    self->store = partition->store;
    self->flushes = flushes;
    if (flushes)
        pdi_flush_position(partition, &self->position);
    partition->store = NULL;
    run(partition, close_store, pdi_role_step);
}
