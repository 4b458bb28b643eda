/* slots.h -- a set of entries with the key inside, for views that a decision makes of long lists:
 * open addressing in the arena. Nothing is ever taken out; owners mark entries as removed, and an
 * addition of the same key takes their slot.
 * Thread: the partition's loop. Ownership: the arena; entries are the caller's. */
#ifndef PD_ENGINE_DECIDE_SLOTS_H
#define PD_ENGINE_DECIDE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* Zeroed: empty. */
typedef struct pd_slots {
    void **items;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
} pd_slots_t;

typedef uint64_t (*pd_slot_hash_t)(const void *item);
typedef bool (*pd_slot_same_t)(const void *a, const void *b);

/* `probe` has the key set. NULL when absent. */
void *pd_slots_find(const pd_slots_t *slots, const void *probe, pd_slot_hash_t hash,
                    pd_slot_same_t same);
/* Takes the slot of an entry with the same key, if there is one. */
void pd_slots_put(pd_slots_t *slots, pd_arena_t *arena, void *item, pd_slot_hash_t hash,
                  pd_slot_same_t same);

uint64_t pd_slots_hash_number(int64_t number);
uint64_t pd_slots_hash_text(const char *text);

#endif
