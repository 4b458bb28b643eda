/* UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: merged into the run's; a null removes. */
#include "engine/decide/commands/commands.h"
#include "engine/search_attributes.h"

typedef Temporal__Api__Command__V1__UpsertWorkflowSearchAttributesCommandAttributes attributes_t;

static size_t data_size(const Temporal__Api__Common__V1__SearchAttributes *attributes)
{
    size_t size = 0;

    for (size_t i = 0; i < attributes->n_indexed_fields; i++)
        size +=
            strlen(attributes->indexed_fields[i]->key) +
            (attributes->indexed_fields[i]->value ? attributes->indexed_fields[i]->value->data.len
                                                  : 0);
    return size;
}

static const pd_command_failure_t *check(pd_completion_t *completion,
                                         const attributes_t *attributes)
{
    const pd_command_failure_t *failure;
    const char *error;

    if (!attributes)
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_SEARCH_ATTRIBUTES),
                               "UpsertWorkflowSearchAttributesCommandAttributes is not set on "
                               "UpsertWorkflowSearchAttributesCommand.");
    if (!attributes->search_attributes)
        return pd_command_fail(
            completion, PD_WFT_CAUSE(BAD_SEARCH_ATTRIBUTES),
            "SearchAttributes is not set on UpsertWorkflowSearchAttributesCommand.");
    if (!attributes->search_attributes->n_indexed_fields)
        return pd_command_fail(
            completion, PD_WFT_CAUSE(BAD_SEARCH_ATTRIBUTES),
            "IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.");
    failure = pd_command_check_size(
        completion, PD_WFT_CAUSE(BAD_SEARCH_ATTRIBUTES), data_size(attributes->search_attributes),
        "UpsertWorkflowSearchAttributesCommandAttributes exceeds size limit.");
    error = pd_search_attributes_check(completion->decision->arena, completion->decision->ns->name,
                                       attributes->search_attributes);
    return error && !strstr(error, "exceeds size limit")
               ? pd_command_fail(completion, PD_WFT_CAUSE(BAD_SEARCH_ATTRIBUTES), "%s", error)
           : failure ? failure
           /* Too much data is not the worker's mistake of the moment: the workflow ends. */
           : error
               ? pd_command_fail_hard(completion, PD_WFT_CAUSE(BAD_SEARCH_ATTRIBUTES), "%s", error)
               : NULL;
}

const pd_command_failure_t *pd_handle_upsert_search_attributes(pd_completion_t *completion,
                                                               const pd_worker_command_t *command)
{
    const attributes_t *attributes =
        command->attributes_case ==
                TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES_COMMAND_ATTRIBUTES
            ? command->upsert_workflow_search_attributes_command_attributes
            : NULL;
    const pd_command_failure_t *failure = check(completion, attributes);
    Temporal__Api__History__V1__UpsertWorkflowSearchAttributesEventAttributes *upserted;

    if (failure)
        return failure;
    upserted = pd_completion_event(completion, command, PD_EVENT(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES))
                   ->upsert_workflow_search_attributes_event_attributes;
    upserted->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    pd_search_attributes_set_types(completion->decision->arena, attributes->search_attributes);
    upserted->search_attributes = attributes->search_attributes;
    return NULL;
}
