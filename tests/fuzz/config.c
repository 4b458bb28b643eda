/* config.c -- any bytes as a configuration file: read or refused, never both, and what was read can
 * be asked for. */
#include <string.h>

#include "base/assert.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/config/sample_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pd_config_t *config = pd_config_new(&sample_table, SAMPLE_A);
    pd_error_t error = {.status = PD_OK};
    pd_status_t status = pd_config_parse_text(config, "f", pd_bytes(data, size), &error);
    const pd_config_group_t *groups;
    const pd_config_pair_t *pairs;
    int64_t count;

    PD_ASSERT(status == error.status);
    PD_ASSERT(status == PD_OK || (status == PD_INVALID && error.text[0]));
    count = pd_config_number(config, SAMPLE_COUNT);
    PD_ASSERT(count >= -5 && count <= 100);
    for (size_t i = pd_config_pairs(config, SAMPLE_PREFIX_RAW, &pairs); i > 0; i--)
        PD_ASSERT(pairs[i - 1].name[0] && pairs[i - 1].value && pairs[i - 1].origin);
    for (size_t i = pd_config_groups(config, SAMPLE_PREFIX_MAP, &groups); i > 0; i--)
        PD_ASSERT(groups[i - 1].name[0] && groups[i - 1].pair_count > 0);
    if (pd_config_check(config, &error) != PD_OK)
        PD_ASSERT(error.text[0]);
    pd_config_free(config);
    return 0;
}

size_t pd_fuzz_example(pd_random_t *random, uint8_t *out, size_t size_max)
{
    static const char *const lines[] = {
        "name = x\n",
        "count = 5\n",
        "[raw]\n",
        "[map.one]\n",
        "topic = t\n",
        "format = json\n",
        "# comment\n",
        "delay = 10ms\n",
        "listen = [::1]:80\n",
        "raw.a.b = c\n",
        "cache-size = 1MiB\n",
        "map.x.topic = y\n",
        "verbose = true\n",
        "\r\n",
        "colour = red\n",
    };
    size_t at = 0;

    for (uint64_t i = pd_random_below(random, 20) + 1; i > 0; i--) {
        const char *line = lines[pd_random_below(random, PD_ARRAY_COUNT(lines))];

        if (at + strlen(line) > size_max)
            break;
        memcpy(out + at, line, strlen(line));
        at += strlen(line);
    }
    return at;
}
