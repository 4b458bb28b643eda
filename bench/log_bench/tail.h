/* tail.h -- how long a record takes to a reader that waits for it, and a question for the end to be
 * answered. Thread: the loop's, which is run until done. */
#ifndef PD_BENCH_LOG_BENCH_TAIL_H
#define PD_BENCH_LOG_BENCH_TAIL_H

#include "base/loop_event.h"
#include "log/log.h"

/* Partition 0 of events. Fills in `count` latencies: from the append to the waiting read's
 * completion, or, with `end`, of a read at the end that does not wait. Exits on a failure. */
void tail_run(pd_log_t *log, pd_loop_event_t *loop, bool end, uint64_t count,
              int64_t *latencies_ns);

#endif
