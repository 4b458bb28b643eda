#include "engine/program/server.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api/grpc/server.h"
#include "api/service/service.h"
#include "base/assert.h"
#include "base/diag.h"
#include "base/loop_event.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "base/random.h"
#include "engine/frontend/frontend.h"
#include "engine/frontend_grpc/frontend_grpc.h"
#include "engine/metrics.h"
#include "engine/node/node.h"
#include "engine/program/metrics_port.h"
#include "engine/program/server_cluster.h"

enum { LOOP_COUNT_MAX = 16, MAILBOX_COUNT = 65536 };
#define NS_PER_MS ((int64_t)1000000)
#define DRAIN_NS (3000 * NS_PER_MS)

typedef struct server {
    const pd_program_options_t *options;
    pd_loop_event_t *front;                  /* main's */
    pd_loop_event_t *engine[LOOP_COUNT_MAX]; /* those with a thread of their own */
    uint32_t thread_count; /* of those; 0: the front's loop is the engine's, too */
    pd_loop_t *engine_loops[LOOP_COUNT_MAX];
    uint32_t loop_count;
    pd_log_t *log;
    pd_store_shared_t *store_shared;
    pd_record_codec_t *codec, *command_codec, *rejected_codec;
    pd_namespaces_t *namespaces;
    pd_server_cluster_t *cluster; /* NULL: the only node */
    pd_node_t *node;
    pd_frontend_t *frontend;
    pd_frontend_grpc_t frontend_grpc;
    pd_grpc_server_t *grpc;
    pd_service_t *service; /* health and reflection */
    pd_metrics_t *metrics;
    pd_metrics_port_t *metrics_port;            /* NULL: none is wanted */
    pd_gauge_t mail_counts[LOOP_COUNT_MAX + 1]; /* the front's is the last */
    pd_gauge_t block_cache_size;
    struct event *signals[2];
    pd_mail_t state_mail; /* a change of the node's state, to main's loop */
    _Atomic(int) node_state;
    _Atomic(bool) state_mail_posted;
    _Atomic(bool) serving;
    bool stopping, draining, listening;
    int exit_code;
} server_t;

/* ---- signals before there is a loop ---- */

static const int signal_numbers[2] = {SIGTERM, SIGINT};
static volatile sig_atomic_t signaled;

static void remember_signal(int number)
{
    signaled = number;
}

