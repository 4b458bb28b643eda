/* inbox.c -- the owner reads its partition of the topic of commands, in order, one by one.
 *
 * The offset that a transition carries says that everything before it is done. So a command is
 * not decided while an earlier one is on its way to the topic of rejects; what is of no effect
 * (repeats, numbers behind a hole) is passed over at once. Records are looked at where the log lent
 * them: the next read is issued when all of the last one are done, and none is while too much is
 * in flight. */
#include <stdio.h>

#include "base/diag.h"
#include "engine/partition/transport_private.h"

#define RETRY_NS ((int64_t)100 * 1000000)

static void read_next(pdi_transport_t *transport);

static void on_retry(pd_timer_t *timer)
{
    pdi_transport_t *transport = PD_CONTAINER_OF(timer, pdi_transport_t, retry_timer);

    if (transport->wait == PDI_INBOX_NAMESPACE)
        transport->wait = PDI_INBOX_GOES_ON;
    if (!transport->batch && !transport->reader->reading)
        read_next(transport);
    else
        pdi_inbox_pump(transport);
}

static void retry_in(pdi_transport_t *transport, int64_t delay_ns)
{
    transport->retry_timer.fire = on_retry;
    pd_loop_timer_start(transport->partition->options.loop, &transport->retry_timer,
                        pd_partition_now_ns(transport->partition) + delay_ns);
}

/* ---- one record after the other ---- */

static const pd_log_record_t *at_hand(const pdi_transport_t *transport)
{
    return &transport->read.records[transport->index];
}

static void tell_lag(pdi_transport_t *transport)
{
    int64_t lag = transport->end_offset - 1 - transport->consumed_through;

    pd_gauge_set(&transport->partition->metrics.commands_lag, lag > 0 ? lag : 0);
}

static void consume(pdi_transport_t *transport)
{
    if (transport->rejects_in_flight)
        return;
    transport->consumed_through = transport->handled_through;
    tell_lag(transport);
    if (transport->consumed_through > pd_store_commands_through(transport->partition->store))
        pdi_progress_due(transport);
}

static void handled(pdi_transport_t *transport)
{
    transport->handled_through = at_hand(transport)->offset;
    transport->index++;
    consume(transport);
}

static void on_reject_sent(pd_sender_user_t *user, pd_sender_t *sender, int64_t cookie)
{
    pdi_transport_t *transport = PD_CONTAINER_OF(user, pdi_transport_t, user);

    PD_ASSERT(transport->rejects_in_flight > 0);
    transport->rejects_in_flight--;
    consume(transport);
    if (transport->wait == PDI_INBOX_REJECTS)
        transport->wait = PDI_INBOX_GOES_ON;
    pdi_inbox_pump(transport);
}

/* A refused command, or a numbered one that cannot be carried out: the one at hand. */
static void on_refusal_sent(pd_sender_user_t *user, pd_sender_t *sender, int64_t number)
{
    pdi_transport_t *transport = PD_CONTAINER_OF(user, pdi_transport_t, user);

    PD_ASSERT(transport->wait == PDI_INBOX_REFUSED);
    transport->wait = PDI_INBOX_GOES_ON;
    handled(transport);
    if (number) {
        PD_ASSERT(number == transport->refused_received.number);
        pdi_progress_received(transport, &transport->refused_received);
    }
    pdi_inbox_pump(transport);
}

/* Nothing is decided before it is told to the topic of rejects. */
static void refuse(pdi_transport_t *transport, int code, const char *reason,
                   const Perdure__V1__Received *received)
{
    transport->wait = PDI_INBOX_REFUSED;
    transport->refused_received = *received;
    if (received->source_topic) { /* of a command that is about to go */
        snprintf(transport->refused_topic, sizeof(transport->refused_topic), "%s",
                 received->source_topic);
        transport->refused_received.source_topic = transport->refused_topic;
    }
    pdi_reject(transport, at_hand(transport), "commands", code, reason, received->number,
               on_refusal_sent);
}

