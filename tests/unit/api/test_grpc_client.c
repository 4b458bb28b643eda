/* Client and server over loopback, both on one loop: calls, deadlines, cancelling, draining, coming
 * back. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/grpc/client.h"
#include "api/grpc/server.h"
#include "base/assert.h"
#include "base/memory.h"

enum { POLL_COUNT = 20000 };

static const int64_t ms_ns = 1000000;

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
    size_t expected_size;
} world_t;

static uint8_t *copy_of(pd_bytes_t bytes)
{
    return bytes.size ? pd_memdup(bytes.data, bytes.size) : NULL;
}

static void on_call(void *ctx, pd_grpc_call_t *call)
{
    world_t *world = ctx;
    const char *path = pd_grpc_call_path(call);
    pd_bytes_t message = pd_grpc_call_message(call);

    if (strcmp(path, "/t.T/Echo") == 0) {
        pd_grpc_call_respond(call, copy_of(message), message.size);
    } else if (strcmp(path, "/t.T/Metadata") == 0) {
        const char *value = pd_grpc_call_header(call, "x-key");

        pd_grpc_call_respond(call, (uint8_t *)pd_strdup(value), strlen(value));
    } else if (strcmp(path, "/t.T/Large") == 0) {
        world->large_count++;
        pd_grpc_call_respond(call, pd_calloc(1, 1 << 20), 1 << 20);
    } else if (strcmp(path, "/t.T/Wait") == 0) {
        PD_ASSERT(world->waiting_count < POLL_COUNT);
        pd_grpc_call_set_user(call, &world->waiting[world->waiting_count]);
        world->waiting[world->waiting_count++] = call;
        if (world->waiting_count == world->stop_waiting_at)
            pd_loop_event_break(world->loop);
    } else {
        pd_grpc_call_fail(call, PD_GRPC_ABORTED, "100% \xc3\xa4\n", message);
    }
}

static void on_cancel(void *ctx, pd_grpc_call_t *call)
{
    world_t *world = ctx;
    pd_grpc_call_t **slot = pd_grpc_call_user(call);

    world->cancel_count++;
    if (!world->answer_cancels)
        return;
    *slot = NULL;
    pd_grpc_call_fail(call, PD_GRPC_CANCELLED, NULL, pd_bytes(NULL, 0));
}

static const pd_grpc_server_handler_t handler = {.on_call = on_call, .on_cancel = on_cancel};

static void start_server(world_t *world)
{
    pd_error_t error;

    world->server_options.port = world->port;
    assert_int_equal(pd_grpc_server_new(world->loop, &world->server_options, &handler, world,
                                        &world->server, &error),
                     PD_OK);
    world->port = pd_grpc_server_port(world->server);
    snprintf(world->address, sizeof(world->address), "127.0.0.1:%u", world->port);
}

static void stop_server(world_t *world)
{
    pd_grpc_server_free(world->server);
    world->server = NULL;
}

static void start_client(world_t *world, const pd_grpc_client_options_t *wanted)
{
    pd_grpc_client_options_t options;
    pd_error_t error;

    if (wanted)
        options = *wanted;
    else
        pd_grpc_client_options_init(&options);
    options.address = world->address;
    options.backoff_min_ns = ms_ns;
    options.backoff_max_ns = 5 * ms_ns;
    assert_int_equal(pd_grpc_client_new(world->loop, &options, &world->client, &error), PD_OK);
}

static int setup(void **state)
{
    pd_loop_event_options_t options = {.name = "test", .mailbox_count = 16};
    world_t *world = PD_NEW(world_t);

    world->loop = pd_loop_event_new(&options);
    world->waiting = pd_calloc(POLL_COUNT, sizeof(*world->waiting));
    world->answer_cancels = true;
    pd_grpc_server_options_init(&world->server_options);
    world->server_options.gzip_loopback = true;
    start_server(world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    pd_grpc_client_free(world->client);
    pd_grpc_server_free(world->server);
    pd_loop_event_free(world->loop);
    pd_free(world->waiting);
    pd_free(world);
    return 0;
}

static void on_reply(void *ctx, const pd_grpc_reply_t *reply)
{
    world_t *world = ctx;

    PD_ASSERT(world->replies_left > 0 && reply->code >= 0 && reply->code <= 16);
    world->code_counts[reply->code]++;
    snprintf(world->message, sizeof(world->message), "%s", reply->message);
    snprintf(world->details, sizeof(world->details), "%.*s", (int)reply->details.size,
             reply->details.data ? (const char *)reply->details.data : "");
    world->data_size = reply->data.size;
    world->data_sum = 0;
    for (size_t i = 0; i < reply->data.size; i++)
        world->data_sum = (uint8_t)(world->data_sum + reply->data.data[i]);
    if (--world->replies_left == 0)
        pd_loop_event_break(world->loop);
}

static pd_grpc_pending_t *call(world_t *world, const char *path, const void *data, size_t size,
                               int64_t timeout_ns, bool wait_for_ready)
{
    pd_grpc_request_t request = {
        .path = path,
        .data = size ? pd_memdup(data, size) : NULL,
        .size = size,
        .timeout_ns = timeout_ns,
        .wait_for_ready = wait_for_ready,
        .on_reply = on_reply,
        .ctx = world,
    };

    world->replies_left++;
    return pd_grpc_client_call(world->client, &request);
}

static void run(world_t *world)
{
    pd_loop_event_run(world->loop);
}

static void messages_of_all_sizes_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 16384, 70000, 1 << 20, 4 << 20};
    world_t *world = *state;

    for (int gzip = 0; gzip < 2; gzip++) {
        pd_grpc_client_options_t options;

        pd_grpc_client_options_init(&options);
        options.gzip = gzip;
        start_client(world, &options);
        for (size_t i = 0; i < PD_ARRAY_COUNT(sizes); i++) {
            uint8_t *data = pd_alloc(sizes[i]), sum = 0;

            for (size_t at = 0; at < sizes[i]; at++)
                sum = (uint8_t)(sum + (data[at] = (uint8_t)(at * 31 >> 3)));
            call(world, "/t.T/Echo", data, sizes[i], 0, false);
            pd_free(data);
            run(world);
            assert_int_equal(world->data_size, sizes[i]);
            assert_int_equal(world->data_sum, sum);
        }
        assert_int_equal(world->code_counts[PD_GRPC_OK], PD_ARRAY_COUNT(sizes) * (1 + gzip));
        pd_grpc_client_free(world->client);
        world->client = NULL;
    }
}

static void many_calls_share_connections(void **state)
{
    world_t *world = *state;
    pd_grpc_client_options_t options;
    pd_grpc_server_stats_t stats;

    pd_grpc_client_options_init(&options);
    options.connection_count = 3;
    start_client(world, &options);
    for (int i = 0; i < 5000; i++)
        call(world, "/t.T/Echo", "x", 1, 70000 * ms_ns, false);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 5000);
    assert_int_equal(pd_grpc_client_open_count(world->client), 0);
    pd_grpc_server_stats(world->server, &stats);
    assert_int_equal(stats.call_count, 5000);
    assert_int_equal(stats.open_call_count, 0);
    assert_int_equal(stats.connection_count, 3);
}

static void calls_beyond_the_stream_limit_wait_their_turn(void **state)
{
    world_t *world = *state;

    stop_server(world);
    world->server_options.stream_count_max = 7;
    start_server(world);
    start_client(world, NULL);
    for (int i = 0; i < 500; i++)
        call(world, "/t.T/Echo", "x", 1, 0, false);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 500);
}

static void errors_arrive_whole(void **state)
{
    world_t *world = *state;

    start_client(world, NULL);
    call(world, "/t.T/Fail", "details", 7, 0, false);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_ABORTED], 1);
    assert_string_equal(world->message, "100% \xc3\xa4\n");
    assert_string_equal(world->details, "details");
}

static void metadata_reaches_the_handler(void **state)
{
    static const pd_grpc_metadata_t metadata[] = {{"x-key", "value 1"}};
    world_t *world = *state;
    pd_grpc_request_t request = {
        .path = "/t.T/Metadata",
        .metadata = metadata,
        .metadata_count = 1,
        .on_reply = on_reply,
        .ctx = world,
    };

    start_client(world, NULL);
    for (int i = 0; i < 2; i++) {
        request.path_is_static = request.metadata_is_static = i == 1;
        world->replies_left++;
        pd_grpc_client_call(world->client, &request);
        run(world);
        assert_int_equal(world->data_size, 7);
    }
}

static void too_large_a_request_is_told_in_grpc_go_words(void **state)
{
    world_t *world = *state;
    uint8_t *data = pd_calloc(1, (4 << 20) + 1);

    start_client(world, NULL);
    call(world, "/t.T/Echo", data, (4 << 20) + 1, 0, false);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_RESOURCE_EXHAUSTED], 1);
    assert_string_equal(world->message,
                        "grpc: received message larger than max (4194305 vs. 4194304)");
    call(world, "/t.T/Echo", data, 100, 0, false);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
    pd_free(data);
}

static void too_large_an_answer_is_refused(void **state)
{
    world_t *world = *state;
    pd_grpc_client_options_t options;
    uint8_t *data = pd_calloc(1, 100000);

    pd_grpc_client_options_init(&options);
    options.receive_size_max = 50000;
    start_client(world, &options);
    call(world, "/t.T/Echo", data, 100000, 0, false);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_RESOURCE_EXHAUSTED], 1);
    pd_free(data);
}

static void deadlines_reach_both_sides(void **state)
{
    world_t *world = *state;

    start_client(world, NULL);
    for (int i = 0; i < 100; i++)
        call(world, "/t.T/Wait", NULL, 0, (100 + i % 10) * ms_ns, false);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_DEADLINE_EXCEEDED], 100);
    /* The server's side: its own timer, or the reset, whichever was first. */
    call(world, "/t.T/Echo", NULL, 0, 0, false);
    run(world);
    assert_int_equal(world->cancel_count, 100);
}

