/* The server's session without I/O: calls, limits, deadlines, floods, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/grpc/gzip.h"
#include "base/assert.h"
#include "base/memory.h"
#include "tests/unit/api/grpc_peer_check.h"

static const int64_t second_ns = 1000000000;

static void a_call_is_answered(void **state)
{
    peer_t *peer = peer_new(NULL);
    int32_t id = peer_request(peer, NULL, peer_frame("hello", 5, 0), true);
    pd_grpc_call_t *call;

    peer_exchange(peer);
    assert_int_equal(peer->call_count, 1);
    call = peer->calls[0];
    assert_string_equal(pd_grpc_call_path(call), "/a.B/C");
    assert_string_equal(pd_grpc_call_header(call, "te"), "trailers");
    assert_string_equal(pd_grpc_call_header(call, ":authority"), "test");
    assert_null(pd_grpc_call_header(call, "nope"));
    assert_true(pd_grpc_call_deadline_ns(call) == INT64_MAX);
    assert_true(pd_bytes_equal(pd_grpc_call_message(call), pd_bytes_str("hello")));
    assert_false(pd_grpc_call_is_cancelled(call));
    assert_int_equal(peer->output_count, 0);
    pd_grpc_call_respond(call, (uint8_t *)pd_strdup("world"), 5);
    assert_true(peer->output_count > 0);
    peer_exchange(peer);
    check_echo(peer, id, pd_bytes_str("world"));
    assert_string_equal(peer_stream(peer, id)->content_type, "application/grpc");
    assert_int_equal(peer->cancel_count, 0);
    peer_free(peer);
}

/* The same bytes, cut into every size of piece. */
static void bytes_may_come_in_any_pieces(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, 100, 16383};
    static uint8_t large[70000];

    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < PD_ARRAY_COUNT(sizes); i++) {
        peer_t *peer = peer_new(NULL);
        int32_t one, two;

        peer->chunk_size = sizes[i];
        peer->auto_echo = true;
        one = peer_request(peer, NULL, peer_frame("hello", 5, 0), true);
        two = peer_request(peer, NULL, peer_frame(large, sizeof(large), 0), true);
        peer_exchange(peer);
        check_echo(peer, one, pd_bytes_str("hello"));
        check_echo(peer, two, pd_bytes(large, sizeof(large)));
        peer_free(peer);
    }
}

static void large_messages_pass_in_both_directions(void **state)
{
    enum { SIZE = 4 << 20 };
    peer_t *peer = peer_new(NULL);
    uint8_t *data = pd_alloc(SIZE);
    int32_t id;

    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i >> 8 ^ i);
    peer->auto_echo = true;
    id = peer_request(peer, NULL, peer_frame(data, SIZE, 0), true);
    peer_exchange(peer);
    check_echo(peer, id, pd_bytes(data, SIZE));
    assert_int_equal(pd_grpc_session_unsent_size(peer->session), 0);
    pd_free(data);
    peer_free(peer);
}

static void errors_carry_text_and_details(void **state)
{
    peer_t *peer = peer_new(NULL);
    int32_t one = peer_request(peer, NULL, peer_frame("", 0, 0), true);
    int32_t two = peer_request(peer, NULL, peer_frame("", 0, 0), true);

    peer_exchange(peer);
    pd_grpc_call_fail(peer->calls[0], PD_GRPC_NOT_FOUND, "100% weg\n", pd_bytes_str("abcd"));
    pd_grpc_call_fail(peer->calls[1], 99, NULL, pd_bytes(NULL, 0));
    peer_exchange(peer);
    check(peer, one, 200, PD_GRPC_NOT_FOUND, "100%25 weg%0A");
    assert_string_equal(peer_stream(peer, one)->details, "YWJjZA");
    check(peer, two, 200, PD_GRPC_UNKNOWN, "");
    assert_int_equal(peer_stream(peer, one)->data.size, 0);
    peer_free(peer);
}

typedef struct bad_case {
    const char *headers[5];
    const char *body; /* framed here, with flag; NULL: none */
    int flag;
    int http_status;
    int grpc_status;
    const char *message;
} bad_case_t;

