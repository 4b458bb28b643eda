/* run_kafka.c -- the suite against the Kafka brokers in PD_KAFKA_BOOTSTRAP; scripts/kafka starts
 * some. Each test makes topics of its own, and removes them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os_clock.h"
#include "log/kafka/kafka.h"
#include "tests/conformance/log/harness.h"
#include "tests/conformance/log/kafka_admin.h"

typedef struct fixture {
    char cluster[64];
} fixture_t;

static const char *bootstrap;
static kafka_admin_t *admin;

static void *setup(pd_loop_t *loop, uint64_t seed)
{
    fixture_t *fixture = PD_NEW(fixture_t);

    snprintf(fixture->cluster, sizeof(fixture->cluster), "conformance-%016llx",
             (unsigned long long)pd_os_entropy());
    return fixture;
}

static pd_log_t *open_log(void *ctx)
{
    fixture_t *fixture = ctx;
    pd_log_kafka_options_t options = {.cluster = fixture->cluster,
                                      .bootstrap_servers = bootstrap,
                                      .partition_count = LOG_SUITE_PARTITIONS,
                                      .record_size_max = 2 * 1024 * 1024};
    pd_error_t error = {0};
    pd_log_t *log;

    if (pd_log_kafka_open(&options, &log, &error) != PD_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    return log;
}

static void teardown(void *ctx)
{
    fixture_t *fixture = ctx;

    kafka_admin_delete_cluster(admin, fixture->cluster);
    pd_free(fixture);
}

static const log_fixture_ops_t ops = {
    .name = "kafka",
    .threads = true,
    .durable = true,
    .setup = setup,
    .open = open_log,
    .teardown = teardown,
};

int main(int argc, char **argv)
{
    int failed;

    bootstrap = getenv("PD_KAFKA_BOOTSTRAP");
    if (!bootstrap) {
        fprintf(stderr, "PD_KAFKA_BOOTSTRAP is not set: start brokers with scripts/kafka\n");
        return 77; /* ctest: skipped */
    }
    admin = kafka_admin_new(bootstrap);
    failed = log_conformance_main(&ops, argc, argv);
    kafka_admin_free(admin);
    return failed;
}
