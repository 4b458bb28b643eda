/* DescribeWorkflowExecution: what the run's row says, in the API's words. The answer is serialised
 * at once, since the row may change before it is sent. */
#define PROTOBUF_C__NO_DEPRECATED
#include <stdio.h>

#include "api/pb/time.h"
#include "engine/decide/new_run.h"
#include "engine/partition/partition_private.h"

#define WORKFLOW(Name) Temporal__Api__Workflow__V1__##Name
#define COMPLETED_EVENT                                                                            \
    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_TASK_COMPLETED_EVENT_ATTRIBUTES
#define ACTIVITY_STATE(NAME)                                                                       \
    TEMPORAL__API__ENUMS__V1__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_##NAME
#define TASK_STATE(NAME)                                                                           \
    TEMPORAL__API__ENUMS__V1__PENDING_WORKFLOW_TASK_STATE__PENDING_WORKFLOW_TASK_STATE_##NAME

/* What Temporal's server, being written in Go, tells for a time that is not set: the year 1. */
#define NO_TIME_S INT64_C(-62135596800)

typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionResponse response_t;

static WORKFLOW(WorkflowExecutionConfig) *
    config_of(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row)
{
    WORKFLOW(WorkflowExecutionConfig) *config =
        PD_PB_NEW(arena, WORKFLOW(WorkflowExecutionConfig),
                  temporal__api__workflow__v1__workflow_execution_config);

    config->task_queue = PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                                   temporal__api__taskqueue__v1__task_queue);
    config->task_queue->name = row->task_queue;
    config->task_queue->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    config->user_metadata = row->user_metadata;
    return config;
}

static Temporal__Api__Common__V1__WorkflowExecution *
execution_of(pd_arena_t *arena, const char *workflow_id, const char *run_id)
{
    Temporal__Api__Common__V1__WorkflowExecution *execution =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowExecution,
                  temporal__api__common__v1__workflow_execution);

    execution->workflow_id = (char *)workflow_id;
    execution->run_id = (char *)run_id;
    return execution;
}

static void fill_closed(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row,
                        WORKFLOW(WorkflowExecutionInfo) * info)
{
    int64_t from_ns = row->execution_time_ns ? row->execution_time_ns : row->start_time_ns;

    if (row->close_time_ns == 0)
        return;
    info->close_time = pd_pb_timestamp(arena, row->close_time_ns);
    info->execution_duration =
        pd_pb_duration(arena, row->close_time_ns > from_ns ? row->close_time_ns - from_ns : 0);
}

static void fill_family(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row,
                        WORKFLOW(WorkflowExecutionInfo) * info)
{
    bool is_root = pd_pb_empty(row->root_workflow_id);

    info->root_execution = execution_of(arena, is_root ? row->workflow_id : row->root_workflow_id,
                                        is_root ? row->run_id : row->root_run_id);
    if (pd_pb_empty(row->parent_workflow_id))
        return;
    info->parent_namespace_id = row->parent_namespace_id;
    info->parent_execution = execution_of(arena, row->parent_workflow_id, row->parent_run_id);
}

static WORKFLOW(WorkflowExecutionInfo) *
    info_of(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row)
{
    WORKFLOW(WorkflowExecutionInfo) *info =
        PD_PB_NEW(arena, WORKFLOW(WorkflowExecutionInfo),
                  temporal__api__workflow__v1__workflow_execution_info);

    info->execution = execution_of(arena, row->workflow_id, row->run_id);
    fill_family(arena, row, info);
    info->type = PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowType,
                           temporal__api__common__v1__workflow_type);
    info->type->name = row->workflow_type;
    info->start_time = pd_pb_timestamp(arena, row->start_time_ns);
    info->execution_time = pd_pb_timestamp(arena, row->execution_time_ns ? row->execution_time_ns
                                                                         : row->start_time_ns);
    fill_closed(arena, row, info);
    info->status = row->status;
    info->history_length = row->next_event_id - 1;
    info->memo = row->memo;
    if (!info->memo)
        info->memo =
            PD_PB_NEW(arena, Temporal__Api__Common__V1__Memo, temporal__api__common__v1__memo);
    info->search_attributes = row->search_attributes;
    if (!info->search_attributes)
        info->search_attributes = PD_PB_NEW(arena, Temporal__Api__Common__V1__SearchAttributes,
                                            temporal__api__common__v1__search_attributes);

    info->task_queue = row->task_queue;
    info->state_transition_count = row->state_transition_count;
    info->history_size_bytes = row->history_size_bytes;
    info->first_run_id = row->first_run_id;
    info->priority = row->priority;
    info->auto_reset_points = row->reset_points;
    if (!info->auto_reset_points)
        info->auto_reset_points =
            PD_PB_NEW(arena, WORKFLOW(ResetPoints), temporal__api__workflow__v1__reset_points);
    return info;
}

