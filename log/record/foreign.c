#include "log/record/foreign.h"

#include <avro.h>
#include <jansson.h>

#include "base/memory.h"
#include "log/record/record_private.h"

enum { DEPTH_MAX = 100 };

struct pd_foreign_schema {
    avro_schema_t schema;
    avro_value_iface_t *iface;
    uint64_t fingerprint;
};

pd_status_t pd_foreign_schema_new(const char *schema_json, pd_foreign_schema_t **schema,
                                  pd_error_t *error)
{
    pd_foreign_schema_t *self = PD_NEW(pd_foreign_schema_t);

    *schema = NULL;
    if (avro_schema_from_json_length(schema_json, strlen(schema_json), &self->schema) != 0) {
        pd_free(self);
        return pd_error_set(error, PD_INVALID, "not an Avro schema: %s", avro_strerror());
    }
    self->iface = avro_generic_class_from_schema(self->schema);
    self->fingerprint = pdi_schema_fingerprint(self->schema);
    *schema = self;
    if (self->iface)
        return PD_OK;
    pd_foreign_schema_free(self);
    *schema = NULL;
    return pd_error_set(error, PD_INVALID, "an Avro schema that cannot be read by: %s",
                        avro_strerror());
}

void pd_foreign_schema_free(pd_foreign_schema_t *schema)
{
    if (!schema)
        return;
    if (schema->iface)
        avro_value_iface_decref(schema->iface);
    avro_schema_decref(schema->schema);
    pd_free(schema);
}

/* ---- values ---- */

static json_t *to_json(avro_value_t *value, int depth);

static json_t *bytes_json(const uint8_t *bytes, size_t size)
{
    char *text = pd_alloc(2 * size + 1);
    size_t at = 0;
    json_t *json;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] >= 0x80)
            text[at++] = (char)(0xc0 | bytes[i] >> 6);
        text[at++] = (char)(bytes[i] < 0x80 ? bytes[i] : 0x80 | (bytes[i] & 0x3f));
    }
    json = json_stringn(text, at);
    pd_free(text);
    return json;
}

static json_t *array_json(avro_value_t *value, int depth)
{
    json_t *json = json_array();
    size_t count = 0;

    avro_value_get_size(value, &count);
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;

        if (avro_value_get_by_index(value, i, &item, NULL) != 0 ||
            json_array_append_new(json, to_json(&item, depth)) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

/* Records and maps. */
static json_t *object_json(avro_value_t *value, int depth)
{
    json_t *json = json_object();
    size_t count = 0;

    avro_value_get_size(value, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name;
        avro_value_t item;

        if (avro_value_get_by_index(value, i, &item, &name) != 0 ||
            json_object_set_new(json, name, to_json(&item, depth)) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

static json_t *number_json(avro_value_t *value, avro_type_t type)
{
    int32_t i32 = 0;
    int64_t i64 = 0;
    float f = 0;
    double d = 0;

    switch ((int)type) {
    case AVRO_INT32:
        avro_value_get_int(value, &i32);
        return json_integer(i32);
    case AVRO_INT64:
        avro_value_get_long(value, &i64);
        return json_integer(i64);
    case AVRO_FLOAT:
        avro_value_get_float(value, &f);
        return json_real((double)f);
    default:
        avro_value_get_double(value, &d);
        return json_real(d);
    }
}

static json_t *text_json(avro_value_t *value, avro_type_t type)
{
    const void *data = NULL;
    const char *text = NULL;
    size_t size = 0;
    int symbol = 0;

    switch ((int)type) {
    case AVRO_STRING:
        avro_value_get_string(value, &text, &size);
        return json_stringn(text, size ? size - 1 : 0); /* counted with its NUL */
    case AVRO_BYTES:
        avro_value_get_bytes(value, &data, &size);
        return bytes_json(data, size);
    case AVRO_FIXED:
        avro_value_get_fixed(value, &data, &size);
        return bytes_json(data, size);
    default:
        avro_value_get_enum(value, &symbol);
        return json_string(avro_schema_enum_get(avro_value_get_schema(value), symbol));
    }
}

/* NULL: too deep, or a text that is not UTF-8. */
static json_t *to_json(avro_value_t *value, int depth)
{
    avro_type_t type = avro_value_get_type(value);
    avro_value_t branch;
    int is_true = 0;

    if (depth >= DEPTH_MAX)
        return NULL;
    switch ((int)type) {
    case AVRO_NULL:
        return json_null();
    case AVRO_BOOLEAN:
        avro_value_get_boolean(value, &is_true);
        return json_boolean(is_true);
    case AVRO_INT32:
    case AVRO_INT64:
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return number_json(value, type);
    case AVRO_STRING:
    case AVRO_BYTES:
    case AVRO_FIXED:
    case AVRO_ENUM:
        return text_json(value, type);
    case AVRO_ARRAY:
        return array_json(value, depth + 1);
    case AVRO_RECORD:
    case AVRO_MAP:
        return object_json(value, depth + 1);
    case AVRO_UNION:
        return avro_value_get_current_branch(value, &branch) == 0 ? to_json(&branch, depth + 1)
                                                                  : NULL;
    default:
        return NULL;
    }
}

/* ---- records ---- */

static pd_status_t check_header(const pd_foreign_schema_t *schema, pd_bytes_t bytes,
                                pd_error_t *error)
{
    uint64_t fingerprint;

    if (bytes.size < PD_RECORD_HEADER_SIZE || bytes.data[0] != 0xc3 || bytes.data[1] != 0x01)
        return pd_error_set(error, PD_INVALID, "not in Avro's single-object encoding");
    memcpy(&fingerprint, bytes.data + 2, sizeof(fingerprint)); /* little-endian, as we are */
    if (fingerprint != schema->fingerprint)
        return pd_error_set(
            error, PD_INVALID, "written with schema %016llx, the mapping reads %016llx",
            (unsigned long long)fingerprint, (unsigned long long)schema->fingerprint);
    return PD_OK;
}

pd_status_t pd_foreign_read(const pd_foreign_schema_t *schema, pd_bytes_t bytes,
                            struct json_t **value, pd_error_t *error)
{
    avro_reader_t reader;
    avro_value_t avro;
    json_t *json = NULL;

    *value = NULL;
    PD_TRY(check_header(schema, bytes, error));
    if (avro_generic_value_new(schema->iface, &avro) != 0)
        return pd_error_set(error, PD_INVALID, "Avro: %s", avro_strerror());
    reader = avro_reader_memory((const char *)bytes.data + PD_RECORD_HEADER_SIZE,
                                (int64_t)(bytes.size - PD_RECORD_HEADER_SIZE));
    if (avro_value_read(reader, &avro) != 0) {
        pd_error_set(error, PD_INVALID, "malformed Avro: %s", avro_strerror());
    } else {
        char rest;

        json = avro_read(reader, &rest, 1) == 0 ? NULL : to_json(&avro, 0);
        if (!json)
            pd_error_set(error, PD_INVALID,
                         "the Avro value is followed by more bytes, or has a text that is not "
                         "UTF-8");
    }
    avro_reader_free(reader);
    avro_value_decref(&avro);
    *value = json;
    return json ? PD_OK : PD_INVALID;
}
