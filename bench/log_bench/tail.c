#include "bench/log_bench/tail.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/os_clock.h"

typedef struct tail {
    pd_loop_event_t *loop;
    pd_log_t *log;
    pd_log_writer_t *writer;
    pd_log_reader_t *reader;
    pd_log_append_t append;
    pd_log_read_t read;
    pd_mail_t begin_mail;
    pd_mail_t writer_closed;
    pd_mail_t reader_closed;
    bool end;
    bool appended;
    bool seen;
    uint64_t count;
    uint64_t done_count;
    int64_t *latencies_ns;
    int64_t begin_ns;
} tail_t;

static void fatal(const char *what)
{
    fprintf(stderr, "pd-log-bench: tail: %s\n", what);
    exit(1);
}

static void begin_read(tail_t *tail, int64_t from_offset)
{
    tail->read.from_offset = from_offset;
    tail->read.wait = !tail->end;
    tail->seen = tail->appended = false;
    tail->begin_ns = pd_os_monotonic_ns();
    pd_log_read(tail->reader, &tail->read);
}

static void send_one(tail_t *tail)
{
    tail->append.key = pd_bytes_str("key");
    tail->append.value = pd_bytes_str("some value");
    tail->begin_ns = pd_os_monotonic_ns();
    if (pd_log_append(tail->writer, &tail->append) != PD_OK)
        fatal("an append was not taken");
}

static void on_reader_closed(pd_mail_t *mail)
{
    pd_loop_event_break(PD_CONTAINER_OF(mail, tail_t, reader_closed)->loop);
}

static void on_writer_closed(pd_mail_t *mail)
{
    tail_t *tail = PD_CONTAINER_OF(mail, tail_t, writer_closed);

    tail->reader_closed.run = on_reader_closed;
    pd_log_close_reader(tail->reader, &tail->reader_closed);
}

static void go_on(tail_t *tail)
{
    if (!tail->seen || (!tail->end && !tail->appended))
        return;
    if (tail->done_count == tail->count) {
        tail->writer_closed.run = on_writer_closed;
        pd_log_close_writer(tail->writer, &tail->writer_closed);
        return;
    }
    begin_read(tail, tail->end ? PD_LOG_END : tail->read.next_offset);
    if (!tail->end)
        send_one(tail);
}

static void on_read(pd_log_read_t *read)
{
    tail_t *tail = PD_CONTAINER_OF(read, tail_t, read);

    if (read->status != PD_OK)
        fatal("a read failed");
    tail->latencies_ns[tail->done_count++] = pd_os_monotonic_ns() - tail->begin_ns;
    tail->seen = true;
    go_on(tail);
}

static void on_appended(pd_log_append_t *append)
{
    tail_t *tail = PD_CONTAINER_OF(append, tail_t, append);

    if (append->status != PD_OK)
        fatal("an append failed");
    tail->appended = true;
    go_on(tail);
}

static void begin(pd_mail_t *mail)
{
    tail_t *tail = PD_CONTAINER_OF(mail, tail_t, begin_mail);
    pd_log_handle_options_t options = {.loop = pd_loop_event_loop(tail->loop),
                                       .topic = PD_LOG_EVENTS};
    pd_error_t error;

    if (pd_log_open_writer(tail->log, &options, &tail->writer, &error) != PD_OK ||
        pd_log_open_reader(tail->log, &options, &tail->reader, &error) != PD_OK)
        fatal(error.text);
    tail->append.done = on_appended;
    tail->read.done = on_read;
    begin_read(tail, PD_LOG_END);
    if (!tail->end)
        send_one(tail);
}

void tail_run(pd_log_t *log, pd_loop_event_t *loop, bool end, uint64_t count, int64_t *latencies_ns)
{
    tail_t tail = {
        .loop = loop, .log = log, .end = end, .count = count, .latencies_ns = latencies_ns};

    tail.begin_mail.run = begin;
    pd_loop_post(pd_loop_event_loop(loop), &tail.begin_mail);
    pd_loop_event_run(loop);
}
