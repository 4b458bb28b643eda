/* `perdure dev`: a whole server in one process. Main's loop serves the sockets; engine loops own
 * partitions and task queues; the embedded log commits on a thread of its own. */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
#include "engine/node/node.h"
#include "engine/program/program.h"
#include "log/embedded/embedded.h"

enum { LOOP_COUNT_MAX = 16, MAILBOX_COUNT = 65536 };
#define NS_PER_MS ((int64_t)1000000)
#define DRAIN_NS (3000 * NS_PER_MS)
#define MIB ((size_t)1024 * 1024)

typedef struct dev_options {
    const char *data_path;
    const char *ip;
    uint16_t port;
    uint32_t loop_count;
} dev_options_t;

typedef struct dev {
    dev_options_t options;
    pd_loop_event_t *front; /* main's */
    pd_loop_event_t *engine[LOOP_COUNT_MAX];
    pd_loop_t *engine_loops[LOOP_COUNT_MAX];
    pd_log_t *log;
    pd_store_shared_t *store_shared;
    pd_record_codec_t *codec, *command_codec, *rejected_codec;
    pd_namespaces_t *namespaces;
    pd_node_t *node;
    pd_frontend_t *frontend;
    pd_frontend_grpc_t frontend_grpc;
    pd_grpc_server_t *server;
    pd_service_t *service; /* health and reflection */
    struct event *signals[2];
    pd_mail_t state_mail; /* a change of the node's state, to main's loop */
    _Atomic(int) node_state;
    _Atomic(bool) state_mail_posted;
    bool stopping, listening;
    int exit_code;
} dev_server_t;

/* ---- life ---- */

static void on_server_stopped(void *ctx)
{
    dev_server_t *dev = ctx;

    dev->listening = false;
    pd_node_stop(dev->node);
}

static void stop(dev_server_t *dev)
{
    if (dev->stopping)
        return;
    dev->stopping = true;
    if (dev->listening) {
        pd_node_release_polls(dev->node);
        pd_service_set_serving(dev->service, false);
        pd_service_end_watches(dev->service);
        pd_grpc_server_stop(dev->server, DRAIN_NS, on_server_stopped, dev);
    } else {
        pd_node_stop(dev->node);
    }
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    PD_DIAG(PD_DIAG_INFO, "shutting down", "signal=%d", (int)number);
    stop(ctx);
}

/* ---- calls: health and reflection, else the frontend's ---- */

static bool on_open(void *ctx, pd_grpc_call_t *call)
{
    return pd_service_on_open(((dev_server_t *)ctx)->service, call);
}

static void on_call(void *ctx, pd_grpc_call_t *call)
{
    dev_server_t *dev = ctx;

    if (!pd_service_on_call(dev->service, call))
        pd_frontend_grpc_handler.on_call(&dev->frontend_grpc, call);
}

static void on_cancel(void *ctx, pd_grpc_call_t *call)
{
    dev_server_t *dev = ctx;

    if (!pd_service_on_cancel(dev->service, call))
        pd_frontend_grpc_handler.on_cancel(&dev->frontend_grpc, call);
}

static void on_message(void *ctx, pd_grpc_call_t *call, pd_bytes_t message)
{
    pd_service_on_message(((dev_server_t *)ctx)->service, call, message);
}

static void on_half_close(void *ctx, pd_grpc_call_t *call)
{
    pd_service_on_half_close(((dev_server_t *)ctx)->service, call);
}

static const pd_grpc_server_handler_t handler = {
    .on_open = on_open,
    .on_call = on_call,
    .on_cancel = on_cancel,
    .on_message = on_message,
    .on_half_close = on_half_close,
};

static void listen_now(dev_server_t *dev)
{
    pd_grpc_server_options_t options;
    pd_error_t error;

    if (dev->listening || dev->stopping)
        return;
    pd_grpc_server_options_init(&options);
    options.ip = dev->options.ip;
    options.port = dev->options.port;
    if (pd_grpc_server_new(dev->front, &options, &handler, dev, &dev->server, &error) != PD_OK) {
        fprintf(stderr, "perdure: %s\n", error.text);
        dev->exit_code = 1;
        stop(dev);
        return;
    }
    dev->listening = true;
    printf("Perdure is ready: address %s:%u, namespace default, data %s\n", dev->options.ip,
           pd_grpc_server_port(dev->server), dev->options.data_path);
    fflush(stdout);
}

