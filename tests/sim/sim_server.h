/* sim_server.h -- one server process under simulation: a node, its frontend and its loops, life
 * after life, over a log and disks that outlive it.
 *
 *     down --begin--> up --crash or stop--> down
 *
 * Each life is a new node, frontend and registry of namespaces. A crash loses what was not
 * acknowledged, as the memory log decides; calls in flight are lost to their clients. Sometimes the
 * next life finds an empty disk, or an old one.
 *
 * Thread: one. Ownership: owns everything of its life. */
#ifndef PD_TESTS_SIM_SIM_SERVER_H
#define PD_TESTS_SIM_SIM_SERVER_H

#include "engine/forward/forward.h"
#include "engine/frontend/frontend.h"
#include "engine/node/node.h"
#include "tests/sim/sim.h"

typedef struct sim_server {
    sim_t *sim;
    uint32_t index;
    char name[16];
    uint32_t loop_first; /* its loops: frontend's, engine's; with several servers, the cluster's */
    uint32_t loop_count;
    /* Of this life; NULL while down. */
    pd_log_t *log;
    pd_namespaces_t *namespaces;
    pd_node_t *node;
    pd_frontend_t *frontend;
    struct sim_net *net; /* NULL, as forward: alone */
    pd_forward_t *forward;
    pd_node_state_t state;
    struct sim_begun {
        pd_mail_t mail;
        struct sim_server *server;
    } begun[SIM_LOOP_COUNT_MAX];
    uint32_t begun_left; /* engine and cluster loops on which the node has not been started yet */
    bool stopping;
    uint32_t life_count, crash_count, stop_count;
    uint32_t disk; /* which of its disks */
    uint32_t disk_count;
    pd_random_t
        losses; /* at crashes; not of the run's dice, which stores that lose nothing share */
    pd_timer_t start_timer;
} sim_server_t;

/* Takes the loops [loop_first, loop_first + loop_count) of sim->loops. */
void sim_server_init(sim_server_t *server, sim_t *sim, uint32_t index, uint32_t loop_first,
                     uint32_t loop_count);
void sim_server_begin(sim_server_t *server);
/* Between steps only. False: it cannot die right now (down, or just being born). */
bool sim_server_crash(sim_server_t *server);
/* Begins a clean stop; it ends by itself (sim_server_tick). False: down or stopping. */
bool sim_server_stop(sim_server_t *server);
/* A clean stop, to the end; it does not start again. */
void sim_server_stop_now(sim_server_t *server);
/* Between two steps: a stop that has ended, a node that failed. */
void sim_server_tick(sim_server_t *server);
/* Where new calls go; NULL while it takes none. */
pd_frontend_t *sim_server_frontend(sim_server_t *server);
pd_loop_t *sim_server_front(sim_server_t *server);

#endif
