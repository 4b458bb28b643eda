/* decision.h -- what a command is going to do, before anything is done.
 *
 * Deciding is pure: it reads rows, and writes events into a decision. The rows do not change while
 * deciding, so what earlier events of the same decision did must be asked of the *draft*, not of
 * the row: draft.h keeps a view of everything that decisions commonly look at.
 *
 * Refused (decide returns an error): nothing happens, the answer is the error. Otherwise the
 * drafted events, if any, become one record; the answer (`response`, or `error` when the record
 * stands but the caller gets an error all the same) goes out once it surely counts.
 *
 * Thread: the partition's loop. Ownership: everything lives in the command's arena. */
#ifndef PD_ENGINE_DECIDE_DECISION_H
#define PD_ENGINE_DECIDE_DECISION_H

#include "base/random.h"
#include "engine/command.h"

typedef struct pd_draft pd_draft_t;

struct pd_decision {
    pd_arena_t *arena;
    int64_t now_ns;
    pd_random_t *random; /* for run IDs */
    const pd_namespace_t *ns;
    const char *workflow_id;
    pd_store_t *store;           /* reading only */
    pd_namespaces_t *namespaces; /* those known by now */
    pd_execution_t *exec;        /* the run that the command means; NULL: there is none */
    bool exec_is_current;

    /* Drafts in the order of making; each becomes one RunEvents of the transition. */
    pd_draft_t *drafts;
    pd_draft_t *last_draft;

    /* What this step says to other workflows: the record carries it, and it is sent once the record
     * counts. Filled by pd_decision_send. */
    Perdure__V1__Message **messages;
    size_t message_count;
    size_t message_capacity;
    Perdure__V1__Message *answer; /* the last of them; of pd_decision_answer */
    /* The numbered message or the identified command that caused this; noted in the transition even
     * when nothing else happens. NULL: none. */
    Perdure__V1__Received *received;
    const char *command_id;

    const void *response; /* API message in the arena; NULL with no error: empty answer by kind */
    const pd_rpc_error_t *error;
    /* Instead of `response`: already serialised (histories are spliced in as wire bytes). */
    pd_bytes_t response_data;

    /* Reading kinds (decide drafts nothing). The answer is built at arrival and sent once all that
     * it was built on surely counts. A long poll that finds nothing sets wait_for_change instead:
     * the partition parks the command and decides it again when the run has changed, or, with
     * wait_expired set, when the call's deadline or wait_until_ns is reached: answer it then. */
    bool wait_for_change;
    bool wait_expired;
    int64_t wait_until_ns; /* set with wait_for_change; wall clock */

    bool wait_for_answer; /* the QUERY kind: a worker is to be asked (partition/query.c) */

    /* For the `applied` hook: a workflow task was started by this decision and is to be handed out
     * inside the response (eager start, return_new_workflow_task) or to the poller. */
    bool hand_out_workflow_task;
    const char *hand_out_run_id;
};

#endif
