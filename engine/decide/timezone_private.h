/* timezone_private.h -- the POSIX TZ rule at the end of a TZif file, e.g.
 * "CET-1CEST,M3.5.0,M10.5.0/3". Pure. Thread: any. */
#ifndef PD_ENGINE_DECIDE_TIMEZONE_PRIVATE_H
#define PD_ENGINE_DECIDE_TIMEZONE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pdi_tz_change {
    char form; /* M: month, week, weekday; J: day 1 .. 365 without leap day; N: day 0 .. 365 */
    int month, week, weekday, day;
    int32_t second; /* of the local day */
} pdi_tz_change_t;

typedef struct pdi_tz_rule {
    int32_t standard_offset; /* seconds east of UTC */
    int32_t daylight_offset;
    bool has_daylight;
    pdi_tz_change_t begin, end; /* of daylight saving time */
} pdi_tz_rule_t;

bool pdi_tz_rule_parse(const char *text, pdi_tz_rule_t *rule);
int32_t pdi_tz_rule_offset(const pdi_tz_rule_t *rule, int64_t unix_s, int64_t *from,
                           int64_t *until);
/* Days since 1970-01-01. */
int64_t pdi_days_of(int64_t year, int month, int day);

#endif
