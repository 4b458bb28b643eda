/* db.c -- RocksDB as this folder uses it: one database per partition, one column family per table,
 * no write-ahead log (the event log is that), one batch per flush. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "state/store_private.h"
#include "state/tables/memory_db.h"

enum {
    STORE_COUNT_DEFAULT = 4,
    BLOCK_SIZE = 16 * 1024,
    ARENA_BLOCK_SIZE = 128 * 1024, /* smallest memory of one table's write buffer */
    BLOOM_BITS = 10,
    BACKGROUND_JOBS = 2,
    OPEN_FILES_MAX = 256,
    KEEP_LOG_FILES = 2,
    INFO_LOG_LEVEL_HEADER = 5, /* rocksdb::HEADER_LEVEL */
    KEY_TEXT_SIZE = 256,
    HASH_BUCKETS = 16 * 1024, /* of a write buffer that is a hash table */
    /* In memory (tests, the simulator) stores are small and opened all the time: what a write
     * buffer costs when it is made and iterated over counts more than what a row costs. */
    ARENA_BLOCK_SIZE_IN_MEMORY = 8 * 1024,
    HASH_BUCKETS_IN_MEMORY = 64,
    HISTORY_NUMBER_SIZE = 8,
};

static const char *const table_names[PDI_TABLE_COUNT] = {
    [PDI_TABLE_META] = "default", /* RocksDB insists on a family of this name */
    [PDI_TABLE_EXECUTIONS] = "executions",
    [PDI_TABLE_CURRENT_RUNS] = "current_runs",
    [PDI_TABLE_HISTORY] = "history",
    [PDI_TABLE_SIGNALS] = "signals",
    [PDI_TABLE_TIMERS] = "timers",
    [PDI_TABLE_READY] = "ready",
    [PDI_TABLE_NAMESPACES] = "namespaces",
    [PDI_TABLE_OUTBOX] = "outbox",
    [PDI_TABLE_INBOX] = "inbox",
    [PDI_TABLE_COMMAND_IDS] = "command_ids",
    [PDI_TABLE_COMMAND_ID_TIMES] = "command_id_times",
    [PDI_TABLE_INGEST] = "ingest",
};

const char *pdi_table_name(pdi_table_t table)
{
    return table == PDI_TABLE_META ? "meta" : table_names[table];
}

/* ---- shared ---- */

pd_status_t pd_store_shared_new(const pd_store_shared_options_t *options, pd_store_shared_t **out,
                                pd_error_t *error)
{
    pd_store_shared_t *shared = PD_NEW(pd_store_shared_t);
    uint32_t store_count = options->store_count ? options->store_count : STORE_COUNT_DEFAULT;

    shared->in_memory = options->in_memory;
    if (options->simulated)
        shared->disk = pdi_memory_disk_new();
    shared->env = options->in_memory ? rocksdb_create_mem_env() : rocksdb_create_default_env();
    shared->block_cache = rocksdb_cache_create_lru(options->block_cache_size);
    shared->write_buffer_size = options->write_buffer_size / store_count;
    *out = shared;
    return PD_OK;
}

void pd_store_shared_lose(pd_store_shared_t *shared, const char *path,
                          size_t (*draw)(void *ctx, size_t flush_count), void *ctx)
{
    if (shared->disk)
        pdi_memory_disk_lose(shared->disk, path, draw, ctx);
}

void pd_store_shared_free(pd_store_shared_t *shared)
{
    if (!shared)
        return;
    rocksdb_cache_destroy(shared->block_cache);
    rocksdb_env_destroy(shared->env);
    pdi_memory_disk_free(shared->disk);
    pd_free(shared);
}

/* ---- opening ---- */

/* Takes RocksDB's error text; PD_OK when there is none. */
pd_status_t pdi_db_error(char *text, const char *doing, pd_error_t *error)
{
    pd_status_t status = PD_IO;

    if (!text)
        return PD_OK;
    if (strncmp(text, "Corruption", 10) == 0) /* which may be one of a "block " */
        status = PD_CORRUPT;
    else if (strstr(text, "lock hold by current process") || strstr(text, "While lock file"))
        status = PD_LOCKED;
    pd_error_set(error, status, "RocksDB, %s: %s", doing, text);
    rocksdb_free(text);
    return status;
}

