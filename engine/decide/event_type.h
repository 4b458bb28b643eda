/* event_type.h -- which attributes message belongs to which type of history event, taken from the
 * generated descriptors. Thread: any. */
#ifndef PD_ENGINE_DECIDE_EVENT_TYPE_H
#define PD_ENGINE_DECIDE_EVENT_TYPE_H

#include <temporal/api/history/v1/message.pb-c.h>

#include "api/pb/pb.h"

/* The field of HistoryEvent's oneof that holds the attributes of `type`. The type must exist. */
const ProtobufCFieldDescriptor *pd_event_type_field(Temporal__Api__Enums__V1__EventType type);

/* Allocates and attaches empty attributes for event->event_type. */
void pd_event_type_attach(Temporal__Api__History__V1__HistoryEvent *event, pd_arena_t *arena);

/* How an event behaves in the buffer of a run whose workflow task is running. */
bool pd_event_type_closes_pending(Temporal__Api__Enums__V1__EventType type);

#endif
