/* memory_reader.c -- cursors on the log in memory. */
#include <string.h>

#include "base/memory.h"
#include "log/memory/memory_private.h"

enum { READ_SIZE_DEFAULT = 256 * 1024 };

static void arm(pdi_memory_reader_t *reader, int64_t delay_ns)
{
    pd_loop_timer_start(reader->base.loop, &reader->timer,
                        pd_loop_now_ns(reader->base.loop) + delay_ns);
}

static void stop_waiting(pdi_memory_reader_t *reader)
{
    pdi_memory_reader_t **link = &reader->partition->waiting;

    if (!reader->waiting)
        return;
    while (*link != reader)
        link = &(*link)->next_waiting;
    *link = reader->next_waiting;
    reader->waiting = false;
}

static void free_reader(pdi_memory_reader_t *reader)
{
    PD_ASSERT(!reader->waiting);
    *reader->link = reader->next;
    if (reader->next)
        reader->next->link = reader->link;
    pd_free(reader->lent);
    pd_arena_deinit(&reader->arena);
    pd_free(reader);
}

static void finish(pdi_memory_reader_t *reader)
{
    pd_loop_t *loop = reader->base.loop;
    pd_mail_t *closed = reader->closed;

    free_reader(reader);
    if (closed)
        pd_loop_post(loop, closed);
}

static void complete(pdi_memory_reader_t *reader, pd_status_t status)
{
    pd_log_read_t *read = reader->read;
    bool last = reader->closing; /* else `done` may close and free it */

    reader->read = NULL;
    reader->base.reading = false;
    read->status = status;
    read->done(read);
    if (last)
        finish(reader);
}

static const pd_log_header_t *lend_headers(pdi_memory_reader_t *reader, const pdi_blob_t *blob)
{
    pd_log_header_t *headers;

    if (blob->header_count == 0)
        return NULL;
    headers = pd_arena_memdup(&reader->arena, blob->headers,
                              blob->header_count * sizeof(blob->headers[0]));
    for (uint32_t i = 0; i < blob->header_count; i++) {
        pd_bytes_t *value = &headers[i].value;

        headers[i].name = pd_arena_strdup(&reader->arena, headers[i].name);
        if (value->data)
            value->data = pd_arena_memdup(&reader->arena, value->data, value->size);
    }
    return headers;
}

/* Copies what is read, so that late use of lent records is seen. */
static void lend(pdi_memory_reader_t *reader, uint64_t index, uint64_t count, size_t size)
{
    pd_log_record_t *lent = pd_alloc(count * sizeof(*lent) + size);
    uint8_t *data = (uint8_t *)(lent + count);

    for (uint64_t i = 0; i < count; i++) {
        const pdi_stored_t *stored = &reader->partition->records[index + i];
        pdi_blob_t *blob = stored->blob;

        lent[i] = (pd_log_record_t){
            .offset = stored->offset,
            .time_ms = stored->time_ms,
            .key = pd_bytes(blob->has_key ? data : NULL, blob->key_size),
            .value = pd_bytes(blob->has_value ? data + blob->key_size : NULL, blob->value_size),
            .headers = lend_headers(reader, blob),
            .header_count = blob->header_count};
        memcpy(data, blob->data, blob->key_size + blob->value_size);
        data += blob->key_size + blob->value_size;
    }
    reader->lent = lent;
    reader->read->records = lent;
    reader->read->count = (uint32_t)count;
}

static void serve(pdi_memory_reader_t *reader)
{
    pdi_memory_partition_t *partition = reader->partition;
    pd_log_read_t *read = reader->read;
    size_t size_max = read->size_max ? read->size_max : READ_SIZE_DEFAULT;
    uint64_t index, count = 0;
    size_t size = 0;

    read->start_offset = partition->start_offset;
    read->end_offset = partition->end_offset;
    read->next_offset = reader->from_offset;
    if (reader->from_offset < partition->start_offset) {
        complete(reader, PD_NOT_FOUND);
        return;
    }
    index = pdi_memory_find(partition, reader->from_offset);
    while (index + count < partition->count && size < size_max) {
        const pdi_blob_t *blob = partition->records[index + count].blob;

        size += blob->key_size + blob->value_size;
        count++;
        size_max -= size_max > 1; /* also records without bytes come to an end */
    }
    if (count == 0 && read->wait) {
        reader->waiting = true;
        reader->next_waiting = partition->waiting;
        partition->waiting = reader;
        return;
    }
    if (count > 0) {
        lend(reader, index, count, size);
        read->next_offset = read->records[count - 1].offset + 1;
    }
    /* Offsets without a record at the end: nothing can come there any more. */
    if (index + count == partition->count && read->next_offset < partition->end_offset)
        read->next_offset = partition->end_offset;
    complete(reader, PD_OK);
}

