/* grpc_echo.c -- a server for other people's clients (grpcio, h2load): answers what it is told to.
 *
 * /echo.Echo/Echo returns the request, /Fail an error with details, /Wait nothing until cancelled,
 * /Chat is a bidirectional stream that returns each message. Usage: grpc_echo [PORT
 * [GZIP_SIZE_MIN]]; prints the port. SIGTERM drains and ends. */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/grpc/server.h"
#include "base/assert.h"
#include "base/memory.h"

typedef struct program {
    pd_loop_event_t *loop;
    pd_grpc_server_t *server;
} program_t;

static uint8_t *copy_of(pd_bytes_t bytes)
{
    return bytes.size ? pd_memdup(bytes.data, bytes.size) : NULL;
}

static void on_call(void *ctx, pd_grpc_call_t *call)
{
    const char *path = pd_grpc_call_path(call);
    pd_bytes_t message = pd_grpc_call_message(call);

    if (strcmp(path, "/echo.Echo/Echo") == 0)
        pd_grpc_call_respond(call, copy_of(message), message.size);
    else if (strcmp(path, "/echo.Echo/Fail") == 0)
        pd_grpc_call_fail(call, PD_GRPC_NOT_FOUND, "no such thing: 100% \xc3\xa4\n", message);
    else if (strcmp(path, "/echo.Echo/Wait") != 0)
        pd_grpc_call_fail(call, PD_GRPC_UNIMPLEMENTED, "unknown service", pd_bytes(NULL, 0));
}

static void on_cancel(void *ctx, pd_grpc_call_t *call)
{
    pd_grpc_call_fail(call, PD_GRPC_CANCELLED, NULL, pd_bytes(NULL, 0));
}

static bool on_open(void *ctx, pd_grpc_call_t *call)
{
    return strcmp(pd_grpc_call_path(call), "/echo.Echo/Chat") == 0;
}

static void on_message(void *ctx, pd_grpc_call_t *call, pd_bytes_t message)
{
    pd_grpc_call_send_message(call, copy_of(message), message.size);
}

static void on_half_close(void *ctx, pd_grpc_call_t *call)
{
    pd_grpc_call_finish(call, PD_GRPC_OK, NULL);
}

static const pd_grpc_server_handler_t handler = {
    .on_call = on_call,
    .on_cancel = on_cancel,
    .on_open = on_open,
    .on_message = on_message,
    .on_half_close = on_half_close,
};

static void on_stopped(void *ctx)
{
    program_t *program = ctx;

    pd_loop_event_break(program->loop);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    program_t *program = ctx;

    pd_loop_event_refresh_ns(program->loop);
    pd_grpc_server_stop(program->server, 1000000000, on_stopped, program);
}

int main(int argc, char **argv)
{
    pd_loop_event_options_t loop_options = {.name = "echo", .mailbox_count = 16};
    pd_grpc_server_options_t options;
    program_t program;
    pd_error_t error;
    struct event *signal_event;

    pd_grpc_server_options_init(&options);
    options.gzip_loopback = true;
    if (argc > 1)
        options.port = (uint16_t)atoi(argv[1]);
    if (argc > 2)
        options.gzip_size_min = (size_t)atoi(argv[2]);
    program.loop = pd_loop_event_new(&loop_options);
    if (pd_grpc_server_new(program.loop, &options, &handler, &program, &program.server, &error) !=
        PD_OK) {
        fprintf(stderr, "grpc_echo: %s\n", error.text);
        return 1;
    }
    signal_event = evsignal_new(pd_loop_event_base(program.loop), SIGTERM, on_signal, &program);
    PD_ASSERT(signal_event && event_add(signal_event, NULL) == 0);
    printf("%u\n", pd_grpc_server_port(program.server));
    fflush(stdout);
    pd_loop_event_run(program.loop);
    event_free(signal_event);
    pd_grpc_server_free(program.server);
    pd_loop_event_free(program.loop);
    return 0;
}
