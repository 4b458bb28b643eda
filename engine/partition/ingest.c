/* ingest.c -- records of mapped topics become numbered commands.
 *
 * The owner of partition p reads the partitions f of every mapped topic for which f mod N is p.
 * Each record is mapped to a request, gets the next number of its (source, target) and goes to the
 * target's topic of commands. A checkpoint covers what is acknowledged there, up to the first
 * record that is not; from it and the mapping, which is pure, a successor gives the same numbers
 * again.
 *
 * What cannot be mapped goes to the topic of rejects, and has no number. */
#include <inttypes.h>
#include <stdio.h>

#include "base/diag.h"
#include "engine/partition/transport_private.h"
#include "engine/partitioner.h"

#define RETRY_NS ((int64_t)200 * 1000000)

enum {
    IN_FLIGHT_MAX = 8192, /* records of a source, sent and not acknowledged; a power of two */
    IN_FLIGHT_SIZE_MAX = 16 << 20,
};

/* A record on its way; target -1: to the rejects. */
typedef struct entry {
    int64_t offset;
    int64_t number;
    int32_t target;
    uint32_t size;
    bool done;
} entry_t;

/* One partition of a mapped topic. */
struct pdi_source {
    pdi_source_t *next;
    pdi_transport_t *transport;
    pd_sender_user_t user; /* its own: it tells what is acknowledged */
    const pd_mapping_t *mapping;
    pd_ingest_metrics_t *metrics;
    int64_t lag; /* what it has told of it */
    uint32_t partition;
    char name[PDI_TOPIC_SIZE_MAX]; /* "topic/partition" */
    pd_log_reader_t *reader;
    pd_log_read_t read;
    pd_timer_t retry_timer;
    bool closing;
    pd_mail_t closed;
    bool batch, pumping;
    uint32_t index;
    int64_t next_offset; /* to be mapped; -1: the beginning */
    int64_t end_offset;
    int64_t *given; /* last numbers given out, by target */
    pd_sender_t **senders;
    pd_sender_t *rejects;
    entry_t *entries; /* ring: [first, last) */
    uint64_t first, last;
    size_t in_flight_size;
    /* The checkpoint: what is before it is acknowledged. */
    int64_t safe_offset; /* -1: nothing */
    int64_t *safe;       /* last numbers, by target */
    bool changed;        /* since it was recorded */
};

/* A topic whose number of partitions is being asked for. */
struct pdi_topic {
    pdi_topic_t *next;
    pdi_transport_t *transport;
    const pd_mapping_t *mapping;
    pd_ingest_metrics_t *metrics;
    pd_log_topic_query_t query;
    bool asking, known;
    pd_timer_t retry_timer;
};

static void read_next(pdi_source_t *source);
static void pump(pdi_source_t *source);

/* ---- what is acknowledged ---- */

/* Several partitions of the topic may be read here: their mapping's cell has the sum. */
static void tell_lag(pdi_source_t *source)
{
    int64_t from = source->first < source->last
                       ? source->entries[source->first % IN_FLIGHT_MAX].offset
                       : source->next_offset;
    int64_t lag = from >= 0 && source->end_offset > from ? source->end_offset - from : 0;

    pd_gauge_add(&source->metrics->lag, lag - source->lag);
    source->lag = lag;
}

static void advance(pdi_source_t *source)
{
    while (source->first < source->last) {
        const entry_t *entry = &source->entries[source->first % IN_FLIGHT_MAX];

        if (!entry->done)
            break;
        source->safe_offset = entry->offset + 1;
        if (entry->target >= 0)
            source->safe[entry->target] = entry->number;
        pd_counter_add(entry->target >= 0 ? &source->metrics->accepted : &source->metrics->rejected,
                       1);
        source->in_flight_size -= entry->size;
        source->first++;
        source->changed = true;
    }
    tell_lag(source);
    if (source->changed)
        pdi_progress_due(source->transport);
}

static void on_sent(pd_sender_user_t *user, pd_sender_t *sender, int64_t at)
{
    pdi_source_t *source = PD_CONTAINER_OF(user, pdi_source_t, user);

    PD_ASSERT((uint64_t)at >= source->first && (uint64_t)at < source->last);
    source->entries[(uint64_t)at % IN_FLIGHT_MAX].done = true;
    advance(source);
    pump(source);
}

static entry_t *push(pdi_source_t *source, const pd_log_record_t *record)
{
    entry_t *entry = &source->entries[source->last++ % IN_FLIGHT_MAX];

    *entry = (entry_t){.offset = record->offset,
                       .target = -1,
                       .size = (uint32_t)(record->value.size + record->key.size)};
    source->in_flight_size += entry->size;
    return entry;
}

/* ---- mapping ---- */

