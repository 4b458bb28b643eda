/* Commands whose other half is not there yet: updates, Nexus. The
 * workflow task fails, with a cause and a text that say so, instead of a workflow that waits
 * forever. */
#include "engine/decide/commands/commands.h"

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_##NAME

static Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause_of(int type)
{
    switch (type) {
    case TYPE(PROTOCOL_MESSAGE):
        return PD_WFT_CAUSE(BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE);
    default:
        return PD_WFT_CAUSE(FEATURE_DISABLED);
    }
}

const pd_command_failure_t *pd_handle_not_built(pd_completion_t *completion,
                                                const pd_worker_command_t *command)
{
    return pd_command_fail(
        completion, cause_of((int)command->command_type), "%s is not implemented by this server.",
        pd_command_type_name(completion->decision->arena, (int)command->command_type));
}
