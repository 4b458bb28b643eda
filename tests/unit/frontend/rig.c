#include "tests/unit/frontend/rig.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

/* Whatever arrives is answered at once with an empty message. */
static bool answer(rig_t *rig, pd_call_t *call)
{
    if (!rig->full)
        pd_call_respond_data(call, pd_alloc(0), 0);
    return !rig->full;
}

static bool submit(void *ctx, pd_command_t *command)
{
    rig_t *rig = ctx;

    PD_ASSERT(command->kind && command->call && command->ns && command->workflow_id[0] &&
              command->run_id && command->request && command->arena == command->call->arena);
    rig->command = command;
    return answer(rig, command->call);
}

static bool poll(void *ctx, pd_poll_t *poll)
{
    rig_t *rig = ctx;

    PD_ASSERT(poll->ns && poll->task_queue[0] && poll->identity && poll->request_id[0]);
    rig->poll = poll;
    return answer(rig, poll->call);
}

static bool
answer_query(void *ctx, pd_call_t *call, const pd_namespace_t *ns,
             const Perdure__V1__TaskToken *token,
             const Temporal__Api__Workflowservice__V1__RespondQueryTaskCompletedRequest *request)
{
    rig_t *rig = ctx;

    PD_ASSERT(ns && token && request);
    rig->query_count++;
    return answer(rig, call);
}

static bool
describe_task_queue(void *ctx, pd_call_t *call, const pd_namespace_t *ns,
                    const Temporal__Api__Workflowservice__V1__DescribeTaskQueueRequest *request)
{
    PD_ASSERT(ns && request->task_queue);
    return answer(ctx, call);
}

static bool
shutdown_worker(void *ctx, pd_call_t *call, const pd_namespace_t *ns,
                const Temporal__Api__Workflowservice__V1__ShutdownWorkerRequest *request)
{
    rig_t *rig = ctx;

    PD_ASSERT(ns && request);
    rig->shutdown_count++;
    return answer(rig, call);
}

static bool register_namespace(void *ctx, pd_call_t *call,
                               const Perdure__V1__NamespaceRegistered *ns)
{
    rig_t *rig = ctx;

    PD_ASSERT(ns->name[0] && ns->namespace_id[0]);
    rig->registered = ns;
    return answer(rig, call);
}

static void get_view(void *ctx, pd_call_t *call)
{
    ((rig_t *)ctx)->internal_count++;
    pd_call_respond_data(call, pd_alloc(0), 0);
}

static void offer_tasks(void *ctx, pd_call_t *call, const Perdure__V1__OfferTasksRequest *request)
{
    rig_t *rig = ctx;

    PD_ASSERT(request->node[0]);
    for (size_t i = 0; i < request->n_offers; i++)
        PD_ASSERT(request->offers[i]->partition < RIG_PARTITION_COUNT &&
                  request->offers[i]->workflow_id[0] && request->offers[i]->task_queue[0] &&
                  request->offers[i]->normal_task_queue[0]);
    rig->internal_count++;
    pd_call_respond_data(call, pd_alloc(0), 0);
}

static void start_task(void *ctx, pd_poll_t *poll, const pd_offer_t *task)
{
    rig_t *rig = ctx;

    PD_ASSERT(poll->is_far && poll->ns && poll->request_id[0] && poll->task_queue[0] &&
              task->ns == poll->ns && task->partition_index < RIG_PARTITION_COUNT);
    rig->internal_count++;
    pd_call_respond_data(poll->call, pd_alloc(0), 0);
}

static void cancel(void *ctx, pd_call_t *call)
{
    ((rig_t *)ctx)->cancel_count++;
}

static const pd_router_ops_t router_ops = {
    .name = "rig",
    .submit = submit,
    .poll = poll,
    .answer_query = answer_query,
    .describe_task_queue = describe_task_queue,
    .shutdown_worker = shutdown_worker,
    .register_namespace = register_namespace,
    .get_view = get_view,
    .offer_tasks = offer_tasks,
    .start_task = start_task,
    .cancel = cancel,
};

