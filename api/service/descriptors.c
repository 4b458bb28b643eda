#include "api/service/descriptors.h"

#include <stdlib.h>

#include "api/service/wire.h"
#include "base/arena.h"
#include "base/assert.h"
#include "base/memory.h"

/* Field numbers of descriptor.proto. */
enum {
    SET_FILE = 1,
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    FILE_EXTENSION = 7,
    MESSAGE_NAME = 1,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_EXTENSION = 6,
    MESSAGE_ONEOF = 8,
    ENUM_VALUE = 2,
    SERVICE_METHOD = 2,
    FIELD_EXTENDEE = 2,
    FIELD_NUMBER = 3,
    NESTING_MAX = 32,
};

typedef struct symbol {
    pd_bytes_t name; /* full */
    int file;
} symbol_t;

typedef struct extension {
    pd_bytes_t message; /* full name of what it extends */
    uint64_t number;
    int file;
} extension_t;

typedef struct file {
    pd_bytes_t name;
    pd_bytes_t encoded;
} file_t;

struct pd_descriptors {
    pd_arena_t arena; /* names */
    file_t *files;
    int file_count;
    symbol_t *symbols; /* sorted by name */
    size_t symbol_count, symbol_capacity;
    extension_t *extensions;
    size_t extension_count, extension_capacity;
};

extern const uint8_t pdi_descriptor_set[];
extern const uint8_t pdi_descriptor_set_end[];

__asm__(".section .rodata\n"
        ".balign 16\n"
        ".global pdi_descriptor_set\n"
        "pdi_descriptor_set:\n"
        ".incbin \"" PD_DESCRIPTOR_SET_PATH "\"\n"
        ".global pdi_descriptor_set_end\n"
        "pdi_descriptor_set_end:\n"
        ".byte 0\n"
        ".text\n");

pd_bytes_t pd_descriptors_builtin(void)
{
    return pd_bytes(pdi_descriptor_set, (size_t)(pdi_descriptor_set_end - pdi_descriptor_set));
}

/* The first length-delimited field of that number; empty when there is none. */
static pd_bytes_t find(pd_bytes_t message, uint32_t number)
{
    pdi_field_t field;

    while (pdi_wire_next(&message, &field, NULL)) {
        if (field.number == number && field.type == 2)
            return field.bytes;
    }
    return pd_bytes(NULL, 0);
}

static pd_bytes_t join(pd_descriptors_t *self, pd_bytes_t scope, pd_bytes_t name)
{
    uint8_t *joined = pd_arena_alloc(&self->arena, scope.size + 1 + name.size);
    size_t size = 0;

    if (scope.size) {
        memcpy(joined, scope.data, scope.size);
        joined[scope.size] = '.';
        size = scope.size + 1;
    }
    if (name.size)
        memcpy(joined + size, name.data, name.size);
    return pd_bytes(joined, size + name.size);
}

static pd_bytes_t add_symbol(pd_descriptors_t *self, int file, pd_bytes_t scope, pd_bytes_t name)
{
    pd_bytes_t full = join(self, scope, name);

    if (self->symbol_count == self->symbol_capacity) {
        self->symbol_capacity = self->symbol_capacity ? self->symbol_capacity * 2 : 1024;
        self->symbols = pd_realloc(self->symbols, self->symbol_capacity * sizeof(*self->symbols));
    }
    self->symbols[self->symbol_count++] = (symbol_t){full, file};
    return full;
}

static void add_extension(pd_descriptors_t *self, int file, pd_bytes_t scope, pd_bytes_t encoded)
{
    pd_bytes_t message = find(encoded, FIELD_EXTENDEE), rest = encoded;
    extension_t extension = {.file = file};
    pdi_field_t field;

    add_symbol(self, file, scope, find(encoded, MESSAGE_NAME));
    if (message.size && message.data[0] == '.')
        message = pd_bytes(message.data + 1, message.size - 1);
    extension.message = message;
    while (pdi_wire_next(&rest, &field, NULL)) {
        if (field.number == FIELD_NUMBER && field.type == 0)
            extension.number = field.value;
    }
    if (self->extension_count == self->extension_capacity) {
        self->extension_capacity = self->extension_capacity ? self->extension_capacity * 2 : 16;
        self->extensions =
            pd_realloc(self->extensions, self->extension_capacity * sizeof(*self->extensions));
    }
    self->extensions[self->extension_count++] = extension;
}

/* Enum values are siblings of their enum, as in C++. */
static void add_enum(pd_descriptors_t *self, int file, pd_bytes_t scope, pd_bytes_t encoded)
{
    pdi_field_t field;

    add_symbol(self, file, scope, find(encoded, MESSAGE_NAME));
    while (pdi_wire_next(&encoded, &field, NULL)) {
        if (field.number == ENUM_VALUE && field.type == 2)
            add_symbol(self, file, scope, find(field.bytes, MESSAGE_NAME));
    }
}

