#include "state/message.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "state/message_plan.h"

enum {
    PACKER_CAPACITY_MIN = 4096,
    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_BYTES = 2,
    WIRE_32 = 5,
};

#define MEMBER(message, type, offset) ((type *)((char *)(message) + (offset)))
#define CONST_MEMBER(message, type, offset) ((const type *)((const char *)(message) + (offset)))

void pdi_packer_init(pdi_packer_t *packer)
{
    pdi_plans_init();
    packer->data = NULL;
    packer->capacity = packer->at = 0;
}

void pdi_packer_deinit(pdi_packer_t *packer)
{
    pd_free(packer->data);
    packer->data = NULL;
    packer->capacity = packer->at = 0;
}

static void grow(pdi_packer_t *packer, size_t size)
{
    size_t used = packer->capacity - packer->at;
    size_t capacity = packer->capacity ? packer->capacity * 2 : PACKER_CAPACITY_MIN;
    uint8_t *data;

    while (capacity - used < size)
        capacity *= 2;
    data = pd_alloc(capacity);
    if (used)
        memcpy(data + capacity - used, packer->data + packer->at, used);
    pd_free(packer->data);
    packer->data = data;
    packer->at = capacity - used;
    packer->capacity = capacity;
}

/* Room for `size` bytes in front of what is there. */
static inline uint8_t *room(pdi_packer_t *packer, size_t size)
{
    if (__builtin_expect(packer->at < size, 0))
        grow(packer, size);
    packer->at -= size;
    return packer->data + packer->at;
}

static inline void put_bytes(pdi_packer_t *packer, const void *data, size_t size)
{
    uint8_t *to = room(packer, size);

    if (size)
        memcpy(to, data, size);
}

static inline void put_varint(pdi_packer_t *packer, uint64_t value)
{
    size_t size = value ? (size_t)(70 - __builtin_clzll(value)) / 7 : 1;
    uint8_t *to = room(packer, size);

    for (; value >= 0x80; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to = (uint8_t)value;
}

static inline void put_tag(pdi_packer_t *packer, uint32_t id, int wire)
{
    put_varint(packer, (uint64_t)id << 3 | (unsigned)wire);
}

static void put_message(pdi_packer_t *packer, const ProtobufCMessage *message);

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

/* Writes one value without its tag and returns its wire type. */
static int put_value(pdi_packer_t *packer, const ProtobufCFieldDescriptor *field,
                     const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM:
        put_varint(packer, (uint64_t)(int64_t) * (const int32_t *)member);
        return WIRE_VARINT;
    case PROTOBUF_C_TYPE_SINT32:
        put_varint(packer, (uint32_t)zigzag(*(const int32_t *)member));
        return WIRE_VARINT;
    case PROTOBUF_C_TYPE_UINT32:
        put_varint(packer, *(const uint32_t *)member);
        return WIRE_VARINT;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        put_varint(packer, *(const uint64_t *)member);
        return WIRE_VARINT;
    case PROTOBUF_C_TYPE_SINT64:
        put_varint(packer, zigzag(*(const int64_t *)member));
        return WIRE_VARINT;
    case PROTOBUF_C_TYPE_BOOL:
        put_varint(packer, *(const protobuf_c_boolean *)member ? 1 : 0);
        return WIRE_VARINT;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        put_bytes(packer, member, 4);
        return WIRE_32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        put_bytes(packer, member, 8);
        return WIRE_64;
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(char *const *)member;
        size_t size = text ? strlen(text) : 0;

        put_bytes(packer, text, size);
        put_varint(packer, size);
        return WIRE_BYTES;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *bytes = member;

        put_bytes(packer, bytes->data, bytes->len);
        put_varint(packer, bytes->len);
        return WIRE_BYTES;
    }
    case PROTOBUF_C_TYPE_MESSAGE: {
        size_t end = packer->capacity - packer->at;
        const ProtobufCMessage *message = *(ProtobufCMessage *const *)member;

        if (message)
            put_message(packer, message);
        put_varint(packer, packer->capacity - packer->at - end);
        return WIRE_BYTES;
    }
    }
    PD_UNREACHABLE();
}

size_t pdi_value_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_BOOL:
        return 4;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    }
    PD_UNREACHABLE();
}

static void put_repeated(pdi_packer_t *packer, const ProtobufCFieldDescriptor *field,
                         const void *message)
{
    size_t count = *CONST_MEMBER(message, size_t, field->quantifier_offset);
    const char *array = *CONST_MEMBER(message, char *, field->offset);
    size_t size = pdi_value_size(field->type);
    size_t end = packer->capacity - packer->at;

    if (count == 0)
        return;
    for (size_t i = count; i-- > 0;) {
        int wire = put_value(packer, field, array + i * size);

        if (!(field->flags & PROTOBUF_C_FIELD_FLAG_PACKED))
            put_tag(packer, field->id, wire);
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) {
        put_varint(packer, packer->capacity - packer->at - end);
        put_tag(packer, field->id, WIRE_BYTES);
    }
}

