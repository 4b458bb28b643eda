/* resolve.c -- from a writer's schema to the steps that read its records into our messages.
 *
 * Avro's schema resolution, done once per schema instead of once per value (avro-c 1.11 does not
 * know defaults of missing fields, so its own resolver would refuse every field that was added
 * since): field of the writer that we do not have     skipped field of ours that the writer did not
 * have  keeps protobuf's default T -> [null, T] and back                     value set; null gives
 * the default alternatives of a oneof                     by name; unknown ones are skipped,
 * nothing is chosen int -> long, float -> double, string <-> bytes  promoted Everything else is
 * refused when the schema is registered, never while reading. */
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "log/record/record_private.h"

typedef struct resolver {
    pd_record_codec_t *codec;
    pd_error_t *error;
    uint32_t depth;
    avro_schema_t *wire_schemas; /* records met so far, and their nodes */
    pdi_wire_t **wires;
    uint32_t wire_count;
    pdi_reader_t **readers;
    uint32_t reader_count;
    uint32_t wire_capacity;
    uint32_t reader_capacity;
} resolver_t;

static avro_schema_t follow(avro_schema_t schema)
{
    return avro_typeof(schema) == AVRO_LINK ? avro_schema_link_target(schema) : schema;
}

static pdi_wire_t *known_wire(resolver_t *resolver, avro_schema_t schema)
{
    for (uint32_t i = 0; i < resolver->wire_count; i++)
        if (resolver->wire_schemas[i] == schema)
            return resolver->wires[i];
    return NULL;
}

static void remember_wire(resolver_t *resolver, avro_schema_t schema, pdi_wire_t *wire)
{
    if (resolver->wire_count == resolver->wire_capacity) {
        size_t capacity = resolver->wire_capacity ? resolver->wire_capacity * 2 : 64;

        resolver->wire_schemas =
            pd_realloc(resolver->wire_schemas, capacity * sizeof(*resolver->wire_schemas));
        resolver->wires = pd_realloc(resolver->wires, capacity * sizeof(*resolver->wires));
        resolver->wire_capacity = (uint32_t)capacity;
    }
    resolver->wire_schemas[resolver->wire_count] = schema;
    resolver->wires[resolver->wire_count++] = wire;
}

static void remember_reader(resolver_t *resolver, pdi_reader_t *reader)
{
    if (resolver->reader_count == resolver->reader_capacity) {
        size_t capacity = resolver->reader_capacity ? resolver->reader_capacity * 2 : 64;

        resolver->readers = pd_realloc(resolver->readers, capacity * sizeof(*resolver->readers));
        resolver->reader_capacity = (uint32_t)capacity;
    }
    resolver->readers[resolver->reader_count++] = reader;
}

/* --- the writer's side --- */

static avro_schema_t part_of(avro_schema_t schema, uint32_t index)
{
    switch (avro_typeof(schema)) {
    case AVRO_RECORD:
        return avro_schema_record_field_get_by_index(schema, (int)index);
    case AVRO_UNION:
        return avro_schema_union_branch(schema, (int)index);
    case AVRO_ARRAY:
        return avro_schema_array_items(schema);
    case AVRO_MAP:
        return avro_schema_map_values(schema);
    default:
        PD_UNREACHABLE();
    }
}

static uint32_t min_size_of(const pdi_wire_t *wire)
{
    uint32_t sum = 0;

    switch (wire->avro_type) {
    case AVRO_NULL:
        return 0;
    case AVRO_FLOAT:
        return 4;
    case AVRO_DOUBLE:
        return 8;
    case AVRO_RECORD:
        for (uint32_t i = 0; i < wire->part_count && sum < 65536; i++)
            sum += wire->parts[i]->min_size;
        return sum;
    default:
        return 1;
    }
}

