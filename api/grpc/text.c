#include "api/grpc/text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"

enum { TIMEOUT_DIGIT_COUNT_MAX = 8 };

static const struct {
    char unit;
    int64_t ns;
} units[] = {
    {'n', 1},
    {'u', 1000},
    {'m', 1000 * 1000},
    {'S', 1000 * 1000 * 1000},
    {'M', (int64_t)60 * 1000 * 1000 * 1000},
    {'H', (int64_t)3600 * 1000 * 1000 * 1000},
};

pd_status_t pd_grpc_timeout_parse(pd_bytes_t text, int64_t *timeout_ns, pd_error_t *error)
{
    int shown = text.size > 32 ? 32 : (int)text.size;
    int64_t value = 0, unit_ns = 0;

    if (text.size < 2)
        return pd_error_set(error, PD_INVALID, "transport: timeout string is too short: \"%.*s\"",
                            shown, text.data ? (const char *)text.data : "");
    if (text.size > TIMEOUT_DIGIT_COUNT_MAX + 1)
        return pd_error_set(error, PD_INVALID, "transport: timeout string is too long: \"%.*s\"",
                            shown, (const char *)text.data);
    for (size_t i = 0; i < PD_ARRAY_COUNT(units); i++) {
        if (units[i].unit == (char)text.data[text.size - 1])
            unit_ns = units[i].ns;
    }
    if (!unit_ns)
        return pd_error_set(error, PD_INVALID,
                            "transport: timeout unit is not recognized: \"%.*s\"", shown,
                            (const char *)text.data);
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return pd_error_set(error, PD_INVALID,
                                "strconv.ParseUint: parsing \"%.*s\": invalid syntax", shown - 1,
                                (const char *)text.data);
        value = value * 10 + (text.data[i] - '0');
    }
    *timeout_ns = value > INT64_MAX / unit_ns ? INT64_MAX : value * unit_ns;
    return PD_OK;
}

void pd_grpc_timeout_format(int64_t timeout_ns, char text[PD_GRPC_TIMEOUT_SIZE])
{
    size_t unit = 0;
    int64_t value = timeout_ns > 0 ? timeout_ns : 0;

    /* Whole seconds and milliseconds keep their short form: the header then repeats from call to
     * call. */
    if (value && value % units[3].ns == 0 && value / units[3].ns < 100000000) {
        unit = 3;
        value /= units[3].ns;
    } else if (value && value % units[2].ns == 0 && value / units[2].ns < 100000000) {
        unit = 2;
        value /= units[2].ns;
    }
    while (value >= 100000000 && unit + 1 < PD_ARRAY_COUNT(units)) {
        int64_t step = units[unit + 1].ns / units[unit].ns;

        value = value / step + (value % step ? 1 : 0);
        unit++;
    }
    PD_ASSERT(value < 100000000);
    snprintf(text, PD_GRPC_TIMEOUT_SIZE, "%" PRId64 "%c", value, units[unit].unit);
}

size_t pd_grpc_percent_encode(pd_bytes_t text, char *out, size_t out_size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool plain = byte >= 0x20 && byte <= 0x7e && byte != '%';
        size_t step = plain ? 1 : 3;

        if (out && size + step > out_size)
            break;
        if (out && plain) {
            out[size] = (char)byte;
        } else if (out) {
            out[size] = '%';
            out[size + 1] = digits[byte >> 4];
            out[size + 2] = digits[byte & 15];
        }
        size += step;
    }
    return size;
}

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

size_t pd_grpc_percent_decode(pd_bytes_t text, char *out)
{
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '%' && i + 2 < text.size && hex_value(text.data[i + 1]) >= 0 &&
            hex_value(text.data[i + 2]) >= 0) {
            out[size++] = (char)(hex_value(text.data[i + 1]) * 16 + hex_value(text.data[i + 2]));
            i += 2;
        } else {
            out[size++] = (char)text.data[i];
        }
    }
    return size;
}

void pd_grpc_base64_encode(pd_bytes_t data, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0, i;

    for (i = 0; i + 3 <= data.size; i += 3) {
        uint32_t group =
            (uint32_t)data.data[i] << 16 | (uint32_t)data.data[i + 1] << 8 | data.data[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            out[at++] = digits[group >> shift & 63];
    }
    if (data.size - i == 1) {
        out[at++] = digits[data.data[i] >> 2];
        out[at++] = digits[(data.data[i] & 3) << 4];
    } else if (data.size - i == 2) {
        out[at++] = digits[data.data[i] >> 2];
        out[at++] = digits[(data.data[i] & 3) << 4 | data.data[i + 1] >> 4];
        out[at++] = digits[(data.data[i + 1] & 15) << 2];
    }
    PD_ASSERT(at == pd_grpc_base64_size(data.size));
}

static int base64_value(uint8_t digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == '+')
        return 62;
    if (digit == '/')
        return 63;
    return -1;
}

pd_status_t pd_grpc_base64_decode(pd_bytes_t text, uint8_t *out, size_t *size)
{
    uint32_t group = 0;
    size_t at = 0;

    if (text.size % 4 == 0) {
        for (int i = 0; i < 2 && text.size && text.data[text.size - 1] == '='; i++)
            text.size--;
    }
    if (text.size % 4 == 1)
        return PD_INVALID;
    for (size_t i = 0; i < text.size; i++) {
        int value = base64_value(text.data[i]);

        if (value < 0)
            return PD_INVALID;
        group = group << 6 | (uint32_t)value;
        if (i % 4 == 3) {
            out[at++] = (uint8_t)(group >> 16);
            out[at++] = (uint8_t)(group >> 8);
            out[at++] = (uint8_t)group;
            group = 0;
        }
    }
    if (text.size % 4 == 2) {
        out[at++] = (uint8_t)(group >> 4);
    } else if (text.size % 4 == 3) {
        out[at++] = (uint8_t)(group >> 10);
        out[at++] = (uint8_t)(group >> 2);
    }
    *size = at;
    return PD_OK;
}

bool pd_grpc_list_next(pd_bytes_t *list, pd_bytes_t *item)
{
    const uint8_t *comma;

    if (!list->data)
        return false;
    comma = list->size ? memchr(list->data, ',', list->size) : NULL;
    *item = pd_bytes(list->data, comma ? (size_t)(comma - list->data) : list->size);
    if (comma)
        *list = pd_bytes(comma + 1, list->size - item->size - 1);
    else
        *list = pd_bytes(NULL, 0);
    while (item->size && item->data[0] == ' ')
        *item = pd_bytes(item->data + 1, item->size - 1);
    while (item->size && item->data[item->size - 1] == ' ')
        item->size--;
    return true;
}
