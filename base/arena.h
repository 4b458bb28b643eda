/* arena.h -- memory that dies together: one arena per call, per record, per decision.
 *
 * Allocation bumps a pointer; nothing is freed singly. Reset keeps the first chunk, so an arena
 * that is reused for each record soon allocates nothing at all.
 * Thread: one at a time (an arena moves with the object that owns it). */
#ifndef PD_BASE_ARENA_H
#define PD_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct pd_arena_chunk pd_arena_chunk_t;

typedef struct pd_arena {
    pd_arena_chunk_t *first;
    pd_arena_chunk_t *current;
    size_t used_size;  /* bytes handed out since the last reset, rounded up */
    size_t first_size; /* of the first chunk, header and all; 0: a page */
} pd_arena_t;

/* No allocation happens before the first use. */
void pd_arena_init(pd_arena_t *arena);
/* As _init, for arenas that are many and mostly small: the first chunk takes first_size bytes, a
 * power of two. */
void pd_arena_init_sized(pd_arena_t *arena, size_t first_size);
void pd_arena_deinit(pd_arena_t *arena);
/* Forgets everything handed out; keeps one chunk for reuse. */
void pd_arena_reset(pd_arena_t *arena);

/* The next `size` bytes will not need another chunk. For an arena that other threads go on filling:
 * chunks that one thread makes and another drops are of no use to either's stock. */
void pd_arena_reserve(pd_arena_t *arena, size_t size);

/* 16-byte aligned, uninitialised. Never NULL. */
void *pd_arena_alloc(pd_arena_t *arena, size_t size);
void *pd_arena_calloc(pd_arena_t *arena, size_t count, size_t size);
void *pd_arena_memdup(pd_arena_t *arena, const void *data, size_t size);
/* NULL stays NULL. */
char *pd_arena_strdup(pd_arena_t *arena, const char *text);
char *pd_arena_printf(pd_arena_t *arena, const char *format, ...) PD_PRINTF(2, 3);
char *pd_arena_vprintf(pd_arena_t *arena, const char *format, va_list args) PD_PRINTF(2, 0);

#define PD_ARENA_NEW(arena, type) ((type *)pd_arena_calloc((arena), 1, sizeof(type)))

#endif
