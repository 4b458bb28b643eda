/* run_memory.c -- the suite against the log in memory, twice: like an embedded log and like Kafka
 * with delays, an odd first offset and zombies. */
#include <getopt.h>

#include "log/memory/memory.h"
#include "tests/conformance/log/harness.h"

static bool like_kafka;

static pd_log_memory_faults_t calm(void)
{
    pd_log_memory_faults_t faults = {0};

    if (like_kafka) {
        faults.land_max_ns = 300 * 1000;
        faults.ack_max_ns = 300 * 1000;
        faults.read_max_ns = 200 * 1000;
        faults.late_max_ns = 500 * 1000;
        faults.read_slow_ppm = 50000;
        faults.read_slow_ns = 2000 * 1000;
    }
    return faults;
}

static void *setup(pd_loop_t *loop, uint64_t seed)
{
    pd_log_memory_options_t options = {.loop = loop,
                                       .seed = seed,
                                       .partition_counts = {3, 3, 1, 3},
                                       .exclusive = !like_kafka,
                                       .first_offset = like_kafka ? 1234567 : 0,
                                       .faults = calm()};

    return pd_log_memory_new(&options);
}

static pd_log_t *open_log(void *fixture)
{
    return pd_log_memory_open(fixture);
}

static void teardown(void *fixture)
{
    pd_log_memory_free(fixture);
}

static void inject_unknown(void *fixture, pd_log_t *log, bool landed)
{
    pd_log_memory_faults_t faults = calm();

    if (landed)
        faults.unknown_landed_ppm = 1000000;
    else if (like_kafka)
        faults.unknown_late_ppm = 1000000;
    else
        faults.unknown_lost_ppm = 1000000;
    pd_log_memory_set_faults(fixture, &faults);
}

static void inject_failure(void *fixture, pd_log_t *log)
{
    pd_log_memory_faults_t faults = calm();

    faults.io_ppm = 1000000;
    pd_log_memory_set_faults(fixture, &faults);
}

static void heal(void *fixture, pd_log_t *log)
{
    pd_log_memory_faults_t faults = calm();

    pd_log_memory_set_faults(fixture, &faults);
}

static log_fixture_ops_t ops = {
    .name = "memory",
    .threads = false,
    .durable = true, /* the storage stays */
    .setup = setup,
    .open = open_log,
    .teardown = teardown,
    .inject_unknown = inject_unknown,
    .inject_failure = inject_failure,
    .heal = heal,
    .unknown_lost = true,
};

int main(int argc, char **argv)
{
    int result = log_conformance_main(&ops, argc, argv);

    like_kafka = true;
    ops.name = "memory like Kafka";
    optind = 1;
    return log_conformance_main(&ops, argc, argv) | result;
}
