/* Workers ask for tasks. */
#define PROTOBUF_C__NO_DEPRECATED
#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/deployment/v1/message.pb-c.h>

#include "engine/frontend/validate.h"

static int64_t poll_until_ns(const pdi_rpc_t *rpc)
{
    int64_t until_ns = pd_ns_add(rpc->now_ns, PD_POLL_WAIT_NS);
    int64_t last_ns = rpc->call->deadline_ns - PD_POLL_MARGIN_NS;

    return last_ns < until_ns ? last_ns : until_ns;
}

static const pd_rpc_error_t *
poll(pdi_rpc_t *rpc, pd_task_kind_t kind, const Temporal__Api__Taskqueue__V1__TaskQueue *task_queue,
     const char *identity, const char *worker_instance_key,
     const Temporal__Api__Common__V1__WorkerVersionCapabilities *version)
{
    const pd_router_t *router = &rpc->frontend->options.router;
    pd_poll_t *poll = PD_ARENA_NEW(rpc->arena, pd_poll_t);
    bool sticky =
        task_queue->kind == TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY;

    poll->call = rpc->call;
    poll->kind = kind;
    poll->ns = rpc->ns;
    poll->task_queue = task_queue->name;
    poll->normal_task_queue = sticky ? task_queue->normal_name : NULL;
    poll->identity = identity;
    poll->worker_instance_key = worker_instance_key;
    poll->build_id = version ? version->build_id : "";
    poll->request_id = pdi_uuid(rpc);
    poll->until_ns = poll_until_ns(rpc);
    return pdi_taken(rpc, router->ops->poll(router->ctx, poll));
}

/* A worker that wants only tasks of its own version would never get the right ones. */
static const pd_rpc_error_t *
check_versioning(pdi_rpc_t *rpc,
                 const Temporal__Api__Common__V1__WorkerVersionCapabilities *capabilities,
                 const Temporal__Api__Deployment__V1__WorkerDeploymentOptions *options)
{
    bool versioned =
        options &&
        options->worker_versioning_mode ==
            TEMPORAL__API__ENUMS__V1__WORKER_VERSIONING_MODE__WORKER_VERSIONING_MODE_VERSIONED;

    PDI_REFUSE_IF(capabilities && capabilities->use_versioning && !capabilities->build_id[0], rpc,
                  "WorkerVersionStamp must be present if UseVersioning is true.");
    PDI_REFUSE_IF(versioned && (!options->deployment_name[0] || !options->build_id[0]), rpc,
                  "Deployment name and build id must be set together.");
    if (versioned || (capabilities && capabilities->use_versioning))
        return pd_rpc_error(rpc->arena, PD_RPC_UNIMPLEMENTED,
                            "Worker versioning is not implemented.");
    return NULL;
}

const pd_rpc_error_t *pdi_poll_workflow_task_queue(pdi_rpc_t *rpc)
{
    PD_WS(PollWorkflowTaskQueueRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_identity(rpc, request->identity));
    PDI_CHECK(
        check_versioning(rpc, request->worker_version_capabilities, request->deployment_options));
    PDI_CHECK(pdi_check_task_queue(rpc, request->task_queue));
    return poll(rpc, PD_TASK_WORKFLOW, request->task_queue, request->identity,
                request->worker_instance_key, request->worker_version_capabilities);
}

const pd_rpc_error_t *pdi_poll_activity_task_queue(pdi_rpc_t *rpc)
{
    PD_WS(PollActivityTaskQueueRequest) *request = rpc->request;

    PDI_CHECK(pdi_check_task_queue(rpc, request->task_queue));
    PDI_CHECK(pdi_check_identity(rpc, request->identity));
    PDI_CHECK(
        check_versioning(rpc, request->worker_version_capabilities, request->deployment_options));
    return poll(rpc, PD_TASK_ACTIVITY, request->task_queue, request->identity,
                request->worker_instance_key, request->worker_version_capabilities);
}
