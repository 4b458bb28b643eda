/* generator.h -- random but plausible records for the tests of the store.
 *
 * A much simplified decider: it looks into a store that has applied all earlier records, and makes
 * the next one. Everything that the appliers know occurs in time: transient tasks, buffered events,
 * retries, continue-as-new, removal.
 * Thread: one at a time. Ownership: records live in the generator until the next one is made. */
#ifndef PD_TESTS_UNIT_STATE_GENERATOR_H
#define PD_TESTS_UNIT_STATE_GENERATOR_H

#include "base/random.h"
#include "state/execution.h"

/* The store's partition: what it sends to itself is received from itself. */
enum { GENERATOR_PARTITION = 3 };

typedef struct pd_generator {
    pd_random_t random;
    pd_arena_t arena;
    pd_store_t *store;
    uint32_t workflow_count;
    int64_t now_ns;
    /* Of the record at hand */
    Perdure__V1__Record *record;
    Perdure__V1__RunEvents *run;
    pd_execution_t *exec;
    int64_t next_event_id;
    uint64_t started_count;
    uint64_t removed_count;
    uint64_t message_count;
    int64_t commands_through;
} pd_generator_t;

void pd_generator_init(pd_generator_t *generator, pd_store_t *store, uint64_t seed,
                       uint32_t workflow_count);
void pd_generator_deinit(pd_generator_t *generator);
/* The next record; the caller applies it to the store before asking for another one. */
const Perdure__V1__Record *pd_generator_next(pd_generator_t *generator);
/* The record's bytes, for applying it elsewhere. */
pd_bytes_t pd_generator_pack(pd_generator_t *generator, const Perdure__V1__Record *record);

#endif
