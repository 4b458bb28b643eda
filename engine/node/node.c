#include "engine/node/node.h"

#include <stdio.h>

#include "api/pb/time.h"
#include "engine/frontend/frontend.h"
#include "engine/node/node_private.h"

#define NS_PER_S ((int64_t)1000000000)

/* ---- state ---- */

static pd_node_state_t state_of(const pd_node_t *node)
{
    uint32_t owners = 0, failed = 0, stopped = 0;

    for (uint32_t i = 0; i < node->options.partition_count; i++) {
        owners += node->states[i] == PD_PARTITION_OWNER;
        failed += node->states[i] == PD_PARTITION_FAILED;
        stopped += node->states[i] == PD_PARTITION_STOPPED;
    }
    if (stopped == node->options.partition_count && node->cluster_state == PD_CLUSTER_STOPPED)
        return PD_NODE_STOPPED;
    if (node->cluster)
        return pdi_membership_state(node);
    if (failed)
        return PD_NODE_FAILED;
    return owners == node->options.partition_count ? PD_NODE_READY : PD_NODE_STARTING;
}

static void finish_default_namespace(pd_call_t *call)
{
    pd_arena_t *arena = call->arena;

    pd_free(call->data);
    pd_arena_deinit(arena);
    pd_free(arena);
}

/* A fresh log: partition 0 gets the namespace that users expect to be there. */
static void register_default_namespace(pdi_node_partition_t *self)
{
    pd_node_t *node = self->node;
    Perdure__V1__NamespaceRegistered *registered;
    char id[PD_UUID_SIZE];
    pd_random_t random;
    pd_arena_t *arena;
    pd_call_t *call;

    if (!node->options.default_namespace ||
        pd_namespaces_by_name(node->options.namespaces, node->options.default_namespace))
        return;
    arena = PD_NEW(pd_arena_t);
    pd_arena_init(arena);
    pd_random_init(&random, node->options.seed ^ 0x6e616d6573706163u);
    pd_random_uuid(&random, pd_partition_now_ns(self->partition), id);
    registered =
        PD_PB_NEW(arena, Perdure__V1__NamespaceRegistered, perdure__v1__namespace_registered);
    registered->namespace_id = pd_arena_strdup(arena, id);
    registered->name = pd_arena_strdup(arena, node->options.default_namespace);
    registered->retention = pd_pb_duration(arena, 24 * 3600 * NS_PER_S);
    call = PD_ARENA_NEW(arena, pd_call_t);
    call->arena = arena;
    call->home = pd_partition_loop(self->partition);
    call->method = "RegisterNamespace";
    call->finish = finish_default_namespace;
    pd_partition_register_namespace(self->partition, call, registered);
}

void pdi_node_unlock_and_tell(pd_node_t *node)
{
    node->state = state_of(node);
    if (!node->telling) { /* else whoever does will come to this one, too */
        node->telling = true;
        while (node->told_state != node->state) {
            pd_node_state_t state = node->told_state = node->state;

            pthread_mutex_unlock(&node->mutex);
            if (node->changed)
                node->changed(node->changed_ctx, state);
            PD_ASSERT(pthread_mutex_lock(&node->mutex) == 0);
        }
        node->telling = false;
    }
    pthread_mutex_unlock(&node->mutex);
}

static void on_changed(void *ctx, pd_partition_state_t state)
{
    pdi_node_partition_t *self = ctx;
    pd_node_t *node = self->node;
    uint32_t index = pd_partition_index(self->partition);
    bool tells_cluster;

    if (state == PD_PARTITION_OWNER && index == 0)
        register_default_namespace(self);
    PD_ASSERT(pthread_mutex_lock(&node->mutex) == 0);
    node->states[index] = state;
    tells_cluster = node->cluster_state != PD_CLUSTER_STOPPED;
    pdi_node_unlock_and_tell(node);
    /* It may have stopped since, but it is there until this partition has stopped, too. */
    if (tells_cluster)
        pd_cluster_status_changed(node->cluster);
}

/* ---- starting and stopping ---- */

