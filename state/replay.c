#include "state/replay.h"

#include <string.h>

#include "base/assert.h"

void pd_replay_init(pd_replay_t *replay, const pd_record_codec_t *codec, pd_store_t *store,
                    size_t flush_size)
{
    pd_store_position_t position;

    PD_ASSERT(!pd_store_flush_held(store));
    memset(replay, 0, sizeof(*replay));
    replay->codec = codec;
    replay->store = store;
    replay->flush_size = flush_size;
    pd_chain_init(&replay->chain);
    pd_arena_init(&replay->arena);
    pd_store_position(store, &position);
    replay->commands_through = position.commands_through;
    if (position.applied_offset >= 0) {
        replay->chain.epoch = position.epoch;
        replay->chain.offset = position.applied_offset;
        replay->chain.next_offset = position.applied_offset + 1;
        memcpy(replay->chain.hash, position.running_hash, PD_RECORD_HASH_SIZE);
    }
}

void pd_replay_deinit(pd_replay_t *replay)
{
    pd_arena_deinit(&replay->arena);
}

/* Of records that count, it never goes back. */
static void consume(pd_replay_t *replay, const Perdure__V1__Record *record)
{
    int64_t through = -1;

    if (record->body_case == PERDURE__V1__RECORD__BODY_TRANSITION)
        through = record->transition->commands_through;
    else if (record->body_case == PERDURE__V1__RECORD__BODY_PROGRESS)
        through = record->progress->commands_through;
    if (through > replay->commands_through)
        replay->commands_through = through;
}

pd_status_t pd_replay_flush(pd_replay_t *replay, pd_error_t *error)
{
    pd_store_position_t position = {
        .applied_offset = replay->chain.offset,
        .epoch = replay->chain.epoch,
        .commands_through = replay->commands_through,
    };

    memcpy(position.running_hash, replay->chain.hash, PD_RECORD_HASH_SIZE);
    pd_store_flush_begin(replay->store);
    PD_TRY(pd_store_flush_commit(replay->store, &position, error));
    pd_store_evict(replay->store);
    return PD_OK;
}

pd_status_t pd_replay_record(pd_replay_t *replay, int64_t offset, pd_bytes_t bytes,
                             const Perdure__V1__Record **counted, pd_error_t *error)
{
    pd_chain_record_t link = {.offset = offset, .bytes = bytes};
    const Perdure__V1__Record *record;
    ProtobufCMessage *message;

    PD_ASSERT(offset >= replay->chain.next_offset);
    if (counted)
        *counted = NULL;
    replay->record_count++;
    replay->byte_count += bytes.size;
    pd_arena_reset(&replay->arena);
    if (pd_record_decode(replay->codec, &replay->arena, bytes, &message, NULL) != PD_OK) {
        replay->unreadable_count++; /* not one of ours, or damaged: it cannot chain */
        replay->chain.next_offset = offset + 1;
        return PD_OK;
    }
    record = (const Perdure__V1__Record *)message;
    link.epoch = record->epoch;
    link.prev_hash = pd_bytes(record->prev_hash.data, record->prev_hash.len);
    link.is_owner_changed = record->body_case == PERDURE__V1__RECORD__BODY_OWNER_CHANGED;
    if (!pd_chain_counts(pd_chain_feed(&replay->chain, &link)))
        return PD_OK;
    if (replay->wanted && !replay->wanted(replay->ctx, record))
        return PD_OK;
    PD_TRY(pd_store_apply(replay->store, record, error));
    consume(replay, record);
    if (counted)
        *counted = record;
    if (replay->flush_size && pd_store_dirty_size(replay->store) >= replay->flush_size)
        return pd_replay_flush(replay, error);
    return PD_OK;
}
