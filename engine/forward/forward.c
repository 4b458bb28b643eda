/* The router: what is ours goes to the node's own router at once; everything else gets a route. */
#include "engine/forward/forward.h"

#include <string.h>

#include "engine/forward/forward_private.h"
#include "engine/partitioner.h"

const pd_cluster_member_t *pdi_member(const pd_forward_t *forward, const char *name)
{
    const pd_cluster_view_t *view = forward->view;

    for (uint32_t i = 0; view && i < view->member_count; i++) {
        if (strcmp(view->members[i].name, name) == 0)
            return &view->members[i];
    }
    return NULL;
}

const char *pdi_forwarded_by(const pd_call_t *call)
{
    const char *name, *value;

    for (size_t i = 0; call->header_at && call->header_at(call->headers, i, &name, &value); i++) {
        if (strcmp(name, PD_FORWARD_HEADER) == 0)
            return value;
    }
    return NULL;
}

/* ---- where things belong ---- */

static bool owns(const pd_forward_t *forward, uint32_t partition)
{
    return !forward->view ||
           forward->view->partitions[partition].owner == (int32_t)forward->view->self;
}

static bool is_home(const pd_forward_t *forward, const pd_namespace_t *ns, const char *task_queue)
{
    return !forward->view ||
           pd_cluster_view_home(forward->view, ns->id, task_queue) == forward->view->self;
}

static pdi_route_t *route_new(pd_forward_t *forward, pd_call_t *call,
                              bool (*go_here)(pdi_route_t *route), void *what)
{
    pdi_route_t *route = PD_ARENA_NEW(call->arena, pdi_route_t);

    route->forward = forward;
    route->call = call;
    route->go_here = go_here;
    route->what = what;
    return route;
}

/* Begins to watch a call that goes to the local router: it comes back when it was not taken. */
static void watch(pd_forward_t *forward, pd_call_t *call, void (*again)(pd_call_t *call),
                  void *routed)
{
    call->again = again;
    call->router = forward;
    call->routed = routed;
}

/* ---- by workflow ---- */

static bool command_here(pdi_route_t *route)
{
    pd_command_t *command = route->what;

    command->decision = NULL;
    return route->forward->local.ops->submit(route->forward->local.ctx, command);
}

static pdi_route_t *command_route(pd_forward_t *forward, pd_command_t *command, uint32_t partition)
{
    pdi_route_t *route = route_new(forward, command->call, command_here, command);

    route->partition = (int32_t)partition;
    route->is_read = command->kind == &pd_command_get_history ||
                     command->kind == &pd_command_get_history_reverse ||
                     command->kind == &pd_command_describe || command->kind == &pd_command_query;
    return route;
}

static void command_again(pd_call_t *call)
{
    pd_forward_t *forward = call->router;
    pd_command_t *command = call->routed;
    uint32_t partition = pd_partition_of(command->workflow_id, forward->options.partition_count);

    pdi_route_again(command_route(forward, command, partition));
}

static bool submit(void *ctx, pd_command_t *command)
{
    pd_forward_t *forward = ctx;
    uint32_t partition = pd_partition_of(command->workflow_id, forward->options.partition_count);

    if (owns(forward, partition)) {
        watch(forward, command->call, command_again, command);
        return forward->local.ops->submit(forward->local.ctx, command);
    }
    pdi_route_go(command_route(forward, command, partition));
    return true;
}

static bool answer_here(pdi_route_t *route)
{
    return route->forward->local.ops->answer_query(route->forward->local.ctx, route->call,
                                                   route->ns, route->token, route->request);
}

