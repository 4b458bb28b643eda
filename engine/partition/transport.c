/* transport.c -- the beginning and the end of what transport_private.h describes. */
#include "engine/partition/transport_private.h"

static void on_idle(pd_sender_user_t *user)
{
    pdi_partition_maybe_stopped(PD_CONTAINER_OF(user, pdi_transport_t, user)->partition);
}

pdi_transport_t *pdi_transport_new(pd_partition_t *partition)
{
    pdi_transport_t *transport = PD_NEW(pdi_transport_t);

    transport->partition = partition;
    transport->user.idle = on_idle;
    transport->lane_count = partition->options.partition_count;
    transport->lanes = pd_calloc(transport->lane_count, sizeof(transport->lanes[0]));
    pd_arena_init(&transport->arena);
    pdi_ingest_new(transport);
    pd_buf_init(&transport->buf, PD_LOG_RECORD_SIZE_LIMIT);
    return transport;
}

void pdi_transport_free(pdi_transport_t *transport)
{
    PD_ASSERT(!transport->joined && !transport->reader);
    pdi_ingest_free_all(transport);
    pd_arena_deinit(&transport->arena);
    pd_buf_deinit(&transport->buf);
    pd_free(transport->lanes);
    pd_free(transport);
}

void pdi_transport_start(pd_partition_t *partition)
{
    pdi_transport_t *transport = partition->transport;

    PD_ASSERT(!transport->running);
    if (partition->state != PD_PARTITION_OWNER) /* released, or lost, over the news of it */
        return;
    if (!transport->joined)
        pd_senders_join(partition->options.senders, &transport->user);
    transport->joined = transport->running = true;
    transport->owned_since_ns = pd_partition_now_ns(partition);
    pdi_outbox_start(transport);
    pdi_inbox_start(transport);
    pdi_outbox_pump(transport);
    if (transport->running)
        pdi_ingest_start(transport);
}

void pdi_transport_stop(pd_partition_t *partition)
{
    pdi_transport_t *transport = partition->transport;

    transport->running = false;
    pdi_ingest_stop(transport);
    pdi_inbox_stop(transport);
    pdi_outbox_stop(transport);
    pdi_progress_stop(transport);
}

bool pdi_transport_stopped(pd_partition_t *partition)
{
    pdi_transport_t *transport = partition->transport;

    if (transport->running || transport->reader_closing || !pdi_ingest_stopped(transport) ||
        (transport->joined && pd_senders_closing(partition->options.senders)))
        return false;
    if (transport->joined)
        pd_senders_leave(partition->options.senders, &transport->user);
    transport->joined = false;
    return true;
}

int64_t pdi_transport_commands_through(const pd_partition_t *partition, const pd_command_t *command)
{
    if (command && command->inbound && !command->inbound->local)
        return command->inbound->offset;
    return partition->transport->consumed_through;
}

void pdi_transport_settled(pd_partition_t *partition, pdi_pending_t *pending)
{
    pdi_transport_t *transport = partition->transport;
    const pdi_lane_t *own = &transport->lanes[partition->options.index];

    if (!transport->running)
        return;
    for (size_t i = 0; i < pending->mark_count; i++)
        transport->lanes[pending->marks[i].target].recorded_through =
            pending->marks[i].through_number;
    if (pending->mark_count || own->next_number <= own->recorded_through)
        pdi_outbox_pump(transport);
    if (transport->wait == PDI_INBOX_FULL)
        pdi_inbox_pump(transport);
}

void pd_partition_transport_stats(const pd_partition_t *partition, pd_transport_stats_t *stats)
{
    const pdi_transport_t *transport = partition->transport;

    *stats = (pd_transport_stats_t){.commands_through = -1, .commands_end_offset = -1};
    if (!transport->running)
        return;
    stats->commands_through = transport->consumed_through;
    stats->commands_end_offset = transport->end_offset;
    for (uint32_t i = 0; i < transport->lane_count; i++) {
        const pdi_lane_t *lane = &transport->lanes[i];
        pd_outbox_range_t range = pd_store_outbox(partition->store, i);
        bool own = i == partition->options.index;

        stats->outbox_waiting +=
            range.last_number - (own ? range.done_through : lane->acked_through);
    }
    stats->received_count = pdi_measured_commands(partition, PD_COMMAND_DECIDED);
    stats->repeated_count = pdi_measured_commands(partition, PD_COMMAND_REPEATED);
    stats->rejected_count = pdi_measured_commands(partition, PD_COMMAND_REJECTED);
    stats->forwarded_count = pdi_measured_commands(partition, PD_COMMAND_FORWARDED);
}
