#include "api/grpc/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/grpc/session.h"
#include "api/grpc/transport.h"
#include "base/assert.h"
#include "base/diag.h"
#include "base/memory.h"

enum { LISTEN_BACKLOG = 1024, ACCEPT_COUNT_MAX = 64 };

static const int64_t second_ns = 1000000000;

typedef struct connection {
    pd_grpc_server_t *server;
    struct connection *next, *previous;
    pd_grpc_transport_t transport;
    pd_grpc_session_t *session;
    pd_timer_t timer;
    int64_t ping_ns; /* our unanswered PING was sent then; 0: none */
} connection_t;

struct pd_grpc_server {
    pd_loop_event_t *loop_event;
    pd_loop_t *loop;
    pd_grpc_server_options_t options;
    pd_grpc_env_t *env;
    pd_grpc_io_t *io;
    int listen_fd; /* -1: closed */
    uint16_t port;
    struct event *accept_event;
    pd_timer_t accept_timer; /* out of descriptors: look again */
    connection_t *connections;
    uint64_t connection_count;
    uint64_t open_connection_count;
    bool stopping;
    bool aborted;
    pd_timer_t drain_timer;
    pd_grpc_later_t stopped_later;
    void (*on_stopped)(void *ctx);
    void *on_stopped_ctx;
};

void pd_grpc_server_options_init(pd_grpc_server_options_t *options)
{
    pd_grpc_limits_t limits;

    pd_grpc_limits_init(&limits);
    *options = (pd_grpc_server_options_t){
        .ip = "127.0.0.1",
        .receive_size_max = limits.receive_size_max,
        .header_size_max = limits.header_size_max,
        .held_size_max = limits.held_size_max,
        .call_count_max = limits.call_count_max,
        .stream_count_max = limits.stream_count_max,
        .connection_count_max = 50000,
        .keepalive_idle_ns = 60 * second_ns,
        .keepalive_timeout_ns = 20 * second_ns,
        .gzip_size_min = limits.gzip_size_min,
        .gzip_size_max = limits.gzip_size_max,
    };
}

static void check_stopped(void *ctx)
{
    pd_grpc_server_t *self = ctx;
    pd_grpc_env_stats_t stats;

    if (!self->stopping || self->connections || !self->on_stopped)
        return;
    pd_grpc_env_stats(self->env, &stats);
    if (!stats.open_call_count)
        pd_grpc_io_later(self->io, &self->stopped_later);
}

static void run_stopped(pd_grpc_later_t *later)
{
    pd_grpc_server_t *self = PD_CONTAINER_OF(later, pd_grpc_server_t, stopped_later);
    void (*on_stopped)(void *ctx) = self->on_stopped;

    self->on_stopped = NULL;
    pd_loop_timer_stop(self->loop, &self->drain_timer);
    if (on_stopped)
        on_stopped(self->on_stopped_ctx);
}

/* -- connections -- */

/* The timer serves deadlines and keepalive; it may ring early, never late. */
static void schedule(connection_t *conn)
{
    const pd_grpc_server_options_t *options = &conn->server->options;
    int64_t at_ns = conn->ping_ns ? conn->ping_ns + options->keepalive_timeout_ns
                                  : conn->transport.received_ns + options->keepalive_idle_ns;
    int64_t next_ns = pd_grpc_session_next_ns(conn->session);

    if (next_ns < at_ns)
        at_ns = next_ns;
    if (!conn->timer.heap_index || at_ns < conn->timer.at_ns)
        pd_loop_timer_start(conn->server->loop, &conn->timer, at_ns);
}