static inline bool is_pointer(ProtobufCType type)
{
    return type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_MESSAGE;
}

/* Is the (not repeated) field of proto3 on the wire? */
bool pdi_field_present(const ProtobufCFieldDescriptor *field, const void *message)
{
    const void *member = CONST_MEMBER(message, char, field->offset);

    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        if (*CONST_MEMBER(message, uint32_t, field->quantifier_offset) != field->id)
            return false;
        return !is_pointer(field->type) || *(void *const *)member;
    }
    if (field->label == PROTOBUF_C_LABEL_REQUIRED)
        return true;
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL) {
        if (is_pointer(field->type))
            return *(void *const *)member && *(void *const *)member != field->default_value;
        return *CONST_MEMBER(message, protobuf_c_boolean, field->quantifier_offset);
    }
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return *(char *const *)member && **(char *const *)member;
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(void *const *)member;
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)member)->len != 0;
    case PROTOBUF_C_TYPE_FLOAT:
        return *(const float *)member != 0;
    case PROTOBUF_C_TYPE_DOUBLE:
        return *(const double *)member != 0;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return *(const uint64_t *)member != 0;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_BOOL:
        return *(const uint32_t *)member != 0;
    }
    PD_UNREACHABLE();
}

/* Any field, the slow way. */
static void put_field(pdi_packer_t *packer, const ProtobufCFieldDescriptor *field,
                      const void *message)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        put_repeated(packer, field, message);
    else if (pdi_field_present(field, message))
        put_tag(packer, field->id,
                put_value(packer, field, CONST_MEMBER(message, char, field->offset)));
}

/* Fields of one oneof that are not set lie side by side (60 of them in a history event): from field
 * i, whose oneof is set to another case, the index to go on with. */
static unsigned skip_oneof(const pdi_plan_t *plan, unsigned i, uint32_t set)
{
    uint32_t id = plan->fields[i].id;

    if (set && set < id && id - set <= i && plan->fields[i - (id - set)].id == set)
        return i - (id - set) + 1;
    return i;
}

static inline void put_plan_tag(pdi_packer_t *packer, const pdi_plan_field_t *field)
{
    put_bytes(packer, field->tag, field->tag_size);
}

/* One field that is neither repeated nor in a oneof. */
static void put_plan_field(pdi_packer_t *packer, const ProtobufCMessageDescriptor *type,
                           const pdi_plan_t *plan, unsigned i, const void *message)
{
    const pdi_plan_field_t *field = &plan->fields[i];
    const void *member = CONST_MEMBER(message, char, field->offset);

    switch ((pdi_field_kind_t)field->kind) {
    case PDI_FIELD_STRING: {
        const char *text = *(char *const *)member;
        size_t size;

        if (!text || !text[0])
            return;
        size = strlen(text);
        put_bytes(packer, text, size);
        put_varint(packer, size);
        break;
    }
    case PDI_FIELD_BYTES: {
        const ProtobufCBinaryData *bytes = member;

        if (bytes->len == 0)
            return;
        put_bytes(packer, bytes->data, bytes->len);
        put_varint(packer, bytes->len);
        break;
    }
    case PDI_FIELD_MESSAGE: {
        size_t end = packer->capacity - packer->at;

        if (!*(void *const *)member)
            return;
        put_message(packer, *(ProtobufCMessage *const *)member);
        put_varint(packer, packer->capacity - packer->at - end);
        break;
    }
    case PDI_FIELD_64:
        if (*(const uint64_t *)member == 0)
            return;
        put_varint(packer, *(const uint64_t *)member);
        break;
    case PDI_FIELD_32:
        if (*(const int32_t *)member == 0)
            return;
        put_varint(packer, (uint64_t)(int64_t) * (const int32_t *)member);
        break;
    case PDI_FIELD_BOOL:
        if (!*(const protobuf_c_boolean *)member)
            return;
        put_varint(packer, 1);
        break;
    case PDI_FIELD_OTHER:
    case PDI_FIELD_REPEATED:
    case PDI_FIELD_ONEOF:
        put_field(packer, &type->fields[i], message);
        return;
    }
    put_plan_tag(packer, field);
}

static void put_message(pdi_packer_t *packer, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const pdi_plan_t *plan = pdi_plan(type);

    for (unsigned i = message->n_unknown_fields; i-- > 0;) {
        const ProtobufCMessageUnknownField *unknown = &message->unknown_fields[i];

        put_bytes(packer, unknown->data, unknown->len);
        put_tag(packer, unknown->tag, (int)unknown->wire_type);
    }
    for (unsigned i = type->n_fields; i-- > 0;) {
        const pdi_plan_field_t *field;

        if (!plan) {
            put_field(packer, &type->fields[i], message);
            continue;
        }
        field = &plan->fields[i];
        if (field->kind == PDI_FIELD_REPEATED &&
            *CONST_MEMBER(message, size_t, field->quantifier_offset) == 0)
            continue;
        if (field->kind == PDI_FIELD_ONEOF) {
            uint32_t set = *CONST_MEMBER(message, uint32_t, field->quantifier_offset);

            if (set != field->id) {
                i = skip_oneof(plan, i, set);
                continue;
            }
        }
        put_plan_field(packer, type, plan, i, message);
    }
}

