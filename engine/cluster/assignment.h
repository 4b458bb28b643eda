/* assignment.h -- who should have which partition: a pure function of what the members say and of
 * who is alive. Every node computes it from the same ordered heartbeats, so they agree without
 * talking. Where they disagree for a moment, the log decides (DESIGN: safety never depends on
 * this).
 *
 *   preferred, standby: rendezvous hashing, bounded: partition by partition the member of the
 * highest score that has not its share yet (ceil(N / M)). Who is leaving, or has failed with
 * the partition, gets none. owner: who says that it owns the partition by the newest epoch that
 * anybody knows of. It keeps the partition, whoever is preferred, until it is to release it.
 *   release: one partition of the whole cluster at a time, the lowest, and only while every
 *       partition is owned: when the preferred one has caught up. Owners that are about to leave
 *       come first, and when anybody has caught up.
 *   taker: nobody owns it: the first follower in the order preferred, standby, score, of those who
 *       have caught up, else of those who are not far behind the best; without followers, or when
 *       it never had an owner, the preferred one.
 *
 * Thread: any. */
#ifndef PD_ENGINE_CLUSTER_ASSIGNMENT_H
#define PD_ENGINE_CLUSTER_ASSIGNMENT_H

#include "engine/cluster/members.h"

/* Records; a follower not farther behind takes over at once from an owner that has died: this many
 * take some 50 ms to apply, on a machine that has nothing else to do. */
#define PD_ASSIGNMENT_LAG_MAX ((int64_t)10000)
/* … to which an owner that lives hands over: what is on its way between two reads. */
#define PD_ASSIGNMENT_CAUGHT_UP_MAX ((int64_t)1000)

/* Indices into the members given; -1: nobody. */
typedef struct pd_assignment {
    int32_t owner;
    int32_t preferred;
    int32_t standby;
    int32_t taker;
    bool owner_leaves;
    bool followed; /* by somebody who stays, closely or not */
    bool release;  /* the owner is to give it up */
    bool vacant;   /* nobody owns it, and it is sure: it was released, or never had an owner */
    int64_t epoch; /* the newest that anybody knows of; -1: it never had an owner */
} pd_assignment_t;

/* Members that are alive, sorted by name; there may be none. */
void pd_assignment_make(const pd_member_t *const *members, uint32_t member_count,
                        uint32_t partition_count, pd_assignment_t *assignments);

#endif
