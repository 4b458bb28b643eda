/* history_limit.h -- a history that has grown too large or too long ends its run.
 * Thread: the partition's loop. */
#ifndef PD_ENGINE_DECIDE_HISTORY_LIMIT_H
#define PD_ENGINE_DECIDE_HISTORY_LIMIT_H

#include "engine/decide/decision.h"

/* After a decision was made: if it leaves a run with more than 50 MiB or 51,200 events, everything
 * drafted is dropped, and the run is terminated instead; the caller gets INVALID_ARGUMENT. */
void pd_history_limit_enforce(pd_decision_t *decision);

#endif