static bool
answer_query(void *ctx, pd_call_t *call, const pd_namespace_t *ns,
             const Perdure__V1__TaskToken *token,
             const Temporal__Api__Workflowservice__V1__RespondQueryTaskCompletedRequest *request)
{
    pd_forward_t *forward = ctx;
    uint32_t partition = pd_partition_of(token->workflow_id, forward->options.partition_count);
    pdi_route_t *route;

    if (owns(forward, partition))
        return forward->local.ops->answer_query(forward->local.ctx, call, ns, token, request);
    route = route_new(forward, call, answer_here, NULL);
    route->partition = (int32_t)partition;
    route->ns = ns;
    route->token = token;
    route->request = request;
    pdi_route_go(route);
    return true;
}

/* ---- namespaces ---- */

static bool register_here(pdi_route_t *route)
{
    return route->forward->local.ops->register_namespace(route->forward->local.ctx, route->call,
                                                         route->what);
}

static pdi_route_t *register_route(pd_forward_t *forward, pd_call_t *call,
                                   const Perdure__V1__NamespaceRegistered *ns)
{
    pdi_route_t *route = route_new(forward, call, register_here, (void *)ns);

    route->new_namespace = ns->name;
    return route;
}

static void register_again(pd_call_t *call)
{
    pdi_route_again(register_route(call->router, call, call->routed));
}

static bool register_namespace(void *ctx, pd_call_t *call,
                               const Perdure__V1__NamespaceRegistered *ns)
{
    pd_forward_t *forward = ctx;

    if (owns(forward, 0)) {
        watch(forward, call, register_again, (void *)ns);
        return forward->local.ops->register_namespace(forward->local.ctx, call, ns);
    }
    pdi_route_go(register_route(forward, call, ns));
    return true;
}

/* ---- by task queue ---- */

static bool poll_here(pdi_route_t *route)
{
    return route->forward->local.ops->poll(route->forward->local.ctx, route->what);
}

static pdi_route_t *poll_route(pd_forward_t *forward, pd_poll_t *poll)
{
    pdi_route_t *route = route_new(forward, poll->call, poll_here, poll);

    route->partition = -1;
    route->namespace_id = poll->ns->id;
    route->task_queue = poll->normal_task_queue ? poll->normal_task_queue : poll->task_queue;
    route->is_poll = true;
    return route;
}

static void poll_again(pd_call_t *call)
{
    pdi_route_again(poll_route(call->router, call->routed));
}

static bool poll_task_queue(void *ctx, pd_poll_t *poll)
{
    pd_forward_t *forward = ctx;

    poll->through = pdi_forwarded_by(poll->call);
    if (is_home(forward, poll->ns,
                poll->normal_task_queue ? poll->normal_task_queue : poll->task_queue)) {
        watch(forward, poll->call, poll_again, poll);
        return forward->local.ops->poll(forward->local.ctx, poll);
    }
    pdi_route_go(poll_route(forward, poll));
    return true;
}

static bool describe_here(pdi_route_t *route)
{
    return route->forward->local.ops->describe_task_queue(route->forward->local.ctx, route->call,
                                                          route->ns, route->request);
}

static bool
describe_task_queue(void *ctx, pd_call_t *call, const pd_namespace_t *ns,
                    const Temporal__Api__Workflowservice__V1__DescribeTaskQueueRequest *request)
{
    pd_forward_t *forward = ctx;
    const char *normal = pd_pb_empty(request->task_queue->normal_name)
                             ? request->task_queue->name
                             : request->task_queue->normal_name;
    pdi_route_t *route;

    if (is_home(forward, ns, normal))
        return forward->local.ops->describe_task_queue(forward->local.ctx, call, ns, request);
    route = route_new(forward, call, describe_here, NULL);
    route->partition = -1;
    route->namespace_id = ns->id;
    route->task_queue = normal;
    route->is_read = true;
    route->ns = ns;
    route->request = request;
    pdi_route_go(route);
    return true;
}

static bool
shutdown_worker(void *ctx, pd_call_t *call, const pd_namespace_t *ns,
                const Temporal__Api__Workflowservice__V1__ShutdownWorkerRequest *request)
{
    pd_forward_t *forward = ctx;

    if (forward->view && !pdi_forwarded_by(call))
        pdi_route_tell_others(forward, call);
    return forward->local.ops->shutdown_worker(forward->local.ctx, call, ns, request);
}

