/* Opening a partition's store: RocksDB waits for the disk, now and then for half a second. That is
 * done on a thread, so that the loop's other partitions go on; in the simulator, on the loop. */
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

static void *run_thread(void *ctx)
{
    pdi_opening_t *self = ctx;

    open_store(self);
    pd_loop_post(PD_CONTAINER_OF(self, pd_partition_t, opening)->options.loop, &self->done);
    return NULL;
}

static void on_done(pd_mail_t *mail)
{
    pdi_opening_t *self = PD_CONTAINER_OF(mail, pdi_opening_t, done);
    pd_partition_t *partition = PD_CONTAINER_OF(self, pd_partition_t, opening);

    PD_ASSERT(pthread_join(self->thread, NULL) == 0);
    self->busy = false;
    opened(partition);
    pdi_partition_maybe_stopped(partition);
}

void pdi_opening_begin(pd_partition_t *partition)
{
    pdi_opening_t *self = &partition->opening;

    PD_ASSERT(!self->busy);
    self->done.run = on_done;
    self->busy = partition->options.open_on_thread &&
                 pthread_create(&self->thread, NULL, run_thread, self) == 0;
    if (self->busy)
        return;
    open_store(self);
    opened(partition);
}
