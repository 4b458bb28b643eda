/* What follows for this node from what the members say: who is alive, who should have what, and the
 * roles of this node's partitions. */
#include "base/diag.h"
#include "engine/cluster/cluster_private.h"

/* A new epoch, and nobody claims it yet: its owner's heartbeat may be on its way. */
#define CLAIM_HEARTBEATS 3
/* What was begun is given time before it is taken back. */
#define BEGUN_NS ((int64_t)30 * 1000000000)

/* Opening a partition takes its loop's time: one at a time, and none while others wait for an
 * owner. */
#define OPEN_STANDBY_NS ((int64_t)200 * 1000000)

typedef struct judged {
    const pd_member_t *alive[PD_MEMBER_COUNT_MAX];
    uint32_t count;
    int32_t self;           /* index in `alive`; -1: no heartbeat of ours has come back */
    uint32_t staying_count; /* of the others */
} judged_t;

static void find_alive(const pd_cluster_t *cluster, judged_t *judged)
{
    const pd_member_t *const *all;
    uint32_t count = pd_members_all(cluster->members, &all);

    *judged = (judged_t){.self = -1};
    for (uint32_t i = 0; i < count; i++) {
        bool is_self = strcmp(all[i]->name, cluster->name) == 0;

        if (is_self ? strcmp(all[i]->incarnation, cluster->incarnation) != 0
                    : !pd_members_is_alive(cluster->members, all[i], cluster->judged_ns))
            continue;
        if (is_self)
            judged->self = (int32_t)judged->count;
        else if (!all[i]->leaving)
            judged->staying_count++;
        judged->alive[judged->count++] = all[i];
    }
}

static void note_epochs(pd_cluster_t *cluster, int64_t now_ns)
{
    for (uint32_t i = 0; i < cluster->options.partition_count; i++) {
        pdi_cluster_partition_t *partition = &cluster->partitions[i];

        if (partition->epoch == cluster->assignments[i].epoch)
            continue;
        partition->epoch = cluster->assignments[i].epoch;
        partition->epoch_since_ns = now_ns;
    }
}

/* ---- one partition ---- */

static bool may_take(const pd_cluster_t *cluster, uint32_t index, int64_t now_ns)
{
    int64_t grace_ns = CLAIM_HEARTBEATS * cluster->options.heartbeat_interval_ns;

    return cluster->assignments[index].vacant ||
           now_ns - cluster->partitions[index].epoch_since_ns >= grace_ns;
}

static void tell(pd_cluster_t *cluster, uint32_t index, pd_member_role_t role)
{
    pdi_cluster_partition_t *partition = &cluster->partitions[index];

    if (partition->role != role) {
        partition->told_ns = pdi_cluster_now_ns(cluster);
        PD_DIAG(PD_DIAG_INFO, "partition role", "node=%s partition=%u role=%s epoch=%lld",
                cluster->name, index,
                role == PD_MEMBER_OWNER     ? "owner"
                : role == PD_MEMBER_STANDBY ? "standby"
                                            : "none",
                (long long)cluster->assignments[index].epoch);
    }
    partition->role = role;
    cluster->options.partitions.set_role(cluster->options.partitions.ctx, index, role,
                                         cluster->assignments[index].epoch);
}

/* Neither owner nor about to be: does it follow? Who released the partition follows it until
 * somebody has it. */
static pd_member_role_t follower_role(const pd_assignment_t *assignment, int32_t self,
                                      const pd_member_partition_t *status)
{
    bool follows = assignment->preferred == self || assignment->standby == self ||
                   assignment->taker == self ||
                   (status->role == PD_MEMBER_RELEASED && assignment->owner < 0);

    return follows ? PD_MEMBER_STANDBY : PD_MEMBER_NONE;
}

/* Whoever takes a partition over should be in nobody's way; and a new follower that catches up in
 * the middle of a takeover would be the better choice, and take it over in turn. Owners that are
 * about to leave are taken over by those who follow already; where nobody does, somebody must. */
static bool may_open_standby(pd_cluster_t *cluster, int64_t now_ns)
{
    for (uint32_t i = 0; i < cluster->options.partition_count; i++) {
        const pd_assignment_t *assignment = &cluster->assignments[i];

        if (assignment->owner < 0 || (assignment->owner_leaves && assignment->followed))
            return false;
    }
    if (now_ns - cluster->standby_opened_ns < OPEN_STANDBY_NS)
        return false;
    cluster->standby_opened_ns = now_ns;
    return true;
}

static void act(pd_cluster_t *cluster, uint32_t index, int32_t self, int64_t now_ns)
{
    const pd_assignment_t *assignment = &cluster->assignments[index];
    pdi_cluster_partition_t *partition = &cluster->partitions[index];
    pd_member_partition_t status;
    pd_member_role_t role;

    cluster->options.partitions.status(cluster->options.partitions.ctx, index, &status);
    if (status.role == PD_MEMBER_OWNER && status.epoch >= assignment->epoch) {
        if (assignment->release && assignment->owner == self)
            tell(cluster, index, PD_MEMBER_STANDBY);
        return;
    }
    if (assignment->owner == self)
        return; /* not any more, and the others do not know yet */
    if (assignment->taker == self) {
        if (may_take(cluster, index, now_ns) && status.epoch <= assignment->epoch) {
            tell(cluster, index, PD_MEMBER_OWNER);
            return;
        }
    }
    if (partition->role == PD_MEMBER_OWNER && status.role == PD_MEMBER_STANDBY &&
        assignment->owner < 0 && now_ns - partition->told_ns < BEGUN_NS)
        return; /* its OwnerChanged is on its way */
    role = follower_role(assignment, self, &status);
    if (role == PD_MEMBER_NONE && cluster->state == PD_CLUSTER_LEAVING &&
        status.role != PD_MEMBER_OWNER)
        return; /* it ends soon; to let go now would take time from those who still call */
    if (role == PD_MEMBER_STANDBY && partition->role == PD_MEMBER_NONE &&
        !may_open_standby(cluster, now_ns))
        return;
    if (role != partition->role || status.role == PD_MEMBER_OWNER)
        tell(cluster, index, role);
}

