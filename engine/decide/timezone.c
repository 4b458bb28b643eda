#include "engine/decide/timezone.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "engine/decide/timezone_private.h"

#define DAY_S INT64_C(86400)
#define FOLDER "/usr/share/zoneinfo/"

enum { FILE_SIZE_MAX = 256 * 1024, NAME_SIZE_MAX = 100, ZONE_COUNT_MAX = 1024 };

typedef struct transition {
    int64_t at;
    int32_t offset;
} transition_t;

struct pd_timezone {
    char *name;
    pd_timezone_t *next;
    int32_t first_offset; /* before the first transition */
    transition_t *transitions;
    size_t transition_count;
    pdi_tz_rule_t rule;
    bool has_rule;
};

static pd_timezone_t utc = {.name = (char *)"UTC"};
static pd_timezone_t *zones;
static size_t zone_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- reading TZif ---- */

static int64_t read_int(const uint8_t *data, size_t size)
{
    uint64_t value = data[0] & 0x80 ? UINT64_MAX : 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return (int64_t)value;
}

typedef struct header {
    size_t is_ut_count, is_std_count, leap_count, time_count, type_count, char_count;
} header_t;

enum { HEADER_SIZE = 44 };

static bool read_header(const uint8_t *data, size_t size, header_t *header)
{
    if (size < HEADER_SIZE || memcmp(data, "TZif", 4) != 0)
        return false;
    header->is_ut_count = (size_t)(uint32_t)read_int(data + 20, 4);
    header->is_std_count = (size_t)(uint32_t)read_int(data + 24, 4);
    header->leap_count = (size_t)(uint32_t)read_int(data + 28, 4);
    header->time_count = (size_t)(uint32_t)read_int(data + 32, 4);
    header->type_count = (size_t)(uint32_t)read_int(data + 36, 4);
    header->char_count = (size_t)(uint32_t)read_int(data + 40, 4);
    return header->time_count < FILE_SIZE_MAX && header->type_count < 256 &&
           header->char_count < FILE_SIZE_MAX && header->leap_count < FILE_SIZE_MAX &&
           header->is_ut_count < 257 && header->is_std_count < 257;
}

static size_t body_size(const header_t *header, size_t time_size)
{
    return header->time_count * (time_size + 1) + header->type_count * 6 + header->char_count +
           header->leap_count * (time_size + 4) + header->is_std_count + header->is_ut_count;
}

static bool read_body(const uint8_t *data, const header_t *header, pd_timezone_t *zone)
{
    const uint8_t *indexes = data + header->time_count * 8;
    const uint8_t *types = indexes + header->time_count;

    if (!header->type_count)
        return false;
    zone->first_offset = (int32_t)read_int(types, 4);
    zone->transitions = pd_calloc(header->time_count + 1, sizeof(zone->transitions[0]));
    for (size_t i = 0; i < header->time_count; i++) {
        if (indexes[i] >= header->type_count)
            return false;
        zone->transitions[i].at = read_int(data + i * 8, 8);
        zone->transitions[i].offset = (int32_t)read_int(types + indexes[i] * 6, 4);
    }
    zone->transition_count = header->time_count;
    return true;
}

static void read_footer(const uint8_t *data, size_t size, pd_timezone_t *zone)
{
    char text[128];

    if (size < 3 || data[0] != '\n' || size > sizeof(text))
        return;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    text[strcspn(text, "\n")] = '\0';
    zone->has_rule = pdi_tz_rule_parse(text, &zone->rule);
}

static bool parse(const uint8_t *data, size_t size, pd_timezone_t *zone)
{
    header_t header;
    size_t skipped;

    if (!read_header(data, size, &header) || data[4] < '2')
        return false;
    skipped = HEADER_SIZE + body_size(&header, 4);
    if (skipped > size || !read_header(data + skipped, size - skipped, &header))
        return false;
    skipped += HEADER_SIZE;
    if (size - skipped < body_size(&header, 8) || !read_body(data + skipped, &header, zone))
        return false;
    skipped += body_size(&header, 8);
    read_footer(data + skipped, size - skipped, zone);
    return true;
}

