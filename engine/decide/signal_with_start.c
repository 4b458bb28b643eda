/* SIGNAL_WITH_START: a signal for the run that is there, or else for a new one. */
#include "engine/decide/close.h"
#include "engine/decide/id_policy.h"
#include "engine/decide/link.h"
#include "engine/decide/signaling.h"

typedef Temporal__Api__Workflowservice__V1__SignalWithStartWorkflowExecutionRequest request_t;
typedef Temporal__Api__Workflowservice__V1__SignalWithStartWorkflowExecutionResponse response_t;

static void answer(pd_decision_t *decision, const request_t *request, const char *run_id,
                   const char *first_run_id, bool started)
{
    response_t *response = PD_PB_NEW(
        decision->arena,
        Temporal__Api__Workflowservice__V1__SignalWithStartWorkflowExecutionResponse,
        temporal__api__workflowservice__v1__signal_with_start_workflow_execution_response);

    response->run_id = (char *)run_id;
    response->first_execution_run_id = (char *)first_run_id;
    response->started = started;
    response->signal_link = pd_link_request(decision, run_id, request->request_id,
                                            PD_EVENT(WORKFLOW_EXECUTION_SIGNALED));
    decision->response = response;
}

static pd_signal_t signal_of(const request_t *request)
{
    pd_signal_t signal = {.links = request->links, .n_links = request->n_links};

    temporal__api__history__v1__workflow_execution_signaled_event_attributes__init(
        &signal.attributes);
    signal.attributes.signal_name = request->signal_name;
    signal.attributes.input = request->signal_input;
    signal.attributes.identity = request->identity;
    signal.attributes.header = request->header;
    signal.attributes.request_id = request->request_id;
    return signal;
}

static pd_start_request_t start_of(const request_t *request)
{
    pd_start_request_t start =
        TEMPORAL__API__WORKFLOWSERVICE__V1__START_WORKFLOW_EXECUTION_REQUEST__INIT;

    start.workflow_id = request->workflow_id;
    start.workflow_type = request->workflow_type;
    start.task_queue = request->task_queue;
    start.input = request->input;
    start.workflow_execution_timeout = request->workflow_execution_timeout;
    start.workflow_run_timeout = request->workflow_run_timeout;
    start.workflow_task_timeout = request->workflow_task_timeout;
    start.identity = request->identity;
    start.request_id = request->request_id;
    start.retry_policy = request->retry_policy;
    start.cron_schedule = request->cron_schedule;
    start.memo = request->memo;
    start.search_attributes = request->search_attributes;
    start.header = request->header;
    start.workflow_start_delay = request->workflow_start_delay;
    start.user_metadata = request->user_metadata;
    start.links = request->links;
    start.n_links = request->n_links;
    start.versioning_override = request->versioning_override;
    start.priority = request->priority;
    return start;
}

static void start(pd_decision_t *decision, const request_t *request, const char *run_id)
{
    const pd_start_request_t start_request = start_of(request);
    const pd_signal_t signal = signal_of(request);
    pd_new_run_t run;

    pd_new_run_from_request(decision, &start_request, &run);
    run.run_id = run_id;
    run.signaled = &signal.attributes;
    run.signal_links = signal.links;
    run.n_signal_links = signal.n_links;
    (void)pd_new_run_write(decision, &run);
    answer(decision, request, run_id, run_id, true);
}

static void terminate_and_start(pd_decision_t *decision, const request_t *request)
{
    const char *run_id = pd_new_run_id(decision);
    const char *details = pd_arena_printf(decision->arena, "terminated by new runID: %s", run_id);

    pd_close_terminate(pd_draft_of(decision), "TerminateIfRunning WorkflowIdReusePolicy",
                       pd_json_string_payloads(decision->arena, details), "history-service", NULL);
    start(decision, request, run_id);
}

static const pd_rpc_error_t *signal_existing(pd_decision_t *decision, const request_t *request)
{
    pd_draft_t *draft = pd_draft_of(decision);
    const pd_signal_t signal = signal_of(request);
    const pd_rpc_error_t *error;

    answer(decision, request, draft->run_id, decision->exec->row->first_run_id, false);
    error = pd_signal_check(decision, draft, &signal);
    if (error)
        return error;
    if (pd_signal_is_known(draft, request->request_id))
        return NULL;
    pd_signal_add(draft, &signal);
    /* Unlike a plain signal, this one does not wait for the first task's backoff. */
    if (draft->running && !draft->task.exists)
        pd_draft_schedule_task(draft, 1);
    pd_draft_wake(draft);
    return NULL;
}

static const pd_rpc_error_t *check(pd_decision_t *decision, const request_t *request,
                                   const pd_id_request_t *id_request)
{
    const pd_start_request_t start_request = start_of(request);
    const pd_signal_t signal = signal_of(request);
    const pd_rpc_error_t *error;

    if (request->workflow_id_conflict_policy == PD_CONFLICT(FAIL))
        return pd_rpc_invalid_argument(decision->arena,
                                       "Invalid WorkflowIDConflictPolicy: "
                                       "WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for "
                                       "this operation.");
    error = pd_id_policy_check(decision->arena, id_request);
    if (!error)
        error = pd_new_run_check(decision, &start_request);
    return error ? error : pd_signal_check(decision, NULL, &signal);
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const request_t *request = command->request;
    const Perdure__V1__ExecutionRow *row = decision->exec ? decision->exec->row : NULL;
    const pd_id_request_t id_request = {
        .request_id = request->request_id,
        .reuse = request->workflow_id_reuse_policy,
        .conflict = request->workflow_id_conflict_policy,
        .default_conflict = PD_CONFLICT(USE_EXISTING),
    };
    const pd_rpc_error_t *error = check(decision, request, &id_request);

    if (error)
        return error;
    switch (pd_id_policy(decision->arena, &id_request, row, &error)) {
    case PD_ID_START:
        start(decision, request, pd_new_run_id(decision));
        return NULL;
    case PD_ID_TERMINATE_AND_START:
        terminate_and_start(decision, request);
        return NULL;
    case PD_ID_USE_EXISTING:
        return signal_existing(decision, request);
    case PD_ID_SAME_REQUEST:
    case PD_ID_ATTACHED_REQUEST:
        answer(decision, request, row->run_id, row->first_run_id, false);
        return NULL;
    case PD_ID_REFUSED:
        break;
    }
    return error;
}

const pd_command_kind_t pd_command_signal_with_start = {
    .name = "SIGNAL_WITH_START",
    .cause = PERDURE__V1__CAUSE__CAUSE_SIGNAL_WITH_START,
    .may_create = true,
    .decide = decide,
};
