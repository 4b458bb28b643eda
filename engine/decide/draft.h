/* draft.h -- the events that a decision writes to one run, and a view of the run as these events
 * leave it. Deciders add events only through here: event IDs, times, buffering while a workflow
 * task runs, and the rule "something happened, so schedule a workflow task" live in one place.
 *
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_DRAFT_H
#define PD_ENGINE_DECIDE_DRAFT_H

#include "engine/decide/decision.h"

/* protobuf-c's names are long; these are the ones that deciders need all the time. */
#define PD_EVENT(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME
#define PD_WFT_CAUSE(NAME)                                                                         \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_##NAME

/* The workflow task as the draft's events leave it. */
typedef struct pd_draft_task {
    bool exists;
    bool started;
    bool transient; /* not in the history: scheduled and started IDs are those it would get */
    bool sticky;
    int32_t attempt;
    int64_t scheduled_event_id;
    int64_t started_event_id;
    int64_t scheduled_time_ns;
    int64_t original_scheduled_time_ns;
    int64_t started_time_ns;
} pd_draft_task_t;

struct pd_draft {
    pd_draft_t *next;
    pd_decision_t *decision;
    pd_execution_t *exec; /* NULL: the run is made by this draft */
    const char *run_id;

    /* The view. */
    int64_t next_event_id;
    bool running; /* no close event yet */
    bool sticky;
    const char *sticky_task_queue;    /* valid while sticky */
    int64_t first_task_not_before_ns; /* > 0: the first workflow task waits for its backoff */
    pd_draft_task_t task;
    size_t buffered_count; /* events in the buffer, also those buffered by this draft */
    size_t buffered_size;
    bool cancel_requested;
    int64_t signal_count;
    int64_t history_size_bytes; /* at the beginning of the decision */
    /* Written by pd_draft_outside_event: like the reference, the limit on events counts them only
     * from the next transition on. */
    int64_t outside_event_count;
    /* For a new run: what the row cannot tell yet (set by new_run.c). */
    const char *new_task_queue;
    int64_t new_workflow_task_timeout_ns;

    Perdure__V1__Event **events;
    size_t event_count;
    size_t event_capacity;
    Perdure__V1__Event **buffered; /* EventBuffered events of this draft that wait in the buffer */
    size_t buffered_new_count;
    size_t buffered_new_capacity;
    bool buffer_flushed; /* the row's buffered events are no longer in the buffer */
    void *pending;       /* of pending.c: activities and timers that this draft added or removed */
    void *others;        /* of others.c: what is asked of other workflows */
    pd_history_event_t *close_event; /* written by pd_draft_close */
};

/* The draft of decision->exec, made at the first call. @thread partition */
pd_draft_t *pd_draft_of(pd_decision_t *decision);
/* A further run of the same workflow ID: an existing one … */
pd_draft_t *pd_draft_existing(pd_decision_t *decision, pd_execution_t *exec);
/* … or a new one (see new_run.h, which writes its first events). */
pd_draft_t *pd_draft_new_run(pd_decision_t *decision, const char *run_id);

/* Adds a history event with the next ID; its attributes message is allocated, initialised and
 * attached by type. For workflow task events, close events, and what commands of a workflow task
 * cause: these are never buffered. The caller fills the attributes. */
pd_history_event_t *pd_draft_event(pd_draft_t *draft, Temporal__Api__Enums__V1__EventType type);

/* An event from outside (signal, activity or timer result, cancel request): while a workflow task
 * is started it goes into the buffer without an ID (event_id 0), else as pd_draft_event. The caller
 * fills the attributes and then calls pd_draft_wake. */
pd_history_event_t *pd_draft_outside_event(pd_draft_t *draft,
                                           Temporal__Api__Enums__V1__EventType type);

/* "Something happened": schedules a workflow task unless one exists, the run is closed, or the
 * first task's backoff is not over. With a transient task waiting unstarted, that becomes a real
 * one of attempt 1. When more events wait in the buffer than may, the started task fails by force.
 */
void pd_draft_wake(pd_draft_t *draft);

/* Schedules unconditionally (no task may exist): real when attempt is 1, else transient. On the
 * sticky queue when the draft is sticky and attempt is 1. */
void pd_draft_schedule_task(pd_draft_t *draft, int32_t attempt);

/* Starts the task that exists, unstarted: WorkflowTaskStarted, or the transient form. */
void pd_draft_start_task(pd_draft_t *draft, const char *request_id, const char *identity);

/* The started task ended (completed, failed or timed out; its own event has been added): what is in
 * the buffer follows now, activity/child/nexus close events after the others, and the
 * started_event_ids of closes wired to their ActivityTaskStarted. Returns how many events came. */
size_t pd_draft_flush_buffer(pd_draft_t *draft);

/* An internal event. The caller sets the oneof's field and case. */
Perdure__V1__Event *pd_draft_internal(pd_draft_t *draft);

void pd_draft_set_sticky(pd_draft_t *draft, const char *worker_task_queue,
                         int64_t schedule_to_start_timeout_ns);
void pd_draft_clear_sticky(pd_draft_t *draft);

/* Ends the run: FORCE_CLOSE a started task when `force` (terminate, timeout), flush the buffer,
 * then the close event of `type`, which is returned. Afterwards draft->running is false. */
pd_history_event_t *pd_draft_close(pd_draft_t *draft, Temporal__Api__Enums__V1__EventType type,
                                   bool force);

/* A message to another workflow (or another run): the caller fills receiver and body; sender,
 * target partition and number are filled in when the transition is made. Arena. */
Perdure__V1__Message *pd_decision_send(pd_draft_t *sender, const char *namespace_id,
                                       const char *workflow_id, const char *run_id);

/* The answer to a message, from the workflow that it is for, which need not have a run (`run_id`
 * may be empty). One a decision; outlives pd_decision_discard. The caller fills in the body. */
Perdure__V1__Message *pd_decision_answer(pd_decision_t *decision, const char *run_id,
                                         const Perdure__V1__Message *to);

/* Forgets all drafts and messages of the decision: a command failed midway, and something else is
 * to be drafted instead. Pointers to drafts are void afterwards. */
void pd_decision_discard(pd_decision_t *decision);

/* The transition of all drafts that hold events, of the messages sent (also of those that a close
 * means, see others.h), and of what was received; NULL when there is none of these. Once. */
Perdure__V1__Transition *pd_decision_transition(pd_decision_t *decision, Perdure__V1__Cause cause);

#endif
