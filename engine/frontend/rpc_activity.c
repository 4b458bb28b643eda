/* Workers answer activity tasks, by token or by ID. The ID forms become the token forms: a token
 * without a scheduled event, but with the activity's ID; their answers look the same on the wire.
 */
#include <temporal/api/failure/v1/message.pb-c.h>

#include "engine/frontend/validate.h"
#include "engine/uuid.h"

static const pd_rpc_error_t *submit_by_token(pdi_rpc_t *rpc, const pd_command_kind_t *kind,
                                             const void *request)
{
    PDI_REFUSE_IF(!rpc->token->workflow_id[0], rpc, "WorkflowId is not set on request.");
    return pdi_submit(rpc, kind, rpc->token->workflow_id, rpc->token->run_id, request);
}

/* The fields that all ID forms have. */
static const pd_rpc_error_t *token_from_ids(pdi_rpc_t *rpc, char *workflow_id, char *run_id,
                                            char *activity_id)
{
    Perdure__V1__TaskToken *token =
        PD_PB_NEW(rpc->arena, Perdure__V1__TaskToken, perdure__v1__task_token);

    PDI_REFUSE_IF(!activity_id[0], rpc, "ActivityId is not set on request.");
    /* An activity without a workflow: there are none here. */
    if (!workflow_id[0])
        return pd_rpc_not_found(rpc->arena, "activity not found for ID: %s", activity_id);
    PDI_REFUSE_IF(run_id[0] && !pd_is_uuid(run_id), rpc, "RunId is not valid UUID.");
    token->namespace_id = (char *)rpc->ns->id;
    token->workflow_id = workflow_id;
    token->run_id = run_id;
    token->activity_id = activity_id;
    rpc->token = token;
    return NULL;
}

/* The activity fails instead, with what the server has to say about it. */
static const pd_rpc_error_t *fail_instead(pdi_rpc_t *rpc, const char *reason, char *identity,
                                          const void *response)
{
    PD_WS(RespondActivityTaskFailedRequest) *request =
        PD_PB_NEW(rpc->arena, PD_WS(RespondActivityTaskFailedRequest),
                  temporal__api__workflowservice__v1__respond_activity_task_failed_request);

    request->failure = pdi_server_failure(rpc, reason);
    request->identity = identity;
    pdi_answer_instead(rpc, response);
    return submit_by_token(rpc, &pd_command_fail_activity, request);
}

/* ---- completed ---- */

static const pd_rpc_error_t *complete(pdi_rpc_t *rpc,
                                      PD_WS(RespondActivityTaskCompletedRequest) * request)
{
    if (pdi_blob_is_too_large(request->result))
        return fail_instead(rpc, "Complete result exceeds size limit.", request->identity,
                            pdi_new_response(rpc));
    return submit_by_token(rpc, &pd_command_complete_activity, request);
}

const pd_rpc_error_t *pdi_respond_activity_task_completed(pdi_rpc_t *rpc)
{
    PD_WS(RespondActivityTaskCompletedRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_identity(rpc, request->identity));
    return complete(rpc, request);
}

const pd_rpc_error_t *pdi_respond_activity_task_completed_by_id(pdi_rpc_t *rpc)
{
    const PD_WS(RespondActivityTaskCompletedByIdRequest) *by_id = rpc->request;
    PD_WS(RespondActivityTaskCompletedRequest) *request =
        PD_PB_NEW(rpc->arena, PD_WS(RespondActivityTaskCompletedRequest),
                  temporal__api__workflowservice__v1__respond_activity_task_completed_request);

    PDI_REFUSE_IF(!by_id->activity_id[0], rpc, "ActivityId is not set on request.");
    PDI_CHECK(pdi_check_identity(rpc, by_id->identity));
    PDI_CHECK(token_from_ids(rpc, by_id->workflow_id, by_id->run_id, by_id->activity_id));
    request->result = by_id->result;
    request->identity = by_id->identity;
    return complete(rpc, request);
}

/* ---- failed ---- */

static const pd_rpc_error_t *fail(pdi_rpc_t *rpc, PD_WS(RespondActivityTaskFailedRequest) * request)
{
    /* The ID form's response has the same shape. */
    PD_WS(RespondActivityTaskFailedResponse) *response =
        PD_PB_NEW(rpc->arena, PD_WS(RespondActivityTaskFailedResponse),
                  temporal__api__workflowservice__v1__respond_activity_task_failed_response);
    Temporal__Api__Failure__V1__Failure *failures[2];

    response->failures = failures;
    if (pdi_blob_is_too_large(request->last_heartbeat_details)) {
        failures[response->n_failures++] =
            pdi_server_failure(rpc, "Heartbeat details exceed size limit.");
        request->last_heartbeat_details = NULL;
    }
    if (pdi_limit_failure(rpc, &request->failure))
        failures[response->n_failures++] = request->failure;
    if (response->n_failures > 0)
        pdi_answer_instead(rpc, response);
    return submit_by_token(rpc, &pd_command_fail_activity, request);
}

