#include "api/grpc/framing.h"

#include "base/assert.h"

/* A peer that announces a large message and sends nothing gets no memory for it: the buffer grows
 * with what has come. */
enum { COLLECT_FIRST_SIZE = 32 * 1024 };

void pd_grpc_decoder_init(pd_grpc_decoder_t *decoder, size_t size_max)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->size_max = size_max;
    pd_buf_init(&decoder->collected, size_max);
}

void pd_grpc_decoder_deinit(pd_grpc_decoder_t *decoder)
{
    pd_buf_deinit(&decoder->collected);
}

static void take(pd_bytes_t *input, size_t size)
{
    PD_ASSERT(size <= input->size);
    input->data += size;
    input->size -= size;
}

static pd_status_t read_prefix(pd_grpc_decoder_t *decoder, pd_bytes_t *input)
{
    size_t missing = PD_GRPC_PREFIX_SIZE - decoder->prefix_size;
    size_t size = input->size < missing ? input->size : missing;

    if (!size)
        return PD_OK;
    memcpy(decoder->prefix + decoder->prefix_size, input->data, size);
    decoder->prefix_size += (uint8_t)size;
    take(input, size);
    if (decoder->prefix_size < PD_GRPC_PREFIX_SIZE)
        return PD_OK;
    decoder->message_size = (uint32_t)decoder->prefix[1] << 24 |
                            (uint32_t)decoder->prefix[2] << 16 | (uint32_t)decoder->prefix[3] << 8 |
                            decoder->prefix[4];
    if (decoder->prefix[0] > 1)
        return PD_INVALID;
    return decoder->message_size > decoder->size_max ? PD_LIMIT : PD_OK;
}

static pd_status_t collect(pd_grpc_decoder_t *decoder, pd_bytes_t *input)
{
    pd_buf_t *collected = &decoder->collected;
    size_t missing = decoder->message_size - collected->size;
    size_t size = input->size < missing ? input->size : missing;

    PD_ASSERT(collected->size < decoder->message_size);
    if (!size)
        return PD_OK;
    if (collected->capacity - collected->size < size) {
        size_t more = collected->size > COLLECT_FIRST_SIZE ? collected->size : COLLECT_FIRST_SIZE;

        if (more < size)
            more = size;
        PD_TRY(pd_buf_reserve(collected, more < missing ? more : missing));
    }
    PD_TRY(pd_buf_append(collected, input->data, size));
    take(input, size);
    return PD_OK;
}

pd_status_t pd_grpc_decoder_next(pd_grpc_decoder_t *decoder, pd_bytes_t *input,
                                 pd_grpc_frame_t *frame)
{
    memset(frame, 0, sizeof(*frame));
    if (decoder->lent) {
        pd_buf_clear(&decoder->collected);
        decoder->lent = false;
    }
    if (decoder->prefix_size < PD_GRPC_PREFIX_SIZE) {
        PD_TRY(read_prefix(decoder, input));
        if (decoder->prefix_size < PD_GRPC_PREFIX_SIZE)
            return PD_OK;
    }
    if (!decoder->collected.size && input->size >= decoder->message_size) {
        frame->data = pd_bytes(input->data, decoder->message_size);
        frame->in_place = true;
        take(input, decoder->message_size);
    } else {
        PD_TRY(collect(decoder, input));
        if (decoder->collected.size < decoder->message_size)
            return PD_OK;
        frame->data = pd_buf_bytes(&decoder->collected);
        decoder->lent = true;
    }
    frame->complete = true;
    frame->compressed = decoder->prefix[0] == 1;
    decoder->prefix_size = 0;
    return PD_OK;
}