static void add_service(pd_descriptors_t *self, int file, pd_bytes_t scope, pd_bytes_t encoded)
{
    pd_bytes_t name = add_symbol(self, file, scope, find(encoded, MESSAGE_NAME));
    pdi_field_t field;

    while (pdi_wire_next(&encoded, &field, NULL)) {
        if (field.number == SERVICE_METHOD && field.type == 2)
            add_symbol(self, file, name, find(field.bytes, MESSAGE_NAME));
    }
}

static void add_message(pd_descriptors_t *self, int file, pd_bytes_t scope, pd_bytes_t encoded,
                        int depth)
{
    pd_bytes_t name = add_symbol(self, file, scope, find(encoded, MESSAGE_NAME));
    pdi_field_t field;

    while (depth < NESTING_MAX && pdi_wire_next(&encoded, &field, NULL)) {
        if (field.type != 2)
            continue;
        if (field.number == MESSAGE_NESTED)
            add_message(self, file, name, field.bytes, depth + 1);
        else if (field.number == MESSAGE_ENUM)
            add_enum(self, file, name, field.bytes);
        else if (field.number == MESSAGE_EXTENSION)
            add_extension(self, file, name, field.bytes);
        else if (field.number == MESSAGE_FIELD || field.number == MESSAGE_ONEOF)
            add_symbol(self, file, name, find(field.bytes, MESSAGE_NAME));
    }
}

static void add_file(pd_descriptors_t *self, pd_bytes_t encoded)
{
    pd_bytes_t package = find(encoded, FILE_PACKAGE);
    int file = self->file_count++;
    pdi_field_t field;

    self->files[file] = (file_t){find(encoded, FILE_NAME), encoded};
    while (pdi_wire_next(&encoded, &field, NULL)) {
        if (field.type != 2)
            continue;
        if (field.number == FILE_MESSAGE)
            add_message(self, file, package, field.bytes, 0);
        else if (field.number == FILE_ENUM)
            add_enum(self, file, package, field.bytes);
        else if (field.number == FILE_SERVICE)
            add_service(self, file, package, field.bytes);
        else if (field.number == FILE_EXTENSION)
            add_extension(self, file, package, field.bytes);
    }
}

static int compare_names(pd_bytes_t a, pd_bytes_t b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;

    if (order)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

static int compare_symbols(const void *a, const void *b)
{
    return compare_names(((const symbol_t *)a)->name, ((const symbol_t *)b)->name);
}

pd_descriptors_t *pd_descriptors_new(pd_bytes_t set)
{
    pd_descriptors_t *self = PD_NEW(pd_descriptors_t);
    pd_bytes_t rest = set;
    pdi_field_t field;
    size_t count = 0;

    pd_arena_init(&self->arena);
    while (pdi_wire_next(&rest, &field, NULL))
        count += field.number == SET_FILE && field.type == 2;
    self->files = pd_calloc(count, sizeof(*self->files));
    while (pdi_wire_next(&set, &field, NULL)) {
        if (field.number == SET_FILE && field.type == 2)
            add_file(self, field.bytes);
    }
    PD_ASSERT((size_t)self->file_count == count);
    if (self->symbol_count)
        qsort(self->symbols, self->symbol_count, sizeof(*self->symbols), compare_symbols);
    return self;
}

void pd_descriptors_free(pd_descriptors_t *self)
{
    if (!self)
        return;
    pd_arena_deinit(&self->arena);
    pd_free(self->files);
    pd_free(self->symbols);
    pd_free(self->extensions);
    pd_free(self);
}

int pd_descriptors_file_count(const pd_descriptors_t *self)
{
    return self->file_count;
}

pd_bytes_t pd_descriptors_file(const pd_descriptors_t *self, int file)
{
    PD_ASSERT(file >= 0 && file < self->file_count);
    return self->files[file].encoded;
}

int pd_descriptors_by_name(const pd_descriptors_t *self, pd_bytes_t name)
{
    for (int i = 0; i < self->file_count; i++) {
        if (pd_bytes_equal(self->files[i].name, name))
            return i;
    }
    return PD_DESCRIPTORS_NONE;
}

int pd_descriptors_by_symbol(const pd_descriptors_t *self, pd_bytes_t name)
{
    symbol_t wanted = {.name = name};
    symbol_t *found = NULL;

    if (self->symbol_count)
        found = bsearch(&wanted, self->symbols, self->symbol_count, sizeof(*self->symbols),
                        compare_symbols);
    return found ? found->file : PD_DESCRIPTORS_NONE;
}

int pd_descriptors_by_extension(const pd_descriptors_t *self, pd_bytes_t message, uint64_t number)
{
    for (size_t i = 0; i < self->extension_count; i++) {
        if (self->extensions[i].number == number &&
            pd_bytes_equal(self->extensions[i].message, message))
            return self->extensions[i].file;
    }
    return PD_DESCRIPTORS_NONE;
}

size_t pd_descriptors_extensions(const pd_descriptors_t *self, pd_bytes_t message,
                                 uint64_t *numbers, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < self->extension_count; i++) {
        if (!pd_bytes_equal(self->extensions[i].message, message))
            continue;
        if (found < count)
            numbers[found] = self->extensions[i].number;
        found++;
    }
    return found;
}
