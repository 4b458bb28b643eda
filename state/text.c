/* text.c -- messages as text, for dumps and diagnostics. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "state/message.h"

#define CONST_MEMBER(message, type, offset) ((const type *)((const char *)(message) + (offset)))

static void put(pd_buf_t *out, const char *format, ...) PD_PRINTF(2, 3);
static void put(pd_buf_t *out, const char *format, ...)
{
    char text[64];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    PD_ASSERT(size >= 0 && (size_t)size < sizeof(text));
    PD_ASSERT(pd_buf_append(out, text, (size_t)size) == PD_OK);
}

static void put_quoted(pd_buf_t *out, const uint8_t *data, size_t size)
{
    put(out, "\"");
    for (size_t i = 0; i < size; i++) {
        if (data[i] >= 0x20 && data[i] < 0x7f && data[i] != '"' && data[i] != '\\')
            PD_ASSERT(pd_buf_append(out, &data[i], 1) == PD_OK);
        else
            put(out, "\\x%02x", data[i]);
    }
    put(out, "\"");
}

static void put_fields(pd_buf_t *out, const ProtobufCMessage *message);

static void put_value(pd_buf_t *out, const ProtobufCFieldDescriptor *field, const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_BOOL:
        put(out, "%" PRId32, *(const int32_t *)member);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        put(out, "%" PRIu32, *(const uint32_t *)member);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        put(out, "%" PRId64, *(const int64_t *)member);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        put(out, "%" PRIu64, *(const uint64_t *)member);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        put(out, "%a", (double)*(const float *)member);
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        put(out, "%a", *(const double *)member);
        return;
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(char *const *)member;

        put_quoted(out, (const uint8_t *)text, text ? strlen(text) : 0);
        return;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *bytes = member;

        put_quoted(out, bytes->data, bytes->len);
        return;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        put(out, "{");
        if (*(void *const *)member)
            put_fields(out, *(ProtobufCMessage *const *)member);
        put(out, " }");
        return;
    }
    PD_UNREACHABLE();
}

static void put_field(pd_buf_t *out, const ProtobufCFieldDescriptor *field, const void *member)
{
    put(out, " ");
    PD_ASSERT(pd_buf_append(out, field->name, strlen(field->name)) == PD_OK);
    put(out, ": ");
    put_value(out, field, member);
}

static void put_fields(pd_buf_t *out, const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];

        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = *CONST_MEMBER(message, size_t, field->quantifier_offset);
            const char *array = *CONST_MEMBER(message, char *, field->offset);

            for (size_t k = 0; k < count; k++)
                put_field(out, field, array + k * pdi_value_size(field->type));
        } else if (pdi_field_present(field, message)) {
            put_field(out, field, CONST_MEMBER(message, char, field->offset));
        }
    }
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *unknown = &message->unknown_fields[i];

        put(out, " %" PRIu32 ": ", unknown->tag);
        put_quoted(out, unknown->data, unknown->len);
    }
}

void pdi_message_text(const void *message, pd_buf_t *out)
{
    put_fields(out, message);
}
