/* session.c -- producers: their delivery reports, their end, their successors.
 *
 *             ┌──────last writer left──────┐
 *             ▼                            │
 *   made ──▶ spare ──a loop's writer──▶ current ──an outcome is unknown, or fatal──▶ retired
 *                                                                   last writer left ──▶ freed
 *
 * A session belongs to the loop of its writers, which takes the reports from librdkafka's queue
 * itself, so that an acknowledgement wakes one thread only. While it has no writers, in the
 * beginning and between two of them, it is a spare: connected, and the chores thread's.
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

/* Writes the outcome into the append. Until its turn has come, `time_ms` of one that failed holds
 * librdkafka's code; of others it stays the one that was sent. (The report's is another one
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
    pdi_kafka_writer_arrived(append);
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

static void destroy(pdi_kafka_session_t *session)
{
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        rd_kafka_topic_destroy(session->topics[i]);
    rd_kafka_queue_destroy(session->queue);
    rd_kafka_destroy(session->rk);
    pd_free(session);
}

static void free_session(pdi_kafka_session_t *session)
{
    pdi_kafka_t *log = session->log;
    pdi_kafka_session_t **link;

    pthread_mutex_lock(&log->mutex);
    link = &log->sessions;
    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
    pthread_mutex_unlock(&log->mutex);
    destroy(session);
}

/* Nothing is in flight and nobody will send: no more reports can come, only a mail that is already
 * posted. @thread chores */
static void end(pd_mail_t *mail)
{
    pdi_kafka_session_t *session = PD_CONTAINER_OF(mail, pdi_kafka_session_t, end_mail);

    rd_kafka_queue_cb_event_enable(session->queue, NULL, NULL);
    session->ending = true;
    if (!atomic_load(&session->mailed))
        free_session(session);
}

/* Under log->mutex. */
static bool is_spare(const pdi_kafka_session_t *session)
{
    return atomic_load(&session->loop) == session->log->chores;
}

/* Under log->mutex. */
static void end_if_retired(pdi_kafka_session_t *session)
{
    if (!session->retired || !is_spare(session))
        return;
    session->end_mail.run = end;
    pd_loop_post(session->log->chores, &session->end_mail);
}

/* @thread librdkafka's: only posts. */
static void on_ready(rd_kafka_t *rk, void *ctx)
{
    pdi_kafka_session_t *session = ctx;

    if (!atomic_exchange(&session->mailed, true))
        pd_loop_post(atomic_load(&session->loop), &session->mail);
}

/* Under log->mutex. */
static void bind_to(pdi_kafka_session_t *session, pd_loop_t *loop)
{
    rd_kafka_queue_cb_event_enable(session->queue, NULL, NULL);
    atomic_store(&session->loop, loop);
    rd_kafka_queue_cb_event_enable(session->queue, on_ready, session);
    on_ready(session->rk, session); /* only the first event in an empty queue calls */
}

/* Under log->mutex. */
static void spare_if_unused(pdi_kafka_session_t *session)
{
    if (session->writer_count > 0 || session->draining || is_spare(session))
        return;
    bind_to(session, session->log->chores);
    end_if_retired(session);
}

/* False: more are there. */
static bool take_events(pdi_kafka_session_t *session)
{
    enum { EVENTS_MAX = 64 }; /* then others on the loop get their turn */
    rd_kafka_event_t *event;

    for (int count = 0; count < EVENTS_MAX; count++) {
        if (!(event = rd_kafka_queue_poll(session->queue, 0)))
            return true;
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
    }
    return false;
}

/* The mail may have been on its way while the session moved to another loop. */
static bool begin_drain(pdi_kafka_session_t *session)
{
    pd_loop_t *loop;

    pthread_mutex_lock(&session->log->mutex);
    loop = atomic_load(&session->loop);
    session->draining = pd_loop_is_current(loop);
    pthread_mutex_unlock(&session->log->mutex);
    return session->draining;
}

