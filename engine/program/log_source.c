#include "engine/program/log_source.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/loop_event.h"
#include "base/memory.h"
#include "engine/node/node.h"
#include "log/embedded/embedded.h"
#include "log/kafka/kafka.h"

enum { REFRESH_MS = 500, PATH_SIZE = 4096 };

struct pd_log_source {
    const pd_log_options_t *options;
    pd_loop_event_t *loop;
    pd_log_t *log;

    /* Of the reading at hand */
    pd_mail_t begin, closed;
    pd_timer_t timer;
    pd_log_reader_t *reader;
    pd_log_read_t read;
    pd_log_topic_t topic;
    uint32_t partition;
    pd_log_each_t each;
    void *ctx;
    pd_status_t status;
    pd_error_t *error;
    pd_log_extent_t extent;
};

/* ---- opening ---- */

static pd_status_t open_embedded(pd_log_source_t *source, pd_error_t *error)
{
    char path[PATH_SIZE];
    pd_log_embedded_options_t options = {.directory = path, .read_only = true};

    snprintf(path, sizeof(path), "%s/log", source->options->data_path);
    return pd_log_embedded_open(&options, &source->log, error);
}

/* Unmanaged: an auditor creates no topics, and needs no right but to read. */
static pd_status_t open_kafka(pd_log_source_t *source, pd_error_t *error)
{
    const pd_log_options_t *from = source->options;
    pd_log_kafka_property_t properties[PD_LOG_PROPERTIES_MAX];
    pd_log_kafka_options_t options = {
        .cluster = from->cluster,
        .bootstrap_servers = from->bootstrap_servers,
        .properties = properties,
        .property_count = from->property_count,
        .topics_unmanaged = true,
    };

    for (size_t i = 0; i < from->property_count; i++)
        properties[i] =
            (pd_log_kafka_property_t){from->properties[i].name, from->properties[i].value};
    return pd_log_kafka_open(&options, &source->log, error);
}

static pd_status_t open_log(pd_log_source_t *source, pd_error_t *error)
{
    return source->options->cluster ? open_kafka(source, error) : open_embedded(source, error);
}

pd_status_t pd_log_source_open(const pd_log_options_t *options, pd_log_source_t **out,
                               pd_error_t *error)
{
    pd_loop_event_options_t loop_options = {.name = "log", .mailbox_count = 1024};
    pd_log_source_t *source = PD_NEW(pd_log_source_t);
    pd_status_t status;

    source->options = options;
    source->loop = pd_loop_event_new(&loop_options);
    status = open_log(source, error);
    if (status != PD_OK) {
        pd_log_source_close(source);
        return status;
    }
    *out = source;
    return PD_OK;
}

void pd_log_source_close(pd_log_source_t *source)
{
    if (!source)
        return;
    pd_log_close(source->log);
    pd_loop_event_free(source->loop);
    pd_free(source);
}

uint32_t pd_log_source_partition_count(const pd_log_source_t *source, pd_log_topic_t topic)
{
    return source->log->info.partition_counts[topic];
}

pd_status_t pd_log_source_partitions(const pd_log_source_t *source, const pd_log_options_t *options,
                                     uint32_t *first, uint32_t *end, pd_error_t *error)
{
    uint32_t count = pd_log_source_partition_count(source, options->topic);

    *first = 0;
    *end = count;
    if (options->partition >= (int64_t)count)
        return pd_error_set(error, PD_INVALID, "there is no partition %lld: topic %s has %u",
                            (long long)options->partition, pd_log_topic_name(options->topic),
                            count);
    if (options->partition >= 0)
        *first = (uint32_t)options->partition;
    else if (options->workflow_id && count > 0 && options->topic != PD_LOG_MEMBERS)
        *first = pd_partition_of(options->workflow_id, count);
    else
        return PD_OK;
    *end = *first + 1;
    return PD_OK;
}

/* ---- reading ---- */

