/* outbox.c -- messages leave: numbered when their record is made, sent once it counts.
 *
 * The rows of the outbox are the queue; a lane knows how far it is along them. A successor begins
 * at the first row: what was sent and not marked is sent again, and ignored by its number. */
#include "base/diag.h"
#include "engine/partition/transport_private.h"
#include "engine/partitioner.h"

/* ---- numbering ---- */

void pdi_outbox_number(pd_partition_t *partition, Perdure__V1__Transition *transition)
{
    pdi_transport_t *transport = partition->transport;

    transport->numbering++;
    for (size_t i = 0; i < transition->n_messages; i++) {
        Perdure__V1__Message *message = transition->messages[i];
        uint32_t target = pd_partition_of(pd_pb_str(message->workflow_id), transport->lane_count);
        pdi_lane_t *lane = &transport->lanes[target];

        if (lane->numbering != transport->numbering) {
            lane->numbering = transport->numbering;
            lane->numbered_through = pd_store_outbox(partition->store, target).last_number;
        }
        message->target_partition = (int32_t)target;
        message->number = ++lane->numbered_through;
    }
}

void pdi_outbox_appended(pdi_pending_t *pending, const Perdure__V1__Transition *transition)
{
    for (size_t i = 0; i < transition->n_messages; i++) {
        uint32_t target = (uint32_t)transition->messages[i]->target_partition;
        pdi_mark_t *last = pending->mark_count ? &pending->marks[pending->mark_count - 1] : NULL;

        if (!last || last->target != target) {
            if (pending->mark_count == pending->mark_capacity) {
                pending->mark_capacity = pending->mark_capacity ? pending->mark_capacity * 2 : 4;
                pending->marks =
                    pd_realloc(pending->marks, pending->mark_capacity * sizeof(pending->marks[0]));
            }
            last = &pending->marks[pending->mark_count++];
            last->target = target;
        }
        last->through_number = transition->messages[i]->number;
    }
}

/* ---- to the same partition ---- */

static pd_command_t *local_command(pdi_transport_t *transport, int64_t number)
{
    pd_partition_t *partition = transport->partition;
    pd_bytes_t bytes = pd_store_outbox_message(partition->store, partition->options.index, number);
    pd_command_t *command = pd_command_new(NULL);
    Perdure__V1__Message *message =
        pd_pb_unpack(&perdure__v1__message__descriptor, command->arena, bytes);

    PD_ASSERT(message && message->number == number);
    command->inbound = PD_ARENA_NEW(command->arena, pd_inbound_t);
    command->inbound->local = true;
    command->inbound->offset = -1;
    command->received = PD_PB_NEW(command->arena, Perdure__V1__Received, perdure__v1__received);
    command->received->source_partition = (int32_t)partition->options.index;
    command->received->number = number;
    command->kind = partition->options.message_kind(message);
    command->ns = pd_namespaces_by_id(partition->options.namespaces, message->namespace_id);
    command->workflow_id = message->workflow_id;
    command->run_id = message->run_id;
    command->request = message;
    return command;
}

static void on_local_timer(pd_timer_t *timer)
{
    pdi_outbox_pump(PD_CONTAINER_OF(timer, pdi_transport_t, local_timer));
}

/* Its namespace may be on its way to this node, which has only just begun. */
static bool wait_for_namespace(pdi_transport_t *transport, const pd_command_t *command)
{
    pd_partition_t *partition = transport->partition;
    int64_t now_ns = pd_partition_now_ns(partition);

    if (!command->kind || command->ns ||
        now_ns - transport->owned_since_ns >= PDI_NAMESPACE_WAIT_NS)
        return false;
    transport->local_timer.fire = on_local_timer;
    pd_loop_timer_start(partition->options.loop, &transport->local_timer,
                        now_ns + PDI_NAMESPACE_RETRY_NS);
    return true;
}

/* Its kind or its namespace is not known here: a newer version wrote it. It is received, and the
 * operator is told. */
static void give_up_local(pdi_transport_t *transport, pd_command_t *command)
{
    Perdure__V1__Received received = *command->received;

    PD_DIAG(PD_DIAG_ERROR, "a message cannot be delivered", "partition=%u number=%lld workflow=%s",
            transport->partition->options.index, (long long)received.number, command->workflow_id);
    pdi_command_drop(command);
    pdi_progress_received(transport, &received);
}

static void pump_local(pdi_transport_t *transport)
{
    uint32_t own = transport->partition->options.index;
    pdi_lane_t *lane = &transport->lanes[own];

    if (transport->pumping_local)
        return;
    transport->pumping_local = true;
    while (pdi_transport_may_submit(transport) && !transport->local_refused &&
           lane->next_number <= lane->recorded_through &&
           transport->local_submitted_count < PDI_SUBMITTED_MAX) {
        pd_command_t *command = local_command(transport, lane->next_number);

        PD_ASSERT(pd_store_inbox_last(transport->partition->store, (int32_t)own, "") ==
                  lane->next_number - 1);
        if (wait_for_namespace(transport, command)) {
            pdi_command_drop(command);
            break;
        }
        lane->next_number++;
        if (!command->kind || !command->ns) {
            give_up_local(transport, command);
            continue;
        }
        transport->local_submitted_count++;
        pd_partition_submit(transport->partition, command);
    }
    transport->pumping_local = false;
}

