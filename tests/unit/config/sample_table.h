/* sample_table.h -- a table with every type of option, for tests of base/config.
 * Thread: any, it is constant. */
#ifndef PD_TESTS_UNIT_CONFIG_SAMPLE_TABLE_H
#define PD_TESTS_UNIT_CONFIG_SAMPLE_TABLE_H

#include "base/config.h"

enum { SAMPLE_A = 1, SAMPLE_B = 2 }; /* programs */

enum {
    SAMPLE_NAME,
    SAMPLE_COUNT,
    SAMPLE_VERBOSE,
    SAMPLE_DELAY,
    SAMPLE_CACHE_SIZE,
    SAMPLE_COLOUR,
    SAMPLE_LISTEN,
    SAMPLE_ONLY_B,
    SAMPLE_FILE,
    SAMPLE_OPTION_COUNT,
};

enum { SAMPLE_PREFIX_RAW, SAMPLE_PREFIX_MAP, SAMPLE_PREFIX_COUNT };

extern const pd_config_table_t sample_table;

#endif