static const bad_case_t bad_cases[] = {
    {{":method", "GET"},
     "",
     0,
     405,
     13,
     "Received a HEADERS frame with :method \"GET\" which should be POST"},
    {{"content-type", "text/plain"},
     "",
     0,
     415,
     3,
     "invalid gRPC request content-type \"text/plain\""},
    {{"content-type", ""}, "", 0, 415, 3, "invalid gRPC request content-type \"\""},
    {{"content-type", "application/grpcx"},
     "",
     0,
     415,
     3,
     "invalid gRPC request content-type \"application/grpcx\""},
    {{":path", "/nope"}, "", 0, 200, 12, "malformed method name: \"/nope\""},
    {{"grpc-timeout", "abc"},
     "",
     0,
     400,
     13,
     "malformed grpc-timeout: transport: timeout unit is not recognized: \"abc\""},
    {{"grpc-timeout", "0S"}, "", 0, 200, 4, "context deadline exceeded"},
    {{"grpc-encoding", "xyz"},
     "",
     1,
     200,
     12,
     "grpc: Decompressor is not installed for grpc-encoding \"xyz\""},
    {{"grpc-encoding", "identity"},
     "",
     1,
     200,
     13,
     "grpc: compressed flag set with identity or empty encoding"},
    {{"grpc-encoding", "gzip"},
     "garbage garbage",
     1,
     200,
     13,
     "grpc: failed to decompress the message: gzip: invalid header"},
    {{"x-bin", "!!"},
     "",
     0,
     400,
     13,
     "malformed binary metadata \"!!\" in header \"x-bin\": illegal base64 data at input byte "
     "0"},
    {{NULL}, "", 2, 200, 13, "grpc: received unexpected payload format 2"},
    {{NULL},
     NULL,
     0,
     200,
     13,
     "cardinality violation: received no request message from non-client-streaming RPC"},
};

static void bad_requests_get_the_words_of_grpc_go(void **state)
{
    for (size_t i = 0; i < PD_ARRAY_COUNT(bad_cases); i++) {
        const bad_case_t *one = &bad_cases[i];
        peer_t *peer = peer_new(NULL);
        pd_bytes_t body =
            one->body ? peer_frame(one->body, strlen(one->body), one->flag) : pd_bytes(NULL, 0);
        int32_t id = peer_request(peer, one->headers, body, true);
        int32_t good;

        peer_exchange(peer);
        check(peer, id, one->http_status, one->grpc_status, one->message);
        assert_int_equal(peer->call_count, 0);
        /* The connection lives on. */
        peer->auto_echo = true;
        good = peer_request(peer, NULL, peer_frame("x", 1, 0), true);
        peer_exchange(peer);
        check_echo(peer, good, pd_bytes_str("x"));
        peer_free(peer);
    }
}

static void a_cut_message_is_refused(void **state)
{
    peer_t *peer = peer_new(NULL);
    pd_bytes_t whole = peer_frame("hello", 5, 0);
    int32_t one = peer_request(peer, NULL, pd_bytes(whole.data, 3), true);
    int32_t two = peer_request(peer, NULL, pd_bytes(whole.data, 8), true);

    peer_exchange(peer);
    check(peer, one, 200, PD_GRPC_UNKNOWN, "EOF");
    check(peer, two, 200, PD_GRPC_UNKNOWN, "unexpected EOF");
    peer_free(peer);
}

static void only_the_first_message_of_a_unary_call_counts(void **state)
{
    peer_t *peer = peer_new(NULL);
    uint8_t body[12] = {0, 0, 0, 0, 1, 'x', 0, 0, 0, 0, 1, 'y'};
    int32_t id;

    peer->auto_echo = true;
    id = peer_request(peer, NULL, pd_bytes(body, sizeof(body)), true);
    peer_exchange(peer);
    check_echo(peer, id, pd_bytes_str("x"));
    peer_free(peer);
}