/* ---- activities ---- */

/* Without the error types, which Temporal's server leaves out. */
static Temporal__Api__Common__V1__RetryPolicy *
retry_policy_of(pd_arena_t *arena, const Temporal__Api__Common__V1__RetryPolicy *policy)
{
    Temporal__Api__Common__V1__RetryPolicy *copy;

    if (!policy)
        return NULL;
    copy = pd_arena_memdup(arena, policy, sizeof *policy);
    copy->n_non_retryable_error_types = 0;
    return copy;
}

static Temporal__Api__Activity__V1__ActivityOptions *
options_of(pd_arena_t *arena, const Perdure__V1__ActivityRow *activity)
{
    Temporal__Api__Activity__V1__ActivityOptions *options =
        PD_PB_NEW(arena, Temporal__Api__Activity__V1__ActivityOptions,
                  temporal__api__activity__v1__activity_options);

    options->task_queue = PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                                    temporal__api__taskqueue__v1__task_queue);
    options->task_queue->name = activity->task_queue;
    options->task_queue->normal_name = activity->task_queue;
    options->schedule_to_close_timeout =
        pd_pb_duration(arena, activity->schedule_to_close_timeout_ns);
    options->schedule_to_start_timeout =
        pd_pb_duration(arena, activity->schedule_to_start_timeout_ns);
    options->start_to_close_timeout = pd_pb_duration(arena, activity->start_to_close_timeout_ns);
    options->heartbeat_timeout = pd_pb_duration(arena, activity->heartbeat_timeout_ns);
    options->retry_policy = retry_policy_of(arena, activity->retry_policy);
    options->priority = activity->priority;
    return options;
}

static bool timed_out(const Temporal__Api__Failure__V1__Failure *failure)
{
    return failure && failure->failure_info_case ==
                          TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
}

static void fill_attempt(const pd_decision_t *decision, const Perdure__V1__ActivityRow *activity,
                         WORKFLOW(PendingActivityInfo) * info)
{
    pd_arena_t *arena = decision->arena;
    int64_t scheduled_ns = activity->attempt_scheduled_time_ns ? activity->attempt_scheduled_time_ns
                                                               : activity->scheduled_time_ns;
    bool started = activity->started_time_ns != 0;

    if (activity->cancel_requested)
        info->state = ACTIVITY_STATE(CANCEL_REQUESTED);
    else
        info->state = started ? ACTIVITY_STATE(STARTED) : ACTIVITY_STATE(SCHEDULED);
    info->scheduled_time = pd_pb_timestamp(arena, scheduled_ns);
    info->last_started_time = pd_pb_timestamp_or_null(arena, activity->started_time_ns);
    info->last_worker_identity = started ? activity->identity : activity->last_worker_identity;
    if (!timed_out(activity->last_failure)) /* only a worker completes an attempt */
        info->last_attempt_complete_time =
            pd_pb_timestamp_or_null(arena, activity->last_attempt_complete_time_ns);
    if (!started && activity->attempt > 1 && scheduled_ns > decision->now_ns) {
        info->next_attempt_schedule_time = pd_pb_timestamp(arena, scheduled_ns);
        info->current_retry_interval =
            pd_pb_duration(arena, scheduled_ns - activity->last_attempt_complete_time_ns);
    }
}

