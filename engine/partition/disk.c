/* What waits for the disk, now and then for half a second: opening a partition's store, writing a
 * flush, closing. It is done on a thread, one thing at a time, so that the loop's other partitions,
 * and this one's commands, go on; in the simulator, on the loop, a turn later. */
#include "base/diag.h"
#include "engine/partition/partition_private.h"

static pd_partition_t *partition_of(pdi_disk_t *self)
{
    return PD_CONTAINER_OF(self, pd_partition_t, disk);
}

/* ---- one thing at a time ---- */

static void *run_thread(void *ctx)
{
    pdi_disk_t *self = ctx;

    self->work(self);
    pd_loop_post(partition_of(self)->options.loop, &self->done);
    return NULL;
}

static void finish(pdi_disk_t *self)
{
    if (self->on_thread)
        PD_ASSERT(pthread_join(self->thread, NULL) == 0);
    else
        self->work(self);
    self->finished = true;
}

static void on_done(pd_mail_t *mail)
{
    pdi_disk_t *self = PD_CONTAINER_OF(mail, pdi_disk_t, done);

    if (!self->finished)
        finish(self);
    self->busy = false;
    self->worked(partition_of(self));
    pdi_partition_maybe_stopped(partition_of(self));
}

static void run(pdi_disk_t *self, void (*work)(pdi_disk_t *self),
                void (*worked)(pd_partition_t *partition))
{
    const pd_partition_options_t *options = &partition_of(self)->options;

    PD_ASSERT(!self->busy);
    self->busy = true;
    self->finished = false;
    self->work = work;
    self->worked = worked;
    self->done.run = on_done;
    self->on_thread =
        options->disk_on_thread && pthread_create(&self->thread, NULL, run_thread, self) == 0;
    if (!self->on_thread)
        pd_loop_post(options->loop, &self->done);
}

/* ---- opening, closing ---- */

static void open_store(pdi_disk_t *self)
{
    const pd_partition_t *partition = partition_of(self);
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

static void close_store(pdi_disk_t *self)
{
    pd_partition_t *partition = partition_of(self);

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

/* Whether the partition is still to follow: it may have been stopped, or be wanted no more. */
static void opened(pd_partition_t *partition)
{
    pdi_disk_t *self = &partition->disk;
    bool wanted = partition->state == PD_PARTITION_IDLE && !partition->stopping &&
                  partition->role != PD_PARTITION_NONE;

    if (wanted) {
        pdi_follow_opened(partition, self->store, self->status, &self->error);
    } else if (self->store) {
        self->flushes = false;
        run(self, close_store, pdi_role_step);
    }
}

void pdi_disk_open(pd_partition_t *partition)
{
    run(&partition->disk, open_store, opened);
}

void pdi_disk_close(pd_partition_t *partition, bool flushes)
{
    pdi_disk_t *self = &partition->disk;

    if (!partition->store)
        return;
    self->flushes = flushes;
    if (flushes)
        pdi_flush_position(partition, &self->position);
    if (self->busy) {
        self->close_follows = true; /* a flush of it is being written */
    } else {
        self->store = partition->store;
        run(self, close_store, pdi_role_step);
    }
    partition->store = NULL;
}

/* ---- writing a flush ---- */

static void write_flush(pdi_disk_t *self)
{
    self->status = pd_store_flush_write(self->store, &self->error);
}

static void written(pd_partition_t *partition)
{
    pdi_disk_t *self = &partition->disk;

    if (self->status == PD_OK)
        pd_store_flush_end(self->store);
    if (self->close_follows) {
        self->close_follows = false;
        run(self, close_store, pdi_role_step);
    } else {
        pdi_flush_written(partition, self->status, &self->error);
    }
}

void pdi_disk_write(pd_partition_t *partition)
{
    partition->disk.store = partition->store;
    partition->disk.log_size = partition->log_size;
    run(&partition->disk, write_flush, written);
}

void pdi_disk_wait(pd_partition_t *partition)
{
    pdi_disk_t *self = &partition->disk;

    if (self->busy && !self->finished)
        finish(self);
}
