/* client.h -- a gRPC client: unary calls to one address over one or a few connections, on one loop.
 *
 * Connections are made when the first call needs them, and again (with growing pauses) when they
 * are lost. Calls made meanwhile wait; when an attempt to connect fails, those without
 * wait_for_ready end with UNAVAILABLE. A call that surely never reached the server's code (GOAWAY,
 * REFUSED_STREAM) is sent again by itself; no other is.
 *
 * Thread: the loop's, but _new may come before the loop runs and _free after it.
 * Ownership: the client borrows loop; request memory as said at each field. */
#ifndef PD_API_GRPC_CLIENT_H
#define PD_API_GRPC_CLIENT_H

#include "api/grpc/call.h"
#include "base/loop_event.h"

typedef struct pd_grpc_client pd_grpc_client_t;
/* A call under way. Valid until its on_reply, or _cancel. */
typedef struct pd_grpc_pending pd_grpc_pending_t;

struct addrinfo; /* netdb.h */

/* As getaddrinfo. */
typedef int (*pd_grpc_look_up_t)(const char *host, const char *port, const struct addrinfo *hints,
                                 struct addrinfo **found);

typedef struct pd_grpc_client_options {
    const char *address; /* "host:port", "[v6]:port"; a host name is looked up at each connect */
    pd_grpc_look_up_t look_up;  /* on a thread of its own; getaddrinfo, but for tests */
    const char *user_agent;     /* copied */
    uint32_t connection_count;  /* kept open; calls go to the least busy */
    size_t receive_size_max;    /* of one answer, on the wire and inflated */
    uint32_t waiting_count_max; /* calls that may wait for a connection */
    bool gzip; /* compress requests of gzip_size_min and more; inflates answers in any case */
    size_t gzip_size_min;
    int64_t connect_timeout_ns; /* of a lookup, and then of each address until it sent SETTINGS */
    int64_t backoff_min_ns; /* pause after the first failed attempt, doubled after each one more */
    int64_t backoff_max_ns;
    int64_t keepalive_idle_ns; /* silent that long with calls open: we ping */
    int64_t keepalive_timeout_ns;
} pd_grpc_client_options_t;

void pd_grpc_client_options_init(pd_grpc_client_options_t *options);

typedef struct pd_grpc_metadata {
    const char *name; /* lower case; "-bin" values are to be in base64 already */
    const char *value;
} pd_grpc_metadata_t;

/* Everything but ctx is borrowed until on_reply returns. */
typedef struct pd_grpc_reply {
    int code;            /* pd_grpc_code_t */
    const char *message; /* UTF-8, "" when none */
    pd_bytes_t data;     /* the answer when code is OK */
    pd_bytes_t details;  /* grpc-status-details-bin, decoded */
    bool from_peer;      /* the server said so; else the status was made here */
    bool unsent;         /* it surely never reached the server's code: to repeat it is safe */
} pd_grpc_reply_t;

typedef struct pd_grpc_request {
    const char *path; /* copied, unless path_is_static */
    uint8_t *data;    /* taken (pd_alloc; NULL when size is 0) */
    size_t size;
    int64_t timeout_ns;                 /* 0: none. Told to the server, and kept here too */
    const pd_grpc_metadata_t *metadata; /* copied, unless metadata_is_static */
    size_t metadata_count;
    bool path_is_static;     /* the string outlives the client */
    bool metadata_is_static; /* the array and its strings outlive the client */
    bool wait_for_ready;
    /* Once, never from inside pd_grpc_client_call. May make and cancel calls, but not free the
     * client. */
    void (*on_reply)(void *ctx, const pd_grpc_reply_t *reply);
    void *ctx;
} pd_grpc_request_t;

/* PD_INVALID: the address has no form that we know. Connects to nothing yet. */
pd_status_t pd_grpc_client_new(pd_loop_event_t *loop, const pd_grpc_client_options_t *options,
                               pd_grpc_client_t **client, pd_error_t *error) PD_MUST_USE;
/* Calls still open end without on_reply. */
void pd_grpc_client_free(pd_grpc_client_t *self);

/* Never NULL; every failure comes through on_reply. */
pd_grpc_pending_t *pd_grpc_client_call(pd_grpc_client_t *self, const pd_grpc_request_t *request);
/* Resets the call at the server; on_reply does not come. */
void pd_grpc_client_cancel(pd_grpc_client_t *self, pd_grpc_pending_t *pending);

/* Calls without an answer yet. */
uint64_t pd_grpc_client_open_count(const pd_grpc_client_t *self);

#endif
