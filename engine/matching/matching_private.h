/* matching_private.h -- the inside of matching: queue.c (what a queue is), matching.c (what happens
 * to it).
 * Thread: the home loop. */
#ifndef PD_ENGINE_MATCHING_MATCHING_PRIVATE_H
#define PD_ENGINE_MATCHING_MATCHING_PRIVATE_H

#include <uthash.h>

#include "base/assert.h"
#include "engine/matching/matching.h"

#define PDI_POLLER_HISTORY_NS (INT64_C(300) * 1000000000) /* pollers are shown for so long */

/* An owner that has offered tasks which wait: they are forgotten together, without looking at those
 * of others. It lives as long as it has any. */
typedef struct pdi_origin {
    LIST_ENTRY(pdi_origin) link;
    TAILQ_HEAD(, pdi_task) tasks;
    pd_partition_t *partition; /* NULL: of another node */
    uint32_t partition_index;
    int64_t epoch;
    bool is_far;
    char far_node[];
} pdi_origin_t;

typedef struct pdi_gone pdi_gone_t;

/* A task that waits for a poller; one allocation with its strings. */
typedef struct pdi_task {
    TAILQ_ENTRY(pdi_task) link;
    TAILQ_ENTRY(pdi_task) origin_link;
    struct pd_task_queue *queue; /* NULL: it is not in one any more */
    pdi_origin_t *origin;
    const pd_namespace_t *ns;
    const char *workflow_id;
    const char *run_id;
    const char *normal_task_queue;
    int64_t scheduled_event_id;
    int64_t time_ns;
    uint64_t query_id;
    int32_t attempt;
    char strings[];
} pdi_task_t;
typedef TAILQ_HEAD(pdi_tasks, pdi_task) pdi_tasks_t;

/* Who has polled, for describing the queue. */
typedef struct pdi_poller {
    struct pdi_poller *next;
    int64_t last_access_ns;
    char identity[];
} pdi_poller_t;

typedef struct pd_task_queue {
    UT_hash_handle hh;
    pd_matching_t *matching;
    const pd_namespace_t *ns;
    pd_task_kind_t kind;
    const char *name;  /* within key */
    char *normal_name; /* NULL until known; equals name unless this one is sticky */
    TAILQ_HEAD(, pd_poll) polls;
    pdi_tasks_t tasks;
    int64_t task_count;
    int64_t last_poll_ns;
    bool shut_down; /* a sticky queue whose worker said goodbye */
    pdi_poller_t *pollers;
    size_t key_size;
    char key[]; /* kind, namespace ID NUL, name NUL */
} pd_task_queue_t;

struct pd_matching {
    pd_loop_t *loop;
    pd_matching_far_t far;
    pd_task_queue_t *queues;
    LIST_HEAD(, pdi_origin) origins;
    pdi_gone_t *gone; /* workers, by instance key */
    pd_timer_t sweep_timer;
    bool stopped;
    pd_matching_metrics_t metrics;
};

/* NULL: there is none, and none is to be made. */
pd_task_queue_t *pdi_queue_find(pd_matching_t *matching, const pd_namespace_t *ns,
                                pd_task_kind_t kind, const char *name, bool create);
/* With its tasks; no poll waits there. */
void pdi_queue_free(pd_task_queue_t *queue);
void pdi_queue_note_normal(pd_task_queue_t *queue, const char *normal_task_queue);
bool pdi_queue_is_home(const pd_task_queue_t *queue);
void pdi_queue_note_poller(pd_task_queue_t *queue, const char *identity, int64_t now_ns);
void pdi_queue_count_match(pd_task_queue_t *queue, int64_t time_ns, uint64_t query_id);
void pdi_queue_drop_tasks(pd_task_queue_t *queue);

/* To the end of the queue. */
void pdi_task_add(pd_task_queue_t *queue, const pd_offer_t *offer);
/* Off its queue; to be freed. */
void pdi_task_take(pdi_task_t *task);
/* Off its queue, too. */
void pdi_task_free(pdi_task_t *task);

/* workers.c: the worker of this key, not empty, has shut down; is it one of those? NULL is not. */
void pdi_worker_gone(pd_matching_t *matching, const char *key);
bool pdi_worker_is_gone(const pd_matching_t *matching, const char *key);
void pdi_workers_free(pd_matching_t *matching);

/* Forgets the tasks of such origins. */
void pdi_origins_drop(pd_matching_t *matching,
                      bool (*drops)(const pdi_origin_t *origin, const void *ctx), const void *ctx);

#endif
