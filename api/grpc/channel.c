/* Connections of the client: looking up, connecting, backing off, keeping alive, going away. */
#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/grpc/client_private.h"
#include "base/assert.h"
#include "base/memory.h"

enum { WINDOW_SIZE_STREAM = 4 << 20, WINDOW_SIZE_CONNECTION = 16 << 20 };

static void try_next_address(pdi_grpc_channel_t *channel);

/* -- the session -- */

static bool channel_receive(void *ctx, int64_t now_ns, pd_bytes_t bytes)
{
    pdi_grpc_channel_t *channel = ctx;
    ssize_t taken;

    channel->inside = true;
    taken = nghttp2_session_mem_recv(channel->http2, bytes.data, bytes.size);
    channel->inside = false;
    return taken == (ssize_t)bytes.size;
}

static bool channel_produce(void *ctx, pd_grpc_output_t *output, size_t size)
{
    pdi_grpc_channel_t *channel = ctx;
    bool good = true;

    channel->output = output;
    channel->output_size = size;
    channel->inside = true;
    while (output->size < size) {
        const uint8_t *data;
        ssize_t data_size = nghttp2_session_mem_send(channel->http2, &data);

        if (data_size < 0)
            good = false;
        if (data_size <= 0)
            break;
        pd_grpc_output_append(output, data, (size_t)data_size);
    }
    channel->inside = false;
    channel->output = NULL;
    return good;
}

static bool channel_is_done(void *ctx)
{
    pdi_grpc_channel_t *channel = ctx;

    if (nghttp2_session_want_write(channel->http2))
        return false;
    return channel->transport.close_reason || !nghttp2_session_want_read(channel->http2);
}

static bool channel_is_full(void *ctx)
{
    return false;
}

/* Ends every call of a channel whose connection is gone. */
static void lose_calls(pdi_grpc_channel_t *channel, const char *reason)
{
    while (channel->calls.first)
        pdi_grpc_pending_lost(channel->calls.first, reason);
}

static void forget_draining(pdi_grpc_channel_t *channel)
{
    pdi_grpc_channel_t **at = &channel->client->draining;

    while (*at && *at != channel)
        at = &(*at)->next;
    if (*at)
        *at = channel->next;
}

static void start_backoff(pdi_grpc_channel_t *channel)
{
    pd_grpc_client_t *client = channel->client;
    const pd_grpc_client_options_t *options = &client->options;
    int64_t pause_ns;

    channel->backoff_ns = channel->backoff_ns ? channel->backoff_ns * 2 : options->backoff_min_ns;
    if (channel->backoff_ns > options->backoff_max_ns)
        channel->backoff_ns = options->backoff_max_ns;
    /* Up to a fifth less: clients that lost the same server do not return in step. */
    pause_ns = channel->backoff_ns -
               (int64_t)pd_random_below(&client->random, (uint64_t)channel->backoff_ns / 5 + 1);
    channel->state = CHANNEL_BACKOFF;
    pd_loop_timer_start(client->loop, &channel->timer, pd_loop_now_ns(client->loop) + pause_ns);
}

/* Without its SETTINGS the peer was never there. */
static void attempt_closed(pdi_grpc_channel_t *channel, const char *reason)
{
    pd_grpc_client_t *client = channel->client;

    PD_ASSERT(!channel->calls.first);
    channel->draining = false;
    snprintf(client->last_error, sizeof(client->last_error), "cannot connect to %s: %s",
             client->authority, reason);
    try_next_address(channel);
    pdi_grpc_client_wake(client);
}

static void channel_closed(void *ctx, const char *reason)
{
    pdi_grpc_channel_t *channel = ctx;
    pd_grpc_client_t *client = channel->client;
    bool draining = channel->draining;

    pd_loop_timer_stop(client->loop, &channel->timer);
    nghttp2_session_del(channel->http2);
    channel->http2 = NULL;
    if (channel->state == CHANNEL_CONNECTING) {
        attempt_closed(channel, reason);
        return;
    }
    channel->state = CHANNEL_IDLE;
    channel->ping_ns = 0;
    snprintf(client->last_error, sizeof(client->last_error), "connection lost: %s", reason);
    lose_calls(channel, client->last_error);
    if (draining) {
        forget_draining(channel);
        for (uint32_t i = 0; i < client->options.connection_count; i++) {
            if (client->channels[i] == channel)
                client->channels[i] = NULL;
        }
        pd_free(channel);
    } else {
        start_backoff(channel);
    }
    pdi_grpc_client_wake(client);
}

