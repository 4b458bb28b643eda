/* grammar.h -- what the records of one partition of <cluster>.events say, one after another: does
 * each follow from those before it?
 *
 *     every run by run_grammar.h · a run is created once, and only when no other one of its
 * workflow is open · outbound messages numbered 1, 2, 3 … per target · received numbers exactly the
 * next ones per source · commands_through, sent marks and ingestion checkpoints never go back
 *
 * Only records that count are fed. A run in which something was wrong is not looked at any more, so
 * that one mistake is told once. Memory: a few hundred bytes per run that was not removed.
 * Thread: one at a time. Ownership: owns everything it keeps; records are borrowed for the call. */
#ifndef PD_STATE_AUDIT_GRAMMAR_H
#define PD_STATE_AUDIT_GRAMMAR_H

#include "state/audit/run_grammar.h"

typedef struct pd_grammar pd_grammar_t;

/* What is numbered between workflows, and what an owner has consumed: a part of the grammar that
 * can be used alone. */
typedef struct pd_link_grammar {
    int64_t commands_through; /* -1: nothing yet */
    struct pdi_grammar_number *numbers;
} pd_link_grammar_t;

void pd_link_grammar_init(pd_link_grammar_t *link);
void pd_link_grammar_deinit(pd_link_grammar_t *link);
/* PD_CORRUPT: a number or a mark that cannot follow. */
pd_status_t pd_link_grammar_record(pd_link_grammar_t *link, const Perdure__V1__Record *record,
                                   pd_error_t *error) PD_MUST_USE;

typedef struct pd_grammar_stats {
    uint64_t record_count, transition_count, event_count; /* events of histories */
    uint64_t run_count, closed_count, removed_count;
} pd_grammar_stats_t;

pd_grammar_t *pd_grammar_new(void);
/* NULL does nothing. */
void pd_grammar_free(pd_grammar_t *grammar);

/* The next record that counts. PD_CORRUPT: it cannot follow; the text names workflow, run and
 * event. Records after it may be fed nevertheless. */
pd_status_t pd_grammar_record(pd_grammar_t *grammar, const Perdure__V1__Record *record,
                              pd_error_t *error) PD_MUST_USE;
void pd_grammar_stats(const pd_grammar_t *grammar, pd_grammar_stats_t *stats);

#endif
