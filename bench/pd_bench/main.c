/* pd-bench SCENARIO [options]: see usage. The last line of stdout is one JSON object. */
#include <getopt.h>
#include <stddef.h>
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
    "  ingest      records to --topic T of --kafka BROKERS, which the server maps onto signals to\n"
    "              --workflows N, until --records N are in the histories; --rate N a second\n"
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

/* What an option's value is, and where it goes. */
static const struct {
    const char *name;
    enum { TEXT, NUMBER, FLAG } kind;
    size_t at;
} known[] = {
    {"address", TEXT, offsetof(bench_options_t, address)},
    {"data", TEXT, offsetof(bench_options_t, data_path)},
    {"kafka", TEXT, offsetof(bench_options_t, kafka)},
    {"topic", TEXT, offsetof(bench_options_t, topic)},
    {"seconds", NUMBER, offsetof(bench_options_t, seconds)},
    {"concurrency", NUMBER, offsetof(bench_options_t, concurrency)},
    {"connections", NUMBER, offsetof(bench_options_t, connections)},
    {"workflows", NUMBER, offsetof(bench_options_t, workflows)},
    {"pollers", NUMBER, offsetof(bench_options_t, pollers)},
    {"records", NUMBER, offsetof(bench_options_t, records)},
    {"rate", NUMBER, offsetof(bench_options_t, rate)},
    {"sticky", FLAG, offsetof(bench_options_t, sticky)},
    {"eager", FLAG, offsetof(bench_options_t, eager)},
};

static void set_option(bench_options_t *options, size_t index)
{
    char *at = (char *)options + known[index].at;

    switch (known[index].kind) {
    case TEXT:
        *(const char **)at = optarg;
        break;
    case NUMBER:
        *(int *)at = int_option(optarg);
        break;
    case FLAG:
        *(bool *)at = true;
        break;
    }
}

static void parse(int argc, char **argv, bench_options_t *options)
{
    struct option longs[PD_ARRAY_COUNT(known) + 1] = {{0}};
    int index;

    for (size_t i = 0; i < PD_ARRAY_COUNT(known); i++)
        longs[i] =
            (struct option){.name = known[i].name,
                            .has_arg = known[i].kind == FLAG ? no_argument : required_argument};
    while (getopt_long(argc, argv, "", longs, &index) == 0)
        set_option(options, (size_t)index);
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
    if (run) {
        run(bench);
        pd_loop_event_run(bench->loop_event);
        bench_print(bench, name, options->seconds);
    } else {
        bench_ingest(bench);
    }
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
                               .pollers = 64,
                               .records = 1000000};
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
    if (strcmp(options.scenario, "ingest") == 0) {
        if (!options.kafka || !options.topic) {
            fprintf(stderr, "pd-bench: ingest needs --kafka and --topic\n");
            return 2;
        }
        run_over_network(&options, "ingest", NULL);
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
