/* descriptors.h -- the .proto files that the server was built with, found by name, symbol,
 * extension.
 *
 * They lie in the binary as protoc wrote them (a FileDescriptorSet) and are indexed once, without
 * decoding them. Thread: any after _new. Ownership: everything returned is lent until _free. */
#ifndef PD_API_SERVICE_DESCRIPTORS_H
#define PD_API_SERVICE_DESCRIPTORS_H

#include "base/buf.h"

typedef struct pd_descriptors pd_descriptors_t;

enum { PD_DESCRIPTORS_NONE = -1 };

/* set: an encoded FileDescriptorSet, borrowed until _free. Malformed parts are left out. */
pd_descriptors_t *pd_descriptors_new(pd_bytes_t set);
void pd_descriptors_free(pd_descriptors_t *self);
/* What is built in. */
pd_bytes_t pd_descriptors_builtin(void);

int pd_descriptors_file_count(const pd_descriptors_t *self);
/* The encoded FileDescriptorProto. */
pd_bytes_t pd_descriptors_file(const pd_descriptors_t *self, int file);
/* All return a file's index, or PD_DESCRIPTORS_NONE. A symbol is a full name without leading dot:
 * of a message, enum, enum value, field, oneof, extension, service or method. */
int pd_descriptors_by_name(const pd_descriptors_t *self, pd_bytes_t name);
int pd_descriptors_by_symbol(const pd_descriptors_t *self, pd_bytes_t symbol);
int pd_descriptors_by_extension(const pd_descriptors_t *self, pd_bytes_t message, uint64_t number);
/* Numbers of the known extensions of a message: at most `count` are written, all are counted. */
size_t pd_descriptors_extensions(const pd_descriptors_t *self, pd_bytes_t message,
                                 uint64_t *numbers, size_t count);

#endif
