#include "api/grpc/client.h"

#include <netdb.h>
#include <stdio.h>

#include "api/grpc/client_private.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/os_clock.h"

enum { KEPT_ANSWER_SIZE_MAX = 4096, MIB = 1 << 20 };

static const int64_t second_ns = 1000000000;

static void list_append(pdi_grpc_list_t *list, pd_grpc_pending_t *pending)
{
    pending->next = NULL;
    pending->previous = list->last;
    if (list->last)
        list->last->next = pending;
    else
        list->first = pending;
    list->last = pending;
    list->count++;
}

static void list_remove(pdi_grpc_list_t *list, pd_grpc_pending_t *pending)
{
    PD_ASSERT(list->count > 0);
    if (pending->previous)
        pending->previous->next = pending->next;
    else
        list->first = pending->next;
    if (pending->next)
        pending->next->previous = pending->previous;
    else
        list->last = pending->previous;
    pending->next = pending->previous = NULL;
    list->count--;
}

void pd_grpc_client_options_init(pd_grpc_client_options_t *options)
{
    *options = (pd_grpc_client_options_t){
        .address = "127.0.0.1:7233",
        .look_up = getaddrinfo,
        .user_agent = "perdure",
        .connection_count = 1,
        .receive_size_max = 128 * MIB,
        .waiting_count_max = 100000,
        .gzip_size_min = 4096,
        .connect_timeout_ns = 10 * second_ns,
        .backoff_min_ns = second_ns / 10,
        .backoff_max_ns = 10 * second_ns,
        .keepalive_idle_ns = 30 * second_ns,
        .keepalive_timeout_ns = 15 * second_ns,
    };
}

/* -- the life of a call object -- */

static pd_grpc_pending_t *new_pending(pd_grpc_client_t *self)
{
    pd_grpc_pending_t *pending = self->free_pending;

    if (pending) {
        self->free_pending = pending->next;
        self->free_count--;
    } else {
        pending = pd_alloc(sizeof(*pending));
        pd_buf_init(&pending->answer, self->options.receive_size_max);
    }
    memset(pending, 0, offsetof(pd_grpc_pending_t, answer));
    pending->client = self;
    pending->local_code = pending->grpc_status = -1;
    pd_grpc_decoder_init(&pending->decoder, self->options.receive_size_max);
    return pending;
}

static void clear_answer(pd_grpc_pending_t *pending)
{
    pd_free(pending->message);
    pd_free(pending->details);
    pd_free(pending->inflated);
    pd_grpc_decoder_deinit(&pending->decoder);
    pd_buf_clear(&pending->answer);
    pending->message = NULL;
    pending->details = pending->inflated = NULL;
    pending->details_size = 0;
    pending->data = pd_bytes(NULL, 0);
    pending->has_message = pending->ended = pending->not_sent = pending->gzip_answer = false;
    pending->grpc_status = pending->local_code = -1;
    pending->http_status = 0;
}

static void free_metadata(pd_grpc_pending_t *pending)
{
    if (pending->metadata_is_static)
        return;
    for (size_t i = 0; i < pending->metadata_count; i++) {
        pd_free((void *)(uintptr_t)pending->metadata[i].name);
        pd_free((void *)(uintptr_t)pending->metadata[i].value);
    }
    pd_free((void *)(uintptr_t)pending->metadata);
}

static void free_pending(pd_grpc_pending_t *pending)
{
    pd_grpc_client_t *self = pending->client;

    PD_ASSERT(!pending->deadline.heap_index);
    clear_answer(pending);
    free_metadata(pending);
    if (!pending->path_is_static)
        pd_free((void *)(uintptr_t)pending->path);
    pd_grpc_blob_unref(&self->blobs, pending->request);
    if (pending->answer.capacity > KEPT_ANSWER_SIZE_MAX) {
        pd_buf_deinit(&pending->answer);
        pd_buf_init(&pending->answer, self->options.receive_size_max);
    }
    if (self->free_count >= PDI_GRPC_PENDING_POOL_COUNT_MAX) {
        pd_buf_deinit(&pending->answer);
        pd_free(pending);
        return;
    }
    pending->next = self->free_pending;
    self->free_pending = pending;
    self->free_count++;
}

