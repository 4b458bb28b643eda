/* Namespaces: registered in partition 0's log, read from the registry. */
#include <temporal/api/errordetails/v1/message.pb-c.h>
#include <temporal/api/namespace/v1/message.pb-c.h>
#include <temporal/api/replication/v1/message.pb-c.h>

#include "engine/frontend/validate.h"

#define NS(Name) Temporal__Api__Namespace__V1__##Name

static NS(NamespaceInfo__Capabilities) * capabilities(pd_arena_t *arena)
{
    NS(NamespaceInfo__Capabilities) *can =
        PD_PB_NEW(arena, NS(NamespaceInfo__Capabilities),
                  temporal__api__namespace__v1__namespace_info__capabilities);

    /* Only what works here (see rpc_system.c). */
    can->eager_workflow_start = true;
    can->worker_poll_complete_on_shutdown = true;
    return can;
}

static NS(NamespaceInfo) * info_of(pd_arena_t *arena, const pd_namespace_t *ns)
{
    NS(NamespaceInfo) *info =
        PD_PB_NEW(arena, NS(NamespaceInfo), temporal__api__namespace__v1__namespace_info);
    NS(NamespaceInfo__Limits) *limits = PD_PB_NEW(
        arena, NS(NamespaceInfo__Limits), temporal__api__namespace__v1__namespace_info__limits);
    const Perdure__V1__NamespaceRow *row = ns->row;

    info->name = (char *)ns->name;
    info->id = (char *)ns->id;
    info->state = TEMPORAL__API__ENUMS__V1__NAMESPACE_STATE__NAMESPACE_STATE_REGISTERED;
    info->description = row->description;
    info->owner_email = row->owner_email;
    info->n_data = row->n_data;
    info->data = pd_arena_calloc(arena, row->n_data, sizeof *info->data);
    for (size_t i = 0; i < row->n_data; i++) {
        info->data[i] = PD_PB_NEW(arena, NS(NamespaceInfo__DataEntry),
                                  temporal__api__namespace__v1__namespace_info__data_entry);
        info->data[i]->key = row->data[i]->key;
        info->data[i]->value = row->data[i]->value;
    }
    info->capabilities = capabilities(arena);
    limits->blob_size_limit_error = PD_BLOB_SIZE_MAX;
    limits->memo_size_limit_error = PD_MEMO_SIZE_MAX;
    limits->workflow_task_completion_size_limit_error = PD_WORKFLOW_TASK_COMPLETION_SIZE_MAX;
    info->limits = limits;
    return info;
}

static Temporal__Api__Replication__V1__NamespaceReplicationConfig *replication_of(pdi_rpc_t *rpc)
{
    const char *cluster_name = rpc->frontend->options.cluster_name;
    Temporal__Api__Replication__V1__NamespaceReplicationConfig *config =
        PD_PB_NEW(rpc->arena, Temporal__Api__Replication__V1__NamespaceReplicationConfig,
                  temporal__api__replication__v1__namespace_replication_config);
    Temporal__Api__Replication__V1__ClusterReplicationConfig *cluster =
        PD_PB_NEW(rpc->arena, Temporal__Api__Replication__V1__ClusterReplicationConfig,
                  temporal__api__replication__v1__cluster_replication_config);

    cluster->cluster_name = (char *)(cluster_name ? cluster_name : "active");
    config->active_cluster_name = cluster->cluster_name;
    config->clusters = pd_arena_alloc(rpc->arena, sizeof *config->clusters);
    config->clusters[0] = cluster;
    config->n_clusters = 1;
    return config;
}

static PD_WS(DescribeNamespaceResponse) * describe(pdi_rpc_t *rpc, const pd_namespace_t *ns)
{
    PD_WS(DescribeNamespaceResponse) *response =
        PD_PB_NEW(rpc->arena, PD_WS(DescribeNamespaceResponse),
                  temporal__api__workflowservice__v1__describe_namespace_response);
    NS(NamespaceConfig) *config =
        PD_PB_NEW(rpc->arena, NS(NamespaceConfig), temporal__api__namespace__v1__namespace_config);

    config->workflow_execution_retention_ttl = pd_pb_duration(rpc->arena, ns->retention_ns);
    config->bad_binaries =
        PD_PB_NEW(rpc->arena, NS(BadBinaries), temporal__api__namespace__v1__bad_binaries);
    config->history_archival_state =
        TEMPORAL__API__ENUMS__V1__ARCHIVAL_STATE__ARCHIVAL_STATE_DISABLED;
    config->visibility_archival_state =
        TEMPORAL__API__ENUMS__V1__ARCHIVAL_STATE__ARCHIVAL_STATE_DISABLED;
    response->namespace_info = info_of(rpc->arena, ns);
    response->config = config;
    response->replication_config = replication_of(rpc);
    response->is_global_namespace = ns->row->is_global;
    return response;
}

const pd_rpc_error_t *pdi_describe_namespace(pdi_rpc_t *rpc)
{
    const PD_WS(DescribeNamespaceRequest) *request = rpc->request;
    const pd_namespace_t *ns;

    PDI_REFUSE_IF(request->id[0] && request->namespace_[0], rpc,
                  "GetNamespace operation failed.  Both ID and Name specified in request.");
    if (request->id[0]) {
        ns = pd_namespaces_by_id(rpc->frontend->options.namespaces, request->id);
        return ns ? pdi_respond(rpc, describe(rpc, ns))
                  : pd_rpc_namespace_not_found(rpc->arena, request->id);
    }
    PDI_REFUSE_IF(!request->namespace_[0], rpc, "Namespace not set on request.");
    ns = pd_namespaces_by_name(rpc->frontend->options.namespaces, request->namespace_);
    return ns ? pdi_respond(rpc, describe(rpc, ns))
              : pd_rpc_namespace_not_found(rpc->arena, request->namespace_);
}

