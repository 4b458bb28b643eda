/* metrics_port.h -- GET /metrics and GET /healthz, on a thread of their own.
 *
 * Thread: _new, _free: main. Readiness and gauges are read from the port's thread.
 * Ownership: everything in the options is borrowed until _free. */
#ifndef PD_ENGINE_PROGRAM_METRICS_PORT_H
#define PD_ENGINE_PROGRAM_METRICS_PORT_H

#include "base/metrics.h"
#include "engine/program/options.h"

typedef struct pd_metrics_port pd_metrics_port_t;

typedef struct pd_metrics_port_options {
    const pd_program_address_t *listen;
    pd_metrics_t *metrics;
    /* Does this node serve? Otherwise /healthz answers 503. @thread any */
    bool (*is_ready)(void *ctx);
    void *ctx;
} pd_metrics_port_options_t;

/* Listens and begins to answer. PD_EXISTS, PD_INVALID, PD_IO. */
pd_status_t pd_metrics_port_new(const pd_metrics_port_options_t *options, pd_metrics_port_t **port,
                                pd_error_t *error) PD_MUST_USE;
/* NULL is allowed. Nothing of the options is used any more when it returns. */
void pd_metrics_port_free(pd_metrics_port_t *self);
uint16_t pd_metrics_port_number(const pd_metrics_port_t *self);

/* docs/metrics.md. */
void pd_program_print_metrics_doc(FILE *out);

#endif
