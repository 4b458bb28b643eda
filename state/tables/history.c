/* history.c -- run, first event ID → a batch of events, in the wire form of History.
 *
 * A batch holds what one flush found new (cut at BATCH_SIZE_MAX): batches of a run join without
 * gaps up to the tail that is in memory. */
#include <temporal/api/history/v1/message.pb-c.h>

#include "base/assert.h"
#include "state/store_private.h"

enum { BATCH_SIZE_MAX = 64 * 1024 };

static void batch_key(const pdi_run_t *run, int64_t first_event_id, pdi_key_t *key)
{
    pdi_key_clear(key);
    pdi_key_put_id(key, run->exec.row->run_id);
    pdi_key_put_u64(key, ~(uint64_t)first_event_id);
}

static void put_batch(pd_store_t *store, pdi_run_t *run, int64_t first_event_id, pd_bytes_t events)
{
    pdi_flushed_t *flushed = &run->flushed;

    batch_key(run, first_event_id, &store->key);
    pdi_batch_put(&store->db, PDI_TABLE_HISTORY, pdi_key_bytes(&store->key), events);
    if (flushed->batch_count < PDI_BATCH_IDS_MAX)
        flushed->batch_first_event_ids[flushed->batch_count] = (uint32_t)first_event_id;
    flushed->batch_count++;
}

void pdi_history_put(pd_store_t *store, pdi_run_t *run)
{
    pdi_event_cursor_t cursor = {
        pd_bytes(run->tail + run->tail_flushed_size, run->tail_size - run->tail_flushed_size),
        run->unflushed_event_id};
    pd_bytes_t batch = pd_bytes(cursor.rest.data, 0), framed, event;
    int64_t first_event_id = cursor.event_id;

    if (cursor.rest.size <= BATCH_SIZE_MAX) {
        batch.size = cursor.rest.size;
        cursor.rest.size = 0;
    }
    while (cursor.rest.size) {
        if (batch.size >= BATCH_SIZE_MAX) {
            put_batch(store, run, first_event_id, batch);
            first_event_id = cursor.event_id;
            batch = pd_bytes(cursor.rest.data, 0);
        }
        PD_ASSERT(pdi_event_next(&cursor, &framed, &event));
        batch.size += framed.size;
    }
    if (batch.size)
        put_batch(store, run, first_event_id, batch);
    run->tail_flushed_size = run->tail_size;
    run->unflushed_event_id = run->exec.row->next_event_id;
}

/* Point deletions where the batches are known: many range deletions make reads slow. */
void pdi_history_delete(pd_store_t *store, pdi_run_t *run)
{
    const pdi_flushed_t *flushed = &run->flushed;

    if (flushed->batch_count > PDI_BATCH_IDS_MAX) {
        pdi_db_t *db = &store->db;

        batch_key(run, INT64_MAX, &store->key);
        batch_key(run, 0, &store->value); /* no event has ID 0 */
        rocksdb_writebatch_delete_range_cf(db->batch, db->families[PDI_TABLE_HISTORY],
                                           (const char *)store->key.data, store->key.size,
                                           (const char *)store->value.data, store->value.size);
        return;
    }
    for (uint32_t i = 0; i < flushed->batch_count; i++) {
        batch_key(run, flushed->batch_first_event_ids[i], &store->key);
        pdi_batch_delete(&store->db, PDI_TABLE_HISTORY, pdi_key_bytes(&store->key));
    }
}

/* ---- reading ---- */

typedef struct pdi_history_reader {
    int64_t next_event_id; /* wanted next */
    int64_t count_rest;
    size_t size_max;
    pd_buf_t *out;
    size_t out_size_before;
} pdi_history_reader_t;

/* Takes what is wanted of the events; false once there is enough. */
static bool take_events(pdi_history_reader_t *reader, pdi_event_cursor_t *cursor,
                        pd_status_t *status)
{
    const uint8_t *start = NULL;
    size_t size = 0, taken = reader->out->size - reader->out_size_before;
    pd_bytes_t framed, event;
    bool more = true;

    while (cursor->rest.size) {
        int64_t event_id = cursor->event_id;

        if (!pdi_event_next(cursor, &framed, &event)) {
            *status = PD_CORRUPT;
            return false;
        }
        if (event_id < reader->next_event_id)
            continue;
        if (event_id > reader->next_event_id) {
            *status = PD_CORRUPT;
            return false;
        }
        if (reader->count_rest == 0 ||
            (taken + size > 0 && taken + size + framed.size > reader->size_max)) {
            more = false;
            break;
        }
        if (!start)
            start = framed.data;
        size += framed.size;
        reader->next_event_id++;
        reader->count_rest--;
    }
    *status = pd_buf_append(reader->out, start, size);
    return more && *status == PD_OK;
}

/* First event ID of the batch that the event is in, from RocksDB's index. */
static pd_status_t seek_batch(pd_store_t *store, const pdi_run_t *run, int64_t event_id,
                              int64_t *first_event_id, pd_error_t *error)
{
    pd_status_t status;
    pdi_key_t key;
    bool found;

    *first_event_id = 0;
    pdi_key_init(&key);
    batch_key(run, event_id, &store->key);
    status = pdi_db_seek(&store->db, PDI_TABLE_HISTORY, &store->key, &key, &found, error);
    if (status == PD_OK && found) {
        size_t run_size = store->key.size - 8;
        pd_bytes_t number = pd_bytes(key.data + run_size, 8);
        uint64_t inverted;

        if (key.size == store->key.size && memcmp(key.data, store->key.data, run_size) == 0 &&
            pdi_key_get_u64(&number, &inverted))
            *first_event_id = (int64_t)~inverted;
    }
    pdi_key_deinit(&key);
    return status;
}

