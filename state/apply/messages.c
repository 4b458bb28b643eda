/* messages.c -- what a record says to other workflows, what it received, which command it was. */
#include "state/apply/apply.h"

static void consume(pd_store_t *store, int64_t commands_through)
{
    if (commands_through > store->commands_through)
        store->commands_through = commands_through;
}

/* A message to this very partition does not travel: received is delivered. */
static pd_status_t receive(pd_store_t *store, const Perdure__V1__Received *received,
                           pd_error_t *error)
{
    PD_TRY(pdi_inbox_advance(store, received, error));
    if (received->source_partition != (int32_t)store->partition)
        return PD_OK;
    return pdi_outbox_remove(store, store->partition, received->number, error);
}

pd_status_t pdi_apply_messages(pd_store_t *store, int64_t time_ns,
                               const Perdure__V1__Transition *transition, pd_error_t *error)
{
    consume(store, transition->commands_through);
    if (transition->received)
        PD_TRY(receive(store, transition->received, error));
    for (size_t i = 0; i < transition->n_messages; i++)
        PD_TRY(pdi_outbox_add(store, transition->messages[i], error));
    if (!pd_pb_empty(transition->command_id))
        pdi_command_ids_add(store, transition->namespace_id, transition->workflow_id,
                            transition->command_id, time_ns);
    return PD_OK;
}

pd_status_t pdi_apply_progress(pd_store_t *store, const Perdure__V1__Progress *progress,
                               pd_error_t *error)
{
    consume(store, progress->commands_through);
    for (size_t i = 0; i < progress->n_received; i++)
        PD_TRY(receive(store, progress->received[i], error));
    for (size_t i = 0; i < progress->n_sent; i++)
        PD_TRY(pdi_outbox_remove(store, (uint32_t)progress->sent[i]->target_partition,
                                 progress->sent[i]->through_number, error));
    for (size_t i = 0; i < progress->n_ingested; i++)
        pdi_ingest_set(store, progress->ingested[i]);
    if (progress->command_ids_forgotten_before_ns)
        pdi_command_ids_forget(store, progress->command_ids_forgotten_before_ns);
    return PD_OK;
}
