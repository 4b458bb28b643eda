/* Client and server over loopback, both on one loop: calls, deadlines, cancelling, draining, coming
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/unit/api/grpc_world.h"

static void messages_of_all_sizes_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 16384, 70000, 1 << 20, 4 << 20};
    world_t *world = *state;

    for (int gzip = 0; gzip < 2; gzip++) {
        pd_grpc_client_options_t options;

        pd_grpc_client_options_init(&options);
        options.gzip = gzip;
        world_start_client(world, &options);
        for (size_t i = 0; i < PD_ARRAY_COUNT(sizes); i++) {
            uint8_t *data = pd_alloc(sizes[i]), sum = 0;

            for (size_t at = 0; at < sizes[i]; at++)
                sum = (uint8_t)(sum + (data[at] = (uint8_t)(at * 31 >> 3)));
            world_call(world, "/t.T/Echo", data, sizes[i], 0, false);
            pd_free(data);
            world_run(world);
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
    world_start_client(world, &options);
    for (int i = 0; i < 5000; i++)
        world_call(world, "/t.T/Echo", "x", 1, 70000 * MS_NS, false);
    world_run(world);
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

    world_stop_server(world);
    world->server_options.stream_count_max = 7;
    world_start_server(world);
    world_start_client(world, NULL);
    for (int i = 0; i < 500; i++)
        world_call(world, "/t.T/Echo", "x", 1, 0, false);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 500);
}

static void errors_arrive_whole(void **state)
{
    world_t *world = *state;

    world_start_client(world, NULL);
    world_call(world, "/t.T/Fail", "details", 7, 0, false);
    world_run(world);
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
        .on_reply = world_on_reply,
        .ctx = world,
    };

    world_start_client(world, NULL);
    for (int i = 0; i < 2; i++) {
        request.path_is_static = request.metadata_is_static = i == 1;
        world->replies_left++;
        pd_grpc_client_call(world->client, &request);
        world_run(world);
        assert_int_equal(world->data_size, 7);
    }
}

static void too_large_a_request_is_told_in_grpc_go_words(void **state)
{
    world_t *world = *state;
    uint8_t *data = pd_calloc(1, (4 << 20) + 1);

    world_start_client(world, NULL);
    world_call(world, "/t.T/Echo", data, (4 << 20) + 1, 0, false);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_RESOURCE_EXHAUSTED], 1);
    assert_string_equal(world->message,
                        "grpc: received message larger than max (4194305 vs. 4194304)");
    world_call(world, "/t.T/Echo", data, 100, 0, false);
    world_run(world);
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
    world_start_client(world, &options);
    world_call(world, "/t.T/Echo", data, 100000, 0, false);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_RESOURCE_EXHAUSTED], 1);
    pd_free(data);
}

static void deadlines_reach_both_sides(void **state)
{
    world_t *world = *state;

    world_start_client(world, NULL);
    for (int i = 0; i < 100; i++)
        world_call(world, "/t.T/Wait", NULL, 0, (100 + i % 10) * MS_NS, false);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_DEADLINE_EXCEEDED], 100);
    /* The server's side: its own timer, or the reset, whichever was first. */
    world_echo(world);
    assert_int_equal(world->cancel_count, 100);
}

static void cancelling_reaches_the_handler(void **state)
{
    world_t *world = *state;
    pd_grpc_pending_t *pending;

    world_start_client(world, NULL);
    pending = world_call(world, "/t.T/Wait", NULL, 0, 0, false);
    world->stop_waiting_at = 1;
    world_run(world);
    assert_int_equal(world->waiting_count, 1);
    pd_grpc_client_cancel(world->client, pending);
    world->replies_left--;
    world_echo(world);
    assert_int_equal(world->cancel_count, 1);
    /* One that never left. */
    pending = world_call(world, "/t.T/Wait", NULL, 0, 0, false);
    pd_grpc_client_cancel(world->client, pending);
    world->replies_left--;
    assert_int_equal(pd_grpc_client_open_count(world->client), 0);
}

static void without_a_server_calls_fail_or_wait(void **state)
{
    world_t *world = *state;

    world_stop_server(world);
    world_start_client(world, NULL);
    world_echo(world);
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 1);
    assert_non_null(strstr(world->message, "Connection refused"));
    world_call(world, "/t.T/Echo", NULL, 0, 20 * MS_NS, true);
    world_run(world);
    if (world->code_counts[PD_GRPC_DEADLINE_EXCEEDED] != 1)
        fail_msg("it waits, and nobody is there: %s", world->message);
    world_call(world, "/t.T/Echo", NULL, 0, 0, true);
    world_start_server(world);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
}

