#include "tests/sim/sim_world.h"

#include "engine/partition/partition_private.h"
#include "log/record/chain.h"
#include "tests/sim/sim_call.h"
#include "tests/sim/sim_net.h"

#define MIB ((size_t)1024 * 1024)

enum { ROCKSDB_EVERY = 10 };

/* ---- the broker ---- */

/* Once more, of no effect: not a command without an ID. */
static bool may_be_repeated(sim_t *sim, pd_log_topic_t topic, pd_bytes_t value)
{
    ProtobufCMessage *message;
    pd_arena_t arena;
    bool may = true;

    if (topic != PD_LOG_COMMANDS)
        return true;
    pd_arena_init(&arena);
    if (pd_record_decode(sim->options.command_codec, &arena, value, &message, NULL) == PD_OK) {
        const Perdure__V1__Command *command = (const Perdure__V1__Command *)message;

        may = command->body_case == PERDURE__V1__COMMAND__BODY_MESSAGE ||
              !pd_pb_empty(command->command_id);
    }
    pd_arena_deinit(&arena);
    return may;
}

/* Somebody else writes: garbage, or a stale owner's record once more. */
static void foreign(void *ctx, pd_log_memory_t *storage, pd_log_topic_t topic, uint32_t partition)
{
    sim_t *sim = ctx;
    uint64_t count = pd_log_memory_count(storage, topic, partition);
    uint8_t bytes[64];

    if (count && sim_chance(sim, 50)) {
        pd_log_record_t record =
            pd_log_memory_record(storage, topic, partition, sim_below(sim, count));
        bool is_owner_changed = !record.key.size; /* that one would be a real new owner */

        if ((!is_owner_changed || sim_chance(sim, 10)) &&
            may_be_repeated(sim, topic, record.value)) {
            pd_log_memory_append_foreign(storage, topic, partition, record.key, record.value);
            return;
        }
    }
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)sim_below(sim, 256);
    pd_log_memory_append_foreign(storage, topic, partition, pd_bytes(bytes, sim_below(sim, 5)),
                                 pd_bytes(bytes, sim_below(sim, sizeof(bytes) + 1)));
}

static uint32_t some_ppm(sim_t *sim, uint32_t max_ppm)
{
    return sim_chance(sim, 50) ? 0 : (uint32_t)sim_below(sim, max_ppm);
}

static pd_log_memory_faults_t draw_faults(sim_t *sim)
{
    pd_log_memory_faults_t faults = {
        .fail_ppm = some_ppm(sim, 20000),
        .unknown_landed_ppm = some_ppm(sim, 20000),
        .unknown_lost_ppm = some_ppm(sim, 20000),
        .unknown_late_ppm = some_ppm(sim, 20000),
        .io_ppm = sim_chance(sim, 10) ? 1000 : 0,
        .foreign_ppm = some_ppm(sim, 20000),
        .gap_ppm = some_ppm(sim, 20000),
        .read_fail_ppm = some_ppm(sim, 50000),
        .read_slow_ppm = some_ppm(sim, 100000),
        .land_min_ns = 100 * SIM_US,
        .land_max_ns = sim_chance(sim, 70) ? 3 * SIM_MS : 2 * SIM_S,
        .ack_min_ns = 100 * SIM_US,
        .ack_max_ns = sim_chance(sim, 70) ? 2 * SIM_MS : SIM_S,
        .late_max_ns = 20 * SIM_S,
        .read_min_ns = 100 * SIM_US,
        .read_max_ns = 5 * SIM_MS,
        .read_slow_ns = 3 * SIM_S,
    };

    return faults;
}

static void calm_faults(pd_log_memory_faults_t *faults)
{
    *faults = (pd_log_memory_faults_t){
        .land_min_ns = 100 * SIM_US,
        .land_max_ns = SIM_MS,
        .ack_min_ns = 100 * SIM_US,
        .ack_max_ns = SIM_MS,
        .read_min_ns = 100 * SIM_US,
        .read_max_ns = SIM_MS,
    };
}

/* ---- what happens to it ---- */

static void clock_jump(sim_world_t *world)
{
    sim_t *sim = world->sim;
    int64_t by_ns =
        sim_chance(sim, 80) ? sim_between(sim, 0, 30 * SIM_S) : sim_between(sim, 0, 3600 * SIM_S);

    sim_trace(sim, "the clock jumps by %lld ms", (long long)(by_ns / SIM_MS));
    sim->loops.now_ns += by_ns;
}

static void stick(sim_world_t *world)
{
    sim_t *sim = world->sim;
    uint32_t index = (uint32_t)sim_below(sim, sim->loops.count);
    int64_t for_ns = sim_between(sim, 0, 8 * SIM_S);

    sim_trace(sim, "loop %u is stuck for %lld ms", index, (long long)(for_ns / SIM_MS));
    sim_loop_stick(&sim->loops, index, for_ns);
}

