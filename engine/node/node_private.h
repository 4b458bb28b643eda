/* node_private.h -- the inside of a node. */
#ifndef PD_ENGINE_NODE_NODE_PRIVATE_H
#define PD_ENGINE_NODE_NODE_PRIVATE_H

#include <pthread.h>

#include "base/assert.h"
#include "base/memory.h"
#include "engine/node/node.h"

typedef struct pdi_node_partition {
    struct pd_node *node;
    pd_partition_t *partition;
    pd_mail_t start_mail, release_mail, stop_mail;
    pd_call_t *default_namespace_call;
} pdi_node_partition_t;

typedef struct pdi_node_matching {
    struct pd_node *node;
    pd_matching_t *matching;
    pd_loop_t *loop;
    pd_senders_t *senders; /* of the partitions on the loop */
    pd_mail_t start_mail, stop_mail;
    pd_cluster_view_t *view; /* the loop's; NULL: all task queues are at home here */
} pdi_node_matching_t;

struct pd_node {
    pd_node_options_t options;
    pdi_node_partition_t *partitions;
    pdi_node_matching_t *matchings; /* one a loop */
    pthread_mutex_t mutex;          /* of what follows: partitions report from their loops */
    uint32_t owner_count, failed_count, stopped_count;
    pd_partition_state_t *states;
    pd_node_state_t state, told_state;
    bool telling; /* one thread at a time, so that no older state comes after a newer one */
    void (*changed)(void *ctx, pd_node_state_t state);
    void *changed_ctx;
    bool polls_released, stop_asked; /* main only */
    bool leaving, stopping;          /* the cluster; the mutex guards them */
    pd_node_cluster_options_t cluster_options;
    pd_cluster_t *cluster; /* NULL: alone */
    pd_cluster_state_t cluster_state;
    pd_mail_t cluster_start_mail, cluster_leave_mail;
};

/* node.c */
/* Something that the node's state follows from may have changed. Takes the mutex, which is held,
 * and tells of the state without it. */
void pdi_node_unlock_and_tell(pd_node_t *node);
void pdi_node_stop_partitions(pd_node_t *node);

/* membership.c: the partitions as the cluster sees them. */
void pdi_membership_new(pd_node_t *node);
pd_namespace_sink_t pdi_membership_namespace_sink(pd_node_t *node);
void pdi_membership_start(pd_node_t *node);
/* The partitions are stopped once it has left. */
void pdi_membership_stop(pd_node_t *node);
/* Of a node that is not stopped. The mutex is held. */
pd_node_state_t pdi_membership_state(const pd_node_t *node);

/* sink.c: from partitions to matching. */
pd_offer_sink_t pdi_node_sink(pd_node_t *node);
pdi_node_matching_t *pdi_node_home(pd_node_t *node, const pd_namespace_t *ns,
                                   const char *task_queue);

/* far.c: other nodes. */
pd_matching_far_t pdi_node_matching_far(pdi_node_matching_t *self);
/* True: its home is elsewhere, and it is on its way. @thread the partition's loop */
bool pdi_node_offer_far(pd_node_t *node, const pd_offer_t *offer);
/* Answers a returned poll of another node. */
void pdi_node_refuse_far(pd_poll_t *poll);

#endif