static void cancelling_reaches_the_handler(void **state)
{
    world_t *world = *state;
    pd_grpc_pending_t *pending;

    start_client(world, NULL);
    pending = call(world, "/t.T/Wait", NULL, 0, 0, false);
    world->stop_waiting_at = 1;
    run(world);
    assert_int_equal(world->waiting_count, 1);
    pd_grpc_client_cancel(world->client, pending);
    world->replies_left--;
    call(world, "/t.T/Echo", NULL, 0, 0, false);
    run(world);
    assert_int_equal(world->cancel_count, 1);
    /* One that never left. */
    pending = call(world, "/t.T/Wait", NULL, 0, 0, false);
    pd_grpc_client_cancel(world->client, pending);
    world->replies_left--;
    assert_int_equal(pd_grpc_client_open_count(world->client), 0);
}

static void without_a_server_calls_fail_or_wait(void **state)
{
    world_t *world = *state;

    stop_server(world);
    start_client(world, NULL);
    call(world, "/t.T/Echo", NULL, 0, 0, false);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 1);
    assert_non_null(strstr(world->message, "Connection refused"));
    call(world, "/t.T/Echo", NULL, 0, 20 * ms_ns, true);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_DEADLINE_EXCEEDED], 1);
    call(world, "/t.T/Echo", NULL, 0, 0, true);
    start_server(world);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
}

