#include "engine/decide/fire_workflow_timers.h"

#include "engine/decide/close.h"
#include "engine/decide/workflow_task.h"

/* Of the execution deadline: see execution_deadline_ns() in new_run.c. */
#define ROUNDED_UP_MAX_NS 500000

#define RETRY_STATE(NAME) TEMPORAL__API__ENUMS__V1__RETRY_STATE__RETRY_STATE_##NAME

/* ---- the first task ---- */

static void end_first_backoff(pd_draft_t *draft)
{
    Perdure__V1__Event *event;

    if (!draft->running || !draft->first_task_not_before_ns)
        return;
    event = pd_draft_internal(draft);
    event->kind_case = PERDURE__V1__EVENT__KIND_FIRST_TASK_BACKOFF_ENDED;
    event->first_task_backoff_ended =
        PD_PB_NEW(draft->decision->arena, Perdure__V1__FirstTaskBackoffEnded,
                  perdure__v1__first_task_backoff_ended);
    draft->first_task_not_before_ns = 0;
    pd_draft_wake(draft);
}

/* ---- workflow tasks ---- */

static bool is_task(const pd_draft_t *draft, const pd_deadline_t *deadline, bool started)
{
    return draft->running && draft->task.exists && draft->task.started == started &&
           draft->task.scheduled_event_id == deadline->event_id;
}

/* Nobody took it from the sticky queue: to the normal one, as the same attempt. */
static void time_out_sticky(pd_draft_t *draft)
{
    pd_history_event_t *event = pd_draft_event(draft, PD_EVENT(WORKFLOW_TASK_TIMED_OUT));

    event->workflow_task_timed_out_event_attributes->scheduled_event_id =
        draft->task.scheduled_event_id;
    event->workflow_task_timed_out_event_attributes->timeout_type =
        TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_SCHEDULE_TO_START;
    memset(&draft->task, 0, sizeof(draft->task));
    pd_draft_clear_sticky(draft);
    pd_draft_schedule_task(draft, 1);
}

static void time_out_started(pd_draft_t *draft)
{
    int32_t attempt = pd_workflow_task_time_out(draft);

    pd_workflow_task_reschedule(draft, attempt);
}

/* ---- the run ---- */

static Temporal__Api__Failure__V1__Failure *timeout_failure(pd_arena_t *arena)
{
    Temporal__Api__Failure__V1__Failure *failure =
        PD_PB_NEW(arena, Temporal__Api__Failure__V1__Failure, temporal__api__failure__v1__failure);

    failure->message = (char *)"workflow timeout";
    failure->source = (char *)"Server";
    failure->failure_info_case =
        TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
    failure->timeout_failure_info = PD_PB_NEW(arena, Temporal__Api__Failure__V1__TimeoutFailureInfo,
                                              temporal__api__failure__v1__timeout_failure_info);
    failure->timeout_failure_info->timeout_type =
        TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE;
    return failure;
}

/* Past the execution timeout there is neither retry nor cron. It is kept in whole milliseconds, the
 * run timeout is not: what is due together comes together, though the one were rounded up. */
static void time_out_run(pd_draft_t *draft)
{
    pd_decision_t *decision = draft->decision;
    int64_t execution_deadline_ns = draft->exec->row->execution_deadline_ns;
    Temporal__Api__History__V1__WorkflowExecutionTimedOutEventAttributes *attributes;
    pd_next_run_t next = {.retry_state = RETRY_STATE(TIMEOUT)};

    if (!execution_deadline_ns || execution_deadline_ns > decision->now_ns + ROUNDED_UP_MAX_NS)
        pd_close_plan_retry(draft, timeout_failure(decision->arena), &next);
    attributes = pd_draft_close(draft, PD_EVENT(WORKFLOW_EXECUTION_TIMED_OUT), true)
                     ->workflow_execution_timed_out_event_attributes;
    attributes->retry_state = next.retry_state;
    attributes->new_execution_run_id = (char *)pd_pb_str(next.run_id);
    pd_close_begin_next(draft, &next);
}

static void remove_run(pd_draft_t *draft)
{
    Perdure__V1__Event *event = pd_draft_internal(draft);

    event->kind_case = PERDURE__V1__EVENT__KIND_RUN_REMOVED;
    event->run_removed =
        PD_PB_NEW(draft->decision->arena, Perdure__V1__RunRemoved, perdure__v1__run_removed);
}

void pd_decide_fire_workflow_deadline(pd_draft_t *draft, const pd_deadline_t *deadline)
{
    switch (deadline->kind) {
    case PD_DEADLINE_FIRST_TASK:
        end_first_backoff(draft);
        break;
    case PD_DEADLINE_TASK_SCHEDULE_TO_START:
        if (is_task(draft, deadline, false))
            time_out_sticky(draft);
        break;
    case PD_DEADLINE_TASK_START_TO_CLOSE:
        if (is_task(draft, deadline, true))
            time_out_started(draft);
        break;
    case PD_DEADLINE_RUN:
    case PD_DEADLINE_EXECUTION:
        if (draft->running)
            time_out_run(draft);
        break;
    case PD_DEADLINE_RETENTION:
        if (!draft->running)
            remove_run(draft);
        break;
    case PD_DEADLINE_TIMER:
    case PD_DEADLINE_ACTIVITY_OFFER:
    case PD_DEADLINE_ACTIVITY_SCHEDULE_TO_START:
    case PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE:
    case PD_DEADLINE_ACTIVITY_START_TO_CLOSE:
    case PD_DEADLINE_ACTIVITY_HEARTBEAT:
        break; /* see pending.h */
    }
}
