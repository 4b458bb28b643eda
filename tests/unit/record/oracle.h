/* oracle.h -- the mapping once more, written for clarity: a message as an avro-c generic value, by
 * the names in the schema. What avro-c then writes is what the codec must write. */
#ifndef PD_TESTS_UNIT_RECORD_ORACLE_H
#define PD_TESTS_UNIT_RECORD_ORACLE_H

#include <avro.h>
#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"

/* The Avro body of the message as avro-c writes it. */
pd_bytes_t pd_oracle_encode(avro_value_iface_t *generic, const ProtobufCMessage *message,
                            pd_arena_t *arena);

/* Reads the body into a generic value and writes it again. */
pd_bytes_t pd_oracle_reencode(avro_value_iface_t *generic, pd_bytes_t body, pd_arena_t *arena);

#endif
