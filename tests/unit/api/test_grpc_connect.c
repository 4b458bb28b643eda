/* test_grpc_connect.c -- what counts as connected: a peer that has sent its SETTINGS. A listener
 * whose process hangs accepts all the same, by its kernel, and then says nothing. */
#include <arpa/inet.h>
#include <netdb.h>
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

enum { FRAME_HEAD_SIZE = 9, PREFACE_SIZE = 24 };

static const uint8_t settings[FRAME_HEAD_SIZE] = {0, 0, 0, 4, 0, 0, 0, 0, 0};

/* Nobody accepts from it, unless the test does. */
static int listen_at(const char *ip, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    assert_int_equal(inet_pton(AF_INET, ip, &address.sin_addr), 1);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static void start_client(world_t *world, int64_t timeout_ns, pd_grpc_look_up_t look_up)
{
    pd_grpc_client_options_t options;

    pd_grpc_client_options_init(&options);
    options.connect_timeout_ns = timeout_ns;
    if (look_up)
        options.look_up = look_up;
    world_start_client(world, &options);
}

typedef struct outcome {
    world_t *world;
    bool unsent;
} outcome_t;

static void on_reply(void *ctx, const pd_grpc_reply_t *reply)
{
    outcome_t *outcome = ctx;

    outcome->unsent = reply->unsent;
    world_on_reply(outcome->world, reply);
}

/* Whether a call that does not wait for better times surely never left. Its own time is long. */
static bool call_is_unsent(world_t *world)
{
    outcome_t outcome = {.world = world};
    pd_grpc_request_t request = {
        .path = "/t.T/Echo", .timeout_ns = 5000 * MS_NS, .on_reply = on_reply, .ctx = &outcome};

    world->replies_left++;
    pd_grpc_client_call(world->client, &request);
    world_run(world);
    return outcome.unsent;
}

static void who_accepts_and_is_silent_is_not_there(void **state)
{
    world_t *world = *state;
    char expected[96];
    int listener;

    world_stop_server(world);
    listener = listen_at("127.0.0.1", world->port);
    start_client(world, 50 * MS_NS, NULL);
    assert_true(call_is_unsent(world));
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 1);
    snprintf(expected, sizeof(expected), "cannot connect to 127.0.0.1:%u: server is silent",
             world->port);
    assert_string_equal(world->message, expected);
    /* And when it is itself again, whoever waits gets through. */
    world_call(world, "/t.T/Echo", "x", 1, 0, true);
    close(listener);
    world_start_server(world);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
}

/* 127.0.0.2, and behind it 127.0.0.1. */
static int look_up_two(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    struct addrinfo *second;

    PD_ASSERT(getaddrinfo("127.0.0.2", port, hints, found) == 0 && !(*found)->ai_next);
    PD_ASSERT(getaddrinfo("127.0.0.1", port, hints, &second) == 0);
    (*found)->ai_next = second;
    return 0;
}

static void the_next_address_is_tried(void **state)
{
    world_t *world = *state;
    int listener = listen_at("127.0.0.2", world->port);

    snprintf(world->address, sizeof(world->address), "two.test:%u", world->port);
    start_client(world, 300 * MS_NS, look_up_two);
    /* On a busy machine the good one may be late once, too: the call waits for another attempt. */
    world_call(world, "/t.T/Echo", "x", 1, 0, true);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
    close(listener);
}

static void a_client_may_go_while_the_peer_is_silent(void **state)
{
    world_t *world = *state;
    int listener;

    world_stop_server(world);
    listener = listen_at("127.0.0.1", world->port);
    start_client(world, 60000 * MS_NS, NULL);
    world_call(world, "/t.T/Echo", "x", 1, 50 * MS_NS, true);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_DEADLINE_EXCEEDED], 1);
    close(listener);
}

/* ---- a peer of the test's own ---- */

typedef struct alarm_clock {
    pd_timer_t timer;
    pd_loop_event_t *loop;
} alarm_clock_t;

static void on_alarm(pd_timer_t *timer)
{
    pd_loop_event_break(PD_CONTAINER_OF(timer, alarm_clock_t, timer)->loop);
}

static void run_for(world_t *world, int64_t ns)
{
    alarm_clock_t alarm = {.timer = {.fire = on_alarm}, .loop = world->loop};

    pd_loop_timer_start(pd_loop_event_loop(world->loop), &alarm.timer,
                        pd_loop_event_refresh_ns(world->loop) + ns);
    pd_loop_event_run(world->loop);
}

typedef struct peer {
    int fd;
    size_t size, at;
    uint8_t bytes[4096];
} peer_t;

/* The types of the next frames, as a text of digits; waits until so many have come. */
static void await_frames(world_t *world, peer_t *peer, size_t count, char *types)
{
    size_t body;

    for (size_t found = 0; found < count;) {
        const uint8_t *head = peer->bytes + peer->at;
        ssize_t size;

        body = (size_t)head[0] << 16 | (size_t)head[1] << 8 | (size_t)head[2];
        if (peer->at + FRAME_HEAD_SIZE <= peer->size &&
            peer->at + FRAME_HEAD_SIZE + body <= peer->size) {
            types[found++] = (char)('0' + head[3]);
            peer->at += FRAME_HEAD_SIZE + body;
            continue;
        }
        run_for(world, MS_NS);
        size = recv(peer->fd, peer->bytes + peer->size, sizeof(peer->bytes) - peer->size,
                    MSG_DONTWAIT);
        peer->size += size > 0 ? (size_t)size : 0;
    }
    types[count] = '\0';
}

static void calls_leave_only_after_the_settings_came(void **state)
{
    world_t *world = *state;
    peer_t peer = {.at = PREFACE_SIZE};
    char types[8];
    uint8_t more;
    int listener;

    world_stop_server(world);
    listener = listen_at("127.0.0.1", world->port);
    start_client(world, 60000 * MS_NS, NULL);
    world_call(world, "/t.T/Echo", "x", 1, 0, false);
    run_for(world, MS_NS);
    peer.fd = accept(listener, NULL, NULL);
    await_frames(world, &peer, 2, types);
    assert_string_equal(types, "48"); /* SETTINGS, WINDOW_UPDATE */
    run_for(world, 20 * MS_NS);
    assert_int_equal(peer.at, peer.size);
    assert_int_equal(recv(peer.fd, &more, 1, MSG_DONTWAIT), -1);
    assert_int_equal(send(peer.fd, settings, sizeof(settings), MSG_NOSIGNAL), sizeof(settings));
    await_frames(world, &peer, 3, types);
    assert_string_equal(types, "410"); /* the acknowledgement; HEADERS, DATA */
    close(peer.fd);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 1);
    assert_string_equal(world->message, "connection lost: closed by the peer");
    close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_accepts_and_is_silent_is_not_there),
        TEST(the_next_address_is_tried),
        TEST(a_client_may_go_while_the_peer_is_silent),
        TEST(calls_leave_only_after_the_settings_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
