/* embedded.h -- the log without a broker: one RocksDB below one directory, one group commit for all
 * partitions. For `perdure dev` and single nodes.
 *
 * An append is handed to the commit thread, which writes whatever is waiting as one synced batch
 * and sends the completions back, one mail per loop and commit. When only one caller waits it
 * commits at once; when many do it gathers for a moment (see commit.c). Reads run on a thread of
 * their own.
 *
 * The first failed write (disk full, broken disk) stops the whole log: everything waiting and
 * everything later completes with PD_IO, until the log is closed and opened again. Nothing that was
 * acknowledged is lost by that, nor by SIGKILL, nor by power failure as far as fdatasync holds.
 * Thread: open and close on one thread; the rest as in log.h. */
#ifndef PD_LOG_EMBEDDED_EMBEDDED_H
#define PD_LOG_EMBEDDED_EMBEDDED_H

#include "log/log.h"

enum {
    PD_LOG_EMBEDDED_PARTITIONS_MAX = 4096, /* per topic */
    PD_LOG_EMBEDDED_RECORD_SIZE_MAX = 16 * 1024 * 1024,
};

/* For tests only. Zero: no fault. Counters run from the moment the faults were set. */
typedef struct pd_log_embedded_faults {
    uint32_t fail_after_commits;    /* n: the n-th commit from now fails as a full disk does */
    uint32_t unknown_after_commits; /* n: the n-th commit from now is written, but its completions
                                       say PD_UNKNOWN_OUTCOME; the log itself goes on */
    uint64_t commit_delay_ns;       /* each commit takes so much longer */
} pd_log_embedded_faults_t;

typedef struct pd_log_embedded_options {
    const char *directory; /* created when missing, its parent not. Borrowed during the call */
    /* Fixed when the log is created; an existing log must have the same. All 0: open what is there,
     * PD_NOT_FOUND when there is nothing. */
    uint32_t partition_counts[PD_LOG_TOPIC_COUNT];
    uint32_t record_size_max; /* 0: PD_LOG_EMBEDDED_RECORD_SIZE_MAX, which is also the most */
    int64_t gather_max_ns;    /* longest wait for company under load; 0: 500 us, -1: never wait */
    bool read_only; /* no writers, no lock: sees what was durable at the time of opening */
} pd_log_embedded_options_t;

/* What the commit thread has done since the log was opened. */
typedef struct pd_log_embedded_stats {
    uint64_t commit_count;
    uint64_t record_count;
    uint64_t byte_count; /* as handed to RocksDB */
} pd_log_embedded_stats_t;

/* Blocks while RocksDB recovers. PD_LOCKED: another process uses the directory; PD_IO: not
 * accessible, disk full; PD_CORRUPT: what is stored there is damaged; PD_INVALID: other partition
 * counts than the existing log's, or options out of range; PD_NOT_FOUND: see partition_counts. */
pd_status_t pd_log_embedded_open(const pd_log_embedded_options_t *options, pd_log_t **log,
                                 pd_error_t *error) PD_MUST_USE;

/* @thread any */
void pd_log_embedded_stats(pd_log_t *log, pd_log_embedded_stats_t *stats);

/* @thread any */
void pd_log_embedded_set_faults(pd_log_t *log, const pd_log_embedded_faults_t *faults);

#endif