static void reject(pdi_source_t *source, const pd_log_record_t *record, const char *reason)
{
    pd_partition_t *partition = source->transport->partition;

    push(source, record);
    if (!source->rejects)
        source->rejects =
            pd_sender_open(partition->options.senders, PD_LOG_REJECTED, partition->options.index);
    pdi_reject_by(source->transport, source->rejects, &source->user, record,
                  pd_mapping_topic(source->mapping), source->partition, PD_RPC_INVALID_ARGUMENT,
                  reason, (int64_t)source->last - 1, on_sent);
}

static pd_status_t encode(pdi_source_t *source, const pd_log_record_t *record,
                          pd_mapped_request_t *request, int64_t number)
{
    pdi_transport_t *transport = source->transport;
    Perdure__V1__Command command = PERDURE__V1__COMMAND__INIT;
    Perdure__V1__IngestedSignal ingested = PERDURE__V1__INGESTED_SIGNAL__INIT;

    command.namespace_ = request->namespace_;
    command.body_case = PERDURE__V1__COMMAND__BODY_INGESTED_SIGNAL;
    command.ingested_signal = &ingested;
    ingested.source = source->name;
    ingested.source_offset = record->offset;
    ingested.number = number;
    ingested.request = request;
    pd_buf_clear(&transport->buf);
    return pd_record_encode(transport->partition->options.command_codec, &command.base,
                            &transport->buf);
}

static void map(pdi_source_t *source, const pd_log_record_t *record)
{
    pdi_transport_t *transport = source->transport;
    pd_partition_t *partition = transport->partition;
    pd_mapped_request_t *request;
    uint32_t target;
    entry_t *entry;
    pd_error_t error;

    pd_arena_reset(&transport->ingest_arena);
    if (pd_mapping_apply(source->mapping, record, &transport->ingest_arena, &request, &error) !=
        PD_OK) {
        reject(source, record, error.text);
        return;
    }
    target = pd_partition_of(request->workflow_id, transport->lane_count);
    if (encode(source, record, request, source->given[target] + 1) != PD_OK ||
        transport->buf.size + strlen(request->workflow_id) >
            partition->options.log->info.record_size_max) {
        reject(source, record, "the command is larger than a record may be");
        return;
    }
    entry = push(source, record);
    entry->target = (int32_t)target;
    entry->number = ++source->given[target];
    if (!source->senders[target])
        source->senders[target] =
            pd_sender_open(partition->options.senders, PD_LOG_COMMANDS, target);
    PD_ASSERT(pd_sender_send(source->senders[target], &source->user,
                             pd_bytes_str(request->workflow_id), pd_buf_bytes(&transport->buf),
                             (int64_t)source->last - 1, on_sent) == PD_OK);
}

static bool is_full(const pdi_source_t *source)
{
    return source->last - source->first >= IN_FLIGHT_MAX ||
           source->in_flight_size >= IN_FLIGHT_SIZE_MAX;
}

static void pump(pdi_source_t *source)
{
    if (source->pumping)
        return;
    source->pumping = true;
    while (source->batch && !is_full(source)) {
        if (source->index == source->read.count) {
            source->batch = false;
            if (source->read.next_offset > source->next_offset)
                source->next_offset = source->read.next_offset;
            read_next(source);
        } else {
            const pd_log_record_t *record = &source->read.records[source->index++];

            map(source, record);
            source->next_offset = record->offset + 1;
        }
    }
    source->pumping = false;
}

/* ---- reading ---- */

static void open_source(pdi_source_t *source);

static void on_retry(pd_timer_t *timer)
{
    pdi_source_t *source = PD_CONTAINER_OF(timer, pdi_source_t, retry_timer);

    if (source->reader)
        read_next(source);
    else if (!source->closing)
        open_source(source);
}

static void retry(pdi_source_t *source)
{
    pd_partition_t *partition = source->transport->partition;

    source->retry_timer.fire = on_retry;
    pd_loop_timer_start(partition->options.loop, &source->retry_timer,
                        pd_partition_now_ns(partition) + RETRY_NS);
}

static void on_read(pd_log_read_t *read)
{
    pdi_source_t *source = PD_CONTAINER_OF(read, pdi_source_t, read);

    if (!source->reader || read->status == PD_CANCELED)
        return;
    if (read->status == PD_NOT_FOUND) {
        PD_DIAG(PD_DIAG_ERROR, "records were removed before they were read",
                "source=%s from=%lld to=%lld", source->name, (long long)read->from_offset,
                (long long)read->start_offset - 1);
        source->next_offset = read->start_offset;
        read_next(source);
    } else if (read->status != PD_OK) {
        PD_DIAG(PD_DIAG_WARN, "a mapped topic cannot be read", "source=%s offset=%lld status=%s",
                source->name, (long long)read->from_offset, pd_status_name(read->status));
        retry(source);
    } else {
        source->end_offset = read->end_offset;
        source->batch = true;
        source->index = 0;
        if (source->next_offset < 0)
            source->next_offset = read->start_offset;
        pump(source);
        tell_lag(source);
    }
}

