#include "engine/frontend/validate.h"

#include "engine/decide/activity_retry.h"
#include "engine/decide/retry_policy.h"
#include "engine/limits.h"
#include "engine/uuid.h"

/* Task queues of the server itself; a partition's name is "/_sys/<queue>/<number>". */
#define RESERVED_TASK_QUEUE_PREFIX "/_sys/"
#define PER_NAMESPACE_TASK_QUEUE "temporal-sys-per-ns-tq"

#define TASK_QUEUE_KIND(NAME) TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_##NAME
#define LINK(NAME) TEMPORAL__API__COMMON__V1__LINK__VARIANT_##NAME

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
    PDI_REFUSE_IF(strlen(workflow_id) > PD_ID_SIZE_MAX, rpc,
                  "WorkflowId exceeds maximum allowed length (%zu/%d)", strlen(workflow_id),
                  PD_ID_SIZE_MAX);
    return NULL;
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
    PDI_REFUSE_IF(execution->run_id[0] && !pd_is_uuid(execution->run_id), rpc, "Invalid RunId.");
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
    static const char reserved[] = RESERVED_TASK_QUEUE_PREFIX;
    size_t reserved_size = sizeof reserved - 1;
    bool sticky;

    PDI_REFUSE_IF(!task_queue, rpc, "taskQueue is not set");
    PDI_REFUSE_IF(!task_queue->name[0], rpc, "missing task queue name");
    PDI_REFUSE_IF(strlen(task_queue->name) > PD_ID_SIZE_MAX, rpc, "taskQueue length exceeds limit");
    PDI_REFUSE_IF(strncmp(task_queue->name, reserved, reserved_size) == 0, rpc,
                  "task queue name cannot start with reserved prefix %s", reserved);
    if (task_queue->kind == TASK_QUEUE_KIND(UNSPECIFIED))
        task_queue->kind = TASK_QUEUE_KIND(NORMAL);
    sticky = task_queue->kind == TASK_QUEUE_KIND(STICKY);
    PDI_REFUSE_IF(sticky && strlen(task_queue->normal_name) > PD_ID_SIZE_MAX, rpc,
                  "taskQueue length exceeds limit");
    return NULL;
}

const pd_rpc_error_t *pdi_check_own_task_queue(pdi_rpc_t *rpc,
                                               Temporal__Api__Taskqueue__V1__TaskQueue *task_queue)
{
    PDI_CHECK(pdi_check_task_queue(rpc, task_queue));
    PDI_REFUSE_IF(strcmp(task_queue->name, PER_NAMESPACE_TASK_QUEUE) == 0, rpc,
                  "cannot use internal per-namespace task queue:%s", PER_NAMESPACE_TASK_QUEUE);
    return NULL;
}

const pd_rpc_error_t *pdi_check_retry_policy(pdi_rpc_t *rpc,
                                             Temporal__Api__Common__V1__RetryPolicy *policy)
{
    const char *text;

    if (!policy)
        return NULL;
    pd_retry_policy_fill(policy, rpc->arena);
    text = pd_retry_policy_check(policy, rpc->arena);
    PDI_REFUSE_IF(text, rpc, "%s", text);
    return NULL;
}

