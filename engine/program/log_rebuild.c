/* `perdure log rebuild`: the state that a log means, made anew, and compared with a server's. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/os_clock.h"
#include "engine/program/log_source.h"
#include "engine/program/program.h"
#include "state/audit/compare.h"
#include "state/replay.h"

static const pd_log_usage_t usage = {
    .name = "log rebuild",
    .purpose = "makes DIR/state/N from the log, for every partition N.\n\n"
               "--compare looks at the state of a server, which may run: it reads what its\n"
               "RocksDB has written to files, folds the log up to that very offset and shows the\n"
               "first differences of each table. Exit code 1: there are some.",
    .takes = PD_LOG_TAKES_REBUILD,
};

#define MIB ((size_t)1024 * 1024)
enum { PATH_SIZE = 4096, OPEN_ATTEMPTS = 10 };

typedef struct rebuild {
    const pd_log_options_t *options;
    pd_record_codec_t *codec;
    pd_store_shared_t *shared;
    bool differs;
    uint64_t record_count, byte_count;
    int64_t took_ns, cpu_ns;

    /* Of the partition at hand */
    uint32_t partition;
    pd_replay_t replay;
    pd_store_t *live;
    int64_t live_offset; /* where it stands; INT64_MAX: nothing to compare with */
    bool compared;
} rebuild_t;

/* ---- comparing ---- */

static pd_status_t open_live(rebuild_t *rebuild, pd_error_t *error)
{
    char path[PATH_SIZE], log_path[PATH_SIZE];
    pd_store_options_t options = {
        .path = path,
        .shared = rebuild->shared,
        .partition = rebuild->partition,
        .cache_size_max = 64 * MIB,
        .read_only = true,
        .read_only_log_path = log_path,
    };
    pd_store_position_t position;
    pd_status_t status = PD_IO;

    rebuild->live_offset = INT64_MAX;
    if (!rebuild->options->compare_path)
        return PD_OK;
    snprintf(path, sizeof(path), "%s/%u", rebuild->options->compare_path, rebuild->partition);
    snprintf(log_path, sizeof(log_path), "%s/state", rebuild->options->out_path);
    for (int i = 0; status == PD_IO && i < OPEN_ATTEMPTS; i++)
        status = pd_store_open(&options, &rebuild->live, error);
    if (status != PD_OK)
        return status;
    pd_store_position(rebuild->live, &position);
    rebuild->live_offset = position.applied_offset;
    return PD_OK;
}

static pd_status_t compare(rebuild_t *rebuild, pd_error_t *error)
{
    pd_store_position_t position;
    pd_buf_t text;
    bool same;
    pd_status_t status;

    rebuild->compared = true;
    pd_store_position(rebuild->live, &position);
    pd_buf_init(&text, SIZE_MAX);
    status = pd_store_compare(rebuild->live, "server", rebuild->replay.store, "log", &text, &same,
                              error);
    if (status == PD_OK) {
        bool chains =
            position.applied_offset == rebuild->replay.chain.offset &&
            (position.applied_offset < 0 ||
             memcmp(position.running_hash, rebuild->replay.chain.hash, PD_RECORD_HASH_SIZE) == 0);

        rebuild->differs |= !same || !chains;
        printf("partition %u at offset %" PRId64 ": %s\n%.*s", rebuild->partition,
               position.applied_offset,
               !chains ? "the server's running hash is not the log's"
               : same  ? "the server's state is what the log means"
                       : "the server's state DIFFERS from what the log means",
               (int)text.size, (const char *)text.data);
    }
    pd_buf_deinit(&text);
    return status;
}

/* ---- folding ---- */

static pd_status_t on_record(void *ctx, const pd_log_record_t *stored, pd_error_t *error)
{
    rebuild_t *rebuild = ctx;

    if (rebuild->live && !rebuild->compared && stored->offset > rebuild->live_offset)
        PD_TRY(compare(rebuild, error));
    if (pd_replay_record(&rebuild->replay, stored->offset, stored->value, NULL, error) != PD_OK) {
        pd_error_t inner = *error;

        return pd_error_set(error, inner.status, "partition %u, offset %" PRId64 ": %s",
                            rebuild->partition, stored->offset, inner.text);
    }
    return PD_OK;
}

