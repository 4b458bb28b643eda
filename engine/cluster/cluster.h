/* cluster.h -- this node as a member of a cluster: it tells the members log that it lives and what
 * it does, reads what the others tell, and from that computes which partitions it should own or
 * follow (assignment.h) and where everything is (view.h).
 *
 *     LOADING --log read to its end--> JOINING --a second of the others' heartbeats--> JOINED
 *        a name's next life gets a greater incarnation                 |          |
 *                                                                      |       SETTLED: every
 *                                                                      |       partition has an
 *                                                                      |       owner, or it took
 * long SUPERSEDED <-- a later life of this node's name is there --------+          | leave LEFT <--
 * tombstone, closed -- LEAVING <-+
 *
 * Others are judged as of the time at which this node sent the newest of its own heartbeats that it
 * has read back: what was written before then it has surely read. So a node that is cut off from
 * the log, or slow, declares nobody dead and takes nothing; it keeps what it owns until its appends
 * fail.
 *
 * Namespaces of the whole cluster are in the members log too (key "namespace/<id>"), written by the
 * owner of partition 0; so a node knows them all, whatever partitions it has.
 *
 * Thread: the cluster's loop, except where said. Ownership: borrows loop, log, codec, namespaces
 * until _free; strings are copied. */
#ifndef PD_ENGINE_CLUSTER_CLUSTER_H
#define PD_ENGINE_CLUSTER_CLUSTER_H

#include "base/loop.h"
#include "engine/call.h"
#include "engine/cluster/members.h"
#include "engine/cluster/view.h"
#include "engine/namespace.h"
#include "log/log.h"
#include "log/record/record.h"

typedef struct pd_cluster pd_cluster_t;

typedef enum pd_cluster_state {
    PD_CLUSTER_STOPPED,
    PD_CLUSTER_LOADING,
    PD_CLUSTER_JOINING,
    PD_CLUSTER_JOINED,
    PD_CLUSTER_SETTLED, /* clients may be let in */
    PD_CLUSTER_LEAVING,
    PD_CLUSTER_SUPERSEDED, /* must be stopped: another process runs under this name */
} pd_cluster_state_t;

/* What the cluster asks of the partitions of this node, and tells them to be. Called on the
 * cluster's loop. */
typedef struct pd_cluster_partitions {
    void (*status)(void *ctx, uint32_t index, pd_member_partition_t *status);
    /* TO_OWN, taking it from owners up to that epoch; STANDBY; or nothing. */
    void (*set_role)(void *ctx, uint32_t index, pd_member_role_t role, int64_t deposes_epoch);
    void *ctx;
} pd_cluster_partitions_t;

typedef struct pd_cluster_options {
    const char *name;
    const char *address; /* host:port where the other nodes reach this one */
    const char *version;
    pd_loop_t *loop;
    pd_log_t *log;
    const pd_record_codec_t *codec; /* of perdure.v1.Member */
    uint32_t partition_count;
    int64_t heartbeat_interval_ns;
    int64_t dead_after_ns; /* several intervals */
    int64_t leave_ns;      /* how long a clean leave waits for successors */
    int64_t settle_ns;     /* at most so long after joining it is SETTLED */
    /* Not SETTLED before this namespace is known, either; NULL: none. */
    const char *awaited_namespace;
    pd_namespaces_t *namespaces;
    pd_cluster_partitions_t partitions;
    uint64_t seed;
} pd_cluster_options_t;

/* Who wants to know of each new view. `changed` runs on `loop`; the view is lent for the call: keep
 * a reference. */
typedef struct pd_cluster_watch {
    pd_loop_t *loop;
    void (*changed)(void *ctx, pd_cluster_view_t *view);
    void *ctx;
} pd_cluster_watch_t;

pd_cluster_t *pd_cluster_new(const pd_cluster_options_t *options);
/* It must be STOPPED, or never started. */
void pd_cluster_free(pd_cluster_t *cluster);
/* Before the start. */
void pd_cluster_watch(pd_cluster_t *cluster, const pd_cluster_watch_t *watch);

/* `changed` is told of every change of state, and when the node becomes deaf, or hears again. */
void pd_cluster_start(pd_cluster_t *cluster, void (*changed)(void *ctx, pd_cluster_state_t state),
                      void *ctx);
/* Gives the partitions away, one after another, while there is somebody to take them; then says
 * that it has left, closes, and is STOPPED. */
void pd_cluster_leave(pd_cluster_t *cluster);
/* As if the process had died. For the simulator. */
void pd_cluster_crash(pd_cluster_t *cluster);

/* Its own heartbeats have not come back for long: it does not reach the brokers. @thread any */
bool pd_cluster_is_deaf(const pd_cluster_t *cluster);
/* A reference to the newest view; it is this node alone before the first. @thread any */
pd_cluster_view_t *pd_cluster_current(pd_cluster_t *cluster);
/* A partition's role or epoch has changed: tell the others at once. @thread any */
void pd_cluster_status_changed(pd_cluster_t *cluster);
/* The namespace's record counts: tell every node. `call` (NULL: none) is answered when they will
 * hear of it. The row is copied. @thread any */
void pd_cluster_announce(pd_cluster_t *cluster, const Perdure__V1__NamespaceRow *row,
                         pd_call_t *call);

#endif