static pd_status_t make_wire(resolver_t *resolver, avro_schema_t schema, const pdi_wire_t **out)
{
    pdi_wire_t *wire;
    const pdi_wire_t **parts;

    schema = follow(schema);
    *out = wire = known_wire(resolver, schema);
    if (wire)
        return PD_OK;
    if (resolver->depth >= PDI_SCHEMA_DEPTH_MAX)
        return pd_error_set(resolver->error, PD_INVALID, "schema: nested too deeply");
    *out = wire = PD_ARENA_NEW(&resolver->codec->arena, pdi_wire_t);
    wire->avro_type = avro_typeof(schema);
    switch (wire->avro_type) {
    case AVRO_RECORD:
        remember_wire(resolver, schema, wire);
        wire->part_count = (uint32_t)avro_schema_record_size(schema);
        break;
    case AVRO_UNION:
        wire->part_count = (uint32_t)avro_schema_union_size(schema);
        break;
    case AVRO_ARRAY:
    case AVRO_MAP:
        wire->part_count = 1;
        break;
    case AVRO_ENUM:
    case AVRO_FIXED:
        return pd_error_set(resolver->error, PD_INVALID, "schema: %s is never written by Perdure",
                            avro_schema_type_name(schema));
    default:
        break;
    }
    parts = pd_arena_calloc(&resolver->codec->arena, wire->part_count + 1, sizeof(pdi_wire_t *));
    wire->parts = parts;
    resolver->depth++;
    for (uint32_t i = 0; i < wire->part_count; i++)
        PD_TRY(make_wire(resolver, part_of(schema, i), &parts[i]));
    resolver->depth--;
    wire->min_size = min_size_of(wire);
    return PD_OK;
}

/* --- both sides --- */

static pd_status_t make_reader(resolver_t *resolver, avro_schema_t schema, const pdi_type_t *type,
                               const pdi_reader_t **out);

static bool is_kind_readable(pdi_kind_t kind, avro_type_t avro_type)
{
    switch (kind) {
    case PDI_KIND_BOOL:
        return avro_type == AVRO_BOOLEAN;
    case PDI_KIND_INT32:
        return avro_type == AVRO_INT32;
    case PDI_KIND_UINT32:
    case PDI_KIND_INT64:
        return avro_type == AVRO_INT64 || avro_type == AVRO_INT32;
    case PDI_KIND_FLOAT:
        return avro_type == AVRO_FLOAT;
    case PDI_KIND_DOUBLE:
        return avro_type == AVRO_DOUBLE || avro_type == AVRO_FLOAT;
    case PDI_KIND_STRING:
    case PDI_KIND_BYTES:
        return avro_type == AVRO_STRING || avro_type == AVRO_BYTES;
    case PDI_KIND_MESSAGE:
        return avro_type == AVRO_RECORD;
    }
    PD_UNREACHABLE();
}

static pd_status_t make_value(resolver_t *resolver, avro_schema_t schema, const pdi_field_t *field,
                              pdi_kind_t kind, const pdi_type_t *type, pdi_value_t *value)
{
    schema = follow(schema);
    if (!is_kind_readable(kind, avro_typeof(schema)))
        return pd_error_set(resolver->error, PD_INVALID, "schema: field %s cannot be read from %s",
                            field->name, avro_schema_type_name(schema));
    value->kind = kind;
    value->is_narrow = (kind == PDI_KIND_DOUBLE && avro_typeof(schema) == AVRO_FLOAT) ||
                       (kind == PDI_KIND_INT64 && avro_typeof(schema) == AVRO_INT32);
    PD_TRY(make_wire(resolver, schema, &value->wire));
    if (kind == PDI_KIND_MESSAGE)
        return make_reader(resolver, schema, type, &value->reader);
    return PD_OK;
}

static pd_status_t make_single(resolver_t *resolver, avro_schema_t schema, const pdi_field_t *field,
                               pdi_step_t *step)
{
    avro_schema_t inner = schema;

    step->op = PDI_STEP_PLAIN;
    if (avro_typeof(schema) == AVRO_UNION) {
        step->op = PDI_STEP_NULLABLE;
        if (avro_schema_union_size(schema) == 2)
            step->null_branch = avro_typeof(avro_schema_union_branch(schema, 0)) != AVRO_NULL;
        if (avro_schema_union_size(schema) != 2 ||
            avro_typeof(avro_schema_union_branch(schema, (int)step->null_branch)) != AVRO_NULL)
            return pd_error_set(resolver->error, PD_INVALID,
                                "schema: field %s is not a union of null and one type",
                                field->name);
        inner = avro_schema_union_branch(schema, 1 - (int)step->null_branch);
    }
    return make_value(resolver, inner, field, field->kind, field->type, &step->value);
}

