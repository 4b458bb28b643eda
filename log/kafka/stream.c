/* stream.c -- consumer handles, and who fetches what on them.
 *
 * A broker answers one Fetch of a handle at a time, and an empty one only after fetch.wait.max.ms.
 * What is asked on a handle whose Fetch waits for a tail would wait with it. So there are several
 * kinds:
 *
 *   quick  waits 1 ms: for reads that must know whether there is something now, and for replay. It
 *          is used only while such reads go on, since it asks all the time;
 *   tail   waits 100 ms, and is answered at once when something comes;
 *   place  quick, for the beginning and the end of the log, and never for an offset. librdkafka
 *          (seen in 2.0.2) asks the broker where they are. When that answer comes, or fails, after
 *          the partition was sought elsewhere, it is asked for again half a second
 *          later; and then the partition is fetched from there, wherever it stood: records are
 *          skipped without a word.
 *
 * Each kind once more for foreign topics, which are read as committed. A handle can fetch a
 * partition at one place only; when several readers want the same partition there are more handles
 * of the kind. Streams that nobody owns are kept for a moment for the next reader of the partition,
 * then the chores thread stops them.
 *
 *   OWNED ──release──▶ IDLE ──sweep──▶ STOPPING ──▶ freed
 *     ▲─────acquire──────┘ */
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "log/kafka/kafka_private.h"

enum { SWEEP_MS = 20 };
/* In times that a read has. A handle is not suspected before: while the brokers are away, new ones
 * are no better. */
#define DISTRUSTED_AFTER 2

const pdi_kafka_kind_info_t pdi_kafka_kinds[PDI_KAFKA_KIND_COUNT] = {
    [PDI_KAFKA_QUICK] = {.name = "quick", .foreign_kind = PDI_KAFKA_FOREIGN_QUICK},
    [PDI_KAFKA_TAIL] = {.name = "tail", .waits = true, .foreign_kind = PDI_KAFKA_FOREIGN_TAIL},
    [PDI_KAFKA_PLACE] = {.name = "place", .places = true, .foreign_kind = PDI_KAFKA_FOREIGN_PLACE},
    [PDI_KAFKA_FOREIGN_QUICK] = {.name = "foreign-quick",
                                 .foreign = true,
                                 .foreign_kind = PDI_KAFKA_FOREIGN_QUICK},
    [PDI_KAFKA_FOREIGN_TAIL] = {.name = "foreign-tail",
                                .waits = true,
                                .foreign = true,
                                .foreign_kind = PDI_KAFKA_FOREIGN_TAIL},
    [PDI_KAFKA_FOREIGN_PLACE] = {.name = "foreign-place",
                                 .places = true,
                                 .foreign = true,
                                 .foreign_kind = PDI_KAFKA_FOREIGN_PLACE},
};

pd_status_t pdi_kafka_add_handle(pdi_kafka_t *log, pdi_kafka_kind_t kind, pd_error_t *error)
{
    pdi_kafka_handle_t *handle;
    rd_kafka_t *rk;

    PD_TRY(pdi_kafka_new_consumer(log, kind, &rk, error));
    handle = PD_NEW(pdi_kafka_handle_t);
    handle->log = log;
    handle->kind = kind;
    handle->rk = rk;
    if (!pdi_kafka_kinds[kind].foreign) {
        for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
            handle->topics[i] = rd_kafka_topic_new(rk, log->topic_names[i], NULL);
    }
    handle->made_ns = pd_os_monotonic_ns();
    pthread_mutex_lock(&log->mutex);
    handle->number = ++log->handle_count;
    atomic_fetch_add_explicit(&log->consumer_count, 1, memory_order_relaxed);
    handle->next = log->handles;
    log->handles = handle;
    pthread_mutex_unlock(&log->mutex);
    return PD_OK;
}

/* Under log->mutex. */
static void wake_chores(pdi_kafka_t *log)
{
    if (log->chores_mailed)
        return;
    log->chores_mailed = true;
    pd_loop_post(log->chores, &log->chores_mail);
}

static bool is_at(const pdi_kafka_stream_t *stream, const char *topic_name, int32_t partition)
{
    return stream->partition == partition && strcmp(stream->topic_name, topic_name) == 0;
}

/* Under log->mutex. NULL: every handle of the kind has a stream there. */
static pdi_kafka_handle_t *find_handle(pdi_kafka_t *log, pdi_kafka_kind_t kind,
                                       const char *topic_name, int32_t partition)
{
    for (pdi_kafka_handle_t *handle = log->handles; handle; handle = handle->next) {
        const pdi_kafka_stream_t *stream = log->streams;

        if (handle->kind != kind || handle->distrusted)
            continue;
        while (stream && !(stream->handle == handle && is_at(stream, topic_name, partition)))
            stream = stream->next;
        if (!stream)
            return handle;
    }
    return NULL;
}

