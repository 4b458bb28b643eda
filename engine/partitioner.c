/* Kafka's default partitioner: murmur2 of the key, its sign bit cleared, modulo the partitions. So
 * that any Kafka producer finds a workflow's partition by its ID. */
#include "engine/partitioner.h"

#include <string.h>

#include "base/assert.h"

static uint32_t murmur2(const uint8_t *data, size_t size)
{
    const uint32_t m = 0x5bd1e995u;
    uint32_t h = 0x9747b28cu ^ (uint32_t)size;

    for (; size >= 4; data += 4, size -= 4) {
        uint32_t k = (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
                     (uint32_t)data[3] << 24;

        k *= m;
        k ^= k >> 24;
        k *= m;
        h *= m;
        h ^= k;
    }
    if (size >= 3)
        h ^= (uint32_t)data[2] << 16;
    if (size >= 2)
        h ^= (uint32_t)data[1] << 8;
    if (size >= 1) {
        h ^= data[0];
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return h;
}

uint32_t pd_partition_of(const char *workflow_id, uint32_t partition_count)
{
    PD_ASSERT(partition_count > 0);
    return (murmur2((const uint8_t *)workflow_id, strlen(workflow_id)) & 0x7fffffffu) %
           partition_count;
}
