/* others.h -- what a run has going on with other workflows: children, signals and cancel requests
 * to them, and its parent.
 *
 * A completion *asks*: what is asked for is sent when the completion leaves the run open, and only
 * then (a run that closes in the same step starts no child and signals nobody). When a run closes,
 * whoever closes it, its children and its parent are told.
 *
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_OTHERS_H
#define PD_ENGINE_DECIDE_OTHERS_H

#include "engine/decide/draft.h"

typedef struct pd_asked {
    Perdure__V1__Message__BodyCase body_case; /* START_CHILD, SIGNAL_EXTERNAL, … */
    const void *body;
    const char *namespace_id;
    const char *workflow_id;
    const char *run_id;
    int64_t initiated_event_id;
} pd_asked_t;

/* The fields are borrowed. */
void pd_others_ask(pd_draft_t *draft, const pd_asked_t *asked);
/* This draft asks for a child with that ID. */
bool pd_others_asked_child(pd_draft_t *draft, const char *workflow_id);

/* Pending ones: those of the row, and those that this draft asks for. */
size_t pd_others_child_count(pd_draft_t *draft);
size_t pd_others_signal_count(pd_draft_t *draft);
size_t pd_others_cancel_count(pd_draft_t *draft);

/* Once, when everything is drafted: sends what was asked for, or what a close means to others. */
void pd_others_finish(pd_decision_t *decision);

/* ---- rows that are pending: not yet answered, closed, … ; NULL when not ---- */
const Perdure__V1__ChildRow *pd_others_child(const pd_draft_t *draft, int64_t initiated_event_id);

#endif
