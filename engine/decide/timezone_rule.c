#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "engine/decide/timezone.h"
#include "engine/decide/timezone_private.h"

#define DAY_S INT64_C(86400)

/* ---- parsing ---- */

static const char *skip_name(const char *at)
{
    const char *start = at;

    if (*at == '<') {
        at = strchr(at, '>');
        return at ? at + 1 : NULL;
    }
    while (isalpha((unsigned char)*at))
        at++;
    return at - start >= 3 ? at : NULL;
}

/* [+-]hh[:mm[:ss]] */
static const char *read_time(const char *at, int32_t *seconds)
{
    int32_t sign = 1, value = 0;

    if (*at == '+' || *at == '-')
        sign = *at++ == '-' ? -1 : 1;
    if (!isdigit((unsigned char)*at))
        return NULL;
    for (int32_t unit = 3600; unit >= 1; unit /= 60) {
        char *end;
        long number = strtol(at, &end, 10);

        if (end == at || number < 0 || number > 167)
            return NULL;
        value += (int32_t)number * unit;
        at = end;
        if (*at != ':')
            break;
        at++;
    }
    *seconds = sign * value;
    return at;
}

static const char *read_number(const char *at, long low, long high, int *number)
{
    char *end;
    long value = strtol(at, &end, 10);

    if (end == at || value < low || value > high)
        return NULL;
    *number = (int)value;
    return end;
}

static const char *read_change(const char *at, pdi_tz_change_t *change)
{
    change->second = 2 * 3600;
    change->form = *at == 'M' || *at == 'J' ? *at++ : 'N';
    if (change->form == 'M') {
        at = read_number(at, 1, 12, &change->month);
        at = at && *at == '.' ? read_number(at + 1, 1, 5, &change->week) : NULL;
        at = at && *at == '.' ? read_number(at + 1, 0, 6, &change->weekday) : NULL;
    } else {
        at = read_number(at, change->form == 'J', 365, &change->day);
    }
    if (at && *at == '/')
        at = read_time(at + 1, &change->second);
    return at;
}

bool pdi_tz_rule_parse(const char *text, pdi_tz_rule_t *rule)
{
    const char *at = skip_name(text);

    memset(rule, 0, sizeof(*rule));
    at = at ? read_time(at, &rule->standard_offset) : NULL;
    if (!at)
        return false;
    rule->standard_offset = -rule->standard_offset;
    rule->daylight_offset = rule->standard_offset + 3600;
    if (!*at)
        return true;
    at = skip_name(at);
    if (at && *at != ',') {
        at = read_time(at, &rule->daylight_offset);
        rule->daylight_offset = -rule->daylight_offset;
    }
    at = at && *at == ',' ? read_change(at + 1, &rule->begin) : NULL;
    at = at && *at == ',' ? read_change(at + 1, &rule->end) : NULL;
    rule->has_daylight = at != NULL;
    return at != NULL;
}

/* ---- asking ---- */

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Local seconds since 1970 at which the change happens, by the clock before it. */
static int64_t change_at(const pdi_tz_change_t *change, int64_t year)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = pdi_days_of(year, 1, 1);

    if (change->form == 'M') {
        int length = month_days[change->month - 1] + (change->month == 2 && is_leap(year));
        int64_t first = pdi_days_of(year, change->month, 1);
        int first_weekday = (int)((first % 7 + 11) % 7);
        int day = (change->weekday - first_weekday + 7) % 7 + (change->week - 1) * 7;

        while (day >= length)
            day -= 7;
        days = first + day;
    } else if (change->form == 'J') {
        days += change->day - 1 + (is_leap(year) && change->day >= 60);
    } else {
        days += change->day;
    }
    return days * DAY_S + change->second;
}

int32_t pdi_tz_rule_offset(const pdi_tz_rule_t *rule, int64_t unix_s, int64_t *from, int64_t *until)
{
    const pd_timezone_t *utc = pd_timezone_find("UTC");
    int64_t year;
    bool daylight = false;

    *from = INT64_MIN;
    *until = INT64_MAX;
    if (!rule->has_daylight)
        return rule->standard_offset;
    year = pd_civil_of(utc, unix_s + rule->standard_offset).year;
    for (int64_t y = year - 1; y <= year + 1; y++) {
        int64_t begin = change_at(&rule->begin, y) - rule->standard_offset;
        int64_t end = change_at(&rule->end, y) - rule->daylight_offset;
        int64_t changes[2] = {begin < end ? begin : end, begin < end ? end : begin};

        for (int i = 0; i < 2; i++) {
            if (changes[i] <= unix_s) {
                *from = changes[i];
                daylight = changes[i] == begin;
            } else if (changes[i] < *until) {
                *until = changes[i];
            }
        }
    }
    return daylight ? rule->daylight_offset : rule->standard_offset;
}
