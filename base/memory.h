/* memory.h -- heap allocation of the server: small allocations do not fail, they abort.
 * Sizes that come from outside are checked against base/bounds.h before they get here.
 * Thread: any. Ownership: the caller frees with pd_free. */
#ifndef PD_BASE_MEMORY_H
#define PD_BASE_MEMORY_H

#include <stddef.h>

void *pd_alloc(size_t size);                /* uninitialised; size 0 gives a valid pointer */
void *pd_calloc(size_t count, size_t size); /* zeroed */
void *pd_realloc(void *ptr, size_t size);
char *pd_strdup(const char *text); /* NULL stays NULL */
void *pd_memdup(const void *data, size_t size);
void pd_free(void *ptr);

#define PD_NEW(type) ((type *)pd_calloc(1, sizeof(type)))

#endif
