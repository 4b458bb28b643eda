#include "tests/unit/partition/one_partition.h"

#include "base/assert.h"
#include "engine/frontend/frontend.h"

#define MS INT64_C(1000000)

enum { STEP_MAX = 100000 };

void one_partition_init(one_partition_t *one)
{
    pd_store_shared_options_t shared = {
        .block_cache_size = 4 << 20, .write_buffer_size = 8 << 20, .in_memory = true};
    pd_log_memory_options_t options = {.seed = 1, .partition_counts = {1, 1, 1, 1}};
    pd_error_t error;

    *one = (one_partition_t){.partition = NULL};
    manual_loop_init(&one->loop);
    options.loop = &one->loop.loop;
    options.faults.land_max_ns = options.faults.ack_max_ns = options.faults.read_max_ns = 2 * MS;
    one->storage = pd_log_memory_new(&options);
    one->log = pd_log_memory_open(one->storage);
    one->namespaces = pd_namespaces_new();
    PD_ASSERT(pd_store_shared_new(&shared, &one->shared, &error) == PD_OK);
    one->senders = pd_senders_new(one->log, &one->loop.loop);
    one->codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    one->command_codec = pd_record_codec_new(&perdure__v1__command__descriptor);
    one->rejected_codec = pd_record_codec_new(&perdure__v1__rejected__descriptor);
}

void one_partition_deinit(one_partition_t *one)
{
    if (one->partition)
        one_partition_end(one);
    pd_senders_free(one->senders);
    pd_log_close(one->log);
    pd_store_shared_free(one->shared);
    pd_namespaces_free(one->namespaces);
    pd_log_memory_free(one->storage);
    pd_record_codec_free(one->codec);
    pd_record_codec_free(one->command_codec);
    pd_record_codec_free(one->rejected_codec);
    manual_loop_deinit(&one->loop);
}

void one_partition_publish_namespace(one_partition_t *one)
{
    Perdure__V1__NamespaceRow row = PERDURE__V1__NAMESPACE_ROW__INIT;

    row.namespace_id = (char *)ONE_NAMESPACE_ID;
    row.name = (char *)"default";
    pd_namespaces_publish(one->namespaces, &row);
}

static void no_offer(void *ctx, const pd_offer_t *offer)
{
}

pd_partition_options_t one_partition_options(one_partition_t *one)
{
    return (pd_partition_options_t){
        .node = "a",
        .loop = &one->loop.loop,
        .log = one->log,
        .senders = one->senders,
        .partition_count = 1,
        .codec = one->codec,
        .command_codec = one->command_codec,
        .rejected_codec = one->rejected_codec,
        .checker = &pd_frontend_checker,
        .store_path = "/partition",
        .store_shared = one->shared,
        .store_cache_size_max = 1 << 20,
        .namespaces = one->namespaces,
        .sink = {.offer = no_offer},
        .random_seed = 1,
        .flush_size = 1 << 20,
        .flush_delay_ns = 50 * MS,
    };
}

void one_partition_begin(one_partition_t *one, const pd_partition_options_t *options)
{
    PD_ASSERT(!one->partition);
    one->partition = pd_partition_new(options);
    pd_partition_start(one->partition, NULL, NULL);
    pd_partition_set_role(one->partition, PD_PARTITION_TO_OWN, INT64_MAX);
}

void one_partition_end(one_partition_t *one)
{
    pd_partition_stop(one->partition);
    for (int i = 0; pd_partition_state(one->partition) != PD_PARTITION_STOPPED; i++)
        PD_ASSERT(i < STEP_MAX && manual_loop_step(&one->loop));
    pd_partition_free(one->partition);
    one->partition = NULL;
}
