/* session.c -- producers: their delivery reports, their end, their successors.
 *
 *   current ──an outcome is unknown, or fatal──▶ retired ──last writer left──▶ ending ──▶ freed
 *
 * A session is retired when an outcome is unknown, because librdkafka then waits for everything in
 * flight to all brokers before it goes on under another producer id, which may take as long as a
 * stuck broker does; new writers shall not wait with it. And when it was refused, because
 * librdkafka goes on refusing by itself until it happens to ask for metadata again. So that a
 * partition that fails again and again does not multiply producers, there are
 * PDI_KAFKA_SESSIONS_MAX at most; but a dead one, whose producer can send nothing any more, always
 * gets a successor. */
#include "base/diag.h"
#include "base/memory.h"
#include "log/kafka/kafka_private.h"

static void add(_Atomic(uint64_t) *counter, uint64_t value)
{
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

pd_status_t pdi_kafka_unsent_status(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return PD_IO;
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
        return PD_CANCELED;
    default: /* timed out in the queue, broker away, too few replicas: it goes away by itself */
        return PD_UNAVAILABLE;
    }
}

static pd_status_t status_of(const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return message->offset >= 0 ? PD_OK : PD_UNKNOWN_OUTCOME;
    if (rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED)
        return PD_UNKNOWN_OUTCOME;
    return pdi_kafka_unsent_status(message->err);
}

static void note_acked(pdi_kafka_partition_t *partition, int64_t offset)
{
    int64_t first;

    if (atomic_load_explicit(&partition->acked_end, memory_order_relaxed) <= offset)
        atomic_store_explicit(&partition->acked_end, offset + 1, memory_order_release);
    if (atomic_load(&partition->watcher_count) == 0)
        return;
    first = atomic_load(&partition->first_acked);
    while (offset < first && !atomic_compare_exchange_weak(&partition->first_acked, &first, offset))
        ;
}

/* Writes the outcome into the append. While it travels to its loop, `time_ms` of one that failed
 * holds librdkafka's code; of others it stays the one that was sent. (The report's is another one
 * for a batch that a broker had already when it came again: the broker answers with the newest of
 * the batch's, and librdkafka takes it for all of them.) */
static void take_report(pdi_kafka_session_t *session, const rd_kafka_message_t *message)
{
    pdi_kafka_t *log = session->log;
    pd_log_append_t *append = message->_private;
    pdi_kafka_writer_t *writer = (pdi_kafka_writer_t *)append->writer;

    append->status = status_of(message);
    append->offset = append->status == PD_OK ? message->offset : -1;
    if (append->status == PD_OK) {
        note_acked(writer->partition, append->offset);
        add(&log->latency_sum_us, (uint64_t)rd_kafka_message_latency(message));
    } else {
        append->time_ms = message->err;
        if (append->status == PD_UNKNOWN_OUTCOME || append->status == PD_IO)
            pdi_kafka_session_retire(session, false);
    }
    atomic_fetch_add(&writer->partition->settled_count, 1);
    pdi_kafka_port_add(log, writer->port, append);
}

static void take_reports(pdi_kafka_session_t *session, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *messages[256];
    size_t count;

    while ((count = rd_kafka_event_message_array(event, messages, PD_ARRAY_COUNT(messages))) > 0) {
        for (size_t i = 0; i < count; i++)
            take_report(session, messages[i]);
    }
}

static void take_error(pdi_kafka_session_t *session, rd_kafka_event_t *event)
{
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__FATAL) {
        char text[256] = "";

        rd_kafka_fatal_error(session->rk, text, sizeof(text));
        PD_DIAG(PD_DIAG_WARN, "kafka producer replaced", "name=%s text=\"%s\"",
                rd_kafka_name(session->rk), text);
        pdi_kafka_session_retire(session, true);
        return;
    }
    add(&session->log->broker_error_count, 1); /* its text is among librdkafka's diagnostics */
}

static void free_session(pd_mail_t *mail)
{
    pdi_kafka_session_t *session = PD_CONTAINER_OF(mail, pdi_kafka_session_t, end_mail);
    pdi_kafka_t *log = session->log;
    pdi_kafka_session_t **link;

    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        rd_kafka_topic_destroy(session->topics[i]);
    rd_kafka_queue_destroy(session->queue);
    rd_kafka_destroy(session->rk);
    pthread_mutex_lock(&log->mutex);
    link = &log->sessions;
    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
    pthread_cond_signal(&log->changed);
    pthread_mutex_unlock(&log->mutex);
    pd_free(session);
}

static void to_chores(pdi_kafka_session_t *session)
{
    session->end_mail.run = free_session;
    pd_loop_post(session->log->chores, &session->end_mail);
}

/* Nothing is in flight and nobody will send: no more reports can come, only a mail that is already
 * posted. */
