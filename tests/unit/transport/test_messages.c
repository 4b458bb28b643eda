/* test_messages.c -- messages between partitions arrive once, in order, and none is lost, whatever
 * happens to either side.
 *
 * Two servers, each with all partitions, over one log; who owns what changes all the time, also
 * without the loser knowing it. Messages beget messages. In the end, when nothing fails any more,
 * the logs are folded: what was said must be what was received. */
#include "engine/frontend/frontend.h"
#include "engine/partitioner.h"
#include "tests/unit/transport/world.h"

static uint64_t first_seed = 1, seed_count = 12;

static bool chance(world_t *world, uint64_t percent)
{
    return pd_random_chance(&world->random, percent, 100);
}

static uint64_t below(world_t *world, uint64_t bound)
{
    return pd_random_below(&world->random, bound);
}

/* ---- what workflows say ---- */

/* initiated_event_id: how many generations may still follow. */
static void say(pd_decision_t *decision, int64_t generations)
{
    pd_draft_t *draft = pd_draft_new_run(decision, "0190b7a2-5f3c-7a11-8000-000000000000");
    char *to = pd_arena_printf(decision->arena, "w-%d",
                               (int)pd_random_below(decision->random, WORKFLOW_COUNT));
    Perdure__V1__Message *message = pd_decision_send(draft, decision->ns->id, to, "");

    message->initiated_event_id = generations;
    message->body_case = PERDURE__V1__MESSAGE__BODY_CHILD_FIRST_TASK;
    message->child_first_task =
        PD_PB_NEW(decision->arena, Perdure__V1__ChildFirstTask, perdure__v1__child_first_task);
}

static const pd_rpc_error_t *decide_say(pd_decision_t *decision, pd_command_t *command)
{
    for (uint64_t i = 1 + pd_random_below(decision->random, 5); i > 0; i--)
        say(decision, 3);
    return NULL;
}

static const pd_rpc_error_t *decide_heard(pd_decision_t *decision, pd_command_t *command)
{
    const Perdure__V1__Message *message = command->request;

    if (message->initiated_event_id > 0 && pd_random_chance(decision->random, 60, 100))
        say(decision, message->initiated_event_id - 1);
    return NULL;
}

static const pd_command_kind_t say_kind = {.name = "SAY",
                                           .cause = PERDURE__V1__CAUSE__CAUSE_SIGNAL_WORKFLOW,
                                           .may_create = true,
                                           .decide = decide_say};
static const pd_command_kind_t heard_kind = {.name = "HEARD",
                                             .cause = PERDURE__V1__CAUSE__CAUSE_CHILD_FIRST_TASK,
                                             .may_create = true,
                                             .decide = decide_heard};

static const pd_command_kind_t *kind_of(const Perdure__V1__Message *message)
{
    return &heard_kind;
}

static void let_say(world_t *world, server_t *server)
{
    pd_command_t *command = pd_command_new(&say_kind);

    command->ns = pd_namespaces_by_name(world->namespaces, "default");
    command->workflow_id =
        pd_arena_printf(command->arena, "w-%d", (int)below(world, WORKFLOW_COUNT));
    command->run_id = "";
    world->loops.current = NULL;
    pd_partition_submit(server->partitions[pd_partition_of(command->workflow_id, PARTITION_COUNT)],
                        command);
}

/* ---- servers ---- */

static void ignore_offer(void *ctx, const pd_offer_t *offer)
{
}

static void ignore_poll(void *ctx, pd_poll_t *poll)
{
}

