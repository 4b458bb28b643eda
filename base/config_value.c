/* What a value may be: numbers with units, bounds, choices, addresses; and which name was meant. */
#include "base/config_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

typedef struct unit {
    const char *name;
    int64_t factor;
} unit_t;

/* From small to large: the largest that divides a number writes it. */
static const unit_t durations[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000 * 1000},
    {"s", 1000 * 1000 * 1000},
    {"m", 60 * (int64_t)1000 * 1000 * 1000},
    {"h", 3600 * (int64_t)1000 * 1000 * 1000},
    {"d", 24 * 3600 * (int64_t)1000 * 1000 * 1000},
};
static const unit_t sizes[] = {
    {"", 1},
    {"KiB", 1024},
    {"MiB", 1024 * 1024},
    {"GiB", 1024 * 1024 * 1024},
    {"TiB", 1024 * (int64_t)1024 * 1024 * 1024},
};
static const unit_t plain[] = {{"", 1}};

static const unit_t *units_of(pd_config_type_t type, size_t *count)
{
    if (type == PD_CONFIG_DURATION) {
        *count = PD_ARRAY_COUNT(durations);
        return durations;
    }
    *count = type == PD_CONFIG_SIZE ? PD_ARRAY_COUNT(sizes) : 1;
    return type == PD_CONFIG_SIZE ? sizes : plain;
}

/* Digits and a unit, nothing else. A duration other than 0 needs its unit. */
static bool parse_number(pd_config_type_t type, const char *text, int64_t *number)
{
    size_t count;
    const unit_t *units = units_of(type, &count);
    const char *digits = text + (type == PD_CONFIG_INT && *text == '-');
    char *end;
    long long value;

    if (*digits < '0' || *digits > '9')
        return false;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].name) == 0)
            return !__builtin_mul_overflow(value, units[i].factor, number);
    }
    *number = 0;
    return value == 0 && *end == '\0';
}

static void format_number(pd_config_type_t type, int64_t number, char *out, size_t size)
{
    size_t count, chosen = 0;
    const unit_t *units = units_of(type, &count);

    for (size_t i = 0; i < count && number != 0; i++) {
        if (number % units[i].factor == 0)
            chosen = i;
    }
    if (number == 0) /* needs no unit */
        snprintf(out, size, "0");
    else
        snprintf(out, size, "%lld%s", (long long)(number / units[chosen].factor),
                 units[chosen].name);
}

/* The choice that begins at *at; false: no more. */
static bool next_choice(const char **at, pd_bytes_t *choice)
{
    size_t size;

    if (!**at)
        return false;
    size = strcspn(*at, "|");
    *choice = pd_bytes(*at, size);
    *at += size + ((*at)[size] == '|');
    return true;
}

static void describe_choices(const char *choices, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "one of ");
    pd_bytes_t element;
    bool first = true;

    while (at < size && next_choice(&choices, &element)) {
        at += (size_t)snprintf(out + at, size - at, "%s%.*s", first ? "" : ", ", (int)element.size,
                               (const char *)element.data);
        first = false;
    }
}

void pdi_config_describe_range(const pd_config_option_t *option, char *out, size_t size)
{
    char min[32], max[32];

    format_number(option->type, option->min, min, sizeof(min));
    format_number(option->type, option->max, max, sizeof(max));
    switch (option->type) {
    case PD_CONFIG_STRING:
        snprintf(out, size, "a text");
        break;
    case PD_CONFIG_INT:
        snprintf(out, size, "a number from %s to %s", min, max);
        break;
    case PD_CONFIG_BOOL:
        snprintf(out, size, "true or false");
        break;
    case PD_CONFIG_DURATION:
        snprintf(out, size, "a duration from %s to %s, such as 500ms, 20s or 5m", min, max);
        break;
    case PD_CONFIG_SIZE:
        snprintf(out, size, "a size from %s to %s, such as 512KiB or 64MiB", min, max);
        break;
    case PD_CONFIG_CHOICE:
        describe_choices(option->choices, out, size);
        break;
    case PD_CONFIG_ADDRESS:
        snprintf(out, size, "HOST:PORT, such as 127.0.0.1:7233 or [::1]:7233");
        break;
    }
}

static bool parse_choice(const char *choices, const char *text, int64_t *number)
{
    pd_bytes_t element;

    for (*number = 0; next_choice(&choices, &element); (*number)++) {
        if (pd_bytes_equal(element, pd_bytes_str(text)))
            return true;
    }
    return false;
}

static bool parse_bool(const char *text, int64_t *number)
{
    *number = strcmp(text, "true") == 0;
    return *number || strcmp(text, "false") == 0;
}

pd_status_t pd_config_split_address(const char *text, char *host, size_t host_size, uint16_t *port)
{
    const char *colon = strrchr(text, ':'), *begin = text, *end = colon;
    int64_t number;

    if (!colon || colon == text)
        return PD_INVALID;
    if (text[0] == '[') {
        if (end[-1] != ']')
            return PD_INVALID;
        begin++;
        end--;
    } else if (memchr(text, ':', (size_t)(colon - text))) {
        return PD_INVALID; /* a V6 address without brackets */
    }
    if (end <= begin || (size_t)(end - begin) >= host_size || strpbrk(text, " \t/,") ||
        colon[1] == '-' || !parse_number(PD_CONFIG_INT, colon + 1, &number) || number > UINT16_MAX)
        return PD_INVALID;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    *port = (uint16_t)number;
    return PD_OK;
}

static bool is_valid(const pd_config_option_t *option, const char *text, int64_t *number)
{
    char host[256];
    uint16_t port;

    switch (option->type) {
    case PD_CONFIG_STRING:
        return *text != '\0';
    case PD_CONFIG_INT:
    case PD_CONFIG_DURATION:
    case PD_CONFIG_SIZE:
        return parse_number(option->type, text, number) && *number >= option->min &&
               *number <= option->max;
    case PD_CONFIG_BOOL:
        return parse_bool(text, number);
    case PD_CONFIG_CHOICE:
        return parse_choice(option->choices, text, number);
    case PD_CONFIG_ADDRESS:
        return pd_config_split_address(text, host, sizeof(host), &port) == PD_OK;
    }
    PD_UNREACHABLE();
}

pd_status_t pdi_config_parse_value(const pd_config_option_t *option, const char *text,
                                   const char *where, int64_t *number, pd_error_t *error)
{
    char range[200];

    *number = 0;
    if (is_valid(option, text, number))
        return PD_OK;
    pdi_config_describe_range(option, range, sizeof(range));
    return pd_error_set(error, PD_INVALID, "%s: \"%.60s\" is not valid: it must be %s", where, text,
                        range);
}

/* ---- the nearest name ---- */

enum { NEAR_SIZE_MAX = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Letters to insert, remove or change. */
static size_t distance(const char *a, const char *b)
{
    size_t a_size = strlen(a), b_size = strlen(b), row[NEAR_SIZE_MAX + 1];

    if (a_size > NEAR_SIZE_MAX || b_size > NEAR_SIZE_MAX)
        return NEAR_SIZE_MAX;
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t above = row[j];

            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_size];
}

const char *pdi_config_nearest(const pd_config_table_t *table, uint32_t programs, const char *name)
{
    size_t best_distance = 3 + strlen(name) / 4;
    const char *best = NULL;

    for (size_t i = 0; i < table->option_count; i++) {
        const pd_config_option_t *option = &table->options[i];
        size_t found = distance(name, option->name);

        if (!option->hidden && (!programs || (option->programs & programs)) &&
            found < best_distance) {
            best_distance = found;
            best = option->name;
        }
    }
    return best;
}
