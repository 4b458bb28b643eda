/* tail.c -- the last events of a run in memory, in the wire form of History.
 *
 *     [ committed | flushed, i.e. in the held batch | not flushed ]
 *     ^ tail_first_event_id                         ^ unflushed_event_id        ^ next_event_id
 *
 * What is committed may be dropped from the front; a little of it is kept, since a worker's next
 * task wants the newest events. */
#include "base/assert.h"
#include "base/memory.h"
#include "state/store_private.h"

enum {
    EVENTS_TAG = 0x0a, /* field 1 of History, length-delimited */
    FRAMING_SIZE_MAX = 1 + 5,
    TAIL_CAPACITY_MIN = 512,
};

static uint8_t *tail_room(pdi_run_t *run, size_t size)
{
    if (run->tail_capacity - run->tail_size < size) {
        size_t capacity = run->tail_capacity ? run->tail_capacity : TAIL_CAPACITY_MIN;

        while (capacity < run->tail_size + size)
            capacity *= 2;
        run->tail = pd_realloc(run->tail, capacity);
        run->tail_capacity = capacity;
    }
    return run->tail + run->tail_size;
}

size_t pdi_tail_append(pd_store_t *store, pdi_run_t *run, const pd_history_event_t *event)
{
    pd_bytes_t bytes = pdi_pack(&store->packer, event);
    uint8_t *to = tail_room(run, bytes.size + FRAMING_SIZE_MAX), *start = to;
    size_t size = bytes.size;

    PD_ASSERT(size <= UINT32_MAX);
    *to++ = EVENTS_TAG;
    for (; size >= 0x80; size >>= 7)
        *to++ = (uint8_t)(size | 0x80);
    *to++ = (uint8_t)size;
    memcpy(to, bytes.data, bytes.size);
    run->tail_size += (size_t)(to - start) + bytes.size;
    return bytes.size;
}

bool pdi_event_next(pdi_event_cursor_t *cursor, pd_bytes_t *framed, pd_bytes_t *event)
{
    const uint8_t *data = cursor->rest.data;
    size_t at = 1, size = 0;
    unsigned shift = 0;

    if (cursor->rest.size < 2 || data[0] != EVENTS_TAG)
        return false;
    do {
        if (at >= cursor->rest.size || shift > 28)
            return false;
        size |= (size_t)(data[at] & 0x7f) << shift;
        shift += 7;
    } while (data[at++] & 0x80);
    if (cursor->rest.size - at < size)
        return false;
    *framed = pd_bytes(data, at + size);
    *event = pd_bytes(data + at, size);
    cursor->rest.data += framed->size;
    cursor->rest.size -= framed->size;
    cursor->event_id++;
    return true;
}

void pdi_tail_trim(pdi_run_t *run)
{
    pdi_event_cursor_t cursor = {pd_bytes(run->tail, run->tail_committed_size),
                                 run->tail_first_event_id};
    pd_bytes_t framed, event;
    size_t dropped;

    if (run->tail_committed_size > 2 * PDI_TAIL_KEEP_SIZE) {
        while (cursor.rest.size > PDI_TAIL_KEEP_SIZE && pdi_event_next(&cursor, &framed, &event))
            continue;
        dropped = run->tail_committed_size - cursor.rest.size;
        run->tail_first_event_id = cursor.event_id;
        run->tail_size -= dropped;
        run->tail_flushed_size -= dropped;
        run->tail_committed_size -= dropped;
        memmove(run->tail, run->tail + dropped, run->tail_size);
    }
    if (run->list != PDI_LIST_DIRTY && run->tail_capacity - run->tail_size > 256) {
        run->tail_capacity = run->tail_size;
        run->tail = pd_realloc(run->tail, run->tail_capacity);
    }
}
