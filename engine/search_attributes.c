#include "engine/search_attributes.h"

#include <ctype.h>
#include <stdio.h>

#include "base/assert.h"
#include "engine/json_value.h"
#include "engine/limits.h"

#define COMMON(Name) Temporal__Api__Common__V1__##Name

typedef enum pd_attribute_type {
    TYPE_TEXT,
    TYPE_KEYWORD,
    TYPE_INT,
    TYPE_DOUBLE,
    TYPE_BOOL,
    TYPE_DATETIME,
    TYPE_KEYWORD_LIST,
} pd_attribute_type_t;

static const char *const type_names[] = {
    [TYPE_TEXT] = "Text",
    [TYPE_KEYWORD] = "Keyword",
    [TYPE_INT] = "Int",
    [TYPE_DOUBLE] = "Double",
    [TYPE_BOOL] = "Bool",
    [TYPE_DATETIME] = "Datetime",
    [TYPE_KEYWORD_LIST] = "KeywordList",
};

static const struct {
    const char *name;
    pd_attribute_type_t type;
    bool settable;
} known[] = {
    {"BatcherNamespace", TYPE_KEYWORD, true},
    {"BatcherUser", TYPE_KEYWORD, true},
    {"BinaryChecksums", TYPE_KEYWORD_LIST, true},
    {"BuildIds", TYPE_KEYWORD_LIST, true},
    {"CloseTime", TYPE_DATETIME, false},
    {"ExecutionDuration", TYPE_INT, false},
    {"ExecutionStatus", TYPE_KEYWORD, false},
    {"ExecutionTime", TYPE_DATETIME, false},
    {"HistoryLength", TYPE_INT, false},
    {"HistorySizeBytes", TYPE_INT, false},
    {"ParentRunId", TYPE_KEYWORD, false},
    {"ParentWorkflowId", TYPE_KEYWORD, false},
    {"RootRunId", TYPE_KEYWORD, false},
    {"RootWorkflowId", TYPE_KEYWORD, false},
    {"RunId", TYPE_KEYWORD, false},
    {"StartTime", TYPE_DATETIME, false},
    {"StateTransitionCount", TYPE_INT, false},
    {"TaskQueue", TYPE_KEYWORD, false},
    {"TemporalChangeVersion", TYPE_KEYWORD_LIST, true},
    {"TemporalExternalPayloadCount", TYPE_INT, false},
    {"TemporalExternalPayloadSizeBytes", TYPE_INT, false},
    {"TemporalNamespaceDivision", TYPE_KEYWORD, true},
    {"TemporalPauseInfo", TYPE_KEYWORD_LIST, true},
    {"TemporalReportedProblems", TYPE_KEYWORD_LIST, true},
    {"TemporalSchedulePaused", TYPE_BOOL, true},
    {"TemporalScheduledById", TYPE_KEYWORD, true},
    {"TemporalScheduledStartTime", TYPE_DATETIME, true},
    {"TemporalUsedWorkerDeploymentVersions", TYPE_KEYWORD_LIST, false},
    {"TemporalWorkerDeployment", TYPE_KEYWORD, false},
    {"TemporalWorkerDeploymentVersion", TYPE_KEYWORD, false},
    {"TemporalWorkflowVersioningBehavior", TYPE_KEYWORD, false},
    {"WorkflowId", TYPE_KEYWORD, false},
    {"WorkflowType", TYPE_KEYWORD, false},
};

