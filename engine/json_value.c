#include "engine/json_value.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct pd_json_reader {
    pd_arena_t *arena;
    const char *at;
    const char *end;
} pd_json_reader_t;

static void skip_space(pd_json_reader_t *reader)
{
    while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at)
        reader->at++;
}

static char peek(const pd_json_reader_t *reader)
{
    return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(pd_json_reader_t *reader, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0)
        return false;
    reader->at += size;
    return true;
}

static bool take_digits(pd_json_reader_t *reader)
{
    const char *start = reader->at;

    while (peek(reader) >= '0' && peek(reader) <= '9')
        reader->at++;
    return reader->at > start;
}

static bool read_number(pd_json_reader_t *reader, pd_json_value_t *value)
{
    const char *start = reader->at;

    (void)take(reader, "-");
    if (!take(reader, "0") && !take_digits(reader))
        return false;
    if (take(reader, ".") && !take_digits(reader))
        return false;
    if (take(reader, "e") || take(reader, "E")) {
        if (!take(reader, "+"))
            (void)take(reader, "-");
        if (!take_digits(reader))
            return false;
    }
    value->kind = PD_JSON_NUMBER;
    value->text = pd_arena_printf(reader->arena, "%.*s", (int)(reader->at - start), start);
    return true;
}

static bool read_hex4(pd_json_reader_t *reader, unsigned *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        char c = peek(reader);
        unsigned digit;

        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (unsigned)((c | 0x20) - 'a') + 10;
        else
            return false;
        *code = *code * 16 + digit;
        reader->at++;
    }
    return true;
}

static char *put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* Behind "\u". Lone halves of a pair become U+FFFD. */
static bool read_unicode(pd_json_reader_t *reader, char **out)
{
    unsigned code;
    unsigned low;

    if (!read_hex4(reader, &code) || code == 0)
        return false;
    if (code >= 0xd800 && code < 0xdc00 && take(reader, "\\u")) {
        if (!read_hex4(reader, &low))
            return false;
        if (low >= 0xdc00 && low < 0xe000)
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code >= 0xd800 && code < 0xe000)
        code = 0xfffd;
    *out = put_utf8(*out, code);
    return true;
}

static bool read_escape(pd_json_reader_t *reader, char **out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (take(reader, "u"))
        return read_unicode(reader, out);
    found = peek(reader) ? strchr(from, peek(reader)) : NULL;
    if (!found)
        return false;
    reader->at++;
    *(*out)++ = to[found - from];
    return true;
}

static const char *read_string(pd_json_reader_t *reader)
{
    const char *quote = reader->at;
    char *text;
    char *out;

    if (!take(reader, "\""))
        return NULL;
    /* Unescaping never makes it longer. */
    text = out = pd_arena_alloc(reader->arena, (size_t)(reader->end - quote) + 1);
    while (reader->at < reader->end) {
        unsigned char c = (unsigned char)*reader->at++;

        if (c == '"') {
            *out = '\0';
            return text;
        }
        if (c < 0x20)
            return NULL;
        if (c != '\\')
            *out++ = (char)c;
        else if (!read_escape(reader, &out))
            return NULL;
    }
    return NULL;
}

static pd_json_value_t *read_value(pd_json_reader_t *reader, unsigned depth);

/* Behind the opening bracket. */
static bool read_members(pd_json_reader_t *reader, pd_json_value_t *value, unsigned depth)
{
    const char *close = value->kind == PD_JSON_OBJECT ? "}" : "]";
    pd_json_value_t **tail = &value->first;

    skip_space(reader);
    if (take(reader, close))
        return true;
    for (;;) {
        const char *name = NULL;

        skip_space(reader);
        if (value->kind == PD_JSON_OBJECT) {
            name = read_string(reader);
            if (!name)
                return false;
            skip_space(reader);
            if (!take(reader, ":"))
                return false;
        }
        *tail = read_value(reader, depth + 1);
        if (!*tail)
            return false;
        (*tail)->name = name;
        tail = &(*tail)->next;
        skip_space(reader);
        if (take(reader, close))
            return true;
        if (!take(reader, ","))
            return false;
    }
}