/* All of a server stands still while the others go on: a zombie, when it wakes up. */
static void pause(sim_world_t *world, const sim_server_t *server)
{
    sim_t *sim = world->sim;
    int64_t for_ns = sim_between(sim, 0, 30 * SIM_S);

    sim_trace(sim, "%s pauses for %lld ms", server->name, (long long)(for_ns / SIM_MS));
    for (uint32_t i = 0; i < server->loop_count; i++)
        sim_loop_stick(&sim->loops, server->loop_first + i, for_ns);
}

static void cut_from_log(sim_world_t *world, sim_server_t *server)
{
    sim_t *sim = world->sim;
    int64_t until_ns = sim_now_ns(sim) + sim_between(sim, 0, 30 * SIM_S);
    bool in = sim_chance(sim, 70), out = !in || sim_chance(sim, 70);

    if (!server->log)
        return;
    sim_trace(sim, "%s is cut off from the log:%s%s", server->name, in ? " in" : "",
              out ? " out" : "");
    sim_loops_finish_turns(&sim->loops);
    pd_log_memory_cut(server->log, out ? until_ns : 0, in ? until_ns : 0);
}

/* A clock that was set wrong, or is set right again. */
static void skew(sim_world_t *world, const sim_server_t *server)
{
    sim_t *sim = world->sim;
    int64_t by_ns = sim_chance(sim, 30) ? 0 : sim_between(sim, -5 * SIM_S, 5 * SIM_S);

    sim_trace(sim, "%s has a clock that is %lld ms ahead", server->name,
              (long long)(by_ns / SIM_MS));
    for (uint32_t i = 0; i < server->loop_count; i++)
        sim_loop_skew(&sim->loops, server->loop_first + i, by_ns);
}

static void cut_links(sim_world_t *world, const sim_server_t *server)
{
    sim_t *sim = world->sim;
    bool in = sim_chance(sim, 70), out = sim_chance(sim, 70);

    sim_trace(sim, "%s is cut off:%s%s", server->name, in ? " in" : "", out ? " out" : "");
    for (uint32_t i = 0; i < world->server_count; i++) {
        if (i == server->index || sim_chance(sim, 30))
            continue;
        sim_net_cut(sim, i, server->index, in);
        sim_net_cut(sim, server->index, i, out);
    }
}

/* What only happens to several. False: something else is to happen. */
static bool have_cluster_event(sim_world_t *world, sim_server_t *server)
{
    sim_t *sim = world->sim;
    uint64_t what = sim_below(sim, 100);

    if (what < 15)
        pause(world, server);
    else if (what < 30)
        cut_links(world, server);
    else if (what < 45)
        sim_net_heal(sim);
    else if (what < 57)
        cut_from_log(world, server);
    else if (what < 65)
        skew(world, server);
    return what < 65;
}

/* Called between steps, not from a timer: a crash must not happen inside a callback. */
static void have_event(sim_world_t *world)
{
    sim_t *sim = world->sim;
    sim_server_t *server = &world->servers[sim_below(sim, world->server_count)];
    uint64_t what = sim_below(sim, 100);
    pd_log_memory_faults_t faults;

    if (world->server_count > 1 && have_cluster_event(world, server))
        return;
    if (what < 25 && sim_server_crash(server)) {
        return;
    } else if (what < 32 && sim_server_stop(server)) {
        return;
    } else if (what < 55) {
        faults = draw_faults(sim);
        pd_log_memory_set_faults(world->storage, &faults);
    } else if (what < 70) {
        clock_jump(world);
    } else if (what < 85) {
        stick(world);
    } else if (what < 90) {
        sim->loops.full_ppm = (uint32_t)sim_below(sim, 30000);
    } else {
        sim->loops.full_ppm = 0;
    }
}

static void on_event_timer(pd_timer_t *timer)
{
    sim_world_t *world = PD_CONTAINER_OF(timer, sim_world_t, event_timer);

    world->event_due = true; /* noticed by sim_world_tick */
}

static void plan_event(sim_world_t *world)
{
    world->event_timer.fire = on_event_timer;
    pd_loop_timer_start(sim_clients_loop(world->sim), &world->event_timer,
                        sim_now_ns(world->sim) +
                            sim_between(world->sim, 0, world->hectic ? SIM_S : 10 * SIM_S));
}

void sim_world_tick(sim_world_t *world)
{
    for (uint32_t i = 0; i < world->server_count; i++)
        sim_server_tick(&world->servers[i]);
    if (!world->event_due)
        return;
    world->event_due = false;
    if (world->sim->faults) {
        have_event(world);
        plan_event(world);
    }
}