static void run_start_partition(pd_mail_t *mail)
{
    pdi_node_partition_t *self = PD_CONTAINER_OF(mail, pdi_node_partition_t, start_mail);

    pd_partition_start(self->partition, on_changed, self);
    if (!self->node->cluster)
        pd_partition_set_role(self->partition, PD_PARTITION_TO_OWN, INT64_MAX);
}

static void run_stop_partition(pd_mail_t *mail)
{
    pdi_node_partition_t *self = PD_CONTAINER_OF(mail, pdi_node_partition_t, stop_mail);

    pd_partition_stop(self->partition);
}

static void run_release_partition(pd_mail_t *mail)
{
    pdi_node_partition_t *self = PD_CONTAINER_OF(mail, pdi_node_partition_t, release_mail);

    pd_partition_release_waiters(self->partition);
}

static void run_start_matching(pd_mail_t *mail)
{
    pdi_node_matching_t *self = PD_CONTAINER_OF(mail, pdi_node_matching_t, start_mail);

    pd_matching_start(self->matching);
}

static void run_stop_matching(pd_mail_t *mail)
{
    pdi_node_matching_t *self = PD_CONTAINER_OF(mail, pdi_node_matching_t, stop_mail);

    pd_matching_stop(self->matching);
}

void pd_node_start(pd_node_t *node, void (*changed)(void *ctx, pd_node_state_t state), void *ctx)
{
    node->changed = changed;
    node->changed_ctx = ctx;
    node->state = node->told_state = PD_NODE_STARTING;
    for (uint32_t i = 0; i < node->options.partition_count; i++)
        node->states[i] = PD_PARTITION_IDLE; /* before any of them can report */
    for (uint32_t i = 0; i < node->options.loop_count; i++) {
        node->matchings[i].start_mail.run = run_start_matching;
        pd_loop_post(node->matchings[i].loop, &node->matchings[i].start_mail);
    }
    for (uint32_t i = 0; i < node->options.partition_count; i++) {
        pdi_node_partition_t *self = &node->partitions[i];

        self->start_mail.run = run_start_partition;
        pd_loop_post(pd_partition_loop(self->partition), &self->start_mail);
    }
    if (node->cluster)
        pdi_membership_start(node);
}

void pd_node_release_polls(pd_node_t *node)
{
    if (node->polls_released)
        return;
    node->polls_released = true;
    for (uint32_t i = 0; i < node->options.loop_count; i++) {
        node->matchings[i].stop_mail.run = run_stop_matching;
        pd_loop_post(node->matchings[i].loop, &node->matchings[i].stop_mail);
    }
    for (uint32_t i = 0; i < node->options.partition_count; i++) {
        pdi_node_partition_t *self = &node->partitions[i];

        self->release_mail.run = run_release_partition;
        pd_loop_post(pd_partition_loop(self->partition), &self->release_mail);
    }
}

void pd_node_stop(pd_node_t *node)
{
    if (node->stop_asked)
        return;
    node->stop_asked = true;
    pd_node_release_polls(node);
    if (node->cluster)
        pdi_membership_stop(node);
    else
        pdi_node_stop_partitions(node);
}

void pdi_node_stop_partitions(pd_node_t *node)
{
    for (uint32_t i = 0; i < node->options.partition_count; i++) {
        pdi_node_partition_t *self = &node->partitions[i];

        self->stop_mail.run = run_stop_partition;
        pd_loop_post(pd_partition_loop(self->partition), &self->stop_mail);
    }
}

void pd_node_crash(pd_node_t *node)
{
    node->stopping = false; /* all ends here and now */
    for (uint32_t i = 0; i < node->options.loop_count; i++)
        pd_matching_stop(node->matchings[i].matching);
    if (node->cluster)
        pd_cluster_crash(node->cluster);
    for (uint32_t i = 0; i < node->options.partition_count; i++)
        pd_partition_crash(node->partitions[i].partition);
}