/* ---- finding ---- */

static bool is_plain_name(const char *name)
{
    if (strlen(name) > NAME_SIZE_MAX || name[0] == '/' || strstr(name, ".."))
        return false;
    for (const char *at = name; *at; at++) {
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/", *at))
            return false;
    }
    return true;
}

static pd_timezone_t *load(const char *name)
{
    char path[sizeof(FOLDER) + NAME_SIZE_MAX];
    pd_timezone_t *zone = NULL;
    uint8_t *data;
    size_t size;
    FILE *file;

    (void)snprintf(path, sizeof(path), FOLDER "%s", name);
    file = fopen(path, "rb");
    if (!file)
        return NULL;
    data = pd_alloc(FILE_SIZE_MAX);
    size = fread(data, 1, FILE_SIZE_MAX, file);
    (void)fclose(file);
    zone = PD_NEW(pd_timezone_t);
    if (!parse(data, size, zone)) {
        pd_free(zone->transitions);
        pd_free(zone);
        zone = NULL;
    }
    pd_free(data);
    return zone;
}

const pd_timezone_t *pd_timezone_find(const char *name)
{
    pd_timezone_t *zone;

    if (!name[0] || strcmp(name, "UTC") == 0 || strcmp(name, "Local") == 0)
        return &utc;
    if (!is_plain_name(name))
        return NULL;
    (void)pthread_mutex_lock(&lock);
    for (zone = zones; zone && strcmp(zone->name, name) != 0; zone = zone->next)
        ;
    if (!zone && zone_count < ZONE_COUNT_MAX) {
        zone = load(name);
        if (zone) {
            zone->name = pd_strdup(name);
            zone->next = zones;
            zones = zone;
            zone_count++;
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return zone;
}

/* ---- asking ---- */

int32_t pd_timezone_offset(const pd_timezone_t *zone, int64_t unix_s, int64_t *from, int64_t *until)
{
    size_t low = 0, high = zone->transition_count;

    *from = INT64_MIN;
    *until = INT64_MAX;
    /* The number of transitions at or before unix_s. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->transitions[middle].at <= unix_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->transition_count && zone->has_rule)
        return pdi_tz_rule_offset(&zone->rule, unix_s, from, until);
    if (low < zone->transition_count)
        *until = zone->transitions[low].at;
    if (!low)
        return zone->first_offset;
    *from = zone->transitions[low - 1].at;
    return zone->transitions[low - 1].offset;
}

/* ---- civil time ---- */

/* Days since 1970-01-01 of a proleptic Gregorian date; month 1 .. 12. */
int64_t pdi_days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_of(int64_t days, pd_civil_t *civil)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;

    civil->day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    civil->month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    civil->year = year_of_era + era * 400 + (civil->month <= 2);
    civil->weekday = (int)((days % 7 + 11) % 7);
}

pd_civil_t pd_civil_of(const pd_timezone_t *zone, int64_t unix_s)
{
    int64_t from, until, local = unix_s + pd_timezone_offset(zone, unix_s, &from, &until);
    int64_t days = local >= 0 ? local / DAY_S : (local - DAY_S + 1) / DAY_S;
    int64_t second = local - days * DAY_S;
    pd_civil_t civil;

    date_of(days, &civil);
    civil.hour = (int)(second / 3600);
    civil.minute = (int)(second / 60 % 60);
    civil.second = (int)(second % 60);
    return civil;
}

int64_t pd_civil_to_unix(const pd_timezone_t *zone, const pd_civil_t *civil)
{
    int64_t months = civil->month - 1;
    int64_t year = civil->year + months / 12;
    int64_t local, from, until, unix_s;
    int32_t offset;

    local = pdi_days_of(year, (int)(months % 12) + 1, 1) * DAY_S + (civil->day - 1) * DAY_S +
            civil->hour * INT64_C(3600) + civil->minute * INT64_C(60) + civil->second;
    offset = pd_timezone_offset(zone, local, &from, &until);
    unix_s = local - offset;
    if (unix_s < from || unix_s >= until)
        unix_s = local - pd_timezone_offset(zone, unix_s, &from, &until);
    return unix_s;
}
