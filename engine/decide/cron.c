#include "engine/decide/cron.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/decide/timezone.h"

#define SECOND_NS INT64_C(1000000000)

enum { SPEC_SIZE_MAX = 1000, YEAR_COUNT_MAX = 5 };

/* Set in a field's bits when it was "*" or "?": then it does not restrict the other day field. */
#define STAR (UINT64_C(1) << 63)

typedef struct schedule {
    const pd_timezone_t *zone;
    int64_t every_s; /* @every; else 0 and the fields hold */
    uint64_t minute, hour, day, month, weekday;
} schedule_t;

typedef struct bounds {
    int low, high;
    const char *const *names; /* of low, low + 1, …; or NULL */
} bounds_t;

static const char *const MONTHS[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                     "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const WEEKDAYS[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const bounds_t MINUTE = {0, 59, NULL}, HOUR = {0, 23, NULL}, DAY = {1, 31, NULL};
static const bounds_t MONTH = {1, 12, MONTHS}, WEEKDAY = {0, 6, WEEKDAYS};

/* ---- parsing ---- */

/* Reads a number or name at *at, up to one of "-/" or the end. */
static bool read_value(const char **at, const char *end, const bounds_t *bounds, int *value)
{
    const char *start = *at, *stop = start;
    long number = 0;

    while (stop < end && *stop != '-' && *stop != '/')
        stop++;
    *at = stop;
    for (int i = 0; bounds->names && bounds->names[i]; i++) {
        if (stop - start == 3 && strncasecmp(bounds->names[i], start, 3) == 0) {
            *value = bounds->low + i;
            return true;
        }
    }
    if (start == stop || stop - start > 9)
        return false;
    for (; start < stop; start++) {
        if (!isdigit((unsigned char)*start))
            return false;
        number = number * 10 + (*start - '0');
    }
    *value = (int)number;
    return true;
}

static const bounds_t STEP = {0, 0, NULL};

/* number | number "-" number [ "/" number ], with "*" or "?" for all. */
static bool parse_range(const char *at, const char *end, const bounds_t *bounds, uint64_t *bits)
{
    int low, high, step = 1;
    bool single = true;
    uint64_t star = 0;

    if (at < end && (*at == '*' || *at == '?') && (at + 1 == end || at[1] == '/' || at[1] == '-')) {
        low = bounds->low;
        high = bounds->high;
        star = STAR;
        at++;
        if (at < end && *at == '-') {
            single = false;
            while (at < end && *at != '/')
                at++;
        }
    } else {
        if (!read_value(&at, end, bounds, &low))
            return false;
        high = low;
        if (at < end && *at == '-') {
            at++;
            single = false;
            if (!read_value(&at, end, bounds, &high))
                return false;
        }
    }
    if (at < end && *at == '/') {
        at++;
        if (!read_value(&at, end, &STEP, &step))
            return false;
        if (single)
            high = bounds->high;
        if (step > 1)
            star = 0;
    }
    if (at != end || low < bounds->low || high > bounds->high || low > high || step < 1)
        return false;
    for (int i = low; i <= high; i += step)
        *bits |= UINT64_C(1) << i;
    *bits |= star;
    return true;
}

static bool parse_field(const char *at, size_t size, const bounds_t *bounds, uint64_t *bits)
{
    const char *end = at + size;

    *bits = 0;
    while (at < end) {
        const char *stop = memchr(at, ',', (size_t)(end - at));

        if (!stop)
            stop = end;
        if (stop > at && !parse_range(at, stop, bounds, bits))
            return false;
        at = stop + 1;
    }
    return true;
}

/* Go's durations: "1h30m", "1.5s". In whole seconds, at least 1. */
static bool parse_every(const char *at, int64_t *every_s)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"\xc2\xb5s", 1e-6}, {"\xce\xbcs", 1e-6},
                 {"ms", 1e-3}, {"s", 1},     {"m", 60},           {"h", 3600}};
    double total = 0;
    bool negative = *at == '-';

    if (*at == '-' || *at == '+')
        at++;
    if (strcmp(at, "0") == 0)
        at = "0s";
    if (!*at)
        return false;
    while (*at) {
        char *end;
        double number;
        size_t i;

        if (!isdigit((unsigned char)*at) && *at != '.')
            return false;
        if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
            return false;
        number = strtod(at, &end);
        if (end == at || (*at == '.' && !isdigit((unsigned char)at[1])) ||
            memchr(at, 'e', (size_t)(end - at)) || memchr(at, 'E', (size_t)(end - at)))
            return false;
        at = end;
        for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            size_t size = strlen(units[i].name);

            if (strncmp(at, units[i].name, size) == 0 &&
                (!at[size] || isdigit((unsigned char)at[size]) || at[size] == '.')) {
                total += number * units[i].seconds;
                at += size;
                break;
            }
        }
        if (i == sizeof(units) / sizeof(units[0]) || total > 9.2e9)
            return false;
    }
    *every_s = negative || total < 1 ? 1 : (int64_t)(total + 1e-9);
    return true;
}

static bool parse_fields(const char *at, schedule_t *schedule)
{
    const bounds_t *bounds[] = {&MINUTE, &HOUR, &DAY, &MONTH, &WEEKDAY};
    uint64_t *fields[] = {&schedule->minute, &schedule->hour, &schedule->day, &schedule->month,
                          &schedule->weekday};
    size_t count = 0;

    for (;;) {
        size_t size;

        while (isspace((unsigned char)*at))
            at++;
        if (!*at)
            return count == 5;
        for (size = 0; at[size] && !isspace((unsigned char)at[size]); size++)
            ;
        if (count == 5 || !parse_field(at, size, bounds[count], fields[count]))
            return false;
        count++;
        at += size;
    }
}

