/* Workers as such. */
#include "engine/frontend/validate.h"

const pd_rpc_error_t *pdi_shutdown_worker(pdi_rpc_t *rpc)
{
    const PD_WS(ShutdownWorkerRequest) *request = rpc->request;
    const pd_router_t *router = &rpc->frontend->options.router;

    return pdi_taken(rpc, router->ops->shutdown_worker(router->ctx, rpc->call, rpc->ns, request));
}