/* ---- life of the world ---- */

/* No die is thrown: a seed's run is nearly the same with either. */
static bool is_simulated_store(const sim_options_t *options)
{
    if (options->store == SIM_STORE_BY_SEED)
        return options->seed % ROCKSDB_EVERY != 0;
    return options->store == SIM_STORE_MEMORY;
}

sim_world_t *sim_world_new(sim_t *sim)
{
    sim_world_t *world = PD_NEW(sim_world_t);
    pd_store_shared_options_t shared_options = {
        .block_cache_size = 4 * MIB,
        .write_buffer_size = 8 * MIB,
        .in_memory = true,
        .simulated = is_simulated_store(&sim->options),
    };
    pd_log_memory_options_t log_options = {
        .loop = sim_loops_at(&sim->loops, SIM_LOOP_BROKER),
        .seed = pd_random_u64(&sim->random),
        .exclusive = sim_chance(sim, 30) && sim->server_count == 1,
        .first_offset = sim_chance(sim, 50) ? 0 : 1000,
        .foreign = foreign,
        .foreign_ctx = sim,
    };
    pd_error_t error;

    world->sim = sim;
    world->hectic = sim_chance(sim, 30);
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        log_options.partition_counts[i] = sim->partition_count;
    log_options.faults = draw_faults(sim);
    world->storage = pd_log_memory_new(&log_options);
    SIM_CHECK(sim, pd_store_shared_new(&shared_options, &world->store_shared, &error) == PD_OK,
              "no store: %s", error.text);
    world->server_count = sim->server_count;
    for (uint32_t i = 0; i < world->server_count; i++)
        sim_server_init(&world->servers[i], sim, i, SIM_LOOP_SERVERS + i * sim->loops_per_server,
                        sim->loops_per_server);
    return world;
}

void sim_world_free(sim_world_t *world)
{
    pd_loop_timer_stop(sim_clients_loop(world->sim), &world->event_timer);
    pd_log_memory_free(world->storage);
    pd_store_shared_free(world->store_shared);
    pd_free(world);
}

void sim_world_start(sim_world_t *world)
{
    for (uint32_t i = 0; i < world->server_count; i++)
        sim_server_begin(&world->servers[i]);
    plan_event(world);
}

/* A log that fails one node for good leaves the others to go on: that is to be seen. One of several
 * that are all failed works again, and has to do so without a new life; a node alone is started
 * again. */
static void mend_one(sim_world_t *world)
{
    pd_log_t *failed = NULL;

    for (uint32_t i = 0; i < world->server_count; i++) {
        const sim_server_t *server = &world->servers[i];

        if (server->stopping) /* may take as long as a poll that it sent on */
            continue;
        if (!server->log || !pd_log_memory_has_failed(server->log))
            return;
        failed = server->log;
    }
    if (failed && world->server_count > 1)
        pd_log_memory_mend(failed);
}

void sim_world_calm(sim_world_t *world)
{
    sim_t *sim = world->sim;
    pd_log_memory_faults_t faults;

    calm_faults(&faults);
    pd_log_memory_set_faults(world->storage, &faults);
    sim->loops.full_ppm = 0;
    sim_net_heal(sim);
    for (uint32_t i = 0; i < sim->loops.count; i++)
        sim->loops.items[i].stuck_until_ns = 0;
    for (uint32_t i = 0; i < world->server_count; i++) {
        if (world->servers[i].log)
            pd_log_memory_cut(world->servers[i].log, 0, 0);
    }
    mend_one(world);
    pd_loop_timer_stop(sim_clients_loop(sim), &world->event_timer);
}

void sim_world_stop(sim_world_t *world)
{
    for (uint32_t i = 0; i < world->server_count; i++)
        sim_server_stop_now(&world->servers[i]);
    sim_calls_drain(world->sim);
}

sim_server_t *sim_world_some_server(sim_world_t *world)
{
    return &world->servers[sim_below(world->sim, world->server_count)];
}

pd_partition_t *sim_world_partition(sim_world_t *world, uint32_t server, uint32_t index)
{
    pd_node_t *node = world->servers[server].node;

    return node ? pd_node_partition(node, index) : NULL;
}

pd_partition_t *sim_world_owner(sim_world_t *world, uint32_t index, int64_t epoch)
{
    for (uint32_t i = 0; i < world->server_count; i++) {
        pd_partition_t *partition = sim_world_partition(world, i, index);

        if (partition && partition->state == PD_PARTITION_OWNER &&
            (epoch < 0 || partition->epoch == epoch))
            return partition;
    }
    return NULL;
}