static void make_partition(pd_node_t *node, uint32_t index)
{
    pdi_node_partition_t *self = &node->partitions[index];
    char path[4096];
    pd_partition_options_t options = {
        .index = index,
        .node = node->options.name,
        .loop = node->options.loops[index % node->options.loop_count],
        .log = node->options.log,
        .partition_count = node->options.partition_count,
        .codec = node->options.codec,
        .command_codec = node->options.command_codec,
        .rejected_codec = node->options.rejected_codec,
        .senders = node->matchings[index % node->options.loop_count].senders,
        .checker = &pd_frontend_checker,
        .mappings = node->options.mappings,
        .mapping_count = node->options.mapping_count,
        .store_path = path,
        .store_shared = node->options.store_shared,
        .store_cache_size_max = node->options.store_cache_size_max,
        .namespaces = node->options.namespaces,
        .sink = pdi_node_sink(node),
        .namespace_sink = pdi_membership_namespace_sink(node),
        .failed_retry_ns = node->options.cluster ? node->options.cluster->failed_retry_ns : 0,
        .random_seed = node->options.seed + index,
        .flush_size = node->options.flush_size,
        .dirty_size_max = node->options.dirty_size_max,
        .flush_delay_ns = node->options.flush_delay_ns,
        .standstill_ns = node->options.standstill_ns,
        .metrics = node->options.metrics,
        .precise_ns = node->options.precise_ns,
        .snapshots = node->options.snapshots,
        .disk_on_thread = node->options.disk_on_thread,
        .command_id_keep_ns = node->options.command_id_keep_ns,
    };

    snprintf(path, sizeof(path), "%s/state/%u", node->options.data_path, index);
    self->node = node;
    self->partition = pd_partition_new(&options);
    node->states[index] = PD_PARTITION_STOPPED;
}

pd_node_t *pd_node_new(const pd_node_options_t *options)
{
    pd_node_t *node = PD_NEW(pd_node_t);

    PD_ASSERT(options->partition_count > 0 && options->loop_count > 0);
    node->options = *options;
    node->state = node->told_state = PD_NODE_STOPPED;
    PD_ASSERT(pthread_mutex_init(&node->mutex, NULL) == 0);
    node->partitions = pd_calloc(options->partition_count, sizeof(node->partitions[0]));
    node->states = pd_calloc(options->partition_count, sizeof(node->states[0]));
    node->matchings = pd_calloc(options->loop_count, sizeof(node->matchings[0]));
    for (uint32_t i = 0; i < options->loop_count; i++) {
        pd_matching_options_t matching_options = {.loop = options->loops[i],
                                                  .metrics = options->metrics};

        node->matchings[i].node = node;
        node->matchings[i].loop = options->loops[i];
        matching_options.far = pdi_node_matching_far(&node->matchings[i]);
        node->matchings[i].senders = pd_senders_new(options->log, options->loops[i]);
        node->matchings[i].matching = pd_matching_new(&matching_options);
    }
    if (options->cluster) {
        node->cluster_options = *options->cluster;
        node->options.cluster = &node->cluster_options;
        pdi_membership_new(node);
    }
    for (uint32_t i = 0; i < options->partition_count; i++)
        make_partition(node, i);
    return node;
}

void pd_node_free(pd_node_t *node)
{
    if (!node)
        return;
    for (uint32_t i = 0; i < node->options.partition_count; i++)
        pd_partition_free(node->partitions[i].partition);
    for (uint32_t i = 0; i < node->options.loop_count; i++) {
        pd_matching_free(node->matchings[i].matching);
        pd_senders_free(node->matchings[i].senders);
        pd_cluster_view_unref(node->matchings[i].view);
    }
    pd_cluster_free(node->cluster);
    pthread_mutex_destroy(&node->mutex);
    pd_free(node->partitions);
    pd_free(node->matchings);
    pd_free(node->states);
    pd_free(node);
}

void pd_node_collect_metrics(pd_node_t *node)
{
    for (uint32_t i = 0; i < node->options.partition_count; i++)
        pd_partition_collect_metrics(node->partitions[i].partition);
}

pd_partition_t *pd_node_partition(pd_node_t *node, uint32_t index)
{
    return node->partitions[index].partition;
}
