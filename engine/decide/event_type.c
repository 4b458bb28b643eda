#include "engine/decide/event_type.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>

#include "base/assert.h"
#include "engine/decide/draft.h"

enum { TYPE_MAX = 128 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const ProtobufCFieldDescriptor *fields[TYPE_MAX];

/* EVENT_TYPE_TIMER_FIRED has its attributes in timer_fired_event_attributes, and so on. */
static void build_table(void)
{
    const ProtobufCEnumDescriptor *types = &temporal__api__enums__v1__event_type__descriptor;

    for (unsigned i = 0; i < types->n_values; i++) {
        const ProtobufCEnumValue *value = &types->values[i];
        char name[128];
        int size = 0;

        for (const char *c = value->name + strlen("EVENT_TYPE_"); *c; c++)
            name[size++] = (char)tolower((unsigned char)*c);
        snprintf(name + size, sizeof(name) - (size_t)size, "_event_attributes");
        PD_ASSERT(value->value >= 0 && value->value < TYPE_MAX);
        fields[value->value] = protobuf_c_message_descriptor_get_field_by_name(
            &temporal__api__history__v1__history_event__descriptor, name);
    }
}

const ProtobufCFieldDescriptor *pd_event_type_field(Temporal__Api__Enums__V1__EventType type)
{
    PD_ASSERT(pthread_once(&once, build_table) == 0);
    PD_ASSERT((int)type > 0 && (int)type < TYPE_MAX && fields[type]);
    return fields[type];
}

void pd_event_type_attach(Temporal__Api__History__V1__HistoryEvent *event, pd_arena_t *arena)
{
    const ProtobufCFieldDescriptor *field = pd_event_type_field(event->event_type);
    void *attributes = pd_pb_new(field->descriptor, arena);

    memcpy((char *)event + field->offset, &attributes, sizeof(attributes));
    event->attributes_case = (Temporal__Api__History__V1__HistoryEvent__AttributesCase)field->id;
}

bool pd_event_type_closes_pending(Temporal__Api__Enums__V1__EventType type)
{
    int number = (int)type;

    return number == PD_EVENT(ACTIVITY_TASK_COMPLETED) ||
           number == PD_EVENT(ACTIVITY_TASK_FAILED) ||
           number == PD_EVENT(ACTIVITY_TASK_TIMED_OUT) ||
           number == PD_EVENT(ACTIVITY_TASK_CANCELED) ||
           number == PD_EVENT(CHILD_WORKFLOW_EXECUTION_COMPLETED) ||
           number == PD_EVENT(CHILD_WORKFLOW_EXECUTION_FAILED) ||
           number == PD_EVENT(CHILD_WORKFLOW_EXECUTION_TIMED_OUT) ||
           number == PD_EVENT(CHILD_WORKFLOW_EXECUTION_CANCELED) ||
           number == PD_EVENT(CHILD_WORKFLOW_EXECUTION_TERMINATED) ||
           number == PD_EVENT(NEXUS_OPERATION_COMPLETED) ||
           number == PD_EVENT(NEXUS_OPERATION_FAILED) ||
           number == PD_EVENT(NEXUS_OPERATION_CANCELED) ||
           number == PD_EVENT(NEXUS_OPERATION_TIMED_OUT);
}
