#include "engine/cluster/assignment.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

typedef struct task {
    const pd_member_t *const *members;
    uint32_t member_count;
    uint32_t partition_count;
    uint32_t share; /* of preferred partitions, and of standby ones, a member */
    uint32_t preferred_counts[PD_MEMBER_COUNT_MAX];
    uint32_t standby_counts[PD_MEMBER_COUNT_MAX];
} task_t;

static const pd_member_partition_t *said(const task_t *task, uint32_t member, uint32_t partition)
{
    return &task->members[member]->partitions[partition];
}

static uint64_t score(const task_t *task, uint32_t member, uint32_t partition)
{
    return pd_hash_mix(pd_hash_text(task->members[member]->name, pd_hash_mix(partition + 1)));
}

static bool may_have(const task_t *task, uint32_t member, uint32_t partition)
{
    return !task->members[member]->leaving &&
           said(task, member, partition)->role != PD_MEMBER_FAILED;
}

/* The highest score; with `counts` only of those whose share is not full. */
static int32_t best(const task_t *task, uint32_t partition, int32_t except, const uint32_t *counts)
{
    uint64_t best_score = 0;
    int32_t found = -1;

    for (uint32_t i = 0; i < task->member_count; i++) {
        uint64_t own = score(task, i, partition);

        if ((int32_t)i == except || !may_have(task, i, partition) ||
            (counts && counts[i] >= task->share) || (found >= 0 && own <= best_score))
            continue;
        best_score = own;
        found = (int32_t)i;
    }
    return found;
}

static int32_t choose(const task_t *task, uint32_t partition, int32_t except, uint32_t *counts)
{
    int32_t chosen = best(task, partition, except, counts);

    if (chosen < 0) /* all that may have it have their share: it must be somewhere */
        chosen = best(task, partition, except, NULL);
    if (chosen >= 0)
        counts[chosen]++;
    return chosen;
}

static void find_owner(const task_t *task, uint32_t partition, pd_assignment_t *assignment)
{
    bool released = false;

    assignment->owner = -1;
    assignment->epoch = -1;
    for (uint32_t i = 0; i < task->member_count; i++) {
        if (said(task, i, partition)->epoch > assignment->epoch)
            assignment->epoch = said(task, i, partition)->epoch;
    }
    for (uint32_t i = 0; i < task->member_count; i++) {
        const pd_member_partition_t *status = said(task, i, partition);

        if (status->epoch != assignment->epoch)
            continue;
        if (status->role == PD_MEMBER_OWNER)
            assignment->owner = (int32_t)i;
        released = released || status->role == PD_MEMBER_RELEASED;
    }
    assignment->vacant = assignment->owner < 0 && (released || assignment->epoch < 0);
}

/* ---- followers ---- */

static bool follows(const task_t *task, uint32_t member, uint32_t partition)
{
    pd_member_role_t role = said(task, member, partition)->role;

    return !task->members[member]->leaving &&
           (role == PD_MEMBER_STANDBY || role == PD_MEMBER_RELEASED || role == PD_MEMBER_OWNER);
}

static void find_followers(const task_t *task, uint32_t partition, pd_assignment_t *assignment)
{
    assignment->owner_leaves = assignment->owner >= 0 && task->members[assignment->owner]->leaving;
    for (uint32_t i = 0; i < task->member_count; i++)
        assignment->followed = assignment->followed ||
                               ((int32_t)i != assignment->owner && follows(task, i, partition));
}

static int64_t best_applied(const task_t *task, uint32_t partition)
{
    int64_t applied = -1;

    for (uint32_t i = 0; i < task->member_count; i++) {
        if (said(task, i, partition)->applied_offset > applied)
            applied = said(task, i, partition)->applied_offset;
    }
    return applied;
}

/* Records behind the best. */
static int64_t lag_of(const task_t *task, uint32_t member, uint32_t partition)
{
    return best_applied(task, partition) - said(task, member, partition)->applied_offset;
}

static bool follows_closely(const task_t *task, int32_t member, uint32_t partition)
{
    return member >= 0 && follows(task, (uint32_t)member, partition) &&
           lag_of(task, (uint32_t)member, partition) <= PD_ASSIGNMENT_LAG_MAX;
}

