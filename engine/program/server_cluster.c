#include "engine/program/server_cluster.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "engine/forward/forward.h"
#include "engine/forward_grpc/forward_grpc.h"

#define NS_PER_S ((int64_t)1000000000)
/* A clean shutdown waits so long for successors; a start at most so long until every partition has
 * an owner; a disk that failed is tried again after so long. */
#define LEAVE_NS (10 * NS_PER_S)
#define SETTLE_NS (15 * NS_PER_S)
#define FAILED_RETRY_NS (30 * NS_PER_S)

enum { MAILBOX_COUNT = 4096 };

struct pd_server_cluster {
    pd_loop_event_t *loop;
    pd_record_codec_t *member_codec;
    pd_peers_grpc_t *peers;
    pd_forward_t *forward;
    char address[PD_PROGRAM_HOST_SIZE + 16];
    pd_node_cluster_options_t options;
};

static void set_address(pd_server_cluster_t *self, const pd_program_address_t *address)
{
    bool is_ipv6 = strchr(address->host, ':') != NULL;

    snprintf(self->address, sizeof(self->address), is_ipv6 ? "[%s]:%u" : "%s:%u", address->host,
             address->port);
}

pd_server_cluster_t *pd_server_cluster_new(const pd_program_options_t *options,
                                           pd_loop_event_t *front, pd_namespaces_t *namespaces)
{
    pd_server_cluster_t *self = PD_NEW(pd_server_cluster_t);
    pd_loop_event_options_t loop_options = {.name = "cluster", .mailbox_count = MAILBOX_COUNT};
    pd_forward_options_t forward_options = {
        .loop = pd_loop_event_loop(front),
        .namespaces = namespaces,
        .node = options->node,
        .partition_count = options->partition_count,
    };

    self->loop = pd_loop_event_new(&loop_options);
    self->member_codec = pd_record_codec_new(&perdure__v1__member__descriptor);
    self->peers = pd_peers_grpc_new(front);
    forward_options.peers = pd_peers_grpc_peers(self->peers);
    self->forward = pd_forward_new(&forward_options);
    set_address(self, &options->advertise);
    self->options = (pd_node_cluster_options_t){
        .loop = pd_loop_event_loop(self->loop),
        .address = self->address,
        .version = PD_VERSION,
        .member_codec = self->member_codec,
        .heartbeat_interval_ns = options->heartbeat_interval_ns,
        .dead_after_ns = options->node_timeout_ns,
        .leave_ns = LEAVE_NS,
        .settle_ns = SETTLE_NS,
        .failed_retry_ns = FAILED_RETRY_NS,
    };
    return self;
}

void pd_server_cluster_fill(pd_server_cluster_t *self, pd_node_options_t *options)
{
    options->cluster = &self->options;
    options->far = pd_forward_far(self->forward);
}

static void on_view(void *ctx, pd_cluster_view_t *view)
{
    pd_forward_set_view(ctx, view);
}

void pd_server_cluster_set_node(pd_server_cluster_t *self, pd_node_t *node)
{
    pd_cluster_watch_t watch = {
        .loop = pd_loop_event_loop(self->loop), .changed = on_view, .ctx = self->forward};

    pd_forward_set_node(self->forward, node);
    pd_cluster_watch(pd_node_cluster(node), &watch);
}

pd_router_t pd_server_cluster_router(pd_server_cluster_t *self)
{
    return pd_forward_router(self->forward);
}

void pd_server_cluster_start(pd_server_cluster_t *self)
{
    pd_loop_event_start(self->loop);
}

void pd_server_cluster_stop(pd_server_cluster_t *self)
{
    pd_loop_event_stop(self->loop);
}

void pd_server_cluster_free_peers(pd_server_cluster_t *self)
{
    if (!self)
        return;
    pd_peers_grpc_free(self->peers);
    self->peers = NULL;
}

void pd_server_cluster_free(pd_server_cluster_t *self)
{
    if (!self)
        return;
    PD_ASSERT(!self->peers);
    pd_forward_free(self->forward);
    pd_loop_event_free(self->loop);
    pd_record_codec_free(self->member_codec);
    pd_free(self);
}