pd_bytes_t pdi_pack(pdi_packer_t *packer, const void *message)
{
    packer->at = packer->capacity;
    put_message(packer, message);
    return pd_bytes(packer->data ? packer->data + packer->at : NULL, packer->capacity - packer->at);
}

/* ---- copying ---- */

static void copy_pointer(const ProtobufCFieldDescriptor *field, void *to)
{
    void *value = *(void **)to;

    if (!value)
        return;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        *(void **)to = pdi_message_copy(value);
    else if (field->label != PROTOBUF_C_LABEL_REPEATED && field->default_value &&
             strcmp(value, field->default_value) == 0)
        *(void **)to = (void *)field->default_value;
    else
        *(void **)to = pd_strdup(value);
}

static void copy_bytes(ProtobufCBinaryData *bytes)
{
    bytes->data = bytes->len ? pd_memdup(bytes->data, bytes->len) : NULL;
}

static void copy_repeated(const ProtobufCFieldDescriptor *field, void *message)
{
    size_t count = *MEMBER(message, size_t, field->quantifier_offset);
    char **array = MEMBER(message, char *, field->offset);
    size_t size = pdi_value_size(field->type);

    if (count == 0) {
        *array = NULL;
        return;
    }
    *array = pd_memdup(*array, count * size);
    for (size_t i = 0; i < count; i++) {
        if (is_pointer(field->type))
            copy_pointer(field, *array + i * size);
        else if (field->type == PROTOBUF_C_TYPE_BYTES)
            copy_bytes((ProtobufCBinaryData *)(*array + i * size));
    }
}

static void copy_unknown(ProtobufCMessage *message)
{
    if (message->n_unknown_fields == 0)
        return;
    message->unknown_fields = pd_memdup(
        message->unknown_fields, message->n_unknown_fields * sizeof(message->unknown_fields[0]));
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        ProtobufCMessageUnknownField *unknown = &message->unknown_fields[i];

        unknown->data = pd_memdup(unknown->data, unknown->len);
    }
}

static void copy_field(const ProtobufCFieldDescriptor *field, void *message)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        copy_repeated(field, message);
        return;
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
        *CONST_MEMBER(message, uint32_t, field->quantifier_offset) != field->id)
        return;
    if (is_pointer(field->type))
        copy_pointer(field, MEMBER(message, char, field->offset));
    else if (field->type == PROTOBUF_C_TYPE_BYTES)
        copy_bytes(MEMBER(message, ProtobufCBinaryData, field->offset));
}

/* Can the field point to anything? */
static bool owns_memory(const pdi_plan_field_t *field)
{
    return field->kind != PDI_FIELD_64 && field->kind != PDI_FIELD_32 &&
           field->kind != PDI_FIELD_BOOL;
}

void *pdi_message_copy(const void *message)
{
    const ProtobufCMessage *from = message;
    const pdi_plan_t *plan;
    ProtobufCMessage *to;

    if (!message)
        return NULL;
    pdi_plans_init();
    plan = pdi_plan(from->descriptor);
    to = pd_memdup(from, from->descriptor->sizeof_message);
    copy_unknown(to);
    for (unsigned i = from->descriptor->n_fields; i-- > 0;) {
        if (plan && plan->fields[i].kind == PDI_FIELD_ONEOF) {
            uint32_t set = *CONST_MEMBER(from, uint32_t, plan->fields[i].quantifier_offset);

            if (set != plan->fields[i].id) {
                i = skip_oneof(plan, i, set);
                continue;
            }
        }
        if (!plan || owns_memory(&plan->fields[i]))
            copy_field(&from->descriptor->fields[i], to);
    }
    return to;
}

void pdi_message_free(void *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

void pdi_string_free(char *text)
{
    if (text != pdi_string_empty())
        pd_free(text);
}

void pdi_string_set(char **field, const char *value)
{
    char *copy = value && value[0] ? pd_strdup(value) : pdi_string_empty();

    pdi_string_free(*field);
    *field = copy;
}

/* What protobuf-c unpacked is exactly full, and nothing says how much room an array has: so it is
 * reallocated to the next power of two each time, which costs nothing when it has that size. */
void pdi_array_append(void *array_field, size_t *count, void *element)
{
    void ***array = array_field;
    size_t capacity = 4;

    while (capacity < *count + 1)
        capacity *= 2;
    *array = pd_realloc(*array, capacity * sizeof(void *));
    (*array)[(*count)++] = element;
}

void pdi_array_remove(void *array_field, size_t *count, size_t index)
{
    void **array = *(void ***)array_field;

    PD_ASSERT(index < *count);
    (*count)--;
    memmove(array + index, array + index + 1, (*count - index) * sizeof(void *));
}