/* The page token is the number of namespaces that were told already. */
const pd_rpc_error_t *pdi_list_namespaces(pdi_rpc_t *rpc)
{
    const PD_WS(ListNamespacesRequest) *request = rpc->request;
    PD_WS(ListNamespacesResponse) *response = pdi_new_response(rpc);
    const pd_namespace_t *found[PD_NAMESPACE_PAGE_COUNT];
    size_t page = PD_NAMESPACE_PAGE_COUNT;
    uint32_t offset = 0;
    size_t count;
    size_t total;

    if (request->page_size > 0 && (size_t)request->page_size < page)
        page = (size_t)request->page_size;
    if (request->next_page_token.len > 0) {
        PDI_REFUSE_IF(request->next_page_token.len != sizeof offset, rpc, "Invalid NextPageToken.");
        memcpy(&offset, request->next_page_token.data, sizeof offset);
    }
    total = pd_namespaces_list(rpc->frontend->options.namespaces, offset, found, page);
    if (offset > total)
        offset = (uint32_t)total;
    count = total - offset < page ? total - offset : page;
    response->namespaces = pd_arena_calloc(rpc->arena, count, sizeof *response->namespaces);
    for (size_t i = 0; i < count; i++)
        response->namespaces[response->n_namespaces++] = describe(rpc, found[i]);
    offset += (uint32_t)count;
    if (offset < total) {
        response->next_page_token.data = pd_arena_memdup(rpc->arena, &offset, sizeof offset);
        response->next_page_token.len = sizeof offset;
    }
    return pdi_respond(rpc, response);
}

/* The namespace that Temporal's server keeps for itself. */
#define SYSTEM_NAMESPACE "temporal-system"

static const pd_rpc_error_t *already_exists(pdi_rpc_t *rpc, const char *name)
{
    Temporal__Api__Errordetails__V1__NamespaceAlreadyExistsFailure *detail =
        PD_PB_NEW(rpc->arena, Temporal__Api__Errordetails__V1__NamespaceAlreadyExistsFailure,
                  temporal__api__errordetails__v1__namespace_already_exists_failure);

    return pd_rpc_error_detail(rpc->arena, PD_RPC_ALREADY_EXISTS, detail,
                               "Namespace \"%s\" already exists", name);
}

static const pd_rpc_error_t *check_cluster(pdi_rpc_t *rpc, const char *name)
{
    const char *own = rpc->frontend->options.cluster_name;

    PDI_REFUSE_IF(name[0] && strcmp(name, own ? own : "active") != 0, rpc,
                  "Invalid cluster name: %s", name);
    return NULL;
}

static const pd_rpc_error_t *check_registration(pdi_rpc_t *rpc,
                                                const PD_WS(RegisterNamespaceRequest) * request)
{
    PDI_REFUSE_IF(!request->namespace_[0], rpc, "Namespace not set on request.");
    PDI_REFUSE_IF(request->is_global_namespace, rpc,
                  "Cannot register global namespace when not enabled");
    if (strcmp(request->namespace_, SYSTEM_NAMESPACE) == 0 ||
        pd_namespaces_by_name(rpc->frontend->options.namespaces, request->namespace_))
        return already_exists(rpc, request->namespace_);
    PDI_CHECK(check_cluster(rpc, request->active_cluster_name));
    for (size_t i = 0; i < request->n_clusters; i++)
        PDI_CHECK(check_cluster(rpc, request->clusters[i]->cluster_name));
    PDI_REFUSE_IF(pd_pb_duration_ns(request->workflow_execution_retention_period) <
                      PD_RETENTION_MIN_NS,
                  rpc, "A valid retention period is not set on request.");
    return NULL;
}

const pd_rpc_error_t *pdi_register_namespace(pdi_rpc_t *rpc)
{
    const PD_WS(RegisterNamespaceRequest) *request = rpc->request;
    const pd_router_t *router = &rpc->frontend->options.router;
    Perdure__V1__NamespaceRegistered *ns =
        PD_PB_NEW(rpc->arena, Perdure__V1__NamespaceRegistered, perdure__v1__namespace_registered);

    PDI_CHECK(check_registration(rpc, request));
    ns->namespace_id = pdi_uuid(rpc);
    ns->name = request->namespace_;
    ns->description = request->description;
    ns->owner_email = request->owner_email;
    ns->retention = request->workflow_execution_retention_period;
    ns->is_global = request->is_global_namespace;
    ns->n_data = request->n_data;
    ns->data = pd_arena_calloc(rpc->arena, request->n_data, sizeof *ns->data);
    for (size_t i = 0; i < request->n_data; i++) {
        ns->data[i] = PD_PB_NEW(rpc->arena, Perdure__V1__NamespaceRegistered__DataEntry,
                                perdure__v1__namespace_registered__data_entry);
        ns->data[i]->key = request->data[i]->key;
        ns->data[i]->value = request->data[i]->value;
    }
    return pdi_taken(rpc, router->ops->register_namespace(router->ctx, rpc->call, ns));
}
