/* A node of several: what the cluster asks of its partitions, and tells them to be. */
#include "engine/node/node_private.h"

static void status_of(void *ctx, uint32_t index, pd_member_partition_t *out)
{
    pd_node_t *node = ctx;
    pd_partition_status_t status;

    pd_partition_status(node->partitions[index].partition, &status);
    out->epoch = status.epoch;
    out->applied_offset = status.applied_offset;
    out->end_offset = status.end_offset;
    out->acquiring = status.state == PD_PARTITION_ACQUIRING;
    switch (status.state) {
    case PD_PARTITION_OWNER:
    case PD_PARTITION_RELEASING:
        out->role = PD_MEMBER_OWNER;
        break;
    case PD_PARTITION_FOLLOWING:
        out->role = status.released ? PD_MEMBER_RELEASED : PD_MEMBER_STANDBY;
        break;
    case PD_PARTITION_ACQUIRING:
        out->role = PD_MEMBER_STANDBY;
        break;
    case PD_PARTITION_FAILED:
        out->role = PD_MEMBER_FAILED;
        break;
    case PD_PARTITION_IDLE:
    case PD_PARTITION_LOST:
    case PD_PARTITION_STOPPED:
        out->role = PD_MEMBER_NONE;
        break;
    }
}

typedef struct role_mail {
    pd_mail_t mail;
    pd_partition_t *partition;
    pd_partition_role_t role;
    int64_t deposes_epoch;
} role_mail_t;

static void run_role(pd_mail_t *mail)
{
    role_mail_t *self = PD_CONTAINER_OF(mail, role_mail_t, mail);

    pd_partition_set_role(self->partition, self->role, self->deposes_epoch);
    pd_free(self);
}

static void set_role(void *ctx, uint32_t index, pd_member_role_t role, int64_t deposes_epoch)
{
    pd_node_t *node = ctx;
    role_mail_t *mail = PD_NEW(role_mail_t);

    mail->mail.run = run_role;
    mail->partition = node->partitions[index].partition;
    mail->role = role == PD_MEMBER_OWNER     ? PD_PARTITION_TO_OWN
                 : role == PD_MEMBER_STANDBY ? PD_PARTITION_STANDBY
                                             : PD_PARTITION_NONE;
    mail->deposes_epoch = deposes_epoch;
    pd_loop_post(pd_partition_loop(mail->partition), &mail->mail);
}

static void announce(void *ctx, const Perdure__V1__NamespaceRow *row, pd_call_t *call)
{
    pd_cluster_announce(((pd_node_t *)ctx)->cluster, row, call);
}

pd_namespace_sink_t pdi_membership_namespace_sink(pd_node_t *node)
{
    if (!node->cluster)
        return (pd_namespace_sink_t){0};
    return (pd_namespace_sink_t){.announce = announce, .ctx = node};
}

pd_node_state_t pdi_membership_state(const pd_node_t *node)
{
    switch (node->cluster_state) {
    case PD_CLUSTER_SUPERSEDED:
        return PD_NODE_FAILED;
    case PD_CLUSTER_SETTLED:
        return pd_cluster_is_deaf(node->cluster) ? PD_NODE_DEAF : PD_NODE_READY;
    case PD_CLUSTER_STOPPED:
        return node->leaving ? PD_NODE_LEFT : PD_NODE_STARTING;
    case PD_CLUSTER_LOADING:
    case PD_CLUSTER_JOINING:
    case PD_CLUSTER_JOINED:
    case PD_CLUSTER_LEAVING:
        break;
    }
    return PD_NODE_STARTING;
}

/* Left, and told to stop, whichever came last. */
static bool stops_now(const pd_node_t *node)
{
    return node->stopping && node->cluster_state == PD_CLUSTER_STOPPED;
}

static void on_changed(void *ctx, pd_cluster_state_t state)
{
    pd_node_t *node = ctx;
    bool stops;

    PD_ASSERT(pthread_mutex_lock(&node->mutex) == 0);
    node->cluster_state = state;
    stops = stops_now(node);
    pdi_node_unlock_and_tell(node);
    if (stops)
        pdi_node_stop_partitions(node);
}

void pdi_membership_new(pd_node_t *node)
{
    const pd_node_cluster_options_t *cluster = node->options.cluster;
    pd_cluster_options_t options = {
        .name = node->options.name,
        .address = cluster->address,
        .version = cluster->version,
        .loop = cluster->loop,
        .log = node->options.log,
        .codec = cluster->member_codec,
        .partition_count = node->options.partition_count,
        .heartbeat_interval_ns = cluster->heartbeat_interval_ns,
        .dead_after_ns = cluster->dead_after_ns,
        .leave_ns = cluster->leave_ns,
        .settle_ns = cluster->settle_ns,
        .awaited_namespace = node->options.default_namespace,
        .namespaces = node->options.namespaces,
        .partitions = {.status = status_of, .set_role = set_role, .ctx = node},
        .seed = node->options.seed ^ 0x636c757374657200u,
    };

    node->cluster = pd_cluster_new(&options);
}

static void run_start(pd_mail_t *mail)
{
    pd_node_t *node = PD_CONTAINER_OF(mail, pd_node_t, cluster_start_mail);

    pd_cluster_start(node->cluster, on_changed, node);
}

void pdi_membership_start(pd_node_t *node)
{
    node->cluster_start_mail.run = run_start;
    pd_loop_post(node->options.cluster->loop, &node->cluster_start_mail);
}

static void run_leave(pd_mail_t *mail)
{
    pd_node_t *node = PD_CONTAINER_OF(mail, pd_node_t, cluster_leave_mail);

    pd_cluster_leave(node->cluster);
}

void pd_node_leave(pd_node_t *node)
{
    bool leaves;

    PD_ASSERT(node->cluster);
    PD_ASSERT(pthread_mutex_lock(&node->mutex) == 0);
    leaves = !node->leaving;
    node->leaving = true;
    pthread_mutex_unlock(&node->mutex);
    if (!leaves)
        return;
    node->cluster_leave_mail.run = run_leave;
    pd_loop_post(node->options.cluster->loop, &node->cluster_leave_mail);
}

void pdi_membership_stop(pd_node_t *node)
{
    bool left;

    PD_ASSERT(pthread_mutex_lock(&node->mutex) == 0);
    node->stopping = true;
    left = node->leaving && node->cluster_state == PD_CLUSTER_STOPPED;
    pthread_mutex_unlock(&node->mutex);
    if (left)
        pdi_node_stop_partitions(node);
    else
        pd_node_leave(node);
}

pd_cluster_t *pd_node_cluster(pd_node_t *node)
{
    return node->cluster;
}
