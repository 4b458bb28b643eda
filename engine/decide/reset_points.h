/* reset_points.h -- where runs of a chain may be reset to: the first completed workflow task of
 * each build. They travel from run to run in WorkflowExecutionStarted.
 *
 * Only a run's first completed task is looked at: a worker that changes its build within a run adds
 * no second point.
 *
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_RESET_POINTS_H
#define PD_ENGINE_DECIDE_RESET_POINTS_H

#include "engine/decide/new_run.h"

typedef Temporal__Api__Workflow__V1__ResetPoints pd_reset_points_t;

/* Those that came with the run and its own, as DescribeWorkflowExecution shows them. Never NULL. */
pd_reset_points_t *pd_reset_points_of(pd_store_t *store, pd_execution_t *exec, pd_arena_t *arena,
                                      const pd_started_t *started);

/* The same, for the run that follows the draft's: the run's own get an expiration. Never NULL. */
pd_reset_points_t *pd_reset_points_for_next(pd_draft_t *draft, const pd_started_t *started);

#endif
