#include "api/grpc/output.h"

#include "api/grpc/framing.h"
#include "base/assert.h"
#include "base/memory.h"

enum { POOLED_BLOB_COUNT_MAX = 4096, KEPT_SIZE_MAX = 1 << 20 };

void pd_grpc_blob_pool_deinit(pd_grpc_blob_pool_t *pool)
{
    while (pool->free) {
        pd_grpc_blob_t *next = pool->free->next;

        pd_free(pool->free);
        pool->free = next;
    }
    pool->free_count = 0;
}

pd_grpc_blob_t *pd_grpc_blob_new(pd_grpc_blob_pool_t *pool, bool compressed, uint8_t *data,
                                 size_t size)
{
    pd_grpc_blob_t *blob = pool->free;

    PD_ASSERT(size <= UINT32_MAX);
    if (blob) {
        pool->free = blob->next;
        pool->free_count--;
    } else {
        blob = pd_alloc(sizeof(*blob));
    }
    blob->next = NULL;
    blob->data = data;
    blob->size = size;
    blob->ref_count = 1;
    pd_grpc_prefix_write(blob->prefix, compressed, (uint32_t)size);
    return blob;
}

void pd_grpc_blob_unref(pd_grpc_blob_pool_t *pool, pd_grpc_blob_t *blob)
{
    PD_ASSERT(blob->ref_count > 0);
    if (--blob->ref_count)
        return;
    pd_free(blob->data);
    if (pool->free_count >= POOLED_BLOB_COUNT_MAX) {
        pd_free(blob);
        return;
    }
    blob->data = NULL;
    blob->next = pool->free;
    pool->free = blob;
    pool->free_count++;
}

void pd_grpc_output_init(pd_grpc_output_t *output, pd_grpc_blob_pool_t *pool)
{
    memset(output, 0, sizeof(*output));
    output->pool = pool;
    pd_buf_init(&output->joined, PD_GRPC_OUTPUT_SIZE_MAX);
}

static void drop_segments(pd_grpc_output_t *output)
{
    for (uint32_t i = output->segment_first; i < output->segment_count; i++) {
        if (output->segments[i].blob)
            pd_grpc_blob_unref(output->pool, output->segments[i].blob);
    }
}

void pd_grpc_output_deinit(pd_grpc_output_t *output)
{
    drop_segments(output);
    pd_free(output->segments);
    pd_buf_deinit(&output->joined);
    memset(output, 0, sizeof(*output));
}

static pd_grpc_segment_t *add_segment(pd_grpc_output_t *output)
{
    if (output->segment_count == output->segment_capacity) {
        output->segment_capacity = output->segment_capacity ? output->segment_capacity * 2 : 16;
        output->segments =
            pd_realloc(output->segments, output->segment_capacity * sizeof(*output->segments));
    }
    return &output->segments[output->segment_count++];
}

void pd_grpc_output_append(pd_grpc_output_t *output, const void *data, size_t size)
{
    pd_grpc_segment_t *last =
        output->segment_count ? &output->segments[output->segment_count - 1] : NULL;

    if (!size)
        return;
    /* Producers stop at some hundred KiB, and no single frame is larger than 16 MiB / 4. */
    PD_ASSERT(pd_buf_append(&output->joined, data, size) == PD_OK);
    if (!last || last->blob) {
        last = add_segment(output);
        last->blob = NULL;
        last->offset = output->joined.size - size;
        last->size = 0;
    }
    last->size += size;
    output->size += size;
}

void pd_grpc_output_append_blob(pd_grpc_output_t *output, pd_grpc_blob_t *blob, size_t offset,
                                size_t size)
{
    pd_grpc_segment_t *segment;

    PD_ASSERT(offset + size <= PD_GRPC_PREFIX_SIZE + blob->size);
    if (offset < PD_GRPC_PREFIX_SIZE) {
        size_t part = PD_GRPC_PREFIX_SIZE - offset;

        if (part > size)
            part = size;
        pd_grpc_output_append(output, blob->prefix + offset, part);
        offset += part;
        size -= part;
    }
    if (!size)
        return;
    offset -= PD_GRPC_PREFIX_SIZE;
    if (size <= PD_GRPC_OUTPUT_COPY_SIZE) {
        pd_grpc_output_append(output, blob->data + offset, size);
        return;
    }
    segment = add_segment(output);
    segment->blob = blob;
    segment->offset = offset;
    segment->size = size;
    blob->ref_count++;
    output->size += size;
}

int pd_grpc_output_peek(const pd_grpc_output_t *output, struct iovec *iov, int iov_count)
{
    int count = 0;

    for (uint32_t i = output->segment_first; i < output->segment_count && count < iov_count; i++) {
        const pd_grpc_segment_t *segment = &output->segments[i];
        uint8_t *data = segment->blob ? segment->blob->data : output->joined.data;

        iov[count].iov_base = data + segment->offset;
        iov[count].iov_len = segment->size;
        count++;
    }
    return count;
}

void pd_grpc_output_consume(pd_grpc_output_t *output, size_t size)
{
    PD_ASSERT(size <= output->size);
    output->size -= size;
    while (size) {
        pd_grpc_segment_t *segment = &output->segments[output->segment_first];

        if (size < segment->size) {
            segment->offset += size;
            segment->size -= size;
            return;
        }
        size -= segment->size;
        if (segment->blob)
            pd_grpc_blob_unref(output->pool, segment->blob);
        output->segment_first++;
    }
    if (output->size)
        return;
    PD_ASSERT(output->segment_first == output->segment_count);
    output->segment_first = output->segment_count = 0;
    pd_buf_clear(&output->joined);
    if (output->joined.capacity > KEPT_SIZE_MAX) {
        pd_buf_deinit(&output->joined);
        pd_buf_init(&output->joined, PD_GRPC_OUTPUT_SIZE_MAX);
    }
}
