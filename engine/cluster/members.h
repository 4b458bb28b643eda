/* members.h -- the table of a cluster's members: what their heartbeats say, and who is alive.
 *
 * A member is alive while its heartbeats come: no later than dead_after_ns after one another, by
 * this node's clock. Of two lives of one name the one with the greater incarnation counts
 * (incarnations begin with a number that grows with each life, see cluster.h); heartbeats of the
 * other are ignored.
 *
 * No I/O, no clock of its own. Thread: one at a time. Ownership: owns its members; what it lends is
 * lent until the next change. */
#ifndef PD_ENGINE_CLUSTER_MEMBERS_H
#define PD_ENGINE_CLUSTER_MEMBERS_H

#include <perdure/v1/record.pb-c.h>

#include "base/status.h"

enum {
    PD_MEMBER_COUNT_MAX = 64,      /* known at once, dead ones included */
    PD_MEMBER_NAME_SIZE_MAX = 255, /* bytes; of an address and a version too */
};

typedef enum pd_member_role {
    PD_MEMBER_NONE,
    PD_MEMBER_STANDBY,
    PD_MEMBER_OWNER,
    PD_MEMBER_RELEASED,
    PD_MEMBER_FAILED,
} pd_member_role_t;

/* What a member says of one partition. */
typedef struct pd_member_partition {
    pd_member_role_t role;
    int64_t epoch; /* the newest it knows of; its own when it owns or released it; -1 */
    int64_t applied_offset;
    int64_t end_offset;
    bool acquiring; /* STANDBY: its OwnerChanged is on its way */
} pd_member_partition_t;

typedef struct pd_member {
    char *name, *incarnation, *address, *version;
    bool leaving;
    int64_t number;
    int64_t read_offset;               /* of the members log; 0: it does not tell */
    int64_t time_ns;                   /* the member's clock, in its last heartbeat */
    int64_t seen_ns;                   /* this node's clock, when that was read */
    pd_member_partition_t *partitions; /* one each */
} pd_member_t;

typedef struct pd_members pd_members_t;

pd_members_t *pd_members_new(uint32_t partition_count, int64_t dead_after_ns);
void pd_members_free(pd_members_t *members);

/* PD_INVALID: not a heartbeat that makes sense; PD_FENCED: of a life that is over; PD_LIMIT: too
 * many members. Nothing is changed then. */
pd_status_t pd_members_heartbeat(pd_members_t *members, const Perdure__V1__Heartbeat *heartbeat,
                                 int64_t now_ns) PD_MUST_USE;
/* It has left for good: forgotten. */
void pd_members_left(pd_members_t *members, const char *name);
/* This node itself did not run for so long, or its clock has jumped: that time counts against
 * nobody, and for nobody whose heartbeat was read since. */
void pd_members_excuse(pd_members_t *members, int64_t by_ns, int64_t now_ns);

const pd_member_t *pd_members_find(const pd_members_t *members, const char *name);
/* At `at_ns`, a time up to which this node has surely read what there was. */
bool pd_members_is_alive(const pd_members_t *members, const pd_member_t *member, int64_t at_ns);
/* All members sorted by name, dead ones too. Returns their number. */
uint32_t pd_members_all(const pd_members_t *members, const pd_member_t *const **all);
#endif