static void cancel(void *ctx, pd_call_t *call)
{
    pd_forward_t *forward = ctx;

    if (call->canceled_at == PD_CALL_AT_PEER)
        pdi_route_cancel(call->place);
    else
        forward->local.ops->cancel(forward->local.ctx, call);
}

pd_router_t pd_forward_router(pd_forward_t *forward)
{
    static const pd_router_ops_t ops = {
        .name = "forward",
        .submit = submit,
        .poll = poll_task_queue,
        .answer_query = answer_query,
        .describe_task_queue = describe_task_queue,
        .shutdown_worker = shutdown_worker,
        .register_namespace = register_namespace,
        .get_view = pdi_get_view_here,
        .offer_tasks = pdi_offer_tasks_here,
        .start_task = pdi_start_task_here,
        .cancel = cancel,
    };

    return (pd_router_t){.ops = &ops, .ctx = forward};
}

/* ---- views ---- */

typedef struct view_mail {
    pd_mail_t mail;
    pd_forward_t *forward;
    pd_cluster_view_t *view;
} view_mail_t;

/* The node's loops hear of a view once we have it: what they then offer to other nodes must not be
 * sent back to them by an older one, to wait where nobody polls. */
void pdi_forward_use(pd_forward_t *forward, pd_cluster_view_t *view)
{
    bool moved = !forward->view || !pd_cluster_view_same_homes(forward->view, view);

    PD_ASSERT(view->partition_count == forward->options.partition_count);
    pd_cluster_view_unref(forward->view);
    forward->view = view;
    pd_node_set_view(forward->node, view);
    forward->options.peers.ops->keep(forward->options.peers.ctx, view);
    pdi_routes_retry(forward, true);
    if (moved)
        pdi_outboxes_sort_again(forward);
}

static void run_view(pd_mail_t *mail)
{
    view_mail_t *self = PD_CONTAINER_OF(mail, view_mail_t, mail);

    pdi_neighbours_own_view(self->forward, self->view);
    pd_free(self);
}

void pd_forward_set_view(pd_forward_t *forward, pd_cluster_view_t *view)
{
    view_mail_t *self = PD_NEW(view_mail_t);

    self->mail.run = run_view;
    self->forward = forward;
    self->view = pd_cluster_view_ref(view);
    pd_loop_post(forward->options.loop, &self->mail);
}

/* ---- life ---- */

pd_forward_t *pd_forward_new(const pd_forward_options_t *options)
{
    pd_forward_t *forward = PD_NEW(pd_forward_t);

    PD_ASSERT(options->loop && options->peers.ops && options->namespaces &&
              options->partition_count > 0);
    forward->options = *options;
    forward->name = pd_strdup(options->node);
    TAILQ_INIT(&forward->kept);
    TAILQ_INIT(&forward->parked);
    forward->retry_timer.fire = pdi_routes_on_timer;
    return forward;
}

pd_node_far_t pd_forward_far(pd_forward_t *forward)
{
    return (pd_node_far_t){.offer = pdi_offer_far, .start = pdi_start_far, .ctx = forward};
}

void pd_forward_set_node(pd_forward_t *forward, pd_node_t *node)
{
    PD_ASSERT(!forward->node && node);
    forward->node = node;
    forward->local = pd_node_router(node);
}

void pd_forward_free(pd_forward_t *forward)
{
    if (!forward)
        return;
    PD_ASSERT(!forward->parked_count && !forward->away_count);
    pd_loop_timer_stop(forward->options.loop, &forward->retry_timer);
    pdi_neighbours_free(forward);
    pd_cluster_view_unref(forward->view);
    pdi_outboxes_free(forward);
    pdi_kept_tasks_free(forward);
    pd_free(forward->name);
    pd_free(forward);
}