void pd_server_catch_signals(void)
{
    struct sigaction action = {.sa_handler = remember_signal};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < PD_ARRAY_COUNT(signal_numbers); i++)
        PD_ASSERT(sigaction(signal_numbers[i], &action, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
}

bool pd_server_is_signaled(void *ctx)
{
    (void)ctx;
    return signaled != 0;
}

/* ---- directories ---- */

pd_status_t pd_server_make_directories(const pd_program_options_t *options, pd_error_t *error)
{
    char path[4096];
    int size = snprintf(path, sizeof(path), "%s/state", options->data_path);

    if (size < 0 || (size_t)size >= sizeof(path))
        return pd_error_set(error, PD_INVALID, "the data directory's name is too long");
    for (char *at = path + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char kept = *at;

        *at = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return pd_error_set(error, PD_IO, "cannot make directory %s: %s", path,
                                strerror(errno));
        *at = kept;
        if (!kept)
            return PD_OK;
    }
}

/* ---- life ---- */

static void on_server_stopped(void *ctx)
{
    server_t *self = ctx;

    self->listening = false;
    pd_node_stop(self->node);
}

static void drain(server_t *self)
{
    if (self->draining)
        return;
    self->draining = true;
    atomic_store(&self->serving, false);
    if (self->listening) {
        pd_node_release_polls(self->node);
        pd_service_set_serving(self->service, false);
        pd_service_end_watches(self->service);
        pd_grpc_server_stop(self->grpc, DRAIN_NS, on_server_stopped, self);
    } else {
        pd_node_stop(self->node);
    }
}

/* One of several gives its partitions away first, while it goes on serving. */
static void stop(server_t *self)
{
    if (self->stopping)
        return;
    self->stopping = true;
    if (self->cluster && self->listening)
        pd_node_leave(self->node);
    else
        drain(self);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    PD_DIAG(PD_DIAG_INFO, "shutting down", "signal=%d", (int)number);
    stop(ctx);
}

/* ---- calls: health and reflection, else the frontend's ---- */

static bool on_open(void *ctx, pd_grpc_call_t *call)
{
    return pd_service_on_open(((server_t *)ctx)->service, call);
}

static void on_call(void *ctx, pd_grpc_call_t *call)
{
    server_t *self = ctx;

    if (!pd_service_on_call(self->service, call))
        pd_frontend_grpc_handler.on_call(&self->frontend_grpc, call);
}

static void on_cancel(void *ctx, pd_grpc_call_t *call)
{
    server_t *self = ctx;

    if (!pd_service_on_cancel(self->service, call))
        pd_frontend_grpc_handler.on_cancel(&self->frontend_grpc, call);
}

static void on_message(void *ctx, pd_grpc_call_t *call, pd_bytes_t message)
{
    pd_service_on_message(((server_t *)ctx)->service, call, message);
}

static void on_half_close(void *ctx, pd_grpc_call_t *call)
{
    pd_service_on_half_close(((server_t *)ctx)->service, call);
}

static const pd_grpc_server_handler_t handler = {
    .on_open = on_open,
    .on_call = on_call,
    .on_cancel = on_cancel,
    .on_message = on_message,
    .on_half_close = on_half_close,
};

static void listen_now(server_t *self)
{
    pd_grpc_server_options_t options;
    pd_error_t error;

    if (self->listening || self->stopping)
        return;
    pd_grpc_server_options_init(&options);
    options.ip = self->options->listen.host;
    options.port = self->options->listen.port;
    if (pd_grpc_server_new(self->front, &options, &handler, self, &self->grpc, &error) != PD_OK) {
        fprintf(stderr, "perdure: %s\n", error.text);
        self->exit_code = 1;
        stop(self);
        return;
    }
    self->listening = true;
    atomic_store(&self->serving, true);
    printf("Perdure is ready: address %s:%u, namespace default, data %s\n",
           self->options->listen.host, pd_grpc_server_port(self->grpc), self->options->data_path);
    fflush(stdout);
}

static void run_state(pd_mail_t *mail)
{
    server_t *self = PD_CONTAINER_OF(mail, server_t, state_mail);

    atomic_store(&self->state_mail_posted, false);
    switch ((pd_node_state_t)atomic_load(&self->node_state)) {
    case PD_NODE_STARTING:
        break;
    case PD_NODE_READY:
        listen_now(self);
        pd_service_set_serving(self->service, !self->draining);
        break;
    case PD_NODE_DEAF: /* balancers may know somebody better; whoever is there is answered */
        pd_service_set_serving(self->service, false);
        break;
    case PD_NODE_FAILED:
        if (!self->listening || self->cluster) { /* it cannot begin, or must not go on */
            fprintf(stderr, "perdure: the server cannot %s; see the diagnostics above\n",
                    self->listening ? "go on" : "start");
            self->exit_code = 1;
            stop(self);
        }
        break;
    case PD_NODE_LEFT:
        drain(self);
        break;
    case PD_NODE_STOPPED:
        if (self->stopping)
            pd_loop_event_break(self->front);
        break;
    }
}

static void on_node_changed(void *ctx, pd_node_state_t state)
{
    server_t *self = ctx;

    atomic_store(&self->node_state, (int)state);
    if (!atomic_exchange(&self->state_mail_posted, true))
        pd_loop_post(pd_loop_event_loop(self->front), &self->state_mail);
}

/* ---- metrics ---- */

static bool is_ready(void *ctx)
{
    server_t *self = ctx;

    return atomic_load(&self->serving) && atomic_load(&self->node_state) == PD_NODE_READY;
}

static void collect(void *ctx)
{
    server_t *self = ctx;

    pd_node_collect_metrics(self->node);
    for (uint32_t i = 0; i < self->thread_count; i++)
        pd_gauge_set(&self->mail_counts[i], pd_loop_event_mail_count(self->engine[i]));
    pd_gauge_set(&self->mail_counts[LOOP_COUNT_MAX], pd_loop_event_mail_count(self->front));
    pd_gauge_set(&self->block_cache_size, (int64_t)pd_store_shared_cache_usage(self->store_shared));
}

static pd_status_t open_metrics_port(server_t *self, pd_error_t *error)
{
    pd_metrics_port_options_t options = {
        .listen = &self->options->metrics_listen,
        .metrics = self->metrics,
        .is_ready = is_ready,
        .ctx = self,
    };
    char name[24];

    for (uint32_t i = 0; i < self->thread_count; i++) {
        snprintf(name, sizeof(name), "engine-%u", i);
        pd_metrics_add_gauge(self->metrics, PD_METRIC_LOOP_MAILS, &self->mail_counts[i], name,
                             NULL);
    }
    pd_metrics_add_gauge(self->metrics, PD_METRIC_LOOP_MAILS, &self->mail_counts[LOOP_COUNT_MAX],
                         "front", NULL);
    pd_metrics_add_gauge(self->metrics, PD_METRIC_ROCKSDB_BYTES, &self->block_cache_size,
                         "block_cache", NULL);
    pd_metrics_add_collector(self->metrics, collect, self);
    if (!self->options->metrics_listen.host[0])
        return PD_OK;
    PD_TRY(pd_metrics_port_new(&options, &self->metrics_port, error));
    printf("Perdure metrics: http://%s:%u/metrics\n", self->options->metrics_listen.host,
           pd_metrics_port_number(self->metrics_port));
    fflush(stdout);
    return PD_OK;
}

/* ---- putting it together ---- */

static void make_loops(server_t *self)
{
    pd_loop_event_options_t options = {.name = "front", .mailbox_count = MAILBOX_COUNT};

    self->front = pd_loop_event_new(&options);
    self->engine_loops[0] = pd_loop_event_loop(self->front);
    self->thread_count = self->options->engine_thread_count;
    self->loop_count = self->thread_count ? self->thread_count : 1;
    for (uint32_t i = 0; i < self->thread_count; i++) {
        char name[24];

        snprintf(name, sizeof(name), "engine-%u", i);
        options.name = name;
        self->engine[i] = pd_loop_event_new(&options);
        self->engine_loops[i] = pd_loop_event_loop(self->engine[i]);
    }
}

static void make_node(server_t *self)
{
    static const char *const service_names[] = {
        "temporal.api.workflowservice.v1.WorkflowService",
        "temporal.api.operatorservice.v1.OperatorService",
    };
    pd_node_options_t options = {
        .name = self->options->node,
        .data_path = self->options->data_path,
        .partition_count = self->options->partition_count,
        .loops = self->engine_loops,
        .loop_count = self->loop_count,
        .log = self->log,
        .codec = self->codec,
        .command_codec = self->command_codec,
        .rejected_codec = self->rejected_codec,
        .mappings = (const pd_mapping_t *const *)self->options->mappings.items,
        .mapping_count = self->options->mappings.count,
        .store_shared = self->store_shared,
        .store_cache_size_max = self->options->store_cache_size_max,
        .flush_size = self->options->flush_size,
        .dirty_size_max = self->options->dirty_size_max,
        .flush_delay_ns = self->options->flush_delay_ns,
        .standstill_ns = self->options->standstill_timeout_ns,
        .command_id_keep_ns = self->options->command_id_keep_ns,
        .namespaces = self->namespaces,
        .snapshots = {.directory = self->options->snapshot_path,
                      .cluster = self->options->cluster,
                      .interval_ns = self->options->snapshot_interval_ns,
                      .log_size = self->options->snapshot_size,
                      .keep = self->options->snapshots_kept,
                      .prefer_standby = true},
        .disk_on_thread = true,
        .default_namespace = "default",
        .seed = pd_os_entropy(),
        .metrics = self->metrics,
        .precise_ns = pd_os_monotonic_ns,
    };
    pd_frontend_options_t frontend_options = {
        .loop = pd_loop_event_loop(self->front),
        .namespaces = self->namespaces,
        .seed = pd_os_entropy(),
        .history_shard_count = (int32_t)self->options->partition_count,
        .metrics = self->metrics,
    };

    if (self->options->log == PD_PROGRAM_LOG_KAFKA) {
        self->cluster = pd_server_cluster_new(self->options, self->front, self->namespaces);
        pd_server_cluster_fill(self->cluster, &options);
    }
    self->node = pd_node_new(&options);
    frontend_options.router = pd_node_router(self->node);
    if (self->cluster) {
        pd_server_cluster_set_node(self->cluster, self->node);
        frontend_options.router = pd_server_cluster_router(self->cluster);
    }
    self->frontend = pd_frontend_new(&frontend_options);
    self->frontend_grpc.frontend = self->frontend;
    self->frontend_grpc.loop = pd_loop_event_loop(self->front);
    self->service = pd_service_new(service_names, PD_ARRAY_COUNT(service_names));
}

static pd_status_t make(server_t *self, pd_error_t *error)
{
    pd_store_shared_options_t shared_options = {
        .block_cache_size = self->options->block_cache_size,
        .write_buffer_size = self->options->write_buffer_size,
        .store_count = self->options->partition_count,
    };

    PD_TRY(pd_store_shared_new(&shared_options, &self->store_shared, error));
    self->codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    self->command_codec = pd_record_codec_new(&perdure__v1__command__descriptor);
    self->rejected_codec = pd_record_codec_new(&perdure__v1__rejected__descriptor);
    self->namespaces = pd_namespaces_new();
    make_loops(self);
    make_node(self);
    return open_metrics_port(self, error);
}

static void run(server_t *self)
{
    struct event_base *base = pd_loop_event_base(self->front);

    self->state_mail.run = run_state;
    for (size_t i = 0; i < PD_ARRAY_COUNT(signal_numbers); i++) {
        self->signals[i] = evsignal_new(base, signal_numbers[i], on_signal, self);
        PD_ASSERT(self->signals[i] && event_add(self->signals[i], NULL) == 0);
    }
    for (uint32_t i = 0; i < self->thread_count; i++)
        pd_loop_event_start(self->engine[i]);
    if (self->cluster)
        pd_server_cluster_start(self->cluster);
    pd_node_start(self->node, on_node_changed, self);
    if (pd_server_is_signaled(NULL)) /* while the log was opened */
        stop(self);
    pd_loop_event_run(self->front);
    if (self->cluster)
        pd_server_cluster_stop(self->cluster);
    for (uint32_t i = 0; i < self->thread_count; i++)
        pd_loop_event_stop(self->engine[i]);
    for (size_t i = 0; i < PD_ARRAY_COUNT(signal_numbers); i++)
        event_free(self->signals[i]);
}

/* Also of what was made in part. */
static void unmake(server_t *self)
{
    pd_metrics_port_free(self->metrics_port);
    pd_server_cluster_free_peers(self->cluster);
    if (self->grpc)
        pd_grpc_server_free(self->grpc);
    if (self->node) {
        pd_service_free(self->service);
        pd_frontend_free(self->frontend);
        pd_node_free(self->node);
        pd_server_cluster_free(self->cluster);
        for (uint32_t i = 0; i < self->thread_count; i++)
            pd_loop_event_free(self->engine[i]);
        pd_loop_event_free(self->front);
        pd_record_codec_free(self->codec);
        pd_record_codec_free(self->command_codec);
        pd_record_codec_free(self->rejected_codec);
        pd_namespaces_free(self->namespaces);
    }
    if (self->store_shared)
        pd_store_shared_free(self->store_shared);
}

int pd_server_run(const pd_program_options_t *options, pd_log_t *log, pd_metrics_t *metrics)
{
    server_t *self = PD_NEW(server_t);
    pd_error_t error;
    int exit_code;

    PD_ASSERT(options->engine_thread_count <= LOOP_COUNT_MAX);
    self->options = options;
    self->log = log;
    self->metrics = metrics;
    if (make(self, &error) == PD_OK) {
        run(self);
    } else {
        fprintf(stderr, "perdure: %s\n", error.text);
        self->exit_code = 1;
    }
    exit_code = self->exit_code;
    unmake(self);
    pd_free(self);
    return exit_code;
}
