/* link.h -- links to events, as answers carry them. Thread: any. Ownership: the decision's arena.
 */
#ifndef PD_ENGINE_DECIDE_LINK_H
#define PD_ENGINE_DECIDE_LINK_H

#include "engine/decide/draft.h"

Temporal__Api__Common__V1__Link *pd_link_event(pd_decision_t *decision, const char *run_id,
                                               int64_t event_id,
                                               Temporal__Api__Enums__V1__EventType type);
/* To the event that a request caused, which has no ID as long as it is buffered. */
Temporal__Api__Common__V1__Link *pd_link_request(pd_decision_t *decision, const char *run_id,
                                                 const char *request_id,
                                                 Temporal__Api__Enums__V1__EventType type);

#endif