/* The caller has no further interest, or was told. */
static void retire(pd_grpc_pending_t *pending)
{
    pd_grpc_client_t *self = pending->client;

    pd_timer_heap_remove(&self->deadlines, &pending->deadline);
    PD_ASSERT(self->open_count > 0 && !pending->abandoned);
    self->open_count--;
    pending->abandoned = true;
}

static void tell(pd_grpc_pending_t *pending, int code, const char *message, bool from_peer)
{
    pd_grpc_reply_t reply = {
        .code = code,
        .message = message ? message : "",
        .from_peer = from_peer,
        .unsent = pending->unsent,
    };

    if (code == PD_GRPC_OK)
        reply.data = pending->data;
    else if (from_peer)
        reply.details = pd_bytes(pending->details, pending->details_size);
    retire(pending);
    pending->on_reply(pending->ctx, &reply);
}

/* -- what came of a call -- */

static void tell_outcome(pd_grpc_pending_t *pending, uint32_t http2_error)
{
    char text[96];

    if (pending->local_code >= 0) {
        tell(pending, pending->local_code, pending->local_message, false);
    } else if (pending->grpc_status == PD_GRPC_OK && !pending->has_message) {
        tell(pending, PD_GRPC_INTERNAL, "the server answered OK without a message", false);
    } else if (pending->grpc_status >= 0) {
        tell(pending, pending->grpc_status, pending->message, true);
    } else if (http2_error != NGHTTP2_NO_ERROR) {
        snprintf(text, sizeof(text), "stream terminated by RST_STREAM with error code: %s",
                 nghttp2_http2_strerror(http2_error));
        tell(pending, pdi_grpc_code_of_reset(http2_error), text, false);
    } else if (pending->http_status != 200) {
        snprintf(text, sizeof(text), "unexpected HTTP status code received from server: %d",
                 pending->http_status);
        tell(pending, pdi_grpc_code_of_http_status(pending->http_status), text, false);
    } else {
        tell(pending, PD_GRPC_INTERNAL, "server closed the stream without sending trailers", false);
    }
}

static void leave_channel(pd_grpc_pending_t *pending)
{
    list_remove(&pending->channel->calls, pending);
    pending->channel = NULL;
    pending->stream_id = 0;
    if (pending->client->waiting.count)
        pdi_grpc_client_wake(pending->client);
}

void pdi_grpc_pending_closed(pd_grpc_pending_t *pending, uint32_t http2_error)
{
    bool unprocessed = pending->not_sent || http2_error == NGHTTP2_REFUSED_STREAM;

    leave_channel(pending);
    if (!pending->abandoned && unprocessed && pending->local_code < 0 &&
        pending->resend_count < PDI_GRPC_RESEND_COUNT_MAX) {
        clear_answer(pending);
        pd_grpc_decoder_init(&pending->decoder, pending->client->options.receive_size_max);
        pending->resend_count++;
        list_append(&pending->client->waiting, pending);
        pdi_grpc_client_wake(pending->client);
        return;
    }
    pending->unsent = unprocessed;
    if (!pending->abandoned)
        tell_outcome(pending, http2_error);
    free_pending(pending);
}

void pdi_grpc_pending_lost(pd_grpc_pending_t *pending, const char *reason)
{
    leave_channel(pending);
    if (!pending->abandoned)
        tell(pending, PD_GRPC_UNAVAILABLE, reason, false);
    free_pending(pending);
}

/* -- waiting -- */

static pdi_grpc_channel_t *choose_channel(pd_grpc_client_t *self)
{
    pdi_grpc_channel_t *best = NULL;

    for (uint32_t i = 0; i < self->options.connection_count; i++) {
        pdi_grpc_channel_t *channel = self->channels[i];

        if (channel && (!best || channel->calls.count < best->calls.count) &&
            pdi_grpc_channel_has_room(channel))
            best = channel;
    }
    return best;
}