static void forward(pdi_transport_t *transport, uint32_t partition)
{
    const pd_log_record_t *record = at_hand(transport);
    pdi_lane_t *lane = &transport->lanes[partition];

    if (!lane->sender)
        lane->sender =
            pd_sender_open(transport->partition->options.senders, PD_LOG_COMMANDS, partition);
    pdi_measure_command(transport->partition, PD_COMMAND_FORWARDED);
    transport->rejects_in_flight++;
    /* A little larger than it was, for its ID: then it is too large. */
    if (pd_sender_send(lane->sender, &transport->user, record->key, pd_buf_bytes(&transport->buf),
                       record->offset, on_reject_sent) != PD_OK)
        pdi_reject(transport, record, "commands", PD_RPC_INVALID_ARGUMENT,
                   "the command came to a wrong partition, and is too large to be forwarded",
                   record->offset, on_reject_sent);
    handled(transport);
}

static void submit(pdi_transport_t *transport, pd_command_t *command)
{
    size_t size = at_hand(transport)->value.size;

    command->inbound = PD_ARENA_NEW(command->arena, pd_inbound_t);
    command->inbound->offset = at_hand(transport)->offset;
    command->inbound->size = size;
    transport->submitted_count++;
    transport->submitted_size += size;
    pdi_measure_command(transport->partition, PD_COMMAND_DECIDED);
    pd_partition_submit(transport->partition, command);
    if (transport->running && transport->wait == PDI_INBOX_GOES_ON)
        handled(transport);
}

/* False: not now. */
static bool look(pdi_transport_t *transport)
{
    pdi_inbound_result_t result = {.received = PERDURE__V1__RECEIVED__INIT};
    pdi_verdict_t verdict = pdi_inbound_look(transport, at_hand(transport), &result);
    bool must_be_first =
        verdict == PDI_VERDICT_SUBMIT || (verdict == PDI_VERDICT_REJECT && result.received.number);

    if (!transport->running) { /* lost over it */
        pdi_command_drop(result.command);
        return false;
    }
    if ((must_be_first && transport->rejects_in_flight) ||
        transport->rejects_in_flight >= PDI_REJECTS_IN_FLIGHT_MAX) {
        pdi_command_drop(result.command);
        transport->wait = PDI_INBOX_REJECTS;
        return false;
    }
    switch (verdict) {
    case PDI_VERDICT_IGNORE:
        transport->ignored_count++;
        handled(transport);
        break;
    case PDI_VERDICT_REJECT:
        if (result.received.number) {
            refuse(transport, result.code, result.reason, &result.received);
            break;
        }
        transport->rejects_in_flight++;
        pdi_reject(transport, at_hand(transport), "commands", result.code, result.reason, 0,
                   on_reject_sent);
        handled(transport);
        break;
    case PDI_VERDICT_FORWARD:
        forward(transport, result.forward_to);
        break;
    case PDI_VERDICT_WAIT:
        transport->wait = PDI_INBOX_NAMESPACE;
        retry_in(transport, PDI_NAMESPACE_RETRY_NS);
        break;
    case PDI_VERDICT_SUBMIT:
        submit(transport, result.command);
        return true;
    }
    pdi_command_drop(result.command);
    return true;
}

static bool is_full(const pdi_transport_t *transport)
{
    return !pdi_transport_may_submit(transport) ||
           transport->submitted_count >= PDI_SUBMITTED_MAX ||
           transport->submitted_size >= PDI_SUBMITTED_SIZE_MAX;
}

void pdi_inbox_pump(pdi_transport_t *transport)
{
    if (transport->pumping || !transport->batch)
        return;
    transport->pumping = true;
    if (transport->wait == PDI_INBOX_FULL)
        transport->wait = PDI_INBOX_GOES_ON;
    while (transport->batch && transport->wait == PDI_INBOX_GOES_ON) {
        if (transport->index == transport->read.count) {
            transport->batch = false;
            read_next(transport);
        } else if (is_full(transport)) {
            transport->wait = PDI_INBOX_FULL;
        } else if (!look(transport)) {
            break;
        }
    }
    transport->pumping = false;
}

/* ---- how commands end ---- */

void pdi_transport_refusing(pd_partition_t *partition, pd_command_t *command)
{
    pdi_transport_t *transport = partition->transport;

    command->inbound->refused = true;
    if (command->inbound->local)
        transport->local_refused = true;
    else
        transport->wait = PDI_INBOX_REFUSED;
}

static void count_out(pdi_transport_t *transport, const pd_inbound_t *inbound)
{
    if (inbound->local) {
        transport->local_submitted_count--;
    } else {
        transport->submitted_count--;
        transport->submitted_size -= inbound->size;
    }
}