static pd_status_t make_branch(resolver_t *resolver, avro_schema_t schema, const pdi_field_t *field,
                               pdi_branch_t *branch)
{
    const char *name;

    schema = follow(schema);
    PD_TRY(make_wire(resolver, schema, &branch->wire));
    if (avro_typeof(schema) == AVRO_NULL)
        return PD_OK;
    if (avro_typeof(schema) != AVRO_RECORD || avro_schema_record_size(schema) != 1)
        return pd_error_set(resolver->error, PD_INVALID,
                            "schema: an alternative of oneof %s is not a record of one field",
                            field->name);
    name = avro_schema_record_field_name(schema, 0);
    for (uint32_t i = 0; i < field->oneof->alternative_count; i++) {
        const pdi_field_t *alternative = &field->oneof->alternatives[i];

        if (strcmp(alternative->name, name) != 0)
            continue;
        branch->tag = alternative->proto->id;
        branch->offset = alternative->offset;
        return make_value(resolver, avro_schema_record_field_get_by_index(schema, 0), alternative,
                          alternative->kind, alternative->type, &branch->value);
    }
    return PD_OK; /* not known to us: skipped */
}

static pd_status_t make_oneof(resolver_t *resolver, avro_schema_t schema, const pdi_field_t *field,
                              pdi_step_t *step)
{
    pdi_branch_t *branches;

    if (avro_typeof(schema) != AVRO_UNION)
        return pd_error_set(resolver->error, PD_INVALID, "schema: oneof %s is not a union",
                            field->name);
    step->op = PDI_STEP_ONEOF;
    step->branch_count = (uint32_t)avro_schema_union_size(schema);
    branches = pd_arena_calloc(&resolver->codec->arena, step->branch_count, sizeof(*branches));
    step->branches = branches;
    for (uint32_t i = 0; i < step->branch_count; i++)
        PD_TRY(
            make_branch(resolver, avro_schema_union_branch(schema, (int)i), field, &branches[i]));
    return PD_OK;
}

static pd_status_t make_repeated(resolver_t *resolver, avro_schema_t schema,
                                 const pdi_field_t *field, pdi_step_t *step)
{
    bool is_map = field->shape == PDI_SHAPE_MAP;
    const pdi_field_t *value;

    if (avro_typeof(schema) != (is_map ? AVRO_MAP : AVRO_ARRAY))
        return pd_error_set(resolver->error, PD_INVALID, "schema: field %s is not %s", field->name,
                            is_map ? "a map" : "an array");
    if (!is_map) {
        step->op = PDI_STEP_ARRAY;
        return make_value(resolver, avro_schema_array_items(schema), field, field->kind,
                          field->type, &step->value);
    }
    value = &field->type->fields[1];
    step->op = PDI_STEP_MAP;
    step->entry_type = field->type;
    return make_value(resolver, avro_schema_map_values(schema), field, value->kind, value->type,
                      &step->value);
}

static pd_status_t make_step(resolver_t *resolver, const char *name, avro_schema_t schema,
                             const pdi_type_t *type, pdi_step_t *step)
{
    const pdi_field_t *field = pdi_type_field(type, name);

    schema = follow(schema);
    PD_TRY(make_wire(resolver, schema, &step->value.wire));
    if (!field) {
        /* Became part of a oneof since, or left one: skipping it would lose it silently. */
        if (protobuf_c_message_descriptor_get_field_by_name(type->proto, name))
            return pd_error_set(resolver->error, PD_INVALID,
                                "schema: field %s of %s is part of a oneof now", name,
                                type->proto->name);
        step->op = PDI_STEP_SKIP;
        return PD_OK;
    }
    step->offset = field->offset;
    step->quantifier_offset = field->quantifier_offset;
    switch ((pdi_shape_t)field->shape) {
    case PDI_SHAPE_PLAIN:
    case PDI_SHAPE_NULLABLE:
        return make_single(resolver, schema, field, step);
    case PDI_SHAPE_ARRAY:
    case PDI_SHAPE_MAP:
        return make_repeated(resolver, schema, field, step);
    case PDI_SHAPE_ONEOF:
        return make_oneof(resolver, schema, field, step);
    }
    PD_UNREACHABLE();
}

