/* log.h -- the event log: topics of ordered, durable, partitioned records. The contract that every
 * backend (log/memory, log/embedded, log/kafka) keeps and tests/conformance/log checks.
 *
 * A *writer* is one producer incarnation on one partition, a *reader* one cursor on one partition;
 * both are bound to a loop, on which all their callbacks run. Several writers, also of other
 * processes, may append to one partition at once; the log orders them. Nothing here blocks.
 *
 * Appending. An append is told its offset only when it is durable. Its completions come in the
 * order of the appends of that writer, each exactly once, never from inside pd_log_append:
 *   PD_OK               durable at `offset`; offsets of one writer strictly increase. A gap to the
 *                       previous one means that somebody else wrote there (or, on Kafka, that the
 *                       offset holds no record at all: transaction marker, compaction)
 *   PD_UNKNOWN_OUTCOME  it may be in the log, or may still land there later, also after the writer
 *                       was closed, behind records of newer writers
 *   PD_UNAVAILABLE      it is not in the log and never will be. Retriable with a new writer
 *   PD_CANCELED         likewise: the writer was closed or broken before the append was sent
 *   PD_IO, PD_CORRUPT   the log failed (disk full, storage broken, not authorised). It may or may
 *                       not be found there after the log has been opened again
 * The first completion that is not PD_OK *breaks* the writer: no later append of it completes with
 * PD_OK, though it may have landed. Close it and open another; what landed is found by reading.
 *
 * Reading. Only durable records are seen, in order of offset, each offset at most once; offsets may
 * have gaps. Whatever completed with PD_OK before a read was issued is seen by that read.
 *
 * Threads: pd_log_open_* and everything on a writer or reader: the thread of its loop.
 * pd_log_close: the thread that opened the log. Different writers and readers of one log may be on
 * different loops. Ownership: request objects (pd_log_append_t, pd_log_read_t) are embedded in the
 * caller's objects and borrowed until `done`; there is no allocation per append. */
#ifndef PD_LOG_LOG_H
#define PD_LOG_LOG_H

#include <stdint.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/loop.h"

/* Append-only: embedded logs store the numbers. */
typedef enum pd_log_topic {
    PD_LOG_EVENTS = 0,
    PD_LOG_COMMANDS = 1,
    PD_LOG_MEMBERS = 2,
    PD_LOG_REJECTED = 3,
} pd_log_topic_t;

#define PD_LOG_TOPIC_COUNT 4

/* No backend's record_size_max is larger; what the record format can carry. */
#define PD_LOG_RECORD_SIZE_LIMIT (64u * 1024 * 1024)

/* Places to read from besides an offset. */
enum {
    PD_LOG_FIRST = -1, /* the oldest record that is still kept */
    PD_LOG_END = -2,   /* behind the newest record: only what comes later */
};

typedef struct pd_log pd_log_t;
typedef struct pd_log_writer pd_log_writer_t;
typedef struct pd_log_reader pd_log_reader_t;
typedef struct pd_log_append pd_log_append_t;
typedef struct pd_log_read pd_log_read_t;

/* A record's header, as Kafka has them: names may repeat, order is kept. */
typedef struct pd_log_header {
    const char *name; /* NUL-terminated */
    pd_bytes_t value; /* data NULL: absent */
} pd_log_header_t;

/* What this log is like; constant while it is open. */
typedef struct pd_log_info {
    bool exclusive; /* no other process can write: a read barrier needs no append, and the only
                       writers are those of this pd_log_t */
    bool durable;   /* survives the process */
    bool headers;   /* headers are kept. false: they are dropped silently, readers see none */
    uint32_t record_size_max; /* key + value, in bytes */
    uint32_t partition_counts[PD_LOG_TOPIC_COUNT];
} pd_log_info_t;

/* `data` NULL means absent (Kafka's null), which is not the same as empty; both are preserved. The
 * members topic is compacted: a record without a key may be refused there (PD_IO). */
struct pd_log_append {
    /* Set by the caller; the bytes are borrowed until `done`, which is the zero-copy way. */
    pd_bytes_t key;
    pd_bytes_t value;
    const pd_log_header_t *headers; /* borrowed like the bytes; may be NULL when there are none */
    uint32_t header_count;
    void (*done)(pd_log_append_t *append); /* may free the append, append again, close the writer */
    /* Set by the log before `done`. */
    pd_status_t status;
    int64_t offset;  /* PD_OK: where it is; otherwise -1 */
    int64_t time_ms; /* PD_OK: as readers will see it, unless a topic of Kafka has LogAppendTime */
    /* The log's own while in flight. */
    pd_log_append_t *next;
    pd_log_writer_t *writer;
    uint64_t private_number;
};

typedef struct pd_log_record {
    int64_t offset;
    int64_t time_ms; /* wall clock at the append, ms since 1970; not ordered, for information */
    pd_bytes_t key;
    pd_bytes_t value;
    const pd_log_header_t *headers; /* lent like the rest; NULL when there are none */
    uint32_t header_count;
} pd_log_record_t;

