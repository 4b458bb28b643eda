#include "bench/pd_bench/bench.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/pb/time.h"
#include "base/assert.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "base/random.h"

#define NS_PER_S ((int64_t)1000000000)

/* ---- calls ---- */

static void call(bench_t *bench, const char *method, const void *message, int64_t timeout_ns,
                 bench_reply_fn on_reply, void *ctx)
{
    static const pd_grpc_metadata_t metadata[] = {{"client-name", "pd-bench"},
                                                  {"client-version", "1.0.0"}};
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *data = pd_alloc(size);
    pd_grpc_request_t request = {
        .path = method,
        .path_is_static = true,
        .data = data,
        .size = size,
        .timeout_ns = timeout_ns,
        .metadata = metadata,
        .metadata_count = PD_ARRAY_COUNT(metadata),
        .metadata_is_static = true,
        .wait_for_ready = true,
        .on_reply = on_reply,
        .ctx = ctx,
    };

    PD_ASSERT(protobuf_c_message_pack(message, data) == size);
    pd_grpc_client_call(bench->client, &request);
}

void bench_call(bench_t *bench, const char *method, const void *request, bench_reply_fn on_reply,
                void *ctx)
{
    call(bench, method, request, 30 * NS_PER_S, on_reply, ctx);
}

void bench_poll(bench_t *bench, const char *method, const void *request, bench_reply_fn on_reply,
                void *ctx)
{
    call(bench, method, request, 70 * NS_PER_S, on_reply, ctx);
}

/* ---- counting ---- */

void bench_done(bench_t *bench, int64_t from_ns)
{
    int64_t ns = pd_os_monotonic_ns() - from_ns;
    bench_samples_t *samples = &bench->samples;

    if (!bench->measuring)
        return;
    bench->operation_count++;
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity ? samples->capacity * 2 : 65536;
        samples->us10 = pd_realloc(samples->us10, samples->capacity * sizeof(samples->us10[0]));
    }
    samples->us10[samples->count++] = ns / 100 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 100);
}

void bench_error(bench_t *bench, const char *what, const pd_grpc_reply_t *reply)
{
    if (bench->over)
        return;
    if (!bench->error_count++)
        snprintf(bench->first_error, sizeof(bench->first_error), "%s: %d %.150s", what,
                 reply ? reply->code : -1, reply ? reply->message : "");
}

static void on_end(pd_timer_t *timer)
{
    bench_t *bench = PD_CONTAINER_OF(timer, bench_t, timer);

    bench->measuring = false;
    bench->over = true;
    bench->measure_until_ns = pd_os_monotonic_ns();
    bench->server_cpu_s = bench_cpu_s(bench->server_pid) - bench->server_cpu_from_s;
    bench->client_cpu_s = bench_cpu_s((int)getpid()) - bench->client_cpu_from_s;
    pd_loop_event_break(bench->loop_event);
}

static void on_warm(pd_timer_t *timer)
{
    bench_t *bench = PD_CONTAINER_OF(timer, bench_t, timer);

    bench->measuring = true;
    bench->measure_from_ns = pd_os_monotonic_ns();
    bench->server_cpu_from_s = bench_cpu_s(bench->server_pid);
    bench->client_cpu_from_s = bench_cpu_s((int)getpid());
    timer->fire = on_end;
    pd_loop_timer_start(bench->loop, timer, pd_os_wall_ns() + bench->options.seconds * NS_PER_S);
}

void bench_begin(bench_t *bench)
{
    bench->timer.fire = on_warm;
    pd_loop_timer_start(bench->loop, &bench->timer, pd_os_wall_ns() + NS_PER_S);
}

/* ---- the server's CPU time ---- */

