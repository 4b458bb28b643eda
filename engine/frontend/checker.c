/* checker.c -- the frontend's checks for requests that come without a call: see
 * pd_command_checker_t. */
#include "engine/frontend/frontend_private.h"

static const pd_rpc_error_t *check(pd_arena_t *arena, const pd_namespace_t *ns, int64_t now_ns,
                                   pd_random_t *random, const pd_command_kind_t *kind,
                                   void *request)
{
    pdi_rpc_t rpc = {
        .arena = arena, .ns = ns, .now_ns = now_ns, .random = random, .request = request};

    if (kind == &pd_command_start_workflow)
        return pdi_prepare_start(&rpc);
    if (kind == &pd_command_signal_with_start)
        return pdi_prepare_signal_with_start(&rpc);
    if (kind == &pd_command_signal)
        return pdi_prepare_signal(&rpc);
    if (kind == &pd_command_request_cancel)
        return pdi_prepare_request_cancel(&rpc);
    PD_ASSERT(kind == &pd_command_terminate);
    return pdi_prepare_terminate(&rpc);
}

const pd_command_checker_t pd_frontend_checker = {
    .check = check,
    .namespace_not_found = pd_rpc_namespace_not_found,
};
