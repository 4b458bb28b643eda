/* signaling.h -- adding a signal to a run that is there, for SIGNAL and SIGNAL_WITH_START.
 * Thread: the partition's loop. Ownership: the decision's arena; the signal is borrowed. */
#ifndef PD_ENGINE_DECIDE_SIGNALING_H
#define PD_ENGINE_DECIDE_SIGNALING_H

#include "engine/decide/new_run.h"

typedef struct pd_signal {
    pd_signaled_t attributes;
    Temporal__Api__Common__V1__Link **links;
    size_t n_links;
} pd_signal_t;

/* A request with this ID has been accepted before. */
bool pd_signal_is_known(const pd_draft_t *draft, const char *request_id);

/* Sizes, counts, and whether the run is closing. NULL: fine. `draft` NULL: a new run. */
const pd_rpc_error_t *pd_signal_check(pd_decision_t *decision, const pd_draft_t *draft,
                                      const pd_signal_t *signal);

/* Of these the sizes and counts only. */
const pd_rpc_error_t *pd_signal_check_limits(pd_decision_t *decision, const pd_draft_t *draft,
                                             const pd_signal_t *signal);

/* Drafts the event; the caller wakes the run. */
void pd_signal_add(pd_draft_t *draft, const pd_signal_t *signal);

#endif