static void drain(pd_mail_t *mail)
{
    pdi_kafka_session_t *session = PD_CONTAINER_OF(mail, pdi_kafka_session_t, mail);
    pdi_kafka_t *log = session->log;

    if (!begin_drain(session)) {
        pd_loop_post(atomic_load(&session->loop), mail);
        return;
    }
    atomic_store(&session->mailed, false);
    if (session->ending) {
        free_session(session);
        return;
    }
    if (!take_events(session))
        on_ready(session->rk, session);
    pthread_mutex_lock(&log->mutex);
    session->draining = false;
    spare_if_unused(session);
    pthread_mutex_unlock(&log->mutex);
}

/* Under log->mutex. A spare. */
static pd_status_t make(pdi_kafka_t *log, pdi_kafka_session_t **out, pd_error_t *error)
{
    pdi_kafka_session_t *session;
    rd_kafka_t *rk;

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
    session->next = log->sessions;
    log->sessions = session;
    bind_to(session, log->chores);
    *out = session;
    return PD_OK;
}

pd_status_t pdi_kafka_session_add_spare(pdi_kafka_t *log, pd_error_t *error)
{
    pdi_kafka_session_t *session;
    pd_status_t status;

    pthread_mutex_lock(&log->mutex);
    status = make(log, &session, error);
    pthread_mutex_unlock(&log->mutex);
    return status;
}

/* Under log->mutex. The loop's own, else a spare; NULL: there is none. */
static pdi_kafka_session_t *find(pdi_kafka_t *log, pd_loop_t *loop)
{
    pdi_kafka_session_t *spare = NULL;

    for (pdi_kafka_session_t *session = log->sessions; session; session = session->next) {
        if (session->retired)
            continue;
        if (atomic_load(&session->loop) == loop)
            return session;
        if (is_spare(session) && !session->draining)
            spare = session;
    }
    return spare;
}

pd_status_t pdi_kafka_session_join(pdi_kafka_t *log, pd_loop_t *loop, pdi_kafka_session_t **out,
                                   pd_error_t *error)
{
    pdi_kafka_session_t *session;
    pd_status_t status = PD_OK;

    pthread_mutex_lock(&log->mutex);
    session = find(log, loop);
    if (!session)
        status = make(log, &session, error);
    if (status == PD_OK) {
        if (is_spare(session))
            bind_to(session, loop);
        session->writer_count++;
    }
    pthread_mutex_unlock(&log->mutex);
    *out = session;
    return status;
}

void pdi_kafka_session_leave(pdi_kafka_session_t *session)
{
    pdi_kafka_t *log = session->log;

    pthread_mutex_lock(&log->mutex);
    PD_ASSERT(session->writer_count > 0 && session->closing_count > 0);
    session->writer_count--;
    session->closing_count--;
    spare_if_unused(session);
    pthread_mutex_unlock(&log->mutex);
}

void pdi_kafka_session_closing(pdi_kafka_session_t *session)
{
    pthread_mutex_lock(&session->log->mutex);
    session->closing_count++;
    pthread_mutex_unlock(&session->log->mutex);
}

/* Under log->mutex. Of the same loop. */
static uint32_t count_siblings(const pdi_kafka_session_t *self)
{
    uint32_t count = 0;

    for (pdi_kafka_session_t *session = self->log->sessions; session; session = session->next)
        count += atomic_load(&session->loop) == atomic_load(&self->loop);
    return count;
}

void pdi_kafka_session_retire(pdi_kafka_session_t *session, bool dead)
{
    pdi_kafka_t *log = session->log;

    pthread_mutex_lock(&log->mutex);
    session->dead = session->dead || dead;
    if (!session->retired && (session->dead || count_siblings(session) < PDI_KAFKA_SESSIONS_MAX)) {
        session->retired = true;
        add(&log->replaced_count, 1);
        end_if_retired(session);
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

void pdi_kafka_quiet_sessions(pdi_kafka_t *log)
{
    pthread_mutex_lock(&log->mutex);
    for (pdi_kafka_session_t *session = log->sessions; session; session = session->next) {
        PD_ASSERT(is_spare(session));
        rd_kafka_queue_cb_event_enable(session->queue, NULL, NULL);
    }
    pthread_mutex_unlock(&log->mutex);
}

void pdi_kafka_free_sessions(pdi_kafka_t *log)
{
    while (log->sessions) {
        pdi_kafka_session_t *session = log->sessions;

        log->sessions = session->next;
        destroy(session);
    }
}
