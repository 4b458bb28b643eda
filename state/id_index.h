/* id_index.h -- finds an element by its ID string among many; small sets are searched linearly.
 *
 * Open addressing, linear probing; built when first asked for with more than PDI_INDEX_MIN
 * elements, kept up to date from then on. The strings belong to the elements. Thread: one at a
 * time. */
#ifndef PD_STATE_ID_INDEX_H
#define PD_STATE_ID_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PDI_INDEX_MIN = 16 };

typedef struct pdi_id_slot {
    uint32_t hash;
    const char *id; /* NULL: empty */
    void *element;
} pdi_id_slot_t;

/* Zeroed: not built. */
typedef struct pdi_id_index {
    pdi_id_slot_t *slots;
    uint32_t capacity; /* a power of two; 0: not built */
    uint32_t count;
} pdi_id_index_t;

uint64_t pdi_hash(uint64_t seed, const char *text, size_t size);

void pdi_id_index_deinit(pdi_id_index_t *index);
static inline bool pdi_id_index_built(const pdi_id_index_t *index)
{
    return index->capacity != 0;
}
/* `count`: how many elements to make room for. */
void pdi_id_index_build(pdi_id_index_t *index, size_t count);
void pdi_id_index_add(pdi_id_index_t *index, const char *id, void *element);
/* Harmless when it is not there. */
void pdi_id_index_remove(pdi_id_index_t *index, const char *id, const void *element);
void *pdi_id_index_find(const pdi_id_index_t *index, const char *id);

#endif
