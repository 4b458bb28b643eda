/* config_private.h -- the inside of a configuration, shared by base/config*.c.
 * Thread and ownership: as in config.h. */
#ifndef PD_BASE_CONFIG_PRIVATE_H
#define PD_BASE_CONFIG_PRIVATE_H

#include "base/config.h"

/* A source of higher rank overrides those of lower. */
typedef enum pdi_config_rank {
    PDI_CONFIG_DEFAULT,
    PDI_CONFIG_FILE,
    PDI_CONFIG_ENVIRONMENT,
    PDI_CONFIG_FLAG,
} pdi_config_rank_t;

/* Something read: who said it, and what. */
typedef struct pdi_config_entry {
    pdi_config_rank_t rank;
    const char *origin; /* "perdure.conf:12", "PERDURE_PORT", "--port" */
    const char *name;   /* full, with dots */
    const char *value;
} pdi_config_entry_t;

/* config_value.c. `where` begins the error's text. */
pd_status_t pdi_config_parse_value(const pd_config_option_t *option, const char *text,
                                   const char *where, int64_t *number,
                                   pd_error_t *error) PD_MUST_USE;
/* "one of a, b, c", "a number from 1 to 16" and so on, for messages and documentation. */
void pdi_config_describe_range(const pd_config_option_t *option, char *out, size_t size);
/* Which of the table's names is nearest to a wrong one; NULL: none is near. programs 0: all. */
const char *pdi_config_nearest(const pd_config_table_t *table, uint32_t programs, const char *name);

/* config.c */
pd_status_t pdi_config_set(pd_config_t *config, const pdi_config_entry_t *entry,
                           pd_error_t *error) PD_MUST_USE;
const pd_config_table_t *pdi_config_table(const pd_config_t *config);
uint32_t pdi_config_program(const pd_config_t *config);
/* The option of a name that this table has for any program; NULL: none. */
const pd_config_option_t *pdi_config_find(const pd_config_table_t *table, const char *name);
/* The prefix that a full name begins with, and the name behind its dot; NULL: none. */
const pd_config_prefix_t *pdi_config_find_prefix(const pd_config_table_t *table, const char *name,
                                                 const char **rest);

#endif
