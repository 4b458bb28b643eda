/* embedded.c -- opening and closing; what RocksDB is told to be.
 *
 * Recovery mode. kTolerateCorruptedTailRecords: a WAL that ends in the middle of a record (SIGKILL
 * or a full disk during a write that nobody was told of) is cut there; damage anywhere else refuses
 * to open. kPointInTimeRecovery would silently drop acknowledged records behind a damaged one. WAL
 * files cannot be recycled in either mode (RocksDB turns it off). */
#include "log/embedded/embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "log/embedded/embedded_private.h"

enum {
    META_VERSION = 1,
    META_SIZE = 1 + 4 * PD_LOG_TOPIC_COUNT,
    WRITE_BUFFER_SIZE = 32 * 1024 * 1024,
    GATHER_MAX_NS = 500 * 1000,
    READAHEAD_SIZE = 512 * 1024,
    INFO_LOG_LEVEL_HEADER = 5, /* rocksdb::HEADER_LEVEL */
};

static const char META_KEY[] = "m"; /* sorts behind all entries */

pd_status_t pdi_rocks_error(pd_error_t *error, const char *what, const char *directory, char *text)
{
    pd_status_t status = PD_IO;

    if (strstr(text, "lock hold by current process") || strstr(text, "While lock file"))
        status = pd_error_set(error, PD_LOCKED, "log directory %s is used by another process",
                              directory);
    else if (strstr(text, "No space left on device"))
        pd_error_set(error, PD_IO, "%s %s: the disk is full (%s)", what, directory, text);
    else if (strncmp(text, "Corruption", 10) == 0)
        status = pd_error_set(error, PD_CORRUPT, "%s %s: stored data is damaged (%s)", what,
                              directory, text);
    else
        pd_error_set(error, PD_IO, "%s %s: %s", what, directory, text);
    rocksdb_free(text);
    return status;
}

static rocksdb_options_t *make_options(bool create)
{
    rocksdb_options_t *options = rocksdb_options_create();

    rocksdb_options_set_create_if_missing(options, create);
    rocksdb_options_set_paranoid_checks(options, 1);
    rocksdb_options_set_wal_recovery_mode(options,
                                          rocksdb_tolerate_corrupted_tail_records_recovery);
    /* One thread writes, in rising order of keys: none of what serves concurrent writers. */
    rocksdb_options_set_allow_concurrent_memtable_write(options, 0);
    rocksdb_options_set_enable_write_thread_adaptive_yield(options, 0);
    rocksdb_options_set_write_buffer_size(options, WRITE_BUFFER_SIZE);
    rocksdb_options_set_max_write_buffer_number(options, 3);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    /* Nothing is ever overwritten: merging files saves nothing but file handles and seeks. */
    rocksdb_options_set_compaction_style(options, rocksdb_universal_compaction);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, 16);
    rocksdb_options_set_level0_slowdown_writes_trigger(options, 200);
    rocksdb_options_set_level0_stop_writes_trigger(options, 400);
    rocksdb_options_set_max_background_jobs(options, 2);
    rocksdb_options_set_bytes_per_sync(options, 1024 * 1024);
    /* RocksDB's own diagnostics file (LOG) lies on the same disk, and writing to it again after a
     * failed write aborts the process (7.8 as packaged has its assertions on). So it gets what is
     * said at opening only; what matters comes as a status, which we report. */
    rocksdb_options_set_info_log_level(options, INFO_LOG_LEVEL_HEADER);
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_max_open_files(options, 256);
    return options;
}

static void put_u32(uint8_t *out, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(number >> (8 * i));
}

static uint32_t get_u32(const uint8_t *in)
{
    return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static bool counts_given(const uint32_t counts[PD_LOG_TOPIC_COUNT])
{
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        if (counts[i] > 0)
            return true;
    }
    return false;
}

static pd_status_t create_meta(pdi_db_t *db, pd_error_t *error)
{
    uint8_t meta[META_SIZE] = {META_VERSION};
    char *text = NULL;

    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++)
        put_u32(meta + 1 + 4 * i, db->base.info.partition_counts[i]);
    rocksdb_put(db->rocks, db->write_options, META_KEY, sizeof(META_KEY) - 1, (const char *)meta,
                sizeof(meta), &text);
    return text ? pdi_rocks_error(error, "cannot create log", db->directory, text) : PD_OK;
}

/* Takes over, or compares, the partition counts of an existing log. */
static pd_status_t check_meta(pdi_db_t *db, const uint8_t *meta, size_t size, pd_error_t *error)
{
    bool given = counts_given(db->base.info.partition_counts);

    if (size != META_SIZE || meta[0] != META_VERSION)
        return pd_error_set(error, PD_CORRUPT, "log %s has an unknown format", db->directory);
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        uint32_t count = get_u32(meta + 1 + 4 * i);

        if (count > PD_LOG_EMBEDDED_PARTITIONS_MAX)
            return pd_error_set(error, PD_CORRUPT, "log %s has a damaged head", db->directory);
        if (given && count != db->base.info.partition_counts[i])
            return pd_error_set(error, PD_INVALID,
                                "log %s was created with %u partitions in topic %d, not %u",
                                db->directory, count, i, db->base.info.partition_counts[i]);
        db->base.info.partition_counts[i] = count;
    }
    return PD_OK;
}

