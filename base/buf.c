#include "base/buf.h"

#include "base/assert.h"
#include "base/memory.h"

enum { CAPACITY_MIN = 256 };

void pd_buf_init(pd_buf_t *buf, size_t size_max)
{
    memset(buf, 0, sizeof(*buf));
    buf->size_max = size_max;
}

void pd_buf_deinit(pd_buf_t *buf)
{
    pd_free(buf->data);
    memset(buf, 0, sizeof(*buf));
}

void pd_buf_clear(pd_buf_t *buf)
{
    buf->size = 0;
}

pd_status_t pd_buf_reserve(pd_buf_t *buf, size_t size)
{
    size_t capacity;

    if (buf->capacity - buf->size >= size)
        return PD_OK;
    if (size > buf->size_max || buf->size > buf->size_max - size)
        return PD_LIMIT;
    capacity = buf->capacity ? buf->capacity : CAPACITY_MIN;
    while (capacity < buf->size + size)
        capacity *= 2;
    if (capacity > buf->size_max)
        capacity = buf->size_max;
    buf->data = pd_realloc(buf->data, capacity);
    buf->capacity = capacity;
    return PD_OK;
}

pd_status_t pd_buf_append(pd_buf_t *buf, const void *data, size_t size)
{
    PD_TRY(pd_buf_reserve(buf, size));
    if (size)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    return PD_OK;
}

uint8_t *pd_buf_detach(pd_buf_t *buf, size_t *size)
{
    uint8_t *data = buf->data;

    *size = buf->size;
    buf->data = NULL;
    buf->size = buf->capacity = 0;
    return data;
}
