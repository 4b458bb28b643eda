/* type.c -- from a protobuf-c descriptor to the plan by which messages of it are written. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "log/record/record_private.h"

static pdi_kind_t kind_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_ENUM:
        return PDI_KIND_INT32;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return PDI_KIND_UINT32;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return PDI_KIND_INT64;
    case PROTOBUF_C_TYPE_FLOAT:
        return PDI_KIND_FLOAT;
    case PROTOBUF_C_TYPE_DOUBLE:
        return PDI_KIND_DOUBLE;
    case PROTOBUF_C_TYPE_BOOL:
        return PDI_KIND_BOOL;
    case PROTOBUF_C_TYPE_STRING:
        return PDI_KIND_STRING;
    case PROTOBUF_C_TYPE_BYTES:
        return PDI_KIND_BYTES;
    case PROTOBUF_C_TYPE_MESSAGE:
        return PDI_KIND_MESSAGE;
    }
    PD_UNREACHABLE();
}

size_t pdi_kind_size(pdi_kind_t kind)
{
    switch (kind) {
    case PDI_KIND_BOOL:
        return sizeof(protobuf_c_boolean);
    case PDI_KIND_INT32:
    case PDI_KIND_UINT32:
        return sizeof(int32_t);
    case PDI_KIND_INT64:
        return sizeof(int64_t);
    case PDI_KIND_FLOAT:
        return sizeof(float);
    case PDI_KIND_DOUBLE:
        return sizeof(double);
    case PDI_KIND_STRING:
    case PDI_KIND_MESSAGE:
        return sizeof(void *);
    case PDI_KIND_BYTES:
        return sizeof(ProtobufCBinaryData);
    }
    PD_UNREACHABLE();
}

size_t pdi_name_split(const char *full_name)
{
    const char *dot = strrchr(full_name, '.');

    return dot ? (size_t)(dot - full_name) + 1 : 0;
}

/* protoc names the entry message of map field `some_map` "SomeMapEntry", nested in the message,
 * with fields key = 1 and value = 2. The descriptors of protobuf-c tell it by nothing else. */
static bool is_map_entry(const ProtobufCMessageDescriptor *parent,
                         const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    size_t parent_size = strlen(parent->name);
    const char *at;
    bool is_upper = true;

    if (field->type != PROTOBUF_C_TYPE_MESSAGE || field->label != PROTOBUF_C_LABEL_REPEATED)
        return false;
    if (entry->n_fields != 2 || entry->fields[0].id != 1 || entry->fields[1].id != 2 ||
        strcmp(entry->fields[0].name, "key") != 0 || strcmp(entry->fields[1].name, "value") != 0)
        return false;
    if (strncmp(entry->name, parent->name, parent_size) != 0 || entry->name[parent_size] != '.')
        return false;
    at = entry->name + parent_size + 1;
    for (const char *c = field->name; *c; c++) {
        if (*c == '_') {
            is_upper = true;
            continue;
        }
        if (*at++ != (is_upper && *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c))
            return false;
        is_upper = false;
    }
    return strcmp(at, "Entry") == 0;
}

static void fill_field(pd_record_codec_t *codec, const ProtobufCMessageDescriptor *parent,
                       const ProtobufCFieldDescriptor *proto, pdi_field_t *field)
{
    field->name = proto->name;
    field->proto = proto;
    field->kind = kind_of(proto->type);
    field->offset = proto->offset;
    field->quantifier_offset = proto->quantifier_offset;
    if (field->kind == PDI_KIND_MESSAGE)
        field->type = pdi_type_get(codec, proto->descriptor);
    if (proto->label == PROTOBUF_C_LABEL_REPEATED) {
        bool is_map = is_map_entry(parent, proto) &&
                      field->type->proto->fields[0].type == PROTOBUF_C_TYPE_STRING;

        field->shape = is_map ? PDI_SHAPE_MAP : PDI_SHAPE_ARRAY;
        if (is_map)
            field->kind = kind_of(field->type->proto->fields[1].type);
    } else if (field->kind == PDI_KIND_MESSAGE || proto->label == PROTOBUF_C_LABEL_OPTIONAL) {
        field->shape = PDI_SHAPE_NULLABLE;
        if (field->kind == PDI_KIND_MESSAGE || field->kind == PDI_KIND_STRING)
            field->quantifier_offset = 0; /* presence is the pointer */
    } else {
        field->shape = PDI_SHAPE_PLAIN;
        field->quantifier_offset = 0;
    }
}

