/* partitioner.h -- where a workflow lives: Kafka's default partitioner over its ID. Thread: any. */
#ifndef PD_ENGINE_PARTITIONER_H
#define PD_ENGINE_PARTITIONER_H

#include <stdint.h>

/* The partition of a workflow ID. @thread any */
uint32_t pd_partition_of(const char *workflow_id, uint32_t partition_count);

#endif