static void too_large_a_message_is_refused_at_once_and_the_peer_told_to_stop(void **state)
{
    peer_t *peer = peer_new(NULL);
    uint8_t prefix[6] = {0, 0, 64, 0, 1, 'x'}; /* 4 MiB + 1 */
    int32_t id = peer_request(peer, NULL, pd_bytes(prefix, sizeof(prefix)), false);

    peer_exchange(peer);
    check(peer, id, 200, PD_GRPC_RESOURCE_EXHAUSTED,
          "grpc: received message larger than max (4194305 vs. 4194304)");
    assert_int_equal(peer_stream(peer, id)->error, NGHTTP2_NO_ERROR);
    assert_int_equal(peer->call_count, 0);
    assert_int_equal(pd_grpc_session_stream_count(peer->session), 0);
    peer_free(peer);
}

static void gzip_goes_both_ways(void **state)
{
    static const char *const headers[] = {"grpc-encoding", "gzip", "grpc-accept-encoding",
                                          "identity, gzip", NULL};
    peer_t *peer = peer_new(NULL);
    pd_grpc_gzip_t *gzip = pd_grpc_gzip_new();
    uint8_t *text = pd_calloc(1, 20000), *packed, *back;
    size_t packed_size, back_size;
    peer_stream_t *stream;
    int32_t large, small;

    peer->auto_echo = true;
    pd_grpc_gzip_deflate(gzip, pd_bytes(text, 20000), &packed, &packed_size);
    large = peer_request(peer, headers, peer_frame(packed, packed_size, 1), true);
    small = peer_request(peer, headers, peer_frame("plain", 5, 0), true);
    peer_exchange(peer);
    stream = peer_stream(peer, large);
    check(peer, large, 200, 0, "");
    assert_string_equal(stream->encoding, "gzip");
    assert_int_equal(stream->data.data[0], 1);
    assert_int_equal(pd_grpc_gzip_inflate(gzip,
                                          pd_bytes(stream->data.data + 5, stream->data.size - 5),
                                          40000, &back, &back_size, NULL),
                     PD_OK);
    assert_true(pd_bytes_equal(pd_bytes(back, back_size), pd_bytes(text, 20000)));
    check_echo(peer, small, pd_bytes_str("plain"));
    assert_string_equal(peer_stream(peer, small)->encoding, "");
    pd_free(back);
    pd_free(text);
    pd_free(packed);
    pd_grpc_gzip_free(gzip);
    peer_free(peer);
}

static void a_gzip_bomb_is_refused(void **state)
{
    static const char *const headers[] = {"grpc-encoding", "gzip", NULL};
    enum { SIZE = 5 << 20 };
    peer_t *peer = peer_new(NULL);
    pd_grpc_gzip_t *gzip = pd_grpc_gzip_new();
    uint8_t *text = pd_calloc(1, SIZE), *packed;
    size_t packed_size;
    int32_t id;

    pd_grpc_gzip_deflate(gzip, pd_bytes(text, SIZE), &packed, &packed_size);
    id = peer_request(peer, headers, peer_frame(packed, packed_size, 1), true);
    peer_exchange(peer);
    check(peer, id, 200, PD_GRPC_RESOURCE_EXHAUSTED,
          "grpc: received message after decompression larger than max 4194304");
    pd_free(text);
    pd_free(packed);
    pd_grpc_gzip_free(gzip);
    peer_free(peer);
}

