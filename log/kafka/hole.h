/* hole.h -- is a place behind the one that was asked for to be believed?
 *
 * In our own topics, the compacted one excepted, offsets have no holes unless a stranger writes
 * with transactions. So a record, or an end, behind the place that was asked for was most likely
 * said of another place: before a seek, or by a leader that was paused and has been replaced
 * meanwhile. To believe it would be to skip records, and an owner that has skipped acknowledged
 * ones takes the partition over without them. Believed is what is said of the same place, and the
 * same, again and again: the broker was asked anew each time.
 *
 * Thread: the reader's. A plain value, zero at first. */
#ifndef PD_LOG_KAFKA_HOLE_H
#define PD_LOG_KAFKA_HOLE_H

#include <stdbool.h>
#include <stdint.h>

enum { PDI_KAFKA_HOLE_BELIEVED_COUNT = 20 };

typedef struct pdi_kafka_hole {
    int64_t wanted; /* what was asked for … */
    int64_t told;   /* … what came instead … */
    uint32_t count; /* … so often */
} pdi_kafka_hole_t;

/* `told`: offset of the record that came, or the end that the broker names. `wanted`: an offset, or
 * below 0 (PD_LOG_FIRST, PD_LOG_END): any place is right. True: ask again. */
bool pdi_kafka_hole_doubt(pdi_kafka_hole_t *hole, int64_t wanted, int64_t told);

#endif