static void on_refusal_sent(pd_sender_user_t *user, pd_sender_t *sender, int64_t number)
{
    pdi_transport_t *transport = PD_CONTAINER_OF(user, pdi_transport_t, user);
    Perdure__V1__Received received = PERDURE__V1__RECEIVED__INIT;

    received.source_partition = (int32_t)transport->partition->options.index;
    received.number = number;
    transport->local_refused = false;
    pdi_progress_received(transport, &received);
    pdi_outbox_pump(transport);
}

void pdi_outbox_refused_local(pdi_transport_t *transport, pd_command_t *command,
                              const pd_rpc_error_t *error)
{
    pd_log_record_t record = {.offset = -1, .key = pd_bytes_str(command->workflow_id)};

    record.value = pd_pb_pack_arena(command->request, command->arena);
    pdi_reject(transport, &record, "outbox", (int)error->code, error->message,
               command->received->number, on_refusal_sent);
}

/* ---- to other partitions ---- */

static void on_sent(pd_sender_user_t *user, pd_sender_t *sender, int64_t number)
{
    pdi_transport_t *transport = PD_CONTAINER_OF(user, pdi_transport_t, user);
    pdi_lane_t *lane = &transport->lanes[pd_sender_partition(sender)];

    if (!transport->running)
        return;
    PD_ASSERT(number == lane->acked_through + 1);
    lane->acked_through = number;
    pdi_progress_sent(transport);
    pdi_outbox_pump(transport);
}

static void encode(pdi_transport_t *transport, Perdure__V1__Message *message)
{
    Perdure__V1__Command command = PERDURE__V1__COMMAND__INIT;
    Perdure__V1__SentMessage sent = PERDURE__V1__SENT_MESSAGE__INIT;

    sent.source_partition = (int32_t)transport->partition->options.index;
    sent.message = message;
    command.body_case = PERDURE__V1__COMMAND__BODY_MESSAGE;
    command.message = &sent;
    pd_buf_clear(&transport->buf);
    PD_ASSERT(pd_record_encode(transport->partition->options.command_codec, &command.base,
                               &transport->buf) == PD_OK);
}

static void send_message(pdi_transport_t *transport, pdi_lane_t *lane, uint32_t target)
{
    pd_bytes_t bytes =
        pd_store_outbox_message(transport->partition->store, target, lane->next_number);
    Perdure__V1__Message *message;
    pd_bytes_t key;

    pd_arena_reset(&transport->arena);
    message = pd_pb_unpack(&perdure__v1__message__descriptor, &transport->arena, bytes);
    PD_ASSERT(message && message->number == lane->next_number);
    key = pd_bytes_str(pd_pb_str(message->workflow_id));
    encode(transport, message);
    if (pd_sender_send(lane->sender, &transport->user, key, pd_buf_bytes(&transport->buf),
                       lane->next_number, on_sent) != PD_OK) {
        /* The record that held it fitted, this one is a little larger. Its number must arrive. */
        PD_DIAG(PD_DIAG_ERROR, "a message is too large to be sent",
                "partition=%u target=%u number=%lld workflow=%s",
                transport->partition->options.index, target, (long long)lane->next_number,
                message->workflow_id);
        message->body_case = PERDURE__V1__MESSAGE__BODY__NOT_SET;
        encode(transport, message);
        PD_ASSERT(pd_sender_send(lane->sender, &transport->user, key, pd_buf_bytes(&transport->buf),
                                 lane->next_number, on_sent) == PD_OK);
    }
    lane->next_number++;
}

static void pump_lane(pdi_transport_t *transport, uint32_t target)
{
    pdi_lane_t *lane = &transport->lanes[target];

    if (lane->next_number > lane->recorded_through)
        return;
    if (!lane->sender)
        lane->sender =
            pd_sender_open(transport->partition->options.senders, PD_LOG_COMMANDS, target);
    while (lane->next_number <= lane->recorded_through &&
           lane->next_number - lane->acked_through <= PDI_LANE_IN_FLIGHT_MAX)
        send_message(transport, lane, target);
}

void pdi_outbox_pump(pdi_transport_t *transport)
{
    uint32_t own = transport->partition->options.index;

    for (uint32_t i = 0; transport->running && i < transport->lane_count; i++) {
        if (i != own)
            pump_lane(transport, i);
    }
    if (transport->running)
        pump_local(transport);
}

/* ---- life ---- */

/* Everything in the state counts: the partition has just become ours. */
void pdi_outbox_start(pdi_transport_t *transport)
{
    for (uint32_t i = 0; i < transport->lane_count; i++) {
        pd_outbox_range_t range = pd_store_outbox(transport->partition->store, i);

        transport->lanes[i] = (pdi_lane_t){
            .recorded_through = range.last_number,
            .next_number = range.done_through + 1,
            .acked_through = range.done_through,
            .marked_through = range.done_through,
        };
    }
    transport->numbering = 0;
    transport->local_submitted_count = 0;
    transport->local_refused = false;
}

void pdi_outbox_stop(pdi_transport_t *transport)
{
    pd_loop_timer_stop(transport->partition->options.loop, &transport->local_timer);
    for (uint32_t i = 0; i < transport->lane_count; i++) {
        if (transport->lanes[i].sender)
            pd_sender_close(transport->lanes[i].sender, &transport->user);
        transport->lanes[i].sender = NULL;
    }
    if (transport->rejects)
        pd_sender_close(transport->rejects, &transport->user);
    transport->rejects = NULL;
}
