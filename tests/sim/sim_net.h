/* sim_net.h -- the network between the nodes of a simulated cluster: pd_peers_ops_t by mail.
 *
 *     caller's front loop ──delay──▶ callee's front loop ─▶ its frontend ──delay──▶ caller's
 *
 * A call to a server that is down ends `unsent`. A link may be cut in one direction or both: what
 * is on its way over it is lost, so a call may be done and its answer never come, and the caller
 * waits for its deadline, or a while. Nothing arrives twice. Delays pass on the broker's loop.
 *
 * Thread: one. Ownership: one per server and life; a call frees itself when both sides are through
 * with it. */
#ifndef PD_TESTS_SIM_SIM_NET_H
#define PD_TESTS_SIM_SIM_NET_H

#include "engine/forward/peers.h"
#include "tests/sim/sim_server.h"

typedef struct sim_net sim_net_t;

sim_net_t *sim_net_new(sim_server_t *server);
/* Calls still open end without on_reply. */
void sim_net_free(sim_net_t *net);
pd_peers_t sim_net_peers(sim_net_t *net);

/* ---- calls at a server ---- */

/* Those that other nodes sent it and it has not answered. */
size_t sim_net_at_count(const sim_server_t *server);
/* It died: their callers hear that they are lost, and it may stop working at them; what it asked of
 * others is lost, too. `frontend` is its own. */
void sim_net_lose(sim_server_t *server, pd_frontend_t *frontend);

/* ---- faults ---- */

/* What goes from one server to the other is lost from now on, or no more. */
void sim_net_cut(sim_t *sim, uint32_t from, uint32_t to, bool is_cut);
void sim_net_heal(sim_t *sim);

#endif
