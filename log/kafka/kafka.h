/* kafka.h -- the log on Kafka: one idempotent producer per loop for all its partitions (acks=all,
 * no transactions), a few consumer handles without groups, topics created and checked at opening.
 *
 * Topics: `<cluster>.events`, `.commands`, `.members` (1 partition, compacted), `.rejected`.
 * Opening blocks until the brokers answer, in the program's main thread; `stopped` cancels it.
 * Thread: open and close on one thread; the rest as in log.h. Ownership: everything in the options
 * is borrowed during the call. */
#ifndef PD_LOG_KAFKA_KAFKA_H
#define PD_LOG_KAFKA_KAFKA_H

#include "log/log.h"

enum {
    PD_LOG_KAFKA_PARTITIONS_MAX = 4096,
    PD_LOG_KAFKA_PARTITIONS_DEFAULT = 16,
    PD_LOG_KAFKA_CLUSTER_NAME_MAX = 200, /* bytes; Kafka allows 249 for a topic's name */
    PD_LOG_KAFKA_RECORD_SIZE_DEFAULT = 8 * 1024 * 1024,
    PD_LOG_KAFKA_DELIVERY_TIMEOUT_MS_DEFAULT = 5000,
    PD_LOG_KAFKA_READ_TIMEOUT_MS_DEFAULT = 5000,
};

/* A setting of librdkafka, e.g. {"security.protocol", "sasl_ssl"}. */
typedef struct pd_log_kafka_property {
    const char *name;
    const char *value;
} pd_log_kafka_property_t;

typedef struct pd_log_kafka_options {
    const char *cluster;           /* letters, digits, '.', '_', '-' */
    const char *bootstrap_servers; /* HOST:PORT, … */
    /* Passed to every librdkafka handle, after our own settings. Those which this log stands on
     * (acks, idempotence and the like) are refused. */
    const pd_log_kafka_property_t *properties;
    size_t property_count;
    /* Of events, commands, rejected. 0: what the existing topics have, or
     * PD_LOG_KAFKA_PARTITIONS_DEFAULT when they are created. */
    uint32_t partition_count;
    uint32_t replication_factor;   /* 0: the brokers' default, and existing topics may have any */
    uint32_t min_insync_replicas;  /* likewise */
    int64_t commands_retention_ms; /* 0: a week; -1: for ever */
    uint32_t record_size_max;      /* key and value; 0: PD_LOG_KAFKA_RECORD_SIZE_DEFAULT */
    uint32_t
        delivery_timeout_ms;  /* an append ends after that, with whatever is known; 0: default */
    uint32_t read_timeout_ms; /* a read without `wait` ends after that, PD_UNAVAILABLE; 0: d. */
    /* Topics are neither created nor are their settings read (no right to do so): they must be
     * there, with the right settings. */
    bool topics_unmanaged;
    bool (*stopped)(void *ctx); /* asked some times a second while opening waits; may be NULL */
    void *ctx;
} pd_log_kafka_options_t;

/* Since the log was opened. Latency: from pd_log_append to the acknowledgement, as librdkafka sees
 * it, of the appends that completed with PD_OK. */
typedef struct pd_log_kafka_stats {
    uint64_t append_count;  /* handed to librdkafka */
    uint64_t append_size;   /* bytes of key and value */
    uint64_t acked_count;   /* PD_OK */
    uint64_t unknown_count; /* PD_UNKNOWN_OUTCOME */
    uint64_t unsent_count;  /* PD_UNAVAILABLE, PD_CANCELED */
    uint64_t refused_count; /* PD_IO */
    uint64_t in_flight_count;
    uint64_t latency_sum_us;
    uint64_t replaced_count;     /* producers that had to be replaced */
    uint64_t consumer_count;     /* made since opening */
    uint64_t read_count;         /* records */
    uint64_t read_size;          /* bytes of key and value */
    uint64_t broker_error_count; /* connection errors and the like, told by librdkafka */
} pd_log_kafka_stats_t;

/* Blocks until the brokers answer and all topics are there and right. PD_CANCELED: `stopped` said
 * so; PD_INVALID: options or properties out of range, or topics with wrong settings: the text names
 * the first ones, diagnostics name them all; PD_IO: refused, for instance not authorised. */
pd_status_t pd_log_kafka_open(const pd_log_kafka_options_t *options, pd_log_t **log,
                              pd_error_t *error) PD_MUST_USE;

/* @thread any */
void pd_log_kafka_stats(pd_log_t *log, pd_log_kafka_stats_t *stats);

#endif
