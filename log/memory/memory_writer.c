/* memory_writer.c -- producers, the channels that carry their records, and what goes wrong there.
 */
#include "base/memory.h"
#include "log/memory/memory_private.h"

static void push(pdi_parcels_t *list, pdi_parcel_t *parcel)
{
    parcel->next = NULL;
    if (list->last)
        list->last->next = parcel;
    else
        list->first = parcel;
    list->last = parcel;
}

static pdi_parcel_t *pop(pdi_parcels_t *list)
{
    pdi_parcel_t *parcel = list->first;

    PD_ASSERT(parcel);
    list->first = parcel->next;
    if (!list->first)
        list->last = NULL;
    return parcel;
}

static void free_parcel(pdi_parcel_t *parcel)
{
    pdi_blob_unref(parcel->blob);
    pd_free(parcel);
}

static void free_parcels(pdi_parcels_t *list)
{
    while (list->first)
        free_parcel(pop(list));
}

void pdi_channel_free(pdi_channel_t *channel)
{
    pd_loop_timer_stop(channel->storage->options.loop, &channel->timer);
    free_parcels(&channel->under_way);
    *channel->link = channel->next;
    if (channel->next)
        channel->next->link = channel->link;
    pd_free(channel);
}

/* When the next parcel arrives; those of a writer that is gone are past the cut. */
static int64_t arrival_ns(const pdi_channel_t *channel)
{
    int64_t at_ns = channel->under_way.first->at_ns;

    if (channel->writer && channel->writer->node->out_until_ns > at_ns)
        return channel->writer->node->out_until_ns;
    return at_ns;
}

static void arm_channel(pdi_channel_t *channel)
{
    if (channel->under_way.first)
        pd_loop_timer_start(channel->storage->options.loop, &channel->timer, arrival_ns(channel));
}

static void arm_writer(pdi_memory_writer_t *writer)
{
    int64_t now_ns = pd_loop_now_ns(writer->base.loop), at_ns = now_ns;

    if (!writer->closing) {
        if (!writer->acks.first)
            return;
        at_ns = now_ns + pdi_memory_silence_ns(writer->node);
        if (writer->acks.first->at_ns > at_ns)
            at_ns = writer->acks.first->at_ns;
    }
    pd_loop_timer_start(writer->base.loop, &writer->timer, at_ns);
}

/* Puts it on its way back; takes the parcel. */
static void acknowledge(pdi_channel_t *channel, pdi_parcel_t *parcel)
{
    pdi_memory_writer_t *writer = channel->writer;
    const pd_log_memory_faults_t *faults = &channel->storage->options.faults;
    bool first;

    if (!writer || !parcel->append) {
        free_parcel(parcel);
        return;
    }
    first = !writer->acks.first;
    parcel->at_ns = pd_loop_now_ns(writer->base.loop) +
                    pdi_memory_delay(channel->storage, faults->ack_min_ns, faults->ack_max_ns);
    if (writer->acks.last && writer->acks.last->at_ns > parcel->at_ns)
        parcel->at_ns = writer->acks.last->at_ns;
    push(&writer->acks, parcel);
    if (first && !writer->delivering)
        arm_writer(writer);
}

static void land(pdi_channel_t *channel, pdi_parcel_t *parcel)
{
    pd_log_memory_t *storage = channel->storage;
    pdi_memory_partition_t *partition = channel->partition;

    if (pdi_memory_roll(storage, storage->options.faults.foreign_ppm)) {
        uint8_t bytes[32];

        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)pd_random_u64(&storage->random);
        if (storage->options.foreign)
            storage->options.foreign(storage->options.foreign_ctx, storage, partition->topic,
                                     partition->partition);
        else
            pd_log_memory_append_foreign(storage, partition->topic, partition->partition,
                                         pd_bytes(bytes, 4), pd_bytes(bytes, sizeof(bytes)));
    }
    parcel->offset = pdi_memory_land(storage, partition, parcel->blob, parcel->time_ms);
}

/* Behind a failure, or without a writer: any of them may land, nobody is told which. */
static pd_status_t try_luck(pdi_channel_t *channel, pdi_parcel_t *parcel)
{
    uint64_t luck = pd_random_below(&channel->storage->random, 3);

    if (luck == 0)
        return PD_UNAVAILABLE;
    if (luck == 1)
        land(channel, parcel);
    return PD_UNKNOWN_OUTCOME;
}

/* Decides what becomes of a parcel that has arrived, and lands it if so. *late: it is to be told as
 * unknown now, and lands later. */
