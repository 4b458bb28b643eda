/* reader.c -- cursors. Everything happens on the reader's loop: it takes from the queue of its
 * stream, and is woken by mail when something comes into the empty queue.
 *
 * A read has to tell where the end is *now*. A stream tells it only while a Fetch that was sent
 * after the read began has been answered: the stream is *fresh* when it was sought for this very
 * read. Sequential reads of what was fetched before need no such thing until they come to the end
 * that was known then.
 *
 *   read ──▶ what the stream holds already ──enough──▶ done
 *                 │ nothing, or the end as known then
 *                 ▼
 *            seek (fresh) ──records, or "end of partition"──▶ done
 *                 │ end of partition, but the read waits
 *                 ▼
 *            tail stream ──records──▶ done */
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/memory.h"
#include "log/kafka/reader_private.h"

enum {
    READ_SIZE_DEFAULT = 512 * 1024,
    ACQUIRE_RETRY_MS = 2, /* no stream was free */
    QUICK_IDLE_MS = 20,   /* a quick stream asks all the time, so it is not kept for long */
    TAIL_IDLE_MS = 2000,
};

static void wake(pdi_kafka_reader_t *reader)
{
    if (!atomic_exchange(&reader->mailed, true))
        pd_loop_post(reader->base.loop, &reader->mail);
}

/* @thread librdkafka's: only posts. */
static void on_ready(rd_kafka_t *rk, void *ctx)
{
    wake(ctx);
}

static void start_timer(pdi_kafka_reader_t *reader, int64_t delay_ms)
{
    pd_loop_timer_start(reader->base.loop, &reader->timer,
                        pd_loop_now_ns(reader->base.loop) + delay_ms * 1000000);
}

void pdi_kafka_reader_retry(pdi_kafka_reader_t *reader, int64_t delay_ms)
{
    reader->holding = true;
    start_timer(reader, delay_ms);
}

/* Gives the first `count` items back to librdkafka. */
static void drop_items(pdi_kafka_reader_t *reader, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        rd_kafka_message_destroy(reader->items[i]);
    reader->count -= count;
    reader->first -= reader->first < count ? reader->first : count;
    memmove(reader->items, reader->items + count, reader->count * sizeof(reader->items[0]));
}

static void drop_stream(pdi_kafka_reader_t *reader)
{
    if (reader->stream) {
        reader->stream->spoilt = reader->stream->spoilt || reader->restart;
        pdi_kafka_stream_release(reader->log, reader->stream);
    }
    reader->stream = NULL;
    reader->restart = false;
    reader->fresh = false;
}

/* Those that were not lent. */
void pdi_kafka_reader_drop_pending(pdi_kafka_reader_t *reader)
{
    while (reader->count > reader->first)
        rd_kafka_message_destroy(reader->items[--reader->count]);
}

static void finish(pdi_kafka_reader_t *reader)
{
    pd_loop_t *loop = reader->base.loop;
    pd_mail_t *closed = reader->closed;
    pdi_kafka_t *log = reader->log;

    pd_loop_timer_stop(loop, &reader->timer);
    pdi_kafka_silence_stop(reader);
    drop_items(reader, reader->count);
    PD_ASSERT(!reader->stream);
    pd_arena_deinit(&reader->arena);
    pd_free(reader);
    pthread_mutex_lock(&log->mutex);
    log->reader_count--;
    pthread_mutex_unlock(&log->mutex);
    if (closed)
        pd_loop_post(loop, closed);
}

/* `done` may read again, or close the reader. */
void pdi_kafka_reader_complete(pdi_kafka_reader_t *reader, pd_status_t status)
{
    pd_log_read_t *read = reader->read;

    reader->read = NULL;
    reader->turn++;
    reader->contradicted_count = 0;
    reader->base.reading = false;
    reader->phase = PHASE_NORMAL;
    reader->fresh = false; /* for the next read it is not */
    if (reader->watching)
        atomic_fetch_sub(&reader->own->watcher_count, 1);
    reader->watching = false;
    if (status != PD_OK) {
        PD_ASSERT(read->count == 0);
        reader->position = -1;
    }
    start_timer(reader, pdi_kafka_reader_is_quick(reader) ? QUICK_IDLE_MS : TAIL_IDLE_MS);
    read->status = status;
    read->done(read);
}

void pdi_kafka_reader_fail(pdi_kafka_reader_t *reader, pd_status_t status, rd_kafka_resp_err_t code)
{
    PD_DIAG(PD_DIAG_WARN, "kafka read", "topic=%s partition=%u offset=%lld text=\"%s\"",
            reader->topic_name, reader->base.partition, (long long)reader->sought,
            rd_kafka_err2str(code));
    reader->restart = true;
    pdi_kafka_reader_complete(reader, status);
}