static void a_lost_connection_fails_its_calls_and_comes_back(void **state)
{
    world_t *world = *state;

    start_client(world, NULL);
    for (int round = 1; round <= 3; round++) {
        call(world, "/t.T/Wait", NULL, 0, 0, false);
        world->stop_waiting_at = world->waiting_count + 1;
        run(world);
        stop_server(world);
        run(world);
        assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], round);
        start_server(world);
        call(world, "/t.T/Echo", NULL, 0, 0, true);
        run(world);
        assert_int_equal(world->code_counts[PD_GRPC_OK], round);
    }
}

static void on_stopped(void *ctx)
{
    world_t *world = ctx;

    world->stopped = true;
    pd_loop_event_break(world->loop);
}

static void on_stopped_free(void *ctx)
{
    world_t *world = ctx;

    stop_server(world);
    on_stopped(ctx);
}

static void stopping_lets_open_calls_finish(void **state)
{
    world_t *world = *state;

    start_client(world, NULL);
    call(world, "/t.T/Wait", NULL, 0, 0, false);
    world->stop_waiting_at = 1;
    run(world);
    pd_grpc_server_stop(world->server, INT64_C(3600) * 1000 * ms_ns, on_stopped_free, world);
    /* A call that crossed with the GOAWAY is served; a later one finds no server. */
    call(world, "/t.T/Echo", NULL, 0, 0, false);
    world->replies_left = 1;
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
    call(world, "/t.T/Echo", NULL, 0, 50 * ms_ns, true);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_DEADLINE_EXCEEDED], 1);
    assert_false(world->stopped);
    world->replies_left = 1;
    pd_grpc_call_respond(world->waiting[0], (uint8_t *)pd_strdup("bye"), 3);
    while (!world->stopped || world->replies_left)
        run(world);
    assert_int_equal(world->data_size, 3);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 2);
}

