/* progress.c -- what no transition says is recorded now and then: how far messages were sent, how
 * far commands without effect were read, which command IDs are forgotten. Nothing depends on when;
 * a partition with nothing new to say writes nothing. */
#include "engine/partition/transport_private.h"

static size_t fill_sent(pdi_transport_t *transport, Perdure__V1__Progress *progress)
{
    progress->sent =
        pd_arena_alloc(&transport->arena, transport->lane_count * sizeof(progress->sent[0]));
    for (uint32_t i = 0; i < transport->lane_count; i++) {
        pdi_lane_t *lane = &transport->lanes[i];
        Perdure__V1__OutboxSent *sent;

        if (i == transport->partition->options.index || lane->acked_through == lane->marked_through)
            continue;
        sent = PD_PB_NEW(&transport->arena, Perdure__V1__OutboxSent, perdure__v1__outbox_sent);
        sent->target_partition = (int32_t)i;
        sent->through_number = lane->marked_through = lane->acked_through;
        progress->sent[progress->n_sent++] = sent;
    }
    return progress->n_sent;
}

static void append(pdi_transport_t *transport, Perdure__V1__Progress *progress)
{
    Perdure__V1__Record record = PERDURE__V1__RECORD__INIT;

    progress->commands_through = transport->noted_through = transport->consumed_through;
    record.body_case = PERDURE__V1__RECORD__BODY_PROGRESS;
    record.progress = progress;
    pdi_pipeline_append(transport->partition, &record, NULL, NULL);
}

static void note(pdi_transport_t *transport)
{
    Perdure__V1__Progress progress = PERDURE__V1__PROGRESS__INIT;
    bool behind;

    pd_arena_reset(&transport->arena);
    behind = transport->consumed_through > pd_store_commands_through(transport->partition->store);
    transport->unmarked_count = 0;
    if (fill_sent(transport, &progress) + pdi_ingest_fill(transport, &progress) == 0 && !behind &&
        !transport->ids_seen)
        return;
    if (transport->ids_seen)
        progress.command_ids_forgotten_before_ns = pd_partition_now_ns(transport->partition) -
                                                   transport->partition->options.command_id_keep_ns;
    transport->ids_seen = false;
    append(transport, &progress);
}

static void on_timer(pd_timer_t *timer)
{
    pdi_transport_t *transport = PD_CONTAINER_OF(timer, pdi_transport_t, progress_timer);

    transport->progress_armed = false;
    if (!transport->running || transport->partition->stopping)
        return;
    if (pdi_transport_may_submit(transport))
        note(transport);
    else
        pdi_progress_due(transport);
}

void pdi_progress_due(pdi_transport_t *transport)
{
    pd_partition_t *partition = transport->partition;

    if (transport->progress_armed)
        return;
    transport->progress_armed = true;
    transport->progress_timer.fire = on_timer;
    pd_loop_timer_start(partition->options.loop, &transport->progress_timer,
                        pd_partition_now_ns(partition) + partition->options.progress_delay_ns);
}

void pdi_progress_sent(pdi_transport_t *transport)
{
    if (++transport->unmarked_count >= PDI_PROGRESS_MESSAGES && pdi_transport_may_submit(transport))
        note(transport);
    else
        pdi_progress_due(transport);
}

void pdi_progress_received(pdi_transport_t *transport, Perdure__V1__Received *received)
{
    Perdure__V1__Progress progress = PERDURE__V1__PROGRESS__INIT;

    progress.received = &received;
    progress.n_received = 1;
    append(transport, &progress);
}

void pdi_progress_stop(pdi_transport_t *transport)
{
    pd_loop_timer_stop(transport->partition->options.loop, &transport->progress_timer);
    transport->progress_armed = false;
    transport->unmarked_count = 0;
}
