/* pd-bench SCENARIO [options]: see usage. The last line of stdout is one JSON object. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "base/random.h"
#include "bench/pd_bench/bench.h"

static const char usage[] =
    "pd-bench SCENARIO [--address HOST:PORT] [--seconds N] [--concurrency C]\n"
    "\n"
    "  workflows   one activity each, from start to observed completion; also the worker\n"
    "  starts      StartWorkflowExecution, nobody works\n"
    "  signals     signals to --workflows N open workflows\n"
    "  latency     starts, then signals, one caller\n"
    "  rpc         GetSystemInfo: what a call costs that does nothing\n"
    "  polls       keeps --pollers N long polls open and measures GetSystemInfo beside them\n"
    "  idle        opens --workflows N workflows and leaves them (for measuring memory)\n"
    "  apply       folds the embedded log in --data DIR: decode, verify, apply, flush\n"
    "\n"
    "  --connections N (4)  --workflows N (1000)  --pollers N (64)  --sticky  --eager\n";

typedef void (*scenario_fn)(bench_t *bench);

static const struct {
    const char *name;
    scenario_fn run;
} scenarios[] = {
    {"workflows", bench_scenario_workflows}, {"starts", bench_scenario_starts},
    {"signals", bench_scenario_signals},     {"rpc", bench_scenario_rpc},
    {"polls", bench_scenario_polls},
};

static scenario_fn find_scenario(const char *name)
{
    for (size_t i = 0; i < PD_ARRAY_COUNT(scenarios); i++) {
        if (strcmp(scenarios[i].name, name) == 0)
            return scenarios[i].run;
    }
    return NULL;
}

static int int_option(const char *text)
{
    int value = atoi(text);

    if (value <= 0) {
        fprintf(stderr, "pd-bench: %s is not a positive number\n", text);
        exit(2);
    }
    return value;
}

static void parse(int argc, char **argv, bench_options_t *options)
{
    static const struct option longs[] = {
        {"address", required_argument, NULL, 'a'},
        {"seconds", required_argument, NULL, 's'},
        {"concurrency", required_argument, NULL, 'c'},
        {"connections", required_argument, NULL, 'n'},
        {"workflows", required_argument, NULL, 'w'},
        {"pollers", required_argument, NULL, 'p'},
        {"data", required_argument, NULL, 'd'},
        {"sticky", no_argument, NULL, 'S'},
        {"eager", no_argument, NULL, 'E'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (option) {
        case 'a':
            options->address = optarg;
            break;
        case 's':
            options->seconds = int_option(optarg);
            break;
        case 'c':
            options->concurrency = int_option(optarg);
            break;
        case 'n':
            options->connections = int_option(optarg);
            break;
        case 'w':
            options->workflows = int_option(optarg);
            break;
        case 'p':
            options->pollers = int_option(optarg);
            break;
        case 'd':
            options->data_path = optarg;
            break;
        case 'S':
            options->sticky = true;
            break;
        case 'E':
            options->eager = true;
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind != argc - 1) {
        fputs(usage, stderr);
        exit(2);
    }
    options->scenario = argv[optind];
}

static void run_over_network(const bench_options_t *options, const char *name, scenario_fn run)
{
    pd_loop_event_options_t loop_options = {.name = "bench", .mailbox_count = 1024};
    pd_grpc_client_options_t client_options;
    bench_t *bench = PD_NEW(bench_t);
    pd_error_t error;

    bench->options = *options;
    bench->loop_event = pd_loop_event_new(&loop_options);
    bench->loop = pd_loop_event_loop(bench->loop_event);
    pd_grpc_client_options_init(&client_options);
    client_options.address = options->address;
    client_options.connection_count = (uint32_t)options->connections;
    client_options.waiting_count_max = 1000000;
    if (pd_grpc_client_new(bench->loop_event, &client_options, &bench->client, &error) != PD_OK) {
        fprintf(stderr, "pd-bench: %s\n", error.text);
        exit(1);
    }
    snprintf(bench->prefix, sizeof(bench->prefix), "bench-%llx",
             (unsigned long long)pd_os_entropy());
    bench->server_pid = bench_find_server(options->address);
    pd_buf_init(&bench->pack_buf, (size_t)64 * 1024 * 1024);
    run(bench);
    pd_loop_event_run(bench->loop_event);
    bench_print(bench, name, options->seconds);
    pd_grpc_client_free(bench->client);
    pd_loop_event_free(bench->loop_event);
    pd_buf_deinit(&bench->pack_buf);
    pd_free(bench->samples.us10);
    pd_free(bench);
}

int main(int argc, char **argv)
{
    bench_options_t options = {.address = "127.0.0.1:7233",
                               .seconds = 5,
                               .concurrency = 64,
                               .connections = 4,
                               .workflows = 1000,
                               .pollers = 64};
    scenario_fn run;

    parse(argc, argv, &options);
    if (strcmp(options.scenario, "apply") == 0)
        return bench_apply(&options);
    if (strcmp(options.scenario, "latency") == 0) {
        options.concurrency = options.connections = 1;
        run_over_network(&options, "latency_start", bench_scenario_starts);
        run_over_network(&options, "latency_signal", bench_scenario_signals);
        return 0;
    }
    if (strcmp(options.scenario, "idle") == 0) {
        options.seconds = 0;
        run_over_network(&options, "idle", bench_scenario_signals);
        return 0;
    }
    run = find_scenario(options.scenario);
    if (!run) {
        fputs(usage, stderr);
        return 2;
    }
    run_over_network(&options, options.scenario, run);
    return 0;
}
