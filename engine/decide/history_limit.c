#include "engine/decide/history_limit.h"

#include "engine/decide/close.h"
#include "engine/limits.h"

static const char *excess_of(const pd_draft_t *draft)
{
    if (!draft->exec || !draft->event_count || !pd_execution_is_running(draft->exec))
        return NULL;
    if (draft->history_size_bytes > PD_HISTORY_SIZE_MAX)
        return "Workflow history size exceeds limit.";
    if (draft->next_event_id - 1 - draft->outside_event_count > PD_HISTORY_EVENT_COUNT_MAX)
        return "Workflow history count exceeds limit.";
    return NULL;
}

/* Another workflow asked for it, and nothing came of it. */
static void change_answer(Perdure__V1__Message *answer)
{
    if (answer->body_case == PERDURE__V1__MESSAGE__BODY_SIGNAL_EXTERNAL_ANSWERED &&
        !answer->signal_external_answered->failed_cause)
        answer->signal_external_answered->failed_cause =
            TEMPORAL__API__ENUMS__V1__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE__SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED;
    if (answer->body_case == PERDURE__V1__MESSAGE__BODY_CHILD_START_ANSWERED)
        answer->child_start_answered->failed_cause =
            TEMPORAL__API__ENUMS__V1__START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE__START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS;
}

void pd_history_limit_enforce(pd_decision_t *decision)
{
    for (pd_draft_t *draft = decision->drafts; draft; draft = draft->next) {
        const char *reason = excess_of(draft);
        pd_execution_t *exec = draft->exec;

        if (!reason)
            continue;
        pd_decision_discard(decision);
        if (decision->answer)
            change_answer(decision->answer);
        pd_close_terminate(pd_draft_existing(decision, exec), reason, NULL, "history-service",
                           NULL);
        decision->hand_out_workflow_task = false;
        decision->response = NULL;
        decision->error = pd_rpc_invalid_argument(decision->arena, "%s", reason);
        return;
    }
}
