/* grpc_world.h -- a client and a server over loopback on one loop, for tests.
 *
 * The handler knows /t.T/Echo, /Metadata (returns x-key), /Large (1 MiB), /Wait (kept in `waiting`
 * until the test answers) and fails everything else with ABORTED. Thread: one. */
#ifndef PD_TESTS_UNIT_API_GRPC_WORLD_H
#define PD_TESTS_UNIT_API_GRPC_WORLD_H

#include "api/grpc/client.h"
#include "api/grpc/server.h"

enum { POLL_COUNT = 20000 };

#define MS_NS INT64_C(1000000)

typedef struct world {
    pd_loop_event_t *loop;
    pd_grpc_server_t *server;
    pd_grpc_server_options_t server_options;
    pd_grpc_client_t *client;
    uint16_t port;
    char address[32];
    pd_grpc_call_t **waiting; /* calls of /t.T/Wait */
    size_t waiting_count;
    size_t cancel_count;
    size_t large_count;
    bool answer_cancels;
    bool stopped;
    size_t stop_waiting_at; /* break the loop when so many wait */
    size_t replies_left;    /* break the loop at 0 */
    size_t code_counts[17];
    char message[256];
    char details[64];
    size_t data_size;
    uint8_t data_sum;
} world_t;

/* cmocka fixtures: a running server, no client yet. */
int world_setup(void **state);
int world_teardown(void **state);

extern const pd_grpc_server_handler_t world_handler;

/* On the port of the last one, when there was one. */
void world_start_server(world_t *world);
void world_stop_server(world_t *world);
/* options may be NULL; the address is set here, and pauses are short. */
void world_start_client(world_t *world, const pd_grpc_client_options_t *wanted);
/* Calls the server; the reply is counted and kept in `world`. timeout_ns 0: none. */
pd_grpc_pending_t *world_call(world_t *world, const char *path, const void *data, size_t size,
                              int64_t timeout_ns, bool wait_for_ready);
void world_on_reply(void *ctx, const pd_grpc_reply_t *reply);
/* Until all replies are here, or as many calls wait as the test wanted. */
void world_run(world_t *world);
/* An echo call, to its end. */
void world_echo(world_t *world);

#endif
