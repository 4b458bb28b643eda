/* codec.c -- making a codec: types from descriptors, the schema from types, steps from the schema.
 */
#include <string.h>

#include "base/assert.h"
#include "base/diag.h"
#include "base/memory.h"
#include "log/record/record_private.h"

/* PD_EXISTS when a writer with this fingerprint is there already. */
static pd_status_t add_writer(pd_record_codec_t *codec, const char *schema_json, pd_error_t *error)
{
    pdi_writer_t *writer = &codec->writers[codec->writer_count];
    pd_status_t status;

    if (codec->writer_count == PDI_WRITERS_MAX)
        return pd_error_set(error, PD_LIMIT, "schema: more than %d of them", PDI_WRITERS_MAX);
    memset(writer, 0, sizeof(*writer));
    if (avro_schema_from_json_length(schema_json, strlen(schema_json), &writer->schema) != 0)
        return pd_error_set(error, PD_INVALID, "schema: %s", avro_strerror());
    status = pdi_resolve(codec, writer->schema, codec->root, &writer->reader, error);
    if (status == PD_OK) {
        writer->fingerprint = pdi_schema_fingerprint(writer->schema);
        for (uint32_t i = 0; i < codec->writer_count && status == PD_OK; i++)
            if (codec->writers[i].fingerprint == writer->fingerprint)
                status = pd_error_set(error, PD_EXISTS, "schema: registered already");
    }
    if (status != PD_OK) {
        avro_schema_decref(writer->schema);
        return status;
    }
    codec->writer_count++;
    return PD_OK;
}

/* A test resolves them all, so this cannot fail in a binary that has been tested. */
static void add_kept_schemas(pd_record_codec_t *codec)
{
    for (const pdi_kept_schema_t *kept = pdi_kept_schemas; kept->root; kept++) {
        pd_error_t error = {.text = ""};
        pd_status_t status;

        if (strcmp(kept->root, codec->root->proto->name) != 0 ||
            kept->fingerprint == codec->writers[0].fingerprint)
            continue;
        status = add_writer(codec, kept->json, &error);
        if (status != PD_OK)
            PD_DIAG(PD_DIAG_ERROR, "kept schema does not resolve", "root=%s reason=\"%s\"",
                    kept->root, error.text);
        PD_ASSERT(status == PD_OK);
        PD_ASSERT(codec->writers[codec->writer_count - 1].fingerprint == kept->fingerprint);
    }
}

pd_record_codec_t *pd_record_codec_new(const ProtobufCMessageDescriptor *root)
{
    pd_record_codec_t *codec = PD_NEW(pd_record_codec_t);
    pd_error_t error = {.text = ""};

    pd_arena_init(&codec->arena);
    PD_ASSERT(pthread_mutex_init(&codec->json_lock, NULL) == 0);
    codec->root = pdi_type_get(codec, root);
    codec->schema_json = pdi_schema_write(codec->root);
    PD_ASSERT(add_writer(codec, codec->schema_json, &error) == PD_OK);
    PD_ASSERT(codec->writer_count == 1);
    add_kept_schemas(codec);
    return codec;
}

void pd_record_codec_free(pd_record_codec_t *codec)
{
    if (!codec)
        return;
    for (uint32_t i = 0; i < codec->writer_count; i++) {
        if (codec->writers[i].generic)
            avro_value_iface_decref(codec->writers[i].generic);
        avro_schema_decref(codec->writers[i].schema);
    }
    PD_ASSERT(pthread_mutex_destroy(&codec->json_lock) == 0);
    pd_free(codec->schema_json);
    pd_free(codec->types);
    pd_arena_deinit(&codec->arena);
    pd_free(codec);
}

uint64_t pd_record_codec_fingerprint(const pd_record_codec_t *codec)
{
    return codec->writers[0].fingerprint;
}

const char *pd_record_codec_schema_json(const pd_record_codec_t *codec)
{
    return codec->schema_json;
}

pd_status_t pd_record_codec_add_writer_schema(pd_record_codec_t *codec, const char *schema_json,
                                              pd_error_t *error)
{
    return add_writer(codec, schema_json, error);
}
