#include "engine/frontend/validate.h"

#include <ctype.h>

/* Task queues of the server itself; a partition's name is "/_sys/<queue>/<number>". */
#define RESERVED_TASK_QUEUE_PREFIX "/_sys/"

bool pdi_is_uuid(const char *text)
{
    for (int i = 0; i < PD_UUID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return text[PD_UUID_SIZE - 1] == '\0';
}

const pd_rpc_error_t *pdi_check_size(pdi_rpc_t *rpc, const char *value, const char *text)
{
    PDI_REFUSE_IF(strlen(value) > PD_ID_SIZE_MAX, rpc, "%s", text);
    return NULL;
}

const pd_rpc_error_t *pdi_check_identity(pdi_rpc_t *rpc, const char *identity)
{
    return pdi_check_size(rpc, identity, "Identity length exceeds limit.");
}

const pd_rpc_error_t *pdi_check_workflow_id(pdi_rpc_t *rpc, const char *workflow_id)
{
    PDI_REFUSE_IF(!workflow_id[0], rpc, "WorkflowId is not set on request.");
    return pdi_check_size(rpc, workflow_id, "WorkflowId length exceeds limit.");
}

const pd_rpc_error_t *
pdi_check_workflow_type(pdi_rpc_t *rpc,
                        const Temporal__Api__Common__V1__WorkflowType *workflow_type)
{
    PDI_REFUSE_IF(!workflow_type || !workflow_type->name[0], rpc,
                  "WorkflowType is not set on request.");
    return pdi_check_size(rpc, workflow_type->name, "WorkflowType length exceeds limit.");
}

const pd_rpc_error_t *
pdi_check_execution(pdi_rpc_t *rpc, const Temporal__Api__Common__V1__WorkflowExecution *execution)
{
    PDI_REFUSE_IF(!execution, rpc, "Execution is not set on request.");
    PDI_REFUSE_IF(!execution->workflow_id[0], rpc, "WorkflowId is not set on request.");
    PDI_REFUSE_IF(execution->run_id[0] && !pdi_is_uuid(execution->run_id), rpc, "Invalid RunId.");
    return NULL;
}

const pd_rpc_error_t *pdi_check_request_id(pdi_rpc_t *rpc, char **request_id)
{
    if (!(*request_id)[0])
        *request_id = pdi_uuid(rpc);
    return pdi_check_size(rpc, *request_id, "RequestId length exceeds limit.");
}

const pd_rpc_error_t *pdi_check_task_queue(pdi_rpc_t *rpc,
                                           Temporal__Api__Taskqueue__V1__TaskQueue *task_queue)
{
    PDI_REFUSE_IF(!task_queue, rpc, "taskQueue is not set");
    PDI_REFUSE_IF(!task_queue->name[0], rpc, "missing task queue name");
    PDI_REFUSE_IF(strlen(task_queue->name) > PD_ID_SIZE_MAX, rpc, "taskQueue length exceeds limit");
    PDI_REFUSE_IF(strncmp(task_queue->name, RESERVED_TASK_QUEUE_PREFIX,
                          strlen(RESERVED_TASK_QUEUE_PREFIX)) == 0,
                  rpc, "task queue name cannot start with reserved prefix %s",
                  RESERVED_TASK_QUEUE_PREFIX);
    if (task_queue->kind == TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_UNSPECIFIED)
        task_queue->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    return NULL;
}

const pd_rpc_error_t *pdi_check_retry_policy(pdi_rpc_t *rpc,
                                             Temporal__Api__Common__V1__RetryPolicy *policy)
{
    return NULL;
}

bool pdi_blob_is_too_large(const void *message)
{
    return message && protobuf_c_message_get_packed_size(message) > PD_BLOB_SIZE_MAX;
}

const pd_rpc_error_t *pdi_check_blob(pdi_rpc_t *rpc, const void *message)
{
    PDI_REFUSE_IF(pdi_blob_is_too_large(message), rpc, "Blob data size exceeds limit.");
    return NULL;
}

const pd_rpc_error_t *pdi_check_links(pdi_rpc_t *rpc, Temporal__Api__Common__V1__Link *const *links,
                                      size_t link_count)
{
    return NULL;
}

const pd_rpc_error_t *pdi_check_priority(pdi_rpc_t *rpc,
                                         const Temporal__Api__Common__V1__Priority *priority)
{
    return NULL;
}

const pd_rpc_error_t *pdi_check_user_metadata(pdi_rpc_t *rpc,
                                              const Temporal__Api__Sdk__V1__UserMetadata *metadata)
{
    return NULL;
}

Temporal__Api__Failure__V1__Failure *pdi_server_failure(pdi_rpc_t *rpc, const char *message)
{
    Temporal__Api__Failure__V1__Failure *failure = PD_PB_NEW(
        rpc->arena, Temporal__Api__Failure__V1__Failure, temporal__api__failure__v1__failure);
    Temporal__Api__Failure__V1__ServerFailureInfo *info =
        PD_PB_NEW(rpc->arena, Temporal__Api__Failure__V1__ServerFailureInfo,
                  temporal__api__failure__v1__server_failure_info);

    info->non_retryable = true;
    failure->message = (char *)message;
    failure->source = (char *)"Server";
    failure->failure_info_case =
        TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO;
    failure->server_failure_info = info;
    return failure;
}

bool pdi_limit_failure(pdi_rpc_t *rpc, Temporal__Api__Failure__V1__Failure **failure)
{
    if (!pdi_blob_is_too_large(*failure))
        return false;
    *failure = pdi_server_failure(rpc, "Failure exceeds size limit.");
    return true;
}
