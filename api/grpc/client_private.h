/* client_private.h -- the insides of the client: client.c (calls, waiting, deadlines), channel.c
 * (connections), lookup.c (host names), reply.c (HTTP/2 callbacks: what goes out and comes back for
 * a call).
 *
 *   waiting ──a channel has room──▶ on a channel ──stream closed──▶ on_reply, freed
 *      ▲                                 │
 *      └── refused, never processed ─────┘        cancelled: `abandoned` until the stream is closed
 *
 * Thread and ownership as in client.h. */
#ifndef PD_API_GRPC_CLIENT_PRIVATE_H
#define PD_API_GRPC_CLIENT_PRIVATE_H

#include <nghttp2/nghttp2.h>

#include "api/grpc/client.h"
#include "api/grpc/framing.h"
#include "api/grpc/gzip.h"
#include "api/grpc/transport.h"
#include "base/random.h"
#include "base/timer_heap.h"

enum {
    PDI_GRPC_CHANNEL_COUNT_MAX = 64,
    PDI_GRPC_RESEND_COUNT_MAX = 3,
    PDI_GRPC_PENDING_POOL_COUNT_MAX = 4096,
    PDI_GRPC_ADDRESS_COUNT_MAX = 8,
};

typedef struct pdi_grpc_channel pdi_grpc_channel_t;
typedef struct pdi_grpc_lookup pdi_grpc_lookup_t;

struct pd_grpc_pending {
    pd_grpc_client_t *client;
    pdi_grpc_channel_t *channel; /* NULL: waiting, or failed and not told yet */
    pd_grpc_pending_t *next, *previous;
    int32_t stream_id;
    bool abandoned;
    bool wait_for_ready;
    bool path_is_static;
    bool metadata_is_static;
    bool compressed; /* the request */
    bool not_sent;   /* nghttp2 could not send the request at all */
    bool unsent;     /* it ended without having reached the server's code */
    bool ended;      /* END_STREAM has come */
    bool gzip_answer;
    bool has_message;
    uint8_t resend_count;
    int local_code; /* -1, or why we end it */
    int http_status;
    int grpc_status; /* -1: none came */
    char *message;   /* grpc-message, decoded */
    uint8_t *details;
    size_t details_size;
    const char *local_message;
    const char *path;
    const pd_grpc_metadata_t *metadata;
    size_t metadata_count;
    int64_t timeout_ns;
    pd_timer_t deadline;
    pd_grpc_blob_t *request;
    size_t out_offset;
    void (*on_reply)(void *ctx, const pd_grpc_reply_t *reply);
    void *ctx;
    uint8_t *inflated;
    pd_bytes_t data;
    pd_grpc_decoder_t decoder;
    /* Not cleared when the object is used again. */
    pd_buf_t answer;
};

typedef struct pdi_grpc_list {
    pd_grpc_pending_t *first, *last;
    uint32_t count;
} pdi_grpc_list_t;

typedef enum pdi_grpc_channel_state {
    CHANNEL_IDLE,       /* nothing needs it */
    CHANNEL_CONNECTING, /* the lookup, or connect(), or the session is there without SETTINGS */
    CHANNEL_READY,      /* the peer's SETTINGS have come: it is no hung process that accepted */
    CHANNEL_BACKOFF,    /* waits before the next attempt */
} pdi_grpc_channel_state_t;

struct pdi_grpc_channel {
    pd_grpc_client_t *client;
    pdi_grpc_channel_t *next; /* of the draining ones */
    pdi_grpc_channel_state_t state;
    bool draining;             /* the peer sent GOAWAY: its calls go on, new ones go elsewhere */
    bool inside;               /* nghttp2 runs */
    pdi_grpc_lookup_t *lookup; /* or NULL */
    int fd;                    /* while connecting */
    struct event *connect_event;
    pd_grpc_transport_t transport;
    nghttp2_session *http2;
    pd_grpc_output_t *output;
    size_t output_size;
    pdi_grpc_list_t calls;
    pd_timer_t timer;         /* lookup, SETTINGS, backoff, keepalive */
    int64_t connect_until_ns; /* to the address that is being tried */
    int64_t backoff_ns;
    int64_t ping_ns;
    uint32_t address_index;
    uint32_t address_tried_count; /* of this attempt */
};

