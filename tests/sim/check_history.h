/* check_history.h -- the grammar of histories (state/audit/run_grammar.h) as the simulator holds
 * the server to it.
 * Thread: one. Ownership: as in run_grammar.h. */
#ifndef PD_TESTS_SIM_CHECK_HISTORY_H
#define PD_TESTS_SIM_CHECK_HISTORY_H

#include "state/audit/run_grammar.h"
#include "state/store.h"
#include "tests/sim/sim.h"

/* Fails the simulation when the event cannot follow. */
void check_history_event(sim_t *sim, pd_run_grammar_t *check, const char *run_id,
                         const Perdure__V1__Event *event);
/* The end of what one record says about the run. */
void check_history_step_end(sim_t *sim, pd_run_grammar_t *check, const char *run_id);

#endif
