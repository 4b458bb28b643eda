/* text.h -- the small text formats of gRPC over HTTP/2: grpc-timeout, grpc-message, -bin headers.
 * Thread: any. Ownership: callers own all buffers. */
#ifndef PD_API_GRPC_TEXT_H
#define PD_API_GRPC_TEXT_H

#include "base/buf.h"

enum {
    PD_GRPC_TIMEOUT_SIZE = 24, /* text of a timeout, with NUL */
    PD_GRPC_BIN_TEXT_SIZE_MAX = 64 * 1024
};

/* "100m" and the like into ns; values beyond 2^63 ns give INT64_MAX. PD_INVALID with grpc-go's
 * words in *error, which may be NULL. */
pd_status_t pd_grpc_timeout_parse(pd_bytes_t text, int64_t *timeout_ns,
                                  pd_error_t *error) PD_MUST_USE;
/* At most 8 digits and a unit, rounded up. timeout_ns <= 0 gives "0n". */
void pd_grpc_timeout_format(int64_t timeout_ns, char text[PD_GRPC_TIMEOUT_SIZE]);

/* Percent-encoding of grpc-message: everything but printable ASCII, and "%". Returns the size;
 * writes at most out_size bytes, no NUL; nothing is cut within an escape. out may be NULL to
 * measure. */
size_t pd_grpc_percent_encode(pd_bytes_t text, char *out, size_t out_size);
/* Never fails: what is not a valid escape stays as it is. out has room for text.size; in place
 * allowed. Returns the size. */
size_t pd_grpc_percent_decode(pd_bytes_t text, char *out);

/* Size of the unpadded base64 of `size` bytes. */
static inline size_t pd_grpc_base64_size(size_t size)
{
    return size / 3 * 4 + (size % 3 ? size % 3 + 1 : 0);
}
/* Unpadded, as gRPC sends it. out has room for pd_grpc_base64_size; no NUL. */
void pd_grpc_base64_encode(pd_bytes_t data, char *out);
/* One value, padded or not. out has room for text.size / 4 * 3 + 3. PD_INVALID when it is not
 * base64. */
pd_status_t pd_grpc_base64_decode(pd_bytes_t text, uint8_t *out, size_t *size) PD_MUST_USE;
/* Takes the next of comma-separated values off *list; false at the end. Spaces around are dropped.
 */
bool pd_grpc_list_next(pd_bytes_t *list, pd_bytes_t *item);

#endif
