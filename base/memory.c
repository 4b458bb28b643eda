#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void *pd_alloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);

    PD_ASSERT(ptr);
    return ptr;
}

void *pd_calloc(size_t count, size_t size)
{
    void *ptr = calloc(count ? count : 1, size ? size : 1);

    PD_ASSERT(ptr);
    return ptr;
}

void *pd_realloc(void *ptr, size_t size)
{
    void *grown = realloc(ptr, size ? size : 1);

    PD_ASSERT(grown);
    return grown;
}

char *pd_strdup(const char *text)
{
    return text ? pd_memdup(text, strlen(text) + 1) : NULL;
}

void *pd_memdup(const void *data, size_t size)
{
    void *copy = pd_alloc(size);

    if (size)
        memcpy(copy, data, size);
    return copy;
}

void pd_free(void *ptr)
{
    free(ptr);
}
