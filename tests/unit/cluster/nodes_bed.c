#include "tests/unit/cluster/nodes_bed.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/unit/diag/diag_capture.h"

pd_record_codec_t *nodes_member_codec;
static pd_record_codec_t *codec, *command_codec, *rejected_codec;

int nodes_make_group(void **state)
{
    codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    nodes_member_codec = pd_record_codec_new(&perdure__v1__member__descriptor);
    command_codec = pd_record_codec_new(&perdure__v1__command__descriptor);
    rejected_codec = pd_record_codec_new(&perdure__v1__rejected__descriptor);
    return 0;
}

int nodes_drop_group(void **state)
{
    pd_record_codec_free(codec);
    pd_record_codec_free(nodes_member_codec);
    pd_record_codec_free(command_codec);
    pd_record_codec_free(rejected_codec);
    return 0;
}

void nodes_run_for(bed_t *bed, int64_t ns)
{
    int64_t until_ns = bed->loop.now_ns + ns;

    UNTIL(bed, bed->loop.now_ns >= until_ns);
}

/* ---- nodes ---- */

static void on_changed(void *ctx, pd_node_state_t state)
{
    ((one_node_t *)ctx)->state = state;
}

static void on_view(void *ctx, pd_cluster_view_t *view)
{
    one_node_t *self = ctx;

    assert_true(!self->view || view->version > self->view->version);
    pd_cluster_view_unref(self->view);
    self->view = pd_cluster_view_ref(view);
}

one_node_t *nodes_start(bed_t *bed, uint32_t index, const char *name)
{
    one_node_t *self = &bed->nodes[index];
    pd_store_shared_options_t shared = {
        .block_cache_size = 4 << 20, .write_buffer_size = 8 << 20, .in_memory = true};
    pd_node_cluster_options_t cluster = {
        .loop = &bed->loop.loop,
        .address = "127.0.0.1:7233",
        .version = "test",
        .member_codec = nodes_member_codec,
        .heartbeat_interval_ns = 200 * MS,
        .dead_after_ns = S,
        .leave_ns = 10 * S,
        .settle_ns = 30 * S,
        .failed_retry_ns = 30 * S,
    };
    pd_node_options_t options = {
        .name = name,
        .data_path = "/data",
        .partition_count = PARTITION_COUNT,
        .loops = self->loops,
        .loop_count = 1,
        .codec = codec,
        .command_codec = command_codec,
        .rejected_codec = rejected_codec,
        .store_cache_size_max = 1 << 20,
        .flush_size = 1 << 20,
        .flush_delay_ns = 100 * MS,
        .default_namespace = "default",
        .cluster = &cluster,
        .seed = index + 1,
    };
    pd_cluster_watch_t watch = {.loop = &bed->loop.loop, .changed = on_view, .ctx = self};
    pd_error_t error;

    assert_null(self->node);
    self->bed = bed;
    self->name = name;
    self->loops[0] = &bed->loop.loop;
    self->log = pd_log_memory_open(bed->storage);
    self->namespaces = pd_namespaces_new();
    if (!self->shared)
        assert_int_equal(pd_store_shared_new(&shared, &self->shared, &error), PD_OK);
    options.log = self->log;
    options.namespaces = self->namespaces;
    options.store_shared = self->shared;
    self->node = pd_node_new(&options);
    pd_cluster_watch(pd_node_cluster(self->node), &watch);
    pd_node_start(self->node, on_changed, self);
    return self;
}

static void end(one_node_t *self)
{
    UNTIL(self->bed, self->state == PD_NODE_STOPPED && !self->bed->loop.first);
    pd_node_free(self->node);
    pd_log_close(self->log);
    pd_namespaces_free(self->namespaces);
    pd_cluster_view_unref(self->view);
    self->view = NULL;
    self->node = NULL;
}

void nodes_stop(one_node_t *self)
{
    pd_node_stop(self->node);
    end(self);
}

void nodes_crash(one_node_t *self)
{
    pd_node_crash(self->node);
    end(self);
}

int nodes_make(void **state)
{
    bed_t *bed = PD_NEW(bed_t);
    pd_log_memory_options_t options = {
        .seed = 1, .partition_counts = {PARTITION_COUNT, PARTITION_COUNT, 1, PARTITION_COUNT}};

    manual_loop_init(&bed->loop);
    options.loop = &bed->loop.loop;
    options.faults.land_max_ns = options.faults.ack_max_ns = options.faults.read_max_ns = 2 * MS;
    bed->storage = pd_log_memory_new(&options);
    *state = bed;
    return 0;
}

int nodes_drop(void **state)
{
    bed_t *bed = *state;

    diag_capture_end();
    for (int i = 0; i < NODE_MAX; i++) {
        if (bed->nodes[i].node)
            nodes_crash(&bed->nodes[i]);
        pd_store_shared_free(bed->nodes[i].shared);
    }
    while (manual_loop_step(&bed->loop))
        ;
    pd_log_memory_free(bed->storage);
    manual_loop_deinit(&bed->loop);
    pd_free(bed);
    return 0;
}

/* ---- what is seen ---- */

int nodes_owned_by(const one_node_t *self, const char *name)
{
    int count = 0;

    if (!self->view)
        return -1;
    for (uint32_t i = 0; i < self->view->partition_count; i++) {
        int32_t owner = self->view->partitions[i].owner;

        if (owner < 0)
            return -1;
        count += strcmp(self->view->members[owner].name, name) == 0;
    }
    return count;
}

int nodes_really_owned(const one_node_t *self)
{
    int count = 0;

    for (uint32_t i = 0; i < PARTITION_COUNT; i++)
        count += pd_partition_state(pd_node_partition(self->node, i)) == PD_PARTITION_OWNER;
    return count;
}

bool nodes_are_settled(bed_t *bed)
{
    int total = 0;

    for (int i = 0; i < NODE_MAX; i++) {
        const one_node_t *self = &bed->nodes[i];

        if (!self->node)
            continue;
        if (!self->view || self->state != PD_NODE_READY ||
            nodes_owned_by(self, self->name) != nodes_really_owned(self))
            return false;
        total += nodes_really_owned(self);
        for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
            if (self->view->partitions[p].owner < 0 ||
                self->view->partitions[p].owner != self->view->partitions[p].preferred)
                return false;
        }
    }
    return total == PARTITION_COUNT;
}

void nodes_three(bed_t *bed)
{
    nodes_start(bed, 0, "a");
    nodes_start(bed, 1, "b");
    nodes_start(bed, 2, "c");
    UNTIL(bed, nodes_are_settled(bed));
}

uint64_t nodes_owner_changes(const bed_t *bed)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        for (uint64_t k = 0; k < pd_log_memory_count(bed->storage, PD_LOG_EVENTS, i); k++)
            count += pd_log_memory_record(bed->storage, PD_LOG_EVENTS, i, k).key.size == 0;
    }
    return count;
}
