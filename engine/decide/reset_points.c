#include "engine/decide/reset_points.h"

#include "api/pb/time.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { POINT_COUNT_MAX = 20, SCAN_COUNT_MAX = 1000 };

typedef Temporal__Api__Workflow__V1__ResetPointInfo point_t;

static const char *build_id_of(const pd_history_event_t *completed)
{
    const Temporal__Api__Common__V1__WorkerVersionStamp *stamp =
        completed->workflow_task_completed_event_attributes->worker_version;

    return stamp ? pd_pb_str(stamp->build_id) : "";
}

static bool is_completed_task(const pd_history_event_t *event)
{
    return (int)event->event_type == PD_EVENT(WORKFLOW_TASK_COMPLETED);
}

/* The run's first WorkflowTaskCompleted; NULL when none was found. */
static pd_history_event_t *first_completed(pd_store_t *store, pd_execution_t *exec,
                                           pd_arena_t *arena)
{
    if (!exec->row->any_workflow_task_completed)
        return NULL;
    for (int64_t id = 2; id < exec->row->next_event_id && id < SCAN_COUNT_MAX; id++) {
        pd_history_event_t *event = NULL;
        pd_error_t error;

        if (pd_store_history_event(store, exec, id, arena, &event, &error) != PD_OK || !event)
            return NULL;
        if (is_completed_task(event))
            return event;
    }
    return NULL;
}

static pd_history_event_t *first_drafted(const pd_draft_t *draft)
{
    for (size_t i = 0; i < draft->event_count; i++) {
        if (draft->events[i]->kind_case == PERDURE__V1__EVENT__KIND_HISTORY &&
            is_completed_task(draft->events[i]->history))
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

/* Copies what came with the run, with room for one more. */
static pd_reset_points_t *copy(pd_arena_t *arena, const pd_started_t *started)
{
    const pd_reset_points_t *before = started->prev_auto_reset_points;
    pd_reset_points_t *points = PD_PB_NEW(arena, Temporal__Api__Workflow__V1__ResetPoints,
                                          temporal__api__workflow__v1__reset_points);
    size_t count = before ? before->n_points : 0;

    points->points = pd_arena_alloc(arena, (count + 1) * sizeof(points->points[0]));
    if (count)
        memcpy(points->points, before->points, count * sizeof(points->points[0]));
    points->n_points = count;
    return points;
}

static void add(pd_arena_t *arena, pd_reset_points_t *points, const char *run_id,
                const pd_history_event_t *completed, int64_t expire_ns)
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
    point->expire_time = pd_pb_timestamp_or_null(arena, expire_ns);
    point->resettable = true;
    points->points[points->n_points++] = point;
    if (points->n_points > POINT_COUNT_MAX) {
        points->points += points->n_points - POINT_COUNT_MAX;
        points->n_points = POINT_COUNT_MAX;
    }
}

pd_reset_points_t *pd_reset_points_of(pd_store_t *store, pd_execution_t *exec, pd_arena_t *arena,
                                      const pd_started_t *started)
{
    pd_reset_points_t *points = copy(arena, started);

    add(arena, points, exec->row->run_id, first_completed(store, exec, arena), 0);
    return points;
}

pd_reset_points_t *pd_reset_points_for_next(pd_draft_t *draft, const pd_started_t *started)
{
    pd_decision_t *decision = draft->decision;
    pd_reset_points_t *points = copy(decision->arena, started);
    pd_history_event_t *completed = first_completed(decision->store, draft->exec, decision->arena);

    if (!completed)
        completed = first_drafted(draft);
    add(decision->arena, points, draft->run_id, completed,
        pd_ns_add(decision->now_ns, decision->ns->retention_ns));
    return points;
}
