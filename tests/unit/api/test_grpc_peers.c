/* Peers that the server cannot trust: nonsense, silence, no reading. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/unit/api/grpc_world.h"

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
    world_start_client(world, NULL);
    world_echo(world);
    world_echo(world);
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

    world_stop_server(world);
    world->server_options.keepalive_idle_ns = 5 * MS_NS;
    world->server_options.keepalive_timeout_ns = 5 * MS_NS;
    world_start_server(world);
    dead = connect_raw(world);
    write_all(dead, preface, sizeof(preface));
    world_start_client(world, NULL);
    do { /* the client answers its pings, so it stays */
        world_echo(world);
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
    world_start_client(world, NULL);
    for (size_t sent = 0; sent < out.size;) {
        ssize_t part = send(slow, out.data + sent, out.size - sent < 3000 ? out.size - sent : 3000,
                            MSG_NOSIGNAL | MSG_DONTWAIT);

        if (part > 0)
            sent += (size_t)part;
        else
            assert_int_equal(errno, EAGAIN);
        world_echo(world);
        if (part < 0)
            break;
    }
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 0);
    pd_grpc_server_stats(world->server, &stats);
    assert_true(world->large_count < 100); /* it did not read on and on */
    close(slow);
    do {
        world_echo(world);
        pd_grpc_server_stats(world->server, &stats);
    } while (stats.open_connection_count > 1);
    assert_int_equal(stats.open_call_count, 0);
    pd_buf_deinit(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(strange_peers_disturb_nobody),
        TEST(dead_peers_are_dropped),
        TEST(slow_readers_hold_up_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
