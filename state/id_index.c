#include "state/id_index.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum { CAPACITY_MIN = 32 };

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Eight bytes at a time; IDs are some 36 bytes long. */
uint64_t pdi_hash(uint64_t seed, const char *text, size_t size)
{
    const uint64_t k1 = 0x9e3779b97f4a7c15u, k2 = 0xd6e8feb86659fd93u;
    uint64_t hash = mix(seed ^ k2, size ^ k1), word;

    for (; size >= 8; text += 8, size -= 8) {
        memcpy(&word, text, 8);
        hash = mix(hash ^ word, k1);
    }
    word = 0;
    memcpy(&word, text, size);
    return mix(hash ^ word, k2);
}

static uint32_t hash_id(const char *id)
{
    return (uint32_t)pdi_hash(0, id, strlen(id));
}

void pdi_id_index_deinit(pdi_id_index_t *index)
{
    pd_free(index->slots);
    memset(index, 0, sizeof(*index));
}

void pdi_id_index_build(pdi_id_index_t *index, size_t count)
{
    PD_ASSERT(!pdi_id_index_built(index));
    index->capacity = CAPACITY_MIN;
    while (index->capacity < 2 * count)
        index->capacity *= 2;
    index->slots = pd_calloc(index->capacity, sizeof(index->slots[0]));
    index->count = 0;
}

static void insert(pdi_id_index_t *index, pdi_id_slot_t slot)
{
    uint32_t at = slot.hash & (index->capacity - 1);

    while (index->slots[at].id)
        at = (at + 1) & (index->capacity - 1);
    index->slots[at] = slot;
    index->count++;
}

static void grow(pdi_id_index_t *index)
{
    pdi_id_index_t old = *index;

    memset(index, 0, sizeof(*index));
    pdi_id_index_build(index, old.capacity);
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.slots[i].id)
            insert(index, old.slots[i]);
    }
    pd_free(old.slots);
}

void pdi_id_index_add(pdi_id_index_t *index, const char *id, void *element)
{
    PD_ASSERT(pdi_id_index_built(index));
    if (2 * (index->count + 1) > index->capacity)
        grow(index);
    insert(index, (pdi_id_slot_t){hash_id(id), id, element});
}

void pdi_id_index_remove(pdi_id_index_t *index, const char *id, const void *element)
{
    uint32_t mask = index->capacity - 1, at, hole;

    PD_ASSERT(pdi_id_index_built(index));
    for (at = hash_id(id) & mask; index->slots[at].id; at = (at + 1) & mask) {
        if (index->slots[at].element == element)
            break;
    }
    if (!index->slots[at].id)
        return;
    /* Moves back what probed across the hole. */
    hole = at;
    for (at = (at + 1) & mask; index->slots[at].id; at = (at + 1) & mask) {
        uint32_t home = index->slots[at].hash & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) {
            index->slots[hole] = index->slots[at];
            hole = at;
        }
    }
    index->slots[hole].id = NULL;
    index->count--;
}

void *pdi_id_index_find(const pdi_id_index_t *index, const char *id)
{
    uint32_t hash = hash_id(id);

    PD_ASSERT(pdi_id_index_built(index));
    for (uint32_t at = hash & (index->capacity - 1); index->slots[at].id;
         at = (at + 1) & (index->capacity - 1)) {
        if (index->slots[at].hash == hash && strcmp(index->slots[at].id, id) == 0)
            return index->slots[at].element;
    }
    return NULL;
}
