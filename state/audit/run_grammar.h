/* run_grammar.h -- the grammar of one run's events, checked event by event as the log has them,
 * independent of the engine and of the fold:
 *
 *     ids dense from 1 · WorkflowExecutionStarted first, and only there · one workflow task at a
 *     time, scheduled -> started -> completed, failed or timed out · activities, timers, children
 *     and calls to other workflows end once, and refer to their beginning · what was buffered comes
 *     out of the buffer once · what a command made names the completion that brought it · the close
 *     event is the last
 *
 * Used by `perdure log verify` and by the simulator. Thread: one at a time. Ownership: a plain
 * value; what it allocates is freed by _deinit. */
#ifndef PD_STATE_AUDIT_RUN_GRAMMAR_H
#define PD_STATE_AUDIT_RUN_GRAMMAR_H

#include <perdure/v1/record.pb-c.h>
#include <temporal/api/history/v1/message.pb-c.h>

#include "base/status.h"

/* Something that has begun and not ended. */
typedef struct pd_grammar_pending {
    int64_t event_id;         /* where it began */
    int64_t started_event_id; /* 0: not started */
    bool cancel_requested;
    char *id; /* of activities and timers; else NULL */
} pd_grammar_pending_t;

typedef struct pd_grammar_table {
    pd_grammar_pending_t *items;
    size_t count, capacity;
} pd_grammar_table_t;

/* Event types that are in the buffer, or have left it and are yet to appear. */
typedef struct pd_grammar_types {
    int32_t *types;
    size_t count, capacity;
} pd_grammar_types_t;

typedef struct pd_run_grammar {
    int64_t event_count;
    int64_t task_scheduled_id, task_started_id; /* 0: none */
    int64_t completed_id;                       /* the last WorkflowTaskCompleted */
    pd_grammar_table_t activities, timers, children;
    pd_grammar_table_t external_signals, external_cancels;
    pd_grammar_types_t buffered, leaving;
    int32_t last_type;
    bool transient_started; /* a workflow task that the history does not show is running */
    bool cancel_requested;
    bool closed;
    bool removed;
} pd_run_grammar_t;

void pd_run_grammar_init(pd_run_grammar_t *run);
void pd_run_grammar_deinit(pd_run_grammar_t *run);

/* The next event of the run, internal ones too. PD_CORRUPT: it cannot follow; the text says why. */
pd_status_t pd_run_grammar_event(pd_run_grammar_t *run, const Perdure__V1__Event *event,
                                 pd_error_t *error) PD_MUST_USE;
/* The end of what one record says about the run. */
pd_status_t pd_run_grammar_step_end(pd_run_grammar_t *run, pd_error_t *error) PD_MUST_USE;

/* An attribute of a history event by name, whatever its type: 0 or "" when it has none such. */
int64_t pd_event_int(const Temporal__Api__History__V1__HistoryEvent *event, const char *name);
const char *pd_event_text(const Temporal__Api__History__V1__HistoryEvent *event, const char *name);
bool pd_event_closes(int type);

#endif
