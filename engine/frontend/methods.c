#include "engine/frontend/methods.h"

#include <grpc/health/v1/health.pb-c.h>
#include <perdure/v1/internal.pb-c.h>
#include <temporal/api/operatorservice/v1/service.pb-c.h>
#include <temporal/api/workflowservice/v1/service.pb-c.h>

#include "base/assert.h"
#include "base/memory.h"
#include "engine/frontend/frontend_private.h"

enum { SLOT_COUNT = 512 }; /* a power of two, over twice the number of rows */

struct pd_methods {
    pd_method_t *rows;
    size_t count;
    uint16_t slots[SLOT_COUNT]; /* row index + 1; 0: empty */
};

/* What is built, by name. Names are unique over all services. */
static const struct {
    const char *name;
    pdi_handler_t handle;
    unsigned flags;
} built[] = {
    {"Check", pdi_health_check, 0},
    {"GetSystemInfo", pdi_get_system_info, 0},
    {"GetClusterInfo", pdi_get_cluster_info, 0},
    {"RegisterNamespace", pdi_register_namespace, PD_METHOD_OWN_NAMESPACE},
    {"DescribeNamespace", pdi_describe_namespace, PD_METHOD_OWN_NAMESPACE},
    {"ListNamespaces", pdi_list_namespaces, 0},
    {"StartWorkflowExecution", pdi_start_workflow_execution, 0},
    {"SignalWithStartWorkflowExecution", pdi_signal_with_start_workflow_execution, 0},
    {"SignalWorkflowExecution", pdi_signal_workflow_execution, 0},
    {"RequestCancelWorkflowExecution", pdi_request_cancel_workflow_execution, 0},
    {"TerminateWorkflowExecution", pdi_terminate_workflow_execution, 0},
    {"PollWorkflowTaskQueue", pdi_poll_workflow_task_queue, PD_METHOD_LONG_POLL},
    {"PollActivityTaskQueue", pdi_poll_activity_task_queue, PD_METHOD_LONG_POLL},
    {"RespondWorkflowTaskCompleted", pdi_respond_workflow_task_completed, 0},
    {"RespondWorkflowTaskFailed", pdi_respond_workflow_task_failed, 0},
    {"RespondQueryTaskCompleted", pdi_respond_query_task_completed, 0},
    {"ResetStickyTaskQueue", pdi_reset_sticky_task_queue, 0},
    {"RespondActivityTaskCompleted", pdi_respond_activity_task_completed, 0},
    {"RespondActivityTaskFailed", pdi_respond_activity_task_failed, 0},
    {"RespondActivityTaskCanceled", pdi_respond_activity_task_canceled, 0},
    {"RecordActivityTaskHeartbeat", pdi_record_activity_task_heartbeat, 0},
    {"RespondActivityTaskCompletedById", pdi_respond_activity_task_completed_by_id, 0},
    {"RespondActivityTaskFailedById", pdi_respond_activity_task_failed_by_id, 0},
    {"RespondActivityTaskCanceledById", pdi_respond_activity_task_canceled_by_id, 0},
    {"RecordActivityTaskHeartbeatById", pdi_record_activity_task_heartbeat_by_id, 0},
    {"GetWorkflowExecutionHistory", pdi_get_workflow_execution_history, 0},
    {"GetWorkflowExecutionHistoryReverse", pdi_get_workflow_execution_history_reverse, 0},
    {"DescribeWorkflowExecution", pdi_describe_workflow_execution, 0},
    {"QueryWorkflow", pdi_query_workflow, 0},
    {"DescribeTaskQueue", pdi_describe_task_queue, 0},
    {"ListTaskQueuePartitions", pdi_list_task_queue_partitions, 0},
    {"ShutdownWorker", pdi_shutdown_worker, 0},
    {"GetView", pdi_get_view, 0},
    {"OfferTasks", pdi_offer_tasks, 0},
    {"StartTask", pdi_start_task, 0},
};

static const ProtobufCServiceDescriptor *const services[] = {
    &temporal__api__workflowservice__v1__workflow_service__descriptor,
    &temporal__api__operatorservice__v1__operator_service__descriptor,
    &grpc__health__v1__health__descriptor,
    &perdure__v1__internal__descriptor,
};

