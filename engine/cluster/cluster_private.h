/* cluster_private.h -- the inside of a cluster's member. Files: cluster.c (life), tail.c (reading
 * the members log), beat.c (writing to it), namespaces.c (who knows which), roles.c (what follows
 * for this node), publish.c (views). Thread: the cluster's loop, except what the mutex guards. */
#ifndef PD_ENGINE_CLUSTER_CLUSTER_PRIVATE_H
#define PD_ENGINE_CLUSTER_CLUSTER_PRIVATE_H

#include <pthread.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "engine/cluster/assignment.h"
#include "engine/cluster/cluster.h"

enum { PDI_CLUSTER_WATCH_MAX = 24, PDI_CLUSTER_INCARNATION_SIZE = 32 };

/* A record on its way to the members log; one in flight at a time. */
typedef struct pdi_beat {
    STAILQ_ENTRY(pdi_beat) link;
    enum { PDI_BEAT_HEARTBEAT, PDI_BEAT_NAMESPACE, PDI_BEAT_TOMBSTONE } kind;
    pd_mail_t mail; /* a namespace, from the thread that announces it */
    struct pd_cluster *cluster;
    pd_call_t *call;
    Perdure__V1__NamespaceRow *row;
    char *key;
    pd_buf_t value;
} pdi_beat_t;

/* The ID of a namespace that the members log has. */
typedef struct pdi_told {
    UT_hash_handle hh;
    char id[];
} pdi_told_t;

/* A namespace's record is in the members log, at `offset`; whoever registered it is answered when
 * every member has read that. */
typedef struct pdi_registered {
    STAILQ_ENTRY(pdi_registered) link;
    pd_call_t *call;
    int64_t offset;
    int64_t until_ns; /* no longer */
} pdi_registered_t;

/* What this node knows of a partition beside the members' words. */
typedef struct pdi_cluster_partition {
    pd_member_role_t role; /* told to the partition */
    int64_t told_ns;
    int64_t epoch; /* the newest seen, and since when */
    int64_t epoch_since_ns;
} pdi_cluster_partition_t;

struct pd_cluster {
    pd_cluster_options_t options;
    char *name, *address, *version;
    pd_cluster_state_t state;
    void (*changed)(void *ctx, pd_cluster_state_t state);
    void *changed_ctx;
    bool ended;     /* nothing is written or judged any more */
    bool name_lost; /* a later life was heard of while this one leaves */
    pd_random_t random;
    pd_members_t *members;
    char incarnation[PDI_CLUSTER_INCARNATION_SIZE];

    /* tail.c */
    pd_log_reader_t *reader;
    pd_log_read_t read;
    int64_t read_offset;
    pd_timer_t read_timer;
    pd_arena_t arena; /* of one record */
    bool closing_reader;
    pd_mail_t reader_closed;
    int64_t loaded_ns;
    /* When the newest of our own heartbeats that came back was sent: everything that was written
     * before then has been read. Who is alive is judged as of this time. */
    int64_t judged_ns;

    /* beat.c */
    pd_log_writer_t *writer;
    bool closing_writer;
    pd_mail_t writer_closed;
    STAILQ_HEAD(, pdi_beat) beats; /* to be written, in order */
    pdi_beat_t *in_flight;
    pd_log_append_t append;
    bool heartbeat_queued;
    int64_t number;
    pd_member_partition_t *said; /* what the newest heartbeat says of the partitions */
    pd_timer_t beat_timer;
    int64_t beat_due_ns;
    int64_t unheard_told_ns;
    int64_t watched_ns; /* judged_ns with the beat before */
    int64_t unheard_ns; /* of own beats since it moved; time in which we were paused is not */
    atomic_bool deaf;
    pd_mail_t poke_mail;
    _Atomic(bool) poked;
    bool tombstone_queued, tombstone_written;

    /* namespaces.c */
    pdi_told_t *told; /* namespaces that the log tells already */
    STAILQ_HEAD(, pdi_registered) registered;
    bool namespace_read; /* since the last heartbeat was asked for */

    /* roles.c */
    pdi_cluster_partition_t *partitions;
    pd_assignment_t *assignments;
    pd_timer_t silence_timer;
    int64_t standby_opened_ns;
    int64_t leave_until_ns;

    /* publish.c */
    pthread_mutex_t mutex; /* of `view` */
    pd_cluster_view_t *view;
    pd_cluster_watch_t watches[PDI_CLUSTER_WATCH_MAX];
    uint32_t watch_count;
};

/* cluster.c */
void pdi_cluster_set_state(pd_cluster_t *cluster, pd_cluster_state_t state);
void pdi_cluster_maybe_stopped(pd_cluster_t *cluster);
void pdi_cluster_end(pd_cluster_t *cluster);
static inline int64_t pdi_cluster_now_ns(const pd_cluster_t *cluster)
{
    return pd_loop_now_ns(cluster->options.loop);
}

/* tail.c */
void pdi_tail_start(pd_cluster_t *cluster);
void pdi_tail_end(pd_cluster_t *cluster);

/* beat.c */
void pdi_beat_start(pd_cluster_t *cluster);
/* A heartbeat soon: with the next append that can be made. */
void pdi_beat_now(pd_cluster_t *cluster);
/* … if the newest one is not true any more: a change that others do not see waits for the next, and
 * what they wait for does not wait until it is written. */
void pdi_beat_news(pd_cluster_t *cluster);
void pdi_beat_tombstone(pd_cluster_t *cluster);
void pdi_beat_end(pd_cluster_t *cluster);

/* namespaces.c */
/* The members log has the namespace. */
void pdi_namespace_read(pd_cluster_t *cluster, const Perdure__V1__NamespaceRegistered *registered,
                        int64_t time_ms);
bool pdi_namespace_is_told(const pd_cluster_t *cluster, const char *namespace_id);
/* Its record is there, at `offset`: answers the call when all members know. */
void pdi_namespace_written(pd_cluster_t *cluster, pd_call_t *call, int64_t offset);
/* Answers those that these members have read of. */
void pdi_namespaces_judge(pd_cluster_t *cluster, const pd_member_t *const *alive, uint32_t count);
/* Answers all: their records count, whoever has read them. */
void pdi_namespaces_end(pd_cluster_t *cluster);
void pdi_namespaces_forget_told(pd_cluster_t *cluster);

/* roles.c */
/* Something was read, or time has passed: who lives, and what follows. */
void pdi_roles_judge(pd_cluster_t *cluster);

/* publish.c */
/* A new view, when it differs from the one before. */
void pdi_publish_view(pd_cluster_t *cluster, const pd_member_t *const *alive, uint32_t alive_count);

#endif