static void deadlines_end_calls(void **state)
{
    static const char *const headers[] = {"grpc-timeout", "2S", NULL};
    peer_t *peer = peer_new(NULL);
    int32_t late = peer_request(peer, headers, peer_frame("", 0, 0), true);
    int32_t open = peer_request(peer, headers, peer_frame("", 0, 0), false);
    int32_t good = peer_request(peer, headers, peer_frame("", 0, 0), true);

    peer_exchange(peer);
    assert_int_equal(peer->call_count, 2);
    assert_int_equal(pd_grpc_call_deadline_ns(peer->calls[0]), peer->now_ns + 2 * second_ns);
    pd_grpc_call_respond(peer->calls[1], NULL, 0);
    assert_int_equal(pd_grpc_session_next_ns(peer->session), peer->now_ns + 2 * second_ns);
    pd_grpc_session_tick(peer->session, peer->now_ns + 2 * second_ns - 1);
    assert_int_equal(peer->cancel_count, 0);
    pd_grpc_session_tick(peer->session, peer->now_ns + 2 * second_ns);
    assert_int_equal(peer->cancel_count, 1);
    assert_true(pd_grpc_session_next_ns(peer->session) == INT64_MAX);
    peer_exchange(peer);
    check(peer, late, 200, PD_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    check(peer, open, 200, PD_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    check_echo(peer, good, pd_bytes("", 0));
    /* The late answer is taken and goes nowhere. */
    pd_grpc_call_respond(peer->calls[0], (uint8_t *)pd_strdup("late"), 4);
    peer_exchange(peer);
    assert_int_equal(peer_stream(peer, late)->data.size, 0);
    peer_free(peer);
}

static void a_reset_cancels_the_call(void **state)
{
    peer_t *peer = peer_new(NULL);
    pd_grpc_env_stats_t stats;
    int32_t id = peer_request(peer, NULL, peer_frame("hello", 5, 0), true);

    peer_exchange(peer);
    nghttp2_submit_rst_stream(peer->http2, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    peer_exchange(peer);
    assert_int_equal(peer->cancel_count, 1);
    assert_true(pd_grpc_call_is_cancelled(peer->calls[0]));
    /* What the call lends stays until the answer. */
    assert_true(pd_bytes_equal(pd_grpc_call_message(peer->calls[0]), pd_bytes_str("hello")));
    assert_string_equal(pd_grpc_call_path(peer->calls[0]), "/a.B/C");
    pd_grpc_env_stats(peer->env, &stats);
    assert_int_equal(stats.open_call_count, 1);
    pd_grpc_call_respond(peer->calls[0], NULL, 0);
    pd_grpc_env_stats(peer->env, &stats);
    assert_int_equal(stats.open_call_count, 0);
    assert_int_equal(stats.held_size, 0);
    peer_free(peer);
}

static void a_lost_connection_cancels_its_calls(void **state)
{
    peer_t *peer = peer_new(NULL);

    peer->answer_cancels = true;
    for (int i = 0; i < 5; i++)
        peer_request(peer, NULL, peer_frame("", 0, 0), i != 3);
    peer_exchange(peer);
    assert_int_equal(peer->call_count, 4);
    peer_free(peer); /* asserts that no call is left */
}

static void streams_carry_messages_both_ways(void **state)
{
    peer_t *peer = peer_new(NULL);
    uint8_t body[11] = {0, 0, 0, 0, 1, 'x', 0, 0, 0, 0, 0};
    int32_t id;

    peer->streaming = true;
    id = peer_request(peer, NULL, pd_bytes(body, sizeof(body)), true);
    peer_exchange(peer);
    check(peer, id, 200, 0, "");
    assert_int_equal(peer_stream(peer, id)->data.size, sizeof(body));
    assert_memory_equal(peer_stream(peer, id)->data.data, body, sizeof(body));
    /* Nothing sent: only trailers. */
    id = peer_request(peer, NULL, pd_bytes(NULL, 0), true);
    peer_exchange(peer);
    check(peer, id, 200, 0, "");
    /* A bad frame ends the stream, and the handler hears of it. */
    peer->answer_cancels = true;
    id = peer_request(peer, NULL, peer_frame("", 0, 2), true);
    peer_exchange(peer);
    check(peer, id, 200, PD_GRPC_INTERNAL, "grpc: received unexpected payload format 2");
    assert_int_equal(peer->cancel_count, 1);
    peer_free(peer);
}

static void header_lists_have_a_limit(void **state)
{
    static char value[17001];
    static const char *const headers[] = {"x-a", value, "x-b", value, "x-c",
                                          value, "x-d", value, NULL};
    const char *many[2 * 270 + 1] = {0};
    static char names[270][16];
    peer_t *peer = peer_new(NULL);
    int32_t one, two, three;

    memset(value, 'v', sizeof(value) - 1);
    one = peer_request(peer, headers, peer_frame("", 0, 0), true);
    peer_exchange(peer);
    check(peer, one, 200, PD_GRPC_RESOURCE_EXHAUSTED, "grpc: received header list larger than max");
    for (size_t i = 0; i < 270; i++) {
        snprintf(names[i], sizeof(names[i]), "x-%zu", i);
        many[2 * i] = names[i];
        many[2 * i + 1] = "v";
    }
    two = peer_request(peer, many, peer_frame("", 0, 0), true);
    peer_exchange(peer);
    check(peer, two, 200, PD_GRPC_RESOURCE_EXHAUSTED, "grpc: received header list larger than max");
    /* Below both limits, but more than a call keeps inline. */
    many[2 * 100] = NULL;
    three = peer_request(peer, many, peer_frame("", 0, 0), true);
    peer_exchange(peer);
    assert_string_equal(pd_grpc_call_header(peer->calls[0], "x-99"), "v");
    pd_grpc_call_respond(peer->calls[0], NULL, 0);
    peer_exchange(peer);
    check(peer, three, 200, 0, "");
    peer_free(peer);
}

static void open_calls_and_held_bytes_have_limits(void **state)
{
    static uint8_t data[3000];
    pd_grpc_limits_t limits;
    peer_t *peer;
    int32_t ids[4];

    pd_grpc_limits_init(&limits);
    limits.call_count_max = 2;
    peer = peer_new(&limits);
    for (int i = 0; i < 4; i++)
        ids[i] = peer_request(peer, NULL, peer_frame("", 0, 0), true);
    peer_exchange(peer);
    assert_int_equal(peer->call_count, 2);
    check(peer, ids[3], 200, PD_GRPC_RESOURCE_EXHAUSTED, "too many calls are open");
    pd_grpc_call_respond(peer->calls[0], NULL, 0);
    pd_grpc_call_respond(peer->calls[1], NULL, 0);
    peer_exchange(peer);
    peer_free(peer);

    pd_grpc_limits_init(&limits);
    limits.held_size_max = 8000;
    peer = peer_new(&limits);
    for (int i = 0; i < 4; i++)
        ids[i] = peer_request(peer, NULL, peer_frame(data, sizeof(data), 0), true);
    peer_exchange(peer);
    assert_int_equal(peer->call_count, 2);
    check(peer, ids[3], 200, PD_GRPC_RESOURCE_EXHAUSTED, "too many request bytes are held");
    pd_grpc_call_respond(peer->calls[0], NULL, 0);
    pd_grpc_call_respond(peer->calls[1], NULL, 0);
    peer_exchange(peer);
    peer_free(peer);
}

/* The peer gives no window, so the answers pile up here: new calls are refused, then it is cut off.
 */
static void unread_answers_have_a_limit(void **state)
{
    const nghttp2_settings_entry no_window[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}};
    pd_grpc_limits_t limits;
    peer_t *peer;
    int32_t ids[10];

    pd_grpc_limits_init(&limits);
    limits.unsent_size_max = 10000;
    peer = peer_new(&limits);
    nghttp2_submit_settings(peer->http2, NGHTTP2_FLAG_NONE, no_window, 1);
    for (int i = 0; i < 10; i++)
        ids[i] = peer_request(peer, NULL, peer_frame("", 0, 0), true);
    peer_exchange(peer);
    assert_int_equal(peer->call_count, 10);
    pd_grpc_call_respond(peer->calls[0], pd_calloc(1, 9000), 9000);
    pd_grpc_call_respond(peer->calls[1], pd_calloc(1, 9000), 9000);
    peer_exchange(peer);
    assert_false(peer_stream(peer, ids[0])->closed);
    ids[2] = peer_request(peer, NULL, peer_frame("", 0, 0), true);
    peer_exchange(peer);
    check(peer, ids[2], 200, PD_GRPC_RESOURCE_EXHAUSTED,
          "too many answers of this connection wait to be read");
    for (int i = 2; i < 10; i++)
        pd_grpc_call_respond(peer->calls[i], pd_calloc(1, 9000), 9000);
    peer_exchange(peer);
    assert_true(peer->goaway);
    assert_int_equal(peer->goaway_error, NGHTTP2_ENHANCE_YOUR_CALM);
    assert_true(pd_grpc_session_is_done(peer->session));
    peer_free(peer);
}

static void rapid_resets_use_up_the_budget(void **state)
{
    pd_grpc_limits_t limits;
    peer_t *peer;
    int count = 0;

    pd_grpc_limits_init(&limits);
    limits.glitch_count_max = 20;
    limits.glitch_count_per_s = 10;
    peer = peer_new(&limits);
    peer->answer_cancels = true;
    while (peer->received == PD_OK && count < 60) {
        int32_t id = peer_request(peer, NULL, peer_frame("", 0, 0), true);

        peer_exchange(peer);
        nghttp2_submit_rst_stream(peer->http2, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        peer_exchange(peer);
        count++;
        if (count == 15)
            peer->now_ns += second_ns; /* ten come back */
    }
    assert_in_range(count, 28, 31);
    peer_exchange(peer);
    while (pd_grpc_session_is_done(peer->session) == false)
        peer_exchange(peer);
    peer_free(peer);
}

static void garbage_ends_the_session_only(void **state)
{
    static const char *const garbage[] = {
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense nonsense nonsense",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 client hello of TLS",
    };

    for (size_t i = 0; i < PD_ARRAY_COUNT(garbage); i++) {
        peer_t *peer = peer_new(NULL);

        peer_raw(peer, garbage[i], strlen(garbage[i]));
        peer_raw(peer, garbage[i], strlen(garbage[i]));
        peer_exchange(peer);
        assert_true(pd_grpc_session_is_done(peer->session));
        peer_free(peer);
    }
}

static void shutdown_lets_open_calls_finish(void **state)
{
    peer_t *peer = peer_new(NULL);
    int32_t id = peer_request(peer, NULL, peer_frame("", 0, 0), true);

    peer_exchange(peer);
    pd_grpc_session_shutdown(peer->session);
    peer_exchange(peer);
    assert_int_equal(peer->goaway_count, 2); /* the notice, and the last one after the ping */
    assert_int_equal(peer->goaway_error, NGHTTP2_NO_ERROR);
    assert_false(pd_grpc_session_is_done(peer->session));
    pd_grpc_call_respond(peer->calls[0], NULL, 0);
    peer_exchange(peer);
    check_echo(peer, id, pd_bytes("", 0));
    assert_true(pd_grpc_session_is_done(peer->session));
    peer_free(peer);
}

static void abort_ends_open_calls(void **state)
{
    peer_t *peer = peer_new(NULL);
    int32_t id = peer_request(peer, NULL, peer_frame("", 0, 0), true);

    peer->answer_cancels = true;
    peer_exchange(peer);
    pd_grpc_session_abort(peer->session);
    peer_exchange(peer);
    check(peer, id, 200, PD_GRPC_UNAVAILABLE, "server is shutting down");
    assert_int_equal(peer->cancel_count, 1);
    assert_true(pd_grpc_session_is_done(peer->session));
    peer_free(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered),
        cmocka_unit_test(bytes_may_come_in_any_pieces),
        cmocka_unit_test(large_messages_pass_in_both_directions),
        cmocka_unit_test(errors_carry_text_and_details),
        cmocka_unit_test(bad_requests_get_the_words_of_grpc_go),
        cmocka_unit_test(a_cut_message_is_refused),
        cmocka_unit_test(only_the_first_message_of_a_unary_call_counts),
        cmocka_unit_test(too_large_a_message_is_refused_at_once_and_the_peer_told_to_stop),
        cmocka_unit_test(gzip_goes_both_ways),
        cmocka_unit_test(a_gzip_bomb_is_refused),
        cmocka_unit_test(deadlines_end_calls),
        cmocka_unit_test(a_reset_cancels_the_call),
        cmocka_unit_test(a_lost_connection_cancels_its_calls),
        cmocka_unit_test(streams_carry_messages_both_ways),
        cmocka_unit_test(header_lists_have_a_limit),
        cmocka_unit_test(open_calls_and_held_bytes_have_limits),
        cmocka_unit_test(unread_answers_have_a_limit),
        cmocka_unit_test(rapid_resets_use_up_the_budget),
        cmocka_unit_test(garbage_ends_the_session_only),
        cmocka_unit_test(shutdown_lets_open_calls_finish),
        cmocka_unit_test(abort_ends_open_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