static pd_status_t decide_fate(pdi_channel_t *channel, pdi_parcel_t *parcel, bool *late)
{
    pd_log_memory_t *storage = channel->storage;
    const pd_log_memory_faults_t *faults = &storage->options.faults;

    if (parcel->status != PD_OK)
        return parcel->status;
    if (channel->writer && channel->writer->node->failed)
        return PD_IO;
    if (channel->broken)
        return try_luck(channel, parcel);
    if (pdi_memory_roll(storage, faults->io_ppm) && channel->writer) {
        channel->writer->node->failed = true;
        if (pd_random_below(&storage->random, 2))
            land(channel, parcel);
        return PD_IO;
    }
    if (pdi_memory_roll(storage, faults->fail_ppm))
        return PD_UNAVAILABLE;
    if (pdi_memory_roll(storage, faults->unknown_lost_ppm))
        return PD_UNKNOWN_OUTCOME;
    if (pdi_memory_roll(storage, faults->unknown_late_ppm)) {
        *late = true;
        return PD_UNKNOWN_OUTCOME;
    }
    land(channel, parcel);
    return pdi_memory_roll(storage, faults->unknown_landed_ppm) ? PD_UNKNOWN_OUTCOME : PD_OK;
}

/* A second parcel for the acknowledgement, while the first one stays on its way. */
static void acknowledge_early(pdi_channel_t *channel, pdi_parcel_t *parcel, pd_status_t status)
{
    pdi_parcel_t *early = PD_NEW(pdi_parcel_t);

    *early = *parcel;
    early->blob->ref_count++;
    early->status = status;
    early->offset = -1;
    parcel->append = NULL;
    acknowledge(channel, early);
}

static void arrive(pdi_channel_t *channel)
{
    pd_log_memory_t *storage = channel->storage;
    pdi_parcel_t *parcel = channel->under_way.first;
    bool late = false;

    if (parcel->late) {
        parcel = pop(&channel->under_way);
        land(channel, parcel);
        free_parcel(parcel);
        return;
    }
    parcel->status = decide_fate(channel, parcel, &late);
    if (parcel->status != PD_OK)
        channel->broken = true;
    if (late) {
        acknowledge_early(channel, parcel, parcel->status);
        parcel->late = true;
        parcel->at_ns = pd_loop_now_ns(storage->options.loop) +
                        pdi_memory_delay(storage, 0, storage->options.faults.late_max_ns);
        return;
    }
    acknowledge(channel, pop(&channel->under_way));
}

static void on_channel_timer(pd_timer_t *timer)
{
    pdi_channel_t *channel = PD_CONTAINER_OF(timer, pdi_channel_t, timer);
    int64_t now_ns = pd_loop_now_ns(channel->storage->options.loop);

    while (channel->under_way.first && arrival_ns(channel) <= now_ns)
        arrive(channel);
    if (!channel->under_way.first && !channel->writer)
        pdi_channel_free(channel);
    else
        arm_channel(channel);
}

/* The writer is gone. Without zombies, what is on its way lands or is lost here and now: a first
 * part of it lands. */
static void abandon(pdi_channel_t *channel)
{
    pd_log_memory_t *storage = channel->storage;
    uint64_t count = 0;

    channel->writer = NULL;
    channel->broken = true;
    for (pdi_parcel_t *parcel = channel->under_way.first; parcel; parcel = parcel->next) {
        parcel->append = NULL;
        count++;
    }
    if (storage->options.exclusive && count > 0) {
        uint64_t landing_count = pd_random_below(&storage->random, count + 1);

        for (uint64_t i = 0; i < landing_count; i++) {
            pdi_parcel_t *parcel = pop(&channel->under_way);

            if (parcel->status == PD_OK || parcel->late)
                land(channel, parcel);
            free_parcel(parcel);
        }
        free_parcels(&channel->under_way);
    }
    if (!channel->under_way.first)
        pdi_channel_free(channel);
}

static void unlink_writer(pdi_memory_writer_t *writer)
{
    *writer->link = writer->next;
    if (writer->next)
        writer->next->link = writer->link;
}

static void finish(pdi_memory_writer_t *writer)
{
    pd_loop_t *loop = writer->base.loop;
    pd_mail_t *closed = writer->closed;

    PD_ASSERT(!writer->acks.first);
    unlink_writer(writer);
    pd_free(writer);
    if (closed)
        pd_loop_post(loop, closed);
}

static void deliver(pdi_memory_writer_t *writer, pdi_parcel_t *parcel)
{
    pd_log_append_t *append = parcel->append;

    /* The caller has lent these bytes until now. */
    PD_ASSERT(pd_bytes_equal(append->key, pdi_blob_key(parcel->blob)));
    PD_ASSERT(pd_bytes_equal(append->value, pdi_blob_value(parcel->blob)));
    append->status = parcel->status;
    append->offset = parcel->status == PD_OK ? parcel->offset : -1;
    append->time_ms = parcel->time_ms;
    if (append->status == PD_OK)
        PD_ASSERT(writer->broken == PD_OK);
    else if (writer->broken == PD_OK)
        writer->broken = append->status;
    free_parcel(parcel);
    append->done(append);
}

