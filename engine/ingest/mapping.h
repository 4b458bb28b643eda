/* mapping.h -- how a record of a user's topic becomes a signal-with-start: compiled once, checked
 * with clear errors, evaluated for every record.
 *
 * An expression is
 *   key            the record's key            header:NAME    a header (the last of that name)
 *   $ or value     the whole value             $.a.b[0].c     a field of a JSON or Avro value
 *   'text' "text"  a text, in which ${expression} is replaced
 * Evaluation is pure: the same record gives the same request, or the same refusal, on every node
 * and at any time. The numbers that records get stand on that (DESIGN: numbers of ingestion).
 *
 * Thread: a mapping never changes after _new: any. Ownership: results live in the arena given. */
#ifndef PD_ENGINE_INGEST_MAPPING_H
#define PD_ENGINE_INGEST_MAPPING_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "api/pb/pb.h"
#include "log/log.h"

typedef struct pd_mapping pd_mapping_t;

typedef enum pd_mapping_format {
    PD_MAPPING_JSON,
    PD_MAPPING_AVRO, /* Avro's single-object encoding */
    PD_MAPPING_RAW,
} pd_mapping_format_t;

/* Texts of expressions; borrowed during _new. */
typedef struct pd_mapping_options {
    const char *name; /* for errors */
    const char *topic;
    pd_mapping_format_t format;
    const char *schema_json; /* AVRO: the writer's schema */
    const char *namespace_name;
    const char *workflow_id;
    const char *workflow_type;
    const char *task_queue;
    const char *signal_name;
    const char *signal_input; /* NULL: none */
    const char *start_input;  /* NULL: none */
} pd_mapping_options_t;

/* PD_INVALID: the error names the mapping, the key, and what is wrong with it. */
pd_status_t pd_mapping_new(const pd_mapping_options_t *options, pd_mapping_t **mapping,
                           pd_error_t *error) PD_MUST_USE;
void pd_mapping_free(pd_mapping_t *mapping);
const char *pd_mapping_name(const pd_mapping_t *mapping);
const char *pd_mapping_topic(const pd_mapping_t *mapping);

typedef Temporal__Api__Workflowservice__V1__SignalWithStartWorkflowExecutionRequest
    pd_mapped_request_t;

/* PD_INVALID: this record cannot be mapped; the error says why. */
pd_status_t pd_mapping_apply(const pd_mapping_t *mapping, const pd_log_record_t *record,
                             pd_arena_t *arena, pd_mapped_request_t **request,
                             pd_error_t *error) PD_MUST_USE;

#endif
