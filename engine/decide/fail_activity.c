/* A worker, or anybody who knows the activity's ID, says that an attempt failed. Which kinds of
 * failure clients may send is the frontend's matter; it sends others in their name. */
#include "engine/decide/activity_close.h"
#include "engine/decide/heartbeat.h"
#include "engine/decide/workflow_task.h"
#include "engine/limits.h"

/* Temporal's API calls fields deprecated that its server still fills. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

typedef Temporal__Api__Workflowservice__V1__RespondActivityTaskFailedRequest pd_request_t;
typedef Temporal__Api__Workflowservice__V1__RespondActivityTaskFailedResponse pd_response_t;

/* What was too large to keep is told to the worker, too. */
static void report(pd_response_t *response, pd_failure_t *failure, pd_arena_t *arena)
{
    if (!response->failures)
        response->failures = pd_arena_calloc(arena, 2, sizeof(*response->failures));
    response->failures[response->n_failures++] = failure;
}

static pd_failure_t *fitting_failure(const pd_request_t *request, pd_response_t *response,
                                     pd_arena_t *arena)
{
    if (pd_activity_payload_size(request->failure) <= PD_BLOB_SIZE_MAX)
        return request->failure;
    pd_failure_t *failure = pd_server_failure(arena, "Failure exceeds size limit.", true);
    failure->cause = pd_failure_truncate(request->failure, PD_BLOB_SIZE_WARN, arena);
    report(response, failure, arena);
    return failure;
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const pd_request_t *request = command->request;
    pd_arena_t *arena = decision->arena;
    const pd_rpc_error_t *error = NULL;
    pd_pending_activity_t *activity = pd_activity_find(decision, command, false, &error);
    if (!activity)
        return error;
    pd_response_t *response =
        PD_PB_NEW(arena, Temporal__Api__Workflowservice__V1__RespondActivityTaskFailedResponse,
                  temporal__api__workflowservice__v1__respond_activity_task_failed_response);
    pd_draft_t *draft = pd_draft_of(decision);
    if (pd_activity_payload_size(request->last_heartbeat_details) > PD_BLOB_SIZE_MAX)
        report(response, pd_server_failure(arena, "Heartbeat details exceed size limit.", true),
               arena);
    else if (request->last_heartbeat_details)
        pd_activity_record_heartbeat(draft, activity, request->last_heartbeat_details);
    pd_activity_failure_t failure = {
        .failure = fitting_failure(request, response, arena),
        .identity = request->identity,
        .worker_version = request->worker_version,
    };
    pd_activity_fail(draft, activity, &failure);
    decision->response = response;
    return NULL;
}

const pd_command_kind_t pd_command_fail_activity = {
    .name = "FAIL_ACTIVITY",
    .cause = PERDURE__V1__CAUSE__CAUSE_FAIL_ACTIVITY_TASK,
    .decide = decide,
};
