/* generator_private.h -- building the events of random records. */
#ifndef PD_TESTS_UNIT_STATE_GENERATOR_PRIVATE_H
#define PD_TESTS_UNIT_STATE_GENERATOR_PRIVATE_H

#include <temporal/api/history/v1/message.pb-c.h>

#include "api/pb/time.h"
#include "base/assert.h"
#include "tests/unit/state/generator.h"

enum { GENERATOR_EVENTS_MAX = 64 };

#define S ((int64_t)1000000000)
#define NAMESPACE "0190b7a2-5f3c-7a11-8000-0123456789ab"
#define QUEUE_KIND(NAME) TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_##NAME
#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME
#define CASE(NAME) TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##NAME##_EVENT_ATTRIBUTES
/* Declares `a`, the attributes of a history event of that kind, added to the run (or buffered). */
#define EVENT(gen, NAME, name, Name)                                                               \
    Temporal__Api__History__V1__##Name##EventAttributes *a =                                       \
        gen_add_attributes((gen), TYPE(NAME), CASE(NAME),                                          \
                           &temporal__api__history__v1__##name##_event_attributes__descriptor)
#define INTERNAL(gen, NAME, name, Name)                                                            \
    Perdure__V1__##Name *a = gen_add_internal((gen), PERDURE__V1__EVENT__KIND_##NAME,              \
                                              &perdure__v1__##name##__descriptor)

bool gen_chance(pd_generator_t *gen, uint64_t percent);
uint64_t gen_below(pd_generator_t *gen, uint64_t bound);
char *gen_new_id(pd_generator_t *gen, const char *prefix);
Perdure__V1__Event *gen_add(pd_generator_t *gen);
void *gen_add_internal(pd_generator_t *gen, Perdure__V1__Event__KindCase kind,
                       const ProtobufCMessageDescriptor *type);
pd_history_event_t *gen_new_event(pd_generator_t *gen, int type, int attributes_case,
                                  void *attributes);
void gen_add_history(pd_generator_t *gen, pd_history_event_t *event);
bool gen_task_is_started(pd_generator_t *gen);
void *gen_add_attributes(pd_generator_t *gen, int type, int attributes_case,
                         const ProtobufCMessageDescriptor *descriptor);
void gen_add_outside(pd_generator_t *gen, int type, int attributes_case, void *attributes);
Temporal__Api__Common__V1__Payload *gen_payload(pd_generator_t *gen, const char *data);
Temporal__Api__Common__V1__Payloads *gen_payloads(pd_generator_t *gen);
Temporal__Api__Common__V1__Memo *gen_memo(pd_generator_t *gen);
Temporal__Api__Taskqueue__V1__TaskQueue *gen_queue(pd_generator_t *gen, bool sticky);
/* generator_messages.c: what a transition sends and received; a Progress record instead. */
void gen_add_messages(pd_generator_t *gen, Perdure__V1__Transition *transition);
const Perdure__V1__Record *gen_progress(pd_generator_t *gen);
/* generator_others.c: a command about another workflow; what is heard of one of them (false: of
 * none at the moment); a run that is somebody's child. */
void gen_ask_others(pd_generator_t *gen, int64_t completed_event_id);
bool gen_hear_of_others(pd_generator_t *gen);
void gen_set_parent(pd_generator_t *gen,
                    Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes *a);
Google__Protobuf__Duration *gen_duration(pd_generator_t *gen, uint64_t percent, uint64_t seconds);

#endif
