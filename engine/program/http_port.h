/* http_port.h -- a small HTTP server for operators: GET of a few pages, one request a connection.
 *
 * Bounded in everything: connections, request size, time. Not for the public.
 * Thread: _new before the loop runs or on it; pages are made on the loop; _free after the loop has
 * ended or on it. Ownership: loop and ctx are borrowed until _free. */
#ifndef PD_ENGINE_PROGRAM_HTTP_PORT_H
#define PD_ENGINE_PROGRAM_HTTP_PORT_H

#include "base/buf.h"
#include "base/loop_event.h"

enum {
    PD_HTTP_PORT_CONNECTION_COUNT_MAX = 32,
    PD_HTTP_PORT_REQUEST_SIZE_MAX = 8 * 1024,
    PD_HTTP_PORT_ANSWER_SIZE_MAX = 64 * 1024 * 1024,
    PD_HTTP_PORT_TIMEOUT_S = 10, /* for the request, and for each part of the answer */
};

typedef struct pd_http_port pd_http_port_t;

typedef struct pd_http_port_options {
    const char *ip; /* numeric */
    uint16_t port;  /* 0: the system chooses */
    /* Writes the page of a GET into `body`; returns the status: 200, 404, 500, 503. `path` is
     * without its query. */
    int (*page)(void *ctx, const char *path, pd_buf_t *body);
    void *ctx;
} pd_http_port_options_t;

/* PD_EXISTS: the address is in use; PD_INVALID: no such address; PD_IO. */
pd_status_t pd_http_port_new(pd_loop_event_t *loop, const pd_http_port_options_t *options,
                             pd_http_port_t **port, pd_error_t *error) PD_MUST_USE;
/* Connections are closed. NULL is allowed. */
void pd_http_port_free(pd_http_port_t *self);
uint16_t pd_http_port_number(const pd_http_port_t *self);

#endif
