/* wire.h -- the few pieces of protobuf's wire format that health and reflection need.
 * Reading is bounds-checked and stops at the first malformed byte. Thread: any. */
#ifndef PD_API_SERVICE_WIRE_H
#define PD_API_SERVICE_WIRE_H

#include "base/buf.h"

typedef struct pdi_field {
    uint32_t number;
    uint32_t type;    /* 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes */
    uint64_t value;   /* of a varint */
    pd_bytes_t bytes; /* of a length-delimited one, in place */
} pdi_field_t;

/* Takes the next field off *message; false at the end, or when it is malformed (then *bad, which
 * may be NULL, is set). */
bool pdi_wire_next(pd_bytes_t *message, pdi_field_t *field, bool *bad);

/* Appending. The buffer's maximum is meant to be out of reach: these assert it. */
void pdi_wire_put_varint(pd_buf_t *out, uint32_t number, uint64_t value);
void pdi_wire_put_bytes(pd_buf_t *out, uint32_t number, pd_bytes_t bytes);

#endif