static uint32_t hash_more(uint32_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

static uint32_t hash_path(const char *path)
{
    return hash_more(2166136261u, path);
}

static uint32_t hash_row(const pd_method_t *row)
{
    return hash_more(hash_more(hash_more(hash_path("/"), row->service), "/"), row->name);
}

static bool row_has_path(const pd_method_t *row, const char *path)
{
    size_t size = strlen(row->service);

    return path[0] == '/' && strncmp(path + 1, row->service, size) == 0 && path[1 + size] == '/' &&
           strcmp(path + 2 + size, row->name) == 0;
}

static unsigned field_offset(const ProtobufCMessageDescriptor *type, const char *name,
                             ProtobufCType field_type)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(type, name);

    return field && field->type == field_type ? field->offset : 0;
}

static void lay_over(pd_methods_t *methods, size_t index)
{
    bool found = false;

    for (size_t i = 0; i < methods->count; i++) {
        pd_method_t *row = &methods->rows[i];

        if (strcmp(row->name, built[index].name) == 0) {
            row->handle = built[index].handle;
            row->flags = built[index].flags;
            found = true;
        }
    }
    PD_ASSERT(found);
}

pd_methods_t *pd_methods_new(void)
{
    pd_methods_t *methods = PD_NEW(pd_methods_t);
    size_t capacity = 0;

    for (size_t i = 0; i < PD_ARRAY_COUNT(services); i++)
        capacity += services[i]->n_methods;
    PD_ASSERT(capacity * 2 < SLOT_COUNT);
    methods->rows = pd_calloc(capacity, sizeof *methods->rows);
    for (size_t i = 0; i < PD_ARRAY_COUNT(services); i++) {
        for (unsigned k = 0; k < services[i]->n_methods; k++) {
            const ProtobufCMethodDescriptor *method = &services[i]->methods[k];
            pd_method_t *row = &methods->rows[methods->count++];
            uint32_t slot;

            row->service = services[i]->name;
            row->name = method->name;
            row->request = method->input;
            row->response = method->output;
            row->namespace_offset =
                field_offset(method->input, "namespace", PROTOBUF_C_TYPE_STRING);
            row->task_token_offset =
                field_offset(method->input, "task_token", PROTOBUF_C_TYPE_BYTES);
            slot = hash_row(row) % SLOT_COUNT;
            while (methods->slots[slot])
                slot = (slot + 1) % SLOT_COUNT;
            methods->slots[slot] = (uint16_t)methods->count;
        }
    }
    for (size_t i = 0; i < PD_ARRAY_COUNT(built); i++)
        lay_over(methods, i);
    return methods;
}

void pd_methods_free(pd_methods_t *methods)
{
    if (!methods)
        return;
    pd_free(methods->rows);
    pd_free(methods);
}

size_t pd_methods_count(const pd_methods_t *methods)
{
    return methods->count;
}

const pd_method_t *pd_methods_at(const pd_methods_t *methods, size_t index)
{
    PD_ASSERT(index < methods->count);
    return &methods->rows[index];
}

static const pd_rpc_error_t *unknown(const char *path, pd_arena_t *arena)
{
    const char *start = path[0] == '/' ? path + 1 : path;
    const char *slash = strrchr(start, '/');
    int service_size;

    if (!slash)
        return pd_rpc_error(arena, PD_RPC_UNIMPLEMENTED, "malformed method name: \"%s\"", path);
    service_size = (int)(slash - start);
    for (size_t i = 0; i < PD_ARRAY_COUNT(services); i++)
        if (strlen(services[i]->name) == (size_t)service_size &&
            memcmp(services[i]->name, start, (size_t)service_size) == 0)
            return pd_rpc_error(arena, PD_RPC_UNIMPLEMENTED, "unknown method %s for service %.*s",
                                slash + 1, service_size, start);
    return pd_rpc_error(arena, PD_RPC_UNIMPLEMENTED, "unknown service %.*s", service_size, start);
}

size_t pd_methods_index(const pd_methods_t *methods, const pd_method_t *method)
{
    PD_ASSERT(method >= methods->rows && method < methods->rows + methods->count);
    return (size_t)(method - methods->rows);
}

const pd_method_t *pd_methods_find(const pd_methods_t *methods, const char *path, pd_arena_t *arena,
                                   const pd_rpc_error_t **error)
{
    uint32_t slot = hash_path(path) % SLOT_COUNT;

    for (; methods->slots[slot]; slot = (slot + 1) % SLOT_COUNT) {
        const pd_method_t *row = &methods->rows[methods->slots[slot] - 1];

        if (row_has_path(row, path))
            return row;
    }
    *error = unknown(path, arena);
    return NULL;
}