/* One batch of records. Everything between from_offset and next_offset that is in the log is in the
 * batch. next_offset == end_offset: the end was reached. A from_offset beyond the end is no error:
 * the batch is empty, next_offset == from_offset > end_offset (or the read waits). */
struct pd_log_read {
    /* Set by the caller. */
    int64_t from_offset; /* or PD_LOG_FIRST, PD_LOG_END */
    uint32_t size_max;   /* stop at about so many bytes of key and value, at least one record;
                            0: the backend's choice (some hundred KiB) */
    bool wait;           /* complete only when there is a record: the tail. false: complete with
                            count 0 at the end */
    void (*done)(pd_log_read_t *read); /* may free the read, read again, close the reader */
    /* Set by the log before `done`. PD_OK; PD_NOT_FOUND: from_offset is below start_offset, those
     * records were removed by retention; PD_UNAVAILABLE: try again; PD_CANCELED: the reader was
     * closed; PD_CORRUPT, PD_IO: the stored records cannot be read. */
    pd_status_t status;
    const pd_log_record_t *records; /* lent until the next read on this reader, or its close */
    uint32_t count;
    int64_t next_offset;
    int64_t start_offset; /* oldest offset that is still kept, or some time ago was; exact for
                             PD_NOT_FOUND and PD_LOG_FIRST */
    int64_t end_offset;   /* behind the newest durable record, as of this read. When next_offset is
                             below it, or with `wait`, it may be older: at least all that completed
                             with PD_OK in this process */
    /* The log's own while in flight. */
    pd_log_read_t *next;
    pd_log_reader_t *reader;
};

/* Which partition, on which loop. Borrowed during the call only; the loop until closed. */
typedef struct pd_log_handle_options {
    pd_loop_t *loop;
    pd_log_topic_t topic;
    uint32_t partition;
} pd_log_handle_options_t;

/* Reads a topic that is not the server's own, by name: for ingestion. Only committed records are
 * seen. Borrowed during the call only; the loop until closed. */
typedef struct pd_log_foreign_options {
    pd_loop_t *loop;
    const char *topic_name;
    uint32_t partition;
} pd_log_foreign_options_t;

typedef struct pd_log_topic_query pd_log_topic_query_t;

/* How many partitions a foreign topic has. Embedded in the caller's object, borrowed until `done`.
 */
struct pd_log_topic_query {
    /* Set by the caller. */
    pd_loop_t *loop; /* `done` runs there */
    const char *topic_name;
    void (*done)(pd_log_topic_query_t *query);
    /* Set by the log before `done`. PD_OK; PD_NOT_FOUND: no such topic; PD_UNAVAILABLE: try again;
     * PD_IO: refused, for instance not authorised. */
    pd_status_t status;
    uint32_t partition_count;
    /* The log's own while in flight. */
    pd_mail_t mail;
    void *ctx;
};

typedef struct pd_log_ops {
    const char *name;
    pd_status_t (*open_writer)(pd_log_t *log, const pd_log_handle_options_t *options,
                               pd_log_writer_t **writer, pd_error_t *error);
    pd_status_t (*append)(pd_log_writer_t *writer, pd_log_append_t *append);
    void (*writer_error)(const pd_log_writer_t *writer, pd_error_t *error);
    void (*close_writer)(pd_log_writer_t *writer, pd_mail_t *closed);
    pd_status_t (*open_reader)(pd_log_t *log, const pd_log_handle_options_t *options,
                               pd_log_reader_t **reader, pd_error_t *error);
    void (*read)(pd_log_reader_t *reader, pd_log_read_t *read);
    void (*close_reader)(pd_log_reader_t *reader, pd_mail_t *closed);
    void (*close)(pd_log_t *log);
    /* NULL when the backend knows no foreign topics. */
    pd_status_t (*open_foreign_reader)(pd_log_t *log, const pd_log_foreign_options_t *options,
                                       pd_log_reader_t **reader, pd_error_t *error);
    void (*query_topic)(pd_log_t *log, pd_log_topic_query_t *query);
} pd_log_ops_t;

/* The visible heads of the backends' structures. Read only. */
struct pd_log {
    const pd_log_ops_t *ops;
    pd_log_info_t info;
};

struct pd_log_writer {
    pd_log_t *log;
    pd_loop_t *loop;
    pd_log_topic_t topic;
    uint32_t partition;
};

struct pd_log_reader {
    pd_log_t *log;
    pd_loop_t *loop;
    pd_log_topic_t topic; /* PD_LOG_TOPIC_COUNT: a foreign one */
    uint32_t partition;
    bool reading; /* a read is in flight */
};

/* A new producer incarnation. PD_NOT_FOUND: no such partition; PD_IO: the log has failed.
 * @thread loop */
static inline pd_status_t pd_log_open_writer(pd_log_t *log, const pd_log_handle_options_t *options,
                                             pd_log_writer_t **writer,
                                             pd_error_t *error) PD_MUST_USE;
