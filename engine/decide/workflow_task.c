#include "engine/decide/workflow_task.h"

#include "api/pb/time.h"
#include "base/assert.h"
#include "engine/decide/enum_name.h"
#include "engine/limits.h"

/* binary_checksum and worker_version are deprecated, and still part of the events. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__History__V1__WorkflowTaskStartedEventAttributes started_attributes_t;

/* ---- ends ---- */

static void end_transient(pd_draft_t *draft, const pd_workflow_task_failure_t *failure)
{
    pd_arena_t *arena = draft->decision->arena;
    Perdure__V1__TransientTaskEnded *ended =
        PD_PB_NEW(arena, Perdure__V1__TransientTaskEnded, perdure__v1__transient_task_ended);
    Perdure__V1__Event *event = pd_draft_internal(draft);

    ended->scheduled_event_id = draft->task.scheduled_event_id;
    if (failure) {
        ended->cause = failure->cause;
        ended->failure = failure->failure;
    }
    event->kind_case = PERDURE__V1__EVENT__KIND_TRANSIENT_TASK_ENDED;
    event->transient_task_ended = ended;
}

static void forget_task(pd_draft_t *draft)
{
    memset(&draft->task, 0, sizeof(draft->task));
}

static void set_suggestion(pd_arena_t *arena, started_attributes_t *attributes, int64_t event_id)
{
    Temporal__Api__Enums__V1__SuggestContinueAsNewReason *reasons =
        pd_arena_alloc(arena, 2 * sizeof(*reasons));
    size_t count = 0;

    attributes->suggest_continue_as_new = true;
    if (attributes->history_size_bytes >= PD_HISTORY_SIZE_SUGGEST_CONTINUE_AS_NEW)
        reasons[count++] =
            TEMPORAL__API__ENUMS__V1__SUGGEST_CONTINUE_AS_NEW_REASON__SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE;
    if (event_id >= PD_HISTORY_EVENT_COUNT_SUGGEST_CONTINUE_AS_NEW)
        reasons[count++] =
            TEMPORAL__API__ENUMS__V1__SUGGEST_CONTINUE_AS_NEW_REASON__SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS;
    attributes->suggest_continue_as_new_reasons = reasons;
    attributes->n_suggest_continue_as_new_reasons = count;
}

/* A transient task completed: its Scheduled and Started are written now, with their own times. */
static void
write_transient(pd_draft_t *draft,
                const Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *by)
{
    const Perdure__V1__WorkflowTaskRow *row = draft->exec->row->workflow_task;
    pd_arena_t *arena = draft->decision->arena;
    Temporal__Api__Taskqueue__V1__TaskQueue *queue = PD_PB_NEW(
        arena, Temporal__Api__Taskqueue__V1__TaskQueue, temporal__api__taskqueue__v1__task_queue);
    pd_history_event_t *scheduled, *started;
    started_attributes_t *attributes;

    end_transient(draft, NULL);
    queue->name = draft->exec->row->task_queue;
    queue->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    scheduled = pd_draft_event(draft, PD_EVENT(WORKFLOW_TASK_SCHEDULED));
    scheduled->event_time = pd_pb_timestamp(arena, draft->task.scheduled_time_ns);
    scheduled->workflow_task_scheduled_event_attributes->task_queue = queue;
    scheduled->workflow_task_scheduled_event_attributes->start_to_close_timeout =
        pd_pb_duration(arena, row->start_to_close_timeout_ns);
    scheduled->workflow_task_scheduled_event_attributes->attempt = draft->task.attempt;
    started = pd_draft_event(draft, PD_EVENT(WORKFLOW_TASK_STARTED));
    started->event_time = pd_pb_timestamp(arena, draft->task.started_time_ns);
    attributes = started->workflow_task_started_event_attributes;
    attributes->scheduled_event_id = scheduled->event_id;
    attributes->identity = by->identity;
    attributes->worker_version = by->worker_version_stamp;
    attributes->request_id = pd_arena_strdup(arena, row->request_id); /* the row goes first */
    attributes->history_size_bytes = row->history_size_bytes;
    if (row->suggest_continue_as_new)
        set_suggestion(arena, attributes, scheduled->event_id);
    draft->task.scheduled_event_id = scheduled->event_id;
    draft->task.started_event_id = started->event_id;
}

pd_history_event_t *pd_workflow_task_complete(
    pd_draft_t *draft,
    const Temporal__Api__Workflowservice__V1__RespondWorkflowTaskCompletedRequest *request)
{
    Temporal__Api__History__V1__WorkflowTaskCompletedEventAttributes *attributes;
    pd_history_event_t *event;

    PD_ASSERT(draft->task.started);
    if (draft->task.transient)
        write_transient(draft, request);
    event = pd_draft_event(draft, PD_EVENT(WORKFLOW_TASK_COMPLETED));
    attributes = event->workflow_task_completed_event_attributes;
    attributes->scheduled_event_id = draft->task.scheduled_event_id;
    attributes->started_event_id = draft->task.started_event_id;
    attributes->identity = request->identity;
    attributes->binary_checksum = request->binary_checksum;
    attributes->worker_version = request->worker_version_stamp;
    attributes->sdk_metadata = request->sdk_metadata;
    attributes->metering_metadata = request->metering_metadata;
    attributes->versioning_behavior = request->versioning_behavior;
    if (request->deployment_options) {
        attributes->worker_deployment_name = request->deployment_options->deployment_name;
    }
    forget_task(draft);
    return event;
}

