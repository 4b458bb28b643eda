/* canonical.c -- Parsing Canonical Form and CRC-64-AVRO, as the Avro specification defines them.
 *
 * avro-c 1.11 has neither. The form is taken from the parsed schema, so that defaults, docs and
 * other attributes are gone already and every name is a full one. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "log/record/record_private.h"

enum { CANONICAL_SIZE_MAX = 16 * 1024 * 1024 };

static const uint64_t CRC_EMPTY = UINT64_C(0xc15d213aa4d7a795);

static void put(pd_buf_t *text, const char *format, ...) PD_PRINTF(2, 3);

static void put(pd_buf_t *text, const char *format, ...)
{
    char piece[1024];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(piece, sizeof(piece), format, args);
    va_end(args);
    PD_ASSERT(size >= 0 && (size_t)size < sizeof(piece));
    PD_ASSERT(pd_buf_append(text, piece, (size_t)size) == PD_OK);
}

static void put_name(pd_buf_t *text, avro_schema_t schema)
{
    const char *space = avro_schema_namespace(schema);

    put(text, "\"%s%s%s\"", space ? space : "", space && space[0] ? "." : "",
        avro_schema_name(schema));
}

static void put_schema(pd_buf_t *text, avro_schema_t schema);

static void put_record(pd_buf_t *text, avro_schema_t schema)
{
    int count = (int)avro_schema_record_size(schema);

    put(text, "{\"name\":");
    put_name(text, schema);
    put(text, ",\"type\":\"record\",\"fields\":[");
    for (int i = 0; i < count; i++) {
        put(text, "%s{\"name\":\"%s\",\"type\":", i ? "," : "",
            avro_schema_record_field_name(schema, i));
        put_schema(text, avro_schema_record_field_get_by_index(schema, i));
        put(text, "}");
    }
    put(text, "]}");
}

static void put_schema(pd_buf_t *text, avro_schema_t schema)
{
    switch (avro_typeof(schema)) {
    case AVRO_RECORD:
        put_record(text, schema);
        return;
    case AVRO_LINK: /* a named type, once more */
        put_name(text, avro_schema_link_target(schema));
        return;
    case AVRO_ARRAY:
        put(text, "{\"type\":\"array\",\"items\":");
        put_schema(text, avro_schema_array_items(schema));
        put(text, "}");
        return;
    case AVRO_MAP:
        put(text, "{\"type\":\"map\",\"values\":");
        put_schema(text, avro_schema_map_values(schema));
        put(text, "}");
        return;
    case AVRO_UNION:
        put(text, "[");
        for (int i = 0; i < (int)avro_schema_union_size(schema); i++) {
            put(text, "%s", i ? "," : "");
            put_schema(text, avro_schema_union_branch(schema, i));
        }
        put(text, "]");
        return;
    case AVRO_ENUM:
    case AVRO_FIXED:
        PD_UNREACHABLE(); /* pdi_resolve has refused them */
    case AVRO_STRING:
    case AVRO_BYTES:
    case AVRO_INT32:
    case AVRO_INT64:
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
    case AVRO_BOOLEAN:
    case AVRO_NULL:
        put(text, "\"%s\"", avro_schema_type_name(schema));
        return;
    }
    PD_UNREACHABLE();
}

char *pdi_schema_canonical(avro_schema_t schema)
{
    pd_buf_t text;
    size_t size;

    pd_buf_init(&text, CANONICAL_SIZE_MAX);
    put_schema(&text, schema);
    PD_ASSERT(pd_buf_append(&text, "", 1) == PD_OK);
    return (char *)pd_buf_detach(&text, &size);
}

static uint64_t crc64(const uint8_t *data, size_t size)
{
    uint64_t table[256];
    uint64_t crc = CRC_EMPTY;

    for (uint64_t i = 0; i < 256; i++) {
        uint64_t entry = i;

        for (int bit = 0; bit < 8; bit++)
            entry = (entry >> 1) ^ (CRC_EMPTY & (0 - (entry & 1)));
        table[i] = entry;
    }
    for (size_t i = 0; i < size; i++)
        crc = (crc >> 8) ^ table[(crc ^ data[i]) & 0xff];
    return crc;
}

uint64_t pdi_schema_fingerprint(avro_schema_t schema)
{
    char *text = pdi_schema_canonical(schema);
    uint64_t fingerprint = crc64((const uint8_t *)text, strlen(text));

    pd_free(text);
    return fingerprint;
}
