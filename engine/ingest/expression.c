#include "engine/ingest/expression.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/pb/validate.h"
#include "base/memory.h"

typedef enum kind {
    KIND_KEY,
    KIND_HEADER,
    KIND_VALUE,
    KIND_FIELD,
    KIND_TEXT, /* parts, joined */
} kind_t;

typedef struct step {
    char *name; /* NULL: an index */
    size_t index;
} step_t;

/* A part of a text: itself, or an expression. */
typedef struct part {
    char *text;
    pd_expression_t *expression;
} part_t;

struct pd_expression {
    kind_t kind;
    char *source;
    char *header_name;
    step_t *steps;
    size_t step_count;
    part_t *parts;
    size_t part_count;
};

/* ---- compiling ---- */

static char *copy(const char *from, size_t size)
{
    char *text = pd_alloc(size + 1);

    memcpy(text, from, size);
    text[size] = '\0';
    return text;
}

static step_t *add_step(pd_expression_t *self)
{
    self->steps = pd_realloc(self->steps, (self->step_count + 1) * sizeof(self->steps[0]));
    self->steps[self->step_count] = (step_t){0};
    return &self->steps[self->step_count++];
}

static part_t *add_part(pd_expression_t *self)
{
    self->parts = pd_realloc(self->parts, (self->part_count + 1) * sizeof(self->parts[0]));
    self->parts[self->part_count] = (part_t){0};
    return &self->parts[self->part_count++];
}

/* .name and [number], behind the $ */
static pd_status_t compile_path(pd_expression_t *self, const char *at, pd_error_t *error)
{
    while (*at) {
        if (*at == '.') {
            size_t size = strcspn(at + 1, ".[");

            if (!size)
                return pd_error_set(error, PD_INVALID, "a field's name is missing in %.200s",
                                    self->source);
            add_step(self)->name = copy(at + 1, size);
            at += 1 + size;
        } else if (*at == '[' && isdigit((unsigned char)at[1])) {
            char *end;
            unsigned long index = strtoul(at + 1, &end, 10);

            if (*end != ']')
                return pd_error_set(error, PD_INVALID, "[ without a number and ] in %.200s",
                                    self->source);
            add_step(self)->index = index;
            at = end + 1;
        } else {
            return pd_error_set(error, PD_INVALID, "expected .field or [number] at \"%.50s\"", at);
        }
    }
    return PD_OK;
}

static pd_status_t compile_text(pd_expression_t *self, const char *text, size_t size,
                                bool has_fields, pd_error_t *error)
{
    const char *end = text + size;

    self->kind = KIND_TEXT;
    while (text < end) {
        const char *dollar = memmem(text, (size_t)(end - text), "${", 2);
        const char *close;
        pd_status_t status;
        char *inner;

        if (dollar != text) {
            const char *to = dollar ? dollar : end;

            add_part(self)->text = copy(text, (size_t)(to - text));
            text = to;
            continue;
        }
        close = memchr(text, '}', (size_t)(end - text));
        if (!close)
            return pd_error_set(error, PD_INVALID, "${ without } in %.200s", self->source);
        inner = copy(text + 2, (size_t)(close - text - 2));
        if (inner[0] == '\'' || inner[0] == '"')
            status =
                pd_error_set(error, PD_INVALID, "a text within a text in %.200s", self->source);
        else
            status = pd_expression_new(inner, has_fields, &add_part(self)->expression, error);
        pd_free(inner);
        PD_TRY(status);
        text = close + 1;
    }
    return PD_OK;
}

static pd_status_t compile(pd_expression_t *self, const char *text, bool has_fields,
                           pd_error_t *error)
{
    static const char header[] = "header:";
    size_t size = strlen(text);

    if (strcmp(text, "key") == 0) {
        self->kind = KIND_KEY;
        return PD_OK;
    }
    if (strcmp(text, "value") == 0 || strcmp(text, "$") == 0) {
        self->kind = KIND_VALUE;
        return PD_OK;
    }
    if (strncmp(text, header, sizeof(header) - 1) == 0 && size > sizeof(header) - 1) {
        self->kind = KIND_HEADER;
        self->header_name = pd_strdup(text + sizeof(header) - 1);
        return PD_OK;
    }
    if (text[0] == '$') {
        self->kind = KIND_FIELD;
        if (!has_fields)
            return pd_error_set(error, PD_INVALID, "a raw value has no fields: %.200s", text);
        return compile_path(self, text + 1, error);
    }
    if (size >= 2 && (text[0] == '\'' || text[0] == '"') && text[size - 1] == text[0])
        return compile_text(self, text + 1, size - 2, has_fields, error);
    return pd_error_set(error, PD_INVALID,
                        "expected key, value, header:NAME, $, $.field or 'text', got %.200s", text);
}

