/* START_WORKFLOW: a new run, unless the ID's policies or an earlier request of the same ID say
 * otherwise. */
#include "engine/decide/close.h"
#include "engine/decide/id_policy.h"
#include "engine/decide/link.h"
#include "engine/decide/new_run.h"

typedef Temporal__Api__Workflowservice__V1__StartWorkflowExecutionResponse response_t;

static response_t *answer(pd_decision_t *decision, const char *run_id, const char *first_run_id,
                          bool started)
{
    response_t *response = PD_PB_NEW(
        decision->arena, Temporal__Api__Workflowservice__V1__StartWorkflowExecutionResponse,
        temporal__api__workflowservice__v1__start_workflow_execution_response);

    response->run_id = (char *)run_id;
    response->first_execution_run_id = (char *)first_run_id;
    response->started = started;
    response->status =
        TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING;
    response->link = pd_link_event(decision, run_id, 1, PD_EVENT(WORKFLOW_EXECUTION_STARTED));
    decision->response = response;
    return response;
}

static void start(pd_decision_t *decision, const pd_start_request_t *request, const char *run_id)
{
    pd_new_run_t run;

    pd_new_run_from_request(decision, request, &run);
    run.run_id = run_id;
    (void)pd_new_run_write(decision, &run);
    (void)answer(decision, run_id, run_id, true);
}

/* A repeated request gets the same answer, with the first task again as long as nothing else has
 * become of it. */
static void answer_again(pd_decision_t *decision, const pd_start_request_t *request)
{
    const Perdure__V1__ExecutionRow *row = decision->exec->row;
    const Perdure__V1__WorkflowTaskRow *task = pd_execution_workflow_task(decision->exec);
    response_t *response = answer(decision, row->run_id, row->first_run_id, true);

    response->status = row->status;
    if (request->request_eager_execution && task && task->started_event_id == 3 &&
        task->attempt == 1) {
        decision->hand_out_workflow_task = true;
        decision->hand_out_run_id = row->run_id;
    }
}

static void terminate_and_start(pd_decision_t *decision, const pd_start_request_t *request)
{
    const char *run_id = pd_new_run_id(decision);
    const char *details = pd_arena_printf(decision->arena, "terminated by new runID: %s", run_id);

    pd_close_terminate(pd_draft_of(decision), "TerminateIfRunning WorkflowIdReusePolicy",
                       pd_json_string_payloads(decision->arena, details), "history-service", NULL);
    start(decision, request, run_id);
}

static void attach(pd_decision_t *decision, const pd_start_request_t *request)
{
    const Temporal__Api__Workflow__V1__OnConflictOptions *options = request->on_conflict_options;
    pd_draft_t *draft = pd_draft_of(decision);
    Temporal__Api__History__V1__WorkflowExecutionOptionsUpdatedEventAttributes *attributes;
    pd_history_event_t *event =
        pd_draft_outside_event(draft, PD_EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED));

    event->worker_may_ignore = true;
    attributes = event->workflow_execution_options_updated_event_attributes;
    if (options->attach_request_id) {
        Perdure__V1__RequestAttached *attached =
            PD_PB_NEW(decision->arena, Perdure__V1__RequestAttached, perdure__v1__request_attached);
        Perdure__V1__Event *internal = pd_draft_internal(draft);

        attributes->attached_request_id = request->request_id;
        attached->request_id = request->request_id;
        internal->kind_case = PERDURE__V1__EVENT__KIND_REQUEST_ATTACHED;
        internal->request_attached = attached;
    }
    if (options->attach_completion_callbacks) {
        attributes->attached_completion_callbacks = request->completion_callbacks;
        attributes->n_attached_completion_callbacks = request->n_completion_callbacks;
    }
    if (options->attach_links) {
        event->links = request->links;
        event->n_links = request->n_links;
    }
}

static void use_existing(pd_decision_t *decision, const pd_start_request_t *request)
{
    const Perdure__V1__ExecutionRow *row = decision->exec->row;
    response_t *response = answer(decision, row->run_id, row->first_run_id, false);

    if (!request->on_conflict_options)
        return;
    attach(decision, request);
    if (request->on_conflict_options->attach_request_id)
        response->link = pd_link_request(decision, row->run_id, request->request_id,
                                         PD_EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED));
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const pd_start_request_t *request = command->request;
    const Perdure__V1__ExecutionRow *row = decision->exec ? decision->exec->row : NULL;
    const pd_id_request_t id_request = {
        .request_id = request->request_id,
        .reuse = request->workflow_id_reuse_policy,
        .conflict = request->workflow_id_conflict_policy,
        .default_conflict = PD_CONFLICT(FAIL),
    };
    const pd_rpc_error_t *error = pd_id_policy_check(decision->arena, &id_request);
    response_t *response;

    if (!error)
        error = pd_new_run_check(decision, request);
    if (error)
        return error;
    switch (pd_id_policy(decision->arena, &id_request, row, &error)) {
    case PD_ID_START:
        start(decision, request, pd_new_run_id(decision));
        break;
    case PD_ID_TERMINATE_AND_START:
        terminate_and_start(decision, request);
        break;
    case PD_ID_USE_EXISTING:
        use_existing(decision, request);
        break;
    case PD_ID_SAME_REQUEST:
        answer_again(decision, request);
        break;
    case PD_ID_ATTACHED_REQUEST:
        response = answer(decision, row->run_id, row->first_run_id, false);
        response->status = row->status;
        response->link = pd_link_request(decision, row->run_id, request->request_id,
                                         PD_EVENT(WORKFLOW_EXECUTION_OPTIONS_UPDATED));
        break;
    case PD_ID_REFUSED:
        return error;
    }
    return NULL;
}

const pd_command_kind_t pd_command_start_workflow = {
    .name = "START_WORKFLOW",
    .cause = PERDURE__V1__CAUSE__CAUSE_START_WORKFLOW,
    .may_create = true,
    .decide = decide,
};