static void begin_partition(world_t *world, uint32_t server_index, uint32_t index)
{
    server_t *server = &world->servers[server_index];
    char path[32], name[16];
    pd_partition_options_t options = {
        .index = index,
        .node = name,
        .loop = server->loop,
        .log = server->log,
        .partition_count = PARTITION_COUNT,
        .codec = world->codec,
        .command_codec = world->command_codec,
        .rejected_codec = world->rejected_codec,
        .senders = server->senders,
        .checker = &pd_frontend_checker,
        .message_kind = kind_of,
        .mappings = world->mappings,
        .mapping_count = 1,
        .store_path = path,
        .store_shared = world->store_shared,
        .store_cache_size_max = 1 << 20,
        .namespaces = world->namespaces,
        .sink = {.offer = ignore_offer, .poll_returned = ignore_poll},
        .random_seed = pd_random_u64(&world->random),
        .flush_size = 4096,
        .flush_delay_ns = 50 * MS,
        .progress_delay_ns = 500 * MS,
        .failed_retry_ns = 100 * MS,
    };

    /* Now and then the state directory is lost. */
    snprintf(path, sizeof(path), "/%u-%u-%u", server_index, index, (unsigned)below(world, 2));
    snprintf(name, sizeof(name), "server-%u", server_index);
    server->partitions[index] = pd_partition_new(&options);
    pd_partition_start(server->partitions[index], NULL, NULL);
}

static void end_partition(world_t *world, uint32_t server_index, uint32_t index, bool crash)
{
    server_t *server = &world->servers[server_index];

    world->loops.current = NULL;
    if (crash)
        pd_partition_crash(server->partitions[index]);
    else
        pd_partition_stop(server->partitions[index]);
    for (int i = 0; pd_partition_state(server->partitions[index]) != PD_PARTITION_STOPPED; i++)
        assert_true(i < CALM_STEP_MAX && sim_loops_step(&world->loops));
    pd_partition_free(server->partitions[index]);
    server->partitions[index] = NULL;
}

static void draw_faults(world_t *world)
{
    pd_log_memory_faults_t faults = {
        .land_min_ns = MS / 10,
        .land_max_ns = chance(world, 70) ? 3 * MS : 500 * MS,
        .ack_min_ns = MS / 10,
        .ack_max_ns = chance(world, 70) ? 2 * MS : 500 * MS,
        .late_max_ns = 5 * S,
        .read_min_ns = MS / 10,
        .read_max_ns = 5 * MS,
    };

    if (!world->calm) {
        faults.fail_ppm = (uint32_t)below(world, 20000);
        faults.unknown_landed_ppm = (uint32_t)below(world, 20000);
        faults.unknown_lost_ppm = (uint32_t)below(world, 20000);
        faults.unknown_late_ppm = (uint32_t)below(world, 20000);
        faults.gap_ppm = (uint32_t)below(world, 20000);
        faults.read_fail_ppm = (uint32_t)below(world, 20000);
    }
    pd_log_memory_set_faults(world->storage, &faults);
}

static void set_role(world_t *world, uint32_t server, uint32_t index, pd_partition_role_t role)
{
    world->loops.current = NULL;
    pd_partition_set_role(world->servers[server].partitions[index], role, INT64_MAX);
}

/* Some record of the topic of commands comes once more. */
static void repeat_command(world_t *world)
{
    uint32_t index = (uint32_t)below(world, PARTITION_COUNT);
    uint64_t count = pd_log_memory_count(world->storage, PD_LOG_COMMANDS, index);
    pd_log_record_t record;

    if (!count)
        return;
    record = pd_log_memory_record(world->storage, PD_LOG_COMMANDS, index, below(world, count));
    pd_log_memory_append_foreign(world->storage, PD_LOG_COMMANDS, index, record.key, record.value);
}

static void have_event(world_t *world)
{
    uint32_t server = (uint32_t)below(world, SERVER_COUNT);
    uint32_t index = (uint32_t)below(world, PARTITION_COUNT);
    uint64_t what = below(world, 100);

    if (what < 25) {
        set_role(world, server, index, PD_PARTITION_TO_OWN);
    } else if (what < 35) {
        set_role(world, server, index,
                 chance(world, 50) ? PD_PARTITION_STANDBY : PD_PARTITION_NONE);
    } else if (what < 50) {
        end_partition(world, server, index, chance(world, 70));
        begin_partition(world, server, index);
        set_role(world, server, index, PD_PARTITION_TO_OWN);
    } else if (what < 60) {
        draw_faults(world);
    } else if (what < 70) {
        sim_loop_stick(&world->loops, 1 + server, (int64_t)below(world, 10) * S);
    } else {
        repeat_command(world);
    }
}

