/* reader.c -- cursors. Reads are served by one thread of their own, so that neither a loop nor the
 * commit thread ever waits for the disk; a read that waits for the tail is parked and woken by the
 * commit that brings something. */
#include "base/diag.h"
#include "base/memory.h"
#include "log/embedded/embedded_private.h"

enum { READ_SIZE_DEFAULT = 512 * 1024 };

pd_status_t pdi_reader_open(pd_log_t *log, const pd_log_handle_options_t *options,
                            pd_log_reader_t **out, pd_error_t *error)
{
    pdi_db_t *db = pdi_db_of(log);
    pdi_partition_t *partition = pdi_find_partition(db, options->topic, options->partition);
    pdi_reader_t *reader;

    *out = NULL;
    if (!partition)
        return pd_error_set(error, PD_NOT_FOUND, "log %s has no partition %u in topic %u",
                            db->directory, options->partition, (unsigned)options->topic);
    reader = PD_NEW(pdi_reader_t);
    reader->base.log = log;
    reader->base.loop = options->loop;
    reader->base.topic = options->topic;
    reader->base.partition = options->partition;
    reader->partition = partition;
    reader->port = pdi_handle_opened(db, options->loop);
    pd_arena_init(&reader->arena);
    *out = &reader->base;
    return PD_OK;
}

/* Under read_mutex. */
static void enqueue(pdi_db_t *db, pdi_reader_t *reader)
{
    reader->next = NULL;
    if (db->read_last)
        db->read_last->next = reader;
    else
        db->read_first = reader;
    db->read_last = reader;
    pthread_cond_signal(&db->read_filled);
}

void pdi_reader_read(pd_log_reader_t *base, pd_log_read_t *read)
{
    pdi_reader_t *reader = (pdi_reader_t *)base;
    pdi_db_t *db = pdi_db_of(base->log);

    PD_ASSERT(!reader->closing);
    base->reading = true;
    read->reader = base;
    read->records = NULL;
    read->count = 0;
    reader->read = read;
    reader->from_offset = read->from_offset;
    if (reader->from_offset == PD_LOG_FIRST)
        reader->from_offset = 0;
    else if (reader->from_offset == PD_LOG_END)
        reader->from_offset = atomic_load(&reader->partition->durable_end);
    pthread_mutex_lock(&db->read_mutex);
    enqueue(db, reader);
    pthread_mutex_unlock(&db->read_mutex);
}

static void finish(pdi_reader_t *reader)
{
    pdi_db_t *db = pdi_db_of(reader->base.log);
    pd_loop_t *loop = reader->base.loop;
    pd_mail_t *closed = reader->closed;

    if (reader->iterator)
        rocksdb_iter_destroy(reader->iterator);
    pd_arena_deinit(&reader->arena);
    pd_free(reader->records);
    pd_free(reader);
    pdi_handle_closed(db);
    if (closed)
        pd_loop_post(loop, closed);
}

/* Under read_mutex. */
static void stop_waiting(pdi_db_t *db, pdi_reader_t *reader)
{
    pdi_reader_t **link = &db->waiting;

    while (*link != reader)
        link = &(*link)->next;
    *link = reader->next;
    reader->waiting = false;
    atomic_fetch_sub(&db->waiting_count, 1);
}

void pdi_reader_close(pd_log_reader_t *base, pd_mail_t *closed)
{
    pdi_reader_t *reader = (pdi_reader_t *)base;
    pdi_db_t *db = pdi_db_of(base->log);

    PD_ASSERT(!reader->closing);
    reader->closing = true;
    reader->closed = closed;
    if (!base->reading) {
        finish(reader);
        return;
    }
    pthread_mutex_lock(&db->read_mutex);
    reader->canceled = true;
    if (reader->waiting) {
        stop_waiting(db, reader);
        enqueue(db, reader);
    }
    pthread_mutex_unlock(&db->read_mutex);
}

