/* From frontends to partitions and matching: everything by mail, bounded by the mailboxes. */
#define PROTOBUF_C__NO_DEPRECATED
#include <stdio.h>

#include "api/pb/time.h"
#include "engine/node/node_private.h"

/* ---- partitions ---- */

static void run_submit(pd_mail_t *mail)
{
    pd_command_t *command = PD_CONTAINER_OF(mail, pd_command_t, mail);

    pd_partition_submit(command->partition, command);
}

static bool submit(void *ctx, pd_command_t *command)
{
    pd_node_t *node = ctx;
    uint32_t index = pd_partition_of(command->workflow_id, node->options.partition_count);

    command->partition = node->partitions[index].partition;
    command->mail.run = run_submit;
    command->call->routed_to = pd_partition_loop(command->partition);
    command->call->canceled_at = PD_CALL_AT_PARTITION;
    command->call->place = command->partition;
    return pd_loop_try_post(pd_partition_loop(command->partition), &command->mail);
}

/* A message that belongs to a call and is needed once: lives in its arena. */
typedef struct call_mail {
    pd_mail_t mail;
    pd_node_t *node;
    pd_call_t *call;
    const pd_namespace_t *ns;
    const void *request;
    const Perdure__V1__TaskToken *token;
    pdi_node_matching_t *home;
    pd_partition_t *partition;
} call_mail_t;

static call_mail_t *call_mail(pd_node_t *node, pd_call_t *call, void (*run)(pd_mail_t *mail))
{
    call_mail_t *self = PD_ARENA_NEW(call->arena, call_mail_t);

    self->mail.run = run;
    self->node = node;
    self->call = call;
    return self;
}

static void run_answer_query(pd_mail_t *mail)
{
    call_mail_t *self = PD_CONTAINER_OF(mail, call_mail_t, mail);

    pd_partition_answer_query(self->partition, self->call, self->token, self->request);
}

static bool
answer_query(void *ctx, pd_call_t *call, const pd_namespace_t *ns,
             const Perdure__V1__TaskToken *token,
             const Temporal__Api__Workflowservice__V1__RespondQueryTaskCompletedRequest *request)
{
    pd_node_t *node = ctx;
    uint32_t index = pd_partition_of(token->workflow_id, node->options.partition_count);
    call_mail_t *self = call_mail(node, call, run_answer_query);

    self->partition = node->partitions[index].partition;
    self->token = token;
    self->request = request;
    return pd_loop_try_post(pd_partition_loop(self->partition), &self->mail);
}

static void run_register(pd_mail_t *mail)
{
    call_mail_t *self = PD_CONTAINER_OF(mail, call_mail_t, mail);

    pd_partition_register_namespace(self->partition, self->call, self->request);
}

static bool register_namespace(void *ctx, pd_call_t *call,
                               const Perdure__V1__NamespaceRegistered *registered)
{
    pd_node_t *node = ctx;
    call_mail_t *self = call_mail(node, call, run_register);

    self->partition = node->partitions[0].partition;
    self->request = registered;
    return pd_loop_try_post(pd_partition_loop(self->partition), &self->mail);
}

/* ---- matching ---- */

static void run_poll(pd_mail_t *mail)
{
    pd_poll_t *poll = PD_CONTAINER_OF(mail, pd_poll_t, mail);

    pd_matching_poll(poll->matching, poll);
}

static bool poll_task_queue(void *ctx, pd_poll_t *poll)
{
    const char *queue = poll->normal_task_queue ? poll->normal_task_queue : poll->task_queue;
    pdi_node_matching_t *home = pdi_node_home(ctx, poll->ns, queue);

    poll->matching = home->matching;
    poll->mail.run = run_poll;
    poll->call->routed_to = home->loop;
    poll->call->canceled_at = PD_CALL_AT_MATCHING;
    poll->call->place = home->matching;
    return pd_loop_try_post(home->loop, &poll->mail);
}

static Temporal__Api__Taskqueue__V1__TaskQueueStats *stats_of(pd_arena_t *arena,
                                                              const pd_task_queue_view_t *view)
{
    Temporal__Api__Taskqueue__V1__TaskQueueStats *stats =
        PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__TaskQueueStats,
                  temporal__api__taskqueue__v1__task_queue_stats);

    stats->approximate_backlog_count = view->backlog_count;
    stats->approximate_backlog_age = pd_pb_duration(arena, view->backlog_age_ns);
    return stats;
}

/* Queues are never versioned here: the version is the one that needs no setting, since never (what
 * Temporal's server, being written in Go, tells as the year 1). */
static Temporal__Api__Taskqueue__V1__TaskQueueVersioningInfo *unversioned(pd_arena_t *arena)
{
    Temporal__Api__Taskqueue__V1__TaskQueueVersioningInfo *info =
        PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__TaskQueueVersioningInfo,
                  temporal__api__taskqueue__v1__task_queue_versioning_info);

    info->current_version = (char *)"__unversioned__";
    info->update_time = PD_PB_NEW(arena, Google__Protobuf__Timestamp, google__protobuf__timestamp);
    info->update_time->seconds = INT64_C(-62135596800);
    return info;
}

