#include "tests/sim/sim_world.h"

#include <stdio.h>

#include "log/record/chain.h"
#include "tests/sim/sim_call.h"

#define MIB ((size_t)1024 * 1024)

enum { DRAIN_STEP_MAX = 200000 };

static void plan_event(sim_world_t *world);

/* ---- the broker ---- */

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

        if (!is_owner_changed || sim_chance(sim, 10)) {
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

/* ---- a life ---- */

static void on_node_changed(void *ctx, pd_node_state_t state)
{
    sim_world_t *world = ctx;

    sim_trace(world->sim, "node state %d", (int)state);
    world->state = state;
}

static void run_begun(pd_mail_t *mail)
{
    struct sim_begun *begun = PD_CONTAINER_OF(mail, struct sim_begun, mail);

    begun->world->begun_left--;
}

static void begin_life(sim_world_t *world)
{
    sim_t *sim = world->sim;
    static pd_loop_t *engine_loops[SIM_LOOP_COUNT_MAX];
    char data_path[64];
    uint32_t loop_count = sim->loops.count - SIM_LOOP_ENGINE;
    pd_node_options_t options = {
        .name = "sim",
        .data_path = data_path,
        .partition_count = sim->partition_count,
        .loops = engine_loops,
        .loop_count = loop_count,
        .codec = world->sim->options.codec,
        .store_shared = world->store_shared,
        .store_cache_size_max = sim_chance(sim, 50) ? 16 * 1024 : MIB,
        .flush_size = sim_chance(sim, 50) ? 32 * 1024 : MIB,
        .flush_delay_ns = sim_between(sim, 10 * SIM_MS, 2 * SIM_S),
        .default_namespace = "default",
        .seed = pd_random_u64(&sim->random),
    };
    pd_frontend_options_t frontend_options = {
        .loop = sim_front(sim),
        .seed = pd_random_u64(&sim->random),
        .history_shard_count = (int32_t)sim->partition_count,
    };

    PD_ASSERT(!world->node);
    snprintf(data_path, sizeof(data_path), "/disk-%u", world->disk);
    for (uint32_t i = 0; i < loop_count; i++)
        engine_loops[i] = sim_loops_at(&sim->loops, SIM_LOOP_ENGINE + i);
    world->life_count++;
    sim_trace(sim, "life %u begins on disk %u", world->life_count, world->disk);
    world->log = pd_log_memory_open(world->storage);
    world->namespaces = pd_namespaces_new();
    options.log = world->log;
    options.namespaces = world->namespaces;
    world->node = pd_node_new(&options);
    frontend_options.namespaces = world->namespaces;
    frontend_options.router = pd_node_router(world->node);
    world->frontend = pd_frontend_new(&frontend_options);
    world->stopping = false;
    pd_node_start(world->node, on_node_changed, world);
    world->begun_left = loop_count;
    for (uint32_t i = 0; i < loop_count; i++) { /* behind the node's own */
        world->begun[i].world = world;
        world->begun[i].mail.run = run_begun;
        pd_loop_post(engine_loops[i], &world->begun[i].mail);
    }
}

static void on_start_timer(pd_timer_t *timer)
{
    begin_life(PD_CONTAINER_OF(timer, sim_world_t, start_timer));
}

/* Everything of the life that ended is let go; nothing of it may be left on the engine's loops. */
static void end_life(sim_world_t *world)
{
    sim_t *sim = world->sim;

    SIM_CHECK(sim, sim_calls_open_count(sim) == 0, "the node is gone, %zu calls are unanswered:%s",
              sim_calls_open_count(sim), sim_calls_open_text(sim));
    for (uint32_t i = SIM_LOOP_ENGINE; i < sim->loops.count; i++)
        SIM_CHECK(sim, sim_loop_idle(&sim->loops, i),
                  "the node is gone, something of it is still on engine loop %u (%u timers)", i,
                  sim->loops.items[i].timers.count);
    pd_frontend_free(world->frontend);
    pd_node_free(world->node);
    pd_log_close(world->log);
    pd_namespaces_free(world->namespaces);
    world->frontend = NULL;
    world->node = NULL;
    world->log = NULL;
    world->namespaces = NULL;
    world->stopping = false;
    sim_trace(sim, "life %u has ended", world->life_count);
}

static bool is_over(const sim_world_t *world)
{
    const sim_t *sim = world->sim;

    if (world->state != PD_NODE_STOPPED || sim_calls_open_count(sim))
        return false;
    for (uint32_t i = SIM_LOOP_ENGINE; i < sim->loops.count; i++) {
        if (!sim_loop_idle(&sim->loops, i))
            return false;
    }
    return true;
}

static void choose_disk(sim_world_t *world)
{
    sim_t *sim = world->sim;

    if (sim_chance(sim, 15))
        world->disk = ++world->disk_count; /* the state directory was deleted */
    else if (sim_chance(sim, 10))
        world->disk = (uint32_t)sim_below(sim, world->disk_count + 1); /* an old backup */
}

static void plan_start(sim_world_t *world)
{
    choose_disk(world);
    world->start_timer.fire = on_start_timer;
    pd_loop_timer_start(sim_front(world->sim), &world->start_timer,
                        sim_now_ns(world->sim) + sim_between(world->sim, 0, 5 * SIM_S));
}

static void crash(sim_world_t *world)
{
    sim_t *sim = world->sim;
    pd_frontend_t *frontend = world->frontend;

    sim_trace(sim, "crash");
    world->crash_count++;
    world->frontend = NULL; /* no new calls from here on */
    sim_calls_lose_all(sim);
    sim->loops.current = NULL;
    pd_node_crash(world->node);
    for (uint32_t i = 0; !is_over(world) || sim_calls_open_count(sim); i++) {
        SIM_CHECK(sim, i < DRAIN_STEP_MAX && sim_loops_step_now(&sim->loops),
                  "a crashed node does not end (state %d, %zu calls open:%s)", (int)world->state,
                  sim_calls_open_count(sim), sim_calls_open_text(sim));
    }
    world->frontend = frontend;
    end_life(world);
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

/* Called between steps, not from a timer: a crash must not happen inside a callback. */
static void have_event(sim_world_t *world)
{
    sim_t *sim = world->sim;
    uint64_t what = sim_below(sim, 100);
    pd_log_memory_faults_t faults;

    if (what < 25 && world->node && !world->begun_left) {
        crash(world);
        plan_start(world);
    } else if (what < 32 && world->node && !world->stopping && !world->begun_left) {
        sim_trace(sim, "stop");
        world->stopping = true;
        world->stop_count++;
        pd_node_stop(world->node);
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
    pd_loop_timer_start(sim_front(world->sim), &world->event_timer,
                        sim_now_ns(world->sim) +
                            sim_between(world->sim, 0, world->hectic ? SIM_S : 10 * SIM_S));
}

void sim_world_tick(sim_world_t *world)
{
    if (world->stopping && is_over(world)) {
        end_life(world);
        plan_start(world);
    } else if (world->node && !world->stopping && world->state == PD_NODE_FAILED) {
        crash(world); /* the operator looks at it, and starts it again */
        plan_start(world);
    }
    if (!world->event_due)
        return;
    world->event_due = false;
    if (world->sim->faults) {
        have_event(world);
        plan_event(world);
    }
}

/* ---- life of the world ---- */

sim_world_t *sim_world_new(sim_t *sim)
{
    sim_world_t *world = PD_NEW(sim_world_t);
    pd_store_shared_options_t shared_options = {
        .block_cache_size = 4 * MIB,
        .write_buffer_size = 8 * MIB,
        .in_memory = true,
    };
    pd_log_memory_options_t log_options = {
        .loop = sim_loops_at(&sim->loops, SIM_LOOP_BROKER),
        .seed = pd_random_u64(&sim->random),
        .exclusive = sim_chance(sim, 30),
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
    return world;
}

void sim_world_free(sim_world_t *world)
{
    pd_loop_timer_stop(sim_front(world->sim), &world->event_timer);
    pd_loop_timer_stop(sim_front(world->sim), &world->start_timer);
    pd_log_memory_free(world->storage);
    pd_store_shared_free(world->store_shared);
    pd_free(world);
}

void sim_world_start(sim_world_t *world)
{
    begin_life(world);
    plan_event(world);
}

void sim_world_calm(sim_world_t *world)
{
    sim_t *sim = world->sim;
    pd_log_memory_faults_t faults;

    calm_faults(&faults);
    pd_log_memory_set_faults(world->storage, &faults);
    sim->loops.full_ppm = 0;
    for (uint32_t i = 0; i < sim->loops.count; i++)
        sim->loops.items[i].stuck_until_ns = 0;
    pd_loop_timer_stop(sim_front(sim), &world->event_timer);
}

void sim_world_stop(sim_world_t *world)
{
    sim_t *sim = world->sim;

    if (!world->node)
        return;
    world->stopping = true;
    sim->loops.current = NULL;
    pd_node_stop(world->node);
    for (uint32_t i = 0; !is_over(world); i++)
        SIM_CHECK(sim, i < DRAIN_STEP_MAX && sim_loops_step(&sim->loops),
                  "the node does not stop (state %d, %zu calls open:%s)", (int)world->state,
                  sim_calls_open_count(sim), sim_calls_open_text(sim));
    end_life(world);
}

pd_frontend_t *sim_world_frontend(sim_world_t *world)
{
    return world->stopping ? NULL : world->frontend;
}

pd_partition_t *sim_world_partition(sim_world_t *world, uint32_t index)
{
    return world->node ? pd_node_partition(world->node, index) : NULL;
}
