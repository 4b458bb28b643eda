/* tamper_main.c -- a copy of an embedded log in which somebody has altered something.
 *
 *     log_tamper FROM TO PARTITION ACTION OFFSET
 *
 * FROM, TO: data directories. ACTION, on the record at OFFSET of the partition of events: flip (a
 * byte in its middle), remove, swap (with the next one), none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/loop_event.h"
#include "base/memory.h"
#include "log/embedded/embedded.h"

enum { PATH_SIZE = 4096 };

typedef struct copied {
    pd_log_append_t append;
    uint8_t *key, *value;
} copied_t;

typedef struct tamper {
    pd_loop_event_t *loop;
    pd_log_t *from, *to;
    pd_mail_t mail;
    pd_log_reader_t *reader;
    pd_log_writer_t *writer;
    pd_log_read_t read;
    copied_t *records;
    size_t count, done_count;
    uint32_t partition;
    uint32_t chosen;
    const char *action;
    size_t offset;
} tamper_t;

static tamper_t tamper;

static pd_bytes_t copy(pd_bytes_t bytes, uint8_t **own)
{
    *own = bytes.data ? pd_memdup(bytes.data, bytes.size) : NULL;
    return pd_bytes(*own, bytes.size);
}

/* ---- reading ---- */

static void on_closed(pd_mail_t *mail)
{
    pd_loop_event_break(tamper.loop);
}

static void on_read(pd_log_read_t *read)
{
    PD_ASSERT(read->status == PD_OK);
    for (uint32_t i = 0; i < read->count; i++) {
        copied_t *record;

        tamper.records = pd_realloc(tamper.records, (tamper.count + 1) * sizeof(tamper.records[0]));
        record = &tamper.records[tamper.count++];
        memset(record, 0, sizeof(*record));
        record->append.key = copy(read->records[i].key, &record->key);
        record->append.value = copy(read->records[i].value, &record->value);
    }
    if (read->next_offset < read->end_offset) {
        read->from_offset = read->next_offset;
        pd_log_read(tamper.reader, read);
        return;
    }
    tamper.mail.run = on_closed;
    pd_log_close_reader(tamper.reader, &tamper.mail);
}

static void begin_reading(pd_mail_t *mail)
{
    pd_log_handle_options_t handle = {pd_loop_event_loop(tamper.loop), PD_LOG_EVENTS,
                                      tamper.partition};
    pd_error_t error;

    PD_ASSERT(pd_log_open_reader(tamper.from, &handle, &tamper.reader, &error) == PD_OK);
    memset(&tamper.read, 0, sizeof(tamper.read));
    tamper.read.from_offset = PD_LOG_FIRST;
    tamper.read.done = on_read;
    pd_log_read(tamper.reader, &tamper.read);
}

/* ---- altering ---- */

static void alter(void)
{
    copied_t *record = &tamper.records[tamper.offset];

    if (tamper.partition != tamper.chosen || strcmp(tamper.action, "none") == 0)
        return;
    PD_ASSERT(tamper.offset + 1 < tamper.count);
    if (strcmp(tamper.action, "flip") == 0) {
        record->value[record->append.value.size / 2] ^= 1;
    } else if (strcmp(tamper.action, "remove") == 0) {
        pd_free(record->key);
        pd_free(record->value);
        memmove(record, record + 1, (tamper.count - tamper.offset - 1) * sizeof(*record));
        tamper.count--;
    } else {
        copied_t first = record[0];

        PD_ASSERT(strcmp(tamper.action, "swap") == 0);
        record[0] = record[1];
        record[1] = first;
    }
}

/* ---- writing ---- */

static void close_writer(void)
{
    tamper.mail.run = on_closed;
    pd_log_close_writer(tamper.writer, &tamper.mail);
}

static void on_appended(pd_log_append_t *append)
{
    PD_ASSERT(append->status == PD_OK);
    if (++tamper.done_count == tamper.count)
        close_writer();
}

static void begin_writing(pd_mail_t *mail)
{
    pd_log_handle_options_t handle = {pd_loop_event_loop(tamper.loop), PD_LOG_EVENTS,
                                      tamper.partition};
    pd_error_t error;

    PD_ASSERT(pd_log_open_writer(tamper.to, &handle, &tamper.writer, &error) == PD_OK);
    for (size_t i = 0; i < tamper.count; i++) {
        tamper.records[i].append.done = on_appended;
        PD_ASSERT(pd_log_append(tamper.writer, &tamper.records[i].append) == PD_OK);
    }
    if (tamper.count == 0)
        close_writer();
}

/* ---- the whole ---- */

static void run(void (*step)(pd_mail_t *mail))
{
    pd_mail_t begin = {.run = step};

    pd_loop_post(pd_loop_event_loop(tamper.loop), &begin);
    pd_loop_event_run(tamper.loop);
}

static void copy_partition(void)
{
    tamper.count = tamper.done_count = 0;
    run(begin_reading);
    alter();
    run(begin_writing);
    for (size_t i = 0; i < tamper.count; i++) {
        pd_free(tamper.records[i].key);
        pd_free(tamper.records[i].value);
    }
}

int main(int argc, char **argv)
{
    pd_loop_event_options_t loop = {.name = "tamper", .mailbox_count = 1024};
    char from[PATH_SIZE], to[PATH_SIZE];
    pd_log_embedded_options_t source = {.directory = from, .read_only = true};
    pd_log_embedded_options_t target = {.directory = to};
    pd_error_t error = {.text = ""};

    PD_ASSERT(argc == 6);
    snprintf(from, sizeof(from), "%s/log", argv[1]);
    snprintf(to, sizeof(to), "%s/log", argv[2]);
    tamper.chosen = (uint32_t)strtoul(argv[3], NULL, 10);
    tamper.action = argv[4];
    tamper.offset = strtoul(argv[5], NULL, 10);
    tamper.loop = pd_loop_event_new(&loop);
    PD_ASSERT(mkdir(argv[2], 0777) == 0);
    PD_ASSERT(pd_log_embedded_open(&source, &tamper.from, &error) == PD_OK);
    memcpy(target.partition_counts, tamper.from->info.partition_counts,
           sizeof(target.partition_counts));
    PD_ASSERT(pd_log_embedded_open(&target, &tamper.to, &error) == PD_OK);
    for (; tamper.partition < target.partition_counts[PD_LOG_EVENTS]; tamper.partition++)
        copy_partition();
    pd_log_close(tamper.from);
    pd_log_close(tamper.to);
    pd_loop_event_free(tamper.loop);
    pd_free(tamper.records);
    return 0;
}
