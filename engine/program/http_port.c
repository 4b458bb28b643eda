#include "engine/program/http_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "base/assert.h"
#include "base/memory.h"

typedef struct connection {
    LIST_ENTRY(connection) link;
    pd_http_port_t *port;
    struct bufferevent *bev;
    bool answered;
} connection_t;

struct pd_http_port {
    pd_http_port_options_t options;
    struct event_base *base;
    struct evconnlistener *listener;
    LIST_HEAD(, connection) connections;
    uint32_t connection_count;
    uint16_t number;
};

static void connection_free(connection_t *connection)
{
    LIST_REMOVE(connection, link);
    connection->port->connection_count--;
    bufferevent_free(connection->bev);
    pd_free(connection);
}

/* ---- answering ---- */

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

/* The connection closes behind it. */
static void answer(connection_t *connection, int status, bool with_body, const pd_buf_t *body)
{
    struct evbuffer *out = bufferevent_get_output(connection->bev);

    connection->answered = true;
    evbuffer_add_printf(out,
                        "HTTP/1.1 %d %s\r\n"
                        "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                        "Content-Length: %zu\r\n"
                        "%s"
                        "Connection: close\r\n\r\n",
                        status, reason(status), body->size,
                        status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (with_body)
        evbuffer_add(out, body->data, body->size);
}

static void answer_text(connection_t *connection, int status, const char *text)
{
    pd_buf_t body;

    pd_buf_init(&body, 256);
    PD_ASSERT(pd_buf_append(&body, text, strlen(text)) == PD_OK);
    answer(connection, status, true, &body);
    pd_buf_deinit(&body);
}

static void answer_page(connection_t *connection, const char *path, bool with_body)
{
    pd_http_port_t *self = connection->port;
    pd_buf_t body;
    int status;

    pd_buf_init(&body, PD_HTTP_PORT_ANSWER_SIZE_MAX);
    status = self->options.page(self->options.ctx, path, &body);
    if (body.size == 0)
        PD_ASSERT(pd_buf_append(&body, "\n", 1) == PD_OK);
    answer(connection, status, with_body, &body);
    pd_buf_deinit(&body);
}

/* `line`: METHOD PATH[?QUERY] HTTP/1.x, NUL-terminated; changed in place. */
static void handle(connection_t *connection, char *line)
{
    char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
    bool get, head;

    if (!version || strncmp(version + 1, "HTTP/1.", 7) != 0 || strlen(version + 1) != 8 ||
        target[1] != '/') {
        answer_text(connection, 400, "this is not an HTTP/1 request\n");
        return;
    }
    *target++ = '\0';
    *version = '\0';
    target[strcspn(target, "?")] = '\0';
    get = strcmp(line, "GET") == 0;
    head = strcmp(line, "HEAD") == 0;
    if (get || head)
        answer_page(connection, target, get);
    else
        answer_text(connection, 405, "only GET is answered here\n");
}

/* ---- a connection ---- */

static void on_written(struct bufferevent *bev, void *ctx)
{
    connection_t *connection = ctx;

    if (connection->answered)
        connection_free(connection);
}

static void on_read(struct bufferevent *bev, void *ctx)
{
    connection_t *connection = ctx;
    struct evbuffer *in = bufferevent_get_input(bev);
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    char request[PD_HTTP_PORT_REQUEST_SIZE_MAX + 1];
    ev_ssize_t size;

    if (connection->answered) { /* whatever more there is */
        evbuffer_drain(in, evbuffer_get_length(in));
        return;
    }
    if (end.pos < 0 && evbuffer_get_length(in) < PD_HTTP_PORT_REQUEST_SIZE_MAX)
        return;
    bufferevent_disable(bev, EV_READ);
    if (end.pos < 0) {
        answer_text(connection, 431, "the request is too large\n");
        return;
    }
    size = evbuffer_copyout(in, request, sizeof(request) - 1);
    PD_ASSERT(size > 0);
    request[size] = '\0';
    request[strcspn(request, "\r\n")] = '\0'; /* headers do not matter */
    evbuffer_drain(in, evbuffer_get_length(in));
    handle(connection, request);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
    connection_free(ctx); /* the peer is gone, or its time is up */
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int size, void *ctx)
{
    static const struct timeval timeout = {.tv_sec = PD_HTTP_PORT_TIMEOUT_S};
    pd_http_port_t *self = ctx;
    connection_t *connection;

    if (self->connection_count >= PD_HTTP_PORT_CONNECTION_COUNT_MAX) {
        evutil_closesocket(fd);
        return;
    }
    connection = PD_NEW(connection_t);
    connection->port = self;
    connection->bev = bufferevent_socket_new(self->base, fd, BEV_OPT_CLOSE_ON_FREE);
    PD_ASSERT(connection->bev);
    LIST_INSERT_HEAD(&self->connections, connection, link);
    self->connection_count++;
    bufferevent_setcb(connection->bev, on_read, on_written, on_event, connection);
    bufferevent_setwatermark(connection->bev, EV_READ, 0, PD_HTTP_PORT_REQUEST_SIZE_MAX);
    bufferevent_set_timeouts(connection->bev, &timeout, &timeout);
    bufferevent_enable(connection->bev, EV_READ | EV_WRITE);
}

/* ---- the port ---- */

static bool parse_address(const char *ip, uint16_t port, struct sockaddr_storage *address,
                          int *size)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *size = sizeof(*v4);
        return true;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *size = sizeof(*v6);
    return inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1;
}

static uint16_t bound_port(struct evconnlistener *listener)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);

    PD_ASSERT(getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &size) ==
              0);
    return ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                              : ((struct sockaddr_in6 *)&address)->sin6_port);
}

pd_status_t pd_http_port_new(pd_loop_event_t *loop, const pd_http_port_options_t *options,
                             pd_http_port_t **port, pd_error_t *error)
{
    enum { BACKLOG = 16 };
    struct sockaddr_storage address;
    pd_http_port_t *self;
    int size;

    if (!parse_address(options->ip, options->port, &address, &size))
        return pd_error_set(error, PD_INVALID, "%s is not a numeric address", options->ip);
    self = PD_NEW(pd_http_port_t);
    self->options = *options;
    self->base = pd_loop_event_base(loop);
    LIST_INIT(&self->connections);
    self->listener =
        evconnlistener_new_bind(self->base, on_accept, self,
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
                                BACKLOG, (struct sockaddr *)&address, size);
    if (!self->listener) {
        int code = errno;

        pd_free(self);
        return pd_error_set(error, code == EADDRINUSE ? PD_EXISTS : PD_IO,
                            "cannot listen on %s:%u: %s", options->ip, options->port,
                            code == EADDRINUSE ? "the address is in use" : strerror(code));
    }
    self->number = bound_port(self->listener);
    *port = self;
    return PD_OK;
}

void pd_http_port_free(pd_http_port_t *self)
{
    connection_t *connection;

    if (!self)
        return;
    while ((connection = LIST_FIRST(&self->connections)))
        connection_free(connection);
    evconnlistener_free(self->listener);
    pd_free(self);
}

uint16_t pd_http_port_number(const pd_http_port_t *self)
{
    return self->number;
}
