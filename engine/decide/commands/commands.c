#include "engine/decide/commands/commands.h"

#include <stdio.h>

#include "engine/decide/enum_name.h"
#include "engine/limits.h"

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_##NAME

/* Indexed by the command type's number. A type without a handler is unknown. */
static const pd_command_handler_t HANDLERS[] = {
    [TYPE(SCHEDULE_ACTIVITY_TASK)] = pd_handle_schedule_activity,
    [TYPE(REQUEST_CANCEL_ACTIVITY_TASK)] = pd_handle_request_cancel_activity,
    [TYPE(START_TIMER)] = pd_handle_start_timer,
    [TYPE(COMPLETE_WORKFLOW_EXECUTION)] = pd_handle_complete_workflow,
    [TYPE(FAIL_WORKFLOW_EXECUTION)] = pd_handle_fail_workflow,
    [TYPE(CANCEL_TIMER)] = pd_handle_cancel_timer,
    [TYPE(CANCEL_WORKFLOW_EXECUTION)] = pd_handle_cancel_workflow,
    [TYPE(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION)] = pd_handle_request_cancel_external,
    [TYPE(RECORD_MARKER)] = pd_handle_record_marker,
    [TYPE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION)] = pd_handle_continue_as_new,
    [TYPE(START_CHILD_WORKFLOW_EXECUTION)] = pd_handle_start_child,
    [TYPE(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION)] = pd_handle_signal_external,
    [TYPE(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)] = pd_handle_upsert_search_attributes,
    [TYPE(PROTOCOL_MESSAGE)] = pd_handle_not_built,
    [TYPE(MODIFY_WORKFLOW_PROPERTIES)] = pd_handle_modify_properties,
    [TYPE(SCHEDULE_NEXUS_OPERATION)] = pd_handle_not_built,
    [TYPE(REQUEST_CANCEL_NEXUS_OPERATION)] = pd_handle_not_built,
};

pd_command_handler_t pd_commands_find(Temporal__Api__Enums__V1__CommandType type)
{
    size_t index = (size_t)type; /* a negative number becomes a large one */

    return index < sizeof(HANDLERS) / sizeof(HANDLERS[0]) ? HANDLERS[index] : NULL;
}

bool pd_command_type_closes(int type)
{
    return type == TYPE(COMPLETE_WORKFLOW_EXECUTION) || type == TYPE(FAIL_WORKFLOW_EXECUTION) ||
           type == TYPE(CANCEL_WORKFLOW_EXECUTION) ||
           type == TYPE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION);
}

const char *pd_command_type_name(pd_arena_t *arena, int type)
{
    return pd_enum_name(arena, &temporal__api__enums__v1__command_type__descriptor, "COMMAND_TYPE_",
                        type);
}

const char *pd_command_type_names(pd_arena_t *arena, pd_worker_command_t *const *commands,
                                  size_t count)
{
    enum { NAMED_COUNT_MAX = 100, NAME_SIZE_MAX = 64 };
    size_t named_count = count < NAMED_COUNT_MAX ? count : NAMED_COUNT_MAX;
    char *names = pd_arena_calloc(arena, named_count + 1, NAME_SIZE_MAX), *end = names;

    for (size_t i = 0; i < named_count; i++) {
        const char *name = pd_command_type_name(arena, (int)commands[i]->command_type);

        end += snprintf(end, NAME_SIZE_MAX, "%s%.60s", i ? ", " : "", name);
    }
    if (named_count < count)
        (void)snprintf(end, NAME_SIZE_MAX, ", ...");
    return names;
}

pd_history_event_t *pd_completion_event(pd_completion_t *completion,
                                        const pd_worker_command_t *command,
                                        Temporal__Api__Enums__V1__EventType type)
{
    pd_history_event_t *event = pd_draft_event(completion->draft, type);

    event->user_metadata = command->user_metadata;
    event->event_group_markers = command->event_group_markers;
    event->n_event_group_markers = command->n_event_group_markers;
    return event;
}

void pd_completion_add_eager(pd_completion_t *completion, int64_t scheduled_event_id)
{
    if (completion->eager_count == completion->eager_capacity) {
        size_t capacity = completion->eager_capacity ? completion->eager_capacity * 2 : 8;
        int64_t *grown = pd_arena_alloc(completion->decision->arena, capacity * sizeof(grown[0]));

        if (completion->eager_count)
            memcpy(grown, completion->eager_event_ids, completion->eager_count * sizeof(grown[0]));
        completion->eager_event_ids = grown;
        completion->eager_capacity = capacity;
    }
    completion->eager_event_ids[completion->eager_count++] = scheduled_event_id;
}

/* ---- failures ---- */

static pd_command_failure_t *new_failure(pd_completion_t *completion,
                                         Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause,
                                         const char *text)
{
    pd_command_failure_t *failure = PD_ARENA_NEW(completion->decision->arena, pd_command_failure_t);

    failure->cause = cause;
    failure->text = text;
    return failure;
}

const pd_command_failure_t *pd_command_fail(pd_completion_t *completion,
                                            Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause,
                                            const char *format, ...)
{
    va_list args;
    const char *text;

    va_start(args, format);
    text = pd_arena_vprintf(completion->decision->arena, format, args);
    va_end(args);
    return new_failure(completion, cause, text);
}

const pd_command_failure_t *
pd_command_fail_hard(pd_completion_t *completion,
                     Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause, const char *format,
                     ...)
{
    pd_command_failure_t *failure;
    va_list args;

    va_start(args, format);
    failure =
        new_failure(completion, cause, pd_arena_vprintf(completion->decision->arena, format, args));
    va_end(args);
    failure->terminate = true;
    return failure;
}

const pd_command_failure_t *pd_command_refuse(pd_completion_t *completion, const char *format, ...)
{
    pd_command_failure_t *failure = new_failure(completion, 0, NULL);
    const char *text;
    va_list args;

    va_start(args, format);
    text = pd_arena_vprintf(completion->decision->arena, format, args);
    va_end(args);
    failure->error = pd_rpc_invalid_argument(completion->decision->arena, "%s", text);
    return failure;
}

const pd_command_failure_t *pd_command_check_close(pd_completion_t *completion)
{
    if (!completion->draft->buffered_count)
        return NULL;
    return new_failure(completion, PD_WFT_CAUSE(UNHANDLED_COMMAND), NULL);
}

const pd_command_failure_t *
pd_command_check_size(pd_completion_t *completion,
                      Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause, size_t size,
                      const char *text)
{
    if (size <= PD_BLOB_SIZE_MAX)
        return NULL;
    return pd_command_fail_hard(completion, cause, "%s", text);
}

size_t pd_command_payload_size(const void *message)
{
    return message ? protobuf_c_message_get_packed_size(message) : 0;
}
