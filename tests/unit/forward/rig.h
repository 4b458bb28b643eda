/* rig.h -- two whole nodes in one process, each with a log, a store and a gRPC server of its own,
 * and a client of each. Who owns what is only said by the views that the test makes: every node
 * could serve every partition.
 *
 * Thread: the test's, on which the front loop runs while a call is awaited; each node's engine loop
 * has a thread of its own. */
#ifndef PD_TESTS_UNIT_FORWARD_RIG_H
#define PD_TESTS_UNIT_FORWARD_RIG_H

#include <perdure/v1/internal.pb-c.h>

#include "api/grpc/client.h"
#include "api/grpc/server.h"
#include "engine/forward/forward.h"
#include "engine/forward_grpc/forward_grpc.h"
#include "engine/frontend_grpc/frontend_grpc.h"
#include "engine/node/node.h"

enum { RIG_NODE_COUNT = 2, RIG_PARTITION_COUNT = 4, RIG_CALL_COUNT = 16 };

#define RIG_NAMESPACE_ID "0196a1b2-0000-7000-8000-000000000001"
#define RIG_MS ((int64_t)1000000)

typedef struct rig rig_t;

typedef struct rig_node {
    rig_t *rig;
    const char *name;
    char address[32];
    pd_loop_event_t *engine;
    pd_loop_t *loops[1];
    pd_log_t *log;
    pd_store_shared_t *store_shared;
    pd_record_codec_t *codec, *command_codec, *rejected_codec;
    pd_namespaces_t *namespaces;
    pd_peers_grpc_t *peers;
    pd_forward_t *forward;
    pd_node_t *node;
    pd_frontend_t *frontend;
    pd_frontend_grpc_t frontend_grpc;
    pd_grpc_server_t *server;
    bool killed, server_stopped;
    pd_grpc_client_t *client; /* of this node */
    _Atomic(int) state;
    uint64_t call_count; /* that its server got */
    pd_grpc_metadata_t last_headers[32];
    size_t last_header_count;
    pd_router_ops_t router_ops;                       /* the forward router's, but for … */
    const Perdure__V1__GetViewResponse *told_instead; /* of its view; NULL: the truth */
} rig_node_t;

/* One call of a client. */
typedef struct rig_call {
    rig_t *rig;
    pd_grpc_pending_t *pending;
    pd_grpc_client_t *client;
    bool done;
    int code;
    char *message;
    uint8_t *data;
    size_t size;
} rig_call_t;

struct rig {
    char directory[128];
    pd_loop_event_t *front;
    rig_node_t nodes[RIG_NODE_COUNT];
    int32_t owners[RIG_PARTITION_COUNT]; /* of the next view */
    int64_t epochs[RIG_PARTITION_COUNT];
    bool leaving[RIG_NODE_COUNT];
    bool gone[RIG_NODE_COUNT];
    bool stale[RIG_NODE_COUNT]; /* the node's own view */
    uint64_t version;
    pd_arena_t arena;
    int64_t next_timeout_ns;
    const pd_grpc_metadata_t *metadata; /* of the next calls */
    size_t metadata_count;
};

/* Partitions 0 and 1 are node 0's, the others node 1's. */
rig_t *rig_new(void);
void rig_free(rig_t *rig);

/* Tells every node what owners, leaving and gone say. */
void rig_tell_view(rig_t *rig);
void rig_tell_view_to(rig_t *rig, int node);
/* The node's server and its connections are gone at once. */
void rig_kill(rig_t *rig, int node);
/* What the node itself thinks of a partition. Returns when it is so. */
void rig_set_role(rig_t *rig, int node, uint32_t partition, pd_partition_role_t role);

/* A workflow ID of a partition; the nth. */
const char *rig_workflow_id(rig_t *rig, uint32_t partition, int nth);
/* A task queue whose home is that node by the present view; the nth. */
const char *rig_task_queue(rig_t *rig, int node, int nth);

/* Sends a request of the workflow service to a node. */
void rig_send(rig_t *rig, int node, const char *method, const void *request, rig_call_t *call);
void rig_await(rig_t *rig, rig_call_t *call);
void rig_cancel(rig_t *rig, rig_call_t *call);
void rig_call_deinit(rig_call_t *call);
/* To its end; the answer in the rig's arena, NULL when it is an error. */
void *rig_call(rig_t *rig, int node, const char *method, const void *request,
               const ProtobufCMessageDescriptor *response, rig_call_t *call);
void *rig_answer(rig_t *rig, const rig_call_t *call, const ProtobufCMessageDescriptor *response);
/* Runs the front loop until `is` holds; false after five seconds. */
bool rig_until(rig_t *rig, bool (*is)(void *ctx), void *ctx);

#endif
