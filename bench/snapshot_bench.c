/* snapshot_bench.c -- how long putting a partition's state aside takes, and restoring it.
 *
 *     pd-snapshot-bench STATE SCRATCH [PARTITION]
 *
 * STATE: a state directory, e.g. of `perdure log rebuild`; SCRATCH: a directory that exists. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/os_clock.h"
#include "state/snapshot/snapshot.h"

static void tell(const char *what, int64_t since_ns)
{
    printf("%s: %.1f ms\n", what, (double)(pd_os_monotonic_ns() - since_ns) / 1e6);
}

static void must(pd_status_t status, const pd_error_t *error)
{
    if (status != PD_OK) {
        fprintf(stderr, "%s: %s\n", pd_status_name(status), error->text);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    pd_store_shared_options_t shared_options = {.block_cache_size = 64 << 20,
                                                .write_buffer_size = 64 << 20};
    uint32_t partition = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    char path[4096], snapshots[4096], restored[4096];
    pd_store_options_t options = {.path = path, .partition = partition, .cache_size_max = 64 << 20};
    pd_snapshot_place_t place = {
        .directory = snapshots, .cluster = "bench", .partition = partition, .node = "bench"};
    pd_snapshot_source_t source = {.now_ns = pd_os_wall_ns()};
    pd_snapshot_entry_t entry;
    pd_store_shared_t *shared;
    pd_store_t *store;
    pd_error_t error;
    int64_t since_ns;

    if (argc < 3)
        return 2;
    snprintf(path, sizeof(path), "%s/%u", argv[1], partition);
    snprintf(snapshots, sizeof(snapshots), "%s/snapshots", argv[2]);
    snprintf(restored, sizeof(restored), "%s/restored", argv[2]);
    must(pd_store_shared_new(&shared_options, &shared, &error), &error);
    options.shared = shared;
    must(pd_store_open(&options, &store, &error), &error);
    source.store = store;
    source.shared = shared;
    since_ns = pd_os_monotonic_ns();
    must(pd_snapshot_make(&place, &source, &entry, &error), &error);
    tell("make", since_ns);
    since_ns = pd_os_monotonic_ns();
    must(pd_snapshot_restore(&place, &entry, restored, shared, &error), &error);
    tell("restore", since_ns);
    pd_store_free(store);
    since_ns = pd_os_monotonic_ns();
    options.path = restored;
    must(pd_store_open(&options, &store, &error), &error);
    tell("open", since_ns);
    printf("offset %" PRId64 "\n", entry.offset);
    pd_store_free(store);
    pd_store_shared_free(shared);
    return 0;
}
