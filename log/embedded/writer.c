/* writer.c -- producer handles. An append goes to the commit thread and comes back through a port;
 * the writer itself lives on its loop and only counts. */
#include "base/memory.h"
#include "log/embedded/embedded_private.h"

pd_status_t pdi_writer_open(pd_log_t *log, const pd_log_handle_options_t *options,
                            pd_log_writer_t **out, pd_error_t *error)
{
    pdi_db_t *db = pdi_db_of(log);
    pdi_partition_t *partition = pdi_find_partition(db, options->topic, options->partition);
    pdi_writer_t *writer;

    *out = NULL;
    if (!partition)
        return pd_error_set(error, PD_NOT_FOUND, "log %s has no partition %u in topic %u",
                            db->directory, options->partition, (unsigned)options->topic);
    if (db->read_only)
        return pd_error_set(error, PD_INVALID, "log %s is open for reading only", db->directory);
    if (atomic_load(&db->failed) != PD_OK) {
        if (error)
            *error = db->failure;
        return (pd_status_t)atomic_load(&db->failed);
    }
    writer = PD_NEW(pdi_writer_t);
    writer->base.log = log;
    writer->base.loop = options->loop;
    writer->base.topic = options->topic;
    writer->base.partition = options->partition;
    writer->partition = partition;
    writer->port = pdi_handle_opened(db, options->loop);
    *out = &writer->base;
    return PD_OK;
}

pd_status_t pdi_writer_append(pd_log_writer_t *base, pd_log_append_t *append)
{
    pdi_writer_t *writer = (pdi_writer_t *)base;
    pdi_db_t *db = pdi_db_of(base->log);

    PD_ASSERT(!writer->closing);
    if ((uint64_t)append->key.size + append->value.size > db->base.info.record_size_max)
        return PD_LIMIT;
    append->writer = base;
    append->status = PD_OK;
    append->offset = -1;
    append->time_ms = pd_loop_now_ns(base->loop) / 1000000;
    /* A broken writer's appends take the same way, so that the order of completions holds. */
    append->private_number = writer->broken == PD_OK ? PDI_SEND : PDI_SKIP;
    writer->in_flight_count++;
    pdi_commit_push(db, append);
    return PD_OK;
}

void pdi_writer_error(const pd_log_writer_t *base, pd_error_t *error)
{
    const pdi_writer_t *writer = (const pdi_writer_t *)base;
    pdi_db_t *db = pdi_db_of(base->log);

    if (writer->broken == PD_OK)
        pd_error_set(error, PD_OK, "no error");
    else if (atomic_load(&db->failed) != PD_OK)
        *error = db->failure;
    else
        pd_error_set(error, writer->broken, "the outcome of an append to log %s is not known",
                     db->directory);
}

static void finish(pdi_writer_t *writer)
{
    pdi_db_t *db = pdi_db_of(writer->base.log);
    pd_loop_t *loop = writer->base.loop;
    pd_mail_t *closed = writer->closed;

    PD_ASSERT(writer->in_flight_count == 0);
    pd_free(writer);
    pdi_handle_closed(db);
    if (closed)
        pd_loop_post(loop, closed);
}

void pdi_writer_close(pd_log_writer_t *base, pd_mail_t *closed)
{
    pdi_writer_t *writer = (pdi_writer_t *)base;

    PD_ASSERT(!writer->closing);
    writer->closing = true;
    writer->closed = closed;
    if (writer->in_flight_count == 0)
        finish(writer);
}

void pdi_writer_complete(pd_log_append_t *append)
{
    pdi_writer_t *writer = (pdi_writer_t *)append->writer;
    bool last;

    PD_ASSERT_LOOP(writer->base.loop);
    PD_ASSERT(writer->in_flight_count > 0);
    if (append->status == PD_OK && writer->broken != PD_OK)
        append->status = PD_UNKNOWN_OUTCOME;
    if (append->status != PD_OK) {
        append->offset = -1;
        if (writer->broken == PD_OK)
            writer->broken = append->status;
    }
    writer->in_flight_count--;
    /* `done` may close the writer, which frees it when nothing else is in flight: not to be touched
     * then. Was it closing before, `done` cannot. */
    last = writer->closing && writer->in_flight_count == 0;
    append->done(append);
    if (last)
        finish(writer);
}
