/* view.h -- the cluster as this node sees it: who is alive, who owns which partition, where a task
 * queue is at home. A view is an immutable value; whoever needs one keeps a reference.
 *
 * Views may be out of date or wrong at any moment, and nothing that is promised depends on them:
 * the log decides who owns a partition (docs/architecture.md), and a home that is wrong only makes
 * a task wait for the next view.
 *
 * Thread: any (the count is atomic). Ownership: _new, _ref give a reference, _unref takes it. */
#ifndef PD_ENGINE_CLUSTER_VIEW_H
#define PD_ENGINE_CLUSTER_VIEW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pd_cluster_member {
    const char *name;
    const char *incarnation; /* of this life of the node */
    const char *address;     /* host:port for other nodes */
    bool leaving;            /* gets nothing new, and is no home */
} pd_cluster_member_t;

/* Indices into members; -1: nobody known. */
typedef struct pd_cluster_place {
    int32_t owner;     /* who says that it owns the partition, by the newest epoch */
    int32_t preferred; /* who should own it */
    int32_t standby;   /* who should follow it, to take over; -1 when there is one member only */
    int64_t epoch;     /* of `owner`; -1: none */
} pd_cluster_place_t;

typedef struct pd_cluster_view {
    atomic_uint ref_count;
    uint64_t version; /* grows with each change, on this node */
    uint32_t self;    /* index into members: this node is always one of them */
    /* Our own heartbeats have not come back for a while: others may know better how things are. */
    bool stale;
    uint32_t member_count;
    const pd_cluster_member_t *members; /* live ones, sorted by name */
    uint32_t partition_count;
    const pd_cluster_place_t *partitions;
} pd_cluster_view_t;

/* A view of one node that owns everything: `perdure dev`. Strings are copied. */
pd_cluster_view_t *pd_cluster_view_single(const char *name, const char *address,
                                          uint32_t partition_count);
pd_cluster_view_t *pd_cluster_view_ref(pd_cluster_view_t *view);
void pd_cluster_view_unref(pd_cluster_view_t *view); /* NULL does nothing */

/* All but their versions. */
bool pd_cluster_view_same(const pd_cluster_view_t *a, const pd_cluster_view_t *b);

/* The member (index) where the task queue is at home: rendezvous hashing over the members that are
 * not leaving (all of them when all are). A sticky queue's home is that of its normal queue. */
uint32_t pd_cluster_view_home(const pd_cluster_view_t *view, const char *namespace_id,
                              const char *task_queue);
/* Are all queues at home in both where they are in the other? Homes follow from the members alone,
 * whoever owns what. */
bool pd_cluster_view_same_homes(const pd_cluster_view_t *a, const pd_cluster_view_t *b);

#endif
