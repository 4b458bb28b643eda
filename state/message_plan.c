#include "state/message_plan.h"

#include <perdure/v1/record.pb-c.h>
#include <perdure/v1/state.pb-c.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    SLOT_COUNT = 2048, /* a power of two, several times the number of types */
    TYPE_COUNT_MAX = SLOT_COUNT / 2,
    WIRE_VARINT = 0,
    WIRE_BYTES = 2,
};

static const ProtobufCMessageDescriptor *const roots[] = {
    &perdure__v1__record__descriptor,        &perdure__v1__execution_row__descriptor,
    &perdure__v1__namespace_row__descriptor, &perdure__v1__current_run_row__descriptor,
    &perdure__v1__ready_row__descriptor,     &perdure__v1__meta_row__descriptor,
};

static struct {
    const ProtobufCMessageDescriptor *type;
    pdi_plan_t *plan; /* NULL: has none */
} slots[SLOT_COUNT];
static unsigned type_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static size_t slot_of(const ProtobufCMessageDescriptor *type)
{
    size_t at = (size_t)(((uint64_t)(uintptr_t)type * 0x9e3779b97f4a7c15u) >> 53);

    while (slots[at].type && slots[at].type != type)
        at = (at + 1) & (SLOT_COUNT - 1);
    return at;
}
_Static_assert(SLOT_COUNT == 1 << (64 - 53), "the hash has as many bits as there are slots");

static pdi_field_kind_t kind_of(const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return PDI_FIELD_REPEATED;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return PDI_FIELD_ONEOF;
    if (field->label != PROTOBUF_C_LABEL_NONE)
        return PDI_FIELD_OTHER;
    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return PDI_FIELD_STRING;
    case PROTOBUF_C_TYPE_BYTES:
        return PDI_FIELD_BYTES;
    case PROTOBUF_C_TYPE_MESSAGE:
        return PDI_FIELD_MESSAGE;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return PDI_FIELD_64;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM:
        return PDI_FIELD_32;
    case PROTOBUF_C_TYPE_BOOL:
        return PDI_FIELD_BOOL;
    default:
        return PDI_FIELD_OTHER;
    }
}

/* Of the kinds whose tag is written by the plan. */
static int wire_of(pdi_field_kind_t kind)
{
    return kind == PDI_FIELD_64 || kind == PDI_FIELD_32 || kind == PDI_FIELD_BOOL ? WIRE_VARINT
                                                                                  : WIRE_BYTES;
}

static pdi_plan_t *plan_new(const ProtobufCMessageDescriptor *type)
{
    pdi_plan_t *plan = pd_calloc(1, sizeof(*plan) + type->n_fields * sizeof(plan->fields[0]));

    plan->field_count = type->n_fields;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        pdi_plan_field_t *to = &plan->fields[i];
        uint32_t tag;

        if (field->id > UINT16_MAX || field->offset > UINT16_MAX ||
            field->quantifier_offset > UINT16_MAX) {
            pd_free(plan);
            return NULL;
        }
        to->kind = (uint8_t)kind_of(field);
        to->id = (uint16_t)field->id;
        to->offset = (uint16_t)field->offset;
        to->quantifier_offset = (uint16_t)field->quantifier_offset;
        tag = field->id << 3 | (unsigned)wire_of((pdi_field_kind_t)to->kind);
        for (; tag >= 0x80; tag >>= 7)
            to->tag[to->tag_size++] = (uint8_t)(tag | 0x80);
        to->tag[to->tag_size++] = (uint8_t)tag;
    }
    return plan;
}

static void add_type(const ProtobufCMessageDescriptor *type)
{
    size_t at = slot_of(type);

    if (slots[at].type)
        return;
    PD_ASSERT(++type_count <= TYPE_COUNT_MAX);
    slots[at].type = type;
    slots[at].plan = plan_new(type);
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            add_type(type->fields[i].descriptor);
    }
}

static void build(void)
{
    for (size_t i = 0; i < PD_ARRAY_COUNT(roots); i++)
        add_type(roots[i]);
}

void pdi_plans_init(void)
{
    pthread_once(&once, build);
}

const pdi_plan_t *pdi_plan(const ProtobufCMessageDescriptor *type)
{
    return slots[slot_of(type)].plan;
}
