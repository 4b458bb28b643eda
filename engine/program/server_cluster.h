/* server_cluster.h -- what a server has more when it is one of several: a loop for heartbeats, its
 * membership, and the way to the other nodes.
 *
 * Thread: main. Ownership: options, front and namespaces are borrowed until _free. */
#ifndef PD_ENGINE_PROGRAM_SERVER_CLUSTER_H
#define PD_ENGINE_PROGRAM_SERVER_CLUSTER_H

#include "base/loop_event.h"
#include "engine/node/node.h"
#include "engine/program/options.h"

typedef struct pd_server_cluster pd_server_cluster_t;

pd_server_cluster_t *pd_server_cluster_new(const pd_program_options_t *options,
                                           pd_loop_event_t *front, pd_namespaces_t *namespaces);
/* Sets what the node must be told; it is borrowed until _free. */
void pd_server_cluster_fill(pd_server_cluster_t *self, pd_node_options_t *options);
/* The node that was made of those options. */
void pd_server_cluster_set_node(pd_server_cluster_t *self, pd_node_t *node);
/* Where the frontend's calls go. */
pd_router_t pd_server_cluster_router(pd_server_cluster_t *self);

void pd_server_cluster_start(pd_server_cluster_t *self);
/* The node is stopped. */
void pd_server_cluster_stop(pd_server_cluster_t *self);
/* In this order: peers, then (frontend and node are freed in between) the rest. NULL is nothing. */
void pd_server_cluster_free_peers(pd_server_cluster_t *self);
void pd_server_cluster_free(pd_server_cluster_t *self);

#endif
