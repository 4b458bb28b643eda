/* `perdure log dump` and `perdure log verify`: the embedded log, read back through its schemas.
 * Both work beside a running server: they see what was durable when they began. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <perdure/v1/record.pb-c.h>

#include "base/assert.h"
#include "base/loop_event.h"
#include "base/memory.h"
#include "engine/program/program.h"
#include "log/embedded/embedded.h"
#include "log/record/chain.h"

typedef struct dump {
    const char *workflow_id;
    bool print;
    pd_record_codec_t *codec;
    pd_loop_event_t *loop;
    pd_log_t *log;
    pd_log_reader_t *reader;
    pd_log_read_t read;
    pd_mail_t closed;
    pd_arena_t arena;
    uint32_t partition;
    pd_chain_t chain;
    uint64_t record_count, void_count;
    pd_error_t error;
    bool failed;
} dump_t;

static void next_partition(dump_t *dump);

static void print_record(dump_t *dump, const pd_log_record_t *stored,
                         const Perdure__V1__Record *record, pd_chain_verdict_t verdict)
{
    pd_error_t error;
    char *json;

    if (dump->workflow_id && (record->body_case != PERDURE__V1__RECORD__BODY_TRANSITION ||
                              strcmp(record->transition->workflow_id, dump->workflow_id) != 0))
        return;
    json = pd_record_to_json(dump->codec, stored->value, &error);
    printf("{\"partition\":%u,\"offset\":%lld,\"verdict\":\"%s\",\"record\":%s}\n", dump->partition,
           (long long)stored->offset, pd_chain_verdict_text(verdict), json ? json : "null");
    pd_free(json);
}

static void take_record(dump_t *dump, const pd_log_record_t *stored)
{
    pd_chain_record_t link = {.offset = stored->offset, .bytes = stored->value};
    Perdure__V1__Record *record;
    ProtobufCMessage *message;
    pd_chain_verdict_t verdict;
    pd_error_t error;

    dump->record_count++;
    pd_arena_reset(&dump->arena);
    if (pd_record_decode(dump->codec, &dump->arena, stored->value, &message, &error) != PD_OK) {
        dump->void_count++;
        if (dump->print)
            printf("{\"partition\":%u,\"offset\":%lld,\"verdict\":\"unreadable\",\"size\":%zu}\n",
                   dump->partition, (long long)stored->offset, stored->value.size);
        return;
    }
    record = (Perdure__V1__Record *)message;
    link.epoch = record->epoch;
    link.prev_hash = pd_bytes(record->prev_hash.data, record->prev_hash.len);
    link.is_owner_changed = record->body_case == PERDURE__V1__RECORD__BODY_OWNER_CHANGED;
    verdict = pd_chain_feed(&dump->chain, &link);
    dump->void_count += !pd_chain_counts(verdict);
    if (dump->print)
        print_record(dump, stored, record, verdict);
}

static void on_closed(pd_mail_t *mail)
{
    dump_t *dump = PD_CONTAINER_OF(mail, dump_t, closed);

    if (!dump->print && !dump->failed) {
        printf("partition %u: %llu records count, %llu void, last offset %lld, running hash ",
               dump->partition, (unsigned long long)dump->chain.count,
               (unsigned long long)dump->chain.void_count, (long long)dump->chain.offset);
        for (int i = 0; i < PD_RECORD_HASH_SIZE; i++)
            printf("%02x", dump->chain.hash[i]);
        printf("\n");
    }
    dump->partition++;
    next_partition(dump);
}

static void on_read(pd_log_read_t *read)
{
    dump_t *dump = PD_CONTAINER_OF(read, dump_t, read);

    if (read->status != PD_OK) {
        pd_error_set(&dump->error, read->status, "partition %u cannot be read from offset %lld",
                     dump->partition, (long long)read->from_offset);
        dump->failed = true;
    } else {
        for (uint32_t i = 0; i < read->count; i++)
            take_record(dump, &read->records[i]);
        if (read->next_offset < read->end_offset) {
            read->from_offset = read->next_offset;
            pd_log_read(dump->reader, read);
            return;
        }
    }
    dump->closed.run = on_closed;
    pd_log_close_reader(dump->reader, &dump->closed);
}

static void next_partition(dump_t *dump)
{
    pd_log_handle_options_t handle = {
        .loop = pd_loop_event_loop(dump->loop),
        .topic = PD_LOG_EVENTS,
        .partition = dump->partition,
    };

    if (dump->failed || dump->partition == dump->log->info.partition_counts[PD_LOG_EVENTS]) {
        pd_loop_event_break(dump->loop);
        return;
    }
    pd_chain_init(&dump->chain);
    if (pd_log_open_reader(dump->log, &handle, &dump->reader, &dump->error) != PD_OK) {
        dump->failed = true;
        pd_loop_event_break(dump->loop);
        return;
    }
    memset(&dump->read, 0, sizeof(dump->read));
    dump->read.from_offset = PD_LOG_FIRST;
    dump->read.done = on_read;
    pd_log_read(dump->reader, &dump->read);
}

static void run_first(pd_mail_t *mail)
{
    next_partition(PD_CONTAINER_OF(mail, dump_t, closed));
}

static int run(dump_t *dump, const char *data_path)
{
    pd_loop_event_options_t loop_options = {.name = "dump", .mailbox_count = 1024};
    pd_log_embedded_options_t options = {.read_only = true};
    char path[4096];

    snprintf(path, sizeof(path), "%s/log", data_path);
    options.directory = path;
    if (pd_log_embedded_open(&options, &dump->log, &dump->error) != PD_OK) {
        fprintf(stderr, "perdure: %s\n", dump->error.text);
        return 1;
    }
    dump->codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    dump->loop = pd_loop_event_new(&loop_options);
    pd_arena_init(&dump->arena);
    dump->closed.run = run_first;
    pd_loop_post(pd_loop_event_loop(dump->loop), &dump->closed);
    pd_loop_event_run(dump->loop);
    pd_log_close(dump->log);
    pd_loop_event_free(dump->loop);
    pd_arena_deinit(&dump->arena);
    pd_record_codec_free(dump->codec);
    if (dump->failed) {
        fprintf(stderr, "perdure: %s\n", dump->error.text);
        return 1;
    }
    if (!dump->print)
        printf("%llu records, %llu void\n", (unsigned long long)dump->record_count,
               (unsigned long long)dump->void_count);
    return 0;
}

static int parse_and_run(dump_t *dump, int argc, char **argv, const char *usage)
{
    static const struct option longs[] = {
        {"data", required_argument, NULL, 'd'},
        {"workflow-id", required_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *data_path = pd_program_default_data_path();
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'd') {
            data_path = optarg;
        } else if (option == 'w' && dump->print) {
            dump->workflow_id = optarg;
        } else {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    return run(dump, data_path);
}

int pd_program_log_dump(int argc, char **argv)
{
    dump_t dump = {.print = true};

    return parse_and_run(&dump, argc, argv,
                         "perdure log dump [--data DIR] [--workflow-id ID]\n"
                         "One JSON object per record of the log, in order of partition and "
                         "offset.\n");
}

int pd_program_log_verify(int argc, char **argv)
{
    dump_t dump = {.print = false};

    return parse_and_run(&dump, argc, argv,
                         "perdure log verify [--data DIR]\n"
                         "Follows the hash chain of every partition from its beginning and prints "
                         "what counts.\n");
}
