/* expression.h -- one expression of a mapping (syntax: mapping.h). Thread: immutable after
 * _new. */
#ifndef PD_ENGINE_INGEST_EXPRESSION_H
#define PD_ENGINE_INGEST_EXPRESSION_H

#include <jansson.h>

#include "base/arena.h"
#include "log/log.h"

typedef struct pd_expression pd_expression_t;

/* What a record is while it is being mapped. */
typedef struct pd_ingest_value {
    const pd_log_record_t *record;
    json_t *json; /* of JSON and Avro values; NULL: raw */
} pd_ingest_value_t;

/* The result: a JSON value, or bytes. */
typedef struct pd_expression_result {
    json_t *json; /* borrowed from the value; NULL: bytes */
    pd_bytes_t bytes;
} pd_expression_result_t;

pd_status_t pd_expression_new(const char *text, bool has_fields, pd_expression_t **expression,
                              pd_error_t *error) PD_MUST_USE;
void pd_expression_free(pd_expression_t *expression);
/* PD_INVALID: the record has no such key, header or field. */
pd_status_t pd_expression_apply(const pd_expression_t *expression, const pd_ingest_value_t *value,
                                pd_arena_t *arena, pd_expression_result_t *result,
                                pd_error_t *error) PD_MUST_USE;
/* As a name: texts as they are, whole numbers in decimal, true and false. NUL-terminated. */
pd_status_t pd_expression_text(const pd_expression_t *expression, const pd_ingest_value_t *value,
                               pd_arena_t *arena, char **text, pd_error_t *error) PD_MUST_USE;

#endif