static void a_lost_connection_fails_its_calls_and_comes_back(void **state)
{
    world_t *world = *state;

    world_start_client(world, NULL);
    for (int round = 1; round <= 3; round++) {
        world_call(world, "/t.T/Wait", NULL, 0, 0, false);
        world->stop_waiting_at = world->waiting_count + 1;
        world_run(world);
        world_stop_server(world);
        world_run(world);
        assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], round);
        world_start_server(world);
        world_call(world, "/t.T/Echo", NULL, 0, 0, true);
        world_run(world);
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

    world_stop_server(world);
    on_stopped(ctx);
}

static void stopping_lets_open_calls_finish(void **state)
{
    world_t *world = *state;

    world_start_client(world, NULL);
    world_call(world, "/t.T/Wait", NULL, 0, 0, false);
    world->stop_waiting_at = 1;
    world_run(world);
    pd_grpc_server_stop(world->server, INT64_C(3600) * 1000 * MS_NS, on_stopped_free, world);
    /* A call that crossed with the GOAWAY is served; a later one finds no server. */
    world_call(world, "/t.T/Echo", NULL, 0, 0, false);
    world->replies_left = 1;
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
    world_call(world, "/t.T/Echo", NULL, 0, 50 * MS_NS, true);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_DEADLINE_EXCEEDED], 1);
    assert_false(world->stopped);
    world->replies_left = 1;
    pd_grpc_call_respond(world->waiting[0], (uint8_t *)pd_strdup("bye"), 3);
    while (!world->stopped || world->replies_left)
        world_run(world);
    assert_int_equal(world->data_size, 3);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 2);
}

static void stopping_cancels_what_does_not_finish(void **state)
{
    world_t *world = *state;

    world_start_client(world, NULL);
    for (int i = 0; i < 10; i++)
        world_call(world, "/t.T/Wait", NULL, 0, 0, false);
    world->stop_waiting_at = 10;
    world_run(world);
    pd_grpc_server_stop(world->server, MS_NS, on_stopped, world);
    while (!world->stopped || world->replies_left)
        world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 10);
    assert_int_equal(world->cancel_count, 10);
}

static void stopping_waits_for_cancelled_calls_too(void **state)
{
    world_t *world = *state;

    world->answer_cancels = false;
    world_start_client(world, NULL);
    world_call(world, "/t.T/Wait", NULL, 0, 0, false);
    world->stop_waiting_at = 1;
    world_run(world);
    pd_grpc_server_stop(world->server, MS_NS, on_stopped, world);
    world_run(world); /* the client's reply */
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 1);
    assert_false(world->stopped);
    pd_grpc_call_fail(world->waiting[0], PD_GRPC_CANCELLED, NULL, pd_bytes(NULL, 0));
    world_run(world);
    assert_true(world->stopped);
}

static void twenty_thousand_polls_may_wait(void **state)
{
    world_t *world = *state;
    pd_grpc_client_options_t options;
    pd_grpc_server_stats_t stats;

    pd_grpc_client_options_init(&options);
    options.connection_count = 4;
    world_start_client(world, &options);
    for (int i = 0; i < POLL_COUNT; i++)
        world_call(world, "/t.T/Wait", "poll", 4, 3600000 * MS_NS, false);
    world->stop_waiting_at = POLL_COUNT;
    world_run(world);
    pd_grpc_server_stats(world->server, &stats);
    assert_int_equal(stats.open_call_count, POLL_COUNT);
    world_call(world, "/t.T/Echo", NULL, 0, 0, false);
    world->replies_left = 1;
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
    world->replies_left = POLL_COUNT;
    for (int i = 0; i < POLL_COUNT; i++)
        pd_grpc_call_respond(world->waiting[i], NULL, 0);
    world_run(world);
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
    assert_int_equal(
        pd_grpc_server_new(world->loop, &options, &world_handler, world, &server, &error),
        PD_EXISTS);
    snprintf(expected, sizeof(expected), "cannot listen on 127.0.0.1:%u: Address already in use",
             world->port);
    assert_string_equal(error.text, expected);
    options.ip = "localhost";
    assert_int_equal(
        pd_grpc_server_new(world->loop, &options, &world_handler, world, &server, &error),
        PD_INVALID);
    assert_string_equal(error.text, "\"localhost\" is not a numeric IP address");
}

static void servers_may_share_a_port(void **state)
{
    world_t *world = *state;
    pd_grpc_server_t *other;
    pd_error_t error;

    world_stop_server(world);
    world->server_options.reuse_port = true;
    world_start_server(world);
    world->server_options.port = world->port;
    assert_int_equal(pd_grpc_server_new(world->loop, &world->server_options, &world_handler, world,
                                        &other, &error),
                     PD_OK);
    world_start_client(world, NULL);
    world_echo(world);
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
