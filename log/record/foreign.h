/* foreign.h -- Avro records that are not ours, by a schema that somebody else wrote: as JSON
 * values. For mapped topics.
 *
 * Thread: a schema never changes after _new: any. Ownership: the caller's, until _free. */
#ifndef PD_LOG_RECORD_FOREIGN_H
#define PD_LOG_RECORD_FOREIGN_H

#include "base/buf.h"

struct json_t;
typedef struct pd_foreign_schema pd_foreign_schema_t;

/* PD_INVALID: not an Avro schema. */
pd_status_t pd_foreign_schema_new(const char *schema_json, pd_foreign_schema_t **schema,
                                  pd_error_t *error) PD_MUST_USE;
/* NULL does nothing. */
void pd_foreign_schema_free(pd_foreign_schema_t *schema);

/* Reads one record in Avro's single-object encoding. A union is the value that is in it; bytes are
 * texts of the characters U+0000 to U+00FF, as in Avro's own JSON. The result is a new reference.
 * PD_INVALID: malformed, cut, with bytes behind it, or written with another schema. */
pd_status_t pd_foreign_read(const pd_foreign_schema_t *schema, pd_bytes_t bytes,
                            struct json_t **value, pd_error_t *error) PD_MUST_USE;

#endif
