/* sim_producer.h -- producers that write to the topic of commands as anybody may: commands, some of
 * them twice, some of them to the wrong partition, and what is none.
 *
 * A producer hears nothing. What became of a command is found in the log of events, where each
 * happens once at most, or among the rejects. Thread: the clients' loop. */
#ifndef PD_TESTS_SIM_SIM_PRODUCER_H
#define PD_TESTS_SIM_SIM_PRODUCER_H

#include "tests/sim/sim.h"

typedef struct sim_producer sim_producer_t;

sim_producer_t *sim_producer_new(sim_t *sim);
void sim_producer_free(sim_producer_t *producer);
void sim_producer_start(sim_producer_t *producer);
/* Everything that was produced has been looked at by an owner. */
bool sim_producer_idle(const sim_producer_t *producer);
/* At the end: each command happened, or was rejected; each piece of garbage was rejected. */
void sim_producer_check(sim_producer_t *producer);

#endif
