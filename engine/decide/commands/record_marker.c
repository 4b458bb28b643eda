/* RECORD_MARKER: what a worker wants to find again in the history: versions, side effects, local
 * activities. Stored, never read. */
#include "engine/decide/commands/commands.h"
#include "engine/limits.h"

typedef Temporal__Api__Command__V1__RecordMarkerCommandAttributes attributes_t;

static const pd_command_failure_t *check(pd_completion_t *completion,
                                         const attributes_t *attributes)
{
    size_t size = 0;

    if (!attributes)
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_RECORD_MARKER_ATTRIBUTES),
                               "RecordMarkerCommandAttributes is not set on RecordMarkerCommand.");
    if (pd_pb_empty(attributes->marker_name))
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_RECORD_MARKER_ATTRIBUTES),
                               "MarkerName is not set on RecordMarkerCommand.");
    if (strlen(attributes->marker_name) > PD_ID_SIZE_MAX)
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_RECORD_MARKER_ATTRIBUTES),
                               "MarkerName on RecordMarkerCommand exceeds length limit. "
                               "MarkerName=%s Length=%zu Limit=%d",
                               attributes->marker_name, strlen(attributes->marker_name),
                               PD_ID_SIZE_MAX);
    for (size_t i = 0; i < attributes->n_details; i++)
        size += strlen(attributes->details[i]->key) +
                pd_command_payload_size(attributes->details[i]->value);
    return pd_command_check_size(completion, PD_WFT_CAUSE(BAD_RECORD_MARKER_ATTRIBUTES), size,
                                 "RecordMarkerCommandAttributes.Details exceeds size limit.");
}

/* The entries of the two maps are the same on the wire, but not the same type in C. */
static void copy_details(pd_arena_t *arena, const attributes_t *from,
                         Temporal__Api__History__V1__MarkerRecordedEventAttributes *to)
{
    to->n_details = from->n_details;
    to->details = pd_arena_alloc(arena, (from->n_details + 1) * sizeof(to->details[0]));
    for (size_t i = 0; i < from->n_details; i++) {
        to->details[i] = PD_PB_NEW(
            arena, Temporal__Api__History__V1__MarkerRecordedEventAttributes__DetailsEntry,
            temporal__api__history__v1__marker_recorded_event_attributes__details_entry);
        to->details[i]->key = from->details[i]->key;
        to->details[i]->value = from->details[i]->value;
    }
}

const pd_command_failure_t *pd_handle_record_marker(pd_completion_t *completion,
                                                    const pd_worker_command_t *command)
{
    const attributes_t *attributes =
        command->attributes_case ==
                TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_RECORD_MARKER_COMMAND_ATTRIBUTES
            ? command->record_marker_command_attributes
            : NULL;
    const pd_command_failure_t *failure = check(completion, attributes);
    Temporal__Api__History__V1__MarkerRecordedEventAttributes *recorded;

    if (failure)
        return failure;
    recorded = pd_completion_event(completion, command, PD_EVENT(MARKER_RECORDED))
                   ->marker_recorded_event_attributes;
    recorded->marker_name = attributes->marker_name;
    copy_details(completion->decision->arena, attributes, recorded);
    recorded->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    recorded->header = attributes->header;
    recorded->failure = attributes->failure;
    return NULL;
}
