/* memory_private.h -- what the files of log/memory share.
 *
 * A *channel* is the wire between a writer and its partition: it carries the records that are on
 * their way and outlives the writer. What has landed (or got lost) goes onto the writer's list of
 * acknowledgements, if the writer still lives. */
#ifndef PD_LOG_MEMORY_PRIVATE_H
#define PD_LOG_MEMORY_PRIVATE_H

#include "base/arena.h"
#include "base/random.h"
#include "log/memory/memory.h"

typedef struct pdi_node pdi_node_t;
typedef struct pdi_memory_writer pdi_memory_writer_t;
typedef struct pdi_memory_reader pdi_memory_reader_t;
typedef struct pdi_channel pdi_channel_t;
typedef struct pdi_parcel pdi_parcel_t;

/* The bytes of one record, shared by the parcel and the log. */
typedef struct pdi_blob {
    uint32_t ref_count;
    uint64_t writer_id;
    bool has_key;
    bool has_value;
    size_t key_size;
    size_t value_size;
    pd_log_header_t *headers; /* one allocation with their bytes, or NULL */
    uint32_t header_count;
    uint8_t data[]; /* key, then value */
} pdi_blob_t;

typedef struct pdi_stored {
    int64_t offset;
    int64_t time_ms;
    pdi_blob_t *blob;
} pdi_stored_t;

typedef struct pdi_memory_partition {
    pd_log_topic_t topic;
    uint32_t partition;
    pdi_stored_t *records;
    uint64_t count;
    uint64_t capacity;
    int64_t start_offset;
    int64_t end_offset;
    pdi_memory_reader_t *waiting;
} pdi_memory_partition_t;

/* One append on its way to the log, then back as an acknowledgement. */
struct pdi_parcel {
    pdi_parcel_t *next;
    pd_log_append_t *append; /* NULL: nobody waits for it (any more) */
    pdi_blob_t *blob;
    int64_t time_ms;
    int64_t at_ns; /* when it lands, later: when it is acknowledged */
    pd_status_t status;
    int64_t offset;
    bool late; /* already acknowledged as unknown, still going to land */
};

typedef struct pdi_parcels {
    pdi_parcel_t *first;
    pdi_parcel_t *last;
} pdi_parcels_t;

struct pdi_channel {
    pdi_channel_t *next, **link; /* of the storage */
    pd_log_memory_t *storage;
    pdi_memory_partition_t *partition;
    pdi_memory_writer_t *writer; /* NULL: closed or crashed */
    pdi_parcels_t under_way;
    pd_timer_t timer; /* on the storage's loop */
    bool broken;      /* a record of it failed: later ones are a matter of luck */
};

struct pdi_memory_writer {
    pd_log_writer_t base; /* first: converts */
    pdi_node_t *node;
    uint64_t id;
    pdi_memory_writer_t *next, **link;
    pdi_channel_t *channel;
    pdi_parcels_t acks;
    pd_timer_t timer; /* on the writer's loop */
    pd_mail_t *closed;
    bool closing;
    bool delivering;
    pd_status_t broken;
};

struct pdi_memory_reader {
    pd_log_reader_t base; /* first: converts */
    pdi_node_t *node;
    pdi_memory_reader_t *next, **link;
    pdi_memory_partition_t *partition;
    pd_log_read_t *read;
    int64_t from_offset;
    pd_timer_t timer; /* on the reader's loop */
    pdi_memory_reader_t *next_waiting;
    bool waiting;
    pd_mail_t *closed;
    bool closing;
    pd_log_record_t *lent; /* one allocation: records, then their bytes */
    pd_arena_t arena;      /* their headers */
};

/* A pd_log_t. */
struct pdi_node {
    pd_log_t base; /* first: converts */
    pdi_node_t *next, **link;
    pd_log_memory_t *storage;
    pdi_memory_writer_t *writers;
    pdi_memory_reader_t *readers;
    bool failed;                       /* PD_IO was injected */
    int64_t out_until_ns, in_until_ns; /* cut off until then, on the storage's clock */
};