size_t pd_store_shared_cache_usage(const pd_store_shared_t *shared)
{
    return rocksdb_cache_get_usage(shared->block_cache);
}

static uint64_t number_of(const pd_store_t *store, int table, const char *property)
{
    uint64_t number = 0;

    if (rocksdb_property_int_cf(store->db.rocks, store->db.families[table], property, &number) != 0)
        return 0;
    return number;
}

void pd_store_memory(const pd_store_t *store, pd_store_memory_t *memory)
{
    memory->memtable_size = memory->table_reader_size = 0;
    if (store->db.memory)
        return;
    for (int i = 0; i < PDI_TABLE_COUNT; i++) {
        memory->memtable_size += number_of(store, i, "rocksdb.size-all-mem-tables");
        memory->table_reader_size += number_of(store, i, "rocksdb.estimate-table-readers-mem");
    }
}

static void make_directories(rocksdb_env_t *env, const char *path)
{
    char *copy = pd_strdup(path);

    /* RocksDB makes the last one itself; failures show when it opens. */
    for (char *at = strchr(copy + 1, '/'); at; at = strchr(at + 1, '/')) {
        char *text = NULL;

        *at = '\0';
        rocksdb_create_dir_if_missing(env, copy, &text);
        rocksdb_free(text);
        *at = '/';
    }
    pd_free(copy);
}

/* A history key without its number: the run. */
static char *run_of_history_key(void *ctx, const char *key, size_t size, size_t *prefix_size)
{
    *prefix_size = size - HISTORY_NUMBER_SIZE;
    return (char *)key;
}

static unsigned char is_history_key(void *ctx, const char *key, size_t size)
{
    return size >= HISTORY_NUMBER_SIZE;
}

static unsigned char is_in_range(void *ctx, const char *key, size_t size)
{
    return 0;
}

static const char *transform_name(void *ctx)
{
    return "perdure.history.run";
}

static void transform_free(void *ctx)
{
}

/* Small ones, and those that are read in order. */
static bool wants_skip_list(pdi_table_t table)
{
    return table == PDI_TABLE_META || table == PDI_TABLE_NAMESPACES || table == PDI_TABLE_OUTBOX ||
           table == PDI_TABLE_INBOX || table == PDI_TABLE_INGEST ||
           table == PDI_TABLE_COMMAND_ID_TIMES || table == PDI_TABLE_TIMERS ||
           table == PDI_TABLE_READY;
}

/* Rows of most tables are looked for by their whole key only (in history: by run), and come in
 * random order: a hash table costs a third of the default skip list on this thread; it is sorted
 * when it is flushed to a file, on RocksDB's thread. Iterating over all rows (scan, dump) must ask
 * for total order, and sorts a copy. */
static void use_hash_table(rocksdb_options_t *options, pdi_table_t table, size_t bucket_count)
{
    rocksdb_slicetransform_t *transform = rocksdb_slicetransform_create_noop();

    if (wants_skip_list(table)) {
        rocksdb_slicetransform_destroy(transform);
        return;
    }
    if (table == PDI_TABLE_HISTORY) {
        rocksdb_slicetransform_destroy(transform);
        transform = rocksdb_slicetransform_create(NULL, transform_free, run_of_history_key,
                                                  is_history_key, is_in_range, transform_name);
    }
    rocksdb_options_set_prefix_extractor(options, transform);
    rocksdb_options_set_hash_link_list_rep(options, bucket_count);
}

