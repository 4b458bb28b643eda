/* encode.c -- walks a message by its type's plan and writes Avro binary.
 *
 * Byte for byte what avro-c's generic writer gives for the same value (a test compares): blocks of
 * arrays and maps are written as one block without its size in bytes. */
#include <string.h>

#include "base/assert.h"
#include "log/record/record_private.h"

enum { ROOM_MIN = 16 /* a branch and a varint, and more */ };

typedef struct output {
    uint8_t *at;
    uint8_t *end;
    pd_buf_t *buf;
    uint32_t empty_item_count;
} output_t;

static __attribute__((noinline)) bool grow(output_t *out, size_t size)
{
    out->buf->size = (size_t)(out->at - out->buf->data);
    if (pd_buf_reserve(out->buf, size) != PD_OK)
        return false;
    out->at = out->buf->data + out->buf->size;
    out->end = out->buf->data + out->buf->capacity;
    return true;
}

static inline bool ensure(output_t *out, size_t size)
{
    return (size_t)(out->end - out->at) >= size || grow(out, size);
}

/* Zigzag varint, little end first. Room is ensured. */
static inline void put_long(output_t *out, int64_t value)
{
    uint64_t bits = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);

    while (bits >= 0x80) {
        *out->at++ = (uint8_t)(bits | 0x80);
        bits >>= 7;
    }
    *out->at++ = (uint8_t)bits;
}

static inline bool put_bytes(output_t *out, const void *data, size_t size)
{
    if (!ensure(out, ROOM_MIN + size))
        return false;
    put_long(out, (int64_t)size);
    if (size > 0)
        memcpy(out->at, data, size);
    out->at += size;
    return true;
}

static inline void put_float(output_t *out, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    for (int i = 0; i < 4; i++)
        *out->at++ = (uint8_t)(bits >> (8 * i));
}

static inline void put_double(output_t *out, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    for (int i = 0; i < 8; i++)
        *out->at++ = (uint8_t)(bits >> (8 * i));
}

static bool put_message(output_t *out, const pdi_type_t *type, const ProtobufCMessage *message,
                        uint32_t depth);

static bool put_value(output_t *out, uint8_t kind, const pdi_type_t *type, const void *member,
                      uint32_t depth)
{
    if (!ensure(out, ROOM_MIN))
        return false;
    switch ((pdi_kind_t)kind) {
    case PDI_KIND_BOOL:
        *out->at++ = *(const protobuf_c_boolean *)member != 0;
        return true;
    case PDI_KIND_INT32:
        put_long(out, *(const int32_t *)member);
        return true;
    case PDI_KIND_UINT32:
        put_long(out, *(const uint32_t *)member);
        return true;
    case PDI_KIND_INT64:
        put_long(out, *(const int64_t *)member);
        return true;
    case PDI_KIND_FLOAT:
        put_float(out, *(const float *)member);
        return true;
    case PDI_KIND_DOUBLE:
        put_double(out, *(const double *)member);
        return true;
    case PDI_KIND_STRING: {
        const char *text = *(const char *const *)member;

        return put_bytes(out, text, text ? strlen(text) : 0);
    }
    case PDI_KIND_BYTES: {
        const ProtobufCBinaryData *bytes = member;

        return put_bytes(out, bytes->data, bytes->len);
    }
    case PDI_KIND_MESSAGE: {
        const ProtobufCMessage *message = *(const ProtobufCMessage *const *)member;

        return put_message(out, type, message ? message : type->empty, depth + 1);
    }
    }
    PD_UNREACHABLE();
}

static bool is_present(const pdi_field_t *field, const uint8_t *message, const void *member)
{
    const void *pointer;

    if (field->quantifier_offset != 0)
        return *(const protobuf_c_boolean *)(message + field->quantifier_offset) != 0;
    pointer = *(const void *const *)member;
    return pointer != NULL && pointer != field->proto->default_value;
}

static bool put_nullable(output_t *out, const pdi_field_t *field, const uint8_t *message,
                         uint32_t depth)
{
    const void *member = message + field->offset;

    if (!is_present(field, message, member)) {
        *out->at++ = 0;
        return true;
    }
    *out->at++ = 2; /* branch 1 */
    return put_value(out, field->kind, field->type, member, depth);
}

