/* Snapshots of this partition: when one is due, and the thread that makes or restores it. The loop
 * only decides and hears of the end; see state/snapshot/snapshot.h for what is done. */
#include "engine/partition/snapshots_private.h"

#include "base/diag.h"

#define RETRY_NS ((int64_t)60 * 1000000000)

/* ---- the thread ---- */

static void *run_job(void *ctx)
{
    pdi_snapshots_t *self = ctx;

    self->work(self);
    pd_loop_post(self->partition->options.loop, &self->done);
    return NULL;
}

static void on_done(pd_mail_t *mail)
{
    pdi_snapshots_t *self = PD_CONTAINER_OF(mail, pdi_snapshots_t, done);

    PD_ASSERT(pthread_join(self->thread, NULL) == 0);
    self->busy = false;
    self->finish(self);
    pdi_snapshots_flushed(self->partition); /* what was flushed meanwhile */
    pdi_role_step(self->partition);
    pdi_partition_maybe_stopped(self->partition);
}

void pdi_snapshots_run(pdi_snapshots_t *self, void (*work)(pdi_snapshots_t *self),
                       void (*finish)(pdi_snapshots_t *self))
{
    self->busy = true;
    self->work = work;
    self->finish = finish;
    self->done.run = on_done;
    PD_ASSERT(pthread_create(&self->thread, NULL, run_job, self) == 0);
}

bool pdi_snapshots_busy(const pd_partition_t *partition)
{
    return partition->snapshots->busy;
}

/* ---- making ---- */

static void let_go(void *ctx)
{
    pdi_snapshots_t *self = ctx;

    PD_ASSERT(pthread_mutex_lock(&self->mutex) == 0);
    self->store_in_use = false;
    pthread_cond_signal(&self->let_go);
    pthread_mutex_unlock(&self->mutex);
}

void pdi_snapshots_let_go(pd_partition_t *partition)
{
    pdi_snapshots_t *self = partition->snapshots;

    PD_ASSERT(pthread_mutex_lock(&self->mutex) == 0);
    while (self->store_in_use)
        pthread_cond_wait(&self->let_go, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
}

/* Another node may have been quicker, where the directory is shared. What lies beyond our own end
 * is of another log. */
static bool is_made_already(pdi_snapshots_t *self)
{
    pd_snapshot_list_t list;
    bool is = false;

    if (pd_snapshot_list(&self->place, &list, NULL) != PD_OK)
        return false;
    for (size_t i = 0; !is && i < list.count; i++) {
        self->entry = list.entries[i];
        is = self->entry.offset > self->last_offset && self->entry.offset <= self->applied_offset;
    }
    pd_snapshot_list_free(&list);
    return is;
}

static void make(pdi_snapshots_t *self)
{
    if (is_made_already(self)) {
        let_go(self);
        self->status = PD_EXISTS;
        return;
    }
    self->status = pd_snapshot_make(&self->place, &self->source, &self->entry, &self->error);
    if (self->status == PD_OK &&
        pd_snapshot_prune(&self->place, self->partition->options.snapshots.keep, &self->error) !=
            PD_OK)
        PD_DIAG(PD_DIAG_WARN, "old snapshots stay", "partition=%u error=\"%s\"",
                self->place.partition, self->error.text);
}

static void made(pdi_snapshots_t *self)
{
    const pd_partition_snapshots_t *options = &self->partition->options.snapshots;

    if (self->status == PD_OK || self->status == PD_EXISTS) {
        self->last_offset = self->entry.offset;
        PD_DIAG(PD_DIAG_INFO,
                self->status == PD_OK ? "snapshot made" : "snapshot made by another node",
                "partition=%u epoch=%lld offset=%lld", self->place.partition,
                (long long)self->entry.epoch, (long long)self->entry.offset);
        return;
    }
    PD_DIAG(PD_DIAG_WARN, "no snapshot was made", "partition=%u status=%s error=\"%s\"",
            self->place.partition, pd_status_name(self->status), self->error.text);
    if (options->interval_ns > RETRY_NS)
        self->last_ns += RETRY_NS - options->interval_ns;
}

/* A standby has the time, so an owner waits half as long again: it makes one where there is no
 * standby, or where the directory is not shared. */
static bool is_due(const pdi_snapshots_t *self, int64_t now_ns)
{
    const pd_partition_snapshots_t *options = &self->partition->options.snapshots;
    bool is_owner = pdi_partition_is_writer(self->partition);
    int64_t interval_ns = options->interval_ns;
    uint64_t size = options->log_size;

    if (is_owner && options->prefer_standby) {
        interval_ns += interval_ns / 2;
        size += size / 2;
    }
    if (self->partition->disk.log_size - self->last_size >= size)
        return true;
    return now_ns - self->last_ns >= interval_ns;
}

void pdi_snapshots_flushed(pd_partition_t *partition)
{
    pdi_snapshots_t *self = partition->snapshots;
    pd_store_position_t position;
    int64_t now_ns;

    if (!self->place.directory || self->busy || partition->stopping || !partition->store)
        return;
    now_ns = pd_partition_now_ns(partition);
    if (self->last_ns == 0) { /* staggered by the golden ratio: not all partitions at once */
        uint64_t part = (uint64_t)(partition->options.index + 1) * 0x9e3779b97f4a7c15u >> 32;

        self->last_ns = now_ns - (int64_t)((double)partition->options.snapshots.interval_ns *
                                           (double)part / 4294967296.0);
    }
    pd_store_position(partition->store, &position);
    if (position.applied_offset <= self->last_offset || !is_due(self, now_ns))
        return;
    self->last_ns = now_ns;
    self->last_size = partition->disk.log_size;
    self->source = (pd_snapshot_source_t){
        .store = partition->store,
        .shared = partition->options.store_shared,
        .now_ns = now_ns,
        .let_go = let_go,
        .ctx = self,
    };
    self->applied_offset = position.applied_offset;
    self->store_in_use = true;
    pdi_snapshots_run(self, make, made);
}

/* ---- life ---- */

void pdi_snapshots_init(pd_partition_t *partition)
{
    pd_partition_snapshots_t *options = &partition->options.snapshots;
    pdi_snapshots_t *self = PD_NEW(pdi_snapshots_t);

    self->partition = partition;
    self->place.partition = partition->options.index;
    self->last_offset = self->restored_offset = -1;
    self->below_offset = INT64_MAX;
    PD_ASSERT(pthread_mutex_init(&self->mutex, NULL) == 0);
    PD_ASSERT(pthread_cond_init(&self->let_go, NULL) == 0);
    partition->snapshots = self;
    if (!options->directory)
        return;
    PD_ASSERT(options->cluster && options->interval_ns > 0 && options->log_size > 0);
    self->place.directory = pd_strdup(options->directory);
    self->place.cluster = pd_strdup(options->cluster);
    self->place.node = partition->node;
    pd_snapshot_clean(&self->place, partition->store_path);
}

void pdi_snapshots_deinit(pd_partition_t *partition)
{
    pdi_snapshots_t *self = partition->snapshots;

    if (!self)
        return;
    PD_ASSERT(!self->busy);
    pthread_cond_destroy(&self->let_go);
    pthread_mutex_destroy(&self->mutex);
    pd_free((void *)self->place.directory);
    pd_free((void *)self->place.cluster);
    pd_free(self);
    partition->snapshots = NULL;
}
