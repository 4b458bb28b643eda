/* kafka_private.h -- what the files of log/kafka share.
 *
 * One thread, *chores*, besides librdkafka's own: whatever may block (making and destroying
 * handles, stopping streams, metadata). A *session* is one producer (rd_kafka_t), shared by the
 * writers of one loop that were opened while it was that loop's current one; the loop takes its
 * delivery reports itself. Nobody's writers: it is a spare, for whichever loop comes next, and the
 * chores thread's. A *stream* is one partition that one consumer handle fetches; it belongs to one
 * reader at a time, which takes from its queue on its own loop. librdkafka's callbacks only post
 * mail. */
#ifndef PD_LOG_KAFKA_PRIVATE_H
#define PD_LOG_KAFKA_PRIVATE_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/loop_event.h"
#include "log/kafka/kafka.h"

typedef struct pdi_kafka pdi_kafka_t;
typedef struct pdi_kafka_handle pdi_kafka_handle_t;
typedef struct pdi_kafka_reader pdi_kafka_reader_t;
typedef struct pdi_kafka_session pdi_kafka_session_t;
typedef struct pdi_kafka_stream pdi_kafka_stream_t;
typedef struct pdi_kafka_writer pdi_kafka_writer_t;

enum {
    PDI_KAFKA_SESSIONS_MAX = 4,   /* of a loop at a time, unless the newest is dead */
    PDI_KAFKA_SPARE_COUNT = 2,    /* made at opening: for the front's loop and an engine's */
    PDI_KAFKA_BATCH_COUNT = 1024, /* records that a reader takes from its stream at most */
    PDI_KAFKA_BATCH_OVERHEAD = 64 * 1024, /* what a batch of one record has beside its bytes */
    PDI_KAFKA_NAME_SIZE = 256,
};

/* Of consumers. Why there are three for each sort of topics: see stream.c. */
typedef enum pdi_kafka_kind {
    PDI_KAFKA_QUICK, /* answers at once, also that there is nothing */
    PDI_KAFKA_TAIL,  /* waits at the broker for what comes */
    PDI_KAFKA_PLACE, /* quick, too; is asked for the beginning and the end only */
    PDI_KAFKA_FOREIGN_QUICK,
    PDI_KAFKA_FOREIGN_TAIL,
    PDI_KAFKA_FOREIGN_PLACE,
    PDI_KAFKA_KIND_COUNT,
} pdi_kafka_kind_t;

typedef struct pdi_kafka_kind_info {
    const char *name;              /* in diagnostics */
    bool waits;                    /* at the broker, when there is nothing */
    bool places;                   /* logical offsets: what comes after them is not to be trusted */
    bool foreign;                  /* topics of users */
    pdi_kafka_kind_t foreign_kind; /* its like for them */
} pdi_kafka_kind_info_t;

extern const pdi_kafka_kind_info_t pdi_kafka_kinds[PDI_KAFKA_KIND_COUNT];

typedef struct pdi_kafka_partition {
    _Atomic(int64_t) acked_end; /* behind the newest that was acknowledged to this process */
    /* For readers that look for the end to wait there (reader.c). */
    _Atomic(uint64_t) sent_count;    /* handed to librdkafka */
    _Atomic(uint64_t) settled_count; /* of those: reported */
    _Atomic(uint32_t) watcher_count;
    _Atomic(int64_t)
        first_acked; /* while there are watchers: the lowest since the first one came */
} pdi_kafka_partition_t;

struct pdi_kafka_session {
    pdi_kafka_t *log;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *topics[PD_LOG_TOPIC_COUNT];
    pd_mail_t mail; /* to `loop`: reports are there; on its way while `mailed` */
    _Atomic(bool) mailed;
    pd_mail_t end_mail; /* to the chores thread */
    bool ending;        /* the chores thread's own */
    /* Its writers', or the chores thread's while it has none. Changed while the queue's callback is
     * off, which reads it. */
    _Atomic(pd_loop_t *) loop;
    /* This and the above under log->mutex. */
    bool draining; /* the loop is taking reports */
    pdi_kafka_session_t *next;
    uint32_t writer_count;
    uint32_t closing_count;
    bool retired; /* no new writers */
    bool dead;    /* a fatal error: nothing can be sent any more */
};