static void read_next(pdi_source_t *source)
{
    pd_log_read_t *read = &source->read;

    memset(read, 0, sizeof(*read));
    read->from_offset = source->next_offset >= 0 ? source->next_offset : PD_LOG_FIRST;
    read->wait = true;
    read->done = on_read;
    pd_log_read(source->reader, read);
}

static void open_source(pdi_source_t *source)
{
    pd_partition_t *partition = source->transport->partition;
    pd_log_foreign_options_t options = {.loop = partition->options.loop,
                                        .topic_name = pd_mapping_topic(source->mapping),
                                        .partition = source->partition};
    pd_error_t error;

    if (pd_log_open_foreign_reader(partition->options.log, &options, &source->reader, &error) ==
        PD_OK) {
        read_next(source);
        return;
    }
    source->reader = NULL;
    PD_DIAG(PD_DIAG_WARN, "a mapped topic cannot be opened", "source=%s error=\"%s\"", source->name,
            error.text);
    retry(source);
}

/* ---- sources come and go ---- */

static void begin_source(pdi_topic_t *topic, uint32_t partition)
{
    pdi_transport_t *transport = topic->transport;
    pdi_source_t *source = PD_NEW(pdi_source_t);
    const Perdure__V1__IngestCheckpoint *checkpoint;

    source->transport = transport;
    source->mapping = topic->mapping;
    source->metrics = topic->metrics;
    source->partition = partition;
    snprintf(source->name, sizeof(source->name), "%.250s/%" PRIu32,
             pd_mapping_topic(topic->mapping), partition);
    source->given = pd_calloc(transport->lane_count, sizeof(source->given[0]));
    source->safe = pd_calloc(transport->lane_count, sizeof(source->safe[0]));
    source->senders = pd_calloc(transport->lane_count, sizeof(source->senders[0]));
    source->entries = pd_calloc(IN_FLIGHT_MAX, sizeof(source->entries[0]));
    source->next_offset = source->safe_offset = source->end_offset = -1;
    checkpoint = pd_store_ingest_checkpoint(transport->partition->store, source->name);
    if (checkpoint) {
        source->next_offset = source->safe_offset = checkpoint->next_offset;
        for (size_t i = 0; i < checkpoint->n_last_numbers && i < transport->lane_count; i++)
            source->given[i] = source->safe[i] = checkpoint->last_numbers[i];
    }
    source->next = transport->sources;
    transport->sources = source;
    open_source(source);
}

static void free_source(pdi_source_t *source)
{
    pdi_source_t **at = &source->transport->closing_sources;

    while (*at != source)
        at = &(*at)->next;
    *at = source->next;
    pd_free(source->given);
    pd_free(source->safe);
    pd_free(source->senders);
    pd_free(source->entries);
    pd_free(source);
}

static void on_closed(pd_mail_t *mail)
{
    pdi_source_t *source = PD_CONTAINER_OF(mail, pdi_source_t, closed);
    pd_partition_t *partition = source->transport->partition;

    free_source(source);
    pdi_partition_maybe_stopped(partition);
}

static void end_source(pdi_source_t *source)
{
    pdi_transport_t *transport = source->transport;
    pd_log_reader_t *reader = source->reader;

    pd_loop_timer_stop(transport->partition->options.loop, &source->retry_timer);
    source->batch = false;
    pd_gauge_add(&source->metrics->lag, -source->lag);
    source->lag = 0;
    for (uint32_t i = 0; i < transport->lane_count; i++) {
        if (source->senders[i])
            pd_sender_close(source->senders[i], &source->user);
    }
    if (source->rejects)
        pd_sender_close(source->rejects, &source->user);
    source->next = transport->closing_sources;
    transport->closing_sources = source;
    if (!reader) {
        free_source(source);
        return;
    }
    source->reader = NULL;
    source->closing = true;
    source->closed.run = on_closed;
    pd_log_close_reader(reader, &source->closed);
}

/* ---- topics ---- */

static void ask(pdi_topic_t *topic);

static void on_ask_again(pd_timer_t *timer)
{
    ask(PD_CONTAINER_OF(timer, pdi_topic_t, retry_timer));
}