static bool parse_descriptor(const char *spec, schedule_t *schedule)
{
    static const struct {
        const char *name, *spec;
    } known[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
                 {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
                 {"@hourly", "0 * * * *"}};

    if (strncmp(spec, "@every ", 7) == 0)
        return parse_every(spec + 7, &schedule->every_s);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(spec, known[i].name) == 0)
            return parse_fields(known[i].spec, schedule);
    }
    return false;
}

static bool parse_zone(const char **spec, schedule_t *schedule)
{
    char name[128];
    const char *at = *spec, *space;

    schedule->zone = pd_timezone_find("UTC");
    if (strncmp(at, "CRON_TZ=", 8) == 0)
        at += 8;
    else if (strncmp(at, "TZ=", 3) == 0)
        at += 3;
    else
        return true;
    space = strchr(at, ' ');
    if (!space || (size_t)(space - at) >= sizeof(name))
        return false;
    memcpy(name, at, (size_t)(space - at));
    name[space - at] = '\0';
    schedule->zone = pd_timezone_find(name);
    while (isspace((unsigned char)*space))
        space++;
    *spec = space;
    return schedule->zone != NULL;
}

static bool parse(const char *spec, schedule_t *schedule)
{
    memset(schedule, 0, sizeof(*schedule));
    if (strlen(spec) > SPEC_SIZE_MAX || !parse_zone(&spec, schedule))
        return false;
    return spec[0] == '@' ? parse_descriptor(spec, schedule) : parse_fields(spec, schedule);
}

bool pd_cron_is_valid(const char *spec)
{
    schedule_t schedule;

    return parse(spec, &schedule);
}

/* ---- the next activation ---- */

static bool has(uint64_t bits, int value)
{
    return (bits >> value & 1) != 0;
}

static bool day_matches(const schedule_t *schedule, const pd_civil_t *civil)
{
    bool day = has(schedule->day, civil->day);
    bool weekday = has(schedule->weekday, civil->weekday);

    if (schedule->day & STAR || schedule->weekday & STAR)
        return day && weekday;
    return day || weekday;
}

/* The first second at or after unix_s that matches; INT64_MAX when there is none in five years.
 * Each step goes to the next month, day, hour or minute that could match, and begins anew. */
static int64_t find(const schedule_t *schedule, int64_t unix_s)
{
    pd_civil_t civil = pd_civil_of(schedule->zone, unix_s);
    int64_t year_max = civil.year + YEAR_COUNT_MAX;

    while (civil.year <= year_max) {
        int64_t before_s = unix_s;
        pd_civil_t next = civil;

        if (!has(schedule->month, civil.month)) {
            next = (pd_civil_t){.year = civil.year, .month = civil.month + 1, .day = 1};
        } else if (!day_matches(schedule, &civil)) {
            next = (pd_civil_t){.year = civil.year, .month = civil.month, .day = civil.day + 1};
        } else if (!has(schedule->hour, civil.hour)) {
            unix_s += 3600 - civil.minute * 60 - civil.second;
            civil = pd_civil_of(schedule->zone, unix_s);
            continue;
        } else if (!has(schedule->minute, civil.minute)) {
            unix_s += 60 - civil.second;
            civil = pd_civil_of(schedule->zone, unix_s);
            continue;
        } else if (civil.second != 0) {
            unix_s += 60 - civil.second;
            civil = pd_civil_of(schedule->zone, unix_s);
            continue;
        } else {
            return unix_s;
        }
        unix_s = pd_civil_to_unix(schedule->zone, &next);
        /* Where a clock change skips midnight, the day begins later. */
        while (unix_s <= before_s)
            unix_s += 3600;
        civil = pd_civil_of(schedule->zone, unix_s);
    }
    return INT64_MAX;
}

static int64_t floor_s(int64_t ns)
{
    return ns >= 0 ? ns / SECOND_NS : -((-ns + SECOND_NS - 1) / SECOND_NS);
}

static int64_t next_s(const schedule_t *schedule, int64_t after_ns)
{
    if (schedule->every_s)
        return floor_s(after_ns) + schedule->every_s;
    return find(schedule, floor_s(after_ns) + 1);
}

static int64_t to_ns(int64_t s)
{
    return s > INT64_MAX / SECOND_NS ? INT64_MAX : s * SECOND_NS;
}

int64_t pd_cron_next_ns(const char *spec, int64_t after_ns)
{
    schedule_t schedule;

    return parse(spec, &schedule) ? to_ns(next_s(&schedule, after_ns)) : INT64_MAX;
}

int64_t pd_cron_backoff_ns(const char *spec, int64_t scheduled_ns, int64_t now_ns)
{
    schedule_t schedule;
    int64_t next_ns;

    if (!parse(spec, &schedule))
        return -1;
    if (now_ns < scheduled_ns) {
        next_ns = scheduled_ns;
    } else if (schedule.every_s) {
        int64_t first_s = next_s(&schedule, scheduled_ns);
        int64_t late_s = -floor_s(-now_ns) - first_s; /* from the first activation to now */

        next_ns = to_ns(late_s <= 0 ? first_s
                                    : first_s + (late_s + schedule.every_s - 1) / schedule.every_s *
                                                    schedule.every_s);
    } else {
        next_ns = to_ns(next_s(&schedule, now_ns > scheduled_ns ? now_ns - 1 : now_ns));
    }
    if (next_ns == INT64_MAX)
        return -1;
    return to_ns((next_ns - now_ns + SECOND_NS - 1) / SECOND_NS);
}