struct pdi_kafka_writer {
    pd_log_writer_t base; /* first: converts */
    pdi_kafka_session_t *session;
    pdi_kafka_partition_t *partition;
    pd_mail_t mail; /* to itself: parked appends may be due */
    bool mailed;
    pd_timer_t close_timer;
    pd_mail_t *closed;
    bool closing;
    bool delivering;
    bool refusing;                           /* nothing is sent any more */
    pd_status_t broken;                      /* the first status that was not PD_OK */
    int broken_code;                         /* librdkafka's, for the text */
    uint64_t next_number;                    /* of the next append */
    uint64_t next_done;                      /* of the next completion */
    uint64_t sent_count, reported_count;     /* to and from librdkafka */
    pd_log_append_t *held_first, *held_last; /* to be sent together; see writer.c */
    uint64_t held_size;                      /* bytes */
    pd_timer_t hold_timer;
    pd_log_append_t *parked_first, *parked_last; /* done before their turn, in order */
};

/* One consumer (rd_kafka_t). */
struct pdi_kafka_handle {
    pdi_kafka_handle_t *next;
    pdi_kafka_t *log;
    pdi_kafka_kind_t kind;
    uint64_t number; /* of this log's handles, from 1 */
    int64_t made_ns;
    bool distrusted; /* takes no new streams, and goes when it has none; under log->mutex */
    rd_kafka_t *rk;
    rd_kafka_topic_t *topics[PD_LOG_TOPIC_COUNT]; /* kept, so that their metadata are known */
};

typedef enum pdi_kafka_stream_state {
    PDI_KAFKA_STREAM_OWNED,
    PDI_KAFKA_STREAM_IDLE, /* still fetching; taken over by the next reader, or stopped soon */
    PDI_KAFKA_STREAM_STOPPING,
} pdi_kafka_stream_state_t;

struct pdi_kafka_stream {
    pdi_kafka_stream_t *next;
    pdi_kafka_handle_t *handle;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    int32_t partition;
    bool started;
    bool spoilt;                    /* must not be taken over */
    pdi_kafka_stream_state_t state; /* under log->mutex */
    char topic_name[PDI_KAFKA_NAME_SIZE];
};

struct pdi_kafka {
    pd_log_t base; /* first: converts */
    char *cluster;
    char *bootstrap_servers;
    pd_log_kafka_property_t *properties; /* owned copies */
    size_t property_count;
    uint32_t delivery_timeout_ms;
    int64_t read_timeout_ns;
    char topic_names[PD_LOG_TOPIC_COUNT][PDI_KAFKA_NAME_SIZE];
    pdi_kafka_partition_t *partitions[PD_LOG_TOPIC_COUNT];
    pd_loop_event_t *chores_loop;
    pd_loop_t *chores;

    pthread_mutex_t mutex; /* guards the rest down to the counters */
    pdi_kafka_session_t *sessions;
    pdi_kafka_handle_t *handles;
    pdi_kafka_stream_t *streams;
    uint64_t handle_count; /* made so far */
    uint32_t reader_count;
    bool handle_wanted[PDI_KAFKA_KIND_COUNT];
    pd_mail_t chores_mail;
    bool chores_mailed;
    pd_timer_t sweep_timer; /* the chores thread's own */

    _Atomic(uint64_t) append_count, append_size, acked_count, unknown_count, unsent_count;
    _Atomic(uint64_t) refused_count, latency_sum_us, replaced_count, consumer_count, read_count,
        read_size;
    _Atomic(uint64_t) broker_error_count, completed_count;
};

static inline pdi_kafka_t *pdi_kafka_of(pd_log_t *log)
{
    return (pdi_kafka_t *)log;
}

/* config.c: a handle of librdkafka. PD_INVALID: a property is refused. */
pd_status_t pdi_kafka_new_producer(pdi_kafka_t *log, rd_kafka_t **rk,
                                   pd_error_t *error) PD_MUST_USE;
pd_status_t pdi_kafka_new_consumer(pdi_kafka_t *log, pdi_kafka_kind_t kind, rd_kafka_t **rk,
                                   pd_error_t *error) PD_MUST_USE;

/* query.c */
/* Letters, digits, '.', '_', '-'; neither "." nor "..", not too long. */
bool pdi_kafka_is_topic_name(const char *name);
void pdi_kafka_query_topic(pd_log_t *log, pd_log_topic_query_t *query);