static void end(pd_mail_t *mail)
{
    pdi_kafka_session_t *session = PD_CONTAINER_OF(mail, pdi_kafka_session_t, end_mail);

    rd_kafka_queue_cb_event_enable(session->queue, NULL, NULL);
    session->ending = true;
    if (!atomic_load(&session->mailed))
        to_chores(session);
}

static void drain(pd_mail_t *mail)
{
    enum { EVENTS_PER_FLUSH = 16 };
    pdi_kafka_session_t *session = PD_CONTAINER_OF(mail, pdi_kafka_session_t, mail);
    rd_kafka_event_t *event;
    uint32_t count = 0;

    atomic_store(&session->mailed, false);
    if (session->ending) {
        to_chores(session);
        return;
    }
    while ((event = rd_kafka_queue_poll(session->queue, 0))) {
        switch (rd_kafka_event_type(event)) {
        case RD_KAFKA_EVENT_DR:
            take_reports(session, event);
            break;
        case RD_KAFKA_EVENT_ERROR:
            take_error(session, event);
            break;
        default:
            break;
        }
        rd_kafka_event_destroy(event);
        if (++count % EVENTS_PER_FLUSH == 0)
            pdi_kafka_port_flush(session->log);
    }
    pdi_kafka_port_flush(session->log);
}

/* @thread librdkafka's: only posts. */
static void on_ready(rd_kafka_t *rk, void *ctx)
{
    pdi_kafka_session_t *session = ctx;

    if (!atomic_exchange(&session->mailed, true))
        pd_loop_post(session->log->acks, &session->mail);
}

/* Under log->mutex. Makes the current session if there is none. */
static pd_status_t make_current(pdi_kafka_t *log, pd_error_t *error)
{
    pdi_kafka_session_t *session;
    rd_kafka_t *rk;

    if (log->current)
        return PD_OK;
    PD_TRY(pdi_kafka_new_producer(log, &rk, error));
    session = PD_NEW(pdi_kafka_session_t);
    session->log = log;
    session->rk = rk;
    session->mail.run = drain;
    session->queue = rd_kafka_queue_get_main(rk);
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        session->topics[i] = rd_kafka_topic_new(rk, log->topic_names[i], NULL);
        PD_ASSERT(session->topics[i]);
    }
    rd_kafka_queue_cb_event_enable(session->queue, on_ready, session);
    on_ready(rk, session); /* only the first event in an empty queue calls: some may be there */
    session->next = log->sessions;
    log->sessions = session;
    log->current = session;
    add(&log->producer_count, 1);
    return PD_OK;
}

pd_status_t pdi_kafka_session_join(pdi_kafka_t *log, pdi_kafka_session_t **session,
                                   pd_error_t *error)
{
    pd_status_t status;

    pthread_mutex_lock(&log->mutex);
    status = make_current(log, error);
    if (status == PD_OK)
        log->current->writer_count++;
    *session = log->current;
    pthread_mutex_unlock(&log->mutex);
    return status;
}

/* Under log->mutex. */
static void end_if_unused(pdi_kafka_session_t *session)
{
    if (!session->retired || session->writer_count > 0)
        return;
    session->end_mail.run = end;
    pd_loop_post(session->log->acks, &session->end_mail);
}

void pdi_kafka_session_leave(pdi_kafka_session_t *session)
{
    pdi_kafka_t *log = session->log;

    pthread_mutex_lock(&log->mutex);
    PD_ASSERT(session->writer_count > 0 && session->closing_count > 0);
    session->writer_count--;
    session->closing_count--;
    end_if_unused(session);
    pthread_mutex_unlock(&log->mutex);
}

void pdi_kafka_session_closing(pdi_kafka_session_t *session)
{
    pthread_mutex_lock(&session->log->mutex);
    session->closing_count++;
    pthread_mutex_unlock(&session->log->mutex);
}

static uint32_t count_sessions(const pdi_kafka_t *log)
{
    uint32_t count = 0;

    for (const pdi_kafka_session_t *session = log->sessions; session; session = session->next)
        count++;
    return count;
}

void pdi_kafka_session_retire(pdi_kafka_session_t *session, bool dead)
{
    pdi_kafka_t *log = session->log;

    pthread_mutex_lock(&log->mutex);
    session->dead = session->dead || dead;
    if (!session->retired && (session->dead || count_sessions(log) < PDI_KAFKA_SESSIONS_MAX)) {
        session->retired = true;
        PD_ASSERT(log->current == session);
        log->current = NULL;
        end_if_unused(session);
    }
    pthread_mutex_unlock(&log->mutex);
}

void pdi_kafka_session_hurry(pdi_kafka_session_t *session)
{
    pdi_kafka_t *log = session->log;
    bool alone;

    pthread_mutex_lock(&log->mutex);
    alone = session->closing_count == session->writer_count;
    pthread_mutex_unlock(&log->mutex);
    if (!alone)
        return;
    /* Nobody may join any more: purging leaves a hole in the producer's sequence. */
    pdi_kafka_session_retire(session, true);
    rd_kafka_purge(session->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING);
}