typedef struct pdi_memory_topic {
    struct pdi_memory_topic *next;
    char *name;
    uint32_t partition_count;
    pdi_memory_partition_t *partitions;
} pdi_memory_topic_t;

struct pd_log_memory {
    pd_log_memory_options_t options;
    pd_log_info_t info;
    pd_random_t random;
    pdi_memory_partition_t *partitions[PD_LOG_TOPIC_COUNT];
    pdi_memory_topic_t *topics; /* foreign ones */
    pdi_channel_t *channels;
    pdi_node_t *nodes;
    uint64_t writer_count;
};

/* memory.c */
pdi_memory_partition_t *pdi_memory_partition(const pd_log_memory_t *storage, pd_log_topic_t topic,
                                             uint32_t partition);
/* True with so many parts per million; draws nothing at 0, so that a fault that is off does not
 * change the course of the others. */
bool pdi_memory_roll(pd_log_memory_t *storage, uint32_t ppm);
/* Frees its records. */
void pdi_memory_partition_deinit(pdi_memory_partition_t *partition);
/* Uniform in [min_ns, max_ns]. */
int64_t pdi_memory_delay(pd_log_memory_t *storage, int64_t min_ns, int64_t max_ns);
/* How long nothing will come to the node yet. */
int64_t pdi_memory_silence_ns(const pdi_node_t *node);
pdi_blob_t *pdi_blob_new(pd_bytes_t key, pd_bytes_t value);
/* Copies; at most once per blob. */
void pdi_blob_set_headers(pdi_blob_t *blob, const pd_log_header_t *headers, uint32_t count);
void pdi_blob_unref(pdi_blob_t *blob);
pd_bytes_t pdi_blob_key(const pdi_blob_t *blob);
pd_bytes_t pdi_blob_value(const pdi_blob_t *blob);
/* The record is in the log now; wakes waiting readers. References the blob. Returns the offset. */
int64_t pdi_memory_land(pd_log_memory_t *storage, pdi_memory_partition_t *partition,
                        pdi_blob_t *blob, int64_t time_ms);
/* Index of the first record at or behind the offset. */
uint64_t pdi_memory_find(const pdi_memory_partition_t *partition, int64_t offset);

/* memory_writer.c */
pd_status_t pdi_memory_open_writer(pd_log_t *log, const pd_log_handle_options_t *options,
                                   pd_log_writer_t **writer, pd_error_t *error);
pd_status_t pdi_memory_append(pd_log_writer_t *base, pd_log_append_t *append);
void pdi_memory_writer_error(const pd_log_writer_t *base, pd_error_t *error);
void pdi_memory_close_writer(pd_log_writer_t *base, pd_mail_t *closed);
/* Its node has crashed. */
void pdi_memory_crash_writer(pdi_memory_writer_t *writer);
void pdi_channel_free(pdi_channel_t *channel);

/* memory_topic.c: foreign topics. */
pd_status_t pdi_memory_open_foreign_reader(pd_log_t *log, const pd_log_foreign_options_t *options,
                                           pd_log_reader_t **reader, pd_error_t *error);
void pdi_memory_query_topic(pd_log_t *log, pd_log_topic_query_t *query);
void pdi_memory_free_topics(pd_log_memory_t *storage);

/* memory_reader.c */
pdi_memory_reader_t *pdi_memory_reader_new(pdi_node_t *node, pd_loop_t *loop,
                                           pdi_memory_partition_t *partition);
pd_status_t pdi_memory_open_reader(pd_log_t *log, const pd_log_handle_options_t *options,
                                   pd_log_reader_t **reader, pd_error_t *error);
void pdi_memory_read(pd_log_reader_t *base, pd_log_read_t *read);
void pdi_memory_close_reader(pd_log_reader_t *base, pd_mail_t *closed);
void pdi_memory_crash_reader(pdi_memory_reader_t *reader);
/* Something landed. */
void pdi_memory_wake_readers(pdi_memory_partition_t *partition);

#endif
