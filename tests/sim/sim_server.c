#include "tests/sim/sim_server.h"

#include <stdio.h>

#include "tests/sim/sim_call.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_world.h"

#define MIB ((size_t)1024 * 1024)

enum { DRAIN_STEP_MAX = 200000 };

static pd_loop_t *loop_at(sim_server_t *server, uint32_t index)
{
    PD_ASSERT(index < server->loop_count);
    return sim_loops_at(&server->sim->loops, server->loop_first + index);
}

pd_loop_t *sim_server_front(sim_server_t *server)
{
    return loop_at(server, 0);
}

/* ---- a life ---- */

static void on_node_changed(void *ctx, pd_node_state_t state)
{
    sim_server_t *server = ctx;

    sim_trace(server->sim, "%s: state %d", server->name, (int)state);
    server->state = state;
}

static void run_begun(pd_mail_t *mail)
{
    struct sim_begun *begun = PD_CONTAINER_OF(mail, struct sim_begun, mail);

    begun->server->begun_left--;
}

static bool is_member(const sim_server_t *server)
{
    return server->sim->server_count > 1;
}

static pd_loop_t *cluster_loop(sim_server_t *server)
{
    return loop_at(server, server->loop_count - 1);
}

static void on_view(void *ctx, pd_cluster_view_t *view)
{
    pd_forward_set_view(ctx, view);
}

/* As engine/program/server_cluster.c does it, over a simulated network. */
static void fill_cluster(sim_server_t *server, pd_node_options_t *options,
                         pd_node_cluster_options_t *cluster)
{
    pd_forward_options_t forward_options = {
        .loop = sim_server_front(server),
        .namespaces = server->namespaces,
        .node = server->name,
        .partition_count = server->sim->partition_count,
    };

    server->net = sim_net_new(server);
    forward_options.peers = sim_net_peers(server->net);
    server->forward = pd_forward_new(&forward_options);
    *cluster = (pd_node_cluster_options_t){
        .loop = cluster_loop(server),
        .address = server->name,
        .version = "sim",
        .member_codec = server->sim->options.member_codec,
        .heartbeat_interval_ns = 200 * SIM_MS,
        .dead_after_ns = SIM_S,
        .leave_ns = 10 * SIM_S,
        .failed_retry_ns = 30 * SIM_S,
    };
    options->cluster = cluster;
    options->standstill_ns = 2 * SIM_S;
    options->far = pd_forward_far(server->forward);
}

static void join_cluster(sim_server_t *server)
{
    pd_cluster_watch_t watch = {
        .loop = cluster_loop(server), .changed = on_view, .ctx = server->forward};

    pd_forward_set_node(server->forward, server->node);
    pd_cluster_watch(pd_node_cluster(server->node), &watch);
}

static void make_node(sim_server_t *server, pd_loop_t *const *engine_loops, uint32_t loop_count)
{
    sim_t *sim = server->sim;
    char data_path[64];
    pd_node_cluster_options_t cluster;
    pd_node_options_t options = {
        .name = server->name,
        .data_path = data_path,
        .partition_count = sim->partition_count,
        .loops = engine_loops,
        .loop_count = loop_count,
        .log = server->log,
        .codec = sim->options.codec,
        .command_codec = sim->options.command_codec,
        .rejected_codec = sim->options.rejected_codec,
        .store_shared = sim->world->store_shared,
        .store_cache_size_max = sim_chance(sim, 50) ? 16 * 1024 : MIB,
        .flush_size = sim_chance(sim, 50) ? 32 * 1024 : MIB,
        .flush_delay_ns = sim_between(sim, 10 * SIM_MS, 2 * SIM_S),
        .namespaces = server->namespaces,
        .default_namespace = "default",
        .seed = pd_random_u64(&sim->random),
    };
    pd_frontend_options_t frontend_options = {
        .loop = sim_server_front(server),
        .namespaces = server->namespaces,
        .seed = pd_random_u64(&sim->random),
        .history_shard_count = (int32_t)sim->partition_count,
    };

    snprintf(data_path, sizeof(data_path), "/%s/disk-%u", server->name, server->disk);
    if (is_member(server))
        fill_cluster(server, &options, &cluster);
    server->node = pd_node_new(&options);
    frontend_options.router = pd_node_router(server->node);
    if (server->forward) {
        join_cluster(server);
        frontend_options.router = pd_forward_router(server->forward);
    }
    server->frontend = pd_frontend_new(&frontend_options);
}

