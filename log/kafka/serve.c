/* serve.c -- what a read is answered with: records, the end, an offset that is not there. */
#include <string.h>

#include "base/diag.h"
#include "log/kafka/reader_private.h"

enum {
    RETRY_MS = 2,         /* the leader does not know its end yet, and the like */
    BEYOND_RETRY_MS = 50, /* a waiting read beyond the end looks again */
    CONTRADICTED_MAX = 10,
};

static int64_t acked_end(const pdi_kafka_reader_t *reader)
{
    return reader->own ? atomic_load_explicit(&reader->own->acked_end, memory_order_acquire) : 0;
}

/* As of the last Fetch that was answered; 0: unknown. Takes note of the start, too. */
static int64_t known_end(pdi_kafka_reader_t *reader)
{
    int64_t low, high;

    if (rd_kafka_get_watermark_offsets(reader->stream->handle->rk, reader->topic_name,
                                       (int32_t)reader->base.partition, &low,
                                       &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    if (low > reader->lo)
        reader->lo = low;
    return high > 0 ? high : 0;
}

/* Takes from the stream's queue what fits; true: more may be there. Messages from before a seek are
 * dropped by librdkafka. */
static bool fill(pdi_kafka_reader_t *reader)
{
    uint32_t room = PDI_KAFKA_BATCH_COUNT - reader->count;
    ssize_t count;

    if (!reader->stream || room == 0)
        return false;
    count =
        rd_kafka_consume_batch_queue(reader->stream->queue, 0, reader->items + reader->count, room);
    if (count > 0)
        reader->count += (uint32_t)count;
    return count == (ssize_t)room;
}

static void add_headers(pdi_kafka_reader_t *reader, rd_kafka_message_t *item,
                        pd_log_record_t *record)
{
    rd_kafka_headers_t *headers;
    pd_log_header_t *out;
    size_t count;

    if (rd_kafka_message_headers(item, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    count = rd_kafka_header_cnt(headers);
    out = pd_arena_alloc(&reader->arena, count * sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        const void *value;
        size_t size;

        if (rd_kafka_header_get_all(headers, i, &out[i].name, &value, &size) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            return;
        out[i].value = pd_bytes(value, size);
    }
    record->headers = out;
    record->header_count = (uint32_t)count;
}

static void add_record(pdi_kafka_reader_t *reader, rd_kafka_message_t *item)
{
    pd_log_read_t *read = reader->read;
    pd_log_record_t *record = &reader->records[read->count++];
    size_t size = item->key_len + item->len + 1; /* also records without bytes come to an end */

    *record = (pd_log_record_t){.offset = item->offset,
                                .time_ms = rd_kafka_message_timestamp(item, NULL),
                                .key = pd_bytes(item->key, item->key_len),
                                .value = pd_bytes(item->payload, item->len)};
    add_headers(reader, item, record);
    reader->size_left -= size < reader->size_left ? size : reader->size_left;
    read->next_offset = item->offset + 1;
    atomic_fetch_add_explicit(&reader->log->read_count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&reader->log->read_size, size - 1, memory_order_relaxed);
}

static void forget_front(pdi_kafka_reader_t *reader)
{
    rd_kafka_message_destroy(reader->items[reader->first]);
    reader->count--;
    memmove(reader->items + reader->first, reader->items + reader->first + 1,
            (reader->count - reader->first) * sizeof(reader->items[0]));
}

static bool is_doubtful(pdi_kafka_reader_t *reader, int64_t told)
{
    const pd_log_read_t *read = reader->read;

    int64_t wanted = read->count > 0 ? read->next_offset : reader->from;

    if (!reader->own || reader->base.topic == PD_LOG_MEMBERS)
        return false;
    if (pdi_kafka_hole_doubt(&reader->hole, wanted, told))
        return true;
    if (wanted >= 0 && told > wanted)
        PD_DIAG(PD_DIAG_WARN, "offsets without records are believed",
                "topic=%s partition=%u from=%lld to=%lld", reader->topic_name,
                reader->base.partition, (long long)wanted, (long long)told);
    return false;
}

static void ask_again(pdi_kafka_reader_t *reader)
{
    PD_DIAG(PD_DIAG_DEBUG, "kafka read is repeated", "topic=%s partition=%u offset=%lld",
            reader->topic_name, reader->base.partition, (long long)reader->hole.wanted);
    pdi_kafka_reader_drop_pending(reader);
    reader->restart = true;
    if (reader->read->count > 0) /* the next read goes on from there */
        return;
    reader->fresh = reader->tailing = false;
    pdi_kafka_reader_retry(reader, RETRY_MS);
}

/* With a batch that has records. */
static void complete_batch(pdi_kafka_reader_t *reader, int64_t end)
{
    pd_log_read_t *read = reader->read;
    int64_t acked = acked_end(reader);

    end = end > acked ? end : acked;
    read->records = reader->records;
    read->start_offset = reader->lo;
    read->end_offset = end > read->next_offset ? end : read->next_offset;
    reader->position = read->next_offset;
    pdi_kafka_reader_complete(reader, PD_OK);
}

/* At the end, with nothing. */
static void complete_empty(pdi_kafka_reader_t *reader, int64_t next, int64_t end)
{
    pd_log_read_t *read = reader->read;

    read->next_offset = next;
    read->start_offset = reader->lo < end ? reader->lo : end;
    read->end_offset = end;
    reader->position = next;
    pdi_kafka_reader_complete(reader, PD_OK);
}

/* Records are there. Done, unless this is the end as known some time ago; `news`: some have come
 * since the last call. */
static void serve_records(pdi_kafka_reader_t *reader, bool news)
{
    pd_log_read_t *read = reader->read;
    int64_t end = known_end(reader);
    bool more;

    if (reader->first < reader->count && reader->items[reader->first]->offset >= end)
        end = reader->items[reader->first]->offset + 1;
    more = end > read->next_offset || acked_end(reader) > read->next_offset;
    if (read->wait || more || (reader->fresh && news)) {
        complete_batch(reader, end);
        return;
    }
    if (reader->fresh) /* asked, and not answered yet: to ask again would only void the answer */
        return;
    if (reader->count == PDI_KAFKA_BATCH_COUNT) { /* no room for what a seek may bring */
        end = read->next_offset;
        reader->first--;
        read->count--;
        read->next_offset = reader->records[read->count].offset;
        complete_batch(reader, end);
        return;
    }
    (void)pdi_kafka_reader_seek(reader, PDI_KAFKA_QUICK, read->next_offset);
}

/* What a broker says contradicts what it, or another one, has said, again and again: the consumer
 * may fetch from one that is the leader no more. */
static void note_contradiction(pdi_kafka_reader_t *reader)
{
    if (++reader->contradicted_count % CONTRADICTED_MAX != 0)
        return;
    pdi_kafka_distrust(reader->log, reader->stream->handle->number);
    pdi_kafka_reader_drop_stream(reader);
}

/* The broker says that nothing is at `end` and behind. */
static void serve_end(pdi_kafka_reader_t *reader, int64_t end)
{
    pd_log_read_t *read = reader->read;
    int64_t wanted = read->count > 0 ? read->next_offset : reader->from;

    if (!reader->fresh) /* said before this read began */
        return;
    if (end < acked_end(reader)) { /* a new leader that does not know yet what it has */
        reader->fresh = false;
        pdi_kafka_reader_retry(reader, RETRY_MS);
        note_contradiction(reader);
        return;
    }
    if (read->count > 0) {
        complete_batch(reader, end);
    } else if (is_doubtful(reader, end)) {
        ask_again(reader);
    } else if (!read->wait) {
        if (wanted == PD_LOG_FIRST && end > reader->lo)
            reader->lo = end;
        complete_empty(reader, end, end);
    } else if (pdi_kafka_reader_is_quick(reader)) {
        reader->position = end;
        reader->tailing = true;
        (void)pdi_kafka_reader_seek(reader, PDI_KAFKA_TAIL, end);
    }
}

/* A waiting read from PD_LOG_END has to see what this process appends after it was issued, though
 * the broker is asked for the end only some time later. So the place is the earlier one of where
 * the end was then, and of what was acknowledged since; and nothing that was sent before may still
 * be under way when that is decided. */
void pdi_kafka_reader_find_end(pdi_kafka_reader_t *reader)
{
    if (atomic_load(&reader->own->settled_count) < reader->sent_mark) {
        reader->fresh = false;
        pdi_kafka_reader_retry(reader, RETRY_MS);
        return;
    }
    reader->from = atomic_load(&reader->own->first_acked);
    if (reader->from > reader->end_found)
        reader->from = reader->end_found;
    reader->phase = PHASE_NORMAL;
    (void)pdi_kafka_reader_seek(reader, PDI_KAFKA_QUICK, reader->from);
}

void pdi_kafka_reader_begin_find_end(pdi_kafka_reader_t *reader)
{
    reader->phase = PHASE_END;
    reader->end_found = -1;
    if (atomic_fetch_add(&reader->own->watcher_count, 1) == 0)
        atomic_store(&reader->own->first_acked, INT64_MAX);
    reader->watching = true;
}

static void serve_end_found(pdi_kafka_reader_t *reader, int64_t end)
{
    pdi_kafka_reader_drop_pending(reader);
    reader->end_found = end;
    reader->sent_mark = atomic_load(&reader->own->sent_count);
    pdi_kafka_reader_find_end(reader);
}

/* The offset that was asked for is not there: find out on which side. */
static void serve_out_of_range(pdi_kafka_reader_t *reader, int64_t offset)
{
    reader->restart = true;
    reader->tailing = false;
    if (reader->phase == PHASE_NORMAL && offset == reader->sought && offset >= 0) {
        reader->phase = PHASE_LOW;
        (void)pdi_kafka_reader_seek(reader, PDI_KAFKA_QUICK, RD_KAFKA_OFFSET_BEGINNING);
        return;
    }
    /* Said of an earlier place; or the oldest records were removed just now. */
    reader->fresh = false;
    pdi_kafka_reader_retry(reader, RETRY_MS);
}

/* The oldest record is at `low`, or the partition is empty and ends there. */
static void serve_low(pdi_kafka_reader_t *reader, int64_t low)
{
    pd_log_read_t *read = reader->read;

    pdi_kafka_reader_drop_pending(reader);
    if (low > reader->lo)
        reader->lo = low;
    if (reader->from < low) {
        read->start_offset = low;
        read->end_offset = known_end(reader);
        read->end_offset = read->end_offset > low ? read->end_offset : low;
        read->next_offset = low;
        pdi_kafka_reader_complete(reader, PD_NOT_FOUND);
        return;
    }
    reader->phase = PHASE_HIGH;
    (void)pdi_kafka_reader_seek(reader, PDI_KAFKA_QUICK, RD_KAFKA_OFFSET_END);
}

static void serve_high(pdi_kafka_reader_t *reader, int64_t end)
{
    pd_log_read_t *read = reader->read;

    pdi_kafka_reader_drop_pending(reader);
    reader->phase = PHASE_NORMAL;
    if (end < acked_end(reader) || end >= reader->from) { /* or it has come meanwhile */
        reader->fresh = false;
        pdi_kafka_reader_retry(reader, RETRY_MS);
        if (end != reader->from) /* the place is not there, but there is more */
            note_contradiction(reader);
    } else if (read->wait) {
        reader->fresh = false;
        pdi_kafka_reader_retry(reader, BEYOND_RETRY_MS);
    } else {
        complete_empty(reader, reader->from, end);
        reader->position = -1;
    }
}

static void serve_error(pdi_kafka_reader_t *reader, rd_kafka_resp_err_t code, int64_t offset)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        serve_out_of_range(reader, offset);
        break;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
        pdi_kafka_reader_fail(reader, PD_CORRUPT, code);
        break;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        pdi_kafka_reader_fail(reader, PD_IO, code);
        break;
    default: /* goes away by itself; librdkafka tries again */
        PD_DIAG(PD_DIAG_WARN, "kafka read", "topic=%s partition=%u text=\"%s\"", reader->topic_name,
                reader->base.partition, rd_kafka_err2str(code));
        break;
    }
}

/* One item that is not a record for this read. */
static void serve_event(pdi_kafka_reader_t *reader)
{
    const rd_kafka_message_t *item = reader->items[reader->first];
    rd_kafka_resp_err_t code = item->err;
    int64_t offset = item->offset;

    forget_front(reader);
    if (code != RD_KAFKA_RESP_ERR__PARTITION_EOF)
        serve_error(reader, code, offset);
    else if (reader->phase == PHASE_LOW)
        serve_low(reader, offset);
    else if (reader->phase == PHASE_HIGH)
        serve_high(reader, offset);
    else if (reader->phase == PHASE_END)
        serve_end_found(reader, offset);
    else
        serve_end(reader, offset);
}

/* Looking for a place, a record tells it, too. */
static bool serve_place(pdi_kafka_reader_t *reader, int64_t offset)
{
    pd_log_read_t *read = reader->read;

    if (reader->phase == PHASE_LOW) {
        serve_low(reader, offset);
    } else if (reader->phase == PHASE_HIGH) {
        serve_high(reader, offset);
    } else if (reader->phase == PHASE_END) {
        serve_end_found(reader, offset);
    } else if (reader->from == PD_LOG_END && !read->wait) {
        complete_empty(reader, offset, offset); /* it came behind the end that was asked for */
    } else {
        return false;
    }
    return true;
}

/* The next item is no record. */
static void skip_or_serve_event(pdi_kafka_reader_t *reader)
{
    const rd_kafka_message_t *item = reader->items[reader->first];

    if (reader->read->count == 0 || reader->fresh) {
        serve_event(reader);
        return;
    }
    /* Records first. The end will be asked for again, and an error met again. */
    reader->restart = reader->restart || item->err != RD_KAFKA_RESP_ERR__PARTITION_EOF;
    forget_front(reader);
}

/* False: the read has what it wants. */
static bool serve_record(pdi_kafka_reader_t *reader)
{
    pd_log_read_t *read = reader->read;
    rd_kafka_message_t *item = reader->items[reader->first];

    if (serve_place(reader, item->offset))
        return true;
    if (item->offset < reader->from || (read->count > 0 && item->offset < read->next_offset)) {
        forget_front(reader);
        return true;
    }
    if (reader->size_left == 0)
        return false;
    if (is_doubtful(reader, item->offset)) {
        ask_again(reader);
        return false;
    }
    if (reader->from == PD_LOG_FIRST && read->count == 0 && item->offset > reader->lo)
        reader->lo = item->offset;
    reader->first++;
    add_record(reader, item);
    return true;
}

/* Is it what was asked for? Not while the place is still looked for; and an end in front of what
 * was acknowledged to us is no word of the present. */
static bool answers(const pdi_kafka_reader_t *reader, const rd_kafka_message_t *item)
{
    if (reader->phase != PHASE_NORMAL)
        return false;
    return item->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
           (item->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && item->offset >= acked_end(reader));
}

/* Serves what was taken from the queue; false: the read wants no more of it for now. */
static bool serve_items(pdi_kafka_reader_t *reader)
{
    uint64_t turn = reader->turn;
    bool more = true;

    while (more && reader->turn == turn && !reader->holding && reader->first < reader->count) {
        const rd_kafka_message_t *item = reader->items[reader->first];
        rd_kafka_resp_err_t code = item->err;

        if (answers(reader, item))
            pdi_kafka_silence_heard(reader, code == RD_KAFKA_RESP_ERR_NO_ERROR);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            skip_or_serve_event(reader);
        else
            more = serve_record(reader);
    }
    return more && reader->turn == turn && !reader->holding;
}

/* Serves what is there. The queue wakes us only when something comes while it is empty, so it is
 * emptied as long as what comes from it is of no use to the read. */
void pdi_kafka_reader_advance(pdi_kafka_reader_t *reader)
{
    uint64_t turn = reader->turn;
    uint32_t served = reader->read->count;
    bool more;

    if (reader->holding)
        return;
    do {
        more = fill(reader);
        more = serve_items(reader) && more;
    } while (more);
    if (reader->turn == turn && !reader->holding && reader->read->count > 0 &&
        reader->phase == PHASE_NORMAL)
        serve_records(reader, reader->read->count > served);
}
