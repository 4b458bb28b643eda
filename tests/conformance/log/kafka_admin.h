/* kafka_admin.h -- what tests do to a Kafka cluster beside the log: make topics, remove them, write
 * to them. All of it blocks, and asserts success. Thread: any. */
#ifndef PD_TESTS_CONFORMANCE_LOG_KAFKA_ADMIN_H
#define PD_TESTS_CONFORMANCE_LOG_KAFKA_ADMIN_H

#include <stdint.h>

typedef struct kafka_admin kafka_admin_t;

kafka_admin_t *kafka_admin_new(const char *bootstrap_servers);
void kafka_admin_free(kafka_admin_t *admin);
/* `settings`: name, value, name, value, …, NULL. */
void kafka_admin_create(kafka_admin_t *admin, const char *topic, int partition_count,
                        const char *const *settings);
/* One that is not there is no failure. */
void kafka_admin_delete(kafka_admin_t *admin, const char *topic);
/* The four topics of a cluster. */
void kafka_admin_delete_cluster(kafka_admin_t *admin, const char *cluster);
/* Removes what lies before the offset. */
void kafka_admin_trim(kafka_admin_t *admin, const char *topic, int32_t partition, int64_t offset);
void kafka_admin_produce(kafka_admin_t *admin, const char *topic, int32_t partition,
                         const char *key, const char *value);

#endif
