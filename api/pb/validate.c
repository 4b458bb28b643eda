#include "api/pb/validate.h"

typedef struct pd_cursor {
    const uint8_t *at;
    const uint8_t *end;
} pd_cursor_t;

static bool take_varint(pd_cursor_t *cursor, uint64_t *value)
{
    unsigned shift = 0;

    *value = 0;
    while (cursor->at < cursor->end && shift < 70) {
        uint8_t byte = *cursor->at++;

        if (shift < 64)
            *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
        shift += 7;
    }
    return false;
}

static bool take(pd_cursor_t *cursor, uint64_t size, pd_bytes_t *bytes)
{
    if (size > (uint64_t)(cursor->end - cursor->at))
        return false;
    *bytes = pd_bytes(cursor->at, (size_t)size);
    cursor->at += size;
    return true;
}

/* The number of bytes of the character at `at`; 0: none. */
static size_t character_size(const uint8_t *at, size_t size)
{
    uint8_t lead = at[0];
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    size_t count;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        count = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        count = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        count = 4;
    else
        return 0;
    if (count > size)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < count; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return count;
}

bool pd_utf8_is_valid(pd_bytes_t text)
{
    size_t i = 0;

    while (i < text.size) {
        uint64_t word;
        size_t count;

        while (i + sizeof word <= text.size) {
            memcpy(&word, text.data + i, sizeof word);
            if (word & 0x8080808080808080u)
                break;
            i += sizeof word;
        }
        if (i == text.size)
            break;
        count = character_size(text.data + i, text.size - i);
        if (count == 0)
            return false;
        i += count;
    }
    return true;
}

static pd_pb_flaw_t check_string(pd_bytes_t text)
{
    if (!pd_utf8_is_valid(text))
        return PD_PB_BAD_UTF8;
    if (text.size > 0 && memchr(text.data, 0, text.size))
        return PD_PB_NUL_BYTE;
    return PD_PB_SOUND;
}

static pd_pb_flaw_t check_message(const ProtobufCMessageDescriptor *type, pd_bytes_t bytes,
                                  unsigned depth);

static pd_pb_flaw_t check_delimited(const ProtobufCFieldDescriptor *field, pd_bytes_t value,
                                    unsigned depth)
{
    if (!field)
        return PD_PB_SOUND;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return check_string(value);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_message(field->descriptor, value, depth + 1);
    /* bytes, or a packed field, or a type that does not fit: unpacking will tell. */
    return PD_PB_SOUND;
}

static pd_pb_flaw_t check_message(const ProtobufCMessageDescriptor *type, pd_bytes_t bytes,
                                  unsigned depth)
{
    pd_cursor_t cursor = {bytes.data, bytes.data + bytes.size};
    pd_pb_flaw_t flaw;

    if (depth > PD_PB_DEPTH_MAX)
        return PD_PB_TOO_DEEP;
    while (cursor.at < cursor.end) {
        uint64_t key;
        uint64_t number;
        pd_bytes_t value;

        if (!take_varint(&cursor, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff)
            return PD_PB_BAD_WIRE;
        switch (key & 7) {
        case PROTOBUF_C_WIRE_TYPE_VARINT:
            if (!take_varint(&cursor, &number))
                return PD_PB_BAD_WIRE;
            break;
        case PROTOBUF_C_WIRE_TYPE_64BIT:
            if (!take(&cursor, 8, &value))
                return PD_PB_BAD_WIRE;
            break;
        case PROTOBUF_C_WIRE_TYPE_32BIT:
            if (!take(&cursor, 4, &value))
                return PD_PB_BAD_WIRE;
            break;
        case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
            if (!take_varint(&cursor, &number) || !take(&cursor, number, &value))
                return PD_PB_BAD_WIRE;
            flaw = check_delimited(
                protobuf_c_message_descriptor_get_field(type, (unsigned)(key >> 3)), value, depth);
            if (flaw != PD_PB_SOUND)
                return flaw;
            break;
        default: /* groups are no part of proto3 */
            return PD_PB_BAD_WIRE;
        }
    }
    return PD_PB_SOUND;
}

pd_pb_flaw_t pd_pb_validate(const ProtobufCMessageDescriptor *type, pd_bytes_t bytes)
{
    return check_message(type, bytes, 0);
}