/* Neither connected nor about to be. */
static bool is_down(const pd_grpc_client_t *self)
{
    for (uint32_t i = 0; i < self->options.connection_count; i++) {
        if (!self->channels[i] || self->channels[i]->state != CHANNEL_BACKOFF)
            return false;
    }
    return true;
}

static void start_on(pdi_grpc_channel_t *channel, pd_grpc_pending_t *pending)
{
    pending->channel = channel;
    list_append(&channel->calls, pending);
    if (pdi_grpc_submit(channel, pending)) {
        pdi_grpc_channel_mark(channel);
        return;
    }
    /* Out of stream numbers, or the session is ending: the next channel will take it. */
    channel->draining = true;
    list_remove(&channel->calls, pending);
    pending->channel = NULL;
    list_append(&pending->client->waiting, pending);
    pdi_grpc_client_wake(pending->client);
}

static void add_failed(pd_grpc_pending_t *pending, const char *message)
{
    pending->local_code = PD_GRPC_UNAVAILABLE;
    pending->unsent = true;
    pending->message = pd_strdup(message);
    list_append(&pending->client->failed, pending);
    pdi_grpc_client_wake(pending->client);
}

void pdi_grpc_client_fail_waiting(pd_grpc_client_t *self)
{
    pd_grpc_pending_t *pending, *next;

    if (!is_down(self))
        return;
    for (pending = self->waiting.first; pending; pending = next) {
        next = pending->next;
        if (pending->wait_for_ready)
            continue;
        list_remove(&self->waiting, pending);
        add_failed(pending, self->last_error);
    }
}

void pdi_grpc_client_wake(pd_grpc_client_t *self)
{
    pd_grpc_io_later(self->io, &self->later);
}

/* Moves channels that the peer is closing out of the way of new calls. */
static void replace_draining(pd_grpc_client_t *self)
{
    for (uint32_t i = 0; i < self->options.connection_count; i++) {
        pdi_grpc_channel_t *channel = self->channels[i];

        if (channel && channel->draining && channel->state == CHANNEL_READY) {
            channel->next = self->draining;
            self->draining = channel;
            self->channels[i] = NULL;
            pdi_grpc_channel_mark(channel);
        }
        if (!self->channels[i])
            self->channels[i] = pdi_grpc_channel_new(self);
    }
}

static void deliver_failed(pd_grpc_client_t *self)
{
    /* Only those that are here now: a caller that repeats at once must not hold up the loop. */
    for (uint32_t count = self->failed.count; count && self->failed.first; count--) {
        pd_grpc_pending_t *pending = self->failed.first;

        list_remove(&self->failed, pending);
        tell(pending, pending->local_code, pending->message, false);
        free_pending(pending);
    }
    if (self->failed.first)
        pd_loop_timer_start(self->loop, &self->timer, pd_loop_now_ns(self->loop));
}

static void run_later(pd_grpc_later_t *later)
{
    pd_grpc_client_t *self = PD_CONTAINER_OF(later, pd_grpc_client_t, later);
    pdi_grpc_channel_t *channel;

    replace_draining(self);
    for (uint32_t i = 0; i < self->options.connection_count && self->open_count; i++)
        pdi_grpc_channel_connect(self->channels[i]);
    while (self->waiting.first && (channel = choose_channel(self))) {
        pd_grpc_pending_t *pending = self->waiting.first;

        list_remove(&self->waiting, pending);
        start_on(channel, pending);
    }
    pdi_grpc_client_fail_waiting(self);
    deliver_failed(self);
}

/* -- deadlines -- */

static void arm_timer(pd_grpc_client_t *self)
{
    pd_timer_t *first = pd_timer_heap_first(&self->deadlines);

    if (first && (!self->timer.heap_index || first->at_ns < self->timer.at_ns))
        pd_loop_timer_start(self->loop, &self->timer, first->at_ns);
}