static void on_partitions_known(pd_log_topic_query_t *query)
{
    pdi_topic_t *topic = PD_CONTAINER_OF(query, pdi_topic_t, query);
    pdi_transport_t *transport = topic->transport;
    pd_partition_t *partition = transport->partition;

    topic->asking = false;
    if (!transport->running) {
        pdi_partition_maybe_stopped(partition);
        return;
    }
    if (query->status != PD_OK) {
        PD_DIAG(PD_DIAG_WARN, "a mapped topic is not there", "topic=%s status=%s",
                query->topic_name, pd_status_name(query->status));
        topic->retry_timer.fire = on_ask_again;
        pd_loop_timer_start(partition->options.loop, &topic->retry_timer,
                            pd_partition_now_ns(partition) + 5 * RETRY_NS);
        return;
    }
    topic->known = true;
    for (uint32_t i = partition->options.index; i < query->partition_count;
         i += transport->lane_count)
        begin_source(topic, i);
}

static void ask(pdi_topic_t *topic)
{
    pd_partition_t *partition = topic->transport->partition;

    if (topic->asking || topic->known || !topic->transport->running)
        return;
    memset(&topic->query, 0, sizeof(topic->query));
    topic->query.loop = partition->options.loop;
    topic->query.topic_name = pd_mapping_topic(topic->mapping);
    topic->query.done = on_partitions_known;
    if (pd_log_query_topic(partition->options.log, &topic->query) == PD_OK)
        topic->asking = true;
    else
        PD_DIAG(PD_DIAG_ERROR, "this log has no topics but its own", "topic=%s",
                topic->query.topic_name);
}

/* ---- life ---- */

void pdi_ingest_new(pdi_transport_t *transport)
{
    const pd_partition_options_t *options = &transport->partition->options;

    pd_arena_init(&transport->ingest_arena);
    transport->ingest_metrics =
        pd_calloc(options->mapping_count + 1, sizeof(transport->ingest_metrics[0]));
    for (size_t i = 0; i < options->mapping_count; i++) {
        pdi_topic_t *topic = PD_NEW(pdi_topic_t);

        topic->transport = transport;
        topic->mapping = options->mappings[i];
        topic->metrics = &transport->ingest_metrics[i];
        if (options->metrics)
            pd_ingest_metrics_register(topic->metrics, options->metrics,
                                       pd_mapping_name(topic->mapping));
        topic->next = transport->topics;
        transport->topics = topic;
    }
}

void pdi_ingest_free_all(pdi_transport_t *transport)
{
    pdi_topic_t *topic;

    PD_ASSERT(!transport->sources && !transport->closing_sources);
    while ((topic = transport->topics)) {
        transport->topics = topic->next;
        pd_free(topic);
    }
    pd_free(transport->ingest_metrics);
    pd_arena_deinit(&transport->ingest_arena);
}

void pdi_ingest_start(pdi_transport_t *transport)
{
    for (pdi_topic_t *topic = transport->topics; topic; topic = topic->next) {
        topic->known = false;
        ask(topic);
    }
}

void pdi_ingest_stop(pdi_transport_t *transport)
{
    pdi_source_t *source;

    for (pdi_topic_t *topic = transport->topics; topic; topic = topic->next)
        pd_loop_timer_stop(transport->partition->options.loop, &topic->retry_timer);
    while ((source = transport->sources)) {
        transport->sources = source->next;
        end_source(source);
    }
}

bool pdi_ingest_stopped(const pdi_transport_t *transport)
{
    for (const pdi_topic_t *topic = transport->topics; topic; topic = topic->next) {
        if (topic->asking)
            return false;
    }
    return !transport->sources && !transport->closing_sources;
}

size_t pdi_ingest_fill(pdi_transport_t *transport, Perdure__V1__Progress *progress)
{
    size_t count = 0;

    for (const pdi_source_t *source = transport->sources; source; source = source->next)
        count += source->changed;
    progress->ingested =
        pd_arena_alloc(&transport->arena, (count + 1) * sizeof(progress->ingested[0]));
    for (pdi_source_t *source = transport->sources; source; source = source->next) {
        Perdure__V1__IngestCheckpoint *checkpoint;

        if (!source->changed)
            continue;
        source->changed = false;
        checkpoint = PD_PB_NEW(&transport->arena, Perdure__V1__IngestCheckpoint,
                               perdure__v1__ingest_checkpoint);
        checkpoint->source = source->name;
        checkpoint->next_offset = source->safe_offset;
        checkpoint->last_numbers = source->safe;
        checkpoint->n_last_numbers = transport->lane_count;
        progress->ingested[progress->n_ingested++] = checkpoint;
    }
    return count;
}

bool pd_partition_ingest_stats(const pd_partition_t *partition, size_t index,
                               pd_ingest_stats_t *stats)
{
    const pdi_source_t *source = partition->transport->sources;

    for (; source && index > 0; index--)
        source = source->next;
    if (!source)
        return false;
    *stats = (pd_ingest_stats_t){.source = source->name,
                                 .next_offset = source->safe_offset,
                                 .end_offset = source->end_offset};
    return true;
}
