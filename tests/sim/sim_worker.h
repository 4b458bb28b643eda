/* sim_worker.h -- workers: they poll workflow tasks (their sticky queues, too) and activities,
 * answer by sim_flow, and while faults are on also late, never, twice, with nonsense, or not from
 * their cache. They check what they are given: the history is contiguous and the same as before,
 * and it is the log's once the completion was acknowledged.
 *
 * Thread: the front loop. Ownership: workers live as long as the simulation. */
#ifndef PD_TESTS_SIM_SIM_WORKER_H
#define PD_TESTS_SIM_SIM_WORKER_H

#include <uthash.h>

#include "tests/sim/sim_call.h"
#include "tests/sim/sim_flow.h"
#include "tests/sim/sim_ledger.h"

typedef struct sim_cached {
    UT_hash_handle hh;
    sim_flow_t flow;
} sim_cached_t;

typedef enum sim_poll_kind {
    SIM_POLL_WORKFLOW,
    SIM_POLL_STICKY,
    SIM_POLL_ACTIVITY
} sim_poll_kind_t;

typedef struct sim_worker sim_worker_t;

typedef struct sim_poller {
    sim_worker_t *worker;
    sim_poll_kind_t kind;
    pd_timer_t timer;
    sim_call_t *call;
} sim_poller_t;

struct sim_worker {
    sim_t *sim;
    char identity[24], task_queue[24], sticky_queue[40];
    bool sticky;
    sim_poller_t pollers[4];
    sim_cached_t *cache;
};

struct sim_workers {
    sim_t *sim;
    sim_worker_t *items;
    uint32_t count;
    uint32_t open_task_count; /* being worked on */
    uint64_t task_count, activity_count;
};

sim_workers_t *sim_workers_new(sim_t *sim);
void sim_workers_free(sim_workers_t *workers);
void sim_workers_start(sim_workers_t *workers);
/* No more polls; those that wait are let go. */
void sim_workers_stop(sim_workers_t *workers);
void sim_task_queue_name(uint32_t index, char name[24]);

/* sim_task.c: a workflow task, from a poll, an eager start or a completion's answer. Borrows the
 * response for the call. */
void sim_task_begin(sim_worker_t *worker, const SIM_WS(PollWorkflowTaskQueueResponse) * response,
                    bool sticky);
/* The worker to which an eager start's task goes. */
sim_worker_t *sim_worker_any(sim_t *sim, const char *task_queue);

/* sim_activity.c */
void sim_activity_begin(sim_worker_t *worker,
                        const SIM_WS(PollActivityTaskQueueResponse) * response);

#endif
