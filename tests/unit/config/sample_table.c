#include "tests/unit/config/sample_table.h"

#define SECOND ((int64_t)1000 * 1000 * 1000)
#define COMMON .since = "1", .section = "All", .help = "Help."

static const pd_config_option_t options[SAMPLE_OPTION_COUNT] = {
    [SAMPLE_NAME] = {.name = "name", .type = PD_CONFIG_STRING, .programs = 3, COMMON},
    [SAMPLE_COUNT] = {.name = "count",
                      .type = PD_CONFIG_INT,
                      .min = -5,
                      .max = 100,
                      .default_text = "7",
                      .programs = 3,
                      COMMON},
    [SAMPLE_VERBOSE] =
        {.name = "verbose", .type = PD_CONFIG_BOOL, .default_text = "false", .programs = 3, COMMON},
    [SAMPLE_DELAY] = {.name = "delay",
                      .type = PD_CONFIG_DURATION,
                      .max = 86400 * SECOND,
                      .default_text = "20ms",
                      .programs = 3,
                      COMMON},
    [SAMPLE_CACHE_SIZE] = {.name = "cache-size",
                           .type = PD_CONFIG_SIZE,
                           .min = 1024,
                           .max = INT64_MAX,
                           .default_text = "64MiB",
                           .programs = 3,
                           COMMON},
    [SAMPLE_COLOUR] = {.name = "colour",
                       .type = PD_CONFIG_CHOICE,
                       .choices = "red|green|blue",
                       .default_text = "green",
                       .programs = 3,
                       COMMON},
    [SAMPLE_LISTEN] = {.name = "listen", .type = PD_CONFIG_ADDRESS, .programs = 3, COMMON},
    [SAMPLE_ONLY_B] = {.name = "only-b", .type = PD_CONFIG_STRING, .programs = SAMPLE_B, COMMON},
    [SAMPLE_FILE] =
        {.name = "file", .type = PD_CONFIG_STRING, .programs = 3, .not_in_file = true, COMMON},
};

static const pd_config_option_t keys[] = {
    {.name = "topic", .type = PD_CONFIG_STRING, .required = true},
    {.name = "format", .type = PD_CONFIG_CHOICE, .choices = "json|raw", .required = true},
    {.name = "task_queue", .type = PD_CONFIG_STRING, .default_text = "main"},
};

static const pd_config_prefix_t prefixes[SAMPLE_PREFIX_COUNT] = {
    [SAMPLE_PREFIX_RAW] = {.name = "raw", .programs = 3, .help = "Verbatim."},
    [SAMPLE_PREFIX_MAP] =
        {.name = "map", .programs = 3, .keys = keys, .key_count = 3, .help = "Groups."},
};

const pd_config_table_t sample_table = {
    .environment_prefix = "SAMPLE_",
    .options = options,
    .option_count = SAMPLE_OPTION_COUNT,
    .prefixes = prefixes,
    .prefix_count = SAMPLE_PREFIX_COUNT,
};
