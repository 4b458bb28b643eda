/* entry.h -- how records lie in the embedded log: one entry holds the records that one commit
 * brought to one partition (fewer, larger entries cost RocksDB much less than one per record).
 *
 *   key    'e' | topic, 1 byte | partition, 4 bytes | offset of the first record, 8 bytes
 *          (big-endian, so that keys sort as offsets do)
 *   entry  version 1, 1 byte | record count, 4 bytes little-endian | records
 *   record time in ms, 8 bytes LE | key size + 1, varint | value size + 1, varint | key | value
 *          (size + 1 == 0: absent)
 *
 * An entry is self-contained; its checksum is RocksDB's (WAL record, block). Decoding takes bytes
 * from disk and validates all of them.
 * Thread: one at a time. Ownership: a builder owns its buffer; decoded records borrow the entry. */
#ifndef PD_LOG_EMBEDDED_ENTRY_H
#define PD_LOG_EMBEDDED_ENTRY_H

#include "log/log.h"

enum {
    PDI_KEY_SIZE = 14,
    PDI_ENTRY_HEAD_SIZE = 5,
    PDI_RECORD_HEAD_SIZE_MAX = 8 + 5 + 5,
    PDI_ENTRY_VERSION = 1,
};

typedef struct pdi_key {
    pd_log_topic_t topic;
    uint32_t partition;
    int64_t first_offset;
} pdi_key_t;

typedef struct pdi_builder {
    uint8_t *data;
    size_t size; /* 0: nothing begun */
    size_t capacity;
    uint32_t count;
} pdi_builder_t;

typedef struct pdi_decoder {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t left_count;
} pdi_decoder_t;

void pdi_key_encode(const pdi_key_t *key, uint8_t out[PDI_KEY_SIZE]);
/* PD_CORRUPT: not a key of an entry. */
pd_status_t pdi_key_decode(const void *data, size_t size, pdi_key_t *key) PD_MUST_USE;

void pdi_builder_init(pdi_builder_t *builder);
void pdi_builder_deinit(pdi_builder_t *builder);
void pdi_builder_add(pdi_builder_t *builder, int64_t time_ms, pd_bytes_t key, pd_bytes_t value);
/* The finished entry, lent until the next add; the builder is empty then (but keeps its memory). */
pd_bytes_t pdi_builder_take(pdi_builder_t *builder);

/* Reads the head. *count: records in the entry, at least 1. PD_CORRUPT. */
pd_status_t pdi_decoder_init(pdi_decoder_t *decoder, const void *data, size_t size,
                             uint32_t *count) PD_MUST_USE;
/* The next record (time, key, value; not the offset). Asserts that one is left. PD_CORRUPT also
 * when bytes remain behind the last one. */
pd_status_t pdi_decoder_next(pdi_decoder_t *decoder, pd_log_record_t *record) PD_MUST_USE;

#endif