void pdi_transport_refused(pd_partition_t *partition, pd_command_t *command,
                           const pd_rpc_error_t *error)
{
    pdi_transport_t *transport = partition->transport;
    static const Perdure__V1__Received none = PERDURE__V1__RECEIVED__INIT;
    const Perdure__V1__Received *received = command->received ? command->received : &none;

    if (!transport->running)
        return; /* nobody's any more; whoever owns the partition next will see to it */
    count_out(transport, command->inbound);
    if (!command->inbound->refused)
        return; /* not decided: the partition is being lost */
    if (command->inbound->local)
        pdi_outbox_refused_local(transport, command, error);
    else
        refuse(transport, (int)error->code, error->message, received);
}

void pdi_transport_done(pd_partition_t *partition, pd_command_t *command)
{
    if (!partition->transport->running)
        return;
    count_out(partition->transport, command->inbound);
    if (command->command_id) {
        partition->transport->ids_seen = true;
        pdi_progress_due(partition->transport);
    }
}

/* ---- reading ---- */

/* Retention removed what was not read: those commands are lost, which must not go unnoticed. */
static void skip_to_start(pdi_transport_t *transport)
{
    pd_log_read_t *read = &transport->read;

    PD_DIAG(PD_DIAG_ERROR, "commands were removed before they were read",
            "partition=%u from=%lld to=%lld: retention of the topic of commands is too short",
            transport->partition->options.index, (long long)read->from_offset,
            (long long)read->start_offset - 1);
    transport->handled_through = read->start_offset - 1;
    consume(transport);
    read_next(transport);
}

static void on_read(pd_log_read_t *read)
{
    pdi_transport_t *transport = PD_CONTAINER_OF(read, pdi_transport_t, read);

    if (!transport->running || !transport->reader || read->status == PD_CANCELED)
        return;
    if (read->status == PD_NOT_FOUND) {
        skip_to_start(transport);
    } else if (read->status != PD_OK) {
        PD_DIAG(PD_DIAG_WARN, "commands cannot be read", "partition=%u offset=%lld status=%s",
                transport->partition->options.index, (long long)read->from_offset,
                pd_status_name(read->status));
        retry_in(transport, RETRY_NS);
    } else {
        transport->batch = true;
        transport->end_offset = read->end_offset;
        transport->index = 0;
        tell_lag(transport);
        pdi_inbox_pump(transport);
    }
}

static void read_next(pdi_transport_t *transport)
{
    pd_log_read_t *read = &transport->read;

    memset(read, 0, sizeof(*read));
    read->from_offset =
        transport->handled_through >= 0 ? transport->handled_through + 1 : PD_LOG_FIRST;
    read->wait = true;
    read->done = on_read;
    pd_log_read(transport->reader, read);
}

static void open_reader(pdi_transport_t *transport)
{
    pd_partition_t *partition = transport->partition;
    pd_log_handle_options_t handle = {.loop = partition->options.loop,
                                      .topic = PD_LOG_COMMANDS,
                                      .partition = partition->options.index};
    pd_error_t error;

    if (pd_log_open_reader(partition->options.log, &handle, &transport->reader, &error) == PD_OK) {
        read_next(transport);
        return;
    }
    transport->reader = NULL;
    pdi_partition_lose(partition, &error);
}

void pdi_inbox_start(pdi_transport_t *transport)
{
    transport->batch = transport->pumping = false;
    transport->end_offset = -1;
    transport->wait = PDI_INBOX_GOES_ON;
    transport->rejects_in_flight = transport->submitted_count = 0;
    transport->submitted_size = 0;
    transport->handled_through = transport->consumed_through =
        pd_store_commands_through(transport->partition->store);
    if (!transport->reader_closing)
        open_reader(transport);
}

static void on_reader_closed(pd_mail_t *mail)
{
    pdi_transport_t *transport = PD_CONTAINER_OF(mail, pdi_transport_t, reader_closed);

    transport->reader_closing = false;
    if (transport->running)
        open_reader(transport);
    pdi_partition_maybe_stopped(transport->partition);
}

void pdi_inbox_stop(pdi_transport_t *transport)
{
    pd_log_reader_t *reader = transport->reader;

    pd_loop_timer_stop(transport->partition->options.loop, &transport->retry_timer);
    transport->batch = false;
    if (!reader)
        return;
    transport->reader = NULL;
    transport->reader_closing = true;
    transport->reader_closed.run = on_reader_closed;
    pd_log_close_reader(reader, &transport->reader_closed);
}