static void run_state(pd_mail_t *mail)
{
    dev_server_t *dev = PD_CONTAINER_OF(mail, dev_server_t, state_mail);

    atomic_store(&dev->state_mail_posted, false);
    switch ((pd_node_state_t)atomic_load(&dev->node_state)) {
    case PD_NODE_STARTING:
        break;
    case PD_NODE_READY:
        listen_now(dev);
        break;
    case PD_NODE_FAILED:
        if (!dev->listening) { /* cannot even begin */
            fprintf(stderr, "perdure: the server cannot start; see the diagnostics above\n");
            dev->exit_code = 1;
            stop(dev);
        }
        break;
    case PD_NODE_STOPPED:
        if (dev->stopping)
            pd_loop_event_break(dev->front);
        break;
    }
}

static void on_node_changed(void *ctx, pd_node_state_t state)
{
    dev_server_t *dev = ctx;

    atomic_store(&dev->node_state, (int)state);
    if (!atomic_exchange(&dev->state_mail_posted, true))
        pd_loop_post(pd_loop_event_loop(dev->front), &dev->state_mail);
}

/* ---- putting it together ---- */

static pd_status_t open_log(dev_server_t *dev, pd_error_t *error)
{
    char path[4096];
    pd_log_embedded_options_t options = {
        .directory = path,
        .partition_counts = {PD_PROGRAM_PARTITION_COUNT, PD_PROGRAM_PARTITION_COUNT, 1,
                             PD_PROGRAM_PARTITION_COUNT},
    };

    snprintf(path, sizeof(path), "%s/log", dev->options.data_path);
    return pd_log_embedded_open(&options, &dev->log, error);
}

static void make_loops(dev_server_t *dev)
{
    pd_loop_event_options_t options = {.name = "front", .mailbox_count = MAILBOX_COUNT};

    dev->front = pd_loop_event_new(&options);
    for (uint32_t i = 0; i < dev->options.loop_count; i++) {
        char name[24];

        snprintf(name, sizeof(name), "engine-%u", i);
        options.name = name;
        dev->engine[i] = pd_loop_event_new(&options);
        dev->engine_loops[i] = pd_loop_event_loop(dev->engine[i]);
    }
}

static void make_node(dev_server_t *dev)
{
    static const char *const service_names[] = {
        "temporal.api.workflowservice.v1.WorkflowService",
        "temporal.api.operatorservice.v1.OperatorService",
    };
    pd_node_options_t options = {
        .name = "dev",
        .data_path = dev->options.data_path,
        .partition_count = PD_PROGRAM_PARTITION_COUNT,
        .loops = dev->engine_loops,
        .loop_count = dev->options.loop_count,
        .log = dev->log,
        .codec = dev->codec,
        .command_codec = dev->command_codec,
        .rejected_codec = dev->rejected_codec,
        .store_shared = dev->store_shared,
        .store_cache_size_max = 64 * MIB,
        .flush_size = 16 * MIB,
        .flush_delay_ns = 1000 * NS_PER_MS,
        .namespaces = dev->namespaces,
        .default_namespace = "default",
        .seed = pd_os_entropy(),
    };
    pd_frontend_options_t frontend_options = {
        .loop = pd_loop_event_loop(dev->front),
        .namespaces = dev->namespaces,
        .seed = pd_os_entropy(),
        .history_shard_count = PD_PROGRAM_PARTITION_COUNT,
    };

    dev->node = pd_node_new(&options);
    frontend_options.router = pd_node_router(dev->node);
    dev->frontend = pd_frontend_new(&frontend_options);
    dev->frontend_grpc.frontend = dev->frontend;
    dev->frontend_grpc.loop = pd_loop_event_loop(dev->front);
    dev->service = pd_service_new(service_names, PD_ARRAY_COUNT(service_names));
}