static void run_describe(pd_mail_t *mail)
{
    call_mail_t *self = PD_CONTAINER_OF(mail, call_mail_t, mail);
    const Temporal__Api__Workflowservice__V1__DescribeTaskQueueRequest *request = self->request;
    Temporal__Api__Workflowservice__V1__DescribeTaskQueueResponse response =
        TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_TASK_QUEUE_RESPONSE__INIT;
    bool activity = request->task_queue_type ==
                    TEMPORAL__API__ENUMS__V1__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_ACTIVITY;
    pd_task_queue_view_t view;

    pd_matching_describe(self->home->matching, self->ns,
                         activity ? PD_TASK_ACTIVITY : PD_TASK_WORKFLOW, request->task_queue->name,
                         self->call->arena, &view);
    response.n_pollers = view.poller_count;
    response.pollers = (Temporal__Api__Taskqueue__V1__PollerInfo **)view.pollers;
    response.versioning_info = unversioned(self->call->arena);
    if (request->report_stats)
        response.stats = stats_of(self->call->arena, &view);
    pd_call_respond(self->call, &response);
}

static bool
describe_task_queue(void *ctx, pd_call_t *call, const pd_namespace_t *ns,
                    const Temporal__Api__Workflowservice__V1__DescribeTaskQueueRequest *request)
{
    call_mail_t *self = call_mail(ctx, call, run_describe);
    const char *normal = request->task_queue->normal_name;

    self->ns = ns;
    self->request = request;
    self->home = pdi_node_home(ctx, ns, pd_pb_empty(normal) ? request->task_queue->name : normal);
    return pd_loop_try_post(self->home->loop, &self->mail);
}

/* One step a loop: a worker's polls may be in any matching. The last one answers. */
static void run_shutdown(pd_mail_t *mail)
{
    call_mail_t *self = PD_CONTAINER_OF(mail, call_mail_t, mail);
    const Temporal__Api__Workflowservice__V1__ShutdownWorkerRequest *request = self->request;

    pd_matching_shutdown_worker(self->home->matching, self->ns, request->worker_instance_key,
                                request->sticky_task_queue);
    self->home++;
    if (self->home == self->node->matchings + self->node->options.loop_count)
        pd_call_respond_data(self->call, pd_alloc(0), 0);
    else
        pd_loop_post(self->home->loop, &self->mail);
}

static bool
shutdown_worker(void *ctx, pd_call_t *call, const pd_namespace_t *ns,
                const Temporal__Api__Workflowservice__V1__ShutdownWorkerRequest *request)
{
    pd_node_t *node = ctx;
    call_mail_t *self = call_mail(node, call, run_shutdown);

    self->ns = ns;
    self->request = request;
    self->home = node->matchings;
    return pd_loop_try_post(self->home->loop, &self->mail);
}

/* ---- canceling ---- */

/* The call may be answered before the cancellation arrives: a call dies only when `finish` has run,
 * and that mail is posted home after this one was posted away, but loops differ. So the
 * cancellation carries a reference (see pd_call_cancel_sent). */
typedef struct cancel_mail {
    pd_mail_t mail;
    pd_call_t *call;
    pd_loop_t *loop;
} cancel_mail_t;

static void run_cancel_home(pd_mail_t *mail)
{
    cancel_mail_t *self = PD_CONTAINER_OF(mail, cancel_mail_t, mail);

    pd_call_unhold(self->call);
    pd_free(self);
}

static void run_cancel(pd_mail_t *mail)
{
    cancel_mail_t *self = PD_CONTAINER_OF(mail, cancel_mail_t, mail);
    pd_call_t *call = self->call;

    if (call->canceled_at == PD_CALL_AT_PARTITION)
        pd_partition_cancel(call->place, call);
    else
        pd_matching_cancel(call->place, call);
    self->mail.run = run_cancel_home;
    pd_loop_post(call->home, &self->mail);
}

static void cancel(void *ctx, pd_call_t *call)
{
    cancel_mail_t *self;

    if (!call->routed_to)
        return;
    self = PD_NEW(cancel_mail_t);
    self->call = call;
    self->mail.run = run_cancel;
    pd_call_hold(call);
    pd_loop_post(call->routed_to, &self->mail);
}

pd_router_t pd_node_router(pd_node_t *node)
{
    static const pd_router_ops_t ops = {
        .name = "node",
        .submit = submit,
        .poll = poll_task_queue,
        .answer_query = answer_query,
        .describe_task_queue = describe_task_queue,
        .shutdown_worker = shutdown_worker,
        .register_namespace = register_namespace,
        .cancel = cancel,
    };

    return (pd_router_t){.ops = &ops, .ctx = node};
}
