/* Scenario `apply`: folds a recorded log, on one thread, from the encoded records to the flushed
 * state: decode, hash chain, apply, flush. This is what recovery costs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <perdure/v1/record.pb-c.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "bench/pd_bench/bench.h"
#include "log/embedded/embedded.h"
#include "log/record/chain.h"
#include "state/store.h"

enum { FLUSH_SIZE = 8 * 1024 * 1024 };

typedef struct stored {
    int64_t offset;
    pd_bytes_t value;
} stored_t;

typedef struct loader {
    pd_loop_event_t *loop;
    pd_log_t *log;
    pd_log_reader_t *reader;
    pd_log_read_t read;
    pd_mail_t mail;
    uint32_t partition;
    stored_t *records;
    size_t count, capacity, byte_count;
} loader_t;

static void on_closed(pd_mail_t *mail)
{
    pd_loop_event_break(PD_CONTAINER_OF(mail, loader_t, mail)->loop);
}

static void on_read(pd_log_read_t *read)
{
    loader_t *loader = PD_CONTAINER_OF(read, loader_t, read);

    PD_ASSERT(read->status == PD_OK);
    for (uint32_t i = 0; i < read->count; i++) {
        if (loader->count == loader->capacity) {
            loader->capacity = loader->capacity ? loader->capacity * 2 : 4096;
            loader->records =
                pd_realloc(loader->records, loader->capacity * sizeof(loader->records[0]));
        }
        loader->records[loader->count].offset = read->records[i].offset;
        loader->records[loader->count++].value =
            pd_bytes(pd_memdup(read->records[i].value.data, read->records[i].value.size),
                     read->records[i].value.size);
        loader->byte_count += read->records[i].value.size;
    }
    if (read->next_offset < read->end_offset) {
        read->from_offset = read->next_offset;
        pd_log_read(loader->reader, read);
        return;
    }
    loader->mail.run = on_closed;
    pd_log_close_reader(loader->reader, &loader->mail);
}

static void run_load(pd_mail_t *mail)
{
    loader_t *loader = PD_CONTAINER_OF(mail, loader_t, mail);
    pd_log_handle_options_t handle = {.loop = pd_loop_event_loop(loader->loop),
                                      .topic = PD_LOG_EVENTS,
                                      .partition = loader->partition};
    pd_error_t error;

    PD_ASSERT(pd_log_open_reader(loader->log, &handle, &loader->reader, &error) == PD_OK);
    memset(&loader->read, 0, sizeof(loader->read));
    loader->read.from_offset = PD_LOG_FIRST;
    loader->read.done = on_read;
    pd_log_read(loader->reader, &loader->read);
}

static void load_partition(const char *data_path, uint32_t partition, loader_t *loader)
{
    pd_loop_event_options_t loop_options = {.name = "load", .mailbox_count = 16};
    pd_log_embedded_options_t options = {.read_only = true};
    char path[4096];
    pd_error_t error;

    memset(loader, 0, sizeof(*loader));
    snprintf(path, sizeof(path), "%s/log", data_path);
    options.directory = path;
    if (pd_log_embedded_open(&options, &loader->log, &error) != PD_OK) {
        fprintf(stderr, "pd-bench: %s\n", error.text);
        exit(1);
    }
    loader->partition = partition;
    loader->loop = pd_loop_event_new(&loop_options);
    loader->mail.run = run_load;
    pd_loop_post(pd_loop_event_loop(loader->loop), &loader->mail);
    pd_loop_event_run(loader->loop);
    pd_log_close(loader->log);
    pd_loop_event_free(loader->loop);
}

static void flush(pd_store_t *store, const pd_chain_t *chain)
{
    pd_store_position_t position = {
        .applied_offset = chain->offset, .epoch = chain->epoch, .commands_through = -1};
    pd_error_t error;

    memcpy(position.running_hash, chain->hash, sizeof(position.running_hash));
    pd_store_flush_begin(store);
    PD_ASSERT(pd_store_flush_commit(store, &position, &error) == PD_OK);
    pd_store_evict(store);
}

static void fold(pd_store_t *store, const pd_record_codec_t *codec, const loader_t *loader)
{
    pd_chain_t chain;
    pd_arena_t arena;
    pd_error_t error;

    pd_chain_init(&chain);
    pd_arena_init(&arena);
    for (size_t i = 0; i < loader->count; i++) {
        pd_chain_record_t link = {.offset = loader->records[i].offset,
                                  .bytes = loader->records[i].value};
        Perdure__V1__Record *record;
        ProtobufCMessage *message;

        pd_arena_reset(&arena);
        PD_ASSERT(pd_record_decode(codec, &arena, link.bytes, &message, &error) == PD_OK);
        record = (Perdure__V1__Record *)message;
        link.epoch = record->epoch;
        link.prev_hash = pd_bytes(record->prev_hash.data, record->prev_hash.len);
        link.is_owner_changed = record->body_case == PERDURE__V1__RECORD__BODY_OWNER_CHANGED;
        if (!pd_chain_counts(pd_chain_feed(&chain, &link)))
            continue;
        if (pd_store_apply(store, record, &error) != PD_OK) {
            fprintf(stderr, "pd-bench: %s\n", error.text);
            exit(1);
        }
        if (pd_store_dirty_size(store) >= FLUSH_SIZE)
            flush(store, &chain);
    }
    flush(store, &chain);
    pd_arena_deinit(&arena);
}

int bench_apply(const bench_options_t *options)
{
    pd_store_shared_options_t shared_options = {.block_cache_size = 64u << 20,
                                                .write_buffer_size = 128u << 20};
    char path[] = "/tmp/pd-bench-apply-XXXXXX", command[128];
    pd_record_codec_t *codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    pd_store_shared_t *shared;
    size_t count = 0, byte_count = 0;
    int64_t ns = 0;
    pd_error_t error;

    if (!options->data_path) {
        fprintf(stderr, "pd-bench apply: --data DIR names the log to fold\n");
        return 2;
    }
    PD_ASSERT(mkdtemp(path));
    PD_ASSERT(pd_store_shared_new(&shared_options, &shared, &error) == PD_OK);
    for (uint32_t partition = 0; partition < 4; partition++) {
        pd_store_options_t store_options = {
            .shared = shared, .partition = partition, .cache_size_max = 64u << 20};
        char store_path[128];
        loader_t loader;
        pd_store_t *store;
        int64_t from_ns;

        load_partition(options->data_path, partition, &loader);
        snprintf(store_path, sizeof(store_path), "%s/%u", path, partition);
        store_options.path = store_path;
        PD_ASSERT(pd_store_open(&store_options, &store, &error) == PD_OK);
        from_ns = pd_os_monotonic_ns();
        fold(store, codec, &loader);
        ns += pd_os_monotonic_ns() - from_ns;
        count += loader.count;
        byte_count += loader.byte_count;
        pd_store_free(store);
        for (size_t i = 0; i < loader.count; i++)
            pd_free((void *)loader.records[i].value.data);
        pd_free(loader.records);
    }
    pd_store_shared_free(shared);
    pd_record_codec_free(codec);
    snprintf(command, sizeof(command), "rm -rf %s", path);
    PD_ASSERT(system(command) == 0);
    printf("{\"scenario\":\"apply\",\"rate\":%.1f,\"p50_ms\":0,\"p99_ms\":0,\"p999_ms\":0,"
           "\"errors\":0,\"server_cpu_us\":0,\"records\":%zu,\"mb_per_s\":%.1f,"
           "\"ns_per_record\":%.0f}\n",
           (double)count / ((double)ns / 1e9), count, (double)byte_count / 1e6 / ((double)ns / 1e9),
           count ? (double)ns / (double)count : 0);
    return 0;
}
