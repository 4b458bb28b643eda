/* buf.h -- a borrowed view of bytes, and a growable buffer that has a maximum.
 * Thread: one at a time. Ownership: pd_bytes_t borrows; pd_buf_t owns until _deinit or _detach. */
#ifndef PD_BASE_BUF_H
#define PD_BASE_BUF_H

#include <stdint.h>
#include <string.h>

#include "base/status.h"

typedef struct pd_bytes {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
} pd_bytes_t;

typedef struct pd_buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t size_max;
} pd_buf_t;

static inline pd_bytes_t pd_bytes(const void *data, size_t size)
{
    return (pd_bytes_t){(const uint8_t *)data, size};
}

static inline pd_bytes_t pd_bytes_str(const char *text)
{
    return pd_bytes(text, text ? strlen(text) : 0);
}

static inline bool pd_bytes_equal(pd_bytes_t a, pd_bytes_t b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* By bytes; of two that begin alike the longer one comes later. */
static inline int pd_bytes_compare(pd_bytes_t a, pd_bytes_t b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;

    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* size_max: largest size ever allowed, in bytes; no allocation happens here. */
void pd_buf_init(pd_buf_t *buf, size_t size_max);
void pd_buf_deinit(pd_buf_t *buf);
/* Size becomes 0, the memory stays. */
void pd_buf_clear(pd_buf_t *buf);

/* Makes room for `size` more bytes behind the end. PD_LIMIT when size_max would be passed. */
pd_status_t pd_buf_reserve(pd_buf_t *buf, size_t size) PD_MUST_USE;
/* PD_LIMIT when size_max would be passed; the buffer is unchanged then. */
pd_status_t pd_buf_append(pd_buf_t *buf, const void *data, size_t size) PD_MUST_USE;
/* Hands the memory to the caller (pd_free) and leaves the buffer empty. */
uint8_t *pd_buf_detach(pd_buf_t *buf, size_t *size);

static inline pd_bytes_t pd_buf_bytes(const pd_buf_t *buf)
{
    return pd_bytes(buf->data, buf->size);
}

#endif