void sim_server_begin(sim_server_t *server)
{
    static pd_loop_t *engine_loops[SIM_LOOP_COUNT_MAX];
    uint32_t begun_count = server->loop_count - 1;
    uint32_t loop_count = is_member(server) ? begun_count - 1 : begun_count;

    PD_ASSERT(!server->node);
    for (uint32_t i = 0; i < loop_count; i++)
        engine_loops[i] = loop_at(server, 1 + i);
    server->life_count++;
    sim_trace(server->sim, "%s: life %u begins on disk %u", server->name, server->life_count,
              server->disk);
    server->log = pd_log_memory_open(server->sim->world->storage);
    server->namespaces = pd_namespaces_new();
    server->stopping = false;
    server->state = PD_NODE_STARTING; /* told only when it changes */
    make_node(server, engine_loops, loop_count);
    pd_node_start(server->node, on_node_changed, server);
    server->begun_left = begun_count;
    for (uint32_t i = 0; i < begun_count; i++) { /* behind the node's own */
        server->begun[i].server = server;
        server->begun[i].mail.run = run_begun;
        pd_loop_post(loop_at(server, 1 + i), &server->begun[i].mail);
    }
}

static void on_start_timer(pd_timer_t *timer)
{
    sim_server_begin(PD_CONTAINER_OF(timer, sim_server_t, start_timer));
}

/* Timers of the forward router, on the front loop, go with it. */
static bool loops_idle(const sim_server_t *server)
{
    const sim_loop_t *front = &server->sim->loops.items[server->loop_first];

    if (server->forward && (front->first || sim_turn_halted(front->turn)))
        return false;
    for (uint32_t i = server->forward ? 1 : 0; i < server->loop_count; i++) {
        if (!sim_loop_idle(&server->sim->loops, server->loop_first + i))
            return false;
    }
    return true;
}

/* Everything of the life that ended is let go; nothing of it may be left on its loops. */
static void end_life(sim_server_t *server)
{
    sim_t *sim = server->sim;

    SIM_CHECK(sim, sim_calls_at_count(server) == 0, "%s is gone, %zu calls are unanswered:%s",
              server->name, sim_calls_at_count(server), sim_calls_at_text(server));
    SIM_CHECK(sim, loops_idle(server), "%s is gone, something of it is still on its loops",
              server->name);
    sim_net_free(server->net);
    pd_frontend_free(server->frontend);
    pd_node_free(server->node);
    pd_forward_free(server->forward);
    server->net = NULL;
    server->forward = NULL;
    SIM_CHECK(sim, loops_idle(server), "%s is gone, its front loop is not idle", server->name);
    pd_log_close(server->log);
    pd_namespaces_free(server->namespaces);
    server->frontend = NULL;
    server->node = NULL;
    server->log = NULL;
    server->namespaces = NULL;
    server->stopping = false;
    sim_trace(sim, "%s: life %u has ended", server->name, server->life_count);
}

static bool is_over(const sim_server_t *server)
{
    return server->state == PD_NODE_STOPPED && !sim_calls_at_count(server) &&
           !sim_net_at_count(server) && loops_idle(server);
}

static void choose_disk(sim_server_t *server)
{
    sim_t *sim = server->sim;

    if (sim_chance(sim, 15))
        server->disk = ++server->disk_count; /* the state directory was deleted */
    else if (sim_chance(sim, 10))
        server->disk = (uint32_t)sim_below(sim, server->disk_count + 1); /* an old backup */
}

static void plan_start(sim_server_t *server)
{
    sim_t *sim = server->sim;

    choose_disk(server);
    server->start_timer.fire = on_start_timer;
    pd_loop_timer_start(sim_clients_loop(sim), &server->start_timer,
                        sim_now_ns(sim) + sim_between(sim, 0, 5 * SIM_S));
}