static const char *oneof_name(pd_record_codec_t *codec, const ProtobufCMessageDescriptor *message,
                              uint32_t tag)
{
    for (const pdi_oneof_name_t *entry = pdi_oneof_names; entry->message; entry++)
        if (entry->tag == tag && strcmp(entry->message, message->name) == 0)
            return entry->name;
    return pd_arena_printf(&codec->arena, "oneof_%u", tag);
}

static void fill_oneof(pd_record_codec_t *codec, const ProtobufCMessageDescriptor *message,
                       unsigned first, pdi_field_t *field)
{
    const ProtobufCFieldDescriptor *protos = message->fields;
    uint32_t case_offset = protos[first].quantifier_offset;
    pdi_oneof_t *oneof = PD_ARENA_NEW(&codec->arena, pdi_oneof_t);
    uint16_t *branch_by_tag;

    field->shape = PDI_SHAPE_ONEOF;
    field->name = oneof_name(codec, message, protos[first].id);
    field->proto = &protos[first];
    field->quantifier_offset = case_offset;
    field->oneof = oneof;
    oneof->tag_min = protos[first].id;
    oneof->alternatives = pd_arena_calloc(&codec->arena, message->n_fields, sizeof(pdi_field_t));
    for (unsigned i = first; i < message->n_fields; i++) {
        pdi_field_t *alternative = &oneof->alternatives[oneof->alternative_count];

        if (!(protos[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
            protos[i].quantifier_offset != case_offset)
            continue;
        fill_field(codec, message, &protos[i], alternative);
        alternative->shape = PDI_SHAPE_PLAIN;
        alternative->quantifier_offset = 0;
        oneof->tag_count = protos[i].id - oneof->tag_min + 1;
        oneof->alternative_count++;
    }
    /* Tags of one oneof lie close together; a far one would only cost memory, up to this much. */
    PD_ASSERT(oneof->tag_count <= 65536);
    branch_by_tag = pd_arena_calloc(&codec->arena, oneof->tag_count, sizeof(*branch_by_tag));
    for (uint32_t i = 0; i < oneof->alternative_count; i++)
        branch_by_tag[oneof->alternatives[i].proto->id - oneof->tag_min] = (uint16_t)(i + 1);
    oneof->branch_by_tag = branch_by_tag;
}

/* Is this alternative of a oneof not the first one? */
static bool is_later_alternative(const ProtobufCMessageDescriptor *message, unsigned index)
{
    const ProtobufCFieldDescriptor *field = &message->fields[index];

    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return false;
    for (unsigned i = 0; i < index; i++)
        if ((message->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
            message->fields[i].quantifier_offset == field->quantifier_offset)
            return true;
    return false;
}

static void add_type(pd_record_codec_t *codec, pdi_type_t *type)
{
    if (codec->type_count == codec->type_capacity) {
        codec->type_capacity = codec->type_capacity ? codec->type_capacity * 2 : 64;
        codec->types = pd_realloc(codec->types, codec->type_capacity * sizeof(*codec->types));
    }
    codec->types[codec->type_count++] = type;
}

const pdi_type_t *pdi_type_get(pd_record_codec_t *codec, const ProtobufCMessageDescriptor *proto)
{
    pdi_type_t *type;
    pdi_field_t *fields;
    ProtobufCMessage *empty;

    for (uint32_t i = 0; i < codec->type_count; i++)
        if (codec->types[i]->proto == proto)
            return codec->types[i];

    /* Known before its fields are, since they may lead back to it. */
    type = PD_ARENA_NEW(&codec->arena, pdi_type_t);
    type->proto = proto;
    add_type(codec, type);
    empty = pd_arena_calloc(&codec->arena, 1, proto->sizeof_message);
    protobuf_c_message_init(proto, empty);
    type->empty = empty;

    fields = pd_arena_calloc(&codec->arena, proto->n_fields, sizeof(*fields));
    type->fields = fields;
    for (unsigned i = 0; i < proto->n_fields; i++) {
        if (is_later_alternative(proto, i))
            continue;
        if (proto->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            fill_oneof(codec, proto, i, &fields[type->field_count]);
        else
            fill_field(codec, proto, &proto->fields[i], &fields[type->field_count]);
        type->field_count++;
    }
    return type;
}

const pdi_type_t *pdi_type_find(const pd_record_codec_t *codec, const char *full_name)
{
    for (uint32_t i = 0; i < codec->type_count; i++)
        if (strcmp(codec->types[i]->proto->name, full_name) == 0)
            return codec->types[i];
    return NULL;
}

const pdi_field_t *pdi_type_field(const pdi_type_t *type, const char *name)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}
