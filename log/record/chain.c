#include "log/record/chain.h"

#include <string.h>

#include "base/assert.h"

void pd_chain_init(pd_chain_t *chain)
{
    memset(chain, 0, sizeof(*chain));
    chain->epoch = -1;
    chain->offset = -1;
}

static pd_chain_verdict_t judge(const pd_chain_t *chain, const pd_chain_record_t *record)
{
    if (record->is_owner_changed)
        return PD_CHAIN_COUNTS;
    if (chain->epoch < 0)
        return PD_CHAIN_VOID_NO_OWNER;
    if (record->epoch != chain->epoch)
        return PD_CHAIN_VOID_EPOCH;
    if (!pd_bytes_equal(record->prev_hash, pd_bytes(chain->hash, sizeof(chain->hash))))
        return PD_CHAIN_VOID_HASH;
    return PD_CHAIN_COUNTS;
}

pd_chain_verdict_t pd_chain_feed(pd_chain_t *chain, const pd_chain_record_t *record)
{
    pd_chain_verdict_t verdict;

    PD_ASSERT(record->offset >= chain->next_offset);
    PD_ASSERT(chain->epoch <= chain->offset);
    verdict = judge(chain, record);
    chain->next_offset = record->offset + 1;
    if (verdict != PD_CHAIN_COUNTS) {
        chain->void_count++;
        return verdict;
    }
    if (record->is_owner_changed)
        chain->epoch = record->offset;
    pd_record_hash(chain->hash, record->bytes, chain->hash);
    chain->offset = record->offset;
    chain->count++;
    return verdict;
}

const char *pd_chain_verdict_text(pd_chain_verdict_t verdict)
{
    switch (verdict) {
    case PD_CHAIN_COUNTS:
        return "counts";
    case PD_CHAIN_VOID_NO_OWNER:
        return "void: no owner before it";
    case PD_CHAIN_VOID_EPOCH:
        return "void: written by an owner that was replaced";
    case PD_CHAIN_VOID_HASH:
        return "void: built on a record that is not here";
    }
    PD_UNREACHABLE();
}
