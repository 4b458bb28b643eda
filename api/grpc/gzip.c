#include "api/grpc/gzip.h"

#include <zlib.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    GZIP_WINDOW_BITS = 15 + 16, /* zlib's code for "gzip, not zlib" */
    GZIP_OVERHEAD_SIZE = 18,    /* header and trailer of a member */
    DEFLATE_RATIO_MAX = 1032,   /* a deflate stream expands at most this much */
    HEADER_SIZE = 10,           /* of a member without a file name */
    INFLATE_FIRST_SIZE = 256,
};

struct pd_grpc_gzip {
    z_stream in;
    z_stream out;
    bool in_ready;
    bool out_ready;
};

pd_grpc_gzip_t *pd_grpc_gzip_new(void)
{
    return PD_NEW(pd_grpc_gzip_t);
}

void pd_grpc_gzip_free(pd_grpc_gzip_t *self)
{
    if (!self)
        return;
    if (self->in_ready)
        inflateEnd(&self->in);
    if (self->out_ready)
        deflateEnd(&self->out);
    pd_free(self);
}

/* The last four bytes of a gzip member tell its inflated size; they are a hint, never trusted. */
static size_t first_capacity(pd_bytes_t input, size_t size_max)
{
    size_t hint = INFLATE_FIRST_SIZE;

    if (input.size > GZIP_OVERHEAD_SIZE) {
        const uint8_t *end = input.data + input.size;
        size_t told =
            (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;

        if (told / DEFLATE_RATIO_MAX <= input.size)
            hint = told + 1;
    }
    return hint < size_max + 1 ? hint : size_max + 1;
}

static void prepare_inflate(pd_grpc_gzip_t *self, pd_bytes_t input)
{
    if (!self->in_ready)
        PD_ASSERT(inflateInit2(&self->in, GZIP_WINDOW_BITS) == Z_OK);
    else
        PD_ASSERT(inflateReset(&self->in) == Z_OK);
    self->in_ready = true;
    self->in.next_in = (Bytef *)(uintptr_t)input.data;
    self->in.avail_in = (uInt)input.size;
}

/* Go's reader takes the first header apart before it reads data, and names the step that failed. */
static pd_status_t fail(const z_stream *in, bool begun, pd_error_t *error)
{
    const char *text = "unexpected EOF";

    if (in->msg && strstr(in->msg, "header"))
        text = "gzip: invalid header";
    else if (in->msg && strstr(in->msg, "check"))
        text = "gzip: invalid checksum";
    else if (in->msg)
        text = "flate: corrupt input";
    return pd_error_set(error, PD_INVALID, "%s: %s",
                        begun || in->total_in >= HEADER_SIZE ? "failed to read decompressed data"
                                                             : "failed to decompress the message",
                        text);
}

/* Runs zlib until the input's end; the capacity is one byte above the limit at most. */
static pd_status_t inflate_all(z_stream *in, uint8_t **data, size_t *size, size_t capacity,
                               size_t size_max, pd_error_t *error)
{
    bool begun = false;

    for (;;) {
        int result;

        in->msg = NULL;
        in->next_out = *data + *size;
        in->avail_out = (uInt)(capacity - *size);
        result = inflate(in, Z_NO_FLUSH);
        *size = capacity - in->avail_out;
        if (*size > size_max)
            return pd_error_set(error, PD_LIMIT, "inflated message is larger than %zu bytes",
                                size_max);
        if (result == Z_STREAM_END) {
            if (!in->avail_in)
                return PD_OK;
            begun = true;
            PD_ASSERT(inflateReset(in) == Z_OK); /* another member follows */
        } else if (result == Z_DATA_ERROR || result == Z_NEED_DICT || in->avail_out) {
            /* Damaged; or cut, when room is left and yet it does not go on. */
            return fail(in, begun, error);
        }
        if (!in->avail_out) {
            size_t grown = capacity * 2 < size_max + 1 ? capacity * 2 : size_max + 1;

            PD_ASSERT(grown > capacity);
            *data = pd_realloc(*data, grown);
            capacity = grown;
        }
    }
}

pd_status_t pd_grpc_gzip_inflate(pd_grpc_gzip_t *self, pd_bytes_t input, size_t size_max,
                                 uint8_t **data, size_t *size, pd_error_t *error)
{
    size_t capacity = first_capacity(input, size_max);
    uint8_t *out;
    pd_status_t status;

    PD_ASSERT(input.size <= UINT32_MAX && size_max < UINT32_MAX);
    *data = NULL;
    *size = 0;
    if (!input.size)
        return pd_error_set(error, PD_INVALID, "failed to decompress the message: EOF");
    prepare_inflate(self, input);
    out = pd_alloc(capacity);
    status = inflate_all(&self->in, &out, size, capacity, size_max, error);
    if (status != PD_OK || !*size) {
        pd_free(out);
        *size = 0;
        return status;
    }
    *data = out;
    return PD_OK;
}

void pd_grpc_gzip_deflate(pd_grpc_gzip_t *self, pd_bytes_t input, uint8_t **data, size_t *size)
{
    size_t bound;

    PD_ASSERT(input.size <= UINT32_MAX / 2);
    if (!self->out_ready)
        PD_ASSERT(deflateInit2(&self->out, 1, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
                               Z_DEFAULT_STRATEGY) == Z_OK);
    else
        PD_ASSERT(deflateReset(&self->out) == Z_OK);
    self->out_ready = true;
    bound = deflateBound(&self->out, (uLong)input.size);
    *data = pd_alloc(bound);
    self->out.next_in = (Bytef *)(uintptr_t)input.data;
    self->out.avail_in = (uInt)input.size;
    self->out.next_out = *data;
    self->out.avail_out = (uInt)bound;
    PD_ASSERT(deflate(&self->out, Z_FINISH) == Z_STREAM_END);
    *size = bound - self->out.avail_out;
    *data = pd_realloc(*data, *size);
}
