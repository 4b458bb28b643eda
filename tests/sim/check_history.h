/* check_history.h -- the grammar of histories, checked event by event, independent of the engine:
 *
 *     ids dense from 1 · one workflow task at a time, scheduled -> started -> completed, failed or
 *     timed out · activities and timers end once, and refer to their beginning · what a command
 * made names the completion that brought it · the close event is the last
 *
 * Thread: one. Ownership: plain values; tables are freed by _deinit. */
#ifndef PD_TESTS_SIM_CHECK_HISTORY_H
#define PD_TESTS_SIM_CHECK_HISTORY_H

#include <perdure/v1/record.pb-c.h>

#include "state/store.h"
#include "tests/sim/sim.h"

typedef struct check_pending {
    int64_t event_id; /* where it began */
    int64_t started_event_id;
    char id[64];
    bool cancel_requested;
} check_pending_t;

typedef struct check_table {
    check_pending_t *items;
    size_t count, capacity;
} check_table_t;

typedef struct check_history {
    int64_t event_count;
    int64_t task_scheduled_id, task_started_id; /* 0: none */
    int64_t completed_id;                       /* the last WorkflowTaskCompleted */
    check_table_t activities, timers;
    int64_t buffered_count;
    int32_t last_type;
    bool cancel_requested;
    bool closed;
    bool removed;
} check_history_t;

void check_history_init(check_history_t *check);
void check_history_deinit(check_history_t *check);
/* Fails the simulation when the event cannot follow. */
void check_history_event(sim_t *sim, check_history_t *check, const char *run_id,
                         const pd_history_event_t *event);
void check_history_internal(sim_t *sim, check_history_t *check, const char *run_id,
                            const Perdure__V1__Event *event);
/* An attribute by name, whatever the event: 0 or "" when it has none such. */
int64_t sim_event_int(const pd_history_event_t *event, const char *name);
const char *sim_event_text(const pd_history_event_t *event, const char *name);
bool sim_event_closes(int type);

#endif
