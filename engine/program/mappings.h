/* mappings.h -- the mappings of the configuration (ingest.NAME.*), compiled. Thread: main. */
#ifndef PD_ENGINE_PROGRAM_MAPPINGS_H
#define PD_ENGINE_PROGRAM_MAPPINGS_H

#include "base/config.h"
#include "engine/ingest/mapping.h"

typedef struct pd_mappings {
    pd_mapping_t **items;
    size_t count;
} pd_mappings_t;

/* `prefix`: index of ingest.NAME in the table. PD_INVALID: the error names mapping and key. */
pd_status_t pd_mappings_init(pd_mappings_t *mappings, const pd_config_t *config, size_t prefix,
                             pd_error_t *error) PD_MUST_USE;
void pd_mappings_deinit(pd_mappings_t *mappings);

#endif
