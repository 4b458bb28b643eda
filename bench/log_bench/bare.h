/* bare.h -- what librdkafka itself takes for the same appends: the measure for log/kafka.
 * Thread: one; blocks. */
#ifndef PD_BENCH_LOG_BENCH_BARE_H
#define PD_BENCH_LOG_BENCH_BARE_H

#include <stdint.h>

typedef struct bare_options {
    const char *bootstrap_servers;
    const char *topic; /* partition 0 of it */
    uint32_t in_flight_count;
    uint64_t record_count;
    uint32_t size; /* of a value, in bytes */
    uint32_t linger_ms;
    int64_t *latencies_ns; /* record_count of them are filled in */
} bare_options_t;

/* Returns the seconds it took. Exits when a record is refused. */
double bare_run(const bare_options_t *options);

#endif