static void on_timer(pd_timer_t *timer)
{
    connection_t *conn = PD_CONTAINER_OF(timer, connection_t, timer);
    const pd_grpc_server_options_t *options = &conn->server->options;
    int64_t now_ns = pd_loop_now_ns(conn->server->loop);

    pd_grpc_session_tick(conn->session, now_ns);
    if (conn->ping_ns && conn->transport.received_ns >= conn->ping_ns)
        conn->ping_ns = 0;
    if (conn->ping_ns && now_ns >= conn->ping_ns + options->keepalive_timeout_ns) {
        pd_grpc_transport_drop(&conn->transport, "peer is silent");
        return;
    }
    if (!conn->ping_ns && now_ns >= conn->transport.received_ns + options->keepalive_idle_ns) {
        conn->ping_ns = now_ns;
        pd_grpc_session_ping(conn->session);
    }
    pd_grpc_transport_mark(&conn->transport);
    schedule(conn);
}

static bool conn_receive(void *ctx, int64_t now_ns, pd_bytes_t bytes)
{
    connection_t *conn = ctx;
    pd_status_t status = pd_grpc_session_receive(conn->session, now_ns, bytes);

    schedule(conn);
    return status == PD_OK;
}

static bool conn_produce(void *ctx, pd_grpc_output_t *output, size_t size)
{
    connection_t *conn = ctx;

    return pd_grpc_session_send(conn->session, output, size) == PD_OK;
}

static bool conn_is_done(void *ctx)
{
    connection_t *conn = ctx;

    return pd_grpc_session_is_done(conn->session);
}

/* A peer that was cut off does not get to keep its unread answers by not reading on. */
static bool conn_is_cut_off(void *ctx)
{
    connection_t *conn = ctx;

    return pd_grpc_session_is_broken(conn->session);
}

/* While a peer reads nothing, its requests wait in the socket rather than their answers here. */
static bool conn_is_full(void *ctx)
{
    connection_t *conn = ctx;

    return pd_grpc_session_unsent_size(conn->session) > (4 << 20);
}

static void free_connection(connection_t *conn)
{
    pd_grpc_server_t *self = conn->server;

    pd_loop_timer_stop(self->loop, &conn->timer);
    pd_grpc_transport_stop(&conn->transport);
    if (conn->previous)
        conn->previous->next = conn->next;
    else
        self->connections = conn->next;
    if (conn->next)
        conn->next->previous = conn->previous;
    self->open_connection_count--;
    pd_grpc_session_free(conn->session);
    pd_free(conn);
}

static void conn_closed(void *ctx, const char *reason)
{
    connection_t *conn = ctx;
    pd_grpc_server_t *self = conn->server;

    PD_DIAG(PD_DIAG_DEBUG, "grpc connection closed", "reason=\"%s\"", reason);
    free_connection(conn);
    check_stopped(self);
}

static void on_output(void *owner)
{
    connection_t *conn = owner;

    pd_grpc_transport_mark(&conn->transport);
}

static const pd_grpc_transport_ops_t transport_ops = {
    .receive = conn_receive,
    .produce = conn_produce,
    .is_done = conn_is_done,
    .is_full = conn_is_full,
    .is_cut_off = conn_is_cut_off,
    .closed = conn_closed,
};

static bool is_loopback(const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET6) {
        const struct in6_addr *ip = &((const struct sockaddr_in6 *)peer)->sin6_addr;

        return IN6_IS_ADDR_LOOPBACK(ip) || (IN6_IS_ADDR_V4MAPPED(ip) && ip->s6_addr[12] == 127);
    }
    if (peer->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)peer)->sin_addr.s_addr) >> 24 == 127;
    return true;
}

static void add_connection(pd_grpc_server_t *self, int fd, const struct sockaddr_storage *peer)
{
    connection_t *conn = PD_NEW(connection_t);
    pd_grpc_session_options_t options = {
        .owner = conn,
        .compress = self->options.gzip_loopback || !is_loopback(peer),
        .now_ns = pd_loop_now_ns(self->loop),
    };
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    conn->server = self;
    conn->timer.fire = on_timer;
    conn->session = pd_grpc_session_new(self->env, &options);
    conn->next = self->connections;
    if (conn->next)
        conn->next->previous = conn;
    self->connections = conn;
    self->connection_count++;
    self->open_connection_count++;
    pd_grpc_transport_start(&conn->transport, self->io, fd, &transport_ops, conn);
    schedule(conn);
}