static void on_writer_timer(pd_timer_t *timer)
{
    pdi_memory_writer_t *writer = PD_CONTAINER_OF(timer, pdi_memory_writer_t, timer);
    int64_t now_ns = pd_loop_now_ns(writer->base.loop);
    bool silent = pdi_memory_silence_ns(writer->node) > 0;

    writer->delivering = true;
    while (writer->acks.first &&
           (writer->closing || (!silent && writer->acks.first->at_ns <= now_ns)))
        deliver(writer, pop(&writer->acks));
    writer->delivering = false;
    if (writer->closing)
        finish(writer);
    else
        arm_writer(writer);
}

pd_status_t pdi_memory_open_writer(pd_log_t *log, const pd_log_handle_options_t *options,
                                   pd_log_writer_t **out, pd_error_t *error)
{
    pdi_node_t *node = (pdi_node_t *)log;
    pd_log_memory_t *storage = node->storage;
    pdi_memory_partition_t *partition =
        pdi_memory_partition(storage, options->topic, options->partition);
    pdi_memory_writer_t *writer;
    pdi_channel_t *channel;

    *out = NULL;
    if (!partition)
        return pd_error_set(error, PD_NOT_FOUND, "the log has no partition %u in topic %u",
                            options->partition, (unsigned)options->topic);
    if (node->failed)
        return pd_error_set(error, PD_IO, "the log has failed (injected)");
    writer = PD_NEW(pdi_memory_writer_t);
    writer->base = (pd_log_writer_t){log, options->loop, options->topic, options->partition};
    writer->node = node;
    writer->id = ++storage->writer_count;
    writer->timer.fire = on_writer_timer;
    writer->next = node->writers;
    writer->link = &node->writers;
    if (writer->next)
        writer->next->link = &writer->next;
    node->writers = writer;
    channel = PD_NEW(pdi_channel_t);
    channel->storage = storage;
    channel->partition = partition;
    channel->writer = writer;
    channel->timer.fire = on_channel_timer;
    channel->next = storage->channels;
    channel->link = &storage->channels;
    if (channel->next)
        channel->next->link = &channel->next;
    storage->channels = channel;
    writer->channel = channel;
    *out = &writer->base;
    return PD_OK;
}

pd_status_t pdi_memory_append(pd_log_writer_t *base, pd_log_append_t *append)
{
    pdi_memory_writer_t *writer = (pdi_memory_writer_t *)base;
    pdi_channel_t *channel = writer->channel;
    pd_log_memory_t *storage = channel->storage;
    const pd_log_memory_faults_t *faults = &storage->options.faults;
    pdi_parcel_t *parcel;
    bool first = !channel->under_way.first;

    PD_ASSERT(!writer->closing);
    if ((uint64_t)append->key.size + append->value.size > storage->info.record_size_max)
        return PD_LIMIT;
    append->writer = base;
    append->offset = -1;
    parcel = PD_NEW(pdi_parcel_t);
    parcel->append = append;
    parcel->blob = pdi_blob_new(append->key, append->value);
    parcel->blob->writer_id = writer->id;
    pdi_blob_set_headers(parcel->blob, append->headers, append->header_count);
    parcel->time_ms = pd_loop_now_ns(base->loop) / 1000000;
    parcel->status = writer->broken == PD_OK ? PD_OK : PD_CANCELED;
    parcel->at_ns = pd_loop_now_ns(storage->options.loop) +
                    pdi_memory_delay(storage, faults->land_min_ns, faults->land_max_ns);
    if (!first && channel->under_way.last->at_ns > parcel->at_ns)
        parcel->at_ns = channel->under_way.last->at_ns;
    push(&channel->under_way, parcel);
    if (first)
        arm_channel(channel);
    return PD_OK;
}

void pdi_memory_writer_error(const pd_log_writer_t *base, pd_error_t *error)
{
    const pdi_memory_writer_t *writer = (const pdi_memory_writer_t *)base;

    if (writer->broken == PD_OK)
        pd_error_set(error, PD_OK, "no error");
    else
        pd_error_set(error, writer->broken, "an append failed with %s (injected)",
                     pd_status_name(writer->broken));
}

void pdi_memory_close_writer(pd_log_writer_t *base, pd_mail_t *closed)
{
    pdi_memory_writer_t *writer = (pdi_memory_writer_t *)base;
    pdi_channel_t *channel = writer->channel;

    PD_ASSERT(!writer->closing);
    writer->closing = true;
    writer->closed = closed;
    for (pdi_parcel_t *parcel = channel->under_way.first; parcel; parcel = parcel->next) {
        if (parcel->append)
            acknowledge_early(channel, parcel,
                              parcel->status == PD_OK ? PD_UNKNOWN_OUTCOME : parcel->status);
    }
    abandon(channel);
    writer->channel = NULL;
    if (!writer->delivering)
        arm_writer(writer);
}

void pdi_memory_crash_writer(pdi_memory_writer_t *writer)
{
    PD_ASSERT(!writer->delivering); /* not from inside its own callbacks */
    pd_loop_timer_stop(writer->base.loop, &writer->timer);
    free_parcels(&writer->acks);
    if (writer->channel)
        abandon(writer->channel);
    unlink_writer(writer);
    pd_free(writer);
}
