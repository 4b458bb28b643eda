#include "engine/cluster/members.h"

#include <string.h>

#include "api/pb/pb.h"
#include "base/assert.h"
#include "base/memory.h"

struct pd_members {
    uint32_t partition_count;
    int64_t dead_after_ns;
    pd_member_t *items[PD_MEMBER_COUNT_MAX]; /* sorted by name */
    uint32_t count;
};

pd_members_t *pd_members_new(uint32_t partition_count, int64_t dead_after_ns)
{
    pd_members_t *members = PD_NEW(pd_members_t);

    PD_ASSERT(partition_count > 0 && dead_after_ns > 0);
    members->partition_count = partition_count;
    members->dead_after_ns = dead_after_ns;
    return members;
}

static void member_free(pd_member_t *member)
{
    pd_free(member->name);
    pd_free(member->incarnation);
    pd_free(member->address);
    pd_free(member->version);
    pd_free(member->partitions);
    pd_free(member);
}

void pd_members_free(pd_members_t *members)
{
    if (!members)
        return;
    for (uint32_t i = 0; i < members->count; i++)
        member_free(members->items[i]);
    pd_free(members);
}

/* Where the name is, or would be. */
static uint32_t place_of(const pd_members_t *members, const char *name, bool *found)
{
    uint32_t at = 0;

    while (at < members->count && strcmp(members->items[at]->name, name) < 0)
        at++;
    *found = at < members->count && strcmp(members->items[at]->name, name) == 0;
    return at;
}

const pd_member_t *pd_members_find(const pd_members_t *members, const char *name)
{
    bool found;
    uint32_t at = place_of(members, name, &found);

    return found ? members->items[at] : NULL;
}

static void remove_at(pd_members_t *members, uint32_t at)
{
    member_free(members->items[at]);
    members->count--;
    memmove(&members->items[at], &members->items[at + 1],
            (members->count - at) * sizeof(members->items[0]));
}

/* A full table lets go of whoever is dead for the longest time. */
static bool make_room(pd_members_t *members, int64_t now_ns)
{
    const pd_member_t *oldest = NULL;
    uint32_t at = 0;

    if (members->count < PD_MEMBER_COUNT_MAX)
        return true;
    for (uint32_t i = 0; i < members->count; i++) {
        const pd_member_t *member = members->items[i];

        if (!pd_members_is_alive(members, member, now_ns) &&
            (!oldest || member->seen_ns < oldest->seen_ns)) {
            oldest = member;
            at = i;
        }
    }
    if (oldest)
        remove_at(members, at);
    return oldest != NULL;
}

static pd_member_t *add(pd_members_t *members, const char *name)
{
    pd_member_t *member = PD_NEW(pd_member_t);
    bool found;
    uint32_t at = place_of(members, name, &found);

    PD_ASSERT(!found && members->count < PD_MEMBER_COUNT_MAX);
    memmove(&members->items[at + 1], &members->items[at],
            (members->count - at) * sizeof(members->items[0]));
    members->items[at] = member;
    members->count++;
    member->name = pd_strdup(name);
    member->partitions = pd_calloc(members->partition_count, sizeof(member->partitions[0]));
    return member;
}

static bool is_valid(const Perdure__V1__Heartbeat *heartbeat)
{
    const char *texts[] = {heartbeat->node, heartbeat->incarnation, heartbeat->address,
                           heartbeat->version};

    for (size_t i = 0; i < PD_ARRAY_COUNT(texts); i++) {
        if (strlen(pd_pb_str(texts[i])) > PD_MEMBER_NAME_SIZE_MAX)
            return false;
    }
    return !pd_pb_empty(heartbeat->node) && !pd_pb_empty(heartbeat->incarnation);
}

static void set_text(char **text, const char *value)
{
    if (*text && strcmp(*text, value) == 0)
        return;
    pd_free(*text);
    *text = pd_strdup(value);
}

/* A role that a newer release has invented is none to us. */
static pd_member_role_t role_of(const Perdure__V1__PartitionStatus *status)
{
    _Static_assert((int)PD_MEMBER_FAILED == PERDURE__V1__PARTITION_STATUS__ROLE__ROLE_FAILED &&
                       (int)PD_MEMBER_RELEASED ==
                           PERDURE__V1__PARTITION_STATUS__ROLE__ROLE_RELEASED &&
                       (int)PD_MEMBER_OWNER == PERDURE__V1__PARTITION_STATUS__ROLE__ROLE_OWNER,
                   "roles are numbered as in the schema");
    return (unsigned)status->role <= PD_MEMBER_FAILED ? (pd_member_role_t)status->role
                                                      : PD_MEMBER_NONE;
}

static void set_partitions(const pd_members_t *members, pd_member_t *member,
                           const Perdure__V1__Heartbeat *heartbeat)
{
    for (uint32_t i = 0; i < members->partition_count; i++)
        member->partitions[i] = (pd_member_partition_t){
            .role = PD_MEMBER_NONE, .epoch = -1, .applied_offset = -1, .end_offset = -1};
    for (size_t i = 0; i < heartbeat->n_partitions; i++) {
        const Perdure__V1__PartitionStatus *status = heartbeat->partitions[i];

        if (status->partition < 0 || (uint32_t)status->partition >= members->partition_count)
            continue;
        member->partitions[status->partition] = (pd_member_partition_t){
            .role = role_of(status),
            .epoch = status->epoch,
            .applied_offset = status->applied_offset,
            .end_offset = status->end_offset,
            .acquiring = status->acquiring,
        };
    }
}

pd_status_t pd_members_heartbeat(pd_members_t *members, const Perdure__V1__Heartbeat *heartbeat,
                                 int64_t now_ns)
{
    pd_member_t *member;
    bool found;
    uint32_t at;

    if (!is_valid(heartbeat))
        return PD_INVALID;
    at = place_of(members, heartbeat->node, &found);
    if (found && strcmp(heartbeat->incarnation, members->items[at]->incarnation) < 0)
        return PD_FENCED;
    if (!found && !make_room(members, now_ns))
        return PD_LIMIT;
    member = found ? members->items[at] : add(members, heartbeat->node);
    set_text(&member->incarnation, heartbeat->incarnation);
    set_text(&member->address, pd_pb_str(heartbeat->address));
    set_text(&member->version, pd_pb_str(heartbeat->version));
    member->leaving = heartbeat->leaving;
    member->number = heartbeat->number;
    member->read_offset = heartbeat->read_offset;
    member->time_ns = heartbeat->time_ns;
    member->seen_ns = now_ns;
    set_partitions(members, member, heartbeat);
    return PD_OK;
}

void pd_members_left(pd_members_t *members, const char *name)
{
    bool found;
    uint32_t at = place_of(members, name, &found);

    if (found)
        remove_at(members, at);
}

void pd_members_excuse(pd_members_t *members, int64_t by_ns, int64_t now_ns)
{
    for (uint32_t i = 0; i < members->count; i++) {
        pd_member_t *member = members->items[i];

        member->seen_ns = member->seen_ns + by_ns < now_ns ? member->seen_ns + by_ns : now_ns;
    }
}

bool pd_members_is_alive(const pd_members_t *members, const pd_member_t *member, int64_t at_ns)
{
    return at_ns - member->seen_ns < members->dead_after_ns;
}

uint32_t pd_members_all(const pd_members_t *members, const pd_member_t *const **all)
{
    *all = (const pd_member_t *const *)members->items;
    return members->count;
}
