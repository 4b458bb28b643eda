#include "engine/cluster/view.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"

pd_cluster_view_t *pd_cluster_view_single(const char *name, const char *address,
                                          uint32_t partition_count)
{
    pd_cluster_view_t *view = PD_NEW(pd_cluster_view_t);
    pd_cluster_place_t *places = pd_calloc(partition_count, sizeof(*places));
    pd_cluster_member_t *member = PD_NEW(pd_cluster_member_t);

    member->name = pd_strdup(name);
    member->incarnation = pd_strdup("");
    member->address = pd_strdup(address);
    for (uint32_t i = 0; i < partition_count; i++)
        places[i] = (pd_cluster_place_t){.owner = 0, .preferred = 0, .standby = -1, .epoch = -1};
    atomic_init(&view->ref_count, 1);
    view->member_count = 1;
    view->members = member;
    view->partition_count = partition_count;
    view->partitions = places;
    return view;
}

pd_cluster_view_t *pd_cluster_view_ref(pd_cluster_view_t *view)
{
    atomic_fetch_add_explicit(&view->ref_count, 1, memory_order_relaxed);
    return view;
}

void pd_cluster_view_unref(pd_cluster_view_t *view)
{
    if (!view || atomic_fetch_sub_explicit(&view->ref_count, 1, memory_order_acq_rel) > 1)
        return;
    for (uint32_t i = 0; i < view->member_count; i++) {
        pd_free((char *)view->members[i].name);
        pd_free((char *)view->members[i].incarnation);
        pd_free((char *)view->members[i].address);
    }
    pd_free((pd_cluster_member_t *)view->members);
    pd_free((pd_cluster_place_t *)view->partitions);
    pd_free(view);
}

static bool same_member(const pd_cluster_member_t *a, const pd_cluster_member_t *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->incarnation, b->incarnation) == 0 &&
           strcmp(a->address, b->address) == 0 && a->leaving == b->leaving;
}

static bool same_place(const pd_cluster_place_t *a, const pd_cluster_place_t *b)
{
    return a->owner == b->owner && a->preferred == b->preferred && a->standby == b->standby &&
           a->epoch == b->epoch;
}

bool pd_cluster_view_same(const pd_cluster_view_t *a, const pd_cluster_view_t *b)
{
    if (a->member_count != b->member_count || a->partition_count != b->partition_count ||
        a->self != b->self || a->stale != b->stale)
        return false;
    for (uint32_t i = 0; i < a->member_count; i++) {
        if (!same_member(&a->members[i], &b->members[i]))
            return false;
    }
    for (uint32_t i = 0; i < a->partition_count; i++) {
        if (!same_place(&a->partitions[i], &b->partitions[i]))
            return false;
    }
    return true;
}

bool pd_cluster_view_same_homes(const pd_cluster_view_t *a, const pd_cluster_view_t *b)
{
    if (a->member_count != b->member_count)
        return false;
    for (uint32_t i = 0; i < a->member_count; i++) {
        if (strcmp(a->members[i].name, b->members[i].name) != 0 ||
            strcmp(a->members[i].incarnation, b->members[i].incarnation) != 0 ||
            a->members[i].leaving != b->members[i].leaving)
            return false;
    }
    return true;
}

uint32_t pd_cluster_view_home(const pd_cluster_view_t *view, const char *namespace_id,
                              const char *task_queue)
{
    uint64_t queue = pd_hash_text(task_queue, pd_hash_text(namespace_id, 0));
    uint64_t best_score = 0;
    uint32_t best = view->self;
    bool any = false;

    for (int leaving = 0; leaving <= 1 && !any; leaving++) {
        for (uint32_t i = 0; i < view->member_count; i++) {
            uint64_t score = pd_hash_mix(pd_hash_text(view->members[i].name, queue));

            if (view->members[i].leaving != (leaving == 1) || (any && score <= best_score))
                continue;
            best = i;
            best_score = score;
            any = true;
        }
    }
    return best;
}
