/* framing.h -- gRPC's length-prefixed messages, without I/O.
 *
 * A message is one flag byte (0 plain, 1 compressed), its size in four bytes (big endian) and its
 * bytes; messages follow each other without regard to DATA frames. A message that lies within one
 * input is lent in place; only one that spans inputs is collected.
 * Thread: one at a time. */
#ifndef PD_API_GRPC_FRAMING_H
#define PD_API_GRPC_FRAMING_H

#include "base/buf.h"

enum { PD_GRPC_PREFIX_SIZE = 5 };

typedef struct pd_grpc_decoder {
    uint8_t prefix[PD_GRPC_PREFIX_SIZE];
    uint8_t prefix_size; /* how much of it is here; 5: within a message */
    bool lent;           /* `collected` holds a message that was handed out */
    uint32_t message_size;
    size_t size_max;
    pd_buf_t collected;
} pd_grpc_decoder_t;

typedef struct pd_grpc_frame {
    bool complete; /* a message is here; else all input was taken */
    bool compressed;
    bool in_place; /* data lies in the input; else in the decoder, until its next call */
    pd_bytes_t data;
} pd_grpc_frame_t;

/* size_max: of one message as it is on the wire. */
void pd_grpc_decoder_init(pd_grpc_decoder_t *decoder, size_t size_max);
void pd_grpc_decoder_deinit(pd_grpc_decoder_t *decoder);

/* Takes bytes off *input up to the end of one message. PD_LIMIT: decoder->message_size is over the
 * limit; PD_INVALID: decoder->prefix[0] is no known flag. After an error the decoder is of no more
 * use. */
pd_status_t pd_grpc_decoder_next(pd_grpc_decoder_t *decoder, pd_bytes_t *input,
                                 pd_grpc_frame_t *frame) PD_MUST_USE;
/* Is the input so far cut at the end of a message? */
static inline bool pd_grpc_decoder_at_boundary(const pd_grpc_decoder_t *decoder)
{
    return decoder->prefix_size == 0;
}

static inline void pd_grpc_prefix_write(uint8_t prefix[PD_GRPC_PREFIX_SIZE], bool compressed,
                                        uint32_t size)
{
    prefix[0] = compressed;
    prefix[1] = (uint8_t)(size >> 24);
    prefix[2] = (uint8_t)(size >> 16);
    prefix[3] = (uint8_t)(size >> 8);
    prefix[4] = (uint8_t)size;
}

#endif