static void stopping_cancels_what_does_not_finish(void **state)
{
    world_t *world = *state;

    start_client(world, NULL);
    for (int i = 0; i < 10; i++)
        call(world, "/t.T/Wait", NULL, 0, 0, false);
    world->stop_waiting_at = 10;
    run(world);
    pd_grpc_server_stop(world->server, ms_ns, on_stopped, world);
    while (!world->stopped || world->replies_left)
        run(world);
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 10);
    assert_int_equal(world->cancel_count, 10);
}

static void stopping_waits_for_cancelled_calls_too(void **state)
{
    world_t *world = *state;

    world->answer_cancels = false;
    start_client(world, NULL);
    call(world, "/t.T/Wait", NULL, 0, 0, false);
    world->stop_waiting_at = 1;
    run(world);
    pd_grpc_server_stop(world->server, ms_ns, on_stopped, world);
    run(world); /* the client's reply */
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 1);
    assert_false(world->stopped);
    pd_grpc_call_fail(world->waiting[0], PD_GRPC_CANCELLED, NULL, pd_bytes(NULL, 0));
    run(world);
    assert_true(world->stopped);
}

static void twenty_thousand_polls_may_wait(void **state)
{
    world_t *world = *state;
    pd_grpc_client_options_t options;
    pd_grpc_server_stats_t stats;

    pd_grpc_client_options_init(&options);
    options.connection_count = 4;
    start_client(world, &options);
    for (int i = 0; i < POLL_COUNT; i++)
        call(world, "/t.T/Wait", "poll", 4, 3600000 * ms_ns, false);
    world->stop_waiting_at = POLL_COUNT;
    run(world);
    pd_grpc_server_stats(world->server, &stats);
    assert_int_equal(stats.open_call_count, POLL_COUNT);
    call(world, "/t.T/Echo", NULL, 0, 0, false);
    world->replies_left = 1;
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
    world->replies_left = POLL_COUNT;
    for (int i = 0; i < POLL_COUNT; i++)
        pd_grpc_call_respond(world->waiting[i], NULL, 0);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], POLL_COUNT + 1);
}

