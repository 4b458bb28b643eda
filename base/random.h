/* random.h -- a seeded generator (xoshiro256**), so that a simulated run repeats from its seed.
 * Not for secrets. Thread: one at a time. */
#ifndef PD_BASE_RANDOM_H
#define PD_BASE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

enum { PD_UUID_SIZE = 37 }; /* 36 characters and NUL */

typedef struct pd_random {
    uint64_t s[4];
} pd_random_t;

void pd_random_init(pd_random_t *random, uint64_t seed);
uint64_t pd_random_u64(pd_random_t *random);
/* Uniform in [0, bound); bound > 0. */
uint64_t pd_random_below(pd_random_t *random, uint64_t bound);
/* True with probability numerator/denominator. */
bool pd_random_chance(pd_random_t *random, uint64_t numerator, uint64_t denominator);
/* An RFC 9562 version 7 UUID in lower case: sorts by time_ns (ns since 1970), so that new runs land
 * side by side in ordered stores. */
void pd_random_uuid(pd_random_t *random, int64_t time_ns, char uuid[PD_UUID_SIZE]);

#endif
