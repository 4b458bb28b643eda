/* apply.h -- event appliers: each folds one kind of event into one run's row.
 *
 * An applier changes rows only by what the event and the row say; it decides nothing. What does not
 * fit (an unknown ID, a task that is not there) is PD_CORRUPT with a readable text: the record
 * comes from the log, so it is never asserted. After PD_CORRUPT the partition stops; the row stays
 * well-formed, but may have taken a part of the record.
 *
 * Appliers are versioned by the event's number: one that must fold differently from now on gets a
 * new event, since replay must give the same rows for ever. */
#ifndef PD_STATE_APPLY_H
#define PD_STATE_APPLY_H

#include <temporal/api/history/v1/message.pb-c.h>

#include "api/pb/time.h"
#include "state/store_private.h"

typedef struct pdi_apply {
    pd_store_t *store;
    const Perdure__V1__Transition *transition;
    int64_t time_ns; /* of the record */
    pd_error_t *error;
    /* Of the RunEvents at hand */
    const char *run_id;
    pdi_run_t *run;           /* NULL until it is created */
    pdi_row_t *row;           /* its row */
    pdi_workflow_t *workflow; /* its workflow */
    /* WorkflowTaskHeartbeated: when the chain of tasks began; 0: none */
    int64_t original_scheduled_time_ns;
    /* Signals that took effect when they were buffered, and whose events are yet to come. */
    size_t signals_in_effect;
} pdi_apply_t;

typedef pd_status_t (*pdi_history_applier_t)(pdi_apply_t *apply, const pd_history_event_t *event);
typedef pd_status_t (*pdi_event_applier_t)(pdi_apply_t *apply, const Perdure__V1__Event *event);

/* PD_CORRUPT: "workflow … run …: <what>". */
pd_status_t pdi_apply_corrupt(pdi_apply_t *apply, const char *format, ...) PD_PRINTF(2, 3);
/* The run changes: it becomes dirty and is reported as touched. */
void pdi_apply_touch(pdi_apply_t *apply);
/* A task that some worker may take from now on. */
void pdi_apply_ready(pdi_apply_t *apply, bool is_activity, int64_t scheduled_event_id,
                     int32_t attempt, int64_t not_before_ns);
/* Something may be due at that time. */
void pdi_apply_hint(pdi_apply_t *apply, int64_t at_ns);

/* Appends the event to the history (its ID must be the next one) and applies it. */
pd_status_t pdi_apply_history(pdi_apply_t *apply, const Perdure__V1__Event *event);

#define PDI_HISTORY_APPLIER(name)                                                                  \
    pd_status_t pdi_apply_##name(pdi_apply_t *apply, const pd_history_event_t *event)
#define PDI_EVENT_APPLIER(name)                                                                    \
    pd_status_t pdi_apply_##name(pdi_apply_t *apply, const Perdure__V1__Event *event)

/* builds.c: the event is a WorkflowTaskCompleted. */
void pdi_apply_build(pdi_apply_t *apply, const pd_history_event_t *event);
/* The run closed and another one follows: the reset points of this one expire with it. */
void pdi_apply_builds_expire(pdi_apply_t *apply);

/* workflow.c */
PDI_HISTORY_APPLIER(workflow_started);
PDI_HISTORY_APPLIER(workflow_completed);
PDI_HISTORY_APPLIER(workflow_failed);
PDI_HISTORY_APPLIER(workflow_timed_out);
PDI_HISTORY_APPLIER(workflow_canceled);
PDI_HISTORY_APPLIER(workflow_terminated);
PDI_HISTORY_APPLIER(workflow_continued_as_new);
/* workflow_task.c */
PDI_HISTORY_APPLIER(task_scheduled);
PDI_HISTORY_APPLIER(task_started);
PDI_HISTORY_APPLIER(task_completed);
PDI_HISTORY_APPLIER(task_failed);
PDI_HISTORY_APPLIER(task_timed_out);
PDI_EVENT_APPLIER(transient_task_scheduled);
PDI_EVENT_APPLIER(transient_task_started);
PDI_EVENT_APPLIER(transient_task_ended);
PDI_EVENT_APPLIER(sticky_queue_changed);
PDI_EVENT_APPLIER(close_attempted);
PDI_EVENT_APPLIER(task_heartbeated);
PDI_EVENT_APPLIER(first_task_backoff_ended);
PDI_EVENT_APPLIER(first_task_released);
/* activity.c */
PDI_HISTORY_APPLIER(activity_scheduled);
PDI_HISTORY_APPLIER(activity_cancel_requested);
PDI_HISTORY_APPLIER(activity_completed);
PDI_HISTORY_APPLIER(activity_failed);
PDI_HISTORY_APPLIER(activity_timed_out);
PDI_HISTORY_APPLIER(activity_canceled);
PDI_EVENT_APPLIER(activity_attempt_started);
PDI_EVENT_APPLIER(activity_retry_scheduled);
PDI_EVENT_APPLIER(activity_heartbeat_recorded);
/* timer.c */
PDI_HISTORY_APPLIER(timer_started);
PDI_HISTORY_APPLIER(timer_fired);
PDI_HISTORY_APPLIER(timer_canceled);
/* child.c */
PDI_HISTORY_APPLIER(child_initiated);
PDI_HISTORY_APPLIER(child_started);
PDI_HISTORY_APPLIER(child_ended);
/* What a buffered event means at once; nothing for events of other kinds. */
pd_status_t pdi_apply_child_buffered(pdi_apply_t *apply, const pd_history_event_t *event);
/* external.c */
PDI_HISTORY_APPLIER(external_signal_initiated);
PDI_HISTORY_APPLIER(external_cancel_initiated);
PDI_HISTORY_APPLIER(external_answered);
pd_status_t pdi_apply_external_buffered(pdi_apply_t *apply, const pd_history_event_t *event);
/* signal.c */
PDI_HISTORY_APPLIER(signaled);
PDI_HISTORY_APPLIER(cancel_requested);
/* properties.c */
PDI_HISTORY_APPLIER(search_attributes_upserted);
PDI_HISTORY_APPLIER(properties_modified);
/* buffer.c */
PDI_EVENT_APPLIER(event_buffered);
PDI_EVENT_APPLIER(buffered_events_flushed);
PDI_EVENT_APPLIER(buffered_timer_removed);
/* run.c */
PDI_EVENT_APPLIER(run_created);
PDI_EVENT_APPLIER(run_removed);
PDI_EVENT_APPLIER(request_attached);
PDI_HISTORY_APPLIER(options_updated);
/* messages.c */
pd_status_t pdi_apply_messages(pd_store_t *store, int64_t time_ns,
                               const Perdure__V1__Transition *transition, pd_error_t *error);
pd_status_t pdi_apply_progress(pd_store_t *store, const Perdure__V1__Progress *progress,
                               pd_error_t *error);
/* namespace.c */
pd_status_t pdi_apply_namespace(pd_store_t *store, int64_t time_ns,
                                const Perdure__V1__NamespaceRegistered *registered,
                                pd_error_t *error);

#endif
