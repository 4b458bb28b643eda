/* ChildFirstTask: the parent has recorded the start. The first workflow task is scheduled, or its
 * backoff begins to count; nothing when a task came earlier, by a signal say. */
#include "engine/decide/messages/messages_private.h"

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    pd_draft_t *draft = pdi_message_draft(decision);
    Perdure__V1__Event *event;

    if (!draft || !draft->exec->row->awaits_parent)
        return NULL;
    event = pd_draft_internal(draft);
    event->kind_case = PERDURE__V1__EVENT__KIND_FIRST_TASK_RELEASED;
    event->first_task_released = PD_PB_NEW(decision->arena, Perdure__V1__FirstTaskReleased,
                                           perdure__v1__first_task_released);
    pd_draft_wake(draft);
    return NULL;
}

const pd_command_kind_t pdi_message_child_first_task = {
    .name = "CHILD_FIRST_TASK",
    .cause = PERDURE__V1__CAUSE__CAUSE_CHILD_FIRST_TASK,
    .may_create = true,
    .decide = decide,
};
