#include "tests/unit/log/embedded_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum { IN_FLIGHT = 40 };

pd_status_t client_open(client_t *client, const char *directory)
{
    static const pd_loop_event_options_t loop_options = {.name = "client", .mailbox_count = 16};
    pd_log_embedded_options_t options = {.directory = directory,
                                         .partition_counts = {CLIENT_PARTITIONS, 0, 0, 0}};

    *client = (client_t){0};
    PD_TRY(pd_log_embedded_open(&options, &client->log, &client->error));
    client->loop_event = pd_loop_event_new(&loop_options);
    return PD_OK;
}

typedef struct waiter {
    pd_mail_t closed_mail; /* first: converts */
    client_t *client;
    bool done;
} waiter_t;

static void on_closed(pd_mail_t *mail)
{
    waiter_t *waiter = (waiter_t *)mail;

    waiter->done = true;
    pd_loop_event_break(waiter->client->loop_event);
}

static void wait_for(waiter_t *waiter)
{
    while (!waiter->done)
        pd_loop_event_run(waiter->client->loop_event);
}

void client_close(client_t *client)
{
    for (int i = 0; i < CLIENT_PARTITIONS; i++) {
        waiter_t waiter = {.closed_mail.run = on_closed, .client = client};

        if (!client->writers[i])
            continue;
        pd_log_close_writer(client->writers[i], &waiter.closed_mail);
        wait_for(&waiter);
    }
    pd_log_close(client->log);
    pd_loop_event_free(client->loop_event);
}

typedef struct append_call {
    pd_log_append_t append; /* first: converts */
    waiter_t waiter;
} append_call_t;

static void on_append(pd_log_append_t *append)
{
    on_closed(&((append_call_t *)append)->waiter.closed_mail);
}

static pd_status_t open_writer(client_t *client, uint32_t partition)
{
    pd_log_handle_options_t options = {.loop = pd_loop_event_loop(client->loop_event),
                                       .topic = PD_LOG_EVENTS,
                                       .partition = partition};

    if (client->writers[partition])
        return PD_OK;
    return pd_log_open_writer(client->log, &options, &client->writers[partition], &client->error);
}

pd_status_t client_append(client_t *client, uint32_t partition, pd_bytes_t value, int64_t *offset)
{
    append_call_t call = {.append = {.key = pd_bytes_str("key"), .value = value, .done = on_append},
                          .waiter.client = client};

    PD_TRY(open_writer(client, partition));
    PD_TRY(pd_log_append(client->writers[partition], &call.append));
    wait_for(&call.waiter);
    if (call.append.status != PD_OK)
        pd_log_writer_error(client->writers[partition], &client->error);
    if (offset)
        *offset = call.append.offset;
    return call.append.status;
}

typedef struct read_call {
    pd_log_read_t read; /* first: converts */
    waiter_t waiter;
} read_call_t;

static void on_read(pd_log_read_t *read)
{
    on_closed(&((read_call_t *)read)->waiter.closed_mail);
}

pd_status_t client_read(client_t *client, uint32_t partition, int64_t from_offset,
                        void (*each)(void *ctx, const pd_log_record_t *record), void *ctx)
{
    pd_log_handle_options_t options = {.loop = pd_loop_event_loop(client->loop_event),
                                       .topic = PD_LOG_EVENTS,
                                       .partition = partition};
    read_call_t call = {.read = {.from_offset = from_offset, .done = on_read}};
    waiter_t closing = {.closed_mail.run = on_closed, .client = client};
    pd_log_reader_t *reader;

    PD_TRY(pd_log_open_reader(client->log, &options, &reader, &client->error));
    do {
        call.waiter = (waiter_t){.client = client};
        pd_log_read(reader, &call.read);
        wait_for(&call.waiter);
        for (uint32_t i = 0; i < call.read.count; i++)
            each(ctx, &call.read.records[i]);
        call.read.from_offset = call.read.next_offset;
    } while (call.read.status == PD_OK && call.read.next_offset < call.read.end_offset);
    pd_log_close_reader(reader, &closing.closed_mail);
    wait_for(&closing);
    return call.read.status;
}

size_t client_value(uint64_t number, uint8_t value[2048])
{
    size_t size = 8 + (size_t)(number * 2654435761u % 2000);

    memcpy(value, &number, 8);
    for (size_t i = 8; i < size; i++)
        value[i] = (uint8_t)(number + i);
    return size;
}

typedef struct slot {
    pd_log_append_t append; /* first: converts */
    client_t *client;
    uint32_t partition;
    uint64_t number;
    uint64_t *next_number;
    uint8_t value[2048];
} slot_t;

static void on_slot_done(pd_log_append_t *append);

static void send(slot_t *slot)
{
    slot->number = (*slot->next_number)++;
    slot->append =
        (pd_log_append_t){.key = pd_bytes_str("key"),
                          .value = pd_bytes(slot->value, client_value(slot->number, slot->value)),
                          .done = on_slot_done};
    if (pd_log_append(slot->client->writers[slot->partition], &slot->append) != PD_OK)
        _exit(3);
}

static void on_slot_done(pd_log_append_t *append)
{
    slot_t *slot = (slot_t *)append;
    ack_t ack = {.number = slot->number, .offset = append->offset, .partition = slot->partition};

    if (append->status != PD_OK || write(STDOUT_FILENO, &ack, sizeof(ack)) != sizeof(ack))
        _exit(4);
    send(slot);
}

int client_main(const char *directory, uint64_t first_number)
{
    client_t client;
    slot_t *slots = pd_calloc(IN_FLIGHT, sizeof(*slots));

    if (client_open(&client, directory) != PD_OK) {
        fprintf(stderr, "%s\n", client.error.text);
        return 2;
    }
    for (uint32_t i = 0; i < IN_FLIGHT; i++) {
        slots[i].client = &client;
        slots[i].partition = i % CLIENT_PARTITIONS;
        slots[i].next_number = &first_number;
        if (open_writer(&client, slots[i].partition) != PD_OK)
            return 2;
        send(&slots[i]);
    }
    pd_loop_event_run(client.loop_event);
    return 5; /* not reached */
}