const pd_rpc_error_t *pdi_check_duration(pdi_rpc_t *rpc, Google__Protobuf__Duration **duration,
                                         const char *name)
{
    const char *text = pd_duration_check(*duration, rpc->arena, duration);

    PDI_REFUSE_IF(text, rpc, "An invalid %s is set on request. cause: %s", name, text);
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

/* What a link names; "" where a part is missing. */
typedef struct pd_link_names {
    const char *what;
    const char *namespace_name;
    const char *id_name;
    const char *id;
    const char *run_id;
} pd_link_names_t;

static pd_link_names_t names_of(const Temporal__Api__Common__V1__Link *link)
{
    switch ((int)link->variant_case) {
    case LINK(WORKFLOW_EVENT):
        return (pd_link_names_t){"workflow event", link->workflow_event->namespace_, "workflow ID",
                                 link->workflow_event->workflow_id, link->workflow_event->run_id};
    case LINK(ACTIVITY):
        return (pd_link_names_t){"activity", link->activity->namespace_, "activity ID",
                                 link->activity->activity_id, link->activity->run_id};
    case LINK(NEXUS_OPERATION):
        return (pd_link_names_t){"nexus operation", link->nexus_operation->namespace_,
                                 "operation ID", link->nexus_operation->operation_id,
                                 link->nexus_operation->run_id};
    default:
        return (pd_link_names_t){NULL, NULL, NULL, NULL, NULL};
    }
}

static const pd_rpc_error_t *check_link(pdi_rpc_t *rpc, const Temporal__Api__Common__V1__Link *link)
{
    pd_link_names_t names = names_of(link);
    const Temporal__Api__Common__V1__Link__WorkflowEvent *event;

    if (link->variant_case == LINK(BATCH_JOB)) {
        PDI_REFUSE_IF(!link->batch_job->job_id[0], rpc,
                      "batch job link must not have an empty job ID");
        return NULL;
    }
    PDI_REFUSE_IF(!names.what, rpc, "unsupported link variant");
    PDI_REFUSE_IF(!names.namespace_name[0], rpc, "%s link must not have an empty namespace field",
                  names.what);
    PDI_REFUSE_IF(!names.id[0], rpc, "%s link must not have an empty %s field", names.what,
                  names.id_name);
    PDI_REFUSE_IF(!names.run_id[0], rpc, "%s link must not have an empty run ID field", names.what);
    if (link->variant_case != LINK(WORKFLOW_EVENT))
        return NULL;
    event = link->workflow_event;
    PDI_REFUSE_IF(
        event->reference_case ==
                TEMPORAL__API__COMMON__V1__LINK__WORKFLOW_EVENT__REFERENCE_EVENT_REF &&
            event->event_ref->event_id != 0 && event->event_ref->event_type == 0,
        rpc,
        "workflow event link ref cannot have an unspecified event type and a non-zero event ID");
    return NULL;
}

const pd_rpc_error_t *pdi_check_links(pdi_rpc_t *rpc, Temporal__Api__Common__V1__Link *const *links,
                                      size_t link_count)
{
    PDI_REFUSE_IF(link_count > PD_LINK_COUNT_MAX, rpc,
                  "cannot attach more than %d links per request, got %zu", PD_LINK_COUNT_MAX,
                  link_count);
    for (size_t i = 0; i < link_count; i++) {
        size_t size = protobuf_c_message_get_packed_size(&links[i]->base);

        PDI_REFUSE_IF(size > PD_LINK_SIZE_MAX, rpc, "link exceeds allowed size of %d, got %zu",
                      PD_LINK_SIZE_MAX, size);
        PDI_CHECK(check_link(rpc, links[i]));
    }
    return NULL;
}

const pd_rpc_error_t *pdi_check_priority(pdi_rpc_t *rpc,
                                         const Temporal__Api__Common__V1__Priority *priority)
{
    if (!priority)
        return NULL;
    PDI_REFUSE_IF(priority->priority_key < 0, rpc, "priority key can't be negative");
    PDI_REFUSE_IF(strlen(priority->fairness_key) > PD_FAIRNESS_KEY_SIZE_MAX, rpc,
                  "fairness key length exceeds limit");
    PDI_REFUSE_IF(priority->fairness_weight < 0, rpc, "must be greater than zero");
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
    failure->failure_info_case =
        TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO;
    failure->server_failure_info = info;
    return failure;
}

bool pdi_limit_failure(pdi_rpc_t *rpc, Temporal__Api__Failure__V1__Failure **failure)
{
    if (!pdi_blob_is_too_large(*failure))
        return false;
    Temporal__Api__Failure__V1__Failure *limited =
        pdi_server_failure(rpc, "Failure exceeds size limit.");

    limited->cause = pd_failure_truncate(*failure, PD_BLOB_SIZE_WARN, rpc->arena);
    *failure = limited;
    return true;
}
