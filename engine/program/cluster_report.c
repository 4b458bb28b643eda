#include "engine/program/cluster_report.h"

#include <inttypes.h>
#include <jansson.h>

#include "base/assert.h"

static const char *name_of(const pd_cluster_report_t *report, int32_t index)
{
    return index < 0 ? NULL : report->alive[index]->name;
}

/* Who is taking it over; of several, one who knows of the newest epoch. */
static int32_t acquirer_of(const pd_cluster_report_t *report, uint32_t partition)
{
    for (uint32_t i = 0; i < report->alive_count; i++) {
        const pd_member_partition_t *said = &report->alive[i]->partitions[partition];

        if (said->acquiring && said->epoch == report->assignments[partition].epoch)
            return (int32_t)i;
    }
    return -1;
}

static int64_t applied_of(const pd_cluster_report_t *report, uint32_t partition, int32_t index)
{
    return index < 0 ? -1 : report->alive[index]->partitions[partition].applied_offset;
}

/* Records behind the end of the log; -1: nobody is there. */
static int64_t lag_of(const pd_cluster_report_t *report, uint32_t partition, int32_t index)
{
    return index < 0 ? -1
                     : report->end_offsets[partition] - 1 - applied_of(report, partition, index);
}

static json_t *json_name(const char *name)
{
    return name ? json_string(name) : json_null();
}

static json_t *partition_json(const pd_cluster_report_t *report, uint32_t i)
{
    const pd_assignment_t *placed = &report->assignments[i];

    return json_pack(
        "{s:i, s:o, s:o, s:I, s:o, s:o, s:I, s:I, s:I, s:I}", "partition", (int)i, "owner",
        json_name(name_of(report, placed->owner)), "acquiring",
        json_name(name_of(report, acquirer_of(report, i))), "epoch", (json_int_t)placed->epoch,
        "preferred", json_name(name_of(report, placed->preferred)), "standby",
        json_name(name_of(report, placed->standby)), "applied_offset",
        (json_int_t)applied_of(report, i, placed->owner), "end_offset",
        (json_int_t)report->end_offsets[i], "lag", (json_int_t)lag_of(report, i, placed->owner),
        "standby_lag", (json_int_t)lag_of(report, i, placed->standby));
}

void pd_cluster_report_json(const pd_cluster_report_t *report, FILE *to)
{
    json_t *nodes = json_array(), *partitions = json_array(), *root;
    const pd_member_t *const *all;
    uint32_t count = pd_members_all(report->members, &all);

    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(
            nodes, json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I}", "name", all[i]->name, "address",
                             all[i]->address, "version", all[i]->version, "incarnation",
                             all[i]->incarnation, "alive",
                             pd_members_is_alive(report->members, all[i], report->now_ns),
                             "leaving", all[i]->leaving, "silent_ms",
                             (json_int_t)((report->now_ns - all[i]->seen_ns) / 1000000)));
    for (uint32_t i = 0; i < report->partition_count; i++)
        json_array_append_new(partitions, partition_json(report, i));
    root = json_pack("{s:o, s:o}", "nodes", nodes, "partitions", partitions);
    PD_ASSERT(root);
    json_dumpf(root, to, JSON_COMPACT);
    putc('\n', to);
    json_decref(root);
}

static const char *shown(const char *name)
{
    return name ? name : "-";
}

void pd_cluster_report_table(const pd_cluster_report_t *report, FILE *to)
{
    const pd_member_t *const *all;
    uint32_t count = pd_members_all(report->members, &all);

    fprintf(to, "%-20s %-24s %-10s %-8s %s\n", "NODE", "ADDRESS", "VERSION", "STATE", "SILENT");
    for (uint32_t i = 0; i < count; i++) {
        bool alive = pd_members_is_alive(report->members, all[i], report->now_ns);

        fprintf(to, "%-20s %-24s %-10s %-8s %.1f s\n", all[i]->name, all[i]->address,
                all[i]->version, alive ? all[i]->leaving ? "leaving" : "alive" : "dead",
                (double)(report->now_ns - all[i]->seen_ns) / 1e9);
    }
    fprintf(to, "\n%9s %-20s %-20s %10s %-20s %12s %12s %8s %12s\n", "PARTITION", "OWNER",
            "ACQUIRING", "EPOCH", "STANDBY", "APPLIED", "END", "LAG", "STANDBY LAG");
    for (uint32_t i = 0; i < report->partition_count; i++) {
        const pd_assignment_t *placed = &report->assignments[i];

        fprintf(to,
                "%9u %-20s %-20s %10" PRId64 " %-20s %12" PRId64 " %12" PRId64 " %8" PRId64
                " %12" PRId64 "\n",
                i, shown(name_of(report, placed->owner)),
                shown(name_of(report, acquirer_of(report, i))), placed->epoch,
                shown(name_of(report, placed->standby)), applied_of(report, i, placed->owner),
                report->end_offsets[i], lag_of(report, i, placed->owner),
                lag_of(report, i, placed->standby));
    }
}

bool pd_cluster_report_all_owned(const pd_cluster_report_t *report)
{
    for (uint32_t i = 0; i < report->partition_count; i++) {
        if (report->assignments[i].owner < 0)
            return false;
    }
    return true;
}
