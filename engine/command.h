/* command.h -- what is handed to a partition: somebody wants to change, or to read, one workflow.
 *
 * A command's kind is a table of functions, one kind a file in decide/ (those that change) or
 * partition/read_*.c (those that read: they decide too, but draft no events). The partition runs
 * them in the one order that is right:
 *
 *   decide (pure) -> append -> apply in memory -> `applied` -> acknowledged -> `acknowledged`
 *
 * Thread: made anywhere, run on the partition's loop. Ownership: a command lives in its arena (the
 * call's, or one of its own that the partition frees when the command is done). */
#ifndef PD_ENGINE_COMMAND_H
#define PD_ENGINE_COMMAND_H

#include <perdure/v1/record.pb-c.h>

#include "base/random.h"
#include "engine/call.h"
#include "engine/namespace.h"
#include "state/execution.h"

typedef struct pd_command pd_command_t;
typedef struct pd_decision pd_decision_t;
typedef struct pd_partition pd_partition_t;
typedef struct pd_poll pd_poll_t;
typedef struct pd_inbound pd_inbound_t;

typedef struct pd_command_kind {
    const char *name;
    Perdure__V1__Cause cause;
    /* A run that does not exist is no error for these kinds: decision->exec is NULL then. For all
     * others the partition answers NOT_FOUND "workflow not found for ID: …" by itself. */
    bool may_create;
    /* Pure: reads the state, fills the decision (see decide/decision.h) with events and the answer.
     * A refusal is returned; what had been drafted is dropped then. Reading kinds draft nothing and
     * may wait: see wait_for_change. */
    const pd_rpc_error_t *(*decide)(pd_decision_t *decision, pd_command_t *command);
    /* Optional: the record is appended and applied in memory, not acknowledged. Only workflow tasks
     * may leave the partition here. */
    void (*applied)(pd_partition_t *partition, pd_command_t *command);
    /* Optional: the record, or all that the answer was built on, surely counts. Default: answers
     * the call with what the decision says. */
    void (*acknowledged)(pd_partition_t *partition, pd_command_t *command);
    /* Optional: refused, or the partition was lost with the outcome unknown (error UNAVAILABLE).
     * Default: fails the call. */
    void (*refused)(pd_partition_t *partition, pd_command_t *command, const pd_rpc_error_t *error);
} pd_command_kind_t;

struct pd_command {
    pd_mail_t mail;
    const pd_command_kind_t *kind;
    pd_call_t *call;   /* NULL: nobody waits */
    pd_arena_t *arena; /* the call's; or the command's own when call is NULL */
    const pd_namespace_t *ns;
    const char *workflow_id;
    const char *run_id;                  /* "": the current run */
    const void *request;                 /* the API's request message, checked by the frontend */
    const Perdure__V1__TaskToken *token; /* kinds that answer a task */
    pd_poll_t *poll; /* START_* kinds: the poller, answered instead of `call`, which is NULL */
    Perdure__V1__Received *received; /* numbered messages: which one this is; else NULL */
    const char *command_id;          /* of a producer's command, against repeats; else NULL */
    pd_inbound_t *inbound;           /* from the topic of commands or the own outbox; else NULL */
    int64_t scheduled_event_id;      /* … which one */
    int32_t attempt;
    void *user;              /* of the kind */
    pd_decision_t *decision; /* set while in the partition */
    pd_partition_t *partition;
};

/* The frontend's checks, for requests that come as records of the topic of commands: an error, or
 * NULL, defaults filled in. `request` lives in the arena. */
typedef struct pd_command_checker {
    const pd_rpc_error_t *(*check)(pd_arena_t *arena, const pd_namespace_t *ns, int64_t now_ns,
                                   pd_random_t *random, const pd_command_kind_t *kind,
                                   void *request);
    const pd_rpc_error_t *(*namespace_not_found)(pd_arena_t *arena, const char *name);
} pd_command_checker_t;

/* A command that nobody's call pays for: lives in an arena of its own, which the partition frees.
 * @thread any */
pd_command_t *pd_command_new(const pd_command_kind_t *kind);

/* Every kind. The frontend makes those that come from clients, matching the START_* ones, the
 * partition's clock FIRE_TIMERS. `request` is what the name says. */
extern const pd_command_kind_t pd_command_start_workflow;      /* StartWorkflowExecutionRequest */
extern const pd_command_kind_t pd_command_signal;              /* SignalWorkflowExecutionRequest */
extern const pd_command_kind_t pd_command_signal_with_start;   /* SignalWithStart…Request */
extern const pd_command_kind_t pd_command_request_cancel;      /* RequestCancel…Request */
extern const pd_command_kind_t pd_command_terminate;           /* Terminate…Request */
extern const pd_command_kind_t pd_command_reset_sticky;        /* ResetStickyTaskQueueRequest */
extern const pd_command_kind_t pd_command_start_workflow_task; /* poll, scheduled_event_id */
extern const pd_command_kind_t pd_command_complete_workflow_task; /* RespondWorkflowTaskComple… */
extern const pd_command_kind_t pd_command_fail_workflow_task;     /* RespondWorkflowTaskFailed… */
extern const pd_command_kind_t pd_command_start_activity_task;    /* poll, scheduled_event_id */
extern const pd_command_kind_t pd_command_complete_activity;  /* RespondActivityTaskCompleted… */
extern const pd_command_kind_t pd_command_fail_activity;      /* RespondActivityTaskFailed… */
extern const pd_command_kind_t pd_command_cancel_activity;    /* RespondActivityTaskCanceled… */
extern const pd_command_kind_t pd_command_heartbeat_activity; /* RecordActivityTaskHeartbeat… */
/* The ById forms: the frontend turns them into the four above, with a token whose
 * scheduled_event_id is 0 and activity_id set. */
extern const pd_command_kind_t pd_command_fire_timers; /* whatever is due */

/* Reading kinds. */
extern const pd_command_kind_t pd_command_get_history;         /* GetWorkflowExecutionHistory… */
extern const pd_command_kind_t pd_command_get_history_reverse; /* …HistoryReverse… */
extern const pd_command_kind_t pd_command_describe;            /* DescribeWorkflowExecution… */
extern const pd_command_kind_t pd_command_query;               /* QueryWorkflowRequest */

#endif
