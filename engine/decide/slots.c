#include "engine/decide/slots.h"

#include "base/assert.h"

enum { SLOTS_MIN = 16 };

uint64_t pd_slots_hash_number(int64_t number)
{
    uint64_t h = (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 32);
}

uint64_t pd_slots_hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return h ^ (h >> 32);
}

static void grow(pd_slots_t *slots, pd_arena_t *arena, pd_slot_hash_t hash)
{
    if (slots->count * 2 < slots->capacity)
        return;
    void **old = slots->items;
    size_t old_capacity = slots->capacity;
    slots->capacity = old_capacity ? old_capacity * 2 : SLOTS_MIN;
    slots->items = pd_arena_calloc(arena, slots->capacity, sizeof(void *));
    for (size_t i = 0; i < old_capacity; i++) {
        if (!old[i])
            continue;
        size_t at = hash(old[i]) & (slots->capacity - 1);
        while (slots->items[at])
            at = (at + 1) & (slots->capacity - 1);
        slots->items[at] = old[i];
    }
}

void *pd_slots_find(const pd_slots_t *slots, const void *probe, pd_slot_hash_t hash,
                    pd_slot_same_t same)
{
    if (slots->capacity == 0)
        return NULL;
    size_t at = hash(probe) & (slots->capacity - 1);
    while (slots->items[at] && !same(slots->items[at], probe))
        at = (at + 1) & (slots->capacity - 1);
    return slots->items[at];
}

void pd_slots_put(pd_slots_t *slots, pd_arena_t *arena, void *item, pd_slot_hash_t hash,
                  pd_slot_same_t same)
{
    grow(slots, arena, hash);
    size_t at = hash(item) & (slots->capacity - 1);
    while (slots->items[at] && !same(slots->items[at], item))
        at = (at + 1) & (slots->capacity - 1);
    slots->count += slots->items[at] == NULL;
    slots->items[at] = item;
    PD_ASSERT(slots->count < slots->capacity);
}
