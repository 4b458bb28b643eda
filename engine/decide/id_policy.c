#include "engine/decide/id_policy.h"

#include <temporal/api/errordetails/v1/message.pb-c.h>

#define STATUS(NAME)                                                                               \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_##NAME

const pd_rpc_error_t *pd_id_policy_check(pd_arena_t *arena, const pd_id_request_t *request)
{
    if (request->reuse == PD_REUSE(TERMINATE_IF_RUNNING) && request->conflict)
        return pd_rpc_invalid_argument(
            arena, "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING "
                   "cannot be used together with a WorkflowIDConflictPolicy");
    if (request->reuse == PD_REUSE(REJECT_DUPLICATE) &&
        request->conflict == PD_CONFLICT(TERMINATE_EXISTING))
        return pd_rpc_invalid_argument(
            arena, "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE "
                   "cannot be used together with WorkflowIdConflictPolicy "
                   "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING");
    return NULL;
}

static const pd_rpc_error_t *already_started(pd_arena_t *arena,
                                             const Perdure__V1__ExecutionRow *current,
                                             const char *before, const char *after)
{
    Temporal__Api__Errordetails__V1__WorkflowExecutionAlreadyStartedFailure *detail =
        PD_PB_NEW(arena, Temporal__Api__Errordetails__V1__WorkflowExecutionAlreadyStartedFailure,
                  temporal__api__errordetails__v1__workflow_execution_already_started_failure);

    detail->start_request_id = current->create_request_id;
    detail->run_id = current->run_id;
    detail->first_execution_run_id = current->first_run_id;
    return pd_rpc_error_detail(arena, PD_RPC_ALREADY_EXISTS, detail,
                               "%s. WorkflowId: %s, RunId: %s.%s", before, current->workflow_id,
                               current->run_id, after);
}

static pd_id_outcome_t when_running(pd_arena_t *arena, const pd_id_request_t *request,
                                    const Perdure__V1__ExecutionRow *current,
                                    const pd_rpc_error_t **error)
{
    int conflict = request->conflict ? request->conflict : request->default_conflict;

    if (request->reuse == PD_REUSE(TERMINATE_IF_RUNNING))
        conflict = PD_CONFLICT(TERMINATE_EXISTING);
    switch (conflict) {
    case PD_CONFLICT(USE_EXISTING):
        return PD_ID_USE_EXISTING;
    case PD_CONFLICT(TERMINATE_EXISTING):
        return PD_ID_TERMINATE_AND_START;
    default:
        *error = already_started(arena, current, "Workflow execution is already running", "");
        return PD_ID_REFUSED;
    }
}

static bool ended_badly(const Perdure__V1__ExecutionRow *current)
{
    switch ((int)current->status) {
    case STATUS(FAILED):
    case STATUS(CANCELED):
    case STATUS(TERMINATED):
    case STATUS(TIMED_OUT):
        return true;
    default:
        return false;
    }
}

static pd_id_outcome_t when_closed(pd_arena_t *arena, const pd_id_request_t *request,
                                   const Perdure__V1__ExecutionRow *current,
                                   const pd_rpc_error_t **error)
{
    switch ((int)request->reuse) {
    case PD_REUSE(ALLOW_DUPLICATE_FAILED_ONLY):
        if (ended_badly(current))
            return PD_ID_START;
        *error = already_started(
            arena, current, "Workflow execution already finished successfully",
            " Workflow Id reuse policy: allow duplicate workflow Id if last run failed.");
        return PD_ID_REFUSED;
    case PD_REUSE(REJECT_DUPLICATE):
        *error = already_started(arena, current, "Workflow execution already finished",
                                 " Workflow Id reuse policy: reject duplicate workflow Id.");
        return PD_ID_REFUSED;
    default:
        return PD_ID_START;
    }
}

pd_id_outcome_t pd_id_policy(pd_arena_t *arena, const pd_id_request_t *request,
                             const Perdure__V1__ExecutionRow *current, const pd_rpc_error_t **error)
{
    if (!current)
        return PD_ID_START;
    if (!pd_pb_empty(request->request_id)) {
        if (strcmp(pd_pb_str(current->create_request_id), request->request_id) == 0)
            return PD_ID_SAME_REQUEST;
        for (size_t i = 0; i < current->n_attached_request_ids; i++) {
            if (strcmp(current->attached_request_ids[i], request->request_id) == 0)
                return PD_ID_ATTACHED_REQUEST;
        }
    }
    return current->status == STATUS(RUNNING) ? when_running(arena, request, current, error)
                                              : when_closed(arena, request, current, error);
}