/* What a failure or a timeout does to stickiness, and so to the next attempt. */
static int32_t next_attempt(pd_draft_t *draft, int32_t attempt)
{
    if (!draft->sticky)
        return attempt + 1;
    pd_draft_clear_sticky(draft);
    return 1;
}

static void add_close_attempted(pd_draft_t *draft)
{
    Perdure__V1__Event *event = pd_draft_internal(draft);

    event->kind_case = PERDURE__V1__EVENT__KIND_CLOSE_ATTEMPTED;
    event->close_attempted = PD_PB_NEW(draft->decision->arena, Perdure__V1__CloseAttempted,
                                       perdure__v1__close_attempted);
}

int32_t pd_workflow_task_fail(pd_draft_t *draft, const pd_workflow_task_failure_t *failure)
{
    int32_t attempt = draft->task.attempt;

    PD_ASSERT(draft->task.started);
    if (draft->task.transient) {
        end_transient(draft, failure);
    } else {
        pd_history_event_t *event = pd_draft_event(draft, PD_EVENT(WORKFLOW_TASK_FAILED));
        Temporal__Api__History__V1__WorkflowTaskFailedEventAttributes *attributes =
            event->workflow_task_failed_event_attributes;

        attributes->scheduled_event_id = draft->task.scheduled_event_id;
        attributes->started_event_id = draft->task.started_event_id;
        attributes->cause = failure->cause;
        attributes->failure = failure->failure;
        attributes->identity = (char *)pd_pb_str(failure->identity);
        attributes->binary_checksum = (char *)pd_pb_str(failure->binary_checksum);
    }
    forget_task(draft);
    attempt = next_attempt(draft, attempt);
    if (failure->cause == PD_WFT_CAUSE(UNHANDLED_COMMAND))
        add_close_attempted(draft);
    if (failure->cause == PD_WFT_CAUSE(RESET_WORKFLOW) ||
        failure->cause == PD_WFT_CAUSE(FAILOVER_CLOSE_COMMAND))
        attempt = 1;
    return attempt;
}

int32_t pd_workflow_task_time_out(pd_draft_t *draft)
{
    int32_t attempt = draft->task.attempt;

    PD_ASSERT(draft->task.started);
    if (draft->task.transient) {
        end_transient(draft, NULL);
    } else {
        pd_history_event_t *event = pd_draft_event(draft, PD_EVENT(WORKFLOW_TASK_TIMED_OUT));
        Temporal__Api__History__V1__WorkflowTaskTimedOutEventAttributes *attributes =
            event->workflow_task_timed_out_event_attributes;

        attributes->scheduled_event_id = draft->task.scheduled_event_id;
        attributes->started_event_id = draft->task.started_event_id;
        attributes->timeout_type =
            TEMPORAL__API__ENUMS__V1__TIMEOUT_TYPE__TIMEOUT_TYPE_START_TO_CLOSE;
    }
    forget_task(draft);
    return next_attempt(draft, attempt);
}

size_t pd_workflow_task_reschedule(pd_draft_t *draft, int32_t attempt)
{
    size_t flushed = pd_draft_flush_buffer(draft);

    pd_draft_schedule_task(draft, flushed ? 1 : attempt);
    return flushed;
}

/* ---- the full buffer ---- */

static size_t buffered_size(const pd_draft_t *draft)
{
    size_t size = draft->buffered_size;

    for (size_t i = 0; i < draft->buffered_new_count; i++)
        size +=
            protobuf_c_message_get_packed_size(&draft->buffered[i]->event_buffered->event->base);
    return size;
}

bool pd_workflow_task_fail_when_buffer_full(pd_draft_t *draft)
{
    const pd_workflow_task_failure_t failure = {.cause = PD_WFT_CAUSE(FORCE_CLOSE_COMMAND),
                                                .identity = "history-service"};
    int32_t attempt;

    if (!draft->running || !draft->task.started || !draft->buffered_new_count)
        return false;
    if (draft->buffered_count <= PD_BUFFERED_EVENT_COUNT_MAX &&
        buffered_size(draft) <= PD_BUFFERED_SIZE_MAX)
        return false;
    attempt = pd_workflow_task_fail(draft, &failure);
    pd_draft_flush_buffer(draft);
    pd_draft_schedule_task(draft, attempt);
    return true;
}

/* ---- names ---- */

const char *pd_workflow_task_cause_name(pd_arena_t *arena,
                                        Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause)
{
    return pd_enum_name(arena, &temporal__api__enums__v1__workflow_task_failed_cause__descriptor,
                        "WORKFLOW_TASK_FAILED_CAUSE_", (int)cause);
}

Temporal__Api__Failure__V1__Failure *pd_server_failure(pd_arena_t *arena, const char *message,
                                                       bool non_retryable)
{
    Temporal__Api__Failure__V1__Failure *failure =
        PD_PB_NEW(arena, Temporal__Api__Failure__V1__Failure, temporal__api__failure__v1__failure);

    failure->message = (char *)message;
    failure->failure_info_case =
        TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO;
    failure->server_failure_info = PD_PB_NEW(arena, Temporal__Api__Failure__V1__ServerFailureInfo,
                                             temporal__api__failure__v1__server_failure_info);
    failure->server_failure_info->non_retryable = non_retryable;
    return failure;
}
