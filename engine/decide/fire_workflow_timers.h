/* fire_workflow_timers.h -- what becomes of a run when one of its own deadlines has passed: first
 * task's backoff, workflow task timeouts, run and execution timeout, retention.
 *
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_FIRE_WORKFLOW_TIMERS_H
#define PD_ENGINE_DECIDE_FIRE_WORKFLOW_TIMERS_H

#include "engine/decide/draft.h"

/* Checks that the deadline still holds in the draft. */
void pd_decide_fire_workflow_deadline(pd_draft_t *draft, const pd_deadline_t *deadline);

#endif