/* Under log->mutex. */
static pdi_kafka_stream_t *take_idle(pdi_kafka_t *log, pdi_kafka_kind_t kind,
                                     const char *topic_name, int32_t partition)
{
    for (pdi_kafka_stream_t *stream = log->streams; stream; stream = stream->next) {
        if (stream->handle->kind == kind && stream->state == PDI_KAFKA_STREAM_IDLE &&
            !stream->spoilt && !stream->handle->distrusted &&
            is_at(stream, topic_name, partition)) {
            stream->state = PDI_KAFKA_STREAM_OWNED;
            return stream;
        }
    }
    return NULL;
}

/* Under log->mutex: something of the kind is being stopped there, and will make room. */
static bool is_stopping(pdi_kafka_t *log, pdi_kafka_kind_t kind, const char *topic_name,
                        int32_t partition)
{
    for (const pdi_kafka_stream_t *stream = log->streams; stream; stream = stream->next) {
        if (stream->handle->kind == kind && stream->state != PDI_KAFKA_STREAM_OWNED &&
            is_at(stream, topic_name, partition))
            return true;
    }
    return false;
}

/* Under log->mutex. */
static pdi_kafka_stream_t *new_stream(pdi_kafka_t *log, pdi_kafka_handle_t *handle,
                                      const char *topic_name, int32_t partition)
{
    pdi_kafka_stream_t *stream = PD_NEW(pdi_kafka_stream_t);

    stream->handle = handle;
    stream->partition = partition;
    stream->topic = rd_kafka_topic_new(handle->rk, topic_name, NULL);
    PD_ASSERT(stream->topic);
    stream->queue = rd_kafka_queue_new(handle->rk);
    stream->state = PDI_KAFKA_STREAM_OWNED;
    snprintf(stream->topic_name, sizeof(stream->topic_name), "%s", topic_name);
    stream->next = log->streams;
    log->streams = stream;
    return stream;
}

pdi_kafka_stream_t *pdi_kafka_stream_acquire(pdi_kafka_t *log, pdi_kafka_kind_t kind,
                                             const char *topic_name, int32_t partition)
{
    pdi_kafka_stream_t *stream;
    pdi_kafka_handle_t *handle;

    pthread_mutex_lock(&log->mutex);
    stream = take_idle(log, kind, topic_name, partition);
    if (!stream) {
        handle = find_handle(log, kind, topic_name, partition);
        if (handle) {
            stream = new_stream(log, handle, topic_name, partition);
        } else if (!is_stopping(log, kind, topic_name, partition)) {
            log->handle_wanted[kind] = true;
            wake_chores(log);
        }
    }
    pthread_mutex_unlock(&log->mutex);
    return stream;
}

void pdi_kafka_stream_release(pdi_kafka_t *log, pdi_kafka_stream_t *stream)
{
    rd_kafka_queue_cb_event_enable(stream->queue, NULL, NULL);
    pthread_mutex_lock(&log->mutex);
    PD_ASSERT(stream->state == PDI_KAFKA_STREAM_OWNED);
    stream->state = PDI_KAFKA_STREAM_IDLE;
    wake_chores(log);
    pthread_mutex_unlock(&log->mutex);
}

void pdi_kafka_distrust(pdi_kafka_t *log, uint64_t handle_number)
{
    pthread_mutex_lock(&log->mutex);
    for (pdi_kafka_handle_t *handle = log->handles; handle; handle = handle->next) {
        if (handle->number != handle_number || handle->distrusted ||
            pd_os_monotonic_ns() - handle->made_ns < DISTRUSTED_AFTER * log->read_timeout_ns)
            continue;
        PD_DIAG(PD_DIAG_WARN, "kafka consumer is replaced", "kind=%s number=%llu",
                pdi_kafka_kinds[handle->kind].name, (unsigned long long)handle->number);
        handle->distrusted = true;
        wake_chores(log);
    }
    pthread_mutex_unlock(&log->mutex);
}

pd_status_t pdi_kafka_stream_seek(pdi_kafka_stream_t *stream, int64_t offset, bool restart)
{
    rd_kafka_resp_err_t code;

    if (stream->started && !restart) {
        code = rd_kafka_seek(stream->topic, stream->partition, offset, 0);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return PD_OK;
    }
    if (rd_kafka_consume_start_queue(stream->topic, stream->partition, offset, stream->queue) != 0)
        return PD_IO;
    stream->started = true;
    return PD_OK;
}

