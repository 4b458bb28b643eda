#include "engine/decide/activity_close.h"

#include "base/assert.h"

#define NEW(arena, Type, name) PD_PB_NEW((arena), Temporal__Api__##Type, temporal__api__##name)
#define FAILURE_INFO(NAME) TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_##NAME

size_t pd_activity_payload_size(const void *message)
{
    return message ? protobuf_c_message_get_packed_size(message) : 0;
}

pd_failure_t *pd_server_failure(pd_arena_t *arena, const char *message, bool non_retryable)
{
    pd_failure_t *failure = NEW(arena, Failure__V1__Failure, failure__v1__failure);
    failure->message = (char *)message;
    failure->source = (char *)"Server";
    failure->failure_info_case = FAILURE_INFO(SERVER_FAILURE_INFO);
    failure->server_failure_info =
        NEW(arena, Failure__V1__ServerFailureInfo, failure__v1__server_failure_info);
    failure->server_failure_info->non_retryable = non_retryable;
    return failure;
}

/* Cuts text so that it and its two bytes of framing fit into what is left, between characters. */
static char *cut(const char *text, size_t *left, pd_arena_t *arena)
{
    const size_t framing = 2;
    size_t size = strlen(pd_pb_str(text));
    size_t room = *left > framing ? *left - framing : 0;
    if (size > room) {
        size = room;
        while (size > 0 && ((uint8_t)text[size] & 0xc0) == 0x80)
            size--;
    }
    *left -= size + framing < *left ? size + framing : *left;
    char *out = pd_arena_alloc(arena, size + 1);
    memcpy(out, pd_pb_str(text), size);
    out[size] = '\0';
    return out;
}

static void cut_info(const pd_failure_t *from, pd_failure_t *to, size_t *left, pd_arena_t *arena)
{
    const size_t application_size = 8, server_size = 4;
    size_t size = 0;
    if (from->failure_info_case == FAILURE_INFO(APPLICATION_FAILURE_INFO)) {
        to->failure_info_case = FAILURE_INFO(APPLICATION_FAILURE_INFO);
        to->application_failure_info =
            NEW(arena, Failure__V1__ApplicationFailureInfo, failure__v1__application_failure_info);
        to->application_failure_info->non_retryable = from->application_failure_info->non_retryable;
        to->application_failure_info->type = cut(from->application_failure_info->type, left, arena);
        size = application_size;
    } else if (from->failure_info_case == FAILURE_INFO(SERVER_FAILURE_INFO)) {
        to->failure_info_case = FAILURE_INFO(SERVER_FAILURE_INFO);
        to->server_failure_info =
            NEW(arena, Failure__V1__ServerFailureInfo, failure__v1__server_failure_info);
        to->server_failure_info->non_retryable = from->server_failure_info->non_retryable;
        size = server_size;
    }
    *left -= size < *left ? size : *left;
}

pd_failure_t *pd_failure_truncate(const pd_failure_t *failure, size_t size_max, pd_arena_t *arena)
{
    enum { DEPTH_MAX = 20, CAUSE_SIZE = 4 };
    pd_failure_t *first = NULL, **link = &first;
    size_t left = size_max;
    for (int depth = 0; failure && depth <= DEPTH_MAX; depth++, failure = failure->cause) {
        if (depth > 0) {
            if (left <= CAUSE_SIZE)
                break;
            left -= CAUSE_SIZE;
        }
        pd_failure_t *copy = NEW(arena, Failure__V1__Failure, failure__v1__failure);
        cut_info(failure, copy, &left, arena);
        copy->source = cut(failure->source, &left, arena);
        copy->message = cut(failure->message, &left, arena);
        copy->stack_trace = cut(failure->stack_trace, &left, arena);
        *link = copy;
        link = &copy->cause;
    }
    return first;
}

void pd_activity_write_failed(pd_draft_t *draft, pd_pending_activity_t *activity,
                              pd_failure_t *failure,
                              Temporal__Api__Enums__V1__RetryState retry_state,
                              const char *identity,
                              const Temporal__Api__Common__V1__WorkerVersionStamp *version)
{
    PD_ASSERT(activity->started);
    int64_t started_event_id = pd_activity_write_started(draft, activity, NULL, version);
    pd_history_event_t *event = pd_draft_outside_event(draft, PD_EVENT(ACTIVITY_TASK_FAILED));
    Temporal__Api__History__V1__ActivityTaskFailedEventAttributes *attributes =
        event->activity_task_failed_event_attributes;
    attributes->failure = failure;
    attributes->scheduled_event_id = activity->scheduled_event_id;
    attributes->started_event_id = started_event_id;
    attributes->retry_state = retry_state;
    attributes->identity = (char *)identity;
    pd_pending_remove_activity(draft, activity);
}

const pd_rpc_error_t *pd_activity_fail_oversized(pd_decision_t *decision,
                                                 pd_pending_activity_t *activity,
                                                 const char *reason, const char *identity)
{
    pd_draft_t *draft = pd_draft_of(decision);
    if (!activity->started)
        return pd_activity_not_found(decision);
    pd_activity_write_failed(draft, activity, pd_server_failure(decision->arena, reason, true),
                             PD_RETRY_STATE(NON_RETRYABLE_FAILURE), identity, NULL);
    pd_draft_wake(draft);
    return NULL;
}