/* The caller is told; the stream, if any, goes on its own. */
static void let_go(pd_grpc_pending_t *pending)
{
    pd_grpc_client_t *self = pending->client;

    if (pending->channel) {
        nghttp2_submit_rst_stream(pending->channel->http2, NGHTTP2_FLAG_NONE, pending->stream_id,
                                  NGHTTP2_CANCEL);
        pdi_grpc_channel_mark(pending->channel);
        return;
    }
    list_remove(pending->message && pending->local_code >= 0 ? &self->failed : &self->waiting,
                pending);
    free_pending(pending);
}

static void on_timer(pd_timer_t *timer)
{
    pd_grpc_client_t *self = PD_CONTAINER_OF(timer, pd_grpc_client_t, timer);
    int64_t now_ns = pd_loop_now_ns(self->loop);
    pd_timer_t *first;

    while ((first = pd_timer_heap_first(&self->deadlines)) && first->at_ns <= now_ns) {
        pd_grpc_pending_t *pending = PD_CONTAINER_OF(first, pd_grpc_pending_t, deadline);

        tell(pending, PD_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded", false);
        let_go(pending);
    }
    deliver_failed(self);
    arm_timer(self);
}

/* -- the client -- */

static bool split_address(pd_grpc_client_t *self, const char *address)
{
    const char *colon = strrchr(address, ':');
    size_t size = colon ? (size_t)(colon - address) : 0;

    if (!colon || !size || !colon[1] || strlen(colon + 1) > 5)
        return false;
    for (const char *digit = colon + 1; *digit; digit++) {
        if (*digit < '0' || *digit > '9')
            return false;
    }
    if (address[0] == '[') {
        if (size < 3 || address[size - 1] != ']')
            return false;
        address++;
        size -= 2;
    } else if (memchr(address, ':', size)) {
        return false; /* a v6 address without brackets */
    }
    self->host = pd_calloc(size + 1, 1);
    memcpy(self->host, address, size);
    self->port = pd_strdup(colon + 1);
    return true;
}

pd_status_t pd_grpc_client_new(pd_loop_event_t *loop, const pd_grpc_client_options_t *options,
                               pd_grpc_client_t **client, pd_error_t *error)
{
    pd_grpc_client_t *self = PD_NEW(pd_grpc_client_t);

    PD_ASSERT(options->connection_count > 0 &&
              options->connection_count <= PDI_GRPC_CHANNEL_COUNT_MAX);
    if (!split_address(self, options->address)) {
        pd_free(self);
        return pd_error_set(error, PD_INVALID, "\"%s\" is not an address of the form host:port",
                            options->address);
    }
    self->loop_event = loop;
    self->loop = pd_loop_event_loop(loop);
    self->options = *options;
    self->authority = pd_strdup(options->address);
    self->user_agent = pd_strdup(options->user_agent);
    self->options.address = self->options.user_agent = NULL;
    pdi_grpc_make_callbacks(self);
    self->io = pd_grpc_io_new(loop, &self->blobs);
    self->gzip = pd_grpc_gzip_new();
    pd_random_init(&self->random, pd_os_entropy());
    self->later.run = run_later;
    self->timer.fire = on_timer;
    pd_timer_heap_init(&self->deadlines);
    *client = self;
    return PD_OK;
}

static void free_list(pdi_grpc_list_t *list)
{
    while (list->first) {
        pd_grpc_pending_t *pending = list->first;

        list_remove(list, pending);
        if (!pending->abandoned)
            retire(pending);
        free_pending(pending);
    }
}

void pd_grpc_client_free(pd_grpc_client_t *self)
{
    if (!self)
        return;
    pd_loop_timer_stop(self->loop, &self->timer);
    for (uint32_t i = 0; i < self->options.connection_count; i++) {
        if (self->channels[i])
            free_list(&self->channels[i]->calls);
        pdi_grpc_channel_free(self->channels[i]);
    }
    while (self->draining) {
        pdi_grpc_channel_t *next = self->draining->next;

        free_list(&self->draining->calls);
        pdi_grpc_channel_free(self->draining);
        self->draining = next;
    }
    free_list(&self->waiting);
    free_list(&self->failed);
    PD_ASSERT(!self->open_count);
    while (self->free_pending) {
        pd_grpc_pending_t *next = self->free_pending->next;

        pd_buf_deinit(&self->free_pending->answer);
        pd_free(self->free_pending);
        self->free_pending = next;
    }
    pd_timer_heap_deinit(&self->deadlines);
    pd_grpc_io_free(self->io);
    pd_grpc_blob_pool_deinit(&self->blobs);
    pd_grpc_gzip_free(self->gzip);
    nghttp2_option_del(self->option);
    nghttp2_session_callbacks_del(self->callbacks);
    pd_free(self->host);
    pd_free(self->port);
    pd_free(self->authority);
    pd_free(self->user_agent);
    pd_free(self);
}

static void copy_metadata(pd_grpc_pending_t *pending, const pd_grpc_request_t *request)
{
    pd_grpc_metadata_t *copy;

    pending->metadata_count = request->metadata_count;
    pending->metadata_is_static = request->metadata_is_static || !request->metadata_count;
    pending->metadata = request->metadata;
    if (pending->metadata_is_static)
        return;
    copy = pd_alloc(request->metadata_count * sizeof(*copy));
    for (size_t i = 0; i < request->metadata_count; i++) {
        copy[i].name = pd_strdup(request->metadata[i].name);
        copy[i].value = pd_strdup(request->metadata[i].value);
    }
    pending->metadata = copy;
}

static pd_grpc_blob_t *request_blob(pd_grpc_client_t *self, const pd_grpc_request_t *request,
                                    bool *compressed)
{
    uint8_t *deflated;
    size_t size;

    *compressed =
        self->options.gzip && request->size && request->size >= self->options.gzip_size_min;
    if (!*compressed)
        return pd_grpc_blob_new(&self->blobs, false, request->data, request->size);
    pd_grpc_gzip_deflate(self->gzip, pd_bytes(request->data, request->size), &deflated, &size);
    pd_free(request->data);
    return pd_grpc_blob_new(&self->blobs, true, deflated, size);
}

pd_grpc_pending_t *pd_grpc_client_call(pd_grpc_client_t *self, const pd_grpc_request_t *request)
{
    pd_grpc_pending_t *pending = new_pending(self);
    pdi_grpc_channel_t *channel;

    PD_ASSERT_LOOP(self->loop);
    PD_ASSERT(request->path && request->on_reply && request->timeout_ns >= 0);
    pending->path = request->path_is_static ? request->path : pd_strdup(request->path);
    pending->path_is_static = request->path_is_static;
    pending->wait_for_ready = request->wait_for_ready;
    pending->timeout_ns = request->timeout_ns;
    pending->on_reply = request->on_reply;
    pending->ctx = request->ctx;
    copy_metadata(pending, request);
    pending->request = request_blob(self, request, &pending->compressed);
    self->open_count++;
    if (request->timeout_ns) {
        int64_t now_ns = pd_loop_now_ns(self->loop);
        int64_t at_ns =
            request->timeout_ns < INT64_MAX - now_ns ? now_ns + request->timeout_ns : INT64_MAX;

        pd_timer_heap_set(&self->deadlines, &pending->deadline, at_ns);
        arm_timer(self);
    }
    channel = self->waiting.first ? NULL : choose_channel(self);
    if (channel) {
        start_on(channel, pending);
    } else if (is_down(self) && !pending->wait_for_ready) {
        add_failed(pending, self->last_error);
    } else if (self->waiting.count >= self->options.waiting_count_max) {
        add_failed(pending, "too many calls wait for a connection");
    } else {
        list_append(&self->waiting, pending);
        pdi_grpc_client_wake(self);
    }
    return pending;
}

void pd_grpc_client_cancel(pd_grpc_client_t *self, pd_grpc_pending_t *pending)
{
    PD_ASSERT(pending->client == self && !pending->abandoned);
    retire(pending);
    let_go(pending);
}

uint64_t pd_grpc_client_open_count(const pd_grpc_client_t *self)
{
    return self->open_count;
}
