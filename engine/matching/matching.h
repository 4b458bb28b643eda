/* matching.h -- brings tasks and pollers together, in memory.
 *
 * One pd_matching_t serves the task queues whose home is its loop. Partitions offer references to
 * ready tasks (the tasks themselves are rows of their state), frontends bring polls. On a match the
 * task's partition is asked to start it for the poller; if it refuses (the task is stale), the
 * poller goes back to the front of its queue.
 *
 * Thread: the home loop, except where said. Ownership: a poll lives in its call's arena; an offer
 * is copied. */
#ifndef PD_ENGINE_MATCHING_MATCHING_H
#define PD_ENGINE_MATCHING_MATCHING_H

#include <sys/queue.h>
#include <temporal/api/taskqueue/v1/message.pb-c.h>

#include "engine/command.h"
#include "engine/metrics.h"

typedef struct pd_matching pd_matching_t;
struct pd_task_queue;

typedef enum pd_task_kind {
    PD_TASK_WORKFLOW,
    PD_TASK_ACTIVITY,
} pd_task_kind_t;

/* A worker that waits for a task. Made by the frontend from a Poll…TaskQueue request. */
struct pd_poll {
    pd_call_t *call;
    pd_task_kind_t kind;
    const pd_namespace_t *ns;
    const char *task_queue;        /* the queue polled */
    const char *normal_task_queue; /* of a sticky queue: the normal one it belongs to; else NULL */
    const char *identity;
    const char *worker_instance_key;
    const char *build_id;   /* of the worker's version stamp; "": none */
    const char *request_id; /* a UUID made by the frontend: makes starting idempotent */
    int64_t until_ns;       /* answered empty at this time */
    const char *through;    /* the node that forwarded it; NULL: the worker talks to this one */
    /* Of matching. */
    pd_mail_t mail;
    pd_matching_t *matching; /* the home of its queue */
    TAILQ_ENTRY(pd_poll) link;
    struct pd_task_queue *queue; /* where it waits; NULL: it does not */
    pd_timer_t timer;
    pd_partition_t *partition; /* while on its way to hand out a query */
    uint64_t query_id;
    /* Of the partition, when it returns the poll: what it said, and whether surely nothing came of
     * the start. 0: it has no such task. */
    pd_rpc_code_t refusal;
    bool not_taken;
    /* The worker waits on another node, which asks for the task: a returned poll is answered with
     * the refusal. */
    bool is_far;
};

/* A reference to a ready task; strings are borrowed for the call. */
typedef struct pd_offer {
    pd_task_kind_t kind;
    pd_partition_t *partition; /* NULL: of another node */
    const char *far_node;      /* then: whom to ask for it; else NULL */
    uint32_t partition_index;
    int64_t epoch; /* of the owner that offers it; filled on its way to another node */
    const pd_namespace_t *ns;
    const char *workflow_id;
    const char *run_id;
    int64_t scheduled_event_id;
    int32_t attempt;
    int64_t time_ns; /* order within a queue */
    const char *task_queue;
    const char *normal_task_queue; /* differs when task_queue is sticky: where to go when no worker
                                      has polled the sticky one lately */
    uint64_t query_id;             /* a direct query instead of a task; else 0 */
} pd_offer_t;

/* What matching needs to know of other nodes. On a single node: NULL functions. @thread loop */
typedef struct pd_matching_far {
    /* Is this node where the (normal) task queue is at home? */
    bool (*is_home)(void *ctx, const pd_namespace_t *ns, const char *normal_task_queue);
    /* Takes the poll: starts a task of another node for it. `task` is borrowed for the call. */
    void (*start)(void *ctx, pd_poll_t *poll, const pd_offer_t *task);
    /* Is the node one of the cluster, and alive? */
    bool (*is_member)(void *ctx, const char *node);
    /* Has the partition an owner newer than that? */
    bool (*is_void)(void *ctx, uint32_t partition_index, int64_t epoch);
    void *ctx;
} pd_matching_far_t;

typedef struct pd_matching_options {
    pd_loop_t *loop;
    pd_metrics_t *metrics; /* NULL: counted, but told nobody */
    pd_matching_far_t far;
} pd_matching_options_t;

pd_matching_t *pd_matching_new(const pd_matching_options_t *options);
/* Begins letting go of idle queues now and then. @thread loop */
void pd_matching_start(pd_matching_t *matching);
/* No poll may wait any more (see pd_matching_stop). */
void pd_matching_free(pd_matching_t *matching);
/* Answers every waiting poll empty, now and from now on. */
void pd_matching_stop(pd_matching_t *matching);
/* Forgets the tasks of one partition: it was lost, or is about to be rebuilt. */
void pd_matching_forget_partition(pd_matching_t *matching, const pd_partition_t *partition);

/* Homes may have moved, nodes have gone, partitions may have new owners: polls whose home is
 * elsewhere, and those that came through a node that has gone, are answered empty; void tasks of
 * other nodes are forgotten. What else has no home here is forgotten later, at
 * a time when nobody can believe any more that it is still here. */
void pd_matching_homes_changed(pd_matching_t *matching);

void pd_matching_offer(pd_matching_t *matching, const pd_offer_t *offer);
/* Takes the poll; its call is answered by matching (empty, at until_ns) or by a partition. */
void pd_matching_poll(pd_matching_t *matching, pd_poll_t *poll);
/* The partition had no such task any more: to the front of the queue, for the next one. */
void pd_matching_poll_returned(pd_matching_t *matching, pd_poll_t *poll);
/* The client of a waiting poll is gone. */
void pd_matching_cancel(pd_matching_t *matching, pd_call_t *call);
/* Polls of that worker are answered empty; its sticky queue is served no more (may be ""). */
void pd_matching_shutdown_worker(pd_matching_t *matching, const pd_namespace_t *ns,
                                 const char *worker_instance_key, const char *sticky_task_queue);

typedef struct pd_task_queue_view {
    const Temporal__Api__Taskqueue__V1__PollerInfo *const *pollers;
    size_t poller_count;
    int64_t backlog_count;
    int64_t backlog_age_ns;
} pd_task_queue_view_t;
/* In the arena. */
void pd_matching_describe(pd_matching_t *matching, const pd_namespace_t *ns, pd_task_kind_t kind,
                          const char *task_queue, pd_arena_t *arena, pd_task_queue_view_t *view);

#endif
