/* The operators' HTTP port: right requests are answered, all others refused, none of them keeps it
 * from the next. The port runs on a loop of its own; the test is a blocking peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "engine/program/http_port.h"

enum { LARGE_SIZE = 4 * 1024 * 1024 };

typedef struct world {
    pd_loop_event_t *loop;
    pd_http_port_t *port;
    char answer[LARGE_SIZE + 1024];
} world_t;

static int page(void *ctx, const char *path, pd_buf_t *body)
{
    static const char hello[] = "hello\n";
    char *large;

    (void)ctx;
    if (strcmp(path, "/large") == 0) {
        large = pd_alloc(LARGE_SIZE);
        memset(large, 'x', LARGE_SIZE);
        assert_int_equal(pd_buf_append(body, large, LARGE_SIZE), PD_OK);
        pd_free(large);
        return 200;
    }
    if (strcmp(path, "/empty") == 0)
        return 503;
    assert_int_equal(pd_buf_append(body, hello, sizeof(hello) - 1), PD_OK);
    return strcmp(path, "/hello") == 0 ? 200 : 404;
}

static int setup(void **state)
{
    static const pd_loop_event_options_t loop_options = {.name = "http", .mailbox_count = 4};
    pd_http_port_options_t options = {.ip = "127.0.0.1", .page = page};
    world_t *world = PD_NEW(world_t);
    pd_error_t error;

    world->loop = pd_loop_event_new(&loop_options);
    assert_int_equal(pd_http_port_new(world->loop, &options, &world->port, &error), PD_OK);
    pd_loop_event_start(world->loop);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    world_t *world = *state;

    pd_loop_event_stop(world->loop);
    pd_http_port_free(world->port);
    pd_loop_event_free(world->loop);
    pd_free(world);
    return 0;
}

static int peer(world_t *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(pd_http_port_number(world->port))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &address.sin_addr), 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Until the port closes the connection; NUL-terminated. */
static const char *read_all(world_t *world, int fd)
{
    size_t size = 0;
    ssize_t got;

    while ((got = read(fd, world->answer + size, sizeof(world->answer) - 1 - size)) > 0)
        size += (size_t)got;
    world->answer[size] = '\0';
    close(fd);
    return world->answer;
}

static void say(int fd, const char *text, size_t size)
{
    assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), (ssize_t)size);
}

static const char *ask(world_t *world, const char *request)
{
    int fd = peer(world);

    say(fd, request, strlen(request));
    return read_all(world, fd);
}

static void a_page_is_answered_and_the_connection_closed(void **state)
{
    assert_string_equal(ask(*state, "GET /hello HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n"),
                        "HTTP/1.1 200 OK\r\n"
                        "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                        "Content-Length: 6\r\n"
                        "Connection: close\r\n\r\nhello\n");
    assert_non_null(strstr(ask(*state, "GET /hello?a=b HTTP/1.0\r\n\r\n"), " 200 OK\r\n"));
    assert_non_null(strstr(ask(*state, "GET /empty HTTP/1.1\r\n\r\n"), " 503 "));
    assert_non_null(strstr(ask(*state, "GET /other HTTP/1.1\r\n\r\n"), " 404 "));
}

static void head_has_no_body(void **state)
{
    const char *answer = ask(*state, "HEAD /hello HTTP/1.1\r\n\r\n");

    assert_non_null(strstr(answer, "Content-Length: 6\r\n"));
    assert_null(strstr(answer, "hello"));
}

static void a_large_page_arrives_whole(void **state)
{
    const char *answer = ask(*state, "GET /large HTTP/1.1\r\n\r\n");
    const char *body = strstr(answer, "\r\n\r\n");

    assert_non_null(body);
    assert_int_equal(strlen(body + 4), LARGE_SIZE);
}

static void a_request_may_come_in_pieces(void **state)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nA: b\r\n\r\n";
    int fd = peer(*state);

    for (size_t i = 0; i < sizeof(request) - 1; i++)
        say(fd, request + i, 1);
    assert_non_null(strstr(read_all(*state, fd), " 200 OK\r\n"));
}

static void other_requests_are_refused(void **state)
{
    static const char *const bad[] = {
        "POST /hello HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
        "get /hello HTTP/1.1\r\n\r\n",
        "GET hello HTTP/1.1\r\n\r\n",
        "GET /hello\r\n\r\n",
        "GET /hello HTTP/2.0\r\n\r\n",
        "GET /hello HTTP/1.1x\r\n\r\n",
        "GET  /hello HTTP/1.1\r\n\r\n",
        "\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *answer = ask(*state, bad[i]);

        if (strncmp(answer, "HTTP/1.1 40", 11) != 0)
            fail_msg("\"%s\" was answered \"%.40s\"", bad[i], answer);
        assert_null(strstr(answer, "hello"));
    }
    assert_non_null(strstr(ask(*state, bad[0]), "Allow: GET, HEAD\r\n"));
}

static void a_request_is_bounded(void **state)
{
    char *request = pd_alloc(PD_HTTP_PORT_REQUEST_SIZE_MAX);
    int fd = peer(*state);

    memset(request, 'a', PD_HTTP_PORT_REQUEST_SIZE_MAX);
    memcpy(request, "GET /", 5);
    say(fd, request, PD_HTTP_PORT_REQUEST_SIZE_MAX);
    assert_non_null(strstr(read_all(*state, fd), " 431 "));
    pd_free(request);
}

/* Those above the limit are closed at once, and silent ones do not keep others out for ever. */
static void connections_are_bounded(void **state)
{
    int held[PD_HTTP_PORT_CONNECTION_COUNT_MAX], more;
    char byte;

    for (int i = 0; i < PD_HTTP_PORT_CONNECTION_COUNT_MAX; i++)
        held[i] = peer(*state);
    more = peer(*state);
    assert_int_equal(read(more, &byte, 1), 0);
    close(more);
    say(held[0], "GET /hello HTTP/1.1\r\n\r\n", 23);
    assert_non_null(strstr(read_all(*state, held[0]), " 200 OK\r\n"));
    assert_non_null(strstr(ask(*state, "GET /hello HTTP/1.1\r\n\r\n"), " 200 OK\r\n"));
    for (int i = 1; i < PD_HTTP_PORT_CONNECTION_COUNT_MAX; i++)
        close(held[i]);
}

static void a_taken_or_wrong_address_is_told(void **state)
{
    world_t *world = *state;
    pd_http_port_options_t options = {
        .ip = "127.0.0.1", .port = pd_http_port_number(world->port), .page = page};
    pd_loop_event_options_t loop_options = {.name = "second", .mailbox_count = 4};
    pd_loop_event_t *loop = pd_loop_event_new(&loop_options);
    pd_http_port_t *second;
    pd_error_t error;

    assert_int_equal(pd_http_port_new(loop, &options, &second, &error), PD_EXISTS);
    assert_non_null(strstr(error.text, "in use"));
    options.ip = "localhost";
    assert_int_equal(pd_http_port_new(loop, &options, &second, &error), PD_INVALID);
    pd_loop_event_free(loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_page_is_answered_and_the_connection_closed),
        TEST(head_has_no_body),
        TEST(a_large_page_arrives_whole),
        TEST(a_request_may_come_in_pieces),
        TEST(other_requests_are_refused),
        TEST(a_request_is_bounded),
        TEST(connections_are_bounded),
        TEST(a_taken_or_wrong_address_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
