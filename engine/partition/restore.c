/* Before a partition follows the log: is there a state to go on from, or a snapshot?
 *
 *     no state, or it is damaged (set aside), or the log begins behind it (set aside)
 *        -> ask the log for its ends -> on a thread: the newest snapshot within them that is whole
 *        -> follow; the first transition that counts proves that it chains, one that does not chain
 *           says that it is of another log: set aside, an older one is taken
 *
 * Without any, the log is read from its beginning. A state that shows its damage only while it is
 * used is set aside as well. Only once in the life of a process: where the next one is damaged,
 * too, it is the log or the disk that is wrong, and copies would fill it. */
#include <stdio.h>
#include <unistd.h>

#include "base/diag.h"
#include "engine/partition/snapshots_private.h"

/* ---- on the thread ---- */

static bool is_within_log(const pdi_snapshots_t *self, const pd_snapshot_entry_t *entry)
{
    const char *why = NULL;

    if (entry->offset >= self->end_offset)
        why = "it is of an offset beyond the log's end";
    else if (entry->offset + 1 < self->start_offset)
        why = "the log does not go back that far";
    else if (entry->offset >= self->below_offset)
        why = "it does not chain with the log";
    if (why)
        PD_DIAG(PD_DIAG_WARN, "snapshot skipped",
                "partition=%u epoch=%lld offset=%lld error=\"%s\"", self->place.partition,
                (long long)entry->epoch, (long long)entry->offset, why);
    return !why;
}

/* PD_NOT_FOUND: there is none that is any good. */
static void restore_newest(pdi_snapshots_t *self)
{
    const pd_partition_options_t *options = &self->partition->options;
    pd_snapshot_list_t list;

    self->status = pd_snapshot_list(&self->place, &list, &self->error);
    if (self->status != PD_OK)
        return;
    self->status = PD_NOT_FOUND;
    for (size_t i = 0; self->status != PD_OK && i < list.count; i++) {
        self->entry = list.entries[i];
        if (!is_within_log(self, &self->entry))
            continue;
        self->status = pd_snapshot_restore(&self->place, &self->entry, options->store_path,
                                           options->store_shared, &self->error);
        if (self->status != PD_OK)
            PD_DIAG(PD_DIAG_WARN, "snapshot skipped",
                    "partition=%u epoch=%lld offset=%lld status=%s error=\"%s\"",
                    self->place.partition, (long long)self->entry.epoch,
                    (long long)self->entry.offset, pd_status_name(self->status), self->error.text);
    }
    pd_snapshot_list_free(&list);
}

/* ---- on the loop ---- */

static void restored(pdi_snapshots_t *self)
{
    self->tried = true;
    self->restored_offset = -1;
    if (self->status == PD_OK) {
        self->unproven = true;
        self->restored_offset = self->entry.offset;
        self->last_offset = self->entry.offset;
        PD_DIAG(PD_DIAG_INFO, "snapshot restored", "partition=%u epoch=%lld offset=%lld lag=%lld",
                self->place.partition, (long long)self->entry.epoch, (long long)self->entry.offset,
                (long long)(self->end_offset - self->entry.offset - 1));
    } else if (self->start_offset > 0) {
        PD_DIAG(PD_DIAG_ERROR, "state cannot be rebuilt",
                "partition=%u error=\"the log begins at offset %lld, and there is no snapshot\"",
                self->place.partition, (long long)self->start_offset);
    }
}

static void on_reader_closed(pd_mail_t *mail)
{
    pdi_snapshots_t *self = PD_CONTAINER_OF(mail, pdi_snapshots_t, reader_closed);

    self->busy = false;
    if (self->read.status == PD_OK && !self->partition->stopping) {
        pdi_snapshots_run(self, restore_newest, restored);
        return;
    }
    self->tried = self->read.status != PD_OK; /* the follower will meet the same, and tell */
    pdi_role_step(self->partition);
    pdi_partition_maybe_stopped(self->partition);
}

static void on_ends(pd_log_read_t *read)
{
    pdi_snapshots_t *self = PD_CONTAINER_OF(read, pdi_snapshots_t, read);
    pd_log_reader_t *reader = self->reader;

    self->start_offset = read->start_offset;
    self->end_offset = read->end_offset;
    self->reader = NULL;
    self->reader_closed.run = on_reader_closed;
    pd_log_close_reader(reader, &self->reader_closed);
}

/* False: the log cannot be asked; the follower will meet the same. */
static bool ask_for_ends(pdi_snapshots_t *self)
{
    pd_log_handle_options_t handle = {
        .loop = self->partition->options.loop,
        .topic = PD_LOG_EVENTS,
        .partition = self->place.partition,
    };
    pd_error_t error;

    if (pd_log_open_reader(self->partition->options.log, &handle, &self->reader, &error) != PD_OK)
        return false;
    self->busy = true;
    memset(&self->read, 0, sizeof(self->read));
    self->read.from_offset = PD_LOG_END;
    self->read.done = on_ends;
    pd_log_read(self->reader, &self->read);
    return true;
}

static bool has_state(const pd_partition_t *partition)
{
    char path[PD_SNAPSHOT_PATH_SIZE];

    snprintf(path, sizeof(path), "%s/CURRENT", partition->store_path);
    return access(path, F_OK) == 0;
}

bool pdi_restore_begin(pd_partition_t *partition)
{
    pdi_snapshots_t *self = partition->snapshots;
    pd_error_t error;

    if (!self->set_aside && (!self->place.directory || has_state(partition)))
        return false;
    if (self->busy)
        return true;
    if (self->set_aside) {
        self->set_aside = self->tried = false;
        if (pd_snapshot_set_aside(partition->store_path, pd_partition_now_ns(partition), &error) !=
            PD_OK) {
            PD_DIAG(PD_DIAG_ERROR, "state cannot be set aside", "partition=%u error=\"%s\"",
                    self->place.partition, error.text);
            return false;
        }
    }
    return self->place.directory && !self->tried && ask_for_ends(self);
}

bool pdi_restore_instead(pd_partition_t *partition, pd_status_t status)
{
    pdi_snapshots_t *self = partition->snapshots;
    bool helps =
        status == PD_CORRUPT ? !self->was_damaged : status == PD_NOT_FOUND && self->place.directory;

    if (self->set_aside || !helps)
        return false;
    self->was_damaged = self->was_damaged || status == PD_CORRUPT;
    PD_DIAG(PD_DIAG_ERROR, "state is set aside", "partition=%u reason=\"%s\"",
            self->place.partition,
            status == PD_CORRUPT ? "it is damaged" : "the log begins behind it");
    self->set_aside = true;
    return true;
}

pd_status_t pdi_restore_judge(pd_partition_t *partition, const pd_chain_record_t *record,
                              pd_chain_verdict_t verdict, pd_error_t *error)
{
    pdi_snapshots_t *self = partition->snapshots;

    if (!self->unproven || record->is_owner_changed || verdict == PD_CHAIN_VOID_EPOCH)
        return PD_OK;
    self->unproven = false;
    if (verdict != PD_CHAIN_VOID_HASH)
        return PD_OK;
    self->below_offset = self->restored_offset;
    self->set_aside = true;
    return pd_error_set(error, PD_UNAVAILABLE,
                        "the snapshot of offset %lld does not chain with record %lld of the log",
                        (long long)self->restored_offset, (long long)record->offset);
}