static rocksdb_options_t *options_new(const pd_store_shared_t *shared, pdi_table_t for_table)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    size_t buffer_size = shared->write_buffer_size ? shared->write_buffer_size : 16 << 20;

    rocksdb_options_set_env(options, shared->env);
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_create_missing_column_families(options, 1);
    /* All tables of a partition are cut at the same point. */
    rocksdb_options_set_atomic_flush(options, 1);
    rocksdb_options_set_db_write_buffer_size(options, buffer_size);
    rocksdb_options_set_write_buffer_size(options, buffer_size / 2);
    rocksdb_options_set_arena_block_size(options, shared->in_memory ? ARENA_BLOCK_SIZE_IN_MEMORY
                                                                    : ARENA_BLOCK_SIZE);
    rocksdb_options_set_max_write_buffer_number(options, 3);
    /* One writer: plain inserts are cheaper, and neighbouring keys cheaper still. */
    rocksdb_options_set_allow_concurrent_memtable_write(options, 0);
    rocksdb_options_set_enable_write_thread_adaptive_yield(options, 0);
    use_hash_table(options, for_table, shared->in_memory ? HASH_BUCKETS_IN_MEMORY : HASH_BUCKETS);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_max_background_jobs(options, BACKGROUND_JOBS);
    rocksdb_options_set_max_open_files(options, OPEN_FILES_MAX);
    /* RocksDB's own diagnostics get what is said at opening only: writing to that file on a full
     * disk aborts the process (see log/README.md). */
    rocksdb_options_set_info_log_level(options, INFO_LOG_LEVEL_HEADER);
    rocksdb_options_set_keep_log_file_num(options, KEEP_LOG_FILES);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
    rocksdb_block_based_options_set_block_cache(table, shared->block_cache);
    rocksdb_block_based_options_set_block_size(table, BLOCK_SIZE);
    rocksdb_block_based_options_set_filter_policy(table,
                                                  rocksdb_filterpolicy_create_bloom(BLOOM_BITS));
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    return options;
}

/* Beside a running server: every file is opened at once, so that compaction may remove it. */
static void for_reading(rocksdb_options_t *options, const char *log_path)
{
    rocksdb_options_set_create_if_missing(options, 0);
    rocksdb_options_set_create_missing_column_families(options, 0);
    rocksdb_options_set_max_open_files(options, -1);
    rocksdb_options_set_db_log_dir(options, log_path);
}

static void open_rocks(pdi_db_t *db, const pd_store_options_t *options,
                       rocksdb_options_t *const *family_options, char **text)
{
    const rocksdb_options_t *const *families = (const rocksdb_options_t *const *)family_options;

    if (options->read_only) {
        for_reading(family_options[PDI_TABLE_META], options->read_only_log_path);
        db->rocks = rocksdb_open_for_read_only_column_families(
            families[PDI_TABLE_META], options->path, PDI_TABLE_COUNT, table_names, families,
            db->families, 0, text);
        return;
    }
    make_directories(options->shared->env, options->path);
    db->rocks =
        rocksdb_open_column_families(families[PDI_TABLE_META], options->path, PDI_TABLE_COUNT,
                                     table_names, families, db->families, text);
}

pd_status_t pdi_db_open(pdi_db_t *db, const pd_store_options_t *options, pd_error_t *error)
{
    rocksdb_options_t *family_options[PDI_TABLE_COUNT];
    char *text = NULL;
    pd_status_t status;

    *db = (pdi_db_t){0};
    if (options->shared->disk)
        return pdi_memory_db_open(options->shared->disk, options->path, PDI_TABLE_COUNT,
                                  &db->memory, error);
    for (int i = 0; i < PDI_TABLE_COUNT; i++)
        family_options[i] = options_new(options->shared, (pdi_table_t)i);
    open_rocks(db, options, family_options, &text);
    for (int i = 0; i < PDI_TABLE_COUNT; i++)
        rocksdb_options_destroy(family_options[i]);
    status = pdi_db_error(text, options->path, error);
    if (status != PD_OK) {
        db->rocks = NULL;
        return status;
    }
    db->read = rocksdb_readoptions_create();
    db->read_all = rocksdb_readoptions_create();
    rocksdb_readoptions_set_total_order_seek(db->read_all, 1);
    rocksdb_readoptions_set_fill_cache(db->read_all, 0);
    db->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(db->write, 1);
    db->batch = rocksdb_writebatch_create();
    return PD_OK;
}

pd_status_t pdi_db_checkpoint(pdi_db_t *db, const char *path, pd_error_t *error)
{
    char *text = NULL;

    if (db->memory)
        return pd_error_set(error, PD_IO, "a simulated store makes no checkpoints");
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(db->rocks, &text);

    if (checkpoint) {
        /* 0: memory is written to files first, all tables at one point */
        rocksdb_checkpoint_create(checkpoint, path, 0, &text);
        rocksdb_checkpoint_object_destroy(checkpoint);
    }
    return pdi_db_error(text, "making a checkpoint", error);
}

