/* snapshots_private.h -- what making (snapshots.c) and restoring (restore.c) share: one job at a
 * time, on a thread of its own.
 * Thread: the partition's loop; fields of the job are the thread's while it is busy.
 * Ownership: belongs to the partition. */
#ifndef PD_ENGINE_PARTITION_SNAPSHOTS_PRIVATE_H
#define PD_ENGINE_PARTITION_SNAPSHOTS_PRIVATE_H

#include <pthread.h>

#include "engine/partition/partition_private.h"
#include "state/snapshot/snapshot.h"

typedef struct pdi_snapshots {
    pd_partition_t *partition;
    pd_snapshot_place_t place; /* its directory NULL: none are made, or restored */

    /* The job */
    bool busy;
    pthread_t thread;
    pd_mail_t done;
    void (*work)(struct pdi_snapshots *self);   /* on the thread */
    void (*finish)(struct pdi_snapshots *self); /* on the loop */
    pd_status_t status;
    pd_error_t error;
    pd_snapshot_entry_t entry;

    /* Making */
    pd_snapshot_source_t source;
    pthread_mutex_t mutex;
    pthread_cond_t let_go;
    bool store_in_use; /* under the mutex: the store may not be freed */
    int64_t last_ns;   /* 0: not known yet */
    uint64_t last_size;
    int64_t applied_offset; /* when the job began */
    int64_t last_offset;    /* of the newest one that is known; -1 */

    /* Restoring */
    pd_log_reader_t *reader; /* asks where the log begins and ends */
    pd_log_read_t read;
    pd_mail_t reader_closed;
    int64_t start_offset, end_offset;
    int64_t restored_offset; /* of the one that was restored; -1: none. The loop's: a job that makes
                                one uses `entry` again */
    int64_t below_offset;    /* those from here on do not chain with the log */
    bool set_aside;          /* what is there cannot be used */
    bool was_damaged;        /* and set aside for it: not again in this process */
    bool tried;              /* there was nothing to restore */
    bool unproven;           /* restored, and no record has shown yet that it chains with the log */
} pdi_snapshots_t;

void pdi_snapshots_run(pdi_snapshots_t *self, void (*work)(pdi_snapshots_t *self),
                       void (*finish)(pdi_snapshots_t *self));

#endif