/* 0 when there is none. */
static pd_status_t find_batch(pd_store_t *store, const pdi_run_t *run, int64_t event_id,
                              int64_t *first_event_id, pd_error_t *error)
{
    const pdi_flushed_t *flushed = &run->flushed;
    uint32_t known = flushed->batch_count;

    if (known > PDI_BATCH_IDS_MAX)
        known = PDI_BATCH_IDS_MAX;
    *first_event_id = 0;
    for (uint32_t i = 0; i < known && flushed->batch_first_event_ids[i] <= event_id; i++)
        *first_event_id = flushed->batch_first_event_ids[i];
    /* Behind the ones remembered, unless it is in one of the earlier ones. */
    if (flushed->batch_count > PDI_BATCH_IDS_MAX &&
        *first_event_id == flushed->batch_first_event_ids[PDI_BATCH_IDS_MAX - 1])
        return seek_batch(store, run, event_id, first_event_id, error);
    return PD_OK;
}

/* One batch; *next_event_id is the first event behind it. */
static pd_status_t read_batch(pd_store_t *store, const pdi_run_t *run, int64_t first_event_id,
                              pdi_history_reader_t *reader, bool *enough, int64_t *next_event_id,
                              pd_error_t *error)
{
    pdi_event_cursor_t cursor = {.event_id = first_event_id};
    pdi_value_t value;
    pd_status_t status;

    batch_key(run, first_event_id, &store->key);
    PD_TRY(pdi_db_get(&store->db, PDI_TABLE_HISTORY, &store->key, &value, error));
    if (!value.found)
        return PD_CORRUPT;
    cursor.rest = value.bytes;
    *enough = !take_events(reader, &cursor, &status);
    *next_event_id = cursor.event_id;
    pdi_value_release(&value);
    return status;
}

/* Events before the tail. Sets *enough when no more are wanted. */
static pd_status_t read_batches(pd_store_t *store, const pdi_run_t *run,
                                pdi_history_reader_t *reader, bool *enough, pd_error_t *error)
{
    int64_t first_event_id = 0;
    pd_status_t status = find_batch(store, run, reader->next_event_id, &first_event_id, error);

    while (status == PD_OK && !*enough && reader->next_event_id < run->tail_first_event_id)
        status = read_batch(store, run, first_event_id, reader, enough, &first_event_id, error);
    if (status == PD_CORRUPT)
        pdi_row_corrupt(PDI_TABLE_HISTORY, pdi_key_bytes(&store->key),
                        "events are missing or malformed", error);
    return status;
}

pd_status_t pd_store_history_read(pd_store_t *store, pd_execution_t *exec, int64_t first_event_id,
                                  int64_t event_count_max, size_t size_max, pd_buf_t *out,
                                  int64_t *next_event_id, pd_error_t *error)
{
    const pdi_run_t *run = pdi_run(exec);
    pdi_history_reader_t reader = {first_event_id < 1 ? 1 : first_event_id, event_count_max,
                                   size_max, out, out->size};
    pd_status_t status = PD_OK;
    bool enough = event_count_max <= 0 || reader.next_event_id >= exec->row->next_event_id;

    if (!enough && reader.next_event_id < run->tail_first_event_id)
        status = read_batches(store, run, &reader, &enough, error);
    if (status == PD_OK && !enough) {
        pdi_event_cursor_t cursor = {pd_bytes(run->tail, run->tail_size), run->tail_first_event_id};

        take_events(&reader, &cursor, &status);
    }
    *next_event_id = reader.next_event_id;
    if (status == PD_LIMIT)
        pd_error_set(error, PD_LIMIT, "the buffer for the history is too small");
    return status;
}

pd_status_t pd_store_history_event(pd_store_t *store, pd_execution_t *exec, int64_t event_id,
                                   pd_arena_t *arena, pd_history_event_t **event, pd_error_t *error)
{
    pdi_event_cursor_t cursor = {.event_id = event_id};
    pd_bytes_t framed, bytes;
    int64_t next_event_id;
    pd_status_t status;
    pd_buf_t buf;

    *event = NULL;
    if (event_id < 1 || event_id >= exec->row->next_event_id)
        return PD_OK;
    pd_buf_init(&buf, SIZE_MAX);
    status = pd_store_history_read(store, exec, event_id, 1, SIZE_MAX, &buf, &next_event_id, error);
    cursor.rest = pd_buf_bytes(&buf);
    if (status == PD_OK && pdi_event_next(&cursor, &framed, &bytes))
        *event = pd_pb_unpack(&temporal__api__history__v1__history_event__descriptor, arena, bytes);
    if (status == PD_OK && !*event)
        status = pd_error_set(error, PD_CORRUPT, "run %s: event %lld is malformed",
                              exec->row->run_id, (long long)event_id);
    pd_buf_deinit(&buf);
    return status;
}