static void on_timer(pd_timer_t *timer)
{
    pdi_memory_reader_t *reader = PD_CONTAINER_OF(timer, pdi_memory_reader_t, timer);
    pd_log_memory_t *storage = reader->node->storage;

    PD_ASSERT(reader->read);
    if (reader->closing)
        complete(reader, PD_CANCELED);
    else if (pdi_memory_silence_ns(reader->node) > 0)
        arm(reader, pdi_memory_silence_ns(reader->node));
    else if (pdi_memory_roll(storage, storage->options.faults.read_fail_ppm))
        complete(reader, PD_UNAVAILABLE);
    else
        serve(reader);
}

pdi_memory_reader_t *pdi_memory_reader_new(pdi_node_t *node, pd_loop_t *loop,
                                           pdi_memory_partition_t *partition)
{
    pdi_memory_reader_t *reader = PD_NEW(pdi_memory_reader_t);

    reader->base =
        (pd_log_reader_t){&node->base, loop, partition->topic, partition->partition, false};
    reader->node = node;
    reader->partition = partition;
    reader->timer.fire = on_timer;
    pd_arena_init(&reader->arena);
    reader->next = node->readers;
    reader->link = &node->readers;
    if (reader->next)
        reader->next->link = &reader->next;
    node->readers = reader;
    return reader;
}

pd_status_t pdi_memory_open_reader(pd_log_t *log, const pd_log_handle_options_t *options,
                                   pd_log_reader_t **out, pd_error_t *error)
{
    pdi_node_t *node = (pdi_node_t *)log;
    pdi_memory_partition_t *partition =
        pdi_memory_partition(node->storage, options->topic, options->partition);

    *out = NULL;
    if (!partition)
        return pd_error_set(error, PD_NOT_FOUND, "the log has no partition %u in topic %u",
                            options->partition, (unsigned)options->topic);
    *out = &pdi_memory_reader_new(node, options->loop, partition)->base;
    return PD_OK;
}

void pdi_memory_read(pd_log_reader_t *base, pd_log_read_t *read)
{
    pdi_memory_reader_t *reader = (pdi_memory_reader_t *)base;
    pd_log_memory_t *storage = reader->node->storage;
    const pd_log_memory_faults_t *faults = &storage->options.faults;
    int64_t delay_ns = pdi_memory_delay(storage, faults->read_min_ns, faults->read_max_ns);

    PD_ASSERT(!reader->closing);
    if (pdi_memory_roll(storage, faults->read_slow_ppm))
        delay_ns += faults->read_slow_ns;
    base->reading = true;
    pd_free(reader->lent);
    reader->lent = NULL;
    pd_arena_reset(&reader->arena);
    reader->read = read;
    reader->from_offset = read->from_offset;
    if (reader->from_offset == PD_LOG_FIRST)
        reader->from_offset = reader->partition->start_offset;
    else if (reader->from_offset == PD_LOG_END)
        reader->from_offset = reader->partition->end_offset;
    read->reader = base;
    read->records = NULL;
    read->count = 0;
    read->start_offset = reader->partition->start_offset;
    read->end_offset = reader->partition->end_offset;
    read->next_offset = reader->from_offset;
    arm(reader, delay_ns);
}

void pdi_memory_close_reader(pd_log_reader_t *base, pd_mail_t *closed)
{
    pdi_memory_reader_t *reader = (pdi_memory_reader_t *)base;

    PD_ASSERT(!reader->closing);
    reader->closing = true;
    reader->closed = closed;
    stop_waiting(reader);
    if (reader->read)
        arm(reader, 0);
    else
        finish(reader);
}

void pdi_memory_crash_reader(pdi_memory_reader_t *reader)
{
    stop_waiting(reader);
    pd_loop_timer_stop(reader->base.loop, &reader->timer);
    free_reader(reader);
}

void pdi_memory_wake_readers(pdi_memory_partition_t *partition)
{
    while (partition->waiting) {
        pdi_memory_reader_t *reader = partition->waiting;
        const pd_log_memory_faults_t *faults = &reader->node->storage->options.faults;

        partition->waiting = reader->next_waiting;
        reader->waiting = false;
        arm(reader,
            pdi_memory_delay(reader->node->storage, faults->read_min_ns, faults->read_max_ns));
    }
}
