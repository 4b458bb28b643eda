/* suite.c -- runs the tables of the suite against one fixture. */
#include "tests/conformance/log/suite.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/os_clock.h"
#include "tests/conformance/log/harness.h"

enum { TESTS_MAX = 64 };

static size_t add(struct CMUnitTest *all, size_t count, const struct CMUnitTest *table)
{
    for (; table->name; table++) {
        PD_ASSERT(count < TESTS_MAX);
        all[count++] = *table;
    }
    return count;
}

int log_conformance_main(const log_fixture_ops_t *ops, int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"test", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    struct CMUnitTest all[TESTS_MAX];
    const char *from_env = getenv("PD_SEED");
    uint64_t seed = from_env ? strtoull(from_env, NULL, 0) : pd_os_entropy() % 1000000000;
    size_t count = 0;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            seed = strtoull(optarg, NULL, 0);
        else if (option == 't')
            cmocka_set_test_filter(optarg);
        else
            return 2;
    }
    printf("log conformance: %s, PD_SEED=%llu\n", ops->name, (unsigned long long)seed);
    fflush(stdout);
    harness_configure(ops, seed);
    count = add(all, count, log_suite_append);
    count = add(all, count, log_suite_read);
    count = add(all, count, log_suite_faults);
    count = add(all, count, log_suite_random);
    return _cmocka_run_group_tests(ops->name, all, count, NULL, NULL);
}