static const pd_grpc_transport_ops_t transport_ops = {
    .receive = channel_receive,
    .produce = channel_produce,
    .is_done = channel_is_done,
    .is_full = channel_is_full,
    .closed = channel_closed,
};

static void open_session(pdi_grpc_channel_t *channel, int fd)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_SIZE_STREAM},
    };
    pd_grpc_client_t *client = channel->client;
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    PD_ASSERT(nghttp2_session_client_new2(&channel->http2, client->callbacks, channel,
                                          client->option) == 0);
    PD_ASSERT(nghttp2_submit_settings(channel->http2, NGHTTP2_FLAG_NONE, settings,
                                      PD_ARRAY_COUNT(settings)) == 0);
    PD_ASSERT(nghttp2_session_set_local_window_size(channel->http2, NGHTTP2_FLAG_NONE, 0,
                                                    WINDOW_SIZE_CONNECTION) == 0);
    pd_grpc_transport_start(&channel->transport, client->io, fd, &transport_ops, channel);
    pd_loop_timer_start(client->loop, &channel->timer, channel->connect_until_ns);
}

void pdi_grpc_channel_settings(pdi_grpc_channel_t *channel)
{
    pd_grpc_client_t *client = channel->client;

    if (channel->state == CHANNEL_CONNECTING) {
        channel->state = CHANNEL_READY;
        channel->backoff_ns = 0;
        channel->ping_ns = 0;
        pd_loop_timer_start(client->loop, &channel->timer,
                            pd_loop_now_ns(client->loop) + client->options.keepalive_idle_ns);
    }
    pdi_grpc_client_wake(client);
}

/* -- connecting -- */

static void stop_connecting(pdi_grpc_channel_t *channel)
{
    if (channel->connect_event)
        event_free(channel->connect_event);
    channel->connect_event = NULL;
    if (channel->fd >= 0)
        close(channel->fd);
    channel->fd = -1;
}

static void attempt_failed(pdi_grpc_channel_t *channel, const char *text)
{
    pd_grpc_client_t *client = channel->client;

    snprintf(client->last_error, sizeof(client->last_error), "cannot connect to %s: %s",
             client->authority, text);
    stop_connecting(channel);
    try_next_address(channel);
}

static void on_connect(evutil_socket_t fd, short what, void *ctx)
{
    pdi_grpc_channel_t *channel = ctx;
    int error = 0;
    socklen_t size = sizeof(error);

    pd_loop_event_refresh_ns(channel->client->loop_event);
    if (what & EV_TIMEOUT)
        error = ETIMEDOUT;
    else if (getsockopt(channel->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error) {
        attempt_failed(channel, strerror(error));
        return;
    }
    event_free(channel->connect_event);
    channel->connect_event = NULL;
    channel->fd = -1;
    open_session(channel, fd);
}

static void try_next_address(pdi_grpc_channel_t *channel)
{
    pd_grpc_client_t *client = channel->client;
    int64_t timeout_ns = client->options.connect_timeout_ns;
    struct timeval timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000 / 1000};
    pdi_grpc_address_t *address;

    if (channel->address_tried_count >= client->addresses.count) {
        start_backoff(channel);
        pdi_grpc_client_fail_waiting(client);
        return;
    }
    channel->address_tried_count++;
    channel->connect_until_ns = pd_loop_now_ns(client->loop) + timeout_ns;
    address = &client->addresses.items[channel->address_index++ % client->addresses.count];
    channel->fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (channel->fd < 0) {
        attempt_failed(channel, strerror(errno));
        return;
    }
    if (connect(channel->fd, (const struct sockaddr *)address->data, address->size) != 0 &&
        errno != EINPROGRESS) {
        attempt_failed(channel, strerror(errno));
        return;
    }
    channel->connect_event = event_new(pd_loop_event_base(client->loop_event), channel->fd,
                                       EV_WRITE, on_connect, channel);
    PD_ASSERT(channel->connect_event && event_add(channel->connect_event, &timeout) == 0);
}

/* -- looking up -- */

static void lookup_failed(pdi_grpc_channel_t *channel, const char *text)
{
    pd_grpc_client_t *client = channel->client;

    snprintf(client->last_error, sizeof(client->last_error), "cannot look up %s: %s", client->host,
             text);
    client->addresses.count = 0;
    try_next_address(channel);
}

