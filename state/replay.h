/* replay.h -- the log folded into a store: decode, judge, apply, and flush on the way.
 *
 * Whoever reads records feeds them in order; nothing here reads or waits. Used by `perdure log
 * rebuild` and `at`; the partition's own replay follows the same steps.
 * Thread: the store's. Ownership: borrows codec and store until _deinit. */
#ifndef PD_STATE_REPLAY_H
#define PD_STATE_REPLAY_H

#include "log/record/chain.h"
#include "state/store.h"

typedef struct pd_replay {
    const pd_record_codec_t *codec;
    pd_store_t *store;
    size_t flush_size; /* dirty bytes that start a flush; 0: none on the way */
    /* Set after _init: which of those that count are applied; NULL: all. */
    bool (*wanted)(void *ctx, const Perdure__V1__Record *record);
    void *ctx;
    pd_chain_t chain;
    int64_t commands_through;
    pd_arena_t arena;
    uint64_t record_count, byte_count, unreadable_count;
} pd_replay_t;

/* Goes on behind the store's position: the next record wanted is chain.next_offset. */
void pd_replay_init(pd_replay_t *replay, const pd_record_codec_t *codec, pd_store_t *store,
                    size_t flush_size);
void pd_replay_deinit(pd_replay_t *replay);

/* The next record; *counted (may be NULL) is lent until the next one, NULL when it is void
 * or not wanted.
 * PD_CORRUPT: it counts but does not fit the state. PD_IO: a flush failed. */
pd_status_t pd_replay_record(pd_replay_t *replay, int64_t offset, pd_bytes_t bytes,
                             const Perdure__V1__Record **counted, pd_error_t *error) PD_MUST_USE;
/* Writes everything, with its position. */
pd_status_t pd_replay_flush(pd_replay_t *replay, pd_error_t *error) PD_MUST_USE;

#endif
