/* `perdure cluster status`: who is there and who has what, from the topics alone. */
#include <stdio.h>
#include <string.h>

#include <perdure/v1/record.pb-c.h>

#include "base/memory.h"
#include "base/os_clock.h"
#include "engine/program/cluster_report.h"
#include "engine/program/log_source.h"
#include "engine/program/program.h"
#include "log/record/record.h"

/* Heartbeats come several times a second; this tool's clock may be off by a little. */
#define DEAD_AFTER_NS INT64_C(3000000000)

static const pd_log_usage_t usage = {
    .name = "cluster status",
    .purpose = "nodes, and of each partition its owner, epoch, standby, offsets and lag.",
    .takes = PD_LOG_TAKES_JSON,
};

typedef struct status {
    pd_log_source_t *source;
    pd_record_codec_t *codec;
    pd_arena_t arena;
    pd_cluster_report_t report;
} status_t;

/* ---- reading ---- */

static void node_left(status_t *status, pd_bytes_t key)
{
    static const char prefix[] = "node/";
    size_t prefix_size = sizeof(prefix) - 1;

    if (key.size > prefix_size && memcmp(key.data, prefix, prefix_size) == 0)
        pd_members_left(status->report.members,
                        pd_arena_printf(&status->arena, "%.*s", (int)(key.size - prefix_size),
                                        (const char *)key.data + prefix_size));
}

static pd_status_t on_member(void *ctx, const pd_log_record_t *record, pd_error_t *error)
{
    status_t *status = ctx;
    const Perdure__V1__Member *member;
    ProtobufCMessage *message;

    pd_arena_reset(&status->arena);
    if (!record->value.data) {
        node_left(status, record->key);
        return PD_OK;
    }
    if (pd_record_decode(status->codec, &status->arena, record->value, &message, NULL) != PD_OK)
        return PD_OK; /* not ours */
    member = (const Perdure__V1__Member *)message;
    /* A heartbeat that makes no sense is refused and changes nothing, as on every node. */
    if (member->body_case == PERDURE__V1__MEMBER__BODY_HEARTBEAT)
        (void)!pd_members_heartbeat(status->report.members, member->heartbeat,
                                    record->time_ms * 1000000);
    return PD_OK;
}

static pd_status_t no_record(void *ctx, const pd_log_record_t *record, pd_error_t *error)
{
    return PD_OK;
}

static pd_status_t read_all(status_t *status, pd_error_t *error)
{
    const pd_member_t *const *all;
    uint32_t count;

    PD_TRY(pd_log_source_read(status->source, PD_LOG_MEMBERS, 0, PD_LOG_FIRST, on_member, status,
                              NULL, error));
    status->report.now_ns = pd_os_wall_ns();
    count = pd_members_all(status->report.members, &all);
    for (uint32_t i = 0; i < count; i++) {
        if (pd_members_is_alive(status->report.members, all[i], status->report.now_ns))
            status->report.alive[status->report.alive_count++] = all[i];
    }
    pd_assignment_make(status->report.alive, status->report.alive_count,
                       status->report.partition_count, status->report.assignments);
    for (uint32_t i = 0; i < status->report.partition_count; i++) {
        pd_log_extent_t extent;

        PD_TRY(pd_log_source_read(status->source, PD_LOG_EVENTS, i, PD_LOG_END, no_record, NULL,
                                  &extent, error));
        status->report.end_offsets[i] = extent.end_offset;
    }
    return PD_OK;
}

/* ---- the whole ---- */

static void make(status_t *status)
{
    status->codec = pd_record_codec_new(&perdure__v1__member__descriptor);
    pd_arena_init(&status->arena);
    status->report.partition_count = pd_log_source_partition_count(status->source, PD_LOG_EVENTS);
    status->report.members = pd_members_new(status->report.partition_count, DEAD_AFTER_NS);
    status->report.assignments =
        pd_calloc(status->report.partition_count, sizeof(status->report.assignments[0]));
    status->report.end_offsets =
        pd_calloc(status->report.partition_count, sizeof(status->report.end_offsets[0]));
}

static void unmake(status_t *status)
{
    pd_free(status->report.end_offsets);
    pd_free(status->report.assignments);
    pd_members_free(status->report.members);
    pd_arena_deinit(&status->arena);
    pd_record_codec_free(status->codec);
    pd_log_source_close(status->source);
}

int pd_program_cluster_status(int argc, char **argv)
{
    pd_log_options_t options;
    status_t status = {.source = NULL};
    int exit_code = 0;
    pd_error_t error;

    if (!pd_log_options_parse(&usage, argc, argv, &options, &exit_code))
        return exit_code;
    if (options.data_path) {
        fprintf(stderr, "perdure cluster status: an embedded log has no cluster; give --cluster "
                        "and --kafka.bootstrap.servers\n");
        return 2;
    }
    if (pd_log_source_open(&options, &status.source, &error) != PD_OK) {
        fprintf(stderr, "perdure cluster status: %s\n", error.text);
        return 1;
    }
    make(&status);
    if (read_all(&status, &error) != PD_OK) {
        fprintf(stderr, "perdure cluster status: %s\n", error.text);
        exit_code = 1;
    } else {
        (options.json ? pd_cluster_report_json : pd_cluster_report_table)(&status.report, stdout);
        exit_code = pd_cluster_report_all_owned(&status.report) ? 0 : 3;
    }
    unmake(&status);
    return exit_code;
}