static void free_stream(pdi_kafka_stream_t *stream)
{
    if (stream->started)
        (void)rd_kafka_consume_stop(stream->topic, stream->partition);
    rd_kafka_queue_destroy(stream->queue);
    rd_kafka_topic_destroy(stream->topic);
    pd_free(stream);
}

/* One that is idle, now marked as stopping; NULL: none. */
static pdi_kafka_stream_t *next_to_stop(pdi_kafka_t *log)
{
    pdi_kafka_stream_t *stream;

    pthread_mutex_lock(&log->mutex);
    stream = log->streams;
    while (stream && stream->state != PDI_KAFKA_STREAM_IDLE)
        stream = stream->next;
    if (stream)
        stream->state = PDI_KAFKA_STREAM_STOPPING;
    pthread_mutex_unlock(&log->mutex);
    return stream;
}

static void free_handle(pdi_kafka_handle_t *handle)
{
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        if (handle->topics[i])
            rd_kafka_topic_destroy(handle->topics[i]);
    }
    rd_kafka_destroy(handle->rk);
    pd_free(handle);
}

/* A distrusted one without streams, taken off the list; NULL: none. */
static pdi_kafka_handle_t *next_to_free(pdi_kafka_t *log)
{
    pdi_kafka_handle_t **link, *found = NULL;

    pthread_mutex_lock(&log->mutex);
    for (link = &log->handles; *link && !found;) {
        const pdi_kafka_stream_t *stream = log->streams;

        while (stream && stream->handle != *link)
            stream = stream->next;
        if (!(*link)->distrusted || stream) {
            link = &(*link)->next;
            continue;
        }
        found = *link;
        *link = found->next;
    }
    pthread_mutex_unlock(&log->mutex);
    return found;
}

/* Only this thread frees handles. */
rd_kafka_t *pdi_kafka_any_consumer(pdi_kafka_t *log)
{
    const pdi_kafka_handle_t *handle;
    rd_kafka_t *rk = NULL;

    pthread_mutex_lock(&log->mutex);
    handle = log->handles;
    while (handle && handle->distrusted)
        handle = handle->next;
    if (handle)
        rk = handle->rk;
    else
        log->handle_wanted[PDI_KAFKA_QUICK] = true;
    pthread_mutex_unlock(&log->mutex);
    return rk;
}

static void free_distrusted(pdi_kafka_t *log)
{
    pdi_kafka_handle_t *handle;

    while ((handle = next_to_free(log)))
        free_handle(handle);
}

void pdi_kafka_chores_sweep(pd_timer_t *timer)
{
    pdi_kafka_t *log = PD_CONTAINER_OF(timer, pdi_kafka_t, sweep_timer);
    pdi_kafka_stream_t *stream, **link;

    while ((stream = next_to_stop(log))) {
        rd_kafka_topic_t *topic = stream->topic;

        if (stream->started)
            (void)rd_kafka_consume_stop(topic, stream->partition);
        stream->started = false;
        pthread_mutex_lock(&log->mutex);
        link = &log->streams;
        while (*link != stream)
            link = &(*link)->next;
        *link = stream->next;
        pthread_mutex_unlock(&log->mutex);
        free_stream(stream);
    }
    free_distrusted(log);
}

void pdi_kafka_chores_run(pd_mail_t *mail)
{
    pdi_kafka_t *log = PD_CONTAINER_OF(mail, pdi_kafka_t, chores_mail);
    bool wanted[PDI_KAFKA_KIND_COUNT];

    pthread_mutex_lock(&log->mutex);
    log->chores_mailed = false;
    memcpy(wanted, log->handle_wanted, sizeof(wanted));
    memset(log->handle_wanted, 0, sizeof(log->handle_wanted));
    pthread_mutex_unlock(&log->mutex);
    for (int i = 0; i < PDI_KAFKA_KIND_COUNT; i++) {
        pd_error_t error;

        if (wanted[i] && pdi_kafka_add_handle(log, (pdi_kafka_kind_t)i, &error) != PD_OK)
            PD_DIAG(PD_DIAG_ERROR, "kafka consumer", "text=\"%s\"", error.text);
    }
    if (log->sweep_timer.heap_index == 0)
        pd_loop_timer_start(log->chores, &log->sweep_timer,
                            pd_loop_now_ns(log->chores) + SWEEP_MS * 1000000);
}

void pdi_kafka_free_handles(pdi_kafka_t *log)
{
    while (log->streams) {
        pdi_kafka_stream_t *stream = log->streams;

        PD_ASSERT(stream->state != PDI_KAFKA_STREAM_OWNED);
        log->streams = stream->next;
        free_stream(stream);
    }
    while (log->handles) {
        pdi_kafka_handle_t *handle = log->handles;

        log->handles = handle->next;
        free_handle(handle);
    }
}