/* By its own account, which does not depend on whose heartbeat is older; as long as it has not
 * heard where the log ends, by that of others. */
static bool is_caught_up(const task_t *task, int32_t member, uint32_t partition)
{
    const pd_member_partition_t *status;
    int64_t lag;

    if (!follows_closely(task, member, partition))
        return false;
    status = said(task, (uint32_t)member, partition);
    lag = status->end_offset < 0 ? lag_of(task, (uint32_t)member, partition)
                                 : status->end_offset - 1 - status->applied_offset;
    return lag <= PD_ASSIGNMENT_CAUGHT_UP_MAX;
}

typedef bool (*follower_fn)(const task_t *task, int32_t member, uint32_t partition);

static int32_t first_follower(const task_t *task, uint32_t partition,
                              const pd_assignment_t *assignment, follower_fn is_one)
{
    int32_t found = -1;

    if (is_one(task, assignment->preferred, partition))
        return assignment->preferred;
    if (is_one(task, assignment->standby, partition))
        return assignment->standby;
    for (uint32_t i = 0; i < task->member_count; i++) {
        if ((int32_t)i != assignment->owner && is_one(task, (int32_t)i, partition) &&
            (found < 0 || score(task, i, partition) > score(task, (uint32_t)found, partition)))
            found = (int32_t)i;
    }
    return found;
}

/* A new partition has no followers worth waiting for. */
static int32_t choose_taker(const task_t *task, uint32_t partition,
                            const pd_assignment_t *assignment)
{
    int32_t taker = -1;

    if (assignment->epoch >= 0)
        taker = first_follower(task, partition, assignment, is_caught_up);
    if (assignment->epoch >= 0 && taker < 0)
        taker = first_follower(task, partition, assignment, follows_closely);
    return taker < 0 ? assignment->preferred : taker;
}

/* ---- moving ---- */

/* Who leaves does not wait for the preferred one to catch up where somebody else can take over. */
static bool should_release(const task_t *task, uint32_t partition,
                           const pd_assignment_t *assignment)
{
    if (assignment->owner_leaves)
        return first_follower(task, partition, assignment, is_caught_up) >= 0;
    return assignment->owner != assignment->preferred &&
           is_caught_up(task, assignment->preferred, partition);
}

/* While somebody leaves only its partitions move: the rest has time until it is gone, and it sends
 * calls on to the owners that it knew last. */
static void choose_release(const task_t *task, pd_assignment_t *assignments)
{
    bool leaves = false;

    for (uint32_t i = 0; i < task->partition_count; i++) {
        if (assignments[i].owner < 0)
            return; /* one is on its way already */
    }
    for (uint32_t i = 0; i < task->member_count; i++)
        leaves = leaves || task->members[i]->leaving;
    for (uint32_t i = 0; i < task->partition_count; i++) {
        if (assignments[i].owner_leaves == leaves && should_release(task, i, &assignments[i])) {
            assignments[i].release = true;
            return;
        }
    }
}

void pd_assignment_make(const pd_member_t *const *members, uint32_t member_count,
                        uint32_t partition_count, pd_assignment_t *assignments)
{
    task_t task = {
        .members = members, .member_count = member_count, .partition_count = partition_count};
    uint32_t staying_count = 0;

    PD_ASSERT(member_count <= PD_MEMBER_COUNT_MAX);
    for (uint32_t i = 0; i < member_count; i++)
        staying_count += !members[i]->leaving;
    if (staying_count)
        task.share = (partition_count + staying_count - 1) / staying_count;
    for (uint32_t i = 0; i < partition_count; i++) {
        pd_assignment_t *assignment = &assignments[i];

        *assignment = (pd_assignment_t){.taker = -1};
        assignment->preferred = choose(&task, i, -1, task.preferred_counts);
        assignment->standby = choose(&task, i, assignment->preferred, task.standby_counts);
        find_owner(&task, i, assignment);
        find_followers(&task, i, assignment);
        if (assignment->owner < 0)
            assignment->taker = choose_taker(&task, i, assignment);
    }
    choose_release(&task, assignments);
}