/* The process's CPU clock: /proc's figures are made of ticks, which misjudge short turns. */
double bench_cpu_s(int pid)
{
    struct timespec used;
    clockid_t clock;

    if (!pid || clock_getcpuclockid((pid_t)pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* The inode of the socket that listens on the port. */
static unsigned long listening_inode(unsigned port)
{
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    unsigned long found = 0;

    for (size_t i = 0; i < PD_ARRAY_COUNT(tables) && !found; i++) {
        FILE *file = fopen(tables[i], "r");
        char line[512];

        while (file && fgets(line, sizeof(line), file)) {
            unsigned local_port, state;
            unsigned long inode;

            if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*s %*s %lu",
                       &local_port, &state, &inode) == 3 &&
                local_port == port && state == 10)
                found = inode;
        }
        if (file)
            fclose(file);
    }
    return found;
}

static bool has_socket(const char *pid, unsigned long inode)
{
    char path[300], wanted[64], link[64];
    struct dirent *entry;
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    dir = opendir(path);
    while (dir && !found && (entry = readdir(dir))) {
        char fd_path[600];
        ssize_t size;

        snprintf(fd_path, sizeof(fd_path), "%s/%s", path, entry->d_name);
        size = readlink(fd_path, link, sizeof(link) - 1);
        if (size > 0) {
            link[size] = '\0';
            found = strcmp(link, wanted) == 0;
        }
    }
    if (dir)
        closedir(dir);
    return found;
}

int bench_find_server(const char *address)
{
    const char *colon = strrchr(address, ':');
    unsigned long inode = colon ? listening_inode((unsigned)atoi(colon + 1)) : 0;
    struct dirent *entry;
    int pid = 0;
    DIR *dir;

    if (!inode || !(dir = opendir("/proc")))
        return 0;
    while (!pid && (entry = readdir(dir))) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && has_socket(entry->d_name, inode))
            pid = atoi(entry->d_name);
    }
    closedir(dir);
    return pid;
}

/* ---- the result ---- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static double quantile_ms(const bench_samples_t *samples, double q)
{
    size_t at = (size_t)((double)samples->count * q);

    if (!samples->count)
        return 0;
    return samples->us10[at < samples->count ? at : samples->count - 1] / 10000.0;
}

void bench_print(bench_t *bench, const char *scenario, double seconds)
{
    double measured_s = (double)(bench->measure_until_ns - bench->measure_from_ns) / 1e9;
    double per_operation = bench->operation_count ? 1e6 / (double)bench->operation_count : 0;

    if (bench->samples.count)
        qsort(bench->samples.us10, bench->samples.count, sizeof(bench->samples.us10[0]), compare);
    if (bench->error_count)
        fprintf(stderr, "pd-bench: first error: %s\n", bench->first_error);
    printf("{\"scenario\":\"%s\",\"rate\":%.1f,\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"p999_ms\":%.4f,"
           "\"errors\":%llu,\"server_cpu_us\":%.2f,\"client_cpu_us\":%.2f,\"seconds\":%.2f,"
           "\"concurrency\":%d}\n",
           scenario, measured_s > 0 ? (double)bench->operation_count / measured_s : 0,
           quantile_ms(&bench->samples, 0.5), quantile_ms(&bench->samples, 0.99),
           quantile_ms(&bench->samples, 0.999), (unsigned long long)bench->error_count,
           bench->server_cpu_s * per_operation, bench->client_cpu_s * per_operation, measured_s,
           bench->options.concurrency);
}

/* ---- requests ---- */

void bench_uuid(bench_t *bench, char *uuid)
{
    static pd_random_t random;
    static bool made;

    if (!made) {
        pd_random_init(&random, pd_os_entropy());
        made = true;
    }
    pd_random_uuid(&random, pd_os_wall_ns(), uuid);
}

void bench_start_request(bench_t *bench,
                         Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request,
                         char *workflow_id, const char *task_queue, char *request_id)
{
    static Temporal__Api__Common__V1__WorkflowType type =
        TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
    static Temporal__Api__Taskqueue__V1__TaskQueue queue =
        TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;

    type.name = (char *)"BenchWorkflow";
    queue.name = (char *)task_queue;
    temporal__api__workflowservice__v1__start_workflow_execution_request__init(request);
    bench_uuid(bench, request_id);
    request->namespace_ = (char *)"default";
    request->workflow_id = workflow_id;
    request->workflow_type = &type;
    request->task_queue = &queue;
    request->identity = (char *)"pd-bench";
    request->request_id = request_id;
}