static void binding_fails_clearly(void **state)
{
    world_t *world = *state;
    pd_grpc_server_options_t options = world->server_options;
    pd_grpc_server_t *server;
    pd_error_t error;
    char expected[96];

    options.port = world->port;
    assert_int_equal(pd_grpc_server_new(world->loop, &options, &handler, world, &server, &error),
                     PD_EXISTS);
    snprintf(expected, sizeof(expected), "cannot listen on 127.0.0.1:%u: Address already in use",
             world->port);
    assert_string_equal(error.text, expected);
    options.ip = "localhost";
    assert_int_equal(pd_grpc_server_new(world->loop, &options, &handler, world, &server, &error),
                     PD_INVALID);
    assert_string_equal(error.text, "\"localhost\" is not a numeric IP address");
}

static void servers_may_share_a_port(void **state)
{
    world_t *world = *state;
    pd_grpc_server_t *other;
    pd_error_t error;

    stop_server(world);
    world->server_options.reuse_port = true;
    start_server(world);
    world->server_options.port = world->port;
    assert_int_equal(
        pd_grpc_server_new(world->loop, &world->server_options, &handler, world, &other, &error),
        PD_OK);
    start_client(world, NULL);
    call(world, "/t.T/Echo", NULL, 0, 0, false);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
    pd_grpc_server_free(other);
}

static void addresses_have_a_form(void **state)
{
    static const char *const bad[] = {"",       "host",  "host:",  ":7",
                                      "host:x", "::1:7", "[::1:7", "host:123456"};
    world_t *world = *state;
    pd_grpc_client_options_t options;
    pd_grpc_client_t *client;
    pd_error_t error;

    pd_grpc_client_options_init(&options);
    for (size_t i = 0; i < PD_ARRAY_COUNT(bad); i++) {
        options.address = bad[i];
        assert_int_equal(pd_grpc_client_new(world->loop, &options, &client, &error), PD_INVALID);
    }
    options.address = "[::1]:7233";
    assert_int_equal(pd_grpc_client_new(world->loop, &options, &client, &error), PD_OK);
    pd_grpc_client_free(client);
}