static pd_status_t make_directories(dev_server_t *dev, pd_error_t *error)
{
    char path[4096];
    int size = snprintf(path, sizeof(path), "%s/state", dev->options.data_path);

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

static pd_status_t make(dev_server_t *dev, pd_error_t *error)
{
    pd_store_shared_options_t shared_options = {
        .block_cache_size = 64 * MIB,
        .write_buffer_size = 128 * MIB,
        .store_count = PD_PROGRAM_PARTITION_COUNT,
    };

    PD_TRY(make_directories(dev, error));
    PD_TRY(open_log(dev, error));
    PD_TRY(pd_store_shared_new(&shared_options, &dev->store_shared, error));
    dev->codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    dev->command_codec = pd_record_codec_new(&perdure__v1__command__descriptor);
    dev->rejected_codec = pd_record_codec_new(&perdure__v1__rejected__descriptor);
    dev->namespaces = pd_namespaces_new();
    make_loops(dev);
    make_node(dev);
    return PD_OK;
}

static void run(dev_server_t *dev)
{
    struct event_base *base = pd_loop_event_base(dev->front);
    static const int numbers[2] = {SIGTERM, SIGINT};

    dev->state_mail.run = run_state;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 2; i++) {
        dev->signals[i] = evsignal_new(base, numbers[i], on_signal, dev);
        PD_ASSERT(dev->signals[i] && event_add(dev->signals[i], NULL) == 0);
    }
    for (uint32_t i = 0; i < dev->options.loop_count; i++)
        pd_loop_event_start(dev->engine[i]);
    pd_node_start(dev->node, on_node_changed, dev);
    pd_loop_event_run(dev->front);
    for (uint32_t i = 0; i < dev->options.loop_count; i++)
        pd_loop_event_stop(dev->engine[i]);
    for (int i = 0; i < 2; i++)
        event_free(dev->signals[i]);
}

static void unmake(dev_server_t *dev)
{
    if (dev->server)
        pd_grpc_server_free(dev->server);
    pd_service_free(dev->service);
    pd_frontend_free(dev->frontend);
    pd_node_free(dev->node);
    for (uint32_t i = 0; i < dev->options.loop_count; i++)
        pd_loop_event_free(dev->engine[i]);
    pd_loop_event_free(dev->front);
    pd_log_close(dev->log);
    pd_store_shared_free(dev->store_shared);
    pd_record_codec_free(dev->codec);
    pd_record_codec_free(dev->command_codec);
    pd_record_codec_free(dev->rejected_codec);
    pd_namespaces_free(dev->namespaces);
}

static const char usage[] =
    "perdure dev [options]: a durable-execution server with an embedded log, on this machine\n"
    "\n"
    "  --data DIR       where everything is kept (default: ~/.local/share/perdure)\n"
    "  --ip ADDRESS     address to listen on (default: 127.0.0.1)\n"
    "  --port N         port to listen on, 0 for any free one (default: 7233)\n"
    "  --engine-threads N  threads that own the partitions (default: 1, at most 4)\n"
    "  --verbose        more diagnostics\n";

/* 0: go on; else leave with *exit_code. */
static bool parse(int argc, char **argv, dev_options_t *options, int *exit_code)
{
    static const struct option longs[] = {
        {"data", required_argument, NULL, 'd'},
        {"ip", required_argument, NULL, 'i'},
        {"port", required_argument, NULL, 'p'},
        {"engine-threads", required_argument, NULL, 't'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    long number;
    char *end;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (option) {
        case 'd':
            options->data_path = optarg;
            break;
        case 'i':
            options->ip = optarg;
            break;
        case 'p':
        case 't':
            number = strtol(optarg, &end, 10);
            if (*end || !*optarg || number < (option == 't') ||
                number > (option == 'p' ? 65535 : PD_PROGRAM_PARTITION_COUNT)) {
                fprintf(stderr, "perdure dev: --%s %s is out of range\n",
                        option == 'p' ? "port" : "engine-threads", optarg);
                *exit_code = 2;
                return false;
            }
            if (option == 'p')
                options->port = (uint16_t)number;
            else
                options->loop_count = (uint32_t)number;
            break;
        case 'v':
            pd_diag_set_level(PD_DIAG_DEBUG);
            break;
        case 'h':
            fputs(usage, stdout);
            *exit_code = 0;
            return false;
        default:
            fputs(usage, stderr);
            *exit_code = 2;
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "perdure dev: unexpected argument %s\n%s", argv[optind], usage);
        *exit_code = 2;
        return false;
    }
    return true;
}

int pd_program_dev(int argc, char **argv)
{
    dev_server_t *dev = PD_NEW(dev_server_t);
    pd_error_t error;
    int exit_code;

    dev->options.data_path = pd_program_default_data_path();
    dev->options.ip = "127.0.0.1";
    dev->options.port = 7233;
    dev->options.loop_count = 1;
    if (!parse(argc, argv, &dev->options, &exit_code)) {
        pd_free(dev);
        return exit_code;
    }
    if (make(dev, &error) != PD_OK) {
        fprintf(stderr, "perdure: %s\n", error.text);
        pd_log_close(dev->log);
        pd_free(dev);
        return 1;
    }
    run(dev);
    exit_code = dev->exit_code;
    unmake(dev);
    pd_free(dev);
    return exit_code;
}
