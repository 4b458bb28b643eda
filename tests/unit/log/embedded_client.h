/* embedded_client.h -- the embedded log used step by step by a test, and a program that appends
 * until it is killed (the test program runs itself as that, since RocksDB does not survive fork).
 * Thread: main. */
#ifndef PD_TESTS_UNIT_LOG_EMBEDDED_CLIENT_H
#define PD_TESTS_UNIT_LOG_EMBEDDED_CLIENT_H

#include "base/loop_event.h"
#include "log/embedded/embedded.h"

enum { CLIENT_PARTITIONS = 2 };

typedef struct client {
    pd_loop_event_t *loop_event;
    pd_log_t *log;
    pd_log_writer_t *writers[CLIENT_PARTITIONS]; /* opened at the first append */
    pd_error_t error;                            /* of the last failure */
} client_t;

/* What the killed program reports on its standard output for each acknowledgement. */
typedef struct ack {
    uint64_t number;
    int64_t offset;
    uint32_t partition;
    uint32_t padding;
} ack_t;

pd_status_t client_open(client_t *client, const char *directory);
void client_close(client_t *client);
/* Appends and waits. *offset may be NULL. */
pd_status_t client_append(client_t *client, uint32_t partition, pd_bytes_t value, int64_t *offset);
/* Calls `each` for every record from an offset on (PD_LOG_FIRST). The status of the last read. */
pd_status_t client_read(client_t *client, uint32_t partition, int64_t from_offset,
                        void (*each)(void *ctx, const pd_log_record_t *record), void *ctx);

/* The value that carries a number: 8 bytes and a filling that depends on it. */
size_t client_value(uint64_t number, uint8_t value[2048]);
/* Appends numbered values to all partitions, many in flight, until it is killed. */
int client_main(const char *directory, uint64_t first_number);

#endif
