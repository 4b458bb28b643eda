/* What the server says of itself. */
#include <grpc/health/v1/health.pb-c.h>

#include "engine/frontend/frontend_private.h"

/* The release of Temporal's server whose behaviour this one follows: clients compare it. */
#define SERVER_VERSION "1.32.0"

const pd_rpc_error_t *pdi_get_system_info(pdi_rpc_t *rpc)
{
    PD_WS(GetSystemInfoResponse) *response = pdi_new_response(rpc);
    PD_WS(GetSystemInfoResponse__Capabilities) *can =
        PD_PB_NEW(rpc->arena, PD_WS(GetSystemInfoResponse__Capabilities),
                  temporal__api__workflowservice__v1__get_system_info_response__capabilities);

    /* Clients change what they send by these flags: only what works here is set. */
    can->signal_and_query_header = true;
    can->internal_error_differentiation = true;
    can->activity_failure_include_heartbeat = true;
    can->encoded_failure_attributes = true;
    can->build_id_based_versioning = true; /* stamps are kept; versioning itself is refused */
    can->eager_workflow_start = true;
    can->sdk_metadata = true;
    can->upsert_memo = true;
    response->server_version = (char *)SERVER_VERSION;
    response->capabilities = can;
    return pdi_respond(rpc, response);
}

const pd_rpc_error_t *pdi_get_cluster_info(pdi_rpc_t *rpc)
{
    static const char *const clients[][2] = {
        {"Nexus-go-sdk", "<2.0.0"},        {"temporal-cli", "<2.0.0"},
        {"temporal-go", "<2.0.0"},         {"temporal-java", "<2.0.0"},
        {"temporal-php", "<2.0.0"},        {"temporal-server", "<2.0.0"},
        {"temporal-typescript", "<2.0.0"}, {"temporal-ui", "<3.0.0"},
    };
    const pd_frontend_options_t *options = &rpc->frontend->options;
    PD_WS(GetClusterInfoResponse) *response = pdi_new_response(rpc);

    response->n_supported_clients = PD_ARRAY_COUNT(clients);
    response->supported_clients =
        pd_arena_calloc(rpc->arena, PD_ARRAY_COUNT(clients), sizeof *response->supported_clients);
    for (size_t i = 0; i < PD_ARRAY_COUNT(clients); i++) {
        PD_WS(GetClusterInfoResponse__SupportedClientsEntry) *entry = PD_PB_NEW(
            rpc->arena, PD_WS(GetClusterInfoResponse__SupportedClientsEntry),
            temporal__api__workflowservice__v1__get_cluster_info_response__supported_clients_entry);

        entry->key = (char *)clients[i][0];
        entry->value = (char *)clients[i][1];
        response->supported_clients[i] = entry;
    }
    response->server_version = (char *)SERVER_VERSION;
    response->cluster_id = (char *)(options->cluster_id ? options->cluster_id
                                                        : "00000000-0000-0000-0000-000000000000");
    response->cluster_name = (char *)(options->cluster_name ? options->cluster_name : "active");
    response->history_shard_count = options->history_shard_count;
    response->persistence_store = (char *)"perdure";
    response->visibility_store = (char *)"perdure";
    response->initial_failover_version = 1;
    response->failover_version_increment = 10;
    return pdi_respond(rpc, response);
}

const pd_rpc_error_t *pdi_health_check(pdi_rpc_t *rpc)
{
    static const char *const known[] = {
        "",
        "temporal.api.workflowservice.v1.WorkflowService",
        "temporal.api.operatorservice.v1.OperatorService",
        "grpc.health.v1.Health",
    };
    const Grpc__Health__V1__HealthCheckRequest *request = rpc->request;
    Grpc__Health__V1__HealthCheckResponse *response = pdi_new_response(rpc);

    for (size_t i = 0; i < PD_ARRAY_COUNT(known); i++) {
        if (strcmp(request->service, known[i]) == 0) {
            response->status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
            return pdi_respond(rpc, response);
        }
    }
    return pd_rpc_error(rpc->arena, PD_RPC_NOT_FOUND, "unknown service");
}