static pd_status_t load_meta(pdi_db_t *db, pd_error_t *error)
{
    char *text = NULL;
    size_t size = 0;
    char *meta =
        rocksdb_get(db->rocks, db->read_options, META_KEY, sizeof(META_KEY) - 1, &size, &text);
    pd_status_t status;

    if (text)
        return pdi_rocks_error(error, "cannot open log", db->directory, text);
    if (meta) {
        status = check_meta(db, (const uint8_t *)meta, size, error);
        rocksdb_free(meta);
        return status;
    }
    if (db->read_only || !counts_given(db->base.info.partition_counts))
        return pd_error_set(error, PD_NOT_FOUND, "there is no log in %s", db->directory);
    return create_meta(db, error);
}

/* Where the partition ends: behind the last record of its last entry. */
static pd_status_t load_end(pdi_partition_t *partition, rocksdb_iterator_t *it)
{
    pdi_key_t key = {partition->topic, partition->partition, INT64_MAX};
    uint8_t key_bytes[PDI_KEY_SIZE];
    const char *data;
    size_t size;
    pdi_decoder_t decoder;
    uint32_t count;

    pdi_key_encode(&key, key_bytes);
    rocksdb_iter_seek_for_prev(it, (const char *)key_bytes, sizeof(key_bytes));
    if (!rocksdb_iter_valid(it))
        return PD_OK;
    data = rocksdb_iter_key(it, &size);
    PD_TRY(pdi_key_decode(data, size, &key));
    if (key.topic != partition->topic || key.partition != partition->partition)
        return PD_OK;
    data = rocksdb_iter_value(it, &size);
    PD_TRY(pdi_decoder_init(&decoder, data, size, &count));
    partition->next_offset = key.first_offset + count;
    atomic_store(&partition->durable_end, partition->next_offset);
    return PD_OK;
}

static pd_status_t load_partitions(pdi_db_t *db, pd_error_t *error)
{
    rocksdb_iterator_t *it;
    pd_status_t status = PD_OK;
    char *text = NULL;
    uint32_t index = 0;

    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        db->first_partitions[i] = db->partition_count;
        db->partition_count += db->base.info.partition_counts[i];
    }
    db->partitions = pd_calloc(db->partition_count, sizeof(*db->partitions));
    it = rocksdb_create_iterator(db->rocks, db->read_options);
    for (int i = 0; i < PD_LOG_TOPIC_COUNT && status == PD_OK; i++) {
        for (uint32_t j = 0; j < db->base.info.partition_counts[i] && status == PD_OK; j++) {
            pdi_partition_t *partition = &db->partitions[index++];

            partition->topic = (pd_log_topic_t)i;
            partition->partition = j;
            pdi_builder_init(&partition->builder);
            status = load_end(partition, it);
        }
    }
    rocksdb_iter_get_error(it, &text);
    rocksdb_iter_destroy(it);
    if (text)
        return pdi_rocks_error(error, "cannot open log", db->directory, text);
    if (status != PD_OK)
        return pd_error_set(error, status, "log %s: the last entry of topic %d is damaged",
                            db->directory, (int)db->partitions[index - 1].topic);
    return PD_OK;
}

static pd_status_t open_rocks(pdi_db_t *db, pd_error_t *error)
{
    bool create = !db->read_only && counts_given(db->base.info.partition_counts);
    char *text = NULL;

    db->options = make_options(create);
    db->write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(db->write_options, 1);
    db->read_options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(db->read_options, 0);
    rocksdb_readoptions_set_readahead_size(db->read_options, READAHEAD_SIZE);
    if (db->read_only)
        db->rocks = rocksdb_open_for_read_only(db->options, db->directory, 0, &text);
    else
        db->rocks = rocksdb_open(db->options, db->directory, &text);
    if (!text)
        return PD_OK;
    if (!create && strstr(text, "does not exist")) {
        rocksdb_free(text);
        return pd_error_set(error, PD_NOT_FOUND, "there is no log in %s", db->directory);
    }
    return pdi_rocks_error(error, "cannot open log", db->directory, text);
}

static void free_db(pdi_db_t *db)
{
    for (uint32_t i = 0; db->partitions && i < db->partition_count; i++)
        pdi_builder_deinit(&db->partitions[i].builder);
    pd_free(db->partitions);
    while (db->ports) {
        pdi_port_t *next = db->ports->next;

        pdi_port_free(db->ports);
        db->ports = next;
    }
    if (db->rocks)
        rocksdb_close(db->rocks);
    rocksdb_readoptions_destroy(db->read_options);
    rocksdb_writeoptions_destroy(db->write_options);
    rocksdb_options_destroy(db->options);
    pthread_cond_destroy(&db->read_filled);
    pthread_mutex_destroy(&db->read_mutex);
    pthread_mutex_destroy(&db->handle_mutex);
    pd_free(db->directory);
    pd_free(db);
}

