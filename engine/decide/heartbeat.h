/* heartbeat.h -- a sign of life of an activity's attempt.
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_HEARTBEAT_H
#define PD_ENGINE_DECIDE_HEARTBEAT_H

#include "engine/decide/pending.h"

/* Drafts ActivityHeartbeatRecorded. Every heartbeat is recorded: it moves the heartbeat's deadline
 * and is shown to whoever looks. Workers throttle theirs. `details` replace those of before, also
 * when NULL. */
void pd_activity_record_heartbeat(pd_draft_t *draft, const pd_pending_activity_t *activity,
                                  Temporal__Api__Common__V1__Payloads *details);

#endif
