/* sim_world.h -- what is under simulation: servers, the broker and the disks that outlive them, and
 * what happens to them.
 *
 * Thread: one. Ownership: owns everything of the servers. */
#ifndef PD_TESTS_SIM_SIM_WORLD_H
#define PD_TESTS_SIM_SIM_WORLD_H

#include "log/memory/memory.h"
#include "tests/sim/sim_server.h"

struct sim_world {
    sim_t *sim;
    pd_log_memory_t *storage;
    pd_store_shared_t *store_shared;
    sim_server_t servers[SIM_SERVER_COUNT_MAX];
    uint32_t server_count;
    bool cut[SIM_SERVER_COUNT_MAX][SIM_SERVER_COUNT_MAX]; /* sim_net: from, to */
    bool hectic;                                          /* faults follow one another closely */
    bool event_due;
    pd_timer_t event_timer;
};

sim_world_t *sim_world_new(sim_t *sim);
void sim_world_free(sim_world_t *world);
/* First lives; from then on crashes, stops and faults come by themselves while sim->faults. */
void sim_world_start(sim_world_t *world);
/* The faults end: what lives goes on, what is down starts. */
void sim_world_calm(sim_world_t *world);
/* Clean stops, to the end. */
void sim_world_stop(sim_world_t *world);
/* Between two steps: crashes, restarts, faults that are due. */
void sim_world_tick(sim_world_t *world);
/* For a client that connects to any of them. */
sim_server_t *sim_world_some_server(sim_world_t *world);
/* NULL: that server is down. */
pd_partition_t *sim_world_partition(sim_world_t *world, uint32_t server, uint32_t index);
/* The partition of a server that owns it by this epoch (-1: thinks that it does); NULL: none. */
pd_partition_t *sim_world_owner(sim_world_t *world, uint32_t index, int64_t epoch);

#endif