void pdi_db_close(pdi_db_t *db)
{
    if (db->memory)
        pdi_memory_db_close(db->memory);
    db->memory = NULL;
    if (!db->rocks)
        return;
    rocksdb_writebatch_destroy(db->batch);
    rocksdb_writeoptions_destroy(db->write);
    rocksdb_readoptions_destroy(db->read);
    rocksdb_readoptions_destroy(db->read_all);
    for (int i = 0; i < PDI_TABLE_COUNT; i++)
        rocksdb_column_family_handle_destroy(db->families[i]);
    rocksdb_close(db->rocks);
    db->rocks = NULL;
}

/* ---- rows ---- */

pd_status_t pdi_db_get(pdi_db_t *db, pdi_table_t table, const pdi_key_t *key, pdi_value_t *value,
                       pd_error_t *error)
{
    char *text = NULL;
    size_t size;

    value->pin = NULL;
    if (db->memory) {
        value->found = pdi_memory_db_get(db->memory, table, pdi_key_bytes(key), &value->bytes);
        return PD_OK;
    }
    value->pin = rocksdb_get_pinned_cf(db->rocks, db->read, db->families[table],
                                       (const char *)key->data, key->size, &text);
    value->found = value->pin != NULL;
    PD_TRY(pdi_db_error(text, "reading", error));
    if (value->found) {
        value->bytes.data = (const uint8_t *)rocksdb_pinnableslice_value(value->pin, &size);
        value->bytes.size = size;
    }
    return PD_OK;
}

void pdi_value_release(pdi_value_t *value)
{
    if (value->pin)
        rocksdb_pinnableslice_destroy(value->pin);
    value->pin = NULL;
}

static void copy_key(pdi_key_t *key, const void *data, size_t size)
{
    pdi_key_clear(key);
    pdi_key_put_bytes(key, data, size);
}

pd_status_t pdi_db_seek(pdi_db_t *db, pdi_table_t table, const pdi_key_t *from, pdi_key_t *key,
                        bool *found, pd_error_t *error)
{
    rocksdb_iterator_t *iter;
    pd_bytes_t at, ignored;
    char *text = NULL;

    if (db->memory) {
        *found = pdi_memory_db_row(db->memory, table, pdi_key_bytes(from), 0, &at, &ignored);
        if (*found)
            copy_key(key, at.data, at.size);
        return PD_OK;
    }
    iter = rocksdb_create_iterator_cf(db->rocks, db->read, db->families[table]);
    rocksdb_iter_seek(iter, (const char *)from->data, from->size);
    rocksdb_iter_get_error(iter, &text);
    *found = !text && rocksdb_iter_valid(iter);
    if (*found) {
        size_t size;
        const char *data = rocksdb_iter_key(iter, &size);

        copy_key(key, data, size);
    }
    rocksdb_iter_destroy(iter);
    return pdi_db_error(text, "reading", error);
}

void pdi_batch_put(pdi_db_t *db, pdi_table_t table, pd_bytes_t key, pd_bytes_t value)
{
    if (db->memory) {
        pdi_memory_db_put(db->memory, table, key, value);
        return;
    }
    rocksdb_writebatch_put_cf(db->batch, db->families[table], (const char *)key.data, key.size,
                              (const char *)value.data, value.size);
}

void pdi_batch_delete(pdi_db_t *db, pdi_table_t table, pd_bytes_t key)
{
    if (db->memory) {
        pdi_memory_db_delete(db->memory, table, key);
        return;
    }
    rocksdb_writebatch_delete_cf(db->batch, db->families[table], (const char *)key.data, key.size);
}

pd_status_t pdi_batch_write(pdi_db_t *db, pd_error_t *error)
{
    char *text = NULL;

    if (db->memory) {
        pdi_memory_db_write(db->memory);
        return PD_OK;
    }
    rocksdb_write(db->rocks, db->write, db->batch, &text);
    PD_TRY(pdi_db_error(text, "writing", error));
    rocksdb_writebatch_clear(db->batch);
    return PD_OK;
}

pd_status_t pdi_row_corrupt(pdi_table_t table, pd_bytes_t key, const char *what, pd_error_t *error)
{
    char text[KEY_TEXT_SIZE];

    pdi_key_text(key, text, sizeof(text));
    return pd_error_set(error, PD_CORRUPT, "table %s, key %s: %s", pdi_table_name(table), text,
                        what);
}