static pd_status_t fold(rebuild_t *rebuild, pd_log_source_t *source, pd_error_t *error)
{
    int64_t begin_ns = pd_os_monotonic_ns(), begin_cpu_ns = pd_os_thread_cpu_ns();
    pd_log_extent_t extent;

    PD_TRY(pd_log_source_read(source, PD_LOG_EVENTS, rebuild->partition, PD_LOG_FIRST, on_record,
                              rebuild, &extent, error));
    if (extent.start_offset > 0)
        return pd_error_set(error, PD_NOT_FOUND,
                            "partition %u begins at offset %" PRId64
                            ": the state cannot be made without what was removed before",
                            rebuild->partition, extent.start_offset);
    PD_TRY(pd_replay_flush(&rebuild->replay, error));
    rebuild->took_ns += pd_os_monotonic_ns() - begin_ns;
    rebuild->cpu_ns += pd_os_thread_cpu_ns() - begin_cpu_ns;
    if (rebuild->live && !rebuild->compared) {
        if (rebuild->live_offset >= rebuild->replay.chain.next_offset)
            printf("partition %u: the server stands at offset %" PRId64
                   ", which is not in the log\n",
                   rebuild->partition, rebuild->live_offset);
        PD_TRY(compare(rebuild, error));
    }
    return PD_OK;
}

static pd_status_t rebuild_partition(rebuild_t *rebuild, pd_log_source_t *source, pd_error_t *error)
{
    char path[PATH_SIZE];
    pd_store_options_t options = {
        .path = path,
        .shared = rebuild->shared,
        .partition = rebuild->partition,
        .cache_size_max = 64 * MIB,
    };
    pd_store_t *store = NULL;
    pd_status_t status;

    rebuild->live = NULL;
    rebuild->compared = false;
    snprintf(path, sizeof(path), "%s/state/%u", rebuild->options->out_path, rebuild->partition);
    PD_TRY(pd_store_open(&options, &store, error));
    pd_replay_init(&rebuild->replay, rebuild->codec, store, 16 * MIB);
    status = open_live(rebuild, error);
    if (status == PD_OK)
        status = fold(rebuild, source, error);
    rebuild->record_count += rebuild->replay.record_count;
    rebuild->byte_count += rebuild->replay.byte_count;
    pd_replay_deinit(&rebuild->replay);
    pd_store_free(rebuild->live);
    pd_store_free(store);
    return status;
}

/* ---- the whole ---- */

static pd_status_t make_out(const char *out_path, pd_error_t *error)
{
    char path[PATH_SIZE];

    if (mkdir(out_path, 0777) != 0)
        return pd_error_set(error, PD_IO, "cannot make %s: %s", out_path, strerror(errno));
    snprintf(path, sizeof(path), "%s/state", out_path);
    if (mkdir(path, 0777) != 0)
        return pd_error_set(error, PD_IO, "cannot make %s: %s", path, strerror(errno));
    return PD_OK;
}

static void tell_rate(const rebuild_t *rebuild, const char *of_what, int64_t ns)
{
    double seconds = (double)(ns ? ns : 1) / 1e9, mb = (double)rebuild->byte_count / 1e6;

    printf("%" PRIu64 " records, %.1f MB in %.2f s (%s): %.0f records/s, %.1f MB/s\n",
           rebuild->record_count, mb, seconds, of_what, (double)rebuild->record_count / seconds,
           mb / seconds);
}

static pd_status_t run(rebuild_t *rebuild, pd_log_source_t *source, pd_error_t *error)
{
    pd_store_shared_options_t shared = {
        .block_cache_size = 64 * MIB, .write_buffer_size = 128 * MIB, .store_count = 2};
    uint32_t first, end;

    PD_TRY(pd_log_source_partitions(source, rebuild->options, &first, &end, error));
    PD_TRY(make_out(rebuild->options->out_path, error));
    PD_TRY(pd_store_shared_new(&shared, &rebuild->shared, error));
    for (rebuild->partition = first; rebuild->partition < end; rebuild->partition++)
        PD_TRY(rebuild_partition(rebuild, source, error));
    tell_rate(rebuild, "elapsed", rebuild->took_ns);
    tell_rate(rebuild, "CPU of the folding thread", rebuild->cpu_ns);
    return PD_OK;
}

int pd_program_log_rebuild(int argc, char **argv)
{
    pd_log_options_t options;
    pd_log_source_t *source = NULL;
    rebuild_t rebuild = {.options = &options};
    pd_error_t error;
    pd_status_t status;
    int exit_code;

    if (!pd_log_options_parse(&usage, argc, argv, &options, &exit_code))
        return exit_code;
    rebuild.codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    status = pd_log_source_open(&options, &source, &error);
    if (status == PD_OK)
        status = run(&rebuild, source, &error);
    pd_log_source_close(source);
    pd_store_shared_free(rebuild.shared);
    pd_record_codec_free(rebuild.codec);
    if (status != PD_OK)
        fprintf(stderr, "perdure: %s\n", error.text);
    return status != PD_OK || rebuild.differs;
}
