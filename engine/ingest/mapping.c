#include "engine/ingest/mapping.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "engine/ingest/expression.h"
#include "log/record/foreign.h"

struct pd_mapping {
    char *name;
    char *topic;
    char *namespace_name;
    pd_mapping_format_t format;
    pd_foreign_schema_t *schema;
    pd_expression_t *workflow_id, *workflow_type, *task_queue, *signal_name;
    pd_expression_t *signal_input, *start_input; /* NULL: none */
};

static pd_status_t compile(const pd_mapping_options_t *options, const char *key, const char *text,
                           pd_expression_t **expression, pd_error_t *error)
{
    pd_error_t inner = {.text = ""};
    pd_status_t status = PD_OK;

    if (!text || !text[0])
        pd_error_set(&inner, status = PD_INVALID, "is not set");
    else
        status = pd_expression_new(text, options->format != PD_MAPPING_RAW, expression, &inner);
    if (status != PD_OK)
        pd_error_set(error, status, "mapping %.100s: %s: %.300s", options->name, key, inner.text);
    return status;
}

static pd_status_t compile_all(pd_mapping_t *self, const pd_mapping_options_t *options,
                               pd_error_t *error)
{
    pd_error_t inner;

    if (!options->topic || !options->topic[0])
        return pd_error_set(error, PD_INVALID, "mapping %.100s: topic: is not set", options->name);
    if (options->format == PD_MAPPING_AVRO && !options->schema_json)
        return pd_error_set(error, PD_INVALID, "mapping %.100s: avro needs a schema",
                            options->name);
    if (options->format == PD_MAPPING_AVRO &&
        pd_foreign_schema_new(options->schema_json, &self->schema, &inner) != PD_OK)
        return pd_error_set(error, PD_INVALID, "mapping %.100s: schema: %.300s", options->name,
                            inner.text);
    PD_TRY(compile(options, "workflow_id", options->workflow_id, &self->workflow_id, error));
    PD_TRY(compile(options, "workflow_type", options->workflow_type, &self->workflow_type, error));
    PD_TRY(compile(options, "task_queue", options->task_queue, &self->task_queue, error));
    PD_TRY(compile(options, "signal_name", options->signal_name, &self->signal_name, error));
    if (options->signal_input)
        PD_TRY(compile(options, "signal_input", options->signal_input, &self->signal_input, error));
    if (options->start_input)
        PD_TRY(compile(options, "start_input", options->start_input, &self->start_input, error));
    return PD_OK;
}

pd_status_t pd_mapping_new(const pd_mapping_options_t *options, pd_mapping_t **mapping,
                           pd_error_t *error)
{
    pd_mapping_t *self = PD_NEW(pd_mapping_t);
    pd_status_t status;

    self->name = pd_strdup(options->name);
    self->topic = pd_strdup(options->topic ? options->topic : "");
    self->namespace_name = pd_strdup(options->namespace_name ? options->namespace_name : "default");
    self->format = options->format;
    status = compile_all(self, options, error);
    *mapping = self;
    if (status != PD_OK) {
        pd_mapping_free(self);
        *mapping = NULL;
    }
    return status;
}

void pd_mapping_free(pd_mapping_t *mapping)
{
    if (!mapping)
        return;
    pd_expression_free(mapping->workflow_id);
    pd_expression_free(mapping->workflow_type);
    pd_expression_free(mapping->task_queue);
    pd_expression_free(mapping->signal_name);
    pd_expression_free(mapping->signal_input);
    pd_expression_free(mapping->start_input);
    pd_foreign_schema_free(mapping->schema);
    pd_free(mapping->namespace_name);
    pd_free(mapping->name);
    pd_free(mapping->topic);
    pd_free(mapping);
}

const char *pd_mapping_name(const pd_mapping_t *mapping)
{
    return mapping->name;
}

const char *pd_mapping_topic(const pd_mapping_t *mapping)
{
    return mapping->topic;
}

/* ---- payloads ---- */

static Temporal__Api__Common__V1__Payloads *payloads(pd_arena_t *arena, const char *encoding,
                                                     pd_bytes_t data)
{
    Temporal__Api__Common__V1__Payloads *payloads =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__Payloads, temporal__api__common__v1__payloads);
    Temporal__Api__Common__V1__Payload *payload =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__Payload, temporal__api__common__v1__payload);
    Temporal__Api__Common__V1__Payload__MetadataEntry *entry =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__Payload__MetadataEntry,
                  temporal__api__common__v1__payload__metadata_entry);

    entry->key = (char *)"encoding";
    entry->value = (ProtobufCBinaryData){strlen(encoding), (uint8_t *)encoding};
    payload->metadata = PD_ARENA_NEW(arena, Temporal__Api__Common__V1__Payload__MetadataEntry *);
    payload->metadata[0] = entry;
    payload->n_metadata = 1;
    payload->data = (ProtobufCBinaryData){data.size, (uint8_t *)data.data};
    payloads->payloads = PD_ARENA_NEW(arena, Temporal__Api__Common__V1__Payload *);
    payloads->payloads[0] = payload;
    payloads->n_payloads = 1;
    return payloads;
}

