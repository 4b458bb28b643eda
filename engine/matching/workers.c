/* Workers that have said goodbye. What they still ask for is for nobody: a poll that was on its way
 * when its worker said so, or that the worker begins anew before it has noticed, would be handed a
 * task that nobody does until it times out. */
#include <string.h>

#include "base/memory.h"
#include "engine/matching/matching_private.h"

enum { COUNT_MAX = 10000 };
#define REMEMBERED_NS (INT64_C(60) * 1000000000)

struct pdi_gone {
    UT_hash_handle hh;
    int64_t at_ns;
    char key[];
};

static void forget(pd_matching_t *matching, pdi_gone_t *gone)
{
    HASH_DEL(matching->gone, gone);
    pd_free(gone);
}

/* The oldest come first: a hash keeps the order of insertion. */
void pdi_worker_gone(pd_matching_t *matching, const char *key)
{
    int64_t now_ns = pd_loop_now_ns(matching->loop);
    size_t size = strlen(key) + 1;
    pdi_gone_t *gone;

    while (matching->gone && (matching->gone->at_ns <= now_ns - REMEMBERED_NS ||
                              HASH_COUNT(matching->gone) >= COUNT_MAX))
        forget(matching, matching->gone);
    HASH_FIND_STR(matching->gone, key, gone);
    if (gone)
        return;
    gone = pd_alloc(sizeof(*gone) + size);
    memset(gone, 0, sizeof(*gone));
    memcpy(gone->key, key, size);
    gone->at_ns = now_ns;
    HASH_ADD_STR(matching->gone, key, gone);
}

bool pdi_worker_is_gone(const pd_matching_t *matching, const char *key)
{
    pdi_gone_t *gone = NULL;

    if (key && key[0])
        HASH_FIND_STR(matching->gone, key, gone);
    return gone != NULL;
}

void pdi_workers_free(pd_matching_t *matching)
{
    while (matching->gone)
        forget(matching, matching->gone);
}
