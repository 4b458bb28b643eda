/* chain.h -- requests that name the first run of a chain mean whatever run of it is current.
 * Thread: the partition's loop. */
#ifndef PD_ENGINE_DECIDE_CHAIN_H
#define PD_ENGINE_DECIDE_CHAIN_H

#include "engine/decide/decision.h"

/* Makes decision->exec the current run when `first_run_id` is given. Before the first draft. */
void pd_chain_use_current(pd_decision_t *decision, const char *first_run_id);
/* False: the run belongs to another chain. */
bool pd_chain_matches(const pd_decision_t *decision, const char *first_run_id);

#endif
