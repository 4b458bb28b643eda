/* cluster_report.h -- what `perdure cluster status` shows, as JSON and as a table.
 * Thread: any. Ownership: borrows all of it. */
#ifndef PD_ENGINE_PROGRAM_CLUSTER_REPORT_H
#define PD_ENGINE_PROGRAM_CLUSTER_REPORT_H

#include <stdio.h>

#include "engine/cluster/assignment.h"

typedef struct pd_cluster_report {
    pd_members_t *members;
    int64_t now_ns;
    const pd_member_t *alive[PD_MEMBER_COUNT_MAX]; /* of the members */
    uint32_t alive_count;
    uint32_t partition_count;
    pd_assignment_t *assignments; /* indexes are of `alive` */
    int64_t *end_offsets;         /* of the events */
} pd_cluster_report_t;

/* One object, one line. */
void pd_cluster_report_json(const pd_cluster_report_t *report, FILE *to);
void pd_cluster_report_table(const pd_cluster_report_t *report, FILE *to);
bool pd_cluster_report_all_owned(const pd_cluster_report_t *report);

#endif