static inline pd_status_t pd_log_open_writer(pd_log_t *log, const pd_log_handle_options_t *options,
                                             pd_log_writer_t **writer, pd_error_t *error)
{
    PD_ASSERT(options->topic < PD_LOG_TOPIC_COUNT);
    return log->ops->open_writer(log, options, writer, error);
}

/* PD_OK: taken, `done` follows. PD_LIMIT: larger than info.record_size_max; not taken, the writer
 * stays as it is, `done` is not called. Nothing else is returned. @thread loop */
static inline pd_status_t pd_log_append(pd_log_writer_t *writer,
                                        pd_log_append_t *append) PD_MUST_USE;
static inline pd_status_t pd_log_append(pd_log_writer_t *writer, pd_log_append_t *append)
{
    PD_ASSERT_LOOP(writer->loop);
    PD_ASSERT(append->done);
    return writer->log->ops->append(writer, append);
}

/* Why the writer is broken, for diagnostics; status PD_OK when it is not. @thread loop */
static inline void pd_log_writer_error(const pd_log_writer_t *writer, pd_error_t *error)
{
    writer->log->ops->writer_error(writer, error);
}

/* No append may follow. What is in flight completes soon (it does not wait for a distant log:
 * outcomes not known by then are PD_UNKNOWN_OUTCOME), then `closed` (borrowed, may be NULL) runs on
 * the loop; the writer is gone then. @thread loop */
static inline void pd_log_close_writer(pd_log_writer_t *writer, pd_mail_t *closed)
{
    PD_ASSERT_LOOP(writer->loop);
    writer->log->ops->close_writer(writer, closed);
}

/* PD_NOT_FOUND: no such partition. @thread loop */
static inline pd_status_t pd_log_open_reader(pd_log_t *log, const pd_log_handle_options_t *options,
                                             pd_log_reader_t **reader,
                                             pd_error_t *error) PD_MUST_USE;
static inline pd_status_t pd_log_open_reader(pd_log_t *log, const pd_log_handle_options_t *options,
                                             pd_log_reader_t **reader, pd_error_t *error)
{
    PD_ASSERT(options->topic < PD_LOG_TOPIC_COUNT);
    return log->ops->open_reader(log, options, reader, error);
}

/* A reader like any other. Whether there is such a topic is known to pd_log_query_topic; here it
 * may be PD_NOT_FOUND, or PD_IO of the first read. PD_INVALID: this log knows no foreign topics, or
 * that is no name of a topic.
 * @thread loop */
static inline pd_status_t pd_log_open_foreign_reader(pd_log_t *log,
                                                     const pd_log_foreign_options_t *options,
                                                     pd_log_reader_t **reader,
                                                     pd_error_t *error) PD_MUST_USE;
static inline pd_status_t pd_log_open_foreign_reader(pd_log_t *log,
                                                     const pd_log_foreign_options_t *options,
                                                     pd_log_reader_t **reader, pd_error_t *error)
{
    if (!log->ops->open_foreign_reader)
        return pd_error_set(error, PD_INVALID, "the %s log has no topics but its own",
                            log->ops->name);
    return log->ops->open_foreign_reader(log, options, reader, error);
}

/* PD_OK: `done` follows, never from inside. PD_INVALID: this log knows no foreign topics. All
 * queries must be done before the log is closed. @thread loop */
static inline pd_status_t pd_log_query_topic(pd_log_t *log,
                                             pd_log_topic_query_t *query) PD_MUST_USE;
static inline pd_status_t pd_log_query_topic(pd_log_t *log, pd_log_topic_query_t *query)
{
    PD_ASSERT(query->done);
    if (!log->ops->query_topic)
        return PD_INVALID;
    log->ops->query_topic(log, query);
    return PD_OK;
}

/* One read at a time on a reader; takes back what the previous one lent. Sequential reads (each
 * from the previous next_offset) are the fast ones. The end offset alone: from_offset PD_LOG_END,
 * wait false. @thread loop */
static inline void pd_log_read(pd_log_reader_t *reader, pd_log_read_t *read)
{
    PD_ASSERT_LOOP(reader->loop);
    PD_ASSERT(read->done);
    PD_ASSERT(!reader->reading);
    PD_ASSERT(read->from_offset >= PD_LOG_END);
    reader->log->ops->read(reader, read);
}

/* A read in flight completes with PD_CANCELED (or what it had), then `closed` (borrowed, may be
 * NULL) runs on the loop; the reader is gone then. @thread loop */
static inline void pd_log_close_reader(pd_log_reader_t *reader, pd_mail_t *closed)
{
    PD_ASSERT_LOOP(reader->loop);
    reader->log->ops->close_reader(reader, closed);
}

/* All writers and readers must be closed (their `closed` has run). May block until background work
 * has ended. NULL is allowed. @thread of opening */
static inline void pd_log_close(pd_log_t *log)
{
    if (log)
        log->ops->close(log);
}

#endif
