/* START_WORKFLOW_TASK: matching found a worker for the workflow task. */
#define PROTOBUF_C__NO_DEPRECATED
#include "base/assert.h"
#include "engine/decide/draft.h"
#include "engine/matching/matching.h"
#include "engine/partition/partition.h"

/* The version stamp of the worker, where the start is an event. */
static void stamp(pd_draft_t *draft, const char *build_id)
{
    const Perdure__V1__Event *event = draft->events[draft->event_count - 1];
    Temporal__Api__Common__V1__WorkerVersionStamp *version;

    if (pd_pb_empty(build_id) || event->kind_case != PERDURE__V1__EVENT__KIND_HISTORY)
        return;
    version = PD_PB_NEW(draft->decision->arena, Temporal__Api__Common__V1__WorkerVersionStamp,
                        temporal__api__common__v1__worker_version_stamp);
    version->build_id = (char *)build_id;
    event->history->workflow_task_started_event_attributes->worker_version = version;
}

/* The home of the task queue asks again, since it does not know what came of its first request. */
static bool is_repeat(const Perdure__V1__WorkflowTaskRow *row, const char *request_id)
{
    return row && row->started_event_id && !pd_pb_empty(request_id) &&
           strcmp(pd_pb_str(row->request_id), request_id) == 0;
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    pd_draft_t *draft = pd_draft_of(decision);
    const pd_poll_t *poll = command->poll;

    if (!draft->running)
        return pd_rpc_not_found(decision->arena, "workflow execution already completed");
    if (!draft->task.exists || draft->task.scheduled_event_id != command->scheduled_event_id ||
        (command->attempt && draft->task.attempt != command->attempt))
        return pd_rpc_not_found(decision->arena, "Workflow task not found.");
    if (draft->task.started && is_repeat(decision->exec->row->workflow_task, poll->request_id)) {
        decision->hand_out_workflow_task = true;
        decision->hand_out_run_id = draft->run_id;
        return NULL;
    }
    if (draft->task.started)
        return pd_rpc_not_found(decision->arena, "Workflow task already started.");
    /* The task went to the normal queue because nobody polls the sticky one any more: the worker
     * needs the whole history. */
    if (draft->sticky && strcmp(draft->sticky_task_queue, poll->task_queue) != 0)
        pd_draft_clear_sticky(draft);
    pd_draft_start_task(draft, poll->request_id, poll->identity);
    stamp(draft, poll->build_id);
    decision->hand_out_workflow_task = true;
    decision->hand_out_run_id = draft->run_id;
    return NULL;
}

const pd_command_kind_t pd_command_start_workflow_task = {
    .name = "START_WORKFLOW_TASK",
    .cause = PERDURE__V1__CAUSE__CAUSE_START_WORKFLOW_TASK,
    .decide = decide,
    .refused = pd_partition_return_poll,
};
