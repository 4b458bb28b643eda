/* sim_world.h -- the server under simulation: a node over a log and a disk that outlive it.
 *
 *     down --start--> up --crash or stop--> down
 *
 * Each life is a new node, frontend and registry of namespaces; the broker's log and the in-memory
 * disk stay. A crash loses what was not acknowledged, as the memory log decides; calls in flight
 * are lost to their clients. Sometimes the next life finds an empty disk, or an old one.
 *
 * Thread: one. Ownership: owns everything of the server. */
#ifndef PD_TESTS_SIM_SIM_WORLD_H
#define PD_TESTS_SIM_SIM_WORLD_H

#include "engine/frontend/frontend.h"
#include "engine/node/node.h"
#include "log/memory/memory.h"
#include "tests/sim/sim.h"

struct sim_world {
    sim_t *sim;
    pd_log_memory_t *storage;
    pd_store_shared_t *store_shared;
    /* Of this life; NULL while down. */
    pd_log_t *log;
    pd_namespaces_t *namespaces;
    pd_node_t *node;
    pd_frontend_t *frontend;
    pd_node_state_t state;
    struct sim_begun {
        pd_mail_t mail;
        struct sim_world *world;
    } begun[SIM_LOOP_COUNT_MAX];
    uint32_t begun_left; /* engine loops on which the node has not been started yet */
    bool stopping;
    bool hectic; /* faults follow one another closely */
    bool event_due;
    uint32_t life_count, crash_count, stop_count;
    uint32_t disk; /* which of the disks */
    uint32_t disk_count;
    pd_timer_t start_timer, event_timer;
};

sim_world_t *sim_world_new(sim_t *sim);
void sim_world_free(sim_world_t *world);
/* First life; from then on crashes, stops and faults come by themselves while sim->faults. */
void sim_world_start(sim_world_t *world);
/* The faults end: what lives goes on, what is down starts. */
void sim_world_calm(sim_world_t *world);
/* A clean stop, to the end. */
void sim_world_stop(sim_world_t *world);
/* NULL while down. */
/* Between two steps: crashes, restarts, faults that are due. */
void sim_world_tick(sim_world_t *world);
pd_frontend_t *sim_world_frontend(sim_world_t *world);
/* NULL while down. */
pd_partition_t *sim_world_partition(sim_world_t *world, uint32_t index);

#endif