void pdi_reader_complete(pdi_reader_t *reader)
{
    pd_log_read_t *read = reader->read;
    bool last = reader->closing; /* else `done` may close and free it */

    PD_ASSERT_LOOP(reader->base.loop);
    PD_ASSERT(reader->base.reading);
    reader->base.reading = false;
    reader->read = NULL;
    read->done(read);
    if (last)
        finish(reader);
}

void pdi_read_wake(pdi_db_t *db)
{
    pdi_reader_t **link;

    pthread_mutex_lock(&db->read_mutex);
    link = &db->waiting;
    while (*link) {
        pdi_reader_t *reader = *link;

        if (atomic_load(&reader->partition->durable_end) > reader->from_offset) {
            stop_waiting(db, reader);
            enqueue(db, reader);
        } else {
            link = &reader->next;
        }
    }
    pthread_mutex_unlock(&db->read_mutex);
}

static void add_record(pdi_reader_t *reader, pd_log_read_t *read, const pd_log_record_t *record)
{
    if (read->count == reader->record_capacity) {
        reader->record_capacity = reader->record_capacity ? reader->record_capacity * 2 : 64;
        reader->records =
            pd_realloc(reader->records, reader->record_capacity * sizeof(*reader->records));
    }
    reader->records[read->count++] = *record;
}

/* Adds the records of the entry under the iterator, from next_offset on, and moves on when that was
 * all of it. PD_CORRUPT also when the entry does not continue where the previous one ended. */
static pd_status_t read_entry(pdi_reader_t *reader, pd_log_read_t *read, size_t *size_left)
{
    rocksdb_iterator_t *it = reader->iterator;
    size_t key_size, entry_size;
    const char *key_bytes = rocksdb_iter_key(it, &key_size);
    const char *entry = rocksdb_iter_value(it, &entry_size);
    pdi_key_t key;
    pdi_decoder_t decoder;
    uint32_t count;
    bool stop = false;

    PD_TRY(pdi_key_decode(key_bytes, key_size, &key));
    if (key.topic != reader->base.topic || key.partition != reader->base.partition)
        return PD_CORRUPT;
    PD_TRY(pdi_decoder_init(&decoder, pd_arena_memdup(&reader->arena, entry, entry_size),
                            entry_size, &count));
    if (key.first_offset > read->next_offset || key.first_offset + count <= read->next_offset)
        return PD_CORRUPT;
    for (uint32_t index = 0; index < count && !stop; index++) {
        pd_log_record_t record = {.offset = key.first_offset + index};
        size_t size;

        PD_TRY(pdi_decoder_next(&decoder, &record));
        if (record.offset < read->next_offset)
            continue;
        add_record(reader, read, &record);
        read->next_offset = record.offset + 1;
        size = record.key.size + record.value.size + 1;
        stop = size >= *size_left;
        *size_left = stop ? 0 : *size_left - size;
    }
    if (read->next_offset == key.first_offset + count)
        rocksdb_iter_next(it);
    return PD_OK;
}

static void drop_iterator(pdi_reader_t *reader)
{
    if (reader->iterator)
        rocksdb_iter_destroy(reader->iterator);
    reader->iterator = NULL;
}

static void seek(pdi_db_t *db, pdi_reader_t *reader, int64_t offset)
{
    pdi_key_t key = {reader->base.topic, reader->base.partition, offset};
    uint8_t key_bytes[PDI_KEY_SIZE];

    drop_iterator(reader);
    reader->iterator = rocksdb_create_iterator(db->rocks, db->read_options);
    pdi_key_encode(&key, key_bytes);
    rocksdb_iter_seek_for_prev(reader->iterator, (const char *)key_bytes, sizeof(key_bytes));
}

static void fail_read(pdi_db_t *db, pdi_reader_t *reader, pd_log_read_t *read, pd_status_t status,
                      const char *why)
{
    PD_DIAG(PD_DIAG_ERROR, "log read failed",
            "directory=%s topic=%d partition=%u offset=%lld status=%s reason=\"%s\"", db->directory,
            (int)reader->base.topic, reader->base.partition, (long long)read->next_offset,
            pd_status_name(status), why);
    read->status = status;
    read->count = 0;
    read->next_offset = reader->from_offset;
}