static size_t draw_loss(void *ctx, size_t flush_count)
{
    sim_server_t *server = ctx;

    if (pd_random_chance(&server->losses, 1, 2))
        return 0;
    return (size_t)pd_random_below(&server->losses, flush_count + 1);
}

/* RocksDB wrote some of the newest flushes to files, and others not yet. */
static void lose_flushes(sim_server_t *server)
{
    char path[64];

    snprintf(path, sizeof(path), "/%s/disk-%u/", server->name, server->disk);
    pd_store_shared_lose(server->sim->world->store_shared, path, draw_loss, server);
}

/* One step towards the end of a life that crashed, all at one moment. The forward router tries some
 * things again after a pause, calls in hand, and a clock that was set back puts all timers off: a
 * dead process waits for nothing, so pauses are over at once. */
static bool drain_step(sim_server_t *server)
{
    sim_loops_t *loops = &server->sim->loops;

    if (sim_loops_step_now(loops))
        return true;
    for (uint32_t i = 0; server->forward && i < server->loop_count; i++) {
        if (sim_loop_hurry(loops, server->loop_first + i))
            return true;
    }
    return false;
}

bool sim_server_crash(sim_server_t *server)
{
    sim_t *sim = server->sim;
    pd_frontend_t *frontend = server->frontend;

    if (!server->node || server->begun_left)
        return false;
    sim_trace(sim, "%s: crash", server->name);
    sim_loops_finish_turns(&sim->loops);
    server->crash_count++;
    server->frontend = NULL; /* no new calls from here on */
    sim_calls_lose(server);
    sim->loops.current = NULL;
    if (server->forward) { /* nothing may wait for other nodes */
        sim_net_lose(server, frontend);
        sim_calls_cancel_at(server, frontend);
    }
    pd_node_crash(server->node);
    for (uint32_t i = 0; !is_over(server); i++)
        SIM_CHECK(sim, i < DRAIN_STEP_MAX && drain_step(server),
                  "%s crashed and does not end (state %d, calls open:%s)", server->name,
                  (int)server->state, sim_calls_at_text(server));
    server->frontend = frontend;
    end_life(server);
    lose_flushes(server);
    plan_start(server);
    return true;
}

bool sim_server_stop(sim_server_t *server)
{
    if (!server->node || server->stopping || server->begun_left)
        return false;
    sim_trace(server->sim, "%s: stop", server->name);
    sim_loops_finish_turns(&server->sim->loops);
    server->stopping = true;
    server->stop_count++;
    pd_node_stop(server->node);
    return true;
}

void sim_server_stop_now(sim_server_t *server)
{
    sim_t *sim = server->sim;

    pd_loop_timer_stop(sim_clients_loop(sim), &server->start_timer);
    if (!server->node)
        return;
    server->stopping = true;
    sim_loops_finish_turns(&sim->loops);
    sim->loops.current = NULL;
    pd_node_stop(server->node);
    for (uint32_t i = 0; !is_over(server); i++)
        SIM_CHECK(sim, i < DRAIN_STEP_MAX && sim_loops_step(&sim->loops),
                  "%s does not stop (state %d, calls open:%s)", server->name, (int)server->state,
                  sim_calls_at_text(server));
    end_life(server);
}

void sim_server_tick(sim_server_t *server)
{
    if (server->stopping && is_over(server)) {
        end_life(server);
        plan_start(server);
    } else if (server->node && !server->stopping && server->state == PD_NODE_FAILED) {
        sim_server_crash(server); /* the operator looks at it, and starts it again */
    }
}

void sim_server_init(sim_server_t *server, sim_t *sim, uint32_t index, uint32_t loop_first,
                     uint32_t loop_count)
{
    PD_ASSERT(loop_count >= 2);
    server->sim = sim;
    server->index = index;
    server->loop_first = loop_first;
    server->loop_count = loop_count;
    pd_random_init(&server->losses, sim->options.seed << 8 | index);
    snprintf(server->name, sizeof(server->name), "node-%u", index);
}

pd_frontend_t *sim_server_frontend(sim_server_t *server)
{
    return server->stopping ? NULL : server->frontend;
}
