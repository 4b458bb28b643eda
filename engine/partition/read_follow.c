/* The close event as clients read it who wait for a workflow's result.
 *
 * A run that closed and was followed by another (retry, cron) is not the end for them. Clients that
 * do not say "follows-next-run-id" know only one event that leads on: ContinuedAsNew. So that is
 * what they are shown, in place of the real event, and only when they ask for the close event. */
#define PROTOBUF_C__NO_DEPRECATED
#include "engine/decide/draft.h"
#include "engine/partition/read_private.h"

#define CONTINUED_EVENT                                                                            \
    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_CONTINUED_AS_NEW_EVENT_ATTRIBUTES

typedef Temporal__Api__History__V1__WorkflowExecutionContinuedAsNewEventAttributes continued_t;

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

/* What the close event says of the next run; "" and nothing else when there is none. */
static continued_t *continuation_of(pd_arena_t *arena, const pd_history_event_t *event)
{
    continued_t *continued =
        PD_PB_NEW(arena, continued_t,
                  temporal__api__history__v1__workflow_execution_continued_as_new_event_attributes);
    const char *run_id = "";

    if (event->event_type == PD_EVENT(WORKFLOW_EXECUTION_COMPLETED)) {
        run_id = event->workflow_execution_completed_event_attributes->new_execution_run_id;
        continued->last_completion_result =
            event->workflow_execution_completed_event_attributes->result;
    } else if (event->event_type == PD_EVENT(WORKFLOW_EXECUTION_FAILED)) {
        run_id = event->workflow_execution_failed_event_attributes->new_execution_run_id;
        continued->failure = event->workflow_execution_failed_event_attributes->failure;
    } else if (event->event_type == PD_EVENT(WORKFLOW_EXECUTION_TIMED_OUT)) {
        run_id = event->workflow_execution_timed_out_event_attributes->new_execution_run_id;
        continued->failure = timeout_failure(arena);
    }
    continued->new_execution_run_id = (char *)pd_pb_str(run_id);
    return continued;
}

pd_status_t pdi_read_follow(pd_decision_t *decision, pd_buf_t *history)
{
    Temporal__Api__History__V1__History *read = pd_pb_unpack(
        &temporal__api__history__v1__history__descriptor, decision->arena, pd_buf_bytes(history));
    pd_history_event_t *event = read && read->n_events == 1 ? read->events[0] : NULL;
    continued_t *continued = event ? continuation_of(decision->arena, event) : NULL;

    if (!continued || !continued->new_execution_run_id[0])
        return PD_OK;
    event->event_type = PD_EVENT(WORKFLOW_EXECUTION_CONTINUED_AS_NEW);
    event->attributes_case = CONTINUED_EVENT;
    event->workflow_execution_continued_as_new_event_attributes = continued;
    pd_buf_clear(history);
    return pd_pb_pack(read, history);
}