static WORKFLOW(PendingActivityInfo) *
    activity_of(const pd_decision_t *decision, const Perdure__V1__ActivityRow *activity)
{
    pd_arena_t *arena = decision->arena;
    WORKFLOW(PendingActivityInfo) *info = PD_PB_NEW(
        arena, WORKFLOW(PendingActivityInfo), temporal__api__workflow__v1__pending_activity_info);

    info->activity_id = activity->activity_id;
    info->activity_type = PD_PB_NEW(arena, Temporal__Api__Common__V1__ActivityType,
                                    temporal__api__common__v1__activity_type);
    info->activity_type->name = activity->activity_type;
    fill_attempt(decision, activity, info);
    info->attempt = activity->attempt;
    info->heartbeat_details = activity->heartbeat_details;
    info->last_heartbeat_time = pd_pb_timestamp_or_null(arena, activity->heartbeat_time_ns);
    if (activity->retry_policy)
        info->maximum_attempts = activity->retry_policy->maximum_attempts;
    if (activity->schedule_to_close_timeout_ns > 0)
        info->expiration_time = pd_pb_timestamp(
            arena, pd_ns_add(activity->scheduled_time_ns, activity->schedule_to_close_timeout_ns));
    info->last_failure = activity->last_failure;
    info->priority = activity->priority;
    info->activity_options = options_of(arena, activity);
    return info;
}

static void fill_activities(const pd_decision_t *decision, response_t *response)
{
    const Perdure__V1__ExecutionRow *row = decision->exec->row;

    response->pending_activities =
        pd_arena_calloc(decision->arena, row->n_activities, sizeof *response->pending_activities);
    for (size_t i = 0; i < row->n_activities; i++)
        if (!row->activities[i]->close_buffered)
            response->pending_activities[response->n_pending_activities++] =
                activity_of(decision, row->activities[i]);
}

/* ---- children ---- */

static void fill_children(const pd_decision_t *decision, response_t *response)
{
    const Perdure__V1__ExecutionRow *row = decision->exec->row;

    response->pending_children =
        pd_arena_calloc(decision->arena, row->n_children, sizeof *response->pending_children);
    for (size_t i = 0; i < row->n_children; i++) {
        const Perdure__V1__ChildRow *child = row->children[i];
        WORKFLOW(PendingChildExecutionInfo) *info =
            PD_PB_NEW(decision->arena, WORKFLOW(PendingChildExecutionInfo),
                      temporal__api__workflow__v1__pending_child_execution_info);

        if (child->close_buffered)
            continue;
        info->workflow_id = child->workflow_id;
        info->run_id = child->run_id;
        info->workflow_type_name = child->workflow_type;
        info->initiated_id = child->initiated_event_id;
        info->parent_close_policy = child->parent_close_policy;
        response->pending_children[response->n_pending_children++] = info;
    }
}

/* ---- the rest ---- */

static WORKFLOW(PendingWorkflowTaskInfo) *
    task_of(pd_arena_t *arena, const Perdure__V1__WorkflowTaskRow *task)
{
    WORKFLOW(PendingWorkflowTaskInfo) * info;
    int64_t original_ns;

    if (!task)
        return NULL;
    info = PD_PB_NEW(arena, WORKFLOW(PendingWorkflowTaskInfo),
                     temporal__api__workflow__v1__pending_workflow_task_info);
    original_ns = task->original_scheduled_time_ns;
    info->state = task->started_event_id ? TASK_STATE(STARTED) : TASK_STATE(SCHEDULED);
    info->scheduled_time = pd_pb_timestamp(arena, task->scheduled_time_ns);
    info->original_scheduled_time =
        pd_pb_timestamp(arena, original_ns ? original_ns : task->scheduled_time_ns);
    info->started_time = pd_pb_timestamp_or_null(arena, task->started_time_ns);
    info->attempt = task->attempt;
    return info;
}

/* event_id 0: the event waits in the buffer. */
static WORKFLOW(WorkflowExecutionExtendedInfo__RequestIdInfosEntry) *
    request_id_info(pd_arena_t *arena, char *request_id, int type, int64_t event_id)
{
    WORKFLOW(WorkflowExecutionExtendedInfo__RequestIdInfosEntry) *entry = PD_PB_NEW(
        arena, WORKFLOW(WorkflowExecutionExtendedInfo__RequestIdInfosEntry),
        temporal__api__workflow__v1__workflow_execution_extended_info__request_id_infos_entry);

    entry->key = request_id;
    entry->value =
        PD_PB_NEW(arena, WORKFLOW(RequestIdInfo), temporal__api__workflow__v1__request_id_info);
    entry->value->event_type = type;
    entry->value->event_id = event_id;
    entry->value->buffered = event_id == 0;
    return entry;
}