void pdi_grpc_channel_looked_up(pdi_grpc_channel_t *channel, const pdi_grpc_addresses_t *addresses,
                                const char *error)
{
    pd_grpc_client_t *client = channel->client;

    channel->lookup = NULL;
    pd_loop_timer_stop(client->loop, &channel->timer);
    if (error) {
        lookup_failed(channel, error);
        return;
    }
    client->addresses = *addresses;
    try_next_address(channel);
}

void pdi_grpc_channel_connect(pdi_grpc_channel_t *channel)
{
    pd_grpc_client_t *client = channel->client;
    pdi_grpc_addresses_t numeric;

    if (channel->state != CHANNEL_IDLE)
        return;
    channel->state = CHANNEL_CONNECTING;
    channel->address_tried_count = 0;
    if (pdi_grpc_numeric(client->host, client->port, &numeric)) {
        pdi_grpc_channel_looked_up(channel, &numeric, NULL);
        return;
    }
    channel->lookup = pdi_grpc_lookup_begin(channel);
    if (channel->lookup)
        pd_loop_timer_start(client->loop, &channel->timer,
                            pd_loop_now_ns(client->loop) + client->options.connect_timeout_ns);
    else
        lookup_failed(channel, "no thread for it");
}

/* -- the channel -- */

static void on_timer(pd_timer_t *timer)
{
    pdi_grpc_channel_t *channel = PD_CONTAINER_OF(timer, pdi_grpc_channel_t, timer);
    pd_grpc_client_t *client = channel->client;
    const pd_grpc_client_options_t *options = &client->options;
    int64_t now_ns = pd_loop_now_ns(client->loop);
    int64_t received_ns = channel->transport.received_ns;

    if (channel->state == CHANNEL_BACKOFF) {
        channel->state = CHANNEL_IDLE;
        pdi_grpc_client_wake(client);
        return;
    }
    if (channel->state == CHANNEL_CONNECTING && channel->lookup) {
        pdi_grpc_lookup_abandon(channel->lookup);
        channel->lookup = NULL;
        lookup_failed(channel, strerror(ETIMEDOUT));
        return;
    }
    if (channel->state == CHANNEL_CONNECTING)
        pd_grpc_transport_drop(&channel->transport, "server is silent");
    if (channel->state != CHANNEL_READY)
        return;
    if (channel->ping_ns && received_ns >= channel->ping_ns)
        channel->ping_ns = 0;
    if (channel->ping_ns && now_ns >= channel->ping_ns + options->keepalive_timeout_ns) {
        pd_grpc_transport_drop(&channel->transport, "server is silent");
        return;
    }
    if (!channel->ping_ns && channel->calls.first &&
        now_ns >= received_ns + options->keepalive_idle_ns) {
        channel->ping_ns = now_ns;
        nghttp2_submit_ping(channel->http2, NGHTTP2_FLAG_NONE, NULL);
        pdi_grpc_channel_mark(channel);
    }
    pd_loop_timer_start(
        client->loop, timer,
        now_ns + (channel->ping_ns ? options->keepalive_timeout_ns : options->keepalive_idle_ns));
}

pdi_grpc_channel_t *pdi_grpc_channel_new(pd_grpc_client_t *client)
{
    pdi_grpc_channel_t *channel = PD_NEW(pdi_grpc_channel_t);

    channel->client = client;
    channel->fd = -1;
    channel->timer.fire = on_timer;
    return channel;
}

void pdi_grpc_channel_free(pdi_grpc_channel_t *channel)
{
    if (!channel)
        return;
    PD_ASSERT(!channel->inside && !channel->calls.first);
    pd_loop_timer_stop(channel->client->loop, &channel->timer);
    pdi_grpc_lookup_abandon(channel->lookup);
    stop_connecting(channel);
    pd_grpc_transport_stop(&channel->transport);
    if (channel->http2)
        nghttp2_session_del(channel->http2);
    pd_free(channel);
}

bool pdi_grpc_channel_has_room(const pdi_grpc_channel_t *channel)
{
    if (channel->state != CHANNEL_READY || channel->draining || channel->transport.close_reason)
        return false;
    return channel->calls.count < nghttp2_session_get_remote_settings(
                                      channel->http2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) &&
           nghttp2_session_check_request_allowed(channel->http2);
}

void pdi_grpc_channel_mark(pdi_grpc_channel_t *channel)
{
    if (!channel->inside && channel->state == CHANNEL_READY)
        pd_grpc_transport_mark(&channel->transport);
}