static pd_json_value_t *read_value(pd_json_reader_t *reader, unsigned depth)
{
    pd_json_value_t *value = PD_ARENA_NEW(reader->arena, pd_json_value_t);
    bool good = true;

    if (depth > PD_JSON_DEPTH_MAX)
        return NULL;
    skip_space(reader);
    if (take(reader, "null")) {
        value->kind = PD_JSON_NULL;
    } else if (take(reader, "true")) {
        value->kind = PD_JSON_BOOL;
        value->boolean = true;
    } else if (take(reader, "false")) {
        value->kind = PD_JSON_BOOL;
    } else if (peek(reader) == '"') {
        value->kind = PD_JSON_STRING;
        value->text = read_string(reader);
        good = value->text != NULL;
    } else if (take(reader, "[")) {
        value->kind = PD_JSON_ARRAY;
        good = read_members(reader, value, depth);
    } else if (take(reader, "{")) {
        value->kind = PD_JSON_OBJECT;
        good = read_members(reader, value, depth);
    } else {
        good = read_number(reader, value);
    }
    return good ? value : NULL;
}

pd_json_value_t *pd_json_parse(pd_arena_t *arena, pd_bytes_t bytes)
{
    pd_json_reader_t reader = {arena, (const char *)bytes.data,
                               (const char *)bytes.data + bytes.size};
    pd_json_value_t *value = bytes.size > 0 ? read_value(&reader, 0) : NULL;

    if (!value)
        return NULL;
    skip_space(&reader);
    return reader.at == reader.end ? value : NULL;
}

/* As Go's %v prints a float64: the fewest digits that tell it, with an exponent from 1e+06 on. */
static const char *print_number(pd_arena_t *arena, const char *text)
{
    enum { EXPONENT_MIN = -4, EXPONENT_MAX = 6 };
    double number = strtod(text, NULL);
    char shortest[40];
    int digits = 1;
    long exponent;

    for (; digits < 17; digits++) {
        snprintf(shortest, sizeof shortest, "%.*e", digits - 1, number);
        if (strtod(shortest, NULL) == number)
            break;
    }
    snprintf(shortest, sizeof shortest, "%.*e", digits - 1, number);
    if (!strchr(shortest, 'e')) /* out of range */
        return text;
    exponent = strtol(strchr(shortest, 'e') + 1, NULL, 10);
    if (exponent >= EXPONENT_MIN && exponent < EXPONENT_MAX)
        snprintf(shortest, sizeof shortest, "%.*f",
                 digits - 1 > exponent ? (int)(digits - 1 - exponent) : 0, number);
    return pd_arena_strdup(arena, shortest);
}

const char *pd_json_print(pd_arena_t *arena, const pd_json_value_t *value)
{
    const char *text = "";

    switch (value->kind) {
    case PD_JSON_NULL:
        return "<nil>";
    case PD_JSON_BOOL:
        return value->boolean ? "true" : "false";
    case PD_JSON_NUMBER:
        return print_number(arena, value->text);
    case PD_JSON_STRING:
        return value->text;
    case PD_JSON_ARRAY:
        for (const pd_json_value_t *item = value->first; item; item = item->next)
            text = pd_arena_printf(arena, "%s%s%s", text, text[0] ? " " : "",
                                   pd_json_print(arena, item));
        return pd_arena_printf(arena, "[%s]", text);
    case PD_JSON_OBJECT:
        for (const pd_json_value_t *item = value->first; item; item = item->next)
            text = pd_arena_printf(arena, "%s%s%s:%s", text, text[0] ? " " : "", item->name,
                                   pd_json_print(arena, item));
        return pd_arena_printf(arena, "map[%s]", text);
    }
    return "";
}
