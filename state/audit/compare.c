#include "state/audit/compare.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

enum { LINE_SHOWN = 600, TABLE_NAME_SIZE = 32 };

/* Sorted lines "table key … fields". */
typedef struct lines {
    const char *name;
    pd_buf_t text;
    size_t at;
} lines_t;

typedef struct comparison {
    lines_t a, b;
    pd_buf_t *out;
    char table[TABLE_NAME_SIZE];
    uint64_t table_count; /* differences */
    bool same;
} comparison_t;

static pd_bytes_t line(const lines_t *lines)
{
    const char *from = (const char *)lines->text.data + lines->at;
    const char *end = memchr(from, '\n', lines->text.size - lines->at);

    PD_ASSERT(end);
    return pd_bytes(from, (size_t)(end - from));
}

static bool at_end(const lines_t *lines)
{
    return lines->at == lines->text.size;
}

static int compare_bytes(pd_bytes_t a, pd_bytes_t b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.data, b.data, size);

    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static void put(comparison_t *comparison, const char *text, size_t size)
{
    PD_ASSERT(pd_buf_append(comparison->out, text, size) == PD_OK);
}

/* The words before the first field: table and key, up to the first '{' or '='. */
static size_t key_size(pd_bytes_t bytes)
{
    size_t size = 0, spaces = 0;

    for (; size < bytes.size; size++) {
        spaces += bytes.data[size] == ' ';
        if (bytes.data[size] == '{' || bytes.data[size] == '=' || bytes.data[size] == ':')
            break;
        if (spaces == 3)
            break;
    }
    return size;
}

static void end_table(comparison_t *comparison)
{
    char text[128];

    if (comparison->table_count) {
        snprintf(text, sizeof(text), "  table %s: %llu differences\n", comparison->table,
                 (unsigned long long)comparison->table_count);
        put(comparison, text, strlen(text));
    }
    comparison->table_count = 0;
}

static void show(comparison_t *comparison, const lines_t *whose, pd_bytes_t bytes)
{
    size_t shown = bytes.size < LINE_SHOWN ? bytes.size : LINE_SHOWN;

    put(comparison, "    ", 4);
    put(comparison, whose->name, strlen(whose->name));
    put(comparison, ": ", 2);
    put(comparison, (const char *)bytes.data, shown);
    put(comparison, shown < bytes.size ? " …\n" : "\n", shown < bytes.size ? 5 : 1);
}

static void enter_table(comparison_t *comparison, pd_bytes_t bytes)
{
    const char *end = memchr(bytes.data, ' ', bytes.size);
    size_t size = end ? (size_t)(end - (const char *)bytes.data) : bytes.size;
    char name[TABLE_NAME_SIZE];

    snprintf(name, sizeof(name), "%.*s", (int)size, (const char *)bytes.data);
    if (strcmp(name, comparison->table) != 0) {
        end_table(comparison);
        memcpy(comparison->table, name, sizeof(name));
    }
}

static void differ(comparison_t *comparison, bool a_has, bool b_has)
{
    pd_bytes_t a = a_has ? line(&comparison->a) : pd_bytes(NULL, 0);
    pd_bytes_t b = b_has ? line(&comparison->b) : pd_bytes(NULL, 0);

    comparison->same = false;
    enter_table(comparison, a_has ? a : b);
    if (comparison->table_count++ < PD_COMPARE_SHOWN) {
        if (a_has)
            show(comparison, &comparison->a, a);
        if (b_has)
            show(comparison, &comparison->b, b);
    }
}

static void next(lines_t *lines)
{
    lines->at += line(lines).size + 1;
}

static void merge(comparison_t *comparison)
{
    lines_t *a = &comparison->a, *b = &comparison->b;

    while (!at_end(a) || !at_end(b)) {
        int order = at_end(a) ? 1 : at_end(b) ? -1 : compare_bytes(line(a), line(b));
        bool both = order == 0;

        if (order != 0 && !at_end(a) && !at_end(b)) { /* one row, told differently */
            pd_bytes_t of_a = line(a), of_b = line(b);

            both = key_size(of_a) == key_size(of_b) &&
                   memcmp(of_a.data, of_b.data, key_size(of_a)) == 0;
        }
        if (order != 0)
            differ(comparison, both || order < 0, both || order > 0);
        if (both || order < 0)
            next(a);
        if (both || order > 0)
            next(b);
    }
    end_table(comparison);
}

pd_status_t pd_store_compare(pd_store_t *a, const char *a_name, pd_store_t *b, const char *b_name,
                             pd_buf_t *out, bool *same, pd_error_t *error)
{
    comparison_t comparison = {.a.name = a_name, .b.name = b_name, .out = out, .same = true};
    pd_status_t status;

    pd_buf_init(&comparison.a.text, SIZE_MAX);
    pd_buf_init(&comparison.b.text, SIZE_MAX);
    status = pd_store_dump(a, &comparison.a.text, error);
    if (status == PD_OK)
        status = pd_store_dump(b, &comparison.b.text, error);
    if (status == PD_OK)
        merge(&comparison);
    *same = comparison.same;
    pd_buf_deinit(&comparison.a.text);
    pd_buf_deinit(&comparison.b.text);
    return status;
}
