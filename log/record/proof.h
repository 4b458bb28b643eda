/* proof.h -- what a partition's hash chain proves, for auditors: chain.h with an account of the
 * void.
 *
 * A transition that counts carries the running hash of everything that counts before it: it
 * *proves* all that. Void records are explained when such a record comes later: whoever wrote it
 * had read them, and did not count them (they were of a deposed owner, or built on a record that
 * was lost in a producer's pipeline). Nobody who alters, removes or moves a record that counts can
 * make a later one prove it: from there on nothing chains any more, up to the end of the log,
 * whoever owns the partition. So a log is *broken* when it ends in records that do not chain.
 *
 *     h: OwnerChanged  T1  T2  T3  (zombie: void)  T4  OwnerChanged  T5
 *                            `- T3 proves T1, T2     `- proves T3        `- proves T4, OwnerChanged
 *
 * What no record proves yet is the tail [proven_offset + 1, end). A running hash that was noted
 * elsewhere proves it (and that the log was not rewritten as a whole, or cut).
 * Thread: one at a time. Ownership: a plain value. */
#ifndef PD_LOG_RECORD_PROOF_H
#define PD_LOG_RECORD_PROOF_H

#include "log/record/chain.h"

enum { PD_PROOF_OPEN_MAX = 64 }; /* void records remembered for naming what was reordered */

typedef struct pd_proof_open {
    int64_t offset;
    uint8_t prev_hash[PD_RECORD_HASH_SIZE];
} pd_proof_open_t;

typedef struct pd_proof {
    pd_chain_t chain;
    int64_t proven_offset; /* all that counts up to here is proven; -1: nothing */
    uint64_t owner_count;
    uint64_t void_no_owner_count, void_epoch_count, void_hash_count, unreadable_count;
    /* Since the last proof: records that do not chain. */
    uint64_t open_count;
    int64_t open_offset;    /* the first of them */
    int64_t counted_offset; /* the last one that counted before it; -1: none */
    pd_proof_open_t open[PD_PROOF_OPEN_MAX];
    size_t open_kept;
    /* Since the last proof: unreadable records, which may be damaged ones. */
    int64_t unreadable_offset; /* the first; -1: none */
    /* A record that lies before the one on which it was written; -1: none. */
    int64_t early_offset, late_offset;
} pd_proof_t;

void pd_proof_init(pd_proof_t *proof);
/* To go on from a position that is trusted: the log's beginning is not there any more. */
void pd_proof_init_at(pd_proof_t *proof, int64_t offset, int64_t epoch,
                      const uint8_t hash[PD_RECORD_HASH_SIZE]);

/* The next record. */
pd_chain_verdict_t pd_proof_feed(pd_proof_t *proof, const pd_chain_record_t *record);
/* The next record is none of ours, or damaged: it is void. */
void pd_proof_feed_unreadable(pd_proof_t *proof, int64_t offset);
/* At the end of the log. PD_CORRUPT: it is broken; the text names the place. */
pd_status_t pd_proof_end(const pd_proof_t *proof, pd_error_t *error) PD_MUST_USE;

#endif