/* Tells the stream where to fetch; gets one when there is none. False: later, the timer runs. */
bool pdi_kafka_reader_seek(pdi_kafka_reader_t *reader, pdi_kafka_kind_t kind, int64_t offset)
{
    if (offset < 0)
        kind = PDI_KAFKA_PLACE;
    if (reader->own == NULL)
        kind = pdi_kafka_kinds[kind].foreign_kind;
    reader->sought = offset;
    pdi_kafka_reader_drop_pending(reader);
    if (reader->stream && reader->kind != kind)
        drop_stream(reader);
    if (!reader->stream) {
        reader->kind = kind;
        reader->stream = pdi_kafka_stream_acquire(reader->log, kind, reader->topic_name,
                                                  (int32_t)reader->base.partition);
        if (!reader->stream) {
            pdi_kafka_reader_retry(reader, ACQUIRE_RETRY_MS);
            return false;
        }
        rd_kafka_queue_cb_event_enable(reader->stream->queue, on_ready, reader);
    }
    if (pdi_kafka_stream_seek(reader->stream, offset, reader->restart) != PD_OK) {
        pdi_kafka_reader_fail(reader, PD_UNAVAILABLE, rd_kafka_last_error());
        return false;
    }
    reader->restart = reader->holding = false;
    reader->fresh = true;
    wake(reader); /* what came in between posted no mail */
    return true;
}

static int64_t logical(int64_t offset)
{
    if (offset == PD_LOG_FIRST)
        return RD_KAFKA_OFFSET_BEGINNING;
    return offset == PD_LOG_END ? RD_KAFKA_OFFSET_END : offset;
}

/* Nothing that the stream holds can answer the read: ask anew. */
static void ask(pdi_kafka_reader_t *reader)
{
    pd_log_read_t *read = reader->read;

    if (reader->phase == PHASE_LOW)
        (void)pdi_kafka_reader_seek(reader, PDI_KAFKA_QUICK, RD_KAFKA_OFFSET_BEGINNING);
    else if (reader->phase == PHASE_END && reader->end_found >= 0)
        pdi_kafka_reader_find_end(reader);
    else if (reader->phase == PHASE_HIGH || reader->phase == PHASE_END)
        (void)pdi_kafka_reader_seek(reader, PDI_KAFKA_QUICK, RD_KAFKA_OFFSET_END);
    else if (reader->tailing) /* no stream was free the last time */
        (void)pdi_kafka_reader_seek(reader, PDI_KAFKA_TAIL, reader->position);
    else
        (void)pdi_kafka_reader_seek(reader, PDI_KAFKA_QUICK,
                                    read->count > 0 ? read->next_offset : logical(reader->from));
}

void pdi_kafka_reader_drop_stream(pdi_kafka_reader_t *reader)
{
    pdi_kafka_reader_drop_pending(reader);
    reader->restart = true;
    drop_stream(reader);
}

void pdi_kafka_reader_ask_anew(pdi_kafka_reader_t *reader)
{
    pdi_kafka_reader_drop_stream(reader);
    reader->tailing = reader->holding = false;
    ask(reader);
}

/* Does the stream stand where the read begins, and will it stay there? See stream.c about places.
 */
static bool goes_on(const pdi_kafka_reader_t *reader)
{
    return reader->stream && !reader->restart && !pdi_kafka_kinds[reader->kind].places &&
           reader->position >= 0 && reader->from == reader->position;
}

static void begin(pdi_kafka_reader_t *reader)
{
    uint64_t turn = reader->turn;

    reader->begun = true;
    if (!goes_on(reader)) {
        pdi_kafka_reader_drop_pending(reader);
        ask(reader);
        return;
    }
    pdi_kafka_reader_advance(reader);
    if (reader->turn != turn || reader->fresh || reader->holding ||
        (reader->read->wait && !pdi_kafka_reader_is_quick(reader)))
        return;
    ask(reader);
}

static void on_timer(pd_timer_t *timer)
{
    pdi_kafka_reader_t *reader = PD_CONTAINER_OF(timer, pdi_kafka_reader_t, timer);
    pd_log_read_t *read = reader->read;

    if (!read) { /* idle for long enough */
        pdi_kafka_reader_drop_pending(reader);
        drop_stream(reader);
        reader->position = -1;
        return;
    }
    if (!read->wait) {
        if (pd_loop_now_ns(reader->base.loop) >= reader->deadline_ns) {
            read->count = 0;
            pdi_kafka_reader_fail(reader, PD_UNAVAILABLE, RD_KAFKA_RESP_ERR__TIMED_OUT);
            return;
        }
        pd_loop_timer_start(reader->base.loop, timer, reader->deadline_ns);
    }
    if (reader->holding) {
        reader->holding = false;
        ask(reader);
    }
}

