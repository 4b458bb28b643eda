#include "log/record/proof.h"

#include <string.h>

#include "base/assert.h"

static void nothing_open(pd_proof_t *proof)
{
    proof->open_count = 0;
    proof->open_kept = 0;
    proof->open_offset = -1;
    proof->unreadable_offset = -1;
    proof->early_offset = proof->late_offset = -1;
}

void pd_proof_init(pd_proof_t *proof)
{
    memset(proof, 0, sizeof(*proof));
    pd_chain_init(&proof->chain);
    proof->proven_offset = -1;
    proof->counted_offset = -1;
    nothing_open(proof);
}

void pd_proof_init_at(pd_proof_t *proof, int64_t offset, int64_t epoch,
                      const uint8_t hash[PD_RECORD_HASH_SIZE])
{
    pd_proof_init(proof);
    proof->chain.offset = offset;
    proof->chain.next_offset = offset + 1;
    proof->chain.epoch = epoch;
    memcpy(proof->chain.hash, hash, PD_RECORD_HASH_SIZE);
    proof->proven_offset = offset;
}

static void does_not_chain(pd_proof_t *proof, const pd_chain_record_t *record)
{
    if (proof->open_count++ == 0) {
        proof->open_offset = record->offset;
        proof->counted_offset = proof->chain.offset;
    }
    if (proof->open_kept < PD_PROOF_OPEN_MAX && record->prev_hash.size == PD_RECORD_HASH_SIZE) {
        pd_proof_open_t *open = &proof->open[proof->open_kept++];

        open->offset = record->offset;
        memcpy(open->prev_hash, record->prev_hash.data, PD_RECORD_HASH_SIZE);
    }
}

/* The running hash is a new one: was a record that came before written on it? */
static void look_for_early(pd_proof_t *proof)
{
    for (size_t i = 0; i < proof->open_kept; i++) {
        if (memcmp(proof->open[i].prev_hash, proof->chain.hash, PD_RECORD_HASH_SIZE) == 0) {
            proof->early_offset = proof->open[i].offset;
            proof->late_offset = proof->chain.offset;
        }
    }
}

static void counts(pd_proof_t *proof, const pd_chain_record_t *record, int64_t before)
{
    size_t kept = proof->open_kept;
    bool was_open = proof->open_count > 0;

    proof->owner_count += record->is_owner_changed;
    if (record->is_owner_changed) {
        look_for_early(proof);
        return;
    }
    proof->proven_offset = before;
    nothing_open(proof);
    if (was_open) {
        /* It explains what did not chain; unless it is the one that came too late, and then nothing
         * will chain behind it. */
        proof->open_kept = kept;
        look_for_early(proof);
        proof->open_kept = 0;
    }
}

pd_chain_verdict_t pd_proof_feed(pd_proof_t *proof, const pd_chain_record_t *record)
{
    int64_t before = proof->chain.offset;
    pd_chain_verdict_t verdict = pd_chain_feed(&proof->chain, record);

    PD_ASSERT(proof->proven_offset <= before);
    switch (verdict) {
    case PD_CHAIN_COUNTS:
        counts(proof, record, before);
        break;
    case PD_CHAIN_VOID_NO_OWNER:
        proof->void_no_owner_count++;
        does_not_chain(proof, record);
        break;
    case PD_CHAIN_VOID_EPOCH:
        proof->void_epoch_count++;
        if (record->epoch > proof->chain.epoch) /* its OwnerChanged would lie before it */
            does_not_chain(proof, record);
        break;
    case PD_CHAIN_VOID_HASH:
        proof->void_hash_count++;
        does_not_chain(proof, record);
        break;
    }
    return verdict;
}

void pd_proof_feed_unreadable(pd_proof_t *proof, int64_t offset)
{
    PD_ASSERT(offset >= proof->chain.next_offset);
    proof->chain.next_offset = offset + 1;
    proof->unreadable_count++;
    if (proof->unreadable_offset < 0)
        proof->unreadable_offset = offset;
}

pd_status_t pd_proof_end(const pd_proof_t *proof, pd_error_t *error)
{
    long long counted = (long long)proof->counted_offset, open = (long long)proof->open_offset;
    unsigned long long count = (unsigned long long)proof->open_count;

    if (proof->open_count == 0)
        return PD_OK;
    if (proof->early_offset >= 0)
        return pd_error_set(error, PD_CORRUPT,
                            "record %lld lies before record %lld, on which it was written: their "
                            "order was changed; %llu records from %lld on do not chain",
                            (long long)proof->early_offset, (long long)proof->late_offset, count,
                            open);
    if (proof->unreadable_offset >= 0 && proof->unreadable_offset < open)
        return pd_error_set(error, PD_CORRUPT,
                            "record %lld is unreadable, and %llu records from %lld on do not chain "
                            "with what is before it: it was altered",
                            (long long)proof->unreadable_offset, count, open);
    if (counted < 0)
        return pd_error_set(error, PD_CORRUPT,
                            "%llu records from %lld on do not chain with the beginning of the log: "
                            "records before it were removed",
                            count, open);
    if (counted + 1 == open)
        return pd_error_set(error, PD_CORRUPT,
                            "%llu records from %lld on do not chain: record %lld was altered, or "
                            "the hash in record %lld, or a record between them was removed",
                            count, open, counted, open);
    return pd_error_set(error, PD_CORRUPT,
                        "%llu records from %lld on do not chain: records between %lld and %lld "
                        "were removed or altered, or record %lld was",
                        count, open, counted, open, counted);
}
