/* canceling.h -- asking a run to cancel itself, whoever asks.
 * Thread: the partition's loop. Ownership: the decision's arena; the request is borrowed. */
#ifndef PD_ENGINE_DECIDE_CANCELING_H
#define PD_ENGINE_DECIDE_CANCELING_H

#include "engine/decide/draft.h"

typedef struct pd_cancel {
    Temporal__Api__History__V1__WorkflowExecutionCancelRequestedEventAttributes attributes;
    Temporal__Api__Common__V1__Link **links;
    size_t n_links;
} pd_cancel_t;

/* Drafts the event and schedules a workflow task; nothing when it was requested before. The run
 * must be running. */
void pd_cancel_request(pd_draft_t *draft, const pd_cancel_t *cancel);

#endif
