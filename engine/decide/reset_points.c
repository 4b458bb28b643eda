#include "engine/decide/reset_points.h"

#include "api/pb/time.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { POINT_COUNT_MAX = 20 };

typedef Temporal__Api__Workflow__V1__ResetPointInfo point_t;

static const char *build_id_of(const pd_history_event_t *completed)
{
    const Temporal__Api__Common__V1__WorkerVersionStamp *stamp =
        completed->workflow_task_completed_event_attributes->worker_version;

    return stamp ? pd_pb_str(stamp->build_id) : "";
}

/* The WorkflowTaskCompleted that the row does not know yet. */
static pd_history_event_t *drafted(const pd_draft_t *draft)
{
    for (size_t i = 0; i < draft->event_count; i++) {
        if (draft->events[i]->kind_case == PERDURE__V1__EVENT__KIND_HISTORY &&
            (int)draft->events[i]->history->event_type == PD_EVENT(WORKFLOW_TASK_COMPLETED))
            return draft->events[i]->history;
    }
    return NULL;
}

static bool is_known(const pd_reset_points_t *points, const pd_history_event_t *completed)
{
    const char *checksum =
        pd_pb_str(completed->workflow_task_completed_event_attributes->binary_checksum);

    for (size_t i = 0; i < points->n_points; i++) {
        if (strcmp(pd_pb_str(points->points[i]->binary_checksum), checksum) == 0 &&
            strcmp(pd_pb_str(points->points[i]->build_id), build_id_of(completed)) == 0)
            return true;
    }
    return false;
}

/* A deep copy, since the row changes before the next run's first event is applied; with room for
 * one more. */
static pd_reset_points_t *copy(pd_arena_t *arena, const pd_reset_points_t *before)
{
    pd_reset_points_t *points = before ? pd_pb_clone(before, arena)
                                       : PD_PB_NEW(arena, Temporal__Api__Workflow__V1__ResetPoints,
                                                   temporal__api__workflow__v1__reset_points);
    point_t **all = pd_arena_alloc(arena, (points->n_points + 1) * sizeof(all[0]));

    if (points->n_points)
        memcpy(all, points->points, points->n_points * sizeof(all[0]));
    points->points = all;
    return points;
}

static void add(pd_arena_t *arena, pd_reset_points_t *points, const char *run_id,
                const pd_history_event_t *completed)
{
    point_t *point;

    if (!completed || is_known(points, completed))
        return;
    point = PD_PB_NEW(arena, Temporal__Api__Workflow__V1__ResetPointInfo,
                      temporal__api__workflow__v1__reset_point_info);
    point->run_id = (char *)run_id;
    point->binary_checksum =
        (char *)pd_pb_str(completed->workflow_task_completed_event_attributes->binary_checksum);
    point->build_id = (char *)build_id_of(completed);
    point->first_workflow_task_completed_id = completed->event_id;
    point->create_time = completed->event_time;
    point->resettable = true;
    points->points[points->n_points++] = point;
    if (points->n_points > POINT_COUNT_MAX) {
        points->points += points->n_points - POINT_COUNT_MAX;
        points->n_points = POINT_COUNT_MAX;
    }
}

pd_reset_points_t *pd_reset_points_for_next(pd_draft_t *draft)
{
    pd_decision_t *decision = draft->decision;
    pd_reset_points_t *points = copy(decision->arena, draft->exec->row->reset_points);
    int64_t expire_ns = pd_ns_add(decision->now_ns, draft->exec->row->retention_ns);

    add(decision->arena, points, draft->run_id, drafted(draft));
    for (size_t i = 0; i < points->n_points; i++) {
        point_t *point = points->points[i];

        if (!point->expire_time && strcmp(point->run_id, draft->run_id) == 0)
            point->expire_time = pd_pb_timestamp_or_null(decision->arena, expire_ns);
    }
    return points;
}