static void close_log(pd_log_t *log)
{
    pdi_db_t *db = pdi_db_of(log);

    PD_ASSERT(db->handle_count == 0);
    if (!db->read_only)
        pdi_commit_stop(db);
    pdi_read_stop(db);
    free_db(db);
}

static const pd_log_ops_t ops = {
    .name = "embedded",
    .open_writer = pdi_writer_open,
    .append = pdi_writer_append,
    .writer_error = pdi_writer_error,
    .close_writer = pdi_writer_close,
    .open_reader = pdi_reader_open,
    .read = pdi_reader_read,
    .close_reader = pdi_reader_close,
    .close = close_log,
};

pdi_partition_t *pdi_find_partition(pdi_db_t *db, pd_log_topic_t topic, uint32_t partition)
{
    if (topic >= PD_LOG_TOPIC_COUNT || partition >= db->base.info.partition_counts[topic])
        return NULL;
    return &db->partitions[db->first_partitions[topic] + partition];
}

pdi_port_t *pdi_handle_opened(pdi_db_t *db, pd_loop_t *loop)
{
    pdi_port_t *port;

    pthread_mutex_lock(&db->handle_mutex);
    for (port = db->ports; port && port->loop != loop;)
        port = port->next;
    if (!port) {
        port = pdi_port_new(loop);
        port->next = db->ports;
        db->ports = port;
    }
    db->handle_count++;
    pthread_mutex_unlock(&db->handle_mutex);
    return port;
}

void pdi_handle_closed(pdi_db_t *db)
{
    pthread_mutex_lock(&db->handle_mutex);
    PD_ASSERT(db->handle_count > 0);
    db->handle_count--;
    pthread_mutex_unlock(&db->handle_mutex);
}

static pd_status_t check_options(const pd_log_embedded_options_t *options, pd_error_t *error)
{
    if (!options->directory || !*options->directory)
        return pd_error_set(error, PD_INVALID, "the log needs a directory");
    if (options->record_size_max > PD_LOG_EMBEDDED_RECORD_SIZE_MAX)
        return pd_error_set(error, PD_INVALID, "the largest record can be at most %d bytes",
                            PD_LOG_EMBEDDED_RECORD_SIZE_MAX);
    for (int i = 0; i < PD_LOG_TOPIC_COUNT; i++) {
        if (options->partition_counts[i] > PD_LOG_EMBEDDED_PARTITIONS_MAX)
            return pd_error_set(error, PD_INVALID, "a topic can have at most %d partitions",
                                PD_LOG_EMBEDDED_PARTITIONS_MAX);
    }
    return PD_OK;
}

pd_status_t pd_log_embedded_open(const pd_log_embedded_options_t *options, pd_log_t **log,
                                 pd_error_t *error)
{
    pdi_db_t *db;
    pd_status_t status;

    *log = NULL;
    PD_TRY(check_options(options, error));
    db = PD_NEW(pdi_db_t);
    db->base.ops = &ops;
    db->base.info.exclusive = true;
    db->base.info.durable = true;
    db->base.info.record_size_max =
        options->record_size_max ? options->record_size_max : PD_LOG_EMBEDDED_RECORD_SIZE_MAX;
    memcpy(db->base.info.partition_counts, options->partition_counts,
           sizeof(options->partition_counts));
    db->directory = pd_strdup(options->directory);
    db->read_only = options->read_only;
    db->gather_max_ns = options->gather_max_ns ? options->gather_max_ns : GATHER_MAX_NS;
    PD_ASSERT(pthread_mutex_init(&db->handle_mutex, NULL) == 0);
    PD_ASSERT(pthread_mutex_init(&db->read_mutex, NULL) == 0);
    PD_ASSERT(pthread_cond_init(&db->read_filled, NULL) == 0);
    status = open_rocks(db, error);
    if (status == PD_OK)
        status = load_meta(db, error);
    if (status == PD_OK)
        status = load_partitions(db, error);
    if (status != PD_OK) {
        free_db(db);
        return status;
    }
    pdi_read_start(db);
    if (!db->read_only)
        pdi_commit_start(db);
    *log = &db->base;
    return PD_OK;
}

void pd_log_embedded_stats(pd_log_t *log, pd_log_embedded_stats_t *stats)
{
    pdi_db_t *db = pdi_db_of(log);

    stats->commit_count = atomic_load(&db->commit_count);
    stats->record_count = atomic_load(&db->record_count);
    stats->byte_count = atomic_load(&db->byte_count);
}

void pd_log_embedded_set_faults(pd_log_t *log, const pd_log_embedded_faults_t *faults)
{
    pdi_db_t *db = pdi_db_of(log);

    atomic_store(&db->fail_after_commits, faults->fail_after_commits);
    atomic_store(&db->unknown_after_commits, faults->unknown_after_commits);
    atomic_store(&db->commit_delay_ns, faults->commit_delay_ns);
}