static void on_closed(pd_mail_t *mail)
{
    pd_loop_event_break(PD_CONTAINER_OF(mail, pd_log_source_t, closed)->loop);
}

static void end_reading(pd_log_source_t *source, pd_status_t status)
{
    source->status = status;
    source->closed.run = on_closed;
    pd_log_close_reader(source->reader, &source->closed);
}

static void on_read(pd_log_read_t *read)
{
    pd_log_source_t *source = PD_CONTAINER_OF(read, pd_log_source_t, read);

    if (read->status != PD_OK) {
        pd_error_set(source->error, read->status,
                     "topic %s, partition %u cannot be read from offset %lld (%s; %lld is the "
                     "oldest one that is kept)",
                     pd_log_topic_name(source->topic), source->partition,
                     (long long)read->from_offset, pd_status_name(read->status),
                     (long long)read->start_offset);
        end_reading(source, read->status);
        return;
    }
    source->extent.start_offset = read->start_offset;
    source->extent.end_offset = read->end_offset;
    for (uint32_t i = 0; i < read->count; i++) {
        pd_status_t status = source->each(source->ctx, &read->records[i], source->error);

        source->extent.next_offset = read->records[i].offset + 1;
        if (status != PD_OK) {
            end_reading(source, status);
            return;
        }
    }
    source->extent.next_offset = read->next_offset;
    if (read->next_offset >= read->end_offset) {
        end_reading(source, PD_OK);
        return;
    }
    read->from_offset = read->next_offset;
    pd_log_read(source->reader, read);
}

static void begin(pd_mail_t *mail)
{
    pd_log_source_t *source = PD_CONTAINER_OF(mail, pd_log_source_t, begin);
    pd_log_handle_options_t handle = {
        .loop = pd_loop_event_loop(source->loop),
        .topic = source->topic,
        .partition = source->partition,
    };

    source->status = pd_log_open_reader(source->log, &handle, &source->reader, source->error);
    if (source->status != PD_OK)
        pd_loop_event_break(source->loop);
    else
        pd_log_read(source->reader, &source->read);
}

pd_status_t pd_log_source_read(pd_log_source_t *source, pd_log_topic_t topic, uint32_t partition,
                               int64_t from_offset, pd_log_each_t each, void *ctx,
                               pd_log_extent_t *extent, pd_error_t *error)
{
    source->topic = topic;
    source->partition = partition;
    source->each = each;
    source->ctx = ctx;
    source->error = error;
    source->extent = (pd_log_extent_t){.next_offset = from_offset};
    memset(&source->read, 0, sizeof(source->read));
    source->read.from_offset = from_offset;
    source->read.done = on_read;
    source->begin.run = begin;
    pd_loop_post(pd_loop_event_loop(source->loop), &source->begin);
    pd_loop_event_run(source->loop);
    if (extent)
        *extent = source->extent;
    return source->status == PD_CANCELED ? PD_OK : source->status;
}

/* ---- following ---- */

static void on_timer(pd_timer_t *timer)
{
    pd_loop_event_break(PD_CONTAINER_OF(timer, pd_log_source_t, timer)->loop);
}

static void begin_wait(pd_mail_t *mail)
{
    pd_log_source_t *source = PD_CONTAINER_OF(mail, pd_log_source_t, begin);
    pd_loop_t *loop = pd_loop_event_loop(source->loop);

    source->timer.fire = on_timer;
    pd_loop_timer_start(loop, &source->timer, pd_loop_now_ns(loop) + REFRESH_MS * (int64_t)1000000);
}

pd_status_t pd_log_source_refresh(pd_log_source_t *source, pd_error_t *error)
{
    source->begin.run = begin_wait;
    pd_loop_post(pd_loop_event_loop(source->loop), &source->begin);
    pd_loop_event_run(source->loop);
    if (source->options->cluster)
        return PD_OK; /* its readers see what lands */
    pd_log_close(source->log);
    source->log = NULL;
    return open_embedded(source, error);
}