static void publish(rig_t *rig, const char *name, const char *id)
{
    Perdure__V1__NamespaceRow row = PERDURE__V1__NAMESPACE_ROW__INIT;

    row.name = (char *)name;
    row.namespace_id = (char *)id;
    row.retention_ns = INT64_C(24) * 3600 * 1000000000;
    pd_namespaces_publish(rig->namespaces, &row);
}

void rig_init(rig_t *rig)
{
    pd_frontend_options_t options = {.history_shard_count = RIG_PARTITION_COUNT};

    memset(rig, 0, sizeof *rig);
    manual_loop_init(&rig->loop);
    rig->namespaces = pd_namespaces_new();
    publish(rig, "default", RIG_NAMESPACE_ID);
    publish(rig, "other", RIG_OTHER_NAMESPACE_ID);
    options.loop = &rig->loop.loop;
    options.router = (pd_router_t){&router_ops, rig};
    options.namespaces = rig->namespaces;
    options.history_shard_count = 4;
    rig->frontend = pd_frontend_new(&options);
    rig->deadline_ns = INT64_MAX;
    pd_arena_init(&rig->arena);
}

static void forget_call(rig_t *rig)
{
    pd_free(rig->call.data);
    pd_arena_reset(&rig->arena);
    memset(&rig->call, 0, sizeof rig->call);
    rig->finished = false;
    rig->command = NULL;
    rig->poll = NULL;
    rig->registered = NULL;
}

void rig_deinit(rig_t *rig)
{
    forget_call(rig);
    pd_frontend_free(rig->frontend);
    pd_namespaces_free(rig->namespaces);
    manual_loop_deinit(&rig->loop);
    pd_arena_deinit(&rig->arena);
}

static void finish(pd_call_t *call)
{
    rig_t *rig = call->user;

    PD_ASSERT(!rig->finished);
    rig->finished = true;
}

void rig_call_bytes(rig_t *rig, const char *path, pd_bytes_t message)
{
    uint8_t *copy = pd_memdup(message.data, message.size);

    forget_call(rig);
    rig->call.home = &rig->loop.loop;
    rig->call.arena = &rig->arena;
    rig->call.deadline_ns = rig->deadline_ns;
    rig->call.client_name = "";
    rig->call.finish = finish;
    rig->call.user = rig;
    pd_frontend_handle(rig->frontend, path, pd_bytes(copy, message.size), &rig->call);
    manual_loop_run(&rig->loop);
    PD_ASSERT(rig->finished && rig->call.user == rig);
    pd_free(copy);
}

void rig_call(rig_t *rig, const char *method, const void *request)
{
    char path[256];
    pd_arena_t arena;

    pd_arena_init(&arena);
    snprintf(path, sizeof path, "/temporal.api.workflowservice.v1.WorkflowService/%s", method);
    rig_call_bytes(rig, path, pd_pb_pack_arena(request, &arena));
    pd_arena_deinit(&arena);
}

void *rig_response(rig_t *rig, const ProtobufCMessageDescriptor *type)
{
    if (rig->call.error)
        return NULL;
    return pd_pb_unpack(type, &rig->arena, pd_bytes(rig->call.data, rig->call.size));
}

const char *rig_error(const rig_t *rig)
{
    return rig->call.error ? rig->call.error->message : "";
}

pd_rpc_code_t rig_code(const rig_t *rig)
{
    return rig->call.error ? rig->call.error->code : PD_RPC_OK;
}

ProtobufCBinaryData rig_token(rig_t *rig, const char *namespace_id)
{
    static uint8_t data[256];
    Perdure__V1__TaskToken token = PERDURE__V1__TASK_TOKEN__INIT;

    token.namespace_id = (char *)namespace_id;
    token.workflow_id = (char *)"w";
    token.run_id = (char *)RIG_RUN_ID;
    token.scheduled_event_id = 5;
    PD_ASSERT(protobuf_c_message_get_packed_size(&token.base) <= sizeof data);
    return (ProtobufCBinaryData){protobuf_c_message_pack(&token.base, data), data};
}
