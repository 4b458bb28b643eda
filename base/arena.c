#include "base/arena.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    CHUNK_SIZE_MIN = 4096,
    CHUNK_SIZE_MAX = 256 * 1024,
    ALIGNMENT = 16,
    STOCK_SIZE_MIN = 1024, /* chunks of 1, 2, 4, 8 and 16 KiB are kept for the next arena */
    STOCK_CLASS_COUNT = 5,
    STOCK_CLASS_SIZE_MAX = 512 * 1024, /* bytes kept of each */
};

struct pd_arena_chunk {
    pd_arena_chunk_t *next;
    size_t size;
    size_t used;
    _Alignas(ALIGNMENT) uint8_t data[];
};

/* ---- chunks ---- */

/* Arenas come and go with every call, record and command, and malloc takes a slow path for what is
 * larger than a kilobyte. So each thread keeps a stock of chunks. Sanitizers shall see each
 * arena's end: with them there is none. */
typedef struct stock {
    pd_arena_chunk_t *first;
    size_t count;
} stock_t;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STOCK_IS_KEPT = false };
#else
enum { STOCK_IS_KEPT = true };
#endif

static _Thread_local stock_t stocks[STOCK_CLASS_COUNT];
static _Thread_local bool stock_is_watched;
static pthread_once_t stock_key_once = PTHREAD_ONCE_INIT;
static pthread_key_t stock_key;

static void free_stocks(void *ptr)
{
    stock_t *mine = ptr;

    for (size_t i = 0; i < STOCK_CLASS_COUNT; i++) {
        while (mine[i].first) {
            pd_arena_chunk_t *next = mine[i].first->next;

            pd_free(mine[i].first);
            mine[i].first = next;
        }
    }
    stock_is_watched = false;
}

static void make_stock_key(void)
{
    PD_ASSERT(pthread_key_create(&stock_key, free_stocks) == 0);
}

/* The stock of chunks of exactly so many bytes, header and all; NULL: none is kept. */
static stock_t *stock_of(size_t total_size)
{
    size_t size = STOCK_SIZE_MIN;

    for (size_t i = 0; STOCK_IS_KEPT && i < STOCK_CLASS_COUNT; i++, size *= 2) {
        if (size == total_size)
            return &stocks[i];
    }
    return NULL;
}

static pd_arena_chunk_t *take_chunk(size_t total_size)
{
    stock_t *stock = stock_of(total_size);
    pd_arena_chunk_t *chunk = stock ? stock->first : NULL;

    if (chunk) {
        stock->first = chunk->next;
        stock->count--;
    } else {
        chunk = pd_alloc(total_size);
    }
    chunk->next = NULL;
    chunk->size = total_size - sizeof(*chunk);
    chunk->used = 0;
    return chunk;
}

static void give_chunk(pd_arena_chunk_t *chunk)
{
    size_t total_size = chunk->size + sizeof(*chunk);
    stock_t *stock = stock_of(total_size);

    if (!stock || stock->count * total_size >= STOCK_CLASS_SIZE_MAX) {
        pd_free(chunk);
        return;
    }
    if (!stock_is_watched) {
        PD_ASSERT(pthread_once(&stock_key_once, make_stock_key) == 0);
        PD_ASSERT(pthread_setspecific(stock_key, stocks) == 0);
        stock_is_watched = true;
    }
    chunk->next = stock->first;
    stock->first = chunk;
    stock->count++;
}

/* ---- arenas ---- */

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

        give_chunk(chunk);
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
    size_t total_size = arena->first_size ? arena->first_size : CHUNK_SIZE_MIN;
    pd_arena_chunk_t *chunk;

    if (arena->current)
        total_size = (arena->current->size + sizeof(*chunk)) * 2;
    if (total_size > CHUNK_SIZE_MAX)
        total_size = CHUNK_SIZE_MAX;
    while (total_size < size + sizeof(*chunk) && total_size < CHUNK_SIZE_MAX)
        total_size *= 2;
    if (total_size < size + sizeof(*chunk))
        total_size = size + sizeof(*chunk);
    chunk = take_chunk(total_size);
    if (arena->current)
        arena->current->next = chunk;
    else
        arena->first = chunk;
    arena->current = chunk;
}

void pd_arena_reserve(pd_arena_t *arena, size_t size)
{
    if (!arena->current || arena->current->size - arena->current->used < size)
        add_chunk(arena, size);
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
