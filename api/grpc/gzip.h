/* gzip.h -- whole messages through gzip, with a limit on what comes out.
 *
 * One pd_grpc_gzip_t serves all calls of a loop; its zlib states are made at the first use and
 * kept. Thread: one at a time. */
#ifndef PD_API_GRPC_GZIP_H
#define PD_API_GRPC_GZIP_H

#include "base/buf.h"

typedef struct pd_grpc_gzip pd_grpc_gzip_t;

pd_grpc_gzip_t *pd_grpc_gzip_new(void);
void pd_grpc_gzip_free(pd_grpc_gzip_t *self);

/* One or more gzip members. *data is the caller's (pd_free), NULL when empty. PD_LIMIT: more than
 * size_max would come out; PD_INVALID with zlib's words in *error (may be NULL): not gzip, cut or
 * damaged. */
pd_status_t pd_grpc_gzip_inflate(pd_grpc_gzip_t *self, pd_bytes_t input, size_t size_max,
                                 uint8_t **data, size_t *size, pd_error_t *error) PD_MUST_USE;
/* Level 1: here speed is worth more than size. *data is the caller's (pd_free). */
void pd_grpc_gzip_deflate(pd_grpc_gzip_t *self, pd_bytes_t input, uint8_t **data, size_t *size);

#endif
