/* test_event_types.c -- every event type of the API: which ones stand alone, which ones need a
 * predecessor, and that these are refused without it. */
#define PROTOBUF_C__NO_DEPRECATED
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/state/fixture.h"

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME

static fixture_t f;

static int setup(void **state)
{
    fixture_open(&f);
    return 0;
}

static int teardown(void **state)
{
    fixture_close(&f);
    return 0;
}

/* `type` belongs to an earlier event `after`, which `link` names. Without it: `refusal`. */
typedef struct follower {
    int type, after;
    const char *link, *refusal;
} follower_t;

#define TASK(NAME, AFTER)                                                                          \
    {                                                                                              \
        TYPE(WORKFLOW_TASK_##NAME), AFTER, "scheduled_event_id", "workflow task 0 is not pending"  \
    }
#define ACTIVITY(NAME)                                                                             \
    {                                                                                              \
        TYPE(ACTIVITY_TASK_##NAME), TYPE(ACTIVITY_TASK_SCHEDULED), "scheduled_event_id",           \
            "activity 0 is not pending"                                                            \
    }
#define TIMER(NAME)                                                                                \
    {                                                                                              \
        TYPE(TIMER_##NAME), TYPE(TIMER_STARTED), "started_event_id", "timer 0 is not pending"      \
    }
#define CHILD(NAME)                                                                                \
    {                                                                                              \
        TYPE(NAME), TYPE(START_CHILD_WORKFLOW_EXECUTION_INITIATED), "initiated_event_id",          \
            "child 0 is not pending"                                                               \
    }
#define EXTERNAL(NAME, AFTER)                                                                      \
    {                                                                                              \
        TYPE(NAME), TYPE(AFTER##_EXTERNAL_WORKFLOW_EXECUTION_INITIATED), "initiated_event_id",     \
            "external request 0 is not pending"                                                    \
    }

/* Started runs begin with WORKFLOW_EXECUTION_STARTED and WORKFLOW_TASK_SCHEDULED (event 2). */
static const follower_t followers[] = {
    {TYPE(WORKFLOW_EXECUTION_STARTED), -1, NULL, "event 3 is of type 1"},
    {TYPE(WORKFLOW_TASK_SCHEDULED), -1, NULL, "workflow task 3 is scheduled while 2 is pending"},
    TASK(STARTED, 0),
    TASK(COMPLETED, TYPE(WORKFLOW_TASK_STARTED)),
    TASK(TIMED_OUT, TYPE(WORKFLOW_TASK_STARTED)),
    TASK(FAILED, TYPE(WORKFLOW_TASK_STARTED)),
    ACTIVITY(COMPLETED),
    ACTIVITY(FAILED),
    ACTIVITY(TIMED_OUT),
    ACTIVITY(CANCEL_REQUESTED),
    ACTIVITY(CANCELED),
    TIMER(FIRED),
    TIMER(CANCELED),
    CHILD(START_CHILD_WORKFLOW_EXECUTION_FAILED),
    CHILD(CHILD_WORKFLOW_EXECUTION_STARTED),
    CHILD(CHILD_WORKFLOW_EXECUTION_COMPLETED),
    CHILD(CHILD_WORKFLOW_EXECUTION_FAILED),
    CHILD(CHILD_WORKFLOW_EXECUTION_CANCELED),
    CHILD(CHILD_WORKFLOW_EXECUTION_TIMED_OUT),
    CHILD(CHILD_WORKFLOW_EXECUTION_TERMINATED),
    EXTERNAL(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, REQUEST_CANCEL),
    EXTERNAL(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED, REQUEST_CANCEL),
    EXTERNAL(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED, SIGNAL),
    EXTERNAL(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, SIGNAL),
};

static const follower_t *follower_of(int type)
{
    for (size_t i = 0; i < sizeof(followers) / sizeof(followers[0]); i++)
        if (followers[i].type == type)
            return &followers[i];
    return NULL;
}

/* The field of history events that holds the attributes of the type. */
static const ProtobufCFieldDescriptor *attributes_of(int type)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
        &temporal__api__enums__v1__event_type__descriptor, type);
    const ProtobufCFieldDescriptor *field;
    char name[128] = "";
    size_t size = 0;

    assert_non_null(value);
    for (const char *from = value->name + strlen("EVENT_TYPE_"); *from; from++)
        name[size++] = (char)(*from == '_' ? '_' : *from | 0x20);
    memcpy(name + size, "_event_attributes", sizeof("_event_attributes"));
    field = protobuf_c_message_descriptor_get_field_by_name(
        &temporal__api__history__v1__history_event__descriptor, name);
    assert_non_null(field);
    return field;
}

/* Adds an event of the type, with empty attributes. */
static void *add(int type)
{
    const ProtobufCFieldDescriptor *field = attributes_of(type);

    return fixture_history(&f, type, (int)field->id, field->descriptor);
}

/* Sets attributes' field `link`, which names an earlier event. */
static void point(int type, void *attributes, const char *link, int64_t earlier_event_id)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(attributes_of(type)->descriptor, link);

    assert_non_null(field);
    assert_int_equal(field->type, PROTOBUF_C_TYPE_INT64);
    memcpy((char *)attributes + field->offset, &earlier_event_id, sizeof(earlier_event_id));
}

/* A fresh run, whose events 1 and 2 are applied, and a record for what follows. */
static void begin(int type, const char *why)
{
    char run_id[64];

    snprintf(run_id, sizeof(run_id), "run-%d-%s", type, why);
    fixture_start(&f, run_id, run_id);
    fixture_begin(&f, run_id, run_id);
}

/* Alone an event is accepted exactly if nothing has to come before it. None is unknown. */
static void alone(void **state)
{
    const ProtobufCEnumDescriptor *types = &temporal__api__enums__v1__event_type__descriptor;

    for (unsigned i = 0; i < types->n_values; i++) {
        int type = types->values[i].value;
        const follower_t *follower = follower_of(type);
        pd_error_t error = {.text = ""};

        if (type == 0)
            continue;
        begin(type, "alone");
        add(type);
        if (!follower) {
            fixture_apply(&f);
            continue;
        }
        assert_int_not_equal(pd_store_apply(f.store, f.record, &error), PD_OK);
        if (!strstr(error.text, follower->refusal))
            fail_msg("%s: \"%s\" instead of \"%s\"", types->values[i].name, error.text,
                     follower->refusal);
    }
}

/* After its predecessor each is accepted, and is in the history. */
static void after_predecessor(void **state)
{
    for (size_t i = 0; i < sizeof(followers) / sizeof(followers[0]); i++) {
        const follower_t *follower = &followers[i];
        int type = follower->type, after = follower->after;
        void *attributes;

        if (!follower->link)
            continue; /* what fixture_start applies */
        begin(type, "after");
        if (after == TYPE(WORKFLOW_TASK_STARTED))
            fixture_task_started(&f, 2);
        else if (after)
            add(after);
        attributes = add(type);
        if (after && after != TYPE(WORKFLOW_TASK_STARTED)) {
            point(type, attributes, follower->link, 3);
        } else {
            point(type, attributes, follower->link, 2);
            if (after)
                point(type, attributes, "started_event_id", 3);
        }
        fixture_apply(&f);
        assert_int_equal(fixture_current(&f, f.record->transition->workflow_id)->row->next_event_id,
                         after ? 5 : 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(alone, setup, teardown),
        cmocka_unit_test_setup_teardown(after_predecessor, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
