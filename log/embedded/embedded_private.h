/* embedded_private.h -- what the files of log/embedded share.
 *
 * Threads: loops ──inbox──▶ commit thread ──port──▶ loops
 *          loops ──read queue──▶ read thread ──port──▶ loops
 * A pdi_port_t is the way back to one loop: a list of what is done and one mail, so that a whole
 * commit wakes each loop once. */
#ifndef PD_LOG_EMBEDDED_PRIVATE_H
#define PD_LOG_EMBEDDED_PRIVATE_H

#include <pthread.h>
#include <rocksdb/c.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "log/embedded/embedded.h"
#include "log/embedded/entry.h"

typedef struct pdi_db pdi_db_t;
typedef struct pdi_port pdi_port_t;
typedef struct pdi_writer pdi_writer_t;
typedef struct pdi_reader pdi_reader_t;

typedef struct pdi_partition {
    pd_log_topic_t topic;
    uint32_t partition;
    _Atomic(int64_t) durable_end; /* written by the commit thread after the sync */
    /* The commit thread's own. */
    int64_t next_offset;
    int64_t entry_offset; /* of the builder's first record */
    pdi_builder_t builder;
    struct pdi_partition *next_touched;
    bool touched;
} pdi_partition_t;

struct pdi_writer {
    pd_log_writer_t base; /* first: converts */
    pdi_partition_t *partition;
    pdi_port_t *port;
    pd_mail_t *closed;
    uint64_t in_flight_count;
    bool closing;
    pd_status_t broken; /* the first status that was not PD_OK */
};

struct pdi_reader {
    pd_log_reader_t base; /* first: converts */
    pdi_partition_t *partition;
    pdi_port_t *port;
    pd_mail_t *closed;
    bool closing;
    /* The read thread's while base.reading, else the loop's. */
    pd_log_read_t *read;
    int64_t from_offset; /* resolved */
    pd_log_record_t *records;
    uint32_t record_capacity;
    pd_arena_t arena;             /* the entries that the records borrow */
    rocksdb_iterator_t *iterator; /* kept from one read to the next that continues it, or NULL */
    int64_t iterator_offset;      /* what it stands on */
    /* Under db->read_mutex. */
    pdi_reader_t *next; /* in the queue or among the waiting */
    bool waiting;
    bool canceled; /* must not wait any more */
};

/* pd_log_append_t.private_number: what the commit thread shall do with it. */
typedef enum pdi_send {
    PDI_SEND,
    PDI_SKIP, /* the writer is broken: only keep its place in the order */
} pdi_send_t;

struct pdi_port {
    pdi_port_t *next;
    pd_loop_t *loop;
    pd_mail_t mail;
    pthread_mutex_t mutex; /* guards the rest */
    bool posted;
    pd_log_append_t *append_first; /* completed, oldest first */
    pd_log_append_t *append_last;
    pdi_reader_t *reader_first;
    pdi_reader_t *reader_last;
    /* The commit thread's own: what this commit completes. */
    pd_log_append_t *commit_first;
    pd_log_append_t *commit_last;
    pdi_port_t *next_touched;
    bool touched;
};

struct pdi_db {
    pd_log_t base; /* first: converts */
    char *directory;
    bool read_only;
    int64_t gather_max_ns;
    rocksdb_t *rocks;
    rocksdb_options_t *options;
    rocksdb_writeoptions_t *write_options;
    rocksdb_readoptions_t *read_options;
    rocksdb_writebatch_t *batch; /* the commit thread's */
    pdi_partition_t *partitions; /* of all topics in a row */
    uint32_t first_partitions[PD_LOG_TOPIC_COUNT];
    uint32_t partition_count;

    pthread_mutex_t handle_mutex; /* guards ports and handle_count */
    pdi_port_t *ports;
    uint32_t handle_count;

    _Atomic(pd_log_append_t *) inbox; /* newest first */
    _Atomic(bool) asleep;             /* the commit thread waits for inbox_filled */
    sem_t inbox_filled;
    pthread_t commit_thread;
    _Atomic(bool) stopping;
    _Atomic(int) failed; /* pd_status_t of the first failed write, PD_OK before */
    pd_error_t failure;  /* valid once failed is set */

    pthread_mutex_t read_mutex;
    pthread_cond_t read_filled;
    pdi_reader_t *read_first;
    pdi_reader_t *read_last;
    pdi_reader_t *waiting;
    _Atomic(uint32_t) waiting_count;
    bool read_stopping;
    pthread_t read_thread;

    _Atomic(uint64_t) commit_count;
    _Atomic(uint64_t) record_count;
    _Atomic(uint64_t) byte_count;
    _Atomic(uint32_t) fail_after_commits;
    _Atomic(uint32_t) unknown_after_commits;
    _Atomic(uint64_t) commit_delay_ns;
};

static inline pdi_db_t *pdi_db_of(pd_log_t *log)
{
    return (pdi_db_t *)log;
}

/* Sets *error from RocksDB's text (freed) and returns the status that it means. */
pd_status_t pdi_rocks_error(pd_error_t *error, const char *what, const char *directory, char *text);
/* NULL when there is no such partition. @thread any */
pdi_partition_t *pdi_find_partition(pdi_db_t *db, pd_log_topic_t topic, uint32_t partition);
/* The port of a loop, made when new; counts one more handle. @thread any */
pdi_port_t *pdi_handle_opened(pdi_db_t *db, pd_loop_t *loop);
/* @thread any */
void pdi_handle_closed(pdi_db_t *db);

/* port.c: append completions of one commit, in order. Takes the lists. @thread commit */
void pdi_port_complete_appends(pdi_port_t *port, pd_log_append_t *first, pd_log_append_t *last);
/* @thread any */
void pdi_port_complete_read(pdi_port_t *port, pdi_reader_t *reader);
pdi_port_t *pdi_port_new(pd_loop_t *loop);
void pdi_port_free(pdi_port_t *port);

/* commit.c */
void pdi_commit_start(pdi_db_t *db);
/* Completes what is waiting, ends the thread. */
void pdi_commit_stop(pdi_db_t *db);
/* Hands one append to the commit thread. private_number: pdi_send_t. @thread any */
void pdi_commit_push(pdi_db_t *db, pd_log_append_t *append);

/* writer.c, reader.c: the vtable's functions. */
pd_status_t pdi_writer_open(pd_log_t *log, const pd_log_handle_options_t *options,
                            pd_log_writer_t **writer, pd_error_t *error);
pd_status_t pdi_writer_append(pd_log_writer_t *base, pd_log_append_t *append);
void pdi_writer_error(const pd_log_writer_t *base, pd_error_t *error);
void pdi_writer_close(pd_log_writer_t *base, pd_mail_t *closed);
/* Gives one completion to its owner. @thread loop */
void pdi_writer_complete(pd_log_append_t *append);

pd_status_t pdi_reader_open(pd_log_t *log, const pd_log_handle_options_t *options,
                            pd_log_reader_t **reader, pd_error_t *error);
void pdi_reader_read(pd_log_reader_t *base, pd_log_read_t *read);
void pdi_reader_close(pd_log_reader_t *base, pd_mail_t *closed);
/* @thread loop */
void pdi_reader_complete(pdi_reader_t *reader);
/* Wakes the reads that wait for what has just become durable. @thread commit */
void pdi_read_wake(pdi_db_t *db);
void pdi_read_start(pdi_db_t *db);
void pdi_read_stop(pdi_db_t *db);

#endif
