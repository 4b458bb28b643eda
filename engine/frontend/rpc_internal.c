/* What other nodes of the cluster ask: perdure.v1.Internal. Checked like anything from outside. */
#include "engine/frontend/validate.h"

static const pd_rpc_error_t *not_a_cluster(pdi_rpc_t *rpc)
{
    return pd_rpc_error(rpc->arena, PD_RPC_UNIMPLEMENTED, "this node has no other nodes");
}

const pd_rpc_error_t *pdi_get_view(pdi_rpc_t *rpc)
{
    const Perdure__V1__GetViewRequest *request = rpc->request;
    const pd_router_t *router = &rpc->frontend->options.router;

    if (!router->ops->get_view)
        return not_a_cluster(rpc);
    PDI_REFUSE_IF(!request->node[0], rpc, "The asking node is not set on request.");
    router->ops->get_view(router->ctx, rpc->call);
    return NULL;
}

const pd_rpc_error_t *pdi_offer_tasks(pdi_rpc_t *rpc)
{
    const Perdure__V1__OfferTasksRequest *request = rpc->request;
    const pd_router_t *router = &rpc->frontend->options.router;

    if (!router->ops->offer_tasks)
        return not_a_cluster(rpc);
    PDI_REFUSE_IF(!request->node[0], rpc, "The offering node is not set on request.");
    PDI_CHECK(pdi_check_size(rpc, request->node, "Node length exceeds limit."));
    for (size_t i = 0; i < request->n_offers; i++) {
        const Perdure__V1__TaskOffer *offer = request->offers[i];

        PDI_REFUSE_IF(offer->partition >= (uint32_t)rpc->frontend->options.history_shard_count, rpc,
                      "There is no such partition.");
        PDI_REFUSE_IF(!offer->workflow_id[0] || !offer->run_id[0] || !offer->task_queue[0] ||
                          !offer->normal_task_queue[0],
                      rpc, "An offer is not complete.");
    }
    router->ops->offer_tasks(router->ctx, rpc->call, request);
    return NULL;
}

const pd_rpc_error_t *pdi_start_task(pdi_rpc_t *rpc)
{
    const Perdure__V1__StartTaskRequest *request = rpc->request;
    const pd_router_t *router = &rpc->frontend->options.router;
    const Perdure__V1__TaskOffer *task = request->task;
    pd_poll_t *poll = PD_ARENA_NEW(rpc->arena, pd_poll_t);
    pd_offer_t *offer = PD_ARENA_NEW(rpc->arena, pd_offer_t);

    if (!router->ops->start_task)
        return not_a_cluster(rpc);
    PDI_REFUSE_IF(!task || !task->workflow_id[0] || !task->run_id[0] || !request->task_queue[0] ||
                      !request->request_id[0],
                  rpc, "The task is not complete.");
    PDI_REFUSE_IF(task->partition >= (uint32_t)rpc->frontend->options.history_shard_count, rpc,
                  "There is no such partition.");
    rpc->ns = pd_namespaces_by_id(rpc->frontend->options.namespaces, task->namespace_id);
    if (!rpc->ns)
        return pd_rpc_namespace_not_found(rpc->arena, task->namespace_id);
    poll->call = rpc->call;
    poll->kind = task->is_activity ? PD_TASK_ACTIVITY : PD_TASK_WORKFLOW;
    poll->ns = rpc->ns;
    poll->task_queue = request->task_queue;
    poll->normal_task_queue = request->normal_task_queue[0] ? request->normal_task_queue : NULL;
    poll->identity = request->identity;
    poll->build_id = request->build_id;
    poll->request_id = request->request_id;
    poll->is_far = true;
    *offer = (pd_offer_t){
        .kind = poll->kind,
        .partition_index = task->partition,
        .ns = rpc->ns,
        .workflow_id = task->workflow_id,
        .run_id = task->run_id,
        .scheduled_event_id = task->scheduled_event_id,
        .attempt = task->attempt,
        .query_id = task->query_id,
    };
    router->ops->start_task(router->ctx, poll, offer);
    return NULL;
}