/* An iterator sees what was there when it was made: one that is kept from an earlier read may end
 * too soon, so only what a new one does not find is damage. */
static void scan(pdi_db_t *db, pdi_reader_t *reader, pd_log_read_t *read)
{
    size_t size_left = read->size_max ? read->size_max : READ_SIZE_DEFAULT;
    bool fresh = !reader->iterator || reader->iterator_offset != reader->from_offset;
    pd_status_t status = PD_OK;
    pd_error_t error = {.text = "the stored records are not contiguous or malformed"};
    char *text = NULL;

    if (fresh)
        seek(db, reader, reader->from_offset);
    while (status == PD_OK && size_left > 0 && read->next_offset < read->end_offset) {
        status = rocksdb_iter_valid(reader->iterator) ? read_entry(reader, read, &size_left)
                                                      : PD_CORRUPT;
        if (status != PD_OK && !fresh) {
            fresh = true;
            status = PD_OK;
            seek(db, reader, read->next_offset);
        }
    }
    rocksdb_iter_get_error(reader->iterator, &text);
    if (text)
        status = pdi_rocks_error(&error, "cannot read log", db->directory, text);
    if (status != PD_OK)
        fail_read(db, reader, read, status, error.text);
    reader->iterator_offset = read->next_offset;
    if (status != PD_OK || read->next_offset >= read->end_offset)
        drop_iterator(reader); /* it keeps files and buffers alive */
    read->records = reader->records;
}

/* False when the read has to wait. @thread read */
static bool serve(pdi_db_t *db, pdi_reader_t *reader)
{
    pd_log_read_t *read = reader->read;
    bool canceled;

    read->status = PD_OK;
    read->start_offset = 0;
    read->end_offset = atomic_load(&reader->partition->durable_end);
    read->next_offset = reader->from_offset;
    pd_arena_reset(&reader->arena);
    if (reader->from_offset < read->end_offset) {
        scan(db, reader, read);
        return true;
    }
    if (!read->wait)
        return true;
    pthread_mutex_lock(&db->read_mutex);
    canceled = reader->canceled;
    if (!canceled) {
        reader->waiting = true;
        reader->next = db->waiting;
        db->waiting = reader;
        atomic_fetch_add(&db->waiting_count, 1);
    }
    pthread_mutex_unlock(&db->read_mutex);
    if (canceled) {
        read->status = PD_CANCELED;
        return true;
    }
    /* A commit may have come between the look and the parking, and seen nobody. */
    if (atomic_load(&reader->partition->durable_end) > read->end_offset)
        pdi_read_wake(db);
    return false;
}

static void *thread_main(void *ctx)
{
    pdi_db_t *db = ctx;

    pthread_setname_np(pthread_self(), "log-read");
    for (;;) {
        pdi_reader_t *reader;

        pthread_mutex_lock(&db->read_mutex);
        while (!db->read_first && !db->read_stopping)
            pthread_cond_wait(&db->read_filled, &db->read_mutex);
        reader = db->read_first;
        if (reader) {
            db->read_first = reader->next;
            if (!db->read_first)
                db->read_last = NULL;
        }
        pthread_mutex_unlock(&db->read_mutex);
        if (!reader)
            return NULL;
        if (serve(db, reader))
            pdi_port_complete_read(reader->port, reader);
    }
}

void pdi_read_start(pdi_db_t *db)
{
    PD_ASSERT(pthread_create(&db->read_thread, NULL, thread_main, db) == 0);
}

void pdi_read_stop(pdi_db_t *db)
{
    pthread_mutex_lock(&db->read_mutex);
    db->read_stopping = true;
    pthread_cond_signal(&db->read_filled);
    pthread_mutex_unlock(&db->read_mutex);
    PD_ASSERT(pthread_join(db->read_thread, NULL) == 0);
    PD_ASSERT(!db->read_first && !db->waiting);
}
