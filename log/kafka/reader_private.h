/* reader_private.h -- a cursor, as reader.c (its streams, its life) and serve.c (what a read is
 * answered with) share it. Thread: the reader's loop, but for the wakeup. */
#ifndef PD_LOG_KAFKA_READER_PRIVATE_H
#define PD_LOG_KAFKA_READER_PRIVATE_H

#include "base/arena.h"
#include "log/kafka/hole.h"
#include "log/kafka/kafka_private.h"

/* Where an offset that the broker does not have lies. */
typedef enum phase {
    PHASE_NORMAL,
    PHASE_LOW,  /* looking for the oldest record */
    PHASE_HIGH, /* looking for the end */
    PHASE_END,  /* likewise, to wait there: see find_end */
} phase_t;

/* Of waiting reads; see silence.c. */
typedef struct pdi_kafka_silence {
    pd_timer_t timer;
    bool armed;
    bool heard;              /* something was answered in this period */
    bool asked;              /* the period began with a question */
    uint64_t turn;           /* of the reader, when the period began */
    uint64_t suspect_number; /* of the handle that said nothing before we asked; 0: none */
} pdi_kafka_silence_t;

struct pdi_kafka_reader {
    pd_log_reader_t base; /* first: converts */
    pdi_kafka_t *log;
    pdi_kafka_partition_t *own; /* NULL: a foreign topic */
    pdi_kafka_stream_t *stream; /* NULL: none */
    pdi_kafka_kind_t kind;      /* of the stream */
    int64_t position;           /* what is served next without seeking; -1: unknown */
    int64_t sought;             /* what the stream was last told */
    bool fresh;
    bool holding; /* the timer will ask anew: what the stream brings until then is not for us */
    pdi_kafka_hole_t hole;
    uint32_t contradicted_count; /* in a row; see serve.c */
    bool restart;                /* the stream has stopped by itself */
    phase_t phase;
    int64_t lo; /* oldest offset that is known to be kept */
    /* items[0, first) are lent, items[first, count) wait to be served. */
    rd_kafka_message_t *items[PDI_KAFKA_BATCH_COUNT];
    uint32_t first, count;
    pd_log_record_t records[PDI_KAFKA_BATCH_COUNT];
    pd_arena_t arena; /* headers */
    pd_log_read_t *read;
    uint64_t turn;      /* counts reads: `done` may begin the next one with the same request */
    bool begun;         /* the read */
    int64_t from;       /* where the read begins, once the place is known */
    int64_t end_found;  /* PHASE_END: where the broker says it is; -1: not yet */
    uint64_t sent_mark; /* PHASE_END: what had been sent by then */
    bool watching;      /* counted in own->watcher_count */
    bool tailing;       /* it has come to the end, at `position`, and waits there */
    size_t size_left;
    int64_t deadline_ns;
    pd_mail_t mail;
    _Atomic(bool) mailed;
    pd_timer_t timer;
    pdi_kafka_silence_t silence;
    pd_mail_t *closed;
    bool closing;
    char topic_name[PDI_KAFKA_NAME_SIZE];
};

static inline bool pdi_kafka_reader_is_quick(const pdi_kafka_reader_t *reader)
{
    return !pdi_kafka_kinds[reader->kind].waits;
}

/* reader.c */
/* Tells the stream where to fetch; gets one when there is none. False: later, the timer runs. */
bool pdi_kafka_reader_seek(pdi_kafka_reader_t *reader, pdi_kafka_kind_t kind, int64_t offset);
/* Nobody takes it over; the next question is asked by another one. */
void pdi_kafka_reader_drop_stream(pdi_kafka_reader_t *reader);
/* Forgets the stream, and asks anew by another one. */
void pdi_kafka_reader_ask_anew(pdi_kafka_reader_t *reader);
/* Asks again a little later; until then nothing is served. */
void pdi_kafka_reader_retry(pdi_kafka_reader_t *reader, int64_t delay_ms);
/* Gives back the items that were not lent. */
void pdi_kafka_reader_drop_pending(pdi_kafka_reader_t *reader);
/* Ends the read; `done` may read again, or close the reader. */
void pdi_kafka_reader_complete(pdi_kafka_reader_t *reader, pd_status_t status);
void pdi_kafka_reader_fail(pdi_kafka_reader_t *reader, pd_status_t status,
                           rd_kafka_resp_err_t code);

/* serve.c */
/* Serves what is there. */
void pdi_kafka_reader_advance(pdi_kafka_reader_t *reader);
void pdi_kafka_reader_begin_find_end(pdi_kafka_reader_t *reader);
/* Once the broker has said where it is. */
void pdi_kafka_reader_find_end(pdi_kafka_reader_t *reader);

/* silence.c */
void pdi_kafka_silence_init(pdi_kafka_reader_t *reader);
void pdi_kafka_silence_stop(pdi_kafka_reader_t *reader);
/* A waiting read has begun. */
void pdi_kafka_silence_watch(pdi_kafka_reader_t *reader);
/* A record came, or word that there is none. */
void pdi_kafka_silence_heard(pdi_kafka_reader_t *reader, bool record);

#endif
