/* matching.h -- brings tasks and pollers together, in memory.
 *
 * One pd_matching_t serves the task queues whose home is its loop. Partitions offer references to
 * ready tasks (the tasks themselves are rows of their state), frontends bring polls. On a match the
 * task's partition is asked to start it for the poller; if it refuses (the task is stale), the
 * poller goes back to the front of its queue.
 *
 * Thread: the home loop, except where said. Ownership: a poll lives in its call's arena; an offer is
 * copied. */
#ifndef PD_ENGINE_MATCHING_MATCHING_H
#define PD_ENGINE_MATCHING_MATCHING_H

#include <temporal/api/taskqueue/v1/message.pb-c.h>

#include "engine/command.h"

typedef struct pd_matching pd_matching_t;
typedef struct pd_query pd_query_t; /* partition/query.h */

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
    const char *request_id; /* a UUID made by the frontend: makes starting idempotent */
    int64_t until_ns;       /* answered empty at this time */
    pd_mail_t mail;
    /* Of matching while it waits; of the partition while it starts a task. */
    pd_matching_t *matching;
    void *matching_private[4];
    pd_command_t command; /* START_WORKFLOW_TASK or START_ACTIVITY_TASK for it */
    pd_query_t *query;    /* the task is a direct query instead */
};

/* A reference to a ready task; strings are borrowed for the call. */
typedef struct pd_offer {
    pd_task_kind_t kind;
    pd_partition_t *partition;
    const pd_namespace_t *ns;
    const char *workflow_id;
    const char *run_id;
    int64_t scheduled_event_id;
    int32_t attempt;
    int64_t time_ns; /* order within a queue */
    const char *task_queue;
    const char *normal_task_queue; /* differs when task_queue is sticky: where to go when no worker
                                      has polled the sticky one lately */
    pd_query_t *query;             /* a direct query instead of a task; else NULL */
} pd_offer_t;

#endif
