#include "base/arena.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum { CHUNK_SIZE_MIN = 4096 - 64, CHUNK_SIZE_MAX = 256 * 1024, ALIGNMENT = 16 };

struct pd_arena_chunk {
    pd_arena_chunk_t *next;
    size_t size;
    size_t used;
    _Alignas(ALIGNMENT) uint8_t data[];
};

void pd_arena_init(pd_arena_t *arena)
{
    memset(arena, 0, sizeof(*arena));
}

void pd_arena_init_sized(pd_arena_t *arena, size_t first_size)
{
    pd_arena_init(arena);
    arena->first_size = first_size;
}

static void free_chunks(pd_arena_chunk_t *chunk)
{
    while (chunk) {
        pd_arena_chunk_t *next = chunk->next;

        pd_free(chunk);
        chunk = next;
    }
}

void pd_arena_deinit(pd_arena_t *arena)
{
    free_chunks(arena->first);
    memset(arena, 0, sizeof(*arena));
}

void pd_arena_reset(pd_arena_t *arena)
{
    if (!arena->first)
        return;
    free_chunks(arena->first->next);
    arena->first->next = NULL;
    arena->first->used = 0;
    arena->current = arena->first;
    arena->used_size = 0;
}

static void add_chunk(pd_arena_t *arena, size_t size)
{
    size_t first_size = arena->first_size ? arena->first_size : CHUNK_SIZE_MIN;
    size_t chunk_size = arena->current ? arena->current->size * 2 : first_size;
    pd_arena_chunk_t *chunk;

    if (chunk_size > CHUNK_SIZE_MAX)
        chunk_size = CHUNK_SIZE_MAX;
    if (chunk_size < size)
        chunk_size = size;
    chunk = pd_alloc(sizeof(*chunk) + chunk_size);
    chunk->next = NULL;
    chunk->size = chunk_size;
    chunk->used = 0;
    if (arena->current)
        arena->current->next = chunk;
    else
        arena->first = chunk;
    arena->current = chunk;
}

void *pd_arena_alloc(pd_arena_t *arena, size_t size)
{
    void *ptr;

    PD_ASSERT(size <= SIZE_MAX / 2);
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (!arena->current || arena->current->size - arena->current->used < size)
        add_chunk(arena, size);
    ptr = arena->current->data + arena->current->used;
    arena->current->used += size;
    arena->used_size += size;
    return ptr;
}

void *pd_arena_calloc(pd_arena_t *arena, size_t count, size_t size)
{
    void *ptr;

    PD_ASSERT(size == 0 || count <= SIZE_MAX / 2 / size);
    ptr = pd_arena_alloc(arena, count * size);
    memset(ptr, 0, count * size);
    return ptr;
}

void *pd_arena_memdup(pd_arena_t *arena, const void *data, size_t size)
{
    void *copy = pd_arena_alloc(arena, size);

    if (size)
        memcpy(copy, data, size);
    return copy;
}

char *pd_arena_strdup(pd_arena_t *arena, const char *text)
{
    return text ? pd_arena_memdup(arena, text, strlen(text) + 1) : NULL;
}

char *pd_arena_vprintf(pd_arena_t *arena, const char *format, va_list args)
{
    va_list again;
    int size;
    char *text;

    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, args);
    PD_ASSERT(size >= 0);
    text = pd_arena_alloc(arena, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}

char *pd_arena_printf(pd_arena_t *arena, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = pd_arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}
