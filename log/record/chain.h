/* chain.h -- which records of a partition count: the one rule that all readers follow.
 *
 *     A record counts if its epoch is the offset of the newest OwnerChanged before it, and its
 *     prev_hash is the running hash there. Otherwise it is void. An OwnerChanged always counts.
 *     What counts is hashed: h(n) = SHA-256(h(n-1) || record n), h of nothing = 32 zero bytes.
 *
 * Owner, standby, replay, dump and verify all feed this machine, record by record in log order. It
 * does no I/O and knows no message types, so that all interleavings can be tested.
 *
 *          feed(OwnerChanged at o): epoch := o, hash it ------------------.
 *                                                                         v
 *     [no owner: epoch < 0] --OwnerChanged--> [epoch e] --record (e, running hash)--> counts, hash
 * it
 *            `-- any other record --> void        `------ any other record --> void, nothing
 * changes
 *
 * Thread: one at a time. Ownership: a plain value; copy it to remember or restore a position. */
#ifndef PD_LOG_RECORD_CHAIN_H
#define PD_LOG_RECORD_CHAIN_H

#include "log/record/record.h"

typedef struct pd_chain {
    int64_t epoch;                     /* offset of the newest OwnerChanged; -1 before the first */
    int64_t offset;                    /* of the last record that counts; -1 before the first */
    int64_t next_offset;               /* the lowest offset that may be fed next */
    uint8_t hash[PD_RECORD_HASH_SIZE]; /* over all records that count */
    uint64_t count;                    /* records that counted since the start of the log */
    uint64_t void_count;               /* records that did not */
} pd_chain_t;

typedef enum pd_chain_verdict {
    PD_CHAIN_COUNTS,
    PD_CHAIN_VOID_NO_OWNER, /* nobody has ever owned the partition */
    PD_CHAIN_VOID_EPOCH,    /* of an owner that was deposed before */
    PD_CHAIN_VOID_HASH,     /* decided on something that never arrived */
} pd_chain_verdict_t;

/* What the machine must know of a record: its fields, and its bytes for the hash. */
typedef struct pd_chain_record {
    int64_t offset;
    int64_t epoch;        /* ignored for an OwnerChanged: its epoch is its offset */
    pd_bytes_t prev_hash; /* ignored for an OwnerChanged */
    bool is_owner_changed;
    pd_bytes_t bytes; /* as they lie in the log, header included */
} pd_chain_record_t;

void pd_chain_init(pd_chain_t *chain);

/* Offsets rise strictly but need not be contiguous (Kafka leaves holes). @thread any */
pd_chain_verdict_t pd_chain_feed(pd_chain_t *chain, const pd_chain_record_t *record);

static inline bool pd_chain_counts(pd_chain_verdict_t verdict)
{
    return verdict == PD_CHAIN_COUNTS;
}

/* A phrase for diagnostics and dumps. @thread any */
const char *pd_chain_verdict_text(pd_chain_verdict_t verdict);

#endif