/* Which request made which event. */
static void fill_request_ids(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row,
                             WORKFLOW(WorkflowExecutionExtendedInfo) * extended)
{
    size_t count = 0;

    extended->request_id_infos =
        pd_arena_calloc(arena, row->n_attached_request_ids + 1, sizeof *extended->request_id_infos);
    if (!pd_pb_empty(row->create_request_id))
        extended->request_id_infos[count++] =
            request_id_info(arena, row->create_request_id, PD_EVENT(WORKFLOW_EXECUTION_STARTED),
                            row->create_request_event_id);
    for (size_t i = 0; i < row->n_attached_request_ids; i++)
        extended->request_id_infos[count++] = request_id_info(
            arena, row->attached_request_ids[i], PD_EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED),
            row->attached_request_event_ids[i]);
    extended->n_request_id_infos = count;
}

static WORKFLOW(WorkflowExecutionExtendedInfo) * extended_of(const pd_decision_t *decision)
{
    const Perdure__V1__ExecutionRow *row = decision->exec->row;
    pd_arena_t *arena = decision->arena;
    WORKFLOW(WorkflowExecutionExtendedInfo) *extended =
        PD_PB_NEW(arena, WORKFLOW(WorkflowExecutionExtendedInfo),
                  temporal__api__workflow__v1__workflow_execution_extended_info);

    extended->execution_expiration_time =
        pd_pb_timestamp_or_null(arena, row->execution_deadline_ns);
    extended->run_expiration_time = pd_pb_timestamp(arena, row->run_deadline_ns);
    if (row->run_deadline_ns == 0)
        extended->run_expiration_time->seconds = NO_TIME_S;
    extended->cancel_requested = row->cancel_requested;
    extended->original_start_time = pd_pb_timestamp(arena, row->start_time_ns);
    fill_request_ids(decision->arena, row, extended);
    return extended;
}

/* ---- what the history knows ---- */

/* The version stamp of the last completed workflow task. */
static Temporal__Api__Common__V1__WorkerVersionStamp *last_stamp(const pd_decision_t *decision)
{
    int64_t event_id = decision->exec->row->last_workflow_task_completed_event_id;
    pd_history_event_t *event = NULL;
    pd_error_t error;

    if (event_id == 0 || pd_store_history_event(decision->store, decision->exec, event_id,
                                                decision->arena, &event, &error) != PD_OK)
        return NULL;
    if (!event || event->attributes_case != COMPLETED_EVENT)
        return NULL;
    return event->workflow_task_completed_event_attributes->worker_version;
}

static pd_started_t *started_of(const pd_decision_t *decision)
{
    pd_history_event_t *event = NULL;
    pd_error_t error;

    if (pd_store_history_event(decision->store, decision->exec, 1, decision->arena, &event,
                               &error) != PD_OK)
        return NULL;
    return event ? event->workflow_execution_started_event_attributes : NULL;
}

static Temporal__Api__Common__V1__Payload__MetadataEntry *
metadata(pd_arena_t *arena, const char *key, const char *value)
{
    Temporal__Api__Common__V1__Payload__MetadataEntry *entry =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__Payload__MetadataEntry,
                  temporal__api__common__v1__payload__metadata_entry);

    entry->key = (char *)key;
    entry->value.data = (uint8_t *)value;
    entry->value.len = strlen(value);
    return entry;
}

static Temporal__Api__Common__V1__Payload *keyword_list(pd_arena_t *arena, const char *json)
{
    Temporal__Api__Common__V1__Payload *payload =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__Payload, temporal__api__common__v1__payload);

    payload->n_metadata = 2;
    payload->metadata = pd_arena_calloc(arena, 2, sizeof *payload->metadata);
    payload->metadata[0] = metadata(arena, "encoding", "json/plain");
    payload->metadata[1] = metadata(arena, "type", "KeywordList");
    payload->data.data = (uint8_t *)json;
    payload->data.len = strlen(json);
    return payload;
}

