/* rig.h -- a frontend with a loop that the test runs and a router that only notes what it gets.
 * Thread: the test's. */
#ifndef PD_TESTS_UNIT_FRONTEND_RIG_H
#define PD_TESTS_UNIT_FRONTEND_RIG_H

#include "engine/frontend/frontend.h"
#include "tests/unit/log/manual_loop.h"

#define RIG_NAMESPACE_ID "0196a1b2-0000-7000-8000-000000000001"
#define RIG_OTHER_NAMESPACE_ID "0196a1b2-0000-7000-8000-000000000002"
#define RIG_RUN_ID "0196a1b2-0000-7000-8000-00000000000a"

enum { RIG_PARTITION_COUNT = 4 };

typedef struct rig {
    manual_loop_t loop;
    pd_namespaces_t *namespaces;
    pd_frontend_t *frontend;
    bool full;           /* the router takes nothing */
    int64_t deadline_ns; /* of the next calls */

    /* Of the last call. */
    pd_arena_t arena;
    pd_call_t call;
    bool finished;
    const pd_command_t *command; /* what the router got, answered empty by the rig */
    const pd_poll_t *poll;
    const Perdure__V1__NamespaceRegistered *registered;
    size_t query_count, shutdown_count, cancel_count, internal_count;
} rig_t;

/* With namespaces "default" and "other". */
void rig_init(rig_t *rig);
void rig_deinit(rig_t *rig);

/* One call, to its end. */
void rig_call_bytes(rig_t *rig, const char *path, pd_bytes_t message);
void rig_call(rig_t *rig, const char *method, const void *request);
/* The answer of the last call; NULL when it failed. */
void *rig_response(rig_t *rig, const ProtobufCMessageDescriptor *type);
/* "" when the last call succeeded. */
const char *rig_error(const rig_t *rig);
pd_rpc_code_t rig_code(const rig_t *rig);

/* A packed task token of workflow "w". */
ProtobufCBinaryData rig_token(rig_t *rig, const char *namespace_id);

#endif
