/* grpc_load.c -- empty or sized echo calls against grpc_echo, as many as go: for profiling.
 * Usage: grpc_load ADDRESS SECONDS CONCURRENCY CONNECTIONS [SIZE [PATH]] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "api/grpc/client.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/os_clock.h"

typedef struct load {
    pd_loop_event_t *loop;
    pd_grpc_client_t *client;
    const char *path;
    size_t size;
    int64_t end_ns;
    uint64_t done_count;
    uint64_t error_count;
    uint64_t open_count;
    pd_timer_t timer;
} load_t;

static void start_call(load_t *load);

static void on_reply(void *ctx, const pd_grpc_reply_t *reply)
{
    load_t *load = ctx;

    load->open_count--;
    load->done_count++;
    if (reply->code != PD_GRPC_OK || reply->data.size != load->size) {
        load->error_count++;
        if (load->error_count < 4)
            fprintf(stderr, "%s: %s\n", pd_grpc_code_name(reply->code), reply->message);
    }
    if (pd_loop_now_ns(pd_loop_event_loop(load->loop)) < load->end_ns)
        start_call(load);
    else if (!load->open_count)
        pd_loop_event_break(load->loop);
}

static void start_call(load_t *load)
{
    pd_grpc_request_t request = {
        .path = load->path,
        .path_is_static = true,
        .data = load->size ? pd_calloc(1, load->size) : NULL,
        .size = load->size,
        .timeout_ns = 70000000000,
        .on_reply = on_reply,
        .ctx = load,
    };

    load->open_count++;
    pd_grpc_client_call(load->client, &request);
}

static void on_end(pd_timer_t *timer)
{
    load_t *load = PD_CONTAINER_OF(timer, load_t, timer);

    pd_loop_event_break(load->loop);
}

int main(int argc, char **argv)
{
    pd_loop_event_options_t loop_options = {.name = "load", .mailbox_count = 16};
    pd_grpc_client_options_t options;
    load_t load = {.path = argc > 6 ? argv[6] : "/echo.Echo/Echo"};
    pd_error_t error;
    struct rusage usage;
    double seconds;

    if (argc < 5)
        return 2;
    pd_grpc_client_options_init(&options);
    options.address = argv[1];
    options.connection_count = (uint32_t)atoi(argv[4]);
    seconds = atof(argv[2]);
    load.size = argc > 5 ? (size_t)atoi(argv[5]) : 0;
    load.loop = pd_loop_event_new(&loop_options);
    PD_ASSERT(pd_grpc_client_new(load.loop, &options, &load.client, &error) == PD_OK);
    load.end_ns = pd_os_wall_ns() + (int64_t)(seconds * 1e9);
    load.timer.fire = on_end;
    pd_loop_timer_start(pd_loop_event_loop(load.loop), &load.timer, load.end_ns + 1000000000);
    for (int i = 0; i < atoi(argv[3]); i++)
        start_call(&load);
    pd_loop_event_run(load.loop);
    getrusage(RUSAGE_SELF, &usage);
    printf("calls/s %.0f errors %llu open %llu client_cpu_us %.2f\n",
           (double)load.done_count / seconds, (unsigned long long)load.error_count,
           (unsigned long long)load.open_count,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 / (double)load.done_count +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / (double)load.done_count);
    pd_grpc_client_free(load.client);
    pd_loop_event_free(load.loop);
    return load.error_count != 0;
}
