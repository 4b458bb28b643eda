/* timer_heap.h -- the armed timers of one loop, earliest first. A binary heap; each timer knows its
 * place, so stopping one is O(log n). Thread: the loop's. Ownership: borrows the timers. */
#ifndef PD_BASE_TIMER_HEAP_H
#define PD_BASE_TIMER_HEAP_H

#include "base/loop.h"

typedef struct pd_timer_heap {
    pd_timer_t **items; /* items[1] is the earliest */
    uint32_t count;
    uint32_t capacity;
} pd_timer_heap_t;

void pd_timer_heap_init(pd_timer_heap_t *heap);
void pd_timer_heap_deinit(pd_timer_heap_t *heap);
/* Inserts, or moves a timer that is already in. */
void pd_timer_heap_set(pd_timer_heap_t *heap, pd_timer_t *timer, int64_t at_ns);
/* Harmless when not in. */
void pd_timer_heap_remove(pd_timer_heap_t *heap, pd_timer_t *timer);
/* NULL when empty. */
pd_timer_t *pd_timer_heap_first(const pd_timer_heap_t *heap);

#endif
