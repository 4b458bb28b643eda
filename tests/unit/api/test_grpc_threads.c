/* Several frontend threads on one port, answers that come from another thread by mail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/grpc/client.h"
#include "api/grpc/server.h"
#include "base/assert.h"
#include "base/memory.h"

enum { FRONTEND_COUNT = 2, CLIENT_COUNT = 4, CALL_COUNT = 2000, WINDOW = 50 };

typedef struct frontend {
    struct world *world;
    pd_loop_event_t *loop;
    pd_grpc_server_t *server;
    pd_mail_t stop_mail;
} frontend_t;

/* One call on its way through the worker thread and back. */
typedef struct job {
    pd_mail_t mail;
    frontend_t *frontend;
    pd_grpc_call_t *call;
    uint8_t *answer;
    size_t size;
} job_t;

typedef struct client {
    struct world *world;
    pd_grpc_client_t *client;
    size_t started;
} client_t;

typedef struct world {
    frontend_t frontends[FRONTEND_COUNT];
    pd_loop_event_t *worker;
    pd_loop_event_t *main;
    client_t clients[CLIENT_COUNT];
    size_t replies;
} world_t;

static void run_answer(pd_mail_t *mail)
{
    job_t *job = PD_CONTAINER_OF(mail, job_t, mail);

    pd_grpc_call_respond(job->call, job->answer, job->size);
    pd_free(job);
}

/* @thread worker: reads what the call lends, and sends the answer back. */
static void run_work(pd_mail_t *mail)
{
    job_t *job = PD_CONTAINER_OF(mail, job_t, mail);
    pd_bytes_t message = pd_grpc_call_message(job->call);

    job->answer = pd_memdup(message.data, message.size);
    job->size = message.size;
    job->mail.run = run_answer;
    pd_loop_post(pd_loop_event_loop(job->frontend->loop), &job->mail);
}

static void on_call(void *ctx, pd_grpc_call_t *call)
{
    frontend_t *frontend = ctx;
    job_t *job = PD_NEW(job_t);

    job->frontend = frontend;
    job->call = call;
    job->mail.run = run_work;
    pd_loop_post(pd_loop_event_loop(frontend->world->worker), &job->mail);
}

static const pd_grpc_server_handler_t handler = {.on_call = on_call};

static void on_stopped(void *ctx)
{
    frontend_t *frontend = ctx;

    pd_grpc_server_free(frontend->server);
    frontend->server = NULL;
}

static void run_stop(pd_mail_t *mail)
{
    frontend_t *frontend = PD_CONTAINER_OF(mail, frontend_t, stop_mail);

    pd_grpc_server_stop(frontend->server, 1000000000, on_stopped, frontend);
}

static void start_call(client_t *client);

static void on_reply(void *ctx, const pd_grpc_reply_t *reply)
{
    client_t *client = ctx;
    world_t *world = client->world;

    PD_ASSERT(reply->code == PD_GRPC_OK);
    PD_ASSERT(pd_bytes_equal(reply->data, pd_bytes_str("some bytes")));
    if (client->started < CALL_COUNT)
        start_call(client);
    if (++world->replies == CLIENT_COUNT * CALL_COUNT)
        pd_loop_event_break(world->main);
}

static void start_call(client_t *client)
{
    pd_grpc_request_t request = {
        .path = "/t.T/Echo",
        .data = (uint8_t *)pd_strdup("some bytes"),
        .size = 10,
        .timeout_ns = INT64_C(60000000000),
        .on_reply = on_reply,
        .ctx = client,
    };

    client->started++;
    pd_grpc_client_call(client->client, &request);
}

static pd_loop_event_t *new_loop(const char *name)
{
    pd_loop_event_options_t options = {.name = name, .mailbox_count = 16};

    return pd_loop_event_new(&options);
}

static void start_frontend(world_t *world, frontend_t *frontend, uint16_t *port)
{
    pd_grpc_server_options_t options;
    pd_error_t error;

    pd_grpc_server_options_init(&options);
    options.port = *port;
    options.reuse_port = true;
    frontend->world = world;
    frontend->loop = new_loop("frontend");
    assert_int_equal(
        pd_grpc_server_new(frontend->loop, &options, &handler, frontend, &frontend->server, &error),
        PD_OK);
    *port = pd_grpc_server_port(frontend->server);
    pd_loop_event_start(frontend->loop);
}

static void calls_pass_through_threads(void **state)
{
    world_t *world = PD_NEW(world_t);
    pd_grpc_client_options_t options;
    pd_error_t error;
    char address[32];
    uint16_t port = 0;

    world->main = new_loop("main");
    world->worker = new_loop("worker");
    pd_loop_event_start(world->worker);
    for (int i = 0; i < FRONTEND_COUNT; i++)
        start_frontend(world, &world->frontends[i], &port);
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    pd_grpc_client_options_init(&options);
    options.address = address;
    for (int i = 0; i < CLIENT_COUNT; i++) {
        client_t *client = &world->clients[i];

        client->world = world;
        assert_int_equal(pd_grpc_client_new(world->main, &options, &client->client, &error), PD_OK);
        for (int at = 0; at < WINDOW; at++)
            start_call(client);
    }
    pd_loop_event_run(world->main);
    assert_int_equal(world->replies, CLIENT_COUNT * CALL_COUNT);
    for (int i = 0; i < CLIENT_COUNT; i++)
        pd_grpc_client_free(world->clients[i].client);
    for (int i = 0; i < FRONTEND_COUNT; i++) {
        frontend_t *frontend = &world->frontends[i];

        frontend->stop_mail.run = run_stop;
        pd_loop_post(pd_loop_event_loop(frontend->loop), &frontend->stop_mail);
        pd_loop_event_stop(frontend->loop);
        pd_grpc_server_free(frontend->server);
        pd_loop_event_free(frontend->loop);
    }
    pd_loop_event_stop(world->worker);
    pd_loop_event_free(world->worker);
    pd_loop_event_free(world->main);
    pd_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_pass_through_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
