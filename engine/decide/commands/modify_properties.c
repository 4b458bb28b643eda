/* MODIFY_WORKFLOW_PROPERTIES: the memo, merged into the run's; a null removes. */
#include "engine/decide/commands/commands.h"

typedef Temporal__Api__Command__V1__ModifyWorkflowPropertiesCommandAttributes attributes_t;

static size_t data_size(const Temporal__Api__Common__V1__Memo *memo)
{
    size_t size = 0;

    for (size_t i = 0; memo && i < memo->n_fields; i++)
        size += strlen(memo->fields[i]->key) +
                (memo->fields[i]->value ? memo->fields[i]->value->data.len : 0);
    return size;
}

static const pd_command_failure_t *check(pd_completion_t *completion,
                                         const attributes_t *attributes)
{
    if (!attributes)
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES),
                               "ModifyWorkflowPropertiesCommandAttributes is not set on "
                               "ModifyWorkflowPropertiesCommand.");
    if (!attributes->upserted_memo)
        return pd_command_fail(completion, PD_WFT_CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES),
                               "UpsertedMemo is not set on ModifyWorkflowPropertiesCommand.");
    if (!attributes->upserted_memo->n_fields)
        return pd_command_fail(
            completion, PD_WFT_CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES),
            "UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand.");
    return pd_command_check_size(completion,
                                 PD_WFT_CAUSE(BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES),
                                 data_size(attributes->upserted_memo),
                                 "ModifyWorkflowPropertiesCommandAttributes exceeds size limit.");
}

const pd_command_failure_t *pd_handle_modify_properties(pd_completion_t *completion,
                                                        const pd_worker_command_t *command)
{
    const attributes_t *attributes =
        command->attributes_case ==
                TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_MODIFY_WORKFLOW_PROPERTIES_COMMAND_ATTRIBUTES
            ? command->modify_workflow_properties_command_attributes
            : NULL;
    const pd_command_failure_t *failure = check(completion, attributes);
    Temporal__Api__History__V1__WorkflowPropertiesModifiedEventAttributes *modified;

    if (failure)
        return failure;
    modified = pd_completion_event(completion, command, PD_EVENT(WORKFLOW_PROPERTIES_MODIFIED))
                   ->workflow_properties_modified_event_attributes;
    modified->workflow_task_completed_event_id = completion->workflow_task_completed_event_id;
    modified->upserted_memo = attributes->upserted_memo;
    return NULL;
}