pd_status_t pd_expression_new(const char *text, bool has_fields, pd_expression_t **expression,
                              pd_error_t *error)
{
    pd_expression_t *self = PD_NEW(pd_expression_t);
    pd_status_t status;

    self->source = pd_strdup(text);
    status = compile(self, text, has_fields, error);
    *expression = self;
    if (status != PD_OK) {
        pd_expression_free(self);
        *expression = NULL;
    }
    return status;
}

void pd_expression_free(pd_expression_t *expression)
{
    if (!expression)
        return;
    for (size_t i = 0; i < expression->step_count; i++)
        pd_free(expression->steps[i].name);
    for (size_t i = 0; i < expression->part_count; i++) {
        pd_free(expression->parts[i].text);
        pd_expression_free(expression->parts[i].expression);
    }
    pd_free(expression->steps);
    pd_free(expression->parts);
    pd_free(expression->header_name);
    pd_free(expression->source);
    pd_free(expression);
}

/* ---- evaluating ---- */

static pd_status_t absent(const pd_expression_t *self, pd_error_t *error)
{
    return pd_error_set(error, PD_INVALID, "the record has no %.200s", self->source);
}

static pd_status_t apply_header(const pd_expression_t *self, const pd_log_record_t *record,
                                pd_expression_result_t *result, pd_error_t *error)
{
    for (uint32_t i = record->header_count; i > 0; i--) {
        const pd_log_header_t *header = &record->headers[i - 1];

        if (strcmp(header->name, self->header_name) == 0 && header->value.data) {
            result->bytes = header->value;
            return PD_OK;
        }
    }
    return absent(self, error);
}

static pd_status_t apply_field(const pd_expression_t *self, json_t *json,
                               pd_expression_result_t *result, pd_error_t *error)
{
    for (size_t i = 0; json && i < self->step_count; i++) {
        const step_t *step = &self->steps[i];

        json = step->name ? json_object_get(json, step->name) : json_array_get(json, step->index);
    }
    if (!json)
        return absent(self, error);
    result->json = json;
    return PD_OK;
}

static pd_status_t apply_text(const pd_expression_t *self, const pd_ingest_value_t *value,
                              pd_arena_t *arena, pd_expression_result_t *result, pd_error_t *error)
{
    char *all = pd_arena_strdup(arena, "");

    for (size_t i = 0; i < self->part_count; i++) {
        char *text = self->parts[i].text;

        if (self->parts[i].expression)
            PD_TRY(pd_expression_text(self->parts[i].expression, value, arena, &text, error));
        all = pd_arena_printf(arena, "%s%s", all, text);
    }
    result->bytes = pd_bytes_str(all);
    return PD_OK;
}

pd_status_t pd_expression_apply(const pd_expression_t *expression, const pd_ingest_value_t *value,
                                pd_arena_t *arena, pd_expression_result_t *result,
                                pd_error_t *error)
{
    *result = (pd_expression_result_t){0};
    switch (expression->kind) {
    case KIND_KEY:
        result->bytes = value->record->key;
        return result->bytes.data ? PD_OK : absent(expression, error);
    case KIND_HEADER:
        return apply_header(expression, value->record, result, error);
    case KIND_VALUE:
        result->json = value->json;
        result->bytes = value->record->value;
        return PD_OK;
    case KIND_FIELD:
        return apply_field(expression, value->json, result, error);
    case KIND_TEXT:
        return apply_text(expression, value, arena, result, error);
    }
    return PD_INVALID;
}

pd_status_t pd_expression_text(const pd_expression_t *expression, const pd_ingest_value_t *value,
                               pd_arena_t *arena, char **text, pd_error_t *error)
{
    pd_expression_result_t result;
    pd_bytes_t bytes;

    PD_TRY(pd_expression_apply(expression, value, arena, &result, error));
    bytes = result.bytes;
    if (json_is_string(result.json)) {
        bytes = pd_bytes(json_string_value(result.json), json_string_length(result.json));
    } else if (json_is_integer(result.json)) {
        *text = pd_arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(result.json));
        return PD_OK;
    } else if (json_is_boolean(result.json)) {
        *text = pd_arena_strdup(arena, json_is_true(result.json) ? "true" : "false");
        return PD_OK;
    } else if (result.json) {
        return pd_error_set(error, PD_INVALID, "%.200s is no text and no whole number",
                            expression->source);
    }
    if (memchr(bytes.data ? bytes.data : (const uint8_t *)"", 0, bytes.size) ||
        !pd_utf8_is_valid(bytes))
        return pd_error_set(error, PD_INVALID, "%.200s is not UTF-8", expression->source);
    *text = pd_arena_alloc(arena, bytes.size + 1);
    if (bytes.size)
        memcpy(*text, bytes.data, bytes.size);
    (*text)[bytes.size] = '\0';
    return PD_OK;
}