/* ---- a topic of the user's ---- */

static pd_mapping_t *new_mapping(void)
{
    pd_mapping_options_t options = {
        .name = "orders",
        .topic = "orders",
        .format = PD_MAPPING_JSON,
        .workflow_id = "'order-${$.customer}'",
        .workflow_type = "'order'",
        .task_queue = "'orders'",
        .signal_name = "header:event",
        .signal_input = "$.order.lines[0]",
    };
    pd_mapping_t *mapping;
    pd_error_t error = {.text = ""};

    if (pd_mapping_new(&options, &mapping, &error) != PD_OK)
        fail_msg("%s", error.text);
    return mapping;
}

static void produce_order(world_t *world)
{
    pd_log_header_t header = {.name = "event", .value = pd_bytes_str("placed")};
    pd_log_record_t record = {.headers = &header, .header_count = 1};
    uint32_t foreign = (uint32_t)below(world, FOREIGN_COUNT);
    char value[96];

    if (chance(world, 10)) {
        world->garbage_count++;
        snprintf(value, sizeof(value), chance(world, 50) ? "{" : "{\"customer\": null}");
    } else {
        assert_true(world->order_count < ORDER_COUNT_MAX);
        snprintf(value, sizeof(value), "{\"customer\": %d, \"order\": {\"lines\": [%d]}}",
                 (int)below(world, WORKFLOW_COUNT), world->order_count++);
    }
    record.value = pd_bytes_str(value);
    world->produced[foreign] =
        pd_log_memory_append_to_topic(world->storage, "orders", foreign, &record) + 1;
}

/* ---- the end ---- */

/* Every partition of the mapped topic that this one reads is read to its end. */
static bool is_ingested(world_t *world, pd_partition_t *partition, size_t *source_count)
{
    pd_ingest_stats_t stats;
    size_t i;

    for (i = 0; pd_partition_ingest_stats(partition, i, &stats); i++) {
        uint32_t foreign = (uint32_t)atoi(stats.source + strlen("orders/"));

        if (stats.next_offset < (int64_t)world->produced[foreign])
            return false;
    }
    *source_count += i;
    return true;
}

static bool is_quiet(world_t *world)
{
    size_t source_count = 0;

    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        pd_partition_t *partition = world->servers[0].partitions[i];
        uint64_t count = pd_log_memory_count(world->storage, PD_LOG_COMMANDS, i);
        pd_transport_stats_t stats;

        if (pd_partition_state(partition) != PD_PARTITION_OWNER || partition->pending_count)
            return false;
        pd_partition_transport_stats(partition, &stats);
        if (stats.outbox_waiting ||
            (count &&
             stats.commands_through <
                 pd_log_memory_record(world->storage, PD_LOG_COMMANDS, i, count - 1).offset))
            return false;
        if (!is_ingested(world, partition, &source_count))
            return false;
    }
    return source_count == FOREIGN_COUNT;
}

static void calm_down(world_t *world)
{
    world->calm = true;
    draw_faults(world);
    for (uint32_t i = 0; i < world->loops.count; i++)
        world->loops.items[i].stuck_until_ns = 0;
    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        set_role(world, 1, i, PD_PARTITION_NONE);
        set_role(world, 0, i, PD_PARTITION_TO_OWN);
    }
    for (int i = 0; !is_quiet(world); i++) {
        if (i > CALM_STEP_MAX)
            fail_msg("seed %llu: messages do not come to rest", (unsigned long long)world->seed);
        assert_true(sim_loops_step(&world->loops));
    }
}

/* ---- one run ---- */

