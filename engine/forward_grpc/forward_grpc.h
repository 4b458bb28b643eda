/* forward_grpc.h -- the peers of a cluster over gRPC: one client per address, made when the first
 * call needs it, dropped when no member has that address any more.
 *
 * A peer that is not there fails its calls at once, one that is hung when it is connected to after
 * PD_PEER_CONNECT_TIMEOUT_NS, both unsent; one that does not answer pings any more is given up
 * after a few seconds. What may be under way to one peer
 * is bounded; beyond, calls end RESOURCE_EXHAUSTED, unsent.
 *
 * Thread: the loop's. Ownership: borrows the loop. */
#ifndef PD_ENGINE_FORWARD_GRPC_FORWARD_GRPC_H
#define PD_ENGINE_FORWARD_GRPC_FORWARD_GRPC_H

#include "base/loop_event.h"
#include "engine/forward/peers.h"

#define PD_PEER_CONNECT_TIMEOUT_NS ((int64_t)500000000)

typedef struct pd_peers_grpc pd_peers_grpc_t;

pd_peers_grpc_t *pd_peers_grpc_new(pd_loop_event_t *loop);
/* Calls still open end without on_reply. @thread loop, or after it has ended */
void pd_peers_grpc_free(pd_peers_grpc_t *self);
pd_peers_t pd_peers_grpc_peers(pd_peers_grpc_t *self);

#endif