/* topics.c: waits for the brokers, creates and checks the topics, fills in info.partition_counts.
 */
pd_status_t pdi_kafka_prepare_topics(pdi_kafka_t *log, const pd_log_kafka_options_t *options,
                                     rd_kafka_t *rk, pd_error_t *error) PD_MUST_USE;

/* session.c */
/* What the contract calls a failure, when the record is surely not in the log. */
pd_status_t pdi_kafka_unsent_status(rd_kafka_resp_err_t code);
/* A session without writers. */
pd_status_t pdi_kafka_session_add_spare(pdi_kafka_t *log, pd_error_t *error) PD_MUST_USE;
/* The loop's current session, with one writer more. @thread loop */
pd_status_t pdi_kafka_session_join(pdi_kafka_t *log, pd_loop_t *loop, pdi_kafka_session_t **session,
                                   pd_error_t *error) PD_MUST_USE;
/* One writer less. @thread loop */
void pdi_kafka_session_leave(pdi_kafka_session_t *session);
/* A writer is closing. @thread any */
void pdi_kafka_session_closing(pdi_kafka_session_t *session);
/* Gives up what is in flight, if no writer but closing ones would suffer. @thread any */
void pdi_kafka_session_hurry(pdi_kafka_session_t *session);
/* New writers get another one. `dead`: it cannot send any more. @thread any */
void pdi_kafka_session_retire(pdi_kafka_session_t *session, bool dead);
/* At the end, no writers are left: no mail comes from librdkafka any more. */
void pdi_kafka_quiet_sessions(pdi_kafka_t *log);
/* After that, and after the chores thread has ended. */
void pdi_kafka_free_sessions(pdi_kafka_t *log);

/* writer.c */
pd_status_t pdi_kafka_open_writer(pd_log_t *log, const pd_log_handle_options_t *options,
                                  pd_log_writer_t **writer, pd_error_t *error);
pd_status_t pdi_kafka_append(pd_log_writer_t *base, pd_log_append_t *append);
void pdi_kafka_writer_error(const pd_log_writer_t *base, pd_error_t *error);
void pdi_kafka_close_writer(pd_log_writer_t *base, pd_mail_t *closed);
/* The outcome is known; completes what is due. @thread loop */
void pdi_kafka_writer_arrived(pd_log_append_t *append);

/* stream.c */
/* A started or fresh stream for the reader alone; NULL: none is free right now, try again soon. */
pdi_kafka_stream_t *pdi_kafka_stream_acquire(pdi_kafka_t *log, pdi_kafka_kind_t kind,
                                             const char *topic_name, int32_t partition);
void pdi_kafka_stream_release(pdi_kafka_t *log, pdi_kafka_stream_t *stream);
/* The handle of this number seems to be deaf: another one is made for those who ask from now on. */
void pdi_kafka_distrust(pdi_kafka_t *log, uint64_t handle_number);
/* Fetches from there: an offset, or RD_KAFKA_OFFSET_BEGINNING, RD_KAFKA_OFFSET_END. */
pd_status_t pdi_kafka_stream_seek(pdi_kafka_stream_t *stream, int64_t offset,
                                  bool restart) PD_MUST_USE;
/* One that is trusted, until the chores thread does something else; NULL: there is none, for now.
 * @thread chores */
rd_kafka_t *pdi_kafka_any_consumer(pdi_kafka_t *log);
void pdi_kafka_chores_run(pd_mail_t *mail);
void pdi_kafka_chores_sweep(pd_timer_t *timer);
pd_status_t pdi_kafka_add_handle(pdi_kafka_t *log, pdi_kafka_kind_t kind,
                                 pd_error_t *error) PD_MUST_USE;
/* At the end; no readers are left, the threads are stopped. */
void pdi_kafka_free_handles(pdi_kafka_t *log);

/* reader.c */
pd_status_t pdi_kafka_open_reader(pd_log_t *log, const pd_log_handle_options_t *options,
                                  pd_log_reader_t **reader, pd_error_t *error);
pd_status_t pdi_kafka_open_foreign_reader(pd_log_t *log, const pd_log_foreign_options_t *options,
                                          pd_log_reader_t **reader, pd_error_t *error);
void pdi_kafka_read(pd_log_reader_t *base, pd_log_read_t *read);
void pdi_kafka_close_reader(pd_log_reader_t *base, pd_mail_t *closed);

#endif
