/* run_embedded.c -- the suite against the embedded log, in a directory below TMPDIR. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log/embedded/embedded.h"
#include "tests/conformance/log/harness.h"

typedef struct fixture {
    char directory[256];
} fixture_t;

static void *setup(pd_loop_t *loop, uint64_t seed)
{
    fixture_t *fixture = PD_NEW(fixture_t);
    const char *parent = getenv("TMPDIR");

    snprintf(fixture->directory, sizeof(fixture->directory), "%s/pd-log-XXXXXX",
             parent ? parent : "/tmp");
    PD_ASSERT(mkdtemp(fixture->directory));
    return fixture;
}

static pd_log_t *open_log(void *ctx)
{
    fixture_t *fixture = ctx;
    pd_log_embedded_options_t options = {.directory = fixture->directory,
                                         .partition_counts = {3, 3, 1, 3},
                                         .record_size_max = 2 * 1024 * 1024};
    pd_error_t error = {0};
    pd_log_t *log;

    if (pd_log_embedded_open(&options, &log, &error) != PD_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    return log;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
    return remove(path);
}

static void teardown(void *ctx)
{
    fixture_t *fixture = ctx;

    nftw(fixture->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    pd_free(fixture);
}

static void inject_unknown(void *ctx, pd_log_t *log, bool landed)
{
    pd_log_embedded_faults_t faults = {.unknown_after_commits = 1};

    pd_log_embedded_set_faults(log, &faults);
}

static void inject_failure(void *ctx, pd_log_t *log)
{
    pd_log_embedded_faults_t faults = {.fail_after_commits = 1};

    pd_log_embedded_set_faults(log, &faults);
}

static void heal(void *ctx, pd_log_t *log)
{
    pd_log_embedded_faults_t faults = {0};

    pd_log_embedded_set_faults(log, &faults);
}

static const log_fixture_ops_t ops = {
    .name = "embedded",
    .threads = true,
    .durable = true,
    .setup = setup,
    .open = open_log,
    .teardown = teardown,
    .inject_unknown = inject_unknown,
    .inject_failure = inject_failure,
    .heal = heal,
};

int main(int argc, char **argv)
{
    return log_conformance_main(&ops, argc, argv);
}