static void on_mail(pd_mail_t *mail)
{
    pdi_kafka_reader_t *reader = PD_CONTAINER_OF(mail, pdi_kafka_reader_t, mail);

    atomic_store(&reader->mailed, false);
    if (reader->closing) {
        if (reader->read) {
            reader->read->count = 0;
            pdi_kafka_reader_complete(reader, PD_CANCELED);
        }
        finish(reader);
    } else if (reader->read && !reader->begun) {
        begin(reader);
    } else if (reader->read) {
        pdi_kafka_reader_advance(reader);
    }
}

static pdi_kafka_reader_t *new_reader(pd_log_t *base, pd_loop_t *loop, const char *topic_name,
                                      pd_log_topic_t topic, uint32_t partition)
{
    pdi_kafka_t *log = pdi_kafka_of(base);
    pdi_kafka_reader_t *reader = PD_NEW(pdi_kafka_reader_t);

    reader->base = (pd_log_reader_t){base, loop, topic, partition, false};
    reader->log = log;
    reader->position = -1;
    reader->mail.run = on_mail;
    reader->timer.fire = on_timer;
    pdi_kafka_silence_init(reader);
    pd_arena_init(&reader->arena);
    snprintf(reader->topic_name, sizeof(reader->topic_name), "%s", topic_name);
    pthread_mutex_lock(&log->mutex);
    log->reader_count++;
    pthread_mutex_unlock(&log->mutex);
    return reader;
}

pd_status_t pdi_kafka_open_reader(pd_log_t *base, const pd_log_handle_options_t *options,
                                  pd_log_reader_t **out, pd_error_t *error)
{
    pdi_kafka_t *log = pdi_kafka_of(base);
    pdi_kafka_reader_t *reader;

    *out = NULL;
    if (options->partition >= base->info.partition_counts[options->topic])
        return pd_error_set(error, PD_NOT_FOUND, "topic %s has no partition %u",
                            log->topic_names[options->topic], options->partition);
    reader = new_reader(base, options->loop, log->topic_names[options->topic], options->topic,
                        options->partition);
    reader->own = &log->partitions[options->topic][options->partition];
    *out = &reader->base;
    return PD_OK;
}

pd_status_t pdi_kafka_open_foreign_reader(pd_log_t *base, const pd_log_foreign_options_t *options,
                                          pd_log_reader_t **out, pd_error_t *error)
{
    *out = NULL;
    if (!pdi_kafka_is_topic_name(options->topic_name) || options->partition > INT32_MAX)
        return pd_error_set(error, PD_INVALID,
                            "\"%.80s\" cannot be a topic's name, or partition %u "
                            "its partition",
                            options->topic_name, options->partition);
    *out = &new_reader(base, options->loop, options->topic_name, PD_LOG_TOPIC_COUNT,
                       options->partition)
                ->base;
    return PD_OK;
}

void pdi_kafka_read(pd_log_reader_t *base, pd_log_read_t *read)
{
    pdi_kafka_reader_t *reader = (pdi_kafka_reader_t *)base;
    int64_t now_ns = pd_loop_now_ns(base->loop);

    PD_ASSERT(!reader->closing);
    base->reading = true;
    drop_items(reader, reader->first);
    pd_arena_reset(&reader->arena);
    read->reader = base;
    read->records = NULL;
    read->count = 0;
    read->next_offset = read->from_offset;
    reader->from = read->from_offset;
    reader->read = read;
    reader->begun = reader->tailing = reader->holding = false;
    if (read->from_offset == PD_LOG_END && read->wait && reader->own)
        pdi_kafka_reader_begin_find_end(reader);
    reader->size_left = read->size_max ? read->size_max : READ_SIZE_DEFAULT;
    reader->deadline_ns = now_ns + reader->log->read_timeout_ns;
    if (read->wait) {
        pd_loop_timer_stop(base->loop, &reader->timer);
        pdi_kafka_silence_watch(reader);
    } else {
        pd_loop_timer_start(base->loop, &reader->timer, reader->deadline_ns);
    }
    wake(reader);
}

void pdi_kafka_close_reader(pd_log_reader_t *base, pd_mail_t *closed)
{
    pdi_kafka_reader_t *reader = (pdi_kafka_reader_t *)base;

    PD_ASSERT(!reader->closing);
    reader->closing = true;
    reader->closed = closed;
    pdi_kafka_reader_drop_pending(reader);
    drop_stream(reader); /* from now on it posts no mail */
    wake(reader);
}
