/* log_source.h -- a log to read, whichever backend: an embedded one's directory (read-only, also
 * beside the running server) or a cluster's topics.
 *
 * Reading blocks: it runs the source's own loop on the calling thread until the end is reached.
 * Thread: main. Ownership: records are lent to `each` for the call. */
#ifndef PD_ENGINE_PROGRAM_LOG_SOURCE_H
#define PD_ENGINE_PROGRAM_LOG_SOURCE_H

#include "engine/program/log_options.h"
#include "log/log.h"

typedef struct pd_log_source pd_log_source_t;

/* PD_OK: go on. PD_CANCELED: that is enough, which is no error. Others end the reading. */
typedef pd_status_t (*pd_log_each_t)(void *ctx, const pd_log_record_t *record, pd_error_t *error);

typedef struct pd_log_extent {
    int64_t start_offset; /* oldest record that is kept */
    int64_t end_offset;   /* behind the newest, when the end was reached */
    int64_t next_offset;  /* where to go on */
} pd_log_extent_t;

pd_status_t pd_log_source_open(const pd_log_options_t *options, pd_log_source_t **source,
                               pd_error_t *error) PD_MUST_USE;
/* NULL does nothing. */
void pd_log_source_close(pd_log_source_t *source);

uint32_t pd_log_source_partition_count(const pd_log_source_t *source, pd_log_topic_t topic);
/* Which partitions the options mean: [*first, *end). PD_INVALID: there is no such one. */
pd_status_t pd_log_source_partitions(const pd_log_source_t *source, const pd_log_options_t *options,
                                     uint32_t *first, uint32_t *end, pd_error_t *error) PD_MUST_USE;

/* Every record from `from_offset` (or PD_LOG_FIRST) to the end as it is then. A from_offset that
 * retention has removed is PD_NOT_FOUND. extent may be NULL. */
pd_status_t pd_log_source_read(pd_log_source_t *source, pd_log_topic_t topic, uint32_t partition,
                               int64_t from_offset, pd_log_each_t each, void *ctx,
                               pd_log_extent_t *extent, pd_error_t *error) PD_MUST_USE;

/* Sees later records as well from now on, after a moment's wait. */
pd_status_t pd_log_source_refresh(pd_log_source_t *source, pd_error_t *error) PD_MUST_USE;

#endif
