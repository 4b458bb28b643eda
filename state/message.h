/* message.h -- protobuf-c messages on the heap: copying, packing in one pass, freeing.
 *
 * protobuf-c needs two passes over a message to pack it (sizes, then bytes) and can copy one only
 * by way of its wire form. Both are the larger part of what applying a record costs, so they are
 * done here by walking the descriptors: packing backwards (a sub-message's length is known once it
 * was written), copying field by field. The bytes are those of protobuf_c_message_pack. Thread: one
 * at a time per packer. */
#ifndef PD_STATE_MESSAGE_H
#define PD_STATE_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "base/buf.h"

/* Fills from its end towards its beginning; grows. */
typedef struct pdi_packer {
    uint8_t *data;
    size_t capacity;
    size_t at; /* the message packed last lies in [at, capacity) */
} pdi_packer_t;

void pdi_packer_init(pdi_packer_t *packer);
void pdi_packer_deinit(pdi_packer_t *packer);
/* The bytes are lent until the next use of the packer. */
pd_bytes_t pdi_pack(pdi_packer_t *packer, const void *message);

/* A deep copy, to be freed with protobuf_c_message_free_unpacked(copy, NULL). NULL stays NULL. */
void *pdi_message_copy(const void *message);
/* NULL is fine. */
void pdi_message_free(void *message);

/* Replaces *field (a string of a message on the heap); NULL counts as empty. */
void pdi_string_set(char **field, const char *value);
void pdi_string_free(char *text);
/* The empty string of protobuf-c, which is never freed. */
static inline char *pdi_string_empty(void)
{
    return (char *)protobuf_c_empty_string;
}

/* Appends a pointer to a repeated field of strings or messages on the heap. */
void pdi_array_append(void *array_field, size_t *count, void *element);
/* Removes the element at index; keeps the order. The element itself is not freed. */
void pdi_array_remove(void *array_field, size_t *count, size_t index);

/* Size of one value of the type in its struct. */
size_t pdi_value_size(ProtobufCType type);
/* Is the (not repeated) field on the wire? A oneof's fields and proto3's defaults are minded. */
bool pdi_field_present(const ProtobufCFieldDescriptor *field, const void *message);

/* Appends the message as one line of text, `name: value name { ... }`, defaults left out. */
void pdi_message_text(const void *message, pd_buf_t *out);

#endif
