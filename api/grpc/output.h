/* output.h -- what a connection has to write: small frames joined into one run of bytes, large
 * message bodies by reference.
 *
 * Thread: one loop. Ownership: a blob is shared by counting; the output holds a reference for each
 * piece of a blob that is not written yet. */
#ifndef PD_API_GRPC_OUTPUT_H
#define PD_API_GRPC_OUTPUT_H

#include <sys/uio.h>

#include "base/buf.h"

/* The bytes of one message on their way out. */
typedef struct pd_grpc_blob {
    struct pd_grpc_blob *next; /* of the owner: queue of a call, free list */
    uint8_t *data;             /* pd_alloc, owned */
    size_t size;
    uint32_t ref_count;
    uint8_t prefix[5];
} pd_grpc_blob_t;

/* Blobs come and go with each call, so they are kept. */
typedef struct pd_grpc_blob_pool {
    pd_grpc_blob_t *free;
    uint32_t free_count;
} pd_grpc_blob_pool_t;

void pd_grpc_blob_pool_deinit(pd_grpc_blob_pool_t *pool);
/* Takes data (pd_alloc). One reference is the caller's. */
pd_grpc_blob_t *pd_grpc_blob_new(pd_grpc_blob_pool_t *pool, bool compressed, uint8_t *data,
                                 size_t size);
void pd_grpc_blob_unref(pd_grpc_blob_pool_t *pool, pd_grpc_blob_t *blob);

enum {
    PD_GRPC_OUTPUT_SIZE_MAX = 4 << 20, /* bytes of joined frames; producers stop far below */
    PD_GRPC_OUTPUT_COPY_SIZE = 4096,   /* bodies up to this are cheaper to copy than to refer to */
    PD_GRPC_OUTPUT_IOV_COUNT = 64
};

typedef struct pd_grpc_segment {
    pd_grpc_blob_t *blob; /* NULL: a run of the joined bytes */
    size_t offset;
    size_t size;
} pd_grpc_segment_t;

typedef struct pd_grpc_output {
    pd_grpc_blob_pool_t *pool;
    pd_buf_t joined;
    pd_grpc_segment_t *segments;
    uint32_t segment_count;
    uint32_t segment_capacity;
    uint32_t segment_first; /* the first that is not fully written */
    size_t size;            /* of all that is not written */
} pd_grpc_output_t;

void pd_grpc_output_init(pd_grpc_output_t *output, pd_grpc_blob_pool_t *pool);
void pd_grpc_output_deinit(pd_grpc_output_t *output);

void pd_grpc_output_append(pd_grpc_output_t *output, const void *data, size_t size);
/* Bytes of a blob: copied when small, else by reference. offset counts from the five bytes of the
 * prefix on. */
void pd_grpc_output_append_blob(pd_grpc_output_t *output, pd_grpc_blob_t *blob, size_t offset,
                                size_t size);
/* The next bytes to write; returns the number of vectors. */
int pd_grpc_output_peek(const pd_grpc_output_t *output, struct iovec *iov, int iov_count);
/* That many were written. */
void pd_grpc_output_consume(pd_grpc_output_t *output, size_t size);

#endif