/* -- the listener -- */

static void on_accept_timer(pd_timer_t *timer)
{
    pd_grpc_server_t *self = PD_CONTAINER_OF(timer, pd_grpc_server_t, accept_timer);

    if (self->accept_event)
        PD_ASSERT(event_add(self->accept_event, NULL) == 0);
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *ctx)
{
    pd_grpc_server_t *self = ctx;

    pd_loop_event_refresh_ns(self->loop_event);
    for (int i = 0; i < ACCEPT_COUNT_MAX; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t peer_size = sizeof(peer);
        int fd = accept4(self->listen_fd, (struct sockaddr *)&peer, &peer_size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
            return;
        if (fd < 0) {
            PD_DIAG(PD_DIAG_WARN, "cannot accept a connection", "error=\"%s\"", strerror(errno));
            PD_ASSERT(event_del(self->accept_event) == 0);
            pd_loop_timer_start(self->loop, &self->accept_timer,
                                pd_loop_now_ns(self->loop) + second_ns / 10);
            return;
        }
        if (self->open_connection_count >= self->options.connection_count_max) {
            PD_DIAG(PD_DIAG_WARN, "too many connections", "open=%u",
                    self->options.connection_count_max);
            close(fd);
            continue;
        }
        add_connection(self, fd, &peer);
    }
}

static bool parse_address(const char *ip, uint16_t port, struct sockaddr_storage *address,
                          socklen_t *size)
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
    if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *size = sizeof(*v6);
        return true;
    }
    return false;
}