typedef struct pdi_grpc_address {
    uint8_t data[128]; /* a sockaddr */
    uint32_t size;
    int family;
} pdi_grpc_address_t;

typedef struct pdi_grpc_addresses {
    pdi_grpc_address_t items[PDI_GRPC_ADDRESS_COUNT_MAX];
    uint32_t count;
} pdi_grpc_addresses_t;

struct pd_grpc_client {
    pd_loop_event_t *loop_event;
    pd_loop_t *loop;
    pd_grpc_client_options_t options;
    char *host;
    char *port;
    char *authority;
    char *user_agent;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    pd_grpc_io_t *io;
    pd_grpc_blob_pool_t blobs;
    pd_grpc_gzip_t *gzip;
    pd_random_t random;
    pdi_grpc_addresses_t addresses; /* of the last lookup; none when it failed */
    pdi_grpc_channel_t *channels[PDI_GRPC_CHANNEL_COUNT_MAX];
    pdi_grpc_channel_t *draining;
    pdi_grpc_list_t waiting;
    pdi_grpc_list_t failed; /* to be told at the end of the turn */
    pd_grpc_later_t later;
    pd_timer_heap_t deadlines;
    pd_timer_t timer; /* rings at or before the earliest deadline */
    pd_grpc_pending_t *free_pending;
    uint32_t free_count;
    uint64_t open_count;
    char last_error[160]; /* of the last attempt to connect */
};

/* -- client.c -- */
/* A channel may have room, or failed: see what the waiting calls can do, at the end of the turn. */
void pdi_grpc_client_wake(pd_grpc_client_t *client);
/* An attempt to connect failed: ends what does not wait for better times. */
void pdi_grpc_client_fail_waiting(pd_grpc_client_t *client);
/* The stream of a call is closed. Tells the caller, or sends the call again. */
void pdi_grpc_pending_closed(pd_grpc_pending_t *pending, uint32_t http2_error);
/* The connection of a call is lost. */
void pdi_grpc_pending_lost(pd_grpc_pending_t *pending, const char *reason);

/* -- channel.c -- */
pdi_grpc_channel_t *pdi_grpc_channel_new(pd_grpc_client_t *client);
void pdi_grpc_channel_free(pdi_grpc_channel_t *channel);
/* Begins an attempt when idle. */
void pdi_grpc_channel_connect(pdi_grpc_channel_t *channel);
bool pdi_grpc_channel_has_room(const pdi_grpc_channel_t *channel);
/* The peer's SETTINGS have come. */
void pdi_grpc_channel_settings(pdi_grpc_channel_t *channel);
/* There is something to send. */
void pdi_grpc_channel_mark(pdi_grpc_channel_t *channel);
/* What its lookup found. `error` is NULL when it found some. */
void pdi_grpc_channel_looked_up(pdi_grpc_channel_t *channel, const pdi_grpc_addresses_t *addresses,
                                const char *error);

/* -- lookup.c -- */
/* False: not a numeric address. Does not block. */
bool pdi_grpc_numeric(const char *host, const char *port, pdi_grpc_addresses_t *addresses);
/* The channel is told on the loop, not from inside. NULL: no thread can be had. */
pdi_grpc_lookup_t *pdi_grpc_lookup_begin(pdi_grpc_channel_t *channel);
/* Nobody will be told. May be NULL. */
void pdi_grpc_lookup_abandon(pdi_grpc_lookup_t *self);

/* -- reply.c -- */
/* Codes that gRPC prescribes when there is no grpc-status. */
int pdi_grpc_code_of_http_status(int http_status);
int pdi_grpc_code_of_reset(uint32_t http2_error);
void pdi_grpc_make_callbacks(pd_grpc_client_t *client);
/* Opens a stream for a call; false when nghttp2 does not take it. */
bool pdi_grpc_submit(pdi_grpc_channel_t *channel, pd_grpc_pending_t *pending);

#endif