/* ---- builds: Temporal's server keeps them as search attributes ---- */

static const char *json_string(pd_arena_t *arena, const char *text)
{
    char *json = pd_arena_alloc(arena, strlen(text) * 6 + 3), *end = json;

    *end++ = '"';
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20) {
            end += snprintf(end, 7, "\\u%04x", (unsigned)*at);
            continue;
        }
        if (*at == '"' || *at == '\\')
            *end++ = '\\';
        *end++ = *at;
    }
    *end++ = '"';
    *end = 0;
    return json;
}

static const char *json_list(pd_arena_t *arena, const char *first, const char *prefix,
                             char *const *items, size_t count)
{
    const char *text = first;

    for (size_t i = 0; i < count; i++) {
        const char *item = pd_arena_printf(arena, "%s%s", prefix, items[i]);

        text = pd_arena_printf(arena, "%s%s%s", text, text[0] ? "," : "", json_string(arena, item));
    }
    return pd_arena_printf(arena, "[%s]", text);
}

static void add_attribute(pd_arena_t *arena, const char *key, const char *json,
                          WORKFLOW(WorkflowExecutionInfo) * info)
{
    typedef Temporal__Api__Common__V1__SearchAttributes__IndexedFieldsEntry entry_t;
    const Temporal__Api__Common__V1__SearchAttributes *own = info->search_attributes;
    Temporal__Api__Common__V1__SearchAttributes *all = pd_arena_memdup(arena, own, sizeof *own);
    entry_t *entry = PD_PB_NEW(arena, entry_t,
                               temporal__api__common__v1__search_attributes__indexed_fields_entry);

    for (size_t i = 0; i < own->n_indexed_fields; i++)
        if (strcmp(own->indexed_fields[i]->key, key) == 0)
            return;
    entry->key = (char *)key;
    entry->value = keyword_list(arena, json);
    all->indexed_fields =
        pd_arena_calloc(arena, own->n_indexed_fields + 1, sizeof *all->indexed_fields);
    for (size_t i = 0; i < own->n_indexed_fields; i++)
        all->indexed_fields[i] = own->indexed_fields[i];
    all->indexed_fields[all->n_indexed_fields++] = entry;
    info->search_attributes = all;
}

static void fill_builds(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row,
                        WORKFLOW(WorkflowExecutionInfo) * info)
{
    if (row->any_workflow_task_completed)
        add_attribute(
            arena, "BuildIds",
            json_list(arena, "\"unversioned\"", "unversioned:", row->build_ids, row->n_build_ids),
            info);
    if (row->n_binary_checksums)
        add_attribute(arena, "BinaryChecksums",
                      json_list(arena, "", "", row->binary_checksums, row->n_binary_checksums),
                      info);
}

/* The timeouts as the first event has them: there, none and 0 are told apart. */
static void fill_from_history(const pd_decision_t *decision, response_t *response)
{
    const pd_started_t *started = started_of(decision);

    response->workflow_execution_info->most_recent_worker_version_stamp = last_stamp(decision);
    if (!started)
        return;
    response->execution_config->workflow_execution_timeout = started->workflow_execution_timeout;
    response->execution_config->workflow_run_timeout = started->workflow_run_timeout;
    response->execution_config->default_workflow_task_timeout = started->workflow_task_timeout;
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const Perdure__V1__ExecutionRow *row = decision->exec->row;
    response_t *response =
        PD_PB_NEW(decision->arena, response_t,
                  temporal__api__workflowservice__v1__describe_workflow_execution_response);

    response->execution_config = config_of(decision->arena, row);
    response->workflow_execution_info = info_of(decision->arena, row);
    fill_from_history(decision, response);
    fill_builds(decision->arena, row, response->workflow_execution_info);
    fill_activities(decision, response);
    fill_children(decision, response);
    response->pending_workflow_task = task_of(decision->arena, row->workflow_task);
    response->workflow_extended_info = extended_of(decision);
    decision->response_data = pd_pb_pack_arena(response, decision->arena);
    return NULL;
}

const pd_command_kind_t pd_command_describe = {
    .name = "DESCRIBE",
    .decide = decide,
};
