/* The four timeouts of an activity:
 *
 *   scheduled --(schedule to start)--> an attempt starts --(start to close)--> it ends
 *       |                                     +--(heartbeat)--> a sign of life, again and again
 *       +------------------------(schedule to close, over all attempts)------------------------+
 *
 * Start to close and heartbeat end an attempt and are retried; the others end the activity. */
#include "api/pb/time.h"
#include "base/assert.h"
#include "engine/decide/activity_close.h"
#include "engine/decide/retry_policy.h"

#define NEW(arena, Type, name) PD_PB_NEW((arena), Temporal__Api__##Type, temporal__api__##name)
#define TIMEOUT_TYPE(NAME) TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_##NAME

static Temporal__Api__Enums__V1__TimeoutType type_of(pd_deadline_kind_t kind)
{
    if (kind == PD_DEADLINE_ACTIVITY_SCHEDULE_TO_START)
        return TIMEOUT_TYPE(SCHEDULE_TO_START);
    if (kind == PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE)
        return TIMEOUT_TYPE(SCHEDULE_TO_CLOSE);
    if (kind == PD_DEADLINE_ACTIVITY_START_TO_CLOSE)
        return TIMEOUT_TYPE(START_TO_CLOSE);
    if (kind == PD_DEADLINE_ACTIVITY_HEARTBEAT)
        return TIMEOUT_TYPE(HEARTBEAT);
    return TIMEOUT_TYPE(UNSPECIFIED);
}

/* When the timeout strikes as things are; INT64_MAX: not at all. */
static int64_t due_ns(const pd_pending_activity_t *activity,
                      Temporal__Api__Enums__V1__TimeoutType type)
{
    const Perdure__V1__ActivityRow *row = activity->row;
    int64_t from_ns = 0, timeout_ns = 0;
    if ((int)type == TIMEOUT_TYPE(SCHEDULE_TO_CLOSE)) {
        from_ns = row->scheduled_time_ns;
        timeout_ns = row->schedule_to_close_timeout_ns;
    } else if ((int)type == TIMEOUT_TYPE(SCHEDULE_TO_START) && !activity->started) {
        from_ns = row->attempt_scheduled_time_ns;
        timeout_ns = row->schedule_to_start_timeout_ns;
    } else if ((int)type == TIMEOUT_TYPE(START_TO_CLOSE) && activity->started) {
        from_ns = row->started_time_ns;
        timeout_ns = row->start_to_close_timeout_ns;
    } else if ((int)type == TIMEOUT_TYPE(HEARTBEAT) && activity->started) {
        from_ns = row->heartbeat_time_ns > row->started_time_ns ? row->heartbeat_time_ns
                                                                : row->started_time_ns;
        timeout_ns = row->heartbeat_timeout_ns;
    }
    return timeout_ns > 0 ? pd_ns_add(from_ns, timeout_ns) : INT64_MAX;
}

static pd_failure_t *timeout_failure(pd_arena_t *arena, Temporal__Api__Enums__V1__TimeoutType type,
                                     const char *message)
{
    pd_failure_t *failure = NEW(arena, Failure__V1__Failure, failure__v1__failure);
    failure->message = (char *)message;
    failure->source = (char *)"Server";
    failure->failure_info_case =
        TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
    failure->timeout_failure_info =
        NEW(arena, Failure__V1__TimeoutFailureInfo, failure__v1__timeout_failure_info);
    failure->timeout_failure_info->timeout_type = type;
    return failure;
}

static void write_timed_out(pd_draft_t *draft, pd_pending_activity_t *activity,
                            pd_failure_t *failure, Temporal__Api__Enums__V1__RetryState state)
{
    int64_t started_event_id =
        activity->started ? pd_activity_write_started(draft, activity, NULL, NULL) : 0;
    pd_history_event_t *event = pd_draft_outside_event(draft, PD_EVENT(ACTIVITY_TASK_TIMED_OUT));
    Temporal__Api__History__V1__ActivityTaskTimedOutEventAttributes *attributes =
        event->activity_task_timed_out_event_attributes;
    failure->timeout_failure_info->last_heartbeat_details = activity->row->heartbeat_details;
    failure->cause = activity->row->last_failure;
    attributes->failure = failure;
    attributes->scheduled_event_id = activity->scheduled_event_id;
    attributes->started_event_id = started_event_id;
    attributes->retry_state = state;
    pd_pending_remove_activity(draft, activity);
}

bool pd_decide_fire_activity_deadline(pd_draft_t *draft, const pd_deadline_t *deadline)
{
    pd_arena_t *arena = draft->decision->arena;
    Temporal__Api__Enums__V1__TimeoutType type = type_of(deadline->kind);
    if (!draft->running || (int)type == TIMEOUT_TYPE(UNSPECIFIED))
        return false;
    pd_pending_activity_t *activity = pd_pending_activity(draft, deadline->event_id);
    /* An attempt that this draft already ended by another timeout is over. */
    if (!activity || !activity->row || activity->attempt != activity->row->attempt ||
        due_ns(activity, type) > draft->decision->now_ns)
        return false;
    const char *message = pd_arena_printf(arena, "activity %s timeout", pd_timeout_type_name(type));
    pd_failure_t *failure = timeout_failure(arena, type, message);
    Temporal__Api__Enums__V1__RetryState state = PD_RETRY_STATE(TIMEOUT);
    if ((int)type == TIMEOUT_TYPE(START_TO_CLOSE) || (int)type == TIMEOUT_TYPE(HEARTBEAT))
        state = pd_activity_retry(draft, activity, failure);
    else if (activity->cancel_requested)
        state = PD_RETRY_STATE(CANCEL_REQUESTED);
    if ((int)state == PD_RETRY_STATE(IN_PROGRESS))
        return false;
    if ((int)state == PD_RETRY_STATE(TIMEOUT) && (int)type != TIMEOUT_TYPE(SCHEDULE_TO_START))
        failure = timeout_failure(arena, TIMEOUT_TYPE(SCHEDULE_TO_CLOSE),
                                  "Not enough time to schedule next retry before activity "
                                  "ScheduleToClose timeout, giving up retrying");
    write_timed_out(draft, activity, failure, state);
    return true;
}
