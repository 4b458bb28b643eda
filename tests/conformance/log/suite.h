/* suite.h -- the conformance suite of the log contract (log/log.h), for any backend.
 *
 * A backend's test program fills in a log_fixture_ops_t and calls log_conformance_main. The suite
 * knows nothing of the backend: no first offset, no timing; it waits for callbacks with a generous
 * overall deadline. Add a test to the table in one of the suite_*.c files.
 * --seed N or PD_SEED repeats a run; --test NAME runs one test.
 * Thread: the main thread, on which the suite's loop runs. */
#ifndef PD_TESTS_CONFORMANCE_LOG_SUITE_H
#define PD_TESTS_CONFORMANCE_LOG_SUITE_H

#include "log/log.h"

enum { LOG_SUITE_PARTITIONS = 3 }; /* of each topic but members, which has 1 */

typedef struct log_fixture_ops {
    const char *name;
    bool threads; /* handles may live on several threads */
    bool durable; /* close, then open, keeps the records */
    /* Largest record that the suite shall try; 0: info.record_size_max. */
    uint32_t large_size;
    /* A fresh log without records, not yet open; once per test. */
    void *(*setup)(pd_loop_t *loop, uint64_t seed);
    pd_log_t *(*open)(void *fixture); /* again after pd_log_close; asserts success */
    void (*teardown)(void *fixture);  /* the log is closed */
    /* Until `heal` appends run into: an outcome that is reported as unknown, at least once (landed:
     * it is in the log, else it is not or comes later); a failure for good, after which the log
     * must be closed and opened again. NULL: cannot be injected, the test is skipped. */
    void (*inject_unknown)(void *fixture, pd_log_t *log, bool landed);
    void (*inject_failure)(void *fixture, pd_log_t *log);
    /* NULL if the two above are. */
    void (*heal)(void *fixture, pd_log_t *log);
    bool unknown_lost; /* inject_unknown can also lose */
} log_fixture_ops_t;

int log_conformance_main(const log_fixture_ops_t *ops, int argc, char **argv);

#endif