/* ---- leaving ---- */

/* Calls for what was ours are sent on from here until we end: that takes knowing the new owner. Its
 * OwnerChanged comes before its heartbeat does. */
static bool all_taken(const pd_cluster_t *cluster, int32_t self)
{
    for (uint32_t i = 0; i < cluster->options.partition_count; i++) {
        const pd_assignment_t *assignment = &cluster->assignments[i];
        pd_member_partition_t status;

        cluster->options.partitions.status(cluster->options.partitions.ctx, i, &status);
        if (status.role == PD_MEMBER_OWNER || assignment->owner == self ||
            (assignment->owner < 0 && assignment->epoch >= 0))
            return false;
    }
    return true;
}

static void on_silence(pd_timer_t *timer)
{
    pdi_beat_now(PD_CONTAINER_OF(timer, pd_cluster_t, silence_timer));
}

static void maybe_left(pd_cluster_t *cluster, const judged_t *judged, int64_t now_ns)
{
    if (cluster->name_lost) {
        pdi_cluster_end(cluster);
        return;
    }
    if (judged->staying_count && !all_taken(cluster, judged->self) &&
        now_ns < cluster->leave_until_ns)
        return;
    /* The tombstone itself may have to wait for the log; not for ever. */
    if (now_ns >= cluster->leave_until_ns + cluster->options.dead_after_ns)
        pdi_cluster_end(cluster);
    else
        pdi_beat_tombstone(cluster);
}

/* When somebody has been silent for long, know it soon: he is judged as of our next heartbeat that
 * comes back. */
static void watch_silence(pd_cluster_t *cluster, const judged_t *judged, int64_t now_ns)
{
    int64_t next_ns = INT64_MAX;

    for (uint32_t i = 0; i < judged->count; i++) {
        int64_t at_ns = judged->alive[i]->seen_ns + cluster->options.dead_after_ns;

        if ((int32_t)i != judged->self && at_ns > now_ns && at_ns < next_ns)
            next_ns = at_ns;
    }
    if (next_ns == INT64_MAX) {
        pd_loop_timer_stop(cluster->options.loop, &cluster->silence_timer);
        return;
    }
    cluster->silence_timer.fire = on_silence;
    pd_loop_timer_start(cluster->options.loop, &cluster->silence_timer, next_ns);
}

static void maybe_joined(pd_cluster_t *cluster, const judged_t *judged)
{
    if (cluster->state == PD_CLUSTER_JOINING && judged->self >= 0 &&
        cluster->judged_ns - cluster->loaded_ns >= cluster->options.dead_after_ns)
        pdi_cluster_set_state(cluster, PD_CLUSTER_JOINED);
}

static bool is_whole(const pd_cluster_t *cluster)
{
    for (uint32_t i = 0; i < cluster->view->partition_count; i++) {
        if (cluster->view->partitions[i].owner < 0)
            return false;
    }
    return !cluster->options.awaited_namespace ||
           pd_namespaces_by_name(cluster->options.namespaces, cluster->options.awaited_namespace);
}

/* Later than joined: who calls before that would hear that nothing is there. */
static void maybe_settled(pd_cluster_t *cluster, int64_t now_ns)
{
    if (cluster->state == PD_CLUSTER_JOINED &&
        (is_whole(cluster) || now_ns - cluster->loaded_ns >= cluster->options.settle_ns))
        pdi_cluster_set_state(cluster, PD_CLUSTER_SETTLED);
}

void pdi_roles_judge(pd_cluster_t *cluster)
{
    int64_t now_ns = pdi_cluster_now_ns(cluster);
    judged_t judged;

    if (cluster->ended ||
        (cluster->state != PD_CLUSTER_JOINING && cluster->state != PD_CLUSTER_JOINED &&
         cluster->state != PD_CLUSTER_SETTLED && cluster->state != PD_CLUSTER_LEAVING))
        return;
    find_alive(cluster, &judged);
    pd_assignment_make(judged.alive, judged.count, cluster->options.partition_count,
                       cluster->assignments);
    note_epochs(cluster, now_ns);
    if (judged.self >= 0)
        pdi_publish_view(cluster, judged.alive, judged.count);
    pdi_namespaces_judge(cluster, judged.alive, judged.count);
    maybe_settled(cluster, now_ns);
    maybe_joined(cluster, &judged);
    watch_silence(cluster, &judged, now_ns);
    if (cluster->state != PD_CLUSTER_JOINING && judged.self >= 0) {
        for (uint32_t i = 0; i < cluster->options.partition_count; i++)
            act(cluster, i, judged.self, now_ns);
    }
    if (cluster->state == PD_CLUSTER_LEAVING)
        maybe_left(cluster, &judged, now_ns);
}
