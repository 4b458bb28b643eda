/* pb.h -- protobuf-c with our memory: messages live in arenas and die with them.
 * Thread: one at a time per arena. Ownership: everything returned belongs to the arena given. */
#ifndef PD_API_PB_H
#define PD_API_PB_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"

/* NULL when the bytes are not such a message. Strings are checked: a string field with a NUL byte
 * inside, or that is not UTF-8, makes the whole message malformed. */
void *pd_pb_unpack(const ProtobufCMessageDescriptor *type, pd_arena_t *arena, pd_bytes_t bytes);

/* Serialises behind the end of buf. PD_LIMIT as pd_buf_append. */
pd_status_t pd_pb_pack(const void *message, pd_buf_t *buf) PD_MUST_USE;
/* Serialised into the arena. */
pd_bytes_t pd_pb_pack_arena(const void *message, pd_arena_t *arena);
/* Deep copy by way of the wire format. NULL stays NULL. */
void *pd_pb_clone(const void *message, pd_arena_t *arena);
/* Same wire bytes? NULL equals NULL only. */
bool pd_pb_equal(const void *a, const void *b);

/* A zeroed, initialised message of `type` in the arena. */
void *pd_pb_new(const ProtobufCMessageDescriptor *type, pd_arena_t *arena);

/* Proto3 strings are never NULL after unpacking, but may be in messages built by hand. */
static inline const char *pd_pb_str(const char *text)
{
    return text ? text : "";
}

static inline bool pd_pb_empty(const char *text)
{
    return !text || !text[0];
}

/* PD_PB_NEW(arena, Temporal__Api__Common__V1__Payloads, temporal__api__common__v1__payloads) */
#define PD_PB_NEW(arena, Type, name) ((Type *)pd_pb_new(&name##__descriptor, (arena)))

#endif