static pd_status_t open_listener(pd_grpc_server_t *self, pd_error_t *error)
{
    const pd_grpc_server_options_t *options = &self->options;
    struct sockaddr_storage address;
    socklen_t size;
    int on = 1;

    if (!parse_address(options->ip, options->port, &address, &size))
        return pd_error_set(error, PD_INVALID, "\"%s\" is not a numeric IP address", options->ip);
    self->listen_fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->listen_fd < 0)
        return pd_error_set(error, PD_IO, "cannot make a socket: %s", strerror(errno));
    (void)setsockopt(self->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (options->reuse_port &&
        setsockopt(self->listen_fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        return pd_error_set(error, PD_IO, "cannot share a port: %s", strerror(errno));
    if (bind(self->listen_fd, (struct sockaddr *)&address, size) != 0 ||
        listen(self->listen_fd, LISTEN_BACKLOG) != 0) {
        int number = errno;

        return pd_error_set(error,
                            number == EADDRINUSE      ? PD_EXISTS
                            : number == EADDRNOTAVAIL ? PD_INVALID
                                                      : PD_IO,
                            "cannot listen on %s:%u: %s", options->ip, options->port,
                            strerror(number));
    }
    PD_ASSERT(getsockname(self->listen_fd, (struct sockaddr *)&address, &size) == 0);
    self->port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                     : ((struct sockaddr_in *)&address)->sin_port);
    return PD_OK;
}

static void close_listener(pd_grpc_server_t *self)
{
    pd_loop_timer_stop(self->loop, &self->accept_timer);
    if (self->accept_event)
        event_free(self->accept_event);
    self->accept_event = NULL;
    if (self->listen_fd >= 0)
        close(self->listen_fd);
    self->listen_fd = -1;
}

/* -- the server -- */

static void make_env(pd_grpc_server_t *self, const pd_grpc_server_handler_t *handler, void *ctx)
{
    pd_grpc_env_options_t options = {
        .handler = handler,
        .handler_ctx = ctx,
        .on_output = on_output,
        .on_answered = check_stopped,
        .on_answered_ctx = self,
    };

    pd_grpc_limits_init(&options.limits);
    options.limits.receive_size_max = self->options.receive_size_max;
    options.limits.header_size_max = self->options.header_size_max;
    options.limits.held_size_max = self->options.held_size_max;
    options.limits.call_count_max = self->options.call_count_max;
    options.limits.stream_count_max = self->options.stream_count_max;
    options.limits.gzip_size_min = self->options.gzip_size_min;
    options.limits.gzip_size_max = self->options.gzip_size_max;
    self->env = pd_grpc_env_new(&options);
    self->io = pd_grpc_io_new(self->loop_event, pd_grpc_env_blobs(self->env));
}

pd_status_t pd_grpc_server_new(pd_loop_event_t *loop, const pd_grpc_server_options_t *options,
                               const pd_grpc_server_handler_t *handler, void *ctx,
                               pd_grpc_server_t **server, pd_error_t *error)
{
    pd_grpc_server_t *self = PD_NEW(pd_grpc_server_t);
    pd_status_t status;

    self->loop_event = loop;
    self->loop = pd_loop_event_loop(loop);
    self->options = *options;
    self->listen_fd = -1;
    self->accept_timer.fire = on_accept_timer;
    self->stopped_later.run = run_stopped;
    status = open_listener(self, error);
    if (status != PD_OK) {
        close_listener(self);
        pd_free(self);
        return status;
    }
    self->options.ip = NULL; /* borrowed until here only */
    make_env(self, handler, ctx);
    self->accept_event = event_new(pd_loop_event_base(loop), self->listen_fd, EV_READ | EV_PERSIST,
                                   on_acceptable, self);
    PD_ASSERT(self->accept_event && event_add(self->accept_event, NULL) == 0);
    *server = self;
    return PD_OK;
}

void pd_grpc_server_free(pd_grpc_server_t *self)
{
    if (!self)
        return;
    self->on_stopped = NULL;
    close_listener(self);
    pd_loop_timer_stop(self->loop, &self->drain_timer);
    while (self->connections)
        free_connection(self->connections);
    pd_grpc_io_free(self->io);
    pd_grpc_env_free(self->env);
    pd_free(self);
}

uint16_t pd_grpc_server_port(const pd_grpc_server_t *self)
{
    return self->port;
}

void pd_grpc_server_stats(const pd_grpc_server_t *self, pd_grpc_server_stats_t *stats)
{
    pd_grpc_env_stats_t env;

    pd_grpc_env_stats(self->env, &env);
    stats->call_count = env.call_count;
    stats->open_call_count = env.open_call_count;
    stats->connection_count = self->connection_count;
    stats->open_connection_count = self->open_connection_count;
}

/* First the calls are cancelled; a second later the connections are dropped. */
static void on_drain_timer(pd_timer_t *timer)
{
    pd_grpc_server_t *self = PD_CONTAINER_OF(timer, pd_grpc_server_t, drain_timer);

    for (connection_t *conn = self->connections; conn; conn = conn->next) {
        if (self->aborted) {
            pd_grpc_transport_drop(&conn->transport, "server stopped");
        } else {
            pd_grpc_session_abort(conn->session);
            pd_grpc_transport_mark(&conn->transport);
        }
    }
    if (!self->aborted)
        pd_loop_timer_start(self->loop, timer, pd_loop_now_ns(self->loop) + second_ns);
    self->aborted = true;
}

void pd_grpc_server_stop(pd_grpc_server_t *self, int64_t drain_ns, void (*on_stopped)(void *ctx),
                         void *ctx)
{
    PD_ASSERT_LOOP(self->loop);
    PD_ASSERT(!self->stopping && on_stopped);
    self->stopping = true;
    self->on_stopped = on_stopped;
    self->on_stopped_ctx = ctx;
    close_listener(self);
    for (connection_t *conn = self->connections; conn; conn = conn->next) {
        pd_grpc_session_shutdown(conn->session);
        pd_grpc_transport_mark(&conn->transport);
    }
    self->drain_timer.fire = on_drain_timer;
    pd_loop_timer_start(self->loop, &self->drain_timer, pd_loop_now_ns(self->loop) + drain_ns);
    check_stopped(self);
}
