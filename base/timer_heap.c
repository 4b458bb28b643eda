#include "base/timer_heap.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

void pd_timer_heap_init(pd_timer_heap_t *heap)
{
    memset(heap, 0, sizeof(*heap));
}

void pd_timer_heap_deinit(pd_timer_heap_t *heap)
{
    pd_free(heap->items);
    memset(heap, 0, sizeof(*heap));
}

static void place(pd_timer_heap_t *heap, uint32_t index, pd_timer_t *timer)
{
    heap->items[index] = timer;
    timer->heap_index = index;
}

static void sift_up(pd_timer_heap_t *heap, uint32_t index, pd_timer_t *timer)
{
    while (index > 1 && heap->items[index / 2]->at_ns > timer->at_ns) {
        place(heap, index, heap->items[index / 2]);
        index /= 2;
    }
    place(heap, index, timer);
}

static void sift_down(pd_timer_heap_t *heap, uint32_t index, pd_timer_t *timer)
{
    for (;;) {
        uint32_t child = index * 2;

        if (child > heap->count)
            break;
        if (child < heap->count && heap->items[child + 1]->at_ns < heap->items[child]->at_ns)
            child++;
        if (heap->items[child]->at_ns >= timer->at_ns)
            break;
        place(heap, index, heap->items[child]);
        index = child;
    }
    place(heap, index, timer);
}

void pd_timer_heap_set(pd_timer_heap_t *heap, pd_timer_t *timer, int64_t at_ns)
{
    if (timer->heap_index)
        pd_timer_heap_remove(heap, timer);
    timer->at_ns = at_ns;
    if (heap->count + 2 > heap->capacity) {
        heap->capacity = heap->capacity ? heap->capacity * 2 : 64;
        heap->items = pd_realloc(heap->items, heap->capacity * sizeof(heap->items[0]));
    }
    heap->count++;
    sift_up(heap, heap->count, timer);
}

void pd_timer_heap_remove(pd_timer_heap_t *heap, pd_timer_t *timer)
{
    uint32_t index = timer->heap_index;
    pd_timer_t *last;

    if (!index)
        return;
    PD_ASSERT(index <= heap->count && heap->items[index] == timer);
    last = heap->items[heap->count--];
    timer->heap_index = 0;
    if (last == timer)
        return;
    if (index > 1 && heap->items[index / 2]->at_ns > last->at_ns)
        sift_up(heap, index, last);
    else
        sift_down(heap, index, last);
}

pd_timer_t *pd_timer_heap_first(const pd_timer_heap_t *heap)
{
    return heap->count ? heap->items[1] : NULL;
}
