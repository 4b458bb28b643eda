/* builds.c -- which builds of workers completed the run's workflow tasks: reset points (the first
 * completed task of each build, those of earlier runs included), build IDs and binary checksums. */
#include "state/apply/apply.h"

#include "base/assert.h"
#include "base/memory.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum {
    POINT_COUNT_MAX = 20,
    BUILD_IDS_SIZE_MAX = 2048, /* of the search attribute; the oldest ones leave */
};

typedef Temporal__Api__Workflow__V1__ResetPoints points_t;
typedef Temporal__Api__Workflow__V1__ResetPointInfo point_t;

static bool point_is_known(const points_t *points, const char *checksum, const char *build_id)
{
    for (size_t i = 0; i < points->n_points; i++) {
        if (strcmp(points->points[i]->binary_checksum, checksum) == 0 &&
            strcmp(points->points[i]->build_id, build_id) == 0)
            return true;
    }
    return false;
}

static points_t *points_of(pdi_row_t *row)
{
    if (!row->reset_points) {
        row->reset_points = pd_alloc(sizeof(*row->reset_points));
        temporal__api__workflow__v1__reset_points__init(row->reset_points);
    }
    return row->reset_points;
}

/* False: such a point is there already. */
static bool add_point(pdi_row_t *row, const pd_history_event_t *event, const char *checksum,
                      const char *build_id)
{
    points_t *points = points_of(row);
    point_t *point;

    if (point_is_known(points, checksum, build_id))
        return false;
    point = pd_alloc(sizeof(*point));
    temporal__api__workflow__v1__reset_point_info__init(point);
    pdi_string_set(&point->run_id, row->run_id);
    pdi_string_set(&point->binary_checksum, checksum);
    pdi_string_set(&point->build_id, build_id);
    point->first_workflow_task_completed_id = event->event_id;
    point->create_time = pdi_message_copy(event->event_time);
    point->resettable = true;
    pdi_array_append(&points->points, &points->n_points, point);
    if (points->n_points > POINT_COUNT_MAX) {
        pdi_message_free(points->points[0]);
        pdi_array_remove(&points->points, &points->n_points, 0);
    }
    return true;
}

static void set_checksums(pdi_row_t *row)
{
    while (row->n_binary_checksums) {
        pdi_string_free(row->binary_checksums[row->n_binary_checksums - 1]);
        pdi_array_remove(&row->binary_checksums, &row->n_binary_checksums,
                         row->n_binary_checksums - 1);
    }
    for (size_t i = 0; i < row->reset_points->n_points; i++)
        pdi_array_append(&row->binary_checksums, &row->n_binary_checksums,
                         pd_strdup(row->reset_points->points[i]->binary_checksum));
}

static void add_build_id(pdi_row_t *row, const char *build_id)
{
    size_t size = strlen(build_id);

    for (size_t i = 0; i < row->n_build_ids; i++) {
        if (strcmp(row->build_ids[i], build_id) == 0)
            return;
        size += strlen(row->build_ids[i]) + sizeof(",\"unversioned:\"");
    }
    pdi_array_append(&row->build_ids, &row->n_build_ids, pd_strdup(build_id));
    while (size > BUILD_IDS_SIZE_MAX && row->n_build_ids > 1) {
        size -= strlen(row->build_ids[0]) + sizeof(",\"unversioned:\"");
        pdi_string_free(row->build_ids[0]);
        pdi_array_remove(&row->build_ids, &row->n_build_ids, 0);
    }
}

void pdi_apply_build(pdi_apply_t *apply, const pd_history_event_t *event)
{
    const Temporal__Api__History__V1__WorkflowTaskCompletedEventAttributes *attributes =
        event->workflow_task_completed_event_attributes;
    const char *checksum = pd_pb_str(attributes->binary_checksum);
    const char *build_id =
        attributes->worker_version ? pd_pb_str(attributes->worker_version->build_id) : "";

    if (add_point(apply->row, event, checksum, build_id) && checksum[0])
        set_checksums(apply->row);
    if (build_id[0])
        add_build_id(apply->row, build_id);
    PD_ASSERT(apply->row->reset_points->n_points <= POINT_COUNT_MAX);
}

void pdi_apply_builds_expire(pdi_apply_t *apply)
{
    const points_t *points = apply->row->reset_points;
    int64_t expire_ns = pd_ns_add(apply->row->close_time_ns, apply->row->retention_ns);

    for (size_t i = 0; points && i < points->n_points; i++) {
        point_t *point = points->points[i];

        if (point->expire_time || strcmp(point->run_id, apply->row->run_id) != 0)
            continue;
        point->expire_time = pd_alloc(sizeof(*point->expire_time));
        google__protobuf__timestamp__init(point->expire_time);
        point->expire_time->seconds = expire_ns / 1000000000;
        point->expire_time->nanos = (int32_t)(expire_ns % 1000000000);
    }
}
