/* reset_points.h -- where runs of a chain may be reset to: the first completed workflow task of
 * each build. The run's row keeps them (state/apply/builds.c); they travel from run to run in
 * WorkflowExecutionStarted.
 *
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_RESET_POINTS_H
#define PD_ENGINE_DECIDE_RESET_POINTS_H

#include "engine/decide/new_run.h"

typedef Temporal__Api__Workflow__V1__ResetPoints pd_reset_points_t;

/* For the run that follows the draft's: the run's own points get an expiration. Never NULL. */
pd_reset_points_t *pd_reset_points_for_next(pd_draft_t *draft);

#endif