static bool put_array(output_t *out, const pdi_field_t *field, const uint8_t *message,
                      uint32_t depth)
{
    size_t count = *(const size_t *)(message + field->quantifier_offset);
    const uint8_t *item = *(const uint8_t *const *)(message + field->offset);
    size_t item_size = pdi_kind_size(field->kind);

    if (count > 0) {
        put_long(out, (int64_t)count);
        if (field->kind == PDI_KIND_MESSAGE && field->type->field_count == 0) {
            if (count > PDI_EMPTY_ITEMS_MAX - out->empty_item_count)
                return false;
            out->empty_item_count += (uint32_t)count;
        }
        for (size_t i = 0; i < count; i++, item += item_size)
            if (!put_value(out, field->kind, field->type, item, depth))
                return false;
        if (!ensure(out, ROOM_MIN))
            return false;
    }
    *out->at++ = 0;
    return true;
}

static bool put_map(output_t *out, const pdi_field_t *field, const uint8_t *message, uint32_t depth)
{
    size_t count = *(const size_t *)(message + field->quantifier_offset);
    const uint8_t *const *entries = *(const uint8_t *const *const *)(message + field->offset);
    const pdi_field_t *key = &field->type->fields[0];
    const pdi_field_t *value = &field->type->fields[1];

    if (count > 0) {
        put_long(out, (int64_t)count);
        for (size_t i = 0; i < count; i++)
            if (!put_value(out, PDI_KIND_STRING, NULL, entries[i] + key->offset, depth) ||
                !put_value(out, field->kind, value->type, entries[i] + value->offset, depth))
                return false;
        if (!ensure(out, ROOM_MIN))
            return false;
    }
    *out->at++ = 0;
    return true;
}

static bool put_oneof(output_t *out, const pdi_field_t *field, const uint8_t *message,
                      uint32_t depth)
{
    const pdi_oneof_t *oneof = field->oneof;
    uint32_t tag = *(const uint32_t *)(message + field->quantifier_offset);
    uint32_t branch = 0;
    const pdi_field_t *alternative;
    const void *member;

    if (tag - oneof->tag_min < oneof->tag_count)
        branch = oneof->branch_by_tag[tag - oneof->tag_min];
    if (branch > 0) {
        alternative = &oneof->alternatives[branch - 1];
        member = message + alternative->offset;
        /* As protobuf-c has it: a chosen message or string that is NULL counts as not chosen. */
        if ((alternative->kind != PDI_KIND_MESSAGE && alternative->kind != PDI_KIND_STRING) ||
            *(const void *const *)member != NULL) {
            put_long(out, branch);
            return put_value(out, alternative->kind, alternative->type, member, depth);
        }
    }
    *out->at++ = 0;
    return true;
}

static bool put_message(output_t *out, const pdi_type_t *type, const ProtobufCMessage *message,
                        uint32_t depth)
{
    const uint8_t *base = (const uint8_t *)message;

    PD_ASSERT(message->descriptor == type->proto);
    if (depth > PD_RECORD_DEPTH_MAX)
        return false;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const pdi_field_t *field = &type->fields[i];
        bool is_done = false;

        if (!ensure(out, ROOM_MIN))
            return false;
        switch ((pdi_shape_t)field->shape) {
        case PDI_SHAPE_PLAIN:
            is_done = put_value(out, field->kind, field->type, base + field->offset, depth);
            break;
        case PDI_SHAPE_NULLABLE:
            is_done = put_nullable(out, field, base, depth);
            break;
        case PDI_SHAPE_ARRAY:
            is_done = put_array(out, field, base, depth);
            break;
        case PDI_SHAPE_MAP:
            is_done = put_map(out, field, base, depth);
            break;
        case PDI_SHAPE_ONEOF:
            is_done = put_oneof(out, field, base, depth);
            break;
        }
        if (!is_done)
            return false;
    }
    return true;
}

pd_status_t pd_record_encode(const pd_record_codec_t *codec, const ProtobufCMessage *msg,
                             pd_buf_t *buf)
{
    size_t old_size = buf->size;
    output_t out = {.buf = buf};
    uint64_t fingerprint = codec->writers[0].fingerprint;

    PD_ASSERT(msg && msg->descriptor == codec->root->proto);
    _Static_assert((int)PD_RECORD_HEADER_SIZE <= (int)ROOM_MIN, "room for the header");
    if (pd_buf_reserve(buf, ROOM_MIN) != PD_OK)
        return PD_LIMIT;
    out.at = buf->data + buf->size;
    out.end = buf->data + buf->capacity;
    *out.at++ = 0xC3;
    *out.at++ = 0x01;
    for (int i = 0; i < 8; i++)
        *out.at++ = (uint8_t)(fingerprint >> (8 * i));
    if (!put_message(&out, codec->root, msg, 1)) {
        buf->size = old_size;
        return PD_LIMIT;
    }
    buf->size = (size_t)(out.at - buf->data);
    PD_ASSERT(buf->size <= buf->capacity);
    return PD_OK;
}