static void make_world(world_t *world, uint64_t seed)
{
    pd_store_shared_options_t shared_options = {
        .block_cache_size = 1 << 20, .write_buffer_size = 4 << 20, .in_memory = true};
    pd_log_memory_options_t log_options = {.first_offset = (int64_t)(seed % 2) * 1000};
    Perdure__V1__NamespaceRow row = PERDURE__V1__NAMESPACE_ROW__INIT;
    pd_error_t error;

    world->seed = seed;
    world->calm = false;
    pd_random_init(&world->random, seed);
    sim_loops_init(&world->loops, pd_random_u64(&world->random), 1 + SERVER_COUNT, 1700000000 * S);
    log_options.loop = sim_loops_at(&world->loops, LOOP_BROKER);
    log_options.seed = pd_random_u64(&world->random);
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        log_options.partition_counts[i] = PARTITION_COUNT;
    world->storage = pd_log_memory_new(&log_options);
    draw_faults(world);
    pd_log_memory_add_topic(world->storage, "orders", FOREIGN_COUNT);
    world->order_count = world->garbage_count = 0;
    memset(world->seen, 0, sizeof(world->seen));
    memset(world->last_order, 0, sizeof(world->last_order));
    memset(world->produced, 0, sizeof(world->produced));
    assert_int_equal(pd_store_shared_new(&shared_options, &world->store_shared, &error), PD_OK);
    world->namespaces = pd_namespaces_new();
    row.namespace_id = (char *)"0190b7a2-5f3c-7a11-8000-0123456789ab";
    row.name = (char *)"default";
    pd_namespaces_publish(world->namespaces, &row);
    for (uint32_t i = 0; i < SERVER_COUNT; i++) {
        server_t *server = &world->servers[i];

        server->loop = sim_loops_at(&world->loops, 1 + i);
        server->log = pd_log_memory_open(world->storage);
        server->senders = pd_senders_new(server->log, server->loop);
        for (uint32_t k = 0; k < PARTITION_COUNT; k++) {
            begin_partition(world, i, k);
            set_role(world, i, k, i ? PD_PARTITION_STANDBY : PD_PARTITION_TO_OWN);
        }
    }
}

static void unmake_world(world_t *world)
{
    for (uint32_t i = 0; i < SERVER_COUNT; i++) {
        for (uint32_t k = 0; k < PARTITION_COUNT; k++)
            end_partition(world, i, k, false);
        pd_senders_free(world->servers[i].senders);
        pd_log_close(world->servers[i].log);
    }
    pd_namespaces_free(world->namespaces);
    while (pd_log_memory_in_flight_count(world->storage))
        assert_true(sim_loops_step(&world->loops));
    pd_log_memory_free(world->storage);
    pd_store_shared_free(world->store_shared);
    sim_loops_deinit(&world->loops);
}

static void run_seed(world_t *world, uint64_t seed)
{
    size_t count;

    make_world(world, seed);
    for (int round = 0; round < FAULTY_ROUNDS; round++) {
        for (uint64_t i = below(world, 150); i > 0 && sim_loops_step(&world->loops); i--)
            continue;
        for (uint64_t i = below(world, 20); i > 0; i--)
            produce_order(world);
        let_say(world, &world->servers[below(world, SERVER_COUNT)]);
        if (chance(world, 40))
            have_event(world);
    }
    calm_down(world);
    count = check_all_received(world);
    check_orders(world);
    print_message("seed %llu: %zu messages, %d orders\n", (unsigned long long)seed, count,
                  world->order_count);
    unmake_world(world);
}

static void test_messages(void **state)
{
    world_t world = {0};

    world.codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    world.command_codec = pd_record_codec_new(&perdure__v1__command__descriptor);
    world.rejected_codec = pd_record_codec_new(&perdure__v1__rejected__descriptor);
    world.mapping = new_mapping();
    world.mappings[0] = world.mapping;
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++)
        run_seed(&world, seed);
    pd_mapping_free(world.mapping);
    pd_record_codec_free(world.codec);
    pd_record_codec_free(world.command_codec);
    pd_record_codec_free(world.rejected_codec);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_messages)};

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            first_seed = strtoull(argv[i + 1], NULL, 10), seed_count = 1;
        else if (strcmp(argv[i], "--seeds") == 0)
            seed_count = strtoull(argv[i + 1], NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
