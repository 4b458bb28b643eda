#include "api/service/wire.h"

#include "base/assert.h"

static bool read_varint(pd_bytes_t *bytes, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && bytes->size; shift += 7) {
        uint8_t byte = *bytes->data;

        *bytes = pd_bytes(bytes->data + 1, bytes->size - 1);
        *value |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128))
            return true;
    }
    return false;
}

static bool read_fixed(pd_bytes_t *bytes, size_t size, pd_bytes_t *out)
{
    if (bytes->size < size)
        return false;
    *out = pd_bytes(bytes->data, size);
    *bytes = pd_bytes(bytes->data + size, bytes->size - size);
    return true;
}

static bool read_field(pd_bytes_t *message, pdi_field_t *field)
{
    uint64_t key, size;

    if (!read_varint(message, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX)
        return false;
    field->number = (uint32_t)(key >> 3);
    field->type = (uint32_t)(key & 7);
    field->value = 0;
    field->bytes = pd_bytes(NULL, 0);
    switch (field->type) {
    case 0:
        return read_varint(message, &field->value);
    case 1:
        return read_fixed(message, 8, &field->bytes);
    case 2:
        return read_varint(message, &size) && size <= message->size &&
               read_fixed(message, (size_t)size, &field->bytes);
    case 5:
        return read_fixed(message, 4, &field->bytes);
    default:
        return false;
    }
}

bool pdi_wire_next(pd_bytes_t *message, pdi_field_t *field, bool *bad)
{
    if (!message->size)
        return false;
    if (read_field(message, field))
        return true;
    if (bad)
        *bad = true;
    *message = pd_bytes(NULL, 0);
    return false;
}

static void put_raw_varint(pd_buf_t *out, uint64_t value)
{
    uint8_t bytes[10];
    size_t size = 0;

    do {
        bytes[size++] = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));
        value >>= 7;
    } while (value);
    PD_ASSERT(pd_buf_append(out, bytes, size) == PD_OK);
}

void pdi_wire_put_varint(pd_buf_t *out, uint32_t number, uint64_t value)
{
    put_raw_varint(out, (uint64_t)number << 3);
    put_raw_varint(out, value);
}

/* Only key and length; the caller appends `size` bytes. */
static void put_header(pd_buf_t *out, uint32_t number, size_t size)
{
    put_raw_varint(out, (uint64_t)number << 3 | 2);
    put_raw_varint(out, size);
}

void pdi_wire_put_bytes(pd_buf_t *out, uint32_t number, pd_bytes_t bytes)
{
    put_header(out, number, bytes.size);
    PD_ASSERT(pd_buf_append(out, bytes.data, bytes.size) == PD_OK);
}
