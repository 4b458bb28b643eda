/* `perdure cluster status`: who is there and who has what, from the topics alone. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <perdure/v1/record.pb-c.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "engine/cluster/assignment.h"
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
    pd_members_t *members;
    uint32_t partition_count;
    int64_t now_ns;
    const pd_member_t *alive[PD_MEMBER_COUNT_MAX];
    uint32_t alive_count;
    pd_assignment_t *assignments;
    int64_t *end_offsets;
} status_t;

/* ---- reading ---- */

static void node_left(status_t *status, pd_bytes_t key)
{
    static const char prefix[] = "node/";
    size_t prefix_size = sizeof(prefix) - 1;

    if (key.size > prefix_size && memcmp(key.data, prefix, prefix_size) == 0)
        pd_members_left(status->members,
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
        (void)!pd_members_heartbeat(status->members, member->heartbeat, record->time_ms * 1000000);
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
    status->now_ns = pd_os_wall_ns();
    count = pd_members_all(status->members, &all);
    for (uint32_t i = 0; i < count; i++) {
        if (pd_members_is_alive(status->members, all[i], status->now_ns))
            status->alive[status->alive_count++] = all[i];
    }
    pd_assignment_make(status->alive, status->alive_count, status->partition_count,
                       status->assignments);
    for (uint32_t i = 0; i < status->partition_count; i++) {
        pd_log_extent_t extent;

        PD_TRY(pd_log_source_read(status->source, PD_LOG_EVENTS, i, PD_LOG_END, no_record, NULL,
                                  &extent, error));
        status->end_offsets[i] = extent.end_offset;
    }
    return PD_OK;
}

/* ---- what it comes to ---- */

static const char *name_of(const status_t *status, int32_t index)
{
    return index < 0 ? NULL : status->alive[index]->name;
}

static int64_t applied_of(const status_t *status, uint32_t partition, int32_t index)
{
    return index < 0 ? -1 : status->alive[index]->partitions[partition].applied_offset;
}

/* Records behind the end of the log; -1: nobody is there. */
static int64_t lag_of(const status_t *status, uint32_t partition, int32_t index)
{
    return index < 0 ? -1
                     : status->end_offsets[partition] - 1 - applied_of(status, partition, index);
}

static json_t *json_name(const char *name)
{
    return name ? json_string(name) : json_null();
}

static json_t *partition_json(const status_t *status, uint32_t i)
{
    const pd_assignment_t *placed = &status->assignments[i];

    return json_pack("{s:i, s:o, s:I, s:o, s:o, s:I, s:I, s:I, s:I}", "partition", (int)i, "owner",
                     json_name(name_of(status, placed->owner)), "epoch", (json_int_t)placed->epoch,
                     "preferred", json_name(name_of(status, placed->preferred)), "standby",
                     json_name(name_of(status, placed->standby)), "applied_offset",
                     (json_int_t)applied_of(status, i, placed->owner), "end_offset",
                     (json_int_t)status->end_offsets[i], "lag",
                     (json_int_t)lag_of(status, i, placed->owner), "standby_lag",
                     (json_int_t)lag_of(status, i, placed->standby));
}

static void print_json(const status_t *status)
{
    json_t *nodes = json_array(), *partitions = json_array(), *root;
    const pd_member_t *const *all;
    uint32_t count = pd_members_all(status->members, &all);

    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(
            nodes, json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I}", "name", all[i]->name, "address",
                             all[i]->address, "version", all[i]->version, "incarnation",
                             all[i]->incarnation, "alive",
                             pd_members_is_alive(status->members, all[i], status->now_ns),
                             "leaving", all[i]->leaving, "silent_ms",
                             (json_int_t)((status->now_ns - all[i]->seen_ns) / 1000000)));
    for (uint32_t i = 0; i < status->partition_count; i++)
        json_array_append_new(partitions, partition_json(status, i));
    root = json_pack("{s:o, s:o}", "nodes", nodes, "partitions", partitions);
    PD_ASSERT(root);
    json_dumpf(root, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(root);
}

static const char *shown(const char *name)
{
    return name ? name : "-";
}

static void print_table(const status_t *status)
{
    const pd_member_t *const *all;
    uint32_t count = pd_members_all(status->members, &all);

    printf("%-20s %-24s %-10s %-8s %s\n", "NODE", "ADDRESS", "VERSION", "STATE", "SILENT");
    for (uint32_t i = 0; i < count; i++) {
        bool alive = pd_members_is_alive(status->members, all[i], status->now_ns);

        printf("%-20s %-24s %-10s %-8s %.1f s\n", all[i]->name, all[i]->address, all[i]->version,
               alive ? all[i]->leaving ? "leaving" : "alive" : "dead",
               (double)(status->now_ns - all[i]->seen_ns) / 1e9);
    }
    printf("\n%9s %-20s %10s %-20s %12s %12s %8s %12s\n", "PARTITION", "OWNER", "EPOCH", "STANDBY",
           "APPLIED", "END", "LAG", "STANDBY LAG");
    for (uint32_t i = 0; i < status->partition_count; i++) {
        const pd_assignment_t *placed = &status->assignments[i];

        printf("%9u %-20s %10" PRId64 " %-20s %12" PRId64 " %12" PRId64 " %8" PRId64 " %12" PRId64
               "\n",
               i, shown(name_of(status, placed->owner)), placed->epoch,
               shown(name_of(status, placed->standby)), applied_of(status, i, placed->owner),
               status->end_offsets[i], lag_of(status, i, placed->owner),
               lag_of(status, i, placed->standby));
    }
}

/* ---- the whole ---- */

static bool all_owned(const status_t *status)
{
    for (uint32_t i = 0; i < status->partition_count; i++) {
        if (status->assignments[i].owner < 0)
            return false;
    }
    return true;
}

static void make(status_t *status)
{
    status->codec = pd_record_codec_new(&perdure__v1__member__descriptor);
    pd_arena_init(&status->arena);
    status->partition_count = pd_log_source_partition_count(status->source, PD_LOG_EVENTS);
    status->members = pd_members_new(status->partition_count, DEAD_AFTER_NS);
    status->assignments = pd_calloc(status->partition_count, sizeof(status->assignments[0]));
    status->end_offsets = pd_calloc(status->partition_count, sizeof(status->end_offsets[0]));
}

static void unmake(status_t *status)
{
    pd_free(status->end_offsets);
    pd_free(status->assignments);
    pd_members_free(status->members);
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
        (options.json ? print_json : print_table)(&status);
        exit_code = all_owned(&status) ? 0 : 3;
    }
    unmake(&status);
    return exit_code;
}