static pd_status_t json_payloads(pd_arena_t *arena, const json_t *json,
                                 Temporal__Api__Common__V1__Payloads **out, pd_error_t *error)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    size_t size = text ? strlen(text) : 0;

    if (!text)
        return pd_error_set(error, PD_INVALID, "the payload cannot be written as JSON");
    *out = payloads(arena, "json/plain", pd_bytes(pd_arena_memdup(arena, text, size), size));
    json_free_t give_back;
    json_get_alloc_funcs(NULL, &give_back);
    give_back(text);
    return PD_OK;
}

/* The whole value keeps its bytes. What is a piece of it, is JSON; so are keys, headers, texts. */
static pd_status_t map_payload(const pd_mapping_t *mapping, const pd_expression_t *expression,
                               const pd_ingest_value_t *value, pd_arena_t *arena,
                               Temporal__Api__Common__V1__Payloads **out, pd_error_t *error)
{
    pd_expression_result_t result;
    pd_status_t status;
    json_t *text;
    char *string;

    if (!expression)
        return PD_OK;
    PD_TRY(pd_expression_apply(expression, value, arena, &result, error));
    if (result.bytes.data == value->record->value.data && !result.json) {
        *out = payloads(arena, "binary/plain", result.bytes);
        return PD_OK;
    }
    if (result.json == value->json && result.json && mapping->format == PD_MAPPING_JSON) {
        *out = payloads(arena, "json/plain", value->record->value);
        return PD_OK;
    }
    if (result.json)
        return json_payloads(arena, result.json, out, error);
    PD_TRY(pd_expression_text(expression, value, arena, &string, error));
    text = json_string(string);
    status = json_payloads(arena, text, out, error);
    json_decref(text);
    return status;
}

/* ---- mapping ---- */

static pd_status_t parse(const pd_mapping_t *mapping, const pd_log_record_t *record, json_t **json,
                         pd_error_t *error)
{
    json_error_t why;

    *json = NULL;
    if (mapping->format == PD_MAPPING_RAW)
        return PD_OK;
    if (!record->value.data)
        return pd_error_set(error, PD_INVALID, "the record has no value");
    if (mapping->format == PD_MAPPING_AVRO)
        return pd_foreign_read(mapping->schema, record->value, json, error);
    *json = json_loadb((const char *)record->value.data, record->value.size, JSON_DECODE_ANY, &why);
    if (!*json)
        return pd_error_set(error, PD_INVALID, "the value is not JSON: %.200s at byte %d", why.text,
                            why.position);
    return PD_OK;
}

static pd_status_t fill(const pd_mapping_t *mapping, const pd_ingest_value_t *value,
                        pd_arena_t *arena, pd_mapped_request_t *request, pd_error_t *error)
{
    char *type, *queue;

    PD_TRY(pd_expression_text(mapping->workflow_id, value, arena, &request->workflow_id, error));
    PD_TRY(pd_expression_text(mapping->workflow_type, value, arena, &type, error));
    PD_TRY(pd_expression_text(mapping->task_queue, value, arena, &queue, error));
    PD_TRY(pd_expression_text(mapping->signal_name, value, arena, &request->signal_name, error));
    PD_TRY(
        map_payload(mapping, mapping->signal_input, value, arena, &request->signal_input, error));
    PD_TRY(map_payload(mapping, mapping->start_input, value, arena, &request->input, error));
    if (!request->workflow_id[0])
        return pd_error_set(error, PD_INVALID, "the workflow ID is empty");
    request->namespace_ = mapping->namespace_name;
    request->identity = (char *)"ingest";
    request->workflow_type = PD_PB_NEW(arena, Temporal__Api__Common__V1__WorkflowType,
                                       temporal__api__common__v1__workflow_type);
    request->workflow_type->name = type;
    request->task_queue = PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                                    temporal__api__taskqueue__v1__task_queue);
    request->task_queue->name = queue;
    return PD_OK;
}

pd_status_t pd_mapping_apply(const pd_mapping_t *mapping, const pd_log_record_t *record,
                             pd_arena_t *arena, pd_mapped_request_t **request, pd_error_t *error)
{
    pd_ingest_value_t value = {.record = record};
    pd_status_t status;

    *request =
        PD_PB_NEW(arena, pd_mapped_request_t,
                  temporal__api__workflowservice__v1__signal_with_start_workflow_execution_request);
    PD_TRY(parse(mapping, record, &value.json, error));
    status = fill(mapping, &value, arena, *request, error);
    json_decref(value.json);
    return status;
}
