/* record.h -- records of the log: protobuf-c messages as Avro single objects.
 *
 *     C3 01 | CRC-64-AVRO of the writer's schema, 8 bytes little-endian | Avro binary body
 *
 * One generic mapping over protobuf descriptors, no code per type (docs/log-format.md has the rules
 * for consumers). A codec is made once per root message type; it holds the Avro schema, the
 * fingerprint, and the plans by which messages are walked.
 *
 * Thread: after pd_record_codec_new and the last _add_writer_schema a codec never changes, so any
 * number of threads may use it at once. Arenas and buffers are one thread's, as always.
 * Ownership: the caller owns a codec until _free. Decoded messages live in the arena given, copy
 * everything they need, and keep nothing of the bytes they were read from. */
#ifndef PD_LOG_RECORD_RECORD_H
#define PD_LOG_RECORD_RECORD_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"

typedef struct pd_record_codec pd_record_codec_t;

enum {
    PD_RECORD_HEADER_SIZE = 10, /* C3 01 and the fingerprint */
    PD_RECORD_HASH_SIZE = 32,   /* SHA-256 */
    /* Messages within messages: what the frontend lets in (PD_PB_DEPTH_MAX), wherever the engine
     * puts it later. Else a failure that was kept could make every later record too deep. */
    PD_RECORD_DEPTH_MAX = 256,
};

/* Aborts when the mapping does not cover a reachable type: a mistake in a .proto, not of input. */
pd_record_codec_t *pd_record_codec_new(const ProtobufCMessageDescriptor *root);
/* NULL does nothing. */
void pd_record_codec_free(pd_record_codec_t *codec);

/* @thread any */
uint64_t pd_record_codec_fingerprint(const pd_record_codec_t *codec);
/* The .avsc: names, types, defaults, docs. Lives as long as the codec. @thread any */
const char *pd_record_codec_schema_json(const pd_record_codec_t *codec);

/* Registers an older schema: records written with it are read through Avro's schema resolution
 * (fields that the reader does not know are skipped, missing ones get their defaults).
 * PD_INVALID: not a schema, or one that cannot be resolved. PD_EXISTS: known already, harmless.
 * Before the codec is shared between threads. */
pd_status_t pd_record_codec_add_writer_schema(pd_record_codec_t *codec, const char *schema_json,
                                              pd_error_t *error) PD_MUST_USE;

/* Appends header and body behind the end of buf. msg must be of the codec's root type; missing
 * strings and missing map values are written as empty ones.
 * PD_LIMIT: deeper than PD_RECORD_DEPTH_MAX, or buf's size_max would be passed; buf is unchanged
 * then. @thread any */
pd_status_t pd_record_encode(const pd_record_codec_t *codec, const ProtobufCMessage *msg,
                             pd_buf_t *buf) PD_MUST_USE;

/* Reads one whole record. PD_CORRUPT: malformed, cut, trailing bytes, too deep, or written with a
 * schema that is not registered; *out is NULL then. error may be NULL. Memory taken from the arena
 * is bounded by a constant times bytes.size, whatever the bytes. @thread any */
pd_status_t pd_record_decode(const pd_record_codec_t *codec, pd_arena_t *arena, pd_bytes_t bytes,
                             ProtobufCMessage **out, pd_error_t *error) PD_MUST_USE;

/* One line of JSON, read through the writer's Avro schema by avro-c; caller pd_free()s. Values
 * equal to their default are left out; enums show their name; bytes are text when printable ASCII,
 * else {"hex": "..."}. NULL when the record is corrupt or its JSON beyond 1 GiB: error tells (may
 * be NULL). Slow (avro-c's generic values), one at a time per codec. @thread any */
char *pd_record_to_json(const pd_record_codec_t *codec, pd_bytes_t bytes, pd_error_t *error);

/* out = SHA-256(prev || record). out may be prev. @thread any */
void pd_record_hash(const uint8_t prev[PD_RECORD_HASH_SIZE], pd_bytes_t record,
                    uint8_t out[PD_RECORD_HASH_SIZE]);

#endif