static int connect_raw(world_t *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(world->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Connections that talk nonsense or nothing do not disturb the others. */
static void strange_peers_disturb_nobody(void **state)
{
    world_t *world = *state;
    pd_grpc_server_stats_t stats;
    char buffer[256];
    int silent = connect_raw(world), loud = connect_raw(world), gone = connect_raw(world);

    assert_int_equal(write(loud, "GET / HTTP/1.0\r\n\r\n", 18), 18);
    close(gone);
    start_client(world, NULL);
    call(world, "/t.T/Echo", NULL, 0, 0, false);
    run(world);
    call(world, "/t.T/Echo", NULL, 0, 0, false);
    run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 2);
    while (recv(loud, buffer, sizeof(buffer), 0) > 0)
        continue; /* to the end: the server has closed it */
    pd_grpc_server_stats(world->server, &stats);
    assert_int_equal(stats.open_connection_count, 2);
    close(silent);
    close(loud);
}

static void write_all(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";

/* It has said hello, and never answers our PING. */
static void dead_peers_are_dropped(void **state)
{
    world_t *world = *state;
    pd_grpc_server_stats_t stats;
    int dead;

    stop_server(world);
    world->server_options.keepalive_idle_ns = 5 * ms_ns;
    world->server_options.keepalive_timeout_ns = 5 * ms_ns;
    start_server(world);
    dead = connect_raw(world);
    write_all(dead, preface, sizeof(preface));
    start_client(world, NULL);
    do { /* the client answers its pings, so it stays */
        call(world, "/t.T/Echo", NULL, 0, 0, false);
        run(world);
        pd_grpc_server_stats(world->server, &stats);
    } while (stats.connection_count < 2 || stats.open_connection_count > 1);
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 0);
    close(dead);
}

static void append(pd_buf_t *buf, const void *data, size_t size)
{
    assert_int_equal(pd_buf_append(buf, data, size), PD_OK);
}

/* HEADERS of a POST to /t.T/Echo in plain literals, and one DATA frame with an empty message. */
static void append_call(pd_buf_t *out, uint32_t stream_id)
{
    static const char *const headers[] = {
        ":method",    "POST",       ":scheme", "http",         ":path",
        "/t.T/Large", ":authority", "x",       "content-type", "application/grpc"};
    uint8_t block[256],
        id[4] = {0, (uint8_t)(stream_id >> 16), (uint8_t)(stream_id >> 8), (uint8_t)stream_id};
    size_t size = 0;

    for (size_t i = 0; i < PD_ARRAY_COUNT(headers); i++) {
        if (i % 2 == 0)
            block[size++] = 0; /* literal, not indexed, new name */
        block[size++] = (uint8_t)strlen(headers[i]);
        memcpy(block + size, headers[i], strlen(headers[i]));
        size += strlen(headers[i]);
    }
    append(out, (uint8_t[]){0, 0, (uint8_t)size, 1, 4}, 5);
    append(out, id, 4);
    append(out, block, size);
    append(out, (uint8_t[]){0, 0, 5, 0, 1}, 5);
    append(out, id, 4);
    append(out, "\0\0\0\0", 5);
}

/* It asks for 500 MB and reads nothing: the server stops reading from it, and serves the others. */
static void slow_readers_hold_up_nobody(void **state)
{
    static const uint8_t windows[] = {
        0, 0, 6, 4, 0, 0, 0, 0, 0, 0,    4, 0x7f, 0xff, 0xff, 0xff, /* SETTINGS: stream window */
        0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0, 0,    0};               /* WINDOW_UPDATE: connection */
    world_t *world = *state;
    pd_grpc_server_stats_t stats;
    pd_buf_t out;
    int slow = connect_raw(world);

    write_all(slow, preface, sizeof(preface));
    write_all(slow, windows, sizeof(windows));
    pd_buf_init(&out, 1 << 20);
    for (uint32_t i = 0; i < 500; i++)
        append_call(&out, 1 + 2 * i);
    start_client(world, NULL);
    for (size_t sent = 0; sent < out.size;) {
        ssize_t part = send(slow, out.data + sent, out.size - sent < 3000 ? out.size - sent : 3000,
                            MSG_NOSIGNAL | MSG_DONTWAIT);

        if (part > 0)
            sent += (size_t)part;
        else
            assert_int_equal(errno, EAGAIN);
        call(world, "/t.T/Echo", NULL, 0, 0, false);
        run(world);
        if (part < 0)
            break;
    }
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 0);
    pd_grpc_server_stats(world->server, &stats);
    assert_true(world->large_count < 100); /* it did not read on and on */
    close(slow);
    do {
        call(world, "/t.T/Echo", NULL, 0, 0, false);
        run(world);
        pd_grpc_server_stats(world->server, &stats);
    } while (stats.open_connection_count > 1);
    assert_int_equal(stats.open_call_count, 0);
    pd_buf_deinit(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(messages_of_all_sizes_come_back),
        TEST(many_calls_share_connections),
        TEST(calls_beyond_the_stream_limit_wait_their_turn),
        TEST(errors_arrive_whole),
        TEST(metadata_reaches_the_handler),
        TEST(too_large_a_request_is_told_in_grpc_go_words),
        TEST(too_large_an_answer_is_refused),
        TEST(deadlines_reach_both_sides),
        TEST(cancelling_reaches_the_handler),
        TEST(without_a_server_calls_fail_or_wait),
        TEST(a_lost_connection_fails_its_calls_and_comes_back),
        TEST(stopping_lets_open_calls_finish),
        TEST(stopping_cancels_what_does_not_finish),
        TEST(stopping_waits_for_cancelled_calls_too),
        TEST(twenty_thousand_polls_may_wait),
        TEST(binding_fails_clearly),
        TEST(servers_may_share_a_port),
        TEST(addresses_have_a_form),
        TEST(strange_peers_disturb_nobody),
        TEST(dead_peers_are_dropped),
        TEST(slow_readers_hold_up_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
