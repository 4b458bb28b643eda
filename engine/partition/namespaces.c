/* Registering namespaces: partition 0's log is their source. */
#include "api/pb/time.h"
#include "engine/partition/partition_private.h"

#include <temporal/api/errordetails/v1/message.pb-c.h>

static const pd_rpc_error_t *already_exists(pd_arena_t *arena)
{
    Temporal__Api__Errordetails__V1__NamespaceAlreadyExistsFailure detail =
        TEMPORAL__API__ERRORDETAILS__V1__NAMESPACE_ALREADY_EXISTS_FAILURE__INIT;

    return pd_rpc_error_detail(arena, PD_RPC_ALREADY_EXISTS, &detail, "Namespace already exists.");
}

/* A heap copy as the registry will see it. */
static Perdure__V1__NamespaceRow *row_of(const Perdure__V1__NamespaceRegistered *registered,
                                         int64_t time_ns)
{
    Perdure__V1__NamespaceRow row, *copy;
    pd_arena_t arena;
    pd_bytes_t bytes;

    pd_arena_init(&arena);
    pd_namespace_row(registered, time_ns, &arena, &row);
    bytes = pd_pb_pack_arena(&row, &arena);
    copy = perdure__v1__namespace_row__unpack(NULL, bytes.size, bytes.data);
    pd_arena_deinit(&arena);
    PD_ASSERT(copy);
    return copy;
}

void pdi_namespace_counts(pd_partition_t *partition, const Perdure__V1__NamespaceRow *row,
                          pd_call_t *call)
{
    const pd_namespace_sink_t *sink = &partition->options.namespace_sink;

    pd_namespaces_publish(partition->options.namespaces, row);
    if (sink->announce)
        sink->announce(sink->ctx, row, call);
    else if (call)
        pd_call_respond_data(call, pd_alloc(0), 0);
}

void pd_partition_register_namespace(pd_partition_t *partition, pd_call_t *call,
                                     const Perdure__V1__NamespaceRegistered *registered)
{
    Perdure__V1__Record record = PERDURE__V1__RECORD__INIT;
    pdi_pending_t *pending;

    PD_ASSERT_LOOP(partition->options.loop);
    PD_ASSERT(partition->options.index == 0);
    if (partition->state != PD_PARTITION_OWNER || partition->stopping) {
        pd_call_fail_not_taken(call, pd_rpc_unavailable(call->arena, "partition 0 is not ready"));
        return;
    }
    /* Also those whose record is in flight: two clients may register one name at once. */
    TAILQ_FOREACH (pending, &partition->pendings, link) {
        if (pending->namespace_row && strcmp(pending->namespace_row->name, registered->name) == 0) {
            pd_call_fail(call, already_exists(call->arena));
            return;
        }
    }
    if (pd_namespaces_by_name(partition->options.namespaces, registered->name)) {
        pd_call_fail(call, already_exists(call->arena));
        return;
    }
    record.body_case = PERDURE__V1__RECORD__BODY_NAMESPACE_REGISTERED;
    record.namespace_registered = (Perdure__V1__NamespaceRegistered *)registered;
    pdi_pipeline_append(partition, &record, NULL, call->arena);
    pending = TAILQ_LAST(&partition->pendings, pdi_pendings);
    PD_ASSERT(pending);
    pending->namespace_row = row_of(registered, record.time_ns);
    pending->namespace_call = call;
}