static int find(const char *name)
{
    for (size_t i = 0; i < PD_ARRAY_COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return (int)i;
    return -1;
}

static pd_bytes_t metadata_of(const COMMON(Payload) * payload, const char *key)
{
    for (size_t i = 0; i < payload->n_metadata; i++)
        if (strcmp(payload->metadata[i]->key, key) == 0)
            return pd_bytes(payload->metadata[i]->value.data, payload->metadata[i]->value.len);
    return pd_bytes(NULL, 0);
}

static bool has_encoding(const COMMON(Payload) * payload, const char *encoding)
{
    return pd_bytes_equal(metadata_of(payload, "encoding"), pd_bytes_str(encoding));
}

/* ---- values ---- */

static int two_digits(const char *text)
{
    return (text[0] - '0') * 10 + text[1] - '0';
}

/* 2006-01-02T15:04:05[.999…](Z|±hh:mm) */
static bool is_rfc3339(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    int month;
    int day;
    int hour;
    int minute;
    int second;

    for (size_t i = 0; form[i]; i++, text++)
        if (form[i] == 'd' ? !isdigit((unsigned char)*text) : *text != form[i])
            return false;
    month = two_digits(text - 14);
    day = two_digits(text - 11);
    hour = two_digits(text - 8);
    minute = two_digits(text - 5);
    second = two_digits(text - 2);
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59)
        return false;
    if (*text == '.') {
        text++;
        if (!isdigit((unsigned char)*text))
            return false;
        while (isdigit((unsigned char)*text))
            text++;
    }
    if (strcmp(text, "Z") == 0)
        return true;
    return (text[0] == '+' || text[0] == '-') && isdigit((unsigned char)text[1]) &&
           isdigit((unsigned char)text[2]) && text[3] == ':' && isdigit((unsigned char)text[4]) &&
           isdigit((unsigned char)text[5]) && text[6] == '\0';
}

static bool is_scalar_of(const pd_json_value_t *value, pd_attribute_type_t type)
{
    if (value->kind == PD_JSON_NULL)
        return true;
    switch (type) {
    case TYPE_TEXT:
    case TYPE_KEYWORD:
    case TYPE_KEYWORD_LIST:
        return value->kind == PD_JSON_STRING;
    case TYPE_INT:
        return value->kind == PD_JSON_NUMBER && !strpbrk(value->text, ".eE") &&
               strlen(value->text) <= 20;
    case TYPE_DOUBLE:
        return value->kind == PD_JSON_NUMBER;
    case TYPE_BOOL:
        return value->kind == PD_JSON_BOOL;
    case TYPE_DATETIME:
        return value->kind == PD_JSON_STRING && is_rfc3339(value->text);
    }
    return false;
}

/* A single value may come as a list of one; only keyword lists have more. */
static bool fits(const pd_json_value_t *value, pd_attribute_type_t type)
{
    if (value->kind == PD_JSON_NULL)
        return true;
    if (value->kind != PD_JSON_ARRAY)
        return type != TYPE_KEYWORD_LIST && is_scalar_of(value, type);
    for (const pd_json_value_t *item = value->first; item; item = item->next)
        if (!is_scalar_of(item, type))
            return false;
    return type == TYPE_KEYWORD_LIST || !value->first || !value->first->next;
}

/* As Go's text form of the payload, but for escapes of unprintable bytes. */
static const char *print_raw(pd_arena_t *arena, const COMMON(Payload) * payload)
{
    const char *text = "";

    for (size_t i = 0; i < payload->n_metadata; i++)
        text = pd_arena_printf(
            arena, "%smetadata:{key:\"%s\"  value:\"%.*s\"}  ", text, payload->metadata[i]->key,
            (int)payload->metadata[i]->value.len,
            payload->metadata[i]->value.data ? (const char *)payload->metadata[i]->value.data : "");
    return pd_arena_printf(arena, "value from <%sdata:\"%.*s\">", text, (int)payload->data.len,
                           payload->data.data ? (const char *)payload->data.data : "");
}

static const char *check_value(pd_arena_t *arena, int index, const COMMON(Payload) * payload)
{
    const pd_json_value_t *value = NULL;
    const char *printed;

    if (has_encoding(payload, "binary/null"))
        return NULL;
    if (has_encoding(payload, "json/plain"))
        value = pd_json_parse(arena, pd_bytes(payload->data.data, payload->data.len));
    if (value && fits(value, known[index].type))
        return NULL;
    printed = value ? pd_json_print(arena, value) : print_raw(arena, payload);
    return pd_arena_printf(arena, "invalid value for search attribute %s of type %s: %s",
                           known[index].name, type_names[known[index].type], printed);
}

