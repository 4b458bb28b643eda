/* one_partition.h -- a partition alone over a log in memory, under a clock that the test moves.
 * Thread: the test's. */
#ifndef PD_TESTS_UNIT_PARTITION_ONE_PARTITION_H
#define PD_TESTS_UNIT_PARTITION_ONE_PARTITION_H

#include "engine/partition/partition_private.h"
#include "log/memory/memory.h"
#include "tests/unit/log/manual_loop.h"

typedef struct one_partition {
    manual_loop_t loop;
    pd_log_memory_t *storage;
    pd_log_t *log;
    pd_store_shared_t *shared; /* stores in memory: they outlive the partition */
    pd_namespaces_t *namespaces;
    pd_senders_t *senders;
    pd_record_codec_t *codec, *command_codec, *rejected_codec;
    pd_partition_t *partition; /* NULL before _begin and after _end */
} one_partition_t;

#define ONE_NAMESPACE_ID "0190b7a2-5f3c-7a11-8000-0123456789ab"

void one_partition_init(one_partition_t *one);
void one_partition_deinit(one_partition_t *one);
/* The namespace "default"; nothing of it is in the log. */
void one_partition_publish_namespace(one_partition_t *one);
/* Options whose fields are to be changed before _begin, if any. */
pd_partition_options_t one_partition_options(one_partition_t *one);
/* It is to own the partition; it does so soon. */
void one_partition_begin(one_partition_t *one, const pd_partition_options_t *options);
void one_partition_end(one_partition_t *one);

#endif
