/* forward.h -- several nodes look like one: a router above the node's own that sends each call
 * where its workflow or task queue lives.
 *
 *     frontend ─▶ forward ──ours──▶ the node's router ─▶ partition, matching
 *                    │  ▲                                    │ not taken (not the owner any more)
 *                    │  └────── parked: next view, or soon ◀─┘
 *                    └──another's──▶ peers ─▶ the owner's frontend (one hop)
 *
 * A call goes over as it came: path, bytes, deadline, headers. The answer comes back unchanged. One
 * header says who forwarded it; such a call is never forwarded again, but refused as not taken, so
 * there are no loops. A call that was surely not taken is tried again, here or there, until its
 * deadline or PD_FORWARD_PATIENCE_NS; one whose outcome is unknown ends UNAVAILABLE, and clients
 * repeat it with the same request ID.
 *
 * Trust: the header is believed from anybody, and can only make a call fail sooner. There is no
 * authentication between nodes yet: whoever reaches the port may call perdure.v1.Internal.
 *
 * Thread: the front loop, except where said. Ownership: borrows what its options name until _free.
 */
#ifndef PD_ENGINE_FORWARD_FORWARD_H
#define PD_ENGINE_FORWARD_FORWARD_H

#include "engine/cluster/view.h"
#include "engine/forward/peers.h"
#include "engine/node/node.h"

#define PD_FORWARD_HEADER "perdure-forwarded"
#define PD_FORWARD_PATIENCE_NS ((int64_t)2000000000)

typedef struct pd_forward pd_forward_t;

typedef struct pd_forward_options {
    pd_loop_t *loop; /* where the frontend lives */
    pd_peers_t peers;
    pd_namespaces_t *namespaces;
    const char *node; /* this node's name; copied */
    uint32_t partition_count;
} pd_forward_options_t;

/* Without a view all is ours. @thread any, before the loop runs or on it */
pd_forward_t *pd_forward_new(const pd_forward_options_t *options);
/* For the options of the node below. */
pd_node_far_t pd_forward_far(pd_forward_t *forward);
/* What is ours goes there. Once, before the first call. Borrowed until _free. */
void pd_forward_set_node(pd_forward_t *forward, pd_node_t *node);
/* No call may be open; the peers have been freed before. */
void pd_forward_free(pd_forward_t *forward);

pd_router_t pd_forward_router(pd_forward_t *forward);
/* The cluster has changed: tells the node, too, once it is known here. Takes a reference.
 * @thread any */
void pd_forward_set_view(pd_forward_t *forward, pd_cluster_view_t *view);

#endif
