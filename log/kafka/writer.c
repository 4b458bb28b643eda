/* writer.c -- producer incarnations on one partition, over the session's shared producer.
 *
 * An append is numbered and handed to librdkafka with the caller's bytes, not copies: they come
 * back with the delivery report. Reports of one partition come in order as long as all is well;
 * when something times out they may not, so a report that is early is *parked* until its turn.
 *
 * The first append goes at once. What comes while reports are outstanding is *held*, and goes
 * together when they have come, when a millisecond has passed, or when it is many bytes: so batches
 * grow with the load. (librdkafka's own linger would let the first one wait, too; and without one
 * its thread spins while it may not send: five requests at a time to a broker.) */
#include <string.h>

#include "base/memory.h"
#include "log/kafka/kafka_private.h"

enum {
    HEADERS_MAX = 64,
    /* A closing writer waits so long before it gives up what is in flight, if it may; see close. */
    CLOSE_PATIENCE_MS = 300,
    HOLD_NS = 1000000,
    HOLD_SIZE_MAX = 256 * 1024, /* bytes of records */
};

static void add(_Atomic(uint64_t) *counter, uint64_t value)
{
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

static uint64_t in_flight_count(const pdi_kafka_writer_t *writer)
{
    return writer->next_number - writer->next_done;
}

/* Sorted by number; nearly always it belongs at the end or in front. */
static void park(pdi_kafka_writer_t *writer, pd_log_append_t *append)
{
    pd_log_append_t **link = &writer->parked_first;

    if (writer->parked_last && writer->parked_last->private_number < append->private_number)
        link = &writer->parked_last->next;
    while (*link && (*link)->private_number < append->private_number)
        link = &(*link)->next;
    append->next = *link;
    *link = append;
    if (!append->next)
        writer->parked_last = append;
}

static pd_log_append_t *unpark(pdi_kafka_writer_t *writer)
{
    pd_log_append_t *append = writer->parked_first;

    if (!append || append->private_number != writer->next_done)
        return NULL;
    writer->parked_first = append->next;
    if (!writer->parked_first)
        writer->parked_last = NULL;
    return append;
}

static void count_outcome(pdi_kafka_t *log, pd_status_t status)
{
    add(&log->completed_count, 1);
    if (status == PD_OK)
        add(&log->acked_count, 1);
    else if (status == PD_UNKNOWN_OUTCOME)
        add(&log->unknown_count, 1);
    else if (status == PD_IO)
        add(&log->refused_count, 1);
    else
        add(&log->unsent_count, 1);
}

static void deliver(pdi_kafka_writer_t *writer, pd_log_append_t *append)
{
    PD_ASSERT(append->private_number == writer->next_done);
    writer->next_done++;
    if (append->status == PD_OK && writer->broken != PD_OK)
        append->status = PD_UNKNOWN_OUTCOME;
    if (append->status != PD_OK) {
        if (writer->broken == PD_OK) {
            writer->broken = append->status;
            writer->broken_code = (int)append->time_ms;
            writer->refusing = true;
        }
        append->offset = -1;
        append->time_ms = 0;
    }
    count_outcome(pdi_kafka_of(writer->base.log), append->status);
    append->done(append);
}

static void finish_if_done(pdi_kafka_writer_t *writer)
{
    pd_loop_t *loop = writer->base.loop;
    pd_mail_t *closed = writer->closed;

    if (!writer->closing || writer->delivering || writer->mailed || in_flight_count(writer) > 0)
        return;
    pd_loop_timer_stop(loop, &writer->close_timer);
    pdi_kafka_session_leave(writer->session);
    pd_free(writer);
    if (closed)
        pd_loop_post(loop, closed);
}

static void deliver_parked(pdi_kafka_writer_t *writer)
{
    pd_log_append_t *append;

    writer->delivering = true; /* `done` may close the writer, which must outlive this */
    while ((append = unpark(writer)))
        deliver(writer, append);
    writer->delivering = false;
    finish_if_done(writer);
}

static void on_mail(pd_mail_t *mail)
{
    pdi_kafka_writer_t *writer = PD_CONTAINER_OF(mail, pdi_kafka_writer_t, mail);

    writer->mailed = false;
    deliver_parked(writer);
}

/* It ends without having been sent, in its turn and not from inside the append. */
static void end_unsent(pdi_kafka_writer_t *writer, pd_log_append_t *append, pd_status_t status,
                       rd_kafka_resp_err_t code)
{
    append->status = status;
    append->time_ms = code;
    writer->refusing = true;
    park(writer, append);
    if (!writer->mailed) {
        writer->mailed = true;
        pd_loop_post(writer->base.loop, &writer->mail);
    }
}

/* Zero: handed over; the report will come. */
static rd_kafka_resp_err_t produce(pdi_kafka_writer_t *writer, pd_log_append_t *append)
{
    rd_kafka_vu_t vus[6 + HEADERS_MAX];
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_t *failure;
    size_t count = 0;

    vus[count].vtype = RD_KAFKA_VTYPE_RKT;
    vus[count++].u.rkt = writer->session->topics[writer->base.topic];
    vus[count].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[count++].u.i32 = (int32_t)writer->base.partition;
    vus[count].vtype = RD_KAFKA_VTYPE_KEY;
    vus[count].u.mem.ptr = (void *)append->key.data;
    vus[count++].u.mem.size = append->key.size;
    vus[count].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[count].u.mem.ptr = (void *)append->value.data;
    vus[count++].u.mem.size = append->value.size;
    vus[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[count++].u.ptr = append;
    vus[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    vus[count++].u.i64 = append->time_ms;
    for (uint32_t i = 0; i < append->header_count; i++) {
        const pd_log_header_t *header = &append->headers[i];

        vus[count].vtype = RD_KAFKA_VTYPE_HEADER;
        vus[count].u.header.name = header->name;
        vus[count].u.header.val = header->value.data;
        vus[count++].u.header.size = (ssize_t)header->value.size;
    }
    failure = rd_kafka_produceva(writer->session->rk, vus, count);
    if (failure) {
        code = rd_kafka_error_code(failure);
        rd_kafka_error_destroy(failure);
    }
    return code;
}

static void hand_over(pdi_kafka_writer_t *writer, pd_log_append_t *append)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    pd_status_t status = PD_CANCELED;

    if (!writer->refusing) {
        code = produce(writer, append);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            writer->sent_count++;
            return;
        }
        status = pdi_kafka_unsent_status(code);
        if (code == RD_KAFKA_RESP_ERR__FATAL || status == PD_IO)
            pdi_kafka_session_retire(writer->session, code == RD_KAFKA_RESP_ERR__FATAL);
    }
    atomic_fetch_add(&writer->partition->settled_count, 1);
    end_unsent(writer, append, status, code);
}

static void send_held(pdi_kafka_writer_t *writer)
{
    pd_log_append_t *append = writer->held_first;

    pd_loop_timer_stop(writer->base.loop, &writer->hold_timer);
    writer->held_first = writer->held_last = NULL;
    writer->held_size = 0;
    while (append) {
        pd_log_append_t *next = append->next;

        hand_over(writer, append);
        append = next;
    }
}

static void on_hold_timer(pd_timer_t *timer)
{
    send_held(PD_CONTAINER_OF(timer, pdi_kafka_writer_t, hold_timer));
}

static void hold(pdi_kafka_writer_t *writer, pd_log_append_t *append, uint64_t size)
{
    append->next = NULL;
    if (writer->held_last) {
        writer->held_last->next = append;
    } else {
        writer->held_first = append;
        pd_loop_timer_start(writer->base.loop, &writer->hold_timer,
                            pd_loop_now_ns(writer->base.loop) + HOLD_NS);
    }
    writer->held_last = append;
    writer->held_size += size;
    if (writer->held_size >= HOLD_SIZE_MAX)
        send_held(writer);
}

void pdi_kafka_writer_arrived(pd_log_append_t *append)
{
    pdi_kafka_writer_t *writer = (pdi_kafka_writer_t *)append->writer;

    PD_ASSERT_LOOP(writer->base.loop);
    PD_ASSERT(in_flight_count(writer) > 0);
    writer->reported_count++;
    if (append->private_number != writer->next_done) {
        park(writer, append);
        return;
    }
    writer->delivering = true;
    deliver(writer, append);
    if (writer->refusing || writer->reported_count == writer->sent_count)
        send_held(writer);
    writer->delivering = false;
    if (writer->parked_first)
        deliver_parked(writer);
    else
        finish_if_done(writer);
}

/* PD_LIMIT; *size: of all bytes. */
static pd_status_t check_size(const pdi_kafka_t *log, const pd_log_append_t *append, uint64_t *size)
{
    uint64_t headers_size = 0;

    if (append->header_count > HEADERS_MAX)
        return PD_LIMIT;
    for (uint32_t i = 0; i < append->header_count; i++)
        headers_size += strlen(append->headers[i].name) + append->headers[i].value.size + 16;
    *size = (uint64_t)append->key.size + append->value.size;
    if (*size > log->base.info.record_size_max || headers_size > PDI_KAFKA_BATCH_OVERHEAD / 2)
        return PD_LIMIT;
    return PD_OK;
}

pd_status_t pdi_kafka_append(pd_log_writer_t *base, pd_log_append_t *append)
{
    pdi_kafka_writer_t *writer = (pdi_kafka_writer_t *)base;
    pdi_kafka_t *log = pdi_kafka_of(base->log);
    uint64_t size;

    PD_ASSERT(!writer->closing);
    PD_TRY(check_size(log, append, &size));
    append->writer = base;
    append->status = PD_OK;
    append->offset = -1;
    append->time_ms = pd_loop_now_ns(base->loop) / 1000000;
    append->private_number = writer->next_number++;
    add(&log->append_count, 1);
    add(&log->append_size, size);
    if (writer->refusing) {
        end_unsent(writer, append, PD_CANCELED, RD_KAFKA_RESP_ERR_NO_ERROR);
        return PD_OK;
    }
    atomic_fetch_add(&writer->partition->sent_count, 1);
    if (writer->reported_count == writer->sent_count && !writer->held_first)
        hand_over(writer, append);
    else
        hold(writer, append, size);
    return PD_OK;
}

static void on_close_timer(pd_timer_t *timer);

pd_status_t pdi_kafka_open_writer(pd_log_t *base, const pd_log_handle_options_t *options,
                                  pd_log_writer_t **out, pd_error_t *error)
{
    pdi_kafka_t *log = pdi_kafka_of(base);
    pdi_kafka_session_t *session;
    pdi_kafka_writer_t *writer;

    *out = NULL;
    if (options->partition >= base->info.partition_counts[options->topic])
        return pd_error_set(error, PD_NOT_FOUND, "topic %s has no partition %u",
                            log->topic_names[options->topic], options->partition);
    PD_TRY(pdi_kafka_session_join(log, options->loop, &session, error));
    writer = PD_NEW(pdi_kafka_writer_t);
    writer->base = (pd_log_writer_t){base, options->loop, options->topic, options->partition};
    writer->session = session;
    writer->partition = &log->partitions[options->topic][options->partition];
    writer->mail.run = on_mail;
    writer->close_timer.fire = on_close_timer;
    writer->hold_timer.fire = on_hold_timer;
    *out = &writer->base;
    return PD_OK;
}

void pdi_kafka_writer_error(const pd_log_writer_t *base, pd_error_t *error)
{
    const pdi_kafka_writer_t *writer = (const pdi_kafka_writer_t *)base;
    const char *topic = pdi_kafka_of(base->log)->topic_names[base->topic];

    if (writer->broken == PD_OK)
        pd_error_set(error, PD_OK, "no error");
    else if (writer->broken_code == RD_KAFKA_RESP_ERR_NO_ERROR)
        pd_error_set(error, writer->broken, "an append to %s[%u] was acknowledged without offset",
                     topic, base->partition);
    else
        pd_error_set(error, writer->broken, "an append to %s[%u] failed: %s", topic,
                     base->partition, rd_kafka_err2str((rd_kafka_resp_err_t)writer->broken_code));
}

/* librdkafka borrows the bytes of what is in flight until its reports come, and can only be made to
 * give them back for the whole producer. So a closing writer whose broker is away waits, at most
 * for the delivery timeout; but when all writers of the producer are closing, as at the end of the
 * program, nobody else suffers and everything is purged at once. */
static void on_close_timer(pd_timer_t *timer)
{
    pdi_kafka_writer_t *writer = PD_CONTAINER_OF(timer, pdi_kafka_writer_t, close_timer);

    pdi_kafka_session_hurry(writer->session);
    pd_loop_timer_start(writer->base.loop, timer,
                        pd_loop_now_ns(writer->base.loop) + CLOSE_PATIENCE_MS * 1000000);
}

void pdi_kafka_close_writer(pd_log_writer_t *base, pd_mail_t *closed)
{
    pdi_kafka_writer_t *writer = (pdi_kafka_writer_t *)base;

    PD_ASSERT(!writer->closing);
    writer->closing = true;
    writer->closed = closed;
    send_held(writer);
    pdi_kafka_session_closing(writer->session);
    if (in_flight_count(writer) > 0)
        pd_loop_timer_start(base->loop, &writer->close_timer,
                            pd_loop_now_ns(base->loop) + CLOSE_PATIENCE_MS * 1000000);
    finish_if_done(writer);
}
