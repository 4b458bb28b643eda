/* check_fold.h -- the state is the fold of the log: the live partition's tables against a store to
 * which nothing but the log's records that count was ever applied. Thread: one. */
#ifndef PD_TESTS_SIM_CHECK_FOLD_H
#define PD_TESTS_SIM_CHECK_FOLD_H

#include "tests/sim/sim.h"

/* Partitions with nothing in flight; `all`: every one, whatever changed since last time. */
void check_fold(sim_t *sim, bool all);

#endif