/* Is a zero byte at this step what the freshly initialised message says anyway? */
static bool is_zero_default(const pdi_step_t *step, const pdi_type_t *type)
{
    const uint8_t *member = (const uint8_t *)type->empty + step->offset;

    switch ((pdi_step_op_t)step->op) {
    case PDI_STEP_SKIP:
        return false;
    case PDI_STEP_ARRAY:
    case PDI_STEP_MAP:
        return true;
    case PDI_STEP_NULLABLE:
        return step->null_branch == 0;
    case PDI_STEP_ONEOF:
        return step->branches[0].wire->avro_type == AVRO_NULL;
    case PDI_STEP_PLAIN:
        break;
    }
    if (step->quantifier_offset != 0)
        return false;
    switch (step->value.kind) {
    case PDI_KIND_BOOL:
    case PDI_KIND_INT32:
    case PDI_KIND_UINT32:
        return *(const uint32_t *)member == 0;
    case PDI_KIND_INT64:
        return *(const uint64_t *)member == 0;
    case PDI_KIND_STRING: {
        const char *text = *(const char *const *)member;

        return text && text[0] == 0;
    }
    case PDI_KIND_BYTES:
        return ((const ProtobufCBinaryData *)member)->len == 0;
    case PDI_KIND_FLOAT:
    case PDI_KIND_DOUBLE:
    case PDI_KIND_MESSAGE:
        return false; /* their zero is not one byte */
    }
    PD_UNREACHABLE();
}

static pd_status_t make_reader(resolver_t *resolver, avro_schema_t schema, const pdi_type_t *type,
                               const pdi_reader_t **out)
{
    const char *short_name = type->proto->name + pdi_name_split(type->proto->name);
    pdi_reader_t *reader;
    pdi_step_t *steps;

    for (uint32_t i = 0; i < resolver->reader_count; i++) {
        *out = resolver->readers[i];
        if ((*out)->schema == schema && (*out)->type == type)
            return PD_OK;
    }
    if (strcmp(avro_schema_name(schema), short_name) != 0)
        return pd_error_set(resolver->error, PD_INVALID, "schema: record %s where %s is expected",
                            avro_schema_name(schema), short_name);
    if (resolver->depth >= PDI_SCHEMA_DEPTH_MAX)
        return pd_error_set(resolver->error, PD_INVALID, "schema: nested too deeply");

    /* Known before its steps are, since they may lead back to it. */
    reader = PD_ARENA_NEW(&resolver->codec->arena, pdi_reader_t);
    reader->schema = schema;
    reader->type = type;
    reader->step_count = (uint32_t)avro_schema_record_size(schema);
    *out = reader;
    remember_reader(resolver, reader);

    steps = pd_arena_calloc(&resolver->codec->arena, reader->step_count, sizeof(*steps));
    reader->steps = steps;
    resolver->depth++;
    for (uint32_t i = 0; i < reader->step_count; i++) {
        PD_TRY(make_step(resolver, avro_schema_record_field_name(schema, (int)i),
                         avro_schema_record_field_get_by_index(schema, (int)i), type, &steps[i]));
        steps[i].is_zero_default = is_zero_default(&steps[i], type);
    }
    resolver->depth--;
    return PD_OK;
}

pd_status_t pdi_resolve(pd_record_codec_t *codec, avro_schema_t writer_schema,
                        const pdi_type_t *type, const pdi_reader_t **out, pd_error_t *error)
{
    resolver_t resolver = {.codec = codec, .error = error};
    const pdi_wire_t *wire;
    pd_status_t status;

    if (avro_typeof(writer_schema) != AVRO_RECORD)
        return pd_error_set(error, PD_INVALID, "schema: not a record");
    status = make_wire(&resolver, writer_schema, &wire);
    if (status == PD_OK)
        status = make_reader(&resolver, writer_schema, type, out);
    pd_free(resolver.wire_schemas);
    pd_free(resolver.wires);
    pd_free(resolver.readers);
    return status;
}