const char *pd_search_attributes_check(pd_arena_t *arena, const char *namespace_name,
                                       const COMMON(SearchAttributes) * attributes)
{
    size_t size;

    if (!attributes)
        return NULL;
    for (size_t i = 0; i < attributes->n_indexed_fields; i++)
        if (find(attributes->indexed_fields[i]->key) < 0)
            return pd_arena_printf(arena,
                                   "Namespace %s has no mapping defined for search attribute %s",
                                   namespace_name, attributes->indexed_fields[i]->key);
    if (attributes->n_indexed_fields > PD_SEARCH_ATTRIBUTE_COUNT_MAX)
        return pd_arena_printf(arena, "number of search attributes %zu exceeds limit %d",
                               attributes->n_indexed_fields, PD_SEARCH_ATTRIBUTE_COUNT_MAX);
    for (size_t i = 0; i < attributes->n_indexed_fields; i++) {
        const COMMON(SearchAttributes__IndexedFieldsEntry) *field = attributes->indexed_fields[i];
        int index = find(field->key);
        const char *text = NULL;

        if (!known[index].settable)
            text =
                pd_arena_printf(arena, "%s attribute can't be set in SearchAttributes", field->key);
        else if (field->value)
            text = check_value(arena, index, field->value);
        if (text)
            return text;
    }
    for (size_t i = 0; i < attributes->n_indexed_fields; i++) {
        const COMMON(SearchAttributes__IndexedFieldsEntry) *field = attributes->indexed_fields[i];

        if (field->value && field->value->data.len > PD_SEARCH_ATTRIBUTE_SIZE_MAX)
            return pd_arena_printf(
                arena, "search attribute %s value size %zu exceeds size limit %d", field->key,
                field->value->data.len, PD_SEARCH_ATTRIBUTE_SIZE_MAX);
    }
    size = protobuf_c_message_get_packed_size(&attributes->base);
    if (size > PD_SEARCH_ATTRIBUTES_SIZE_MAX)
        return pd_arena_printf(arena, "total size of search attributes %zu exceeds size limit %d",
                               size, PD_SEARCH_ATTRIBUTES_SIZE_MAX);
    return NULL;
}

/* ---- changes ---- */

static void add_metadata(pd_arena_t *arena, COMMON(Payload) * payload, const char *key,
                         const char *value)
{
    COMMON(Payload__MetadataEntry) **metadata =
        pd_arena_calloc(arena, payload->n_metadata + 1, sizeof *metadata);
    COMMON(Payload__MetadataEntry) *entry = PD_PB_NEW(
        arena, COMMON(Payload__MetadataEntry), temporal__api__common__v1__payload__metadata_entry);

    if (payload->n_metadata > 0)
        memcpy(metadata, payload->metadata, payload->n_metadata * sizeof *metadata);
    entry->key = (char *)key;
    entry->value.data = (uint8_t *)value;
    entry->value.len = strlen(value);
    metadata[payload->n_metadata++] = entry;
    payload->metadata = metadata;
}

void pd_search_attributes_set_types(pd_arena_t *arena, COMMON(SearchAttributes) * attributes)
{
    if (!attributes)
        return;
    for (size_t i = 0; i < attributes->n_indexed_fields; i++) {
        COMMON(SearchAttributes__IndexedFieldsEntry) *field = attributes->indexed_fields[i];
        int index = find(field->key);

        if (index >= 0 && field->value && metadata_of(field->value, "type").size == 0)
            add_metadata(arena, field->value, "type", type_names[known[index].type]);
    }
}

bool pd_payload_is_nil(const COMMON(Payload) * payload)
{
    pd_bytes_t data;

    if (!payload || payload->data.len == 0 || has_encoding(payload, "binary/null"))
        return true;
    data = pd_bytes(payload->data.data, payload->data.len);
    return has_encoding(payload, "json/plain") &&
           (pd_bytes_equal(data, pd_bytes_str("null")) || pd_bytes_equal(data, pd_bytes_str("[]")));
}

void pd_search_attributes_drop_nil(COMMON(SearchAttributes) * *attributes)
{
    COMMON(SearchAttributes) *kept = *attributes;
    size_t count = 0;

    if (!kept)
        return;
    for (size_t i = 0; i < kept->n_indexed_fields; i++)
        if (!pd_payload_is_nil(kept->indexed_fields[i]->value))
            kept->indexed_fields[count++] = kept->indexed_fields[i];
    kept->n_indexed_fields = count;
    if (count == 0)
        *attributes = NULL;
}

void pd_memo_drop_nil(COMMON(Memo) * *memo)
{
    COMMON(Memo) *kept = *memo;
    size_t count = 0;

    if (!kept)
        return;
    for (size_t i = 0; i < kept->n_fields; i++)
        if (!pd_payload_is_nil(kept->fields[i]->value))
            kept->fields[count++] = kept->fields[i];
    kept->n_fields = count;
    if (count == 0)
        *memo = NULL;
}