const pd_rpc_error_t *pdi_respond_activity_task_failed(pdi_rpc_t *rpc)
{
    PD_WS(RespondActivityTaskFailedRequest) *request = rpc->request;

    PDI_REFUSE_IF(
        request->failure &&
            request->failure->failure_info_case !=
                TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO,
        rpc, "Failure must have ApplicationFailureInfo.");
    PDI_CHECK(pdi_check_identity(rpc, request->identity));
    return fail(rpc, request);
}

const pd_rpc_error_t *pdi_respond_activity_task_failed_by_id(pdi_rpc_t *rpc)
{
    const PD_WS(RespondActivityTaskFailedByIdRequest) *by_id = rpc->request;
    PD_WS(RespondActivityTaskFailedRequest) *request =
        PD_PB_NEW(rpc->arena, PD_WS(RespondActivityTaskFailedRequest),
                  temporal__api__workflowservice__v1__respond_activity_task_failed_request);

    PDI_REFUSE_IF(!by_id->activity_id[0], rpc, "ActivityId is not set on request.");
    PDI_CHECK(pdi_check_identity(rpc, by_id->identity));
    PDI_CHECK(token_from_ids(rpc, by_id->workflow_id, by_id->run_id, by_id->activity_id));
    request->failure = by_id->failure;
    request->identity = by_id->identity;
    request->last_heartbeat_details = by_id->last_heartbeat_details;
    return fail(rpc, request);
}

/* ---- canceled ---- */

static const pd_rpc_error_t *cancel(pdi_rpc_t *rpc,
                                    PD_WS(RespondActivityTaskCanceledRequest) * request)
{
    if (pdi_blob_is_too_large(request->details))
        return fail_instead(rpc, "Cancel details exceed size limit.", request->identity,
                            pdi_new_response(rpc));
    return submit_by_token(rpc, &pd_command_cancel_activity, request);
}

const pd_rpc_error_t *pdi_respond_activity_task_canceled(pdi_rpc_t *rpc)
{
    PD_WS(RespondActivityTaskCanceledRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_identity(rpc, request->identity));
    return cancel(rpc, request);
}

const pd_rpc_error_t *pdi_respond_activity_task_canceled_by_id(pdi_rpc_t *rpc)
{
    const PD_WS(RespondActivityTaskCanceledByIdRequest) *by_id = rpc->request;
    PD_WS(RespondActivityTaskCanceledRequest) *request =
        PD_PB_NEW(rpc->arena, PD_WS(RespondActivityTaskCanceledRequest),
                  temporal__api__workflowservice__v1__respond_activity_task_canceled_request);

    PDI_REFUSE_IF(!by_id->activity_id[0], rpc, "ActivityId is not set on request.");
    PDI_CHECK(pdi_check_identity(rpc, by_id->identity));
    PDI_CHECK(token_from_ids(rpc, by_id->workflow_id, by_id->run_id, by_id->activity_id));
    request->details = by_id->details;
    request->identity = by_id->identity;
    return cancel(rpc, request);
}

/* ---- heartbeat ---- */

static const pd_rpc_error_t *heartbeat(pdi_rpc_t *rpc,
                                       PD_WS(RecordActivityTaskHeartbeatRequest) * request)
{
    if (pdi_blob_is_too_large(request->details)) {
        /* The ID form's response has the same shape. */
        PD_WS(RecordActivityTaskHeartbeatResponse) *response =
            PD_PB_NEW(rpc->arena, PD_WS(RecordActivityTaskHeartbeatResponse),
                      temporal__api__workflowservice__v1__record_activity_task_heartbeat_response);

        response->cancel_requested = true;
        return fail_instead(rpc, "Heartbeat details exceed size limit.", request->identity,
                            response);
    }
    return submit_by_token(rpc, &pd_command_heartbeat_activity, request);
}

const pd_rpc_error_t *pdi_record_activity_task_heartbeat(pdi_rpc_t *rpc)
{
    return heartbeat(rpc, rpc->request);
}

const pd_rpc_error_t *pdi_record_activity_task_heartbeat_by_id(pdi_rpc_t *rpc)
{
    const PD_WS(RecordActivityTaskHeartbeatByIdRequest) *by_id = rpc->request;
    PD_WS(RecordActivityTaskHeartbeatRequest) *request =
        PD_PB_NEW(rpc->arena, PD_WS(RecordActivityTaskHeartbeatRequest),
                  temporal__api__workflowservice__v1__record_activity_task_heartbeat_request);

    PDI_CHECK(token_from_ids(rpc, by_id->workflow_id, by_id->run_id, by_id->activity_id));
    request->details = by_id->details;
    request->identity = by_id->identity;
    return heartbeat(rpc, request);
}
