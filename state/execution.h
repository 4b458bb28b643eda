/* execution.h -- looking into one run's row. Reading only; changes come from apply/.
 * Thread: the partition's loop. Ownership: what is returned belongs to the run. */
#ifndef PD_STATE_EXECUTION_H
#define PD_STATE_EXECUTION_H

#include "state/store.h"

bool pd_execution_is_running(const pd_execution_t *exec);
/* NULL when there is none, or when the run is closed: its row keeps the task for Describe only. */
const Perdure__V1__WorkflowTaskRow *pd_execution_workflow_task(const pd_execution_t *exec);

/* NULL when not pending. Constant time also with thousands pending. */
const Perdure__V1__ActivityRow *pd_execution_activity(const pd_execution_t *exec,
                                                      int64_t scheduled_event_id);
const Perdure__V1__ActivityRow *pd_execution_activity_by_id(const pd_execution_t *exec,
                                                            const char *activity_id);
const Perdure__V1__TimerRow *pd_execution_timer(const pd_execution_t *exec, const char *timer_id);
/* NULL when not pending. A child whose end waits in the buffer is still found. */
const Perdure__V1__ChildRow *pd_execution_child(const pd_execution_t *exec,
                                                int64_t initiated_event_id);
const Perdure__V1__ExternalRow *pd_execution_external_signal(const pd_execution_t *exec,
                                                             int64_t initiated_event_id);
const Perdure__V1__ExternalRow *pd_execution_external_cancel(const pd_execution_t *exec,
                                                             int64_t initiated_event_id);
bool pd_execution_has_signal_request(const pd_execution_t *exec, const char *request_id);

/* The deadlines of a run, all of them: the one list that the timer table, the partition's clock
 * and the FIRE_TIMERS decision share (see deadlines.c for the rules). */
typedef enum pd_deadline_kind {
    PD_DEADLINE_FIRST_TASK,             /* first workflow task's backoff is over */
    PD_DEADLINE_TIMER,                  /* user timer */
    PD_DEADLINE_TASK_SCHEDULE_TO_START, /* sticky workflow task not taken */
    PD_DEADLINE_TASK_START_TO_CLOSE,    /* workflow task not answered */
    PD_DEADLINE_ACTIVITY_OFFER,         /* an activity's retry backoff is over: offer it again */
    PD_DEADLINE_ACTIVITY_SCHEDULE_TO_START,
    PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE,
    PD_DEADLINE_ACTIVITY_START_TO_CLOSE,
    PD_DEADLINE_ACTIVITY_HEARTBEAT,
    PD_DEADLINE_RUN,       /* workflow run timeout */
    PD_DEADLINE_EXECUTION, /* workflow execution timeout */
    PD_DEADLINE_RETENTION, /* a closed run may be removed */
} pd_deadline_kind_t;

typedef struct pd_deadline {
    pd_deadline_kind_t kind;
    int64_t at_ns;
    int64_t event_id; /* timer: started event; activity, task: scheduled event; else 0 */
} pd_deadline_t;

/* Calls `each` for every deadline of the run, in no order; stops when it returns false. */
void pd_execution_deadlines(const pd_execution_t *exec,
                            bool (*each)(void *ctx, const pd_deadline_t *deadline), void *ctx);
/* The earliest; offers that are due by now_ns already do not count (they are in matching).
 * INT64_MAX when there is none. */
int64_t pd_execution_next_deadline_ns(const pd_execution_t *exec, int64_t now_ns);

#endif
