#include "engine/program/metrics_port.h"

#include <string.h>

#include "base/memory.h"
#include "engine/metrics.h"
#include "engine/program/http_port.h"

struct pd_metrics_port {
    pd_metrics_port_options_t options;
    pd_loop_event_t *loop;
    pd_http_port_t *http;
};

static int answer(pd_buf_t *body, int status, const char *text)
{
    return pd_buf_append(body, text, strlen(text)) == PD_OK ? status : 500;
}

static int page(void *ctx, const char *path, pd_buf_t *body)
{
    pd_metrics_port_t *self = ctx;

    if (strcmp(path, "/metrics") == 0) {
        if (pd_metrics_write(self->options.metrics, body) == PD_OK)
            return 200;
        pd_buf_clear(body);
        return answer(body, 500, "the metrics are too large\n");
    }
    if (strcmp(path, "/healthz") == 0)
        return self->options.is_ready(self->options.ctx) ? answer(body, 200, "ready\n")
                                                         : answer(body, 503, "not ready\n");
    return answer(body, 404, "there are /metrics and /healthz\n");
}

pd_status_t pd_metrics_port_new(const pd_metrics_port_options_t *options, pd_metrics_port_t **port,
                                pd_error_t *error)
{
    pd_loop_event_options_t loop_options = {.name = "metrics", .mailbox_count = 16};
    pd_metrics_port_t *self = PD_NEW(pd_metrics_port_t);
    pd_http_port_options_t http_options = {
        .ip = options->listen->host,
        .port = options->listen->port,
        .page = page,
        .ctx = self,
    };
    pd_status_t status;

    self->options = *options;
    self->loop = pd_loop_event_new(&loop_options);
    status = pd_http_port_new(self->loop, &http_options, &self->http, error);
    if (status != PD_OK) {
        pd_loop_event_free(self->loop);
        pd_free(self);
        return status;
    }
    pd_loop_event_start(self->loop);
    *port = self;
    return PD_OK;
}

void pd_metrics_port_free(pd_metrics_port_t *self)
{
    if (!self)
        return;
    pd_loop_event_stop(self->loop);
    pd_http_port_free(self->http);
    pd_loop_event_free(self->loop);
    pd_free(self);
}

uint16_t pd_metrics_port_number(const pd_metrics_port_t *self)
{
    return pd_http_port_number(self->http);
}

void pd_program_print_metrics_doc(FILE *out)
{
    fputs(
        "# Metrics\n"
        "\n"
        "<!-- Printed by `perdure --print-metrics-doc` from the table in engine/metrics.c; a test\n"
        "compares. Change it there. -->\n"
        "\n"
        "With `--metrics-listen HOST:PORT` a node answers on a port of its own:\n"
        "\n"
        "- `GET /metrics`: everything below as Prometheus text (format 0.0.4);\n"
        "- `GET /healthz`: 200 when the node serves, 503 while it starts, stops, has failed or "
        "does\n"
        "  not hear its own heartbeats. It tells a balancer where to go, not whom to restart.\n"
        "\n"
        "Nothing else is answered. There is no authentication: keep the port inside.\n"
        "\n"
        "Numbers begin at 0 with the process. Calls appear with the first one of their method\n"
        "and code; `kafka` ones where the log is Kafka; `ingest` ones where topics are mapped.\n"
        "\n",
        out);
    pd_metrics_print_reference(pd_engine_metrics, PD_METRIC_ENGINE_COUNT, out);
}
