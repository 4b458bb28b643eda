/* peers.h -- how calls travel to other nodes: what the forwarding router needs of a transport.
 *
 * Implemented over gRPC (engine/forward_grpc) and by simulated networks. A transport knows
 * addresses, not members: it connects when the first call needs it, fails fast when nobody is
 * there, and bounds what may be under way to one peer.
 *
 * Thread: the front loop. Ownership: a request is copied by `call`, but for ctx; a reply is
 * borrowed until on_reply returns. */
#ifndef PD_ENGINE_FORWARD_PEERS_H
#define PD_ENGINE_FORWARD_PEERS_H

#include "base/buf.h"
#include "engine/cluster/view.h"

typedef struct pd_peer_reply {
    int code; /* of gRPC */
    const char *message;
    pd_bytes_t data;    /* the answer when code is OK */
    pd_bytes_t details; /* an encoded google.rpc.Status, or empty */
    bool unsent;        /* it surely never reached the peer's code */
    bool lost;          /* the peer or the way to it failed: nobody knows what came of the call */
} pd_peer_reply_t;

typedef struct pd_peer_header {
    const char *name; /* lower case */
    const char *value;
} pd_peer_header_t;

typedef struct pd_peer_request {
    const char *address; /* host:port */
    const char *path;
    pd_bytes_t message;
    const pd_peer_header_t *headers;
    size_t header_count;
    int64_t timeout_ns; /* 0: none */
    /* Once, never from inside `call` or `cancel`. May make and cancel calls. */
    void (*on_reply)(void *ctx, const pd_peer_reply_t *reply);
    void *ctx;
} pd_peer_request_t;

typedef struct pd_peers_ops {
    const char *name;
    /* Never NULL: every failure comes through on_reply. What is returned is valid until on_reply,
     * or `cancel`. */
    void *(*call)(void *ctx, const pd_peer_request_t *request);
    /* on_reply does not come. */
    void (*cancel)(void *ctx, void *pending);
    /* These are the members now; calls to any other address end as `lost`, perhaps inside. Not from
     * inside on_reply. */
    void (*keep)(void *ctx, const pd_cluster_view_t *view);
} pd_peers_ops_t;

typedef struct pd_peers {
    const pd_peers_ops_t *ops;
    void *ctx;
} pd_peers_t;

#endif
