/* test_grammar.c -- a story that can be told is accepted; told wrongly in any place, it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "state/audit/grammar.h"
#include "tests/unit/state/fixture.h"

enum { STORY_MAX = 32 };
#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME
#define CASE(NAME) TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##NAME##_EVENT_ATTRIBUTES

typedef struct story {
    fixture_t fixture;
    pd_bytes_t records[STORY_MAX];
    size_t count;
} story_t;

/* Takes the fixture's record, which is applied as well: the fold has its own opinion. */
static void told(story_t *story)
{
    const Perdure__V1__Record *record = story->fixture.record;
    size_t size = perdure__v1__record__get_packed_size(record);
    uint8_t *bytes = pd_alloc(size);

    assert_true(story->count < STORY_MAX);
    perdure__v1__record__pack(record, bytes);
    story->records[story->count++] = pd_bytes(bytes, size);
    fixture_apply(&story->fixture);
}

/* Event IDs are told beside each step. */
static void tell(story_t *story)
{
    fixture_t *f = &story->fixture;
    Perdure__V1__BufferedEventsFlushed *flushed;

    memset(story, 0, sizeof(*story));
    fixture_open(f);
    fixture_begin(f, "wf", "run-1");
    fixture_created(f, "");
    fixture_started(f, "run-1");                  /* 1 */
    fixture_task_scheduled(f, "queue", false, 1); /* 2 */
    told(story);
    fixture_begin(f, "wf", "run-1");
    fixture_task_started(f, 2); /* 3 */
    told(story);
    fixture_begin(f, "wf", "run-1");
    fixture_task_completed(f, 2, 3);            /* 4 */
    fixture_activity_scheduled(f, "a", 60 * S); /* 5 */
    fixture_timer_started(f, "t", 60 * S);      /* 6 */
    told(story);
    fixture_begin(f, "wf", "run-1");
    fixture_timer_fired(f, "t", 6);               /* 7 */
    fixture_task_scheduled(f, "queue", false, 1); /* 8 */
    told(story);
    fixture_begin(f, "wf", "run-1");
    fixture_task_started(f, 8); /* 9 */
    told(story);
    fixture_begin(f, "wf", "run-1");
    fixture_buffer(f);
    fixture_signaled(f, "request");
    told(story);
    fixture_begin(f, "wf", "run-1");
    fixture_task_completed(f, 8, 9); /* 10 */
    flushed = fixture_internal(f, PERDURE__V1__EVENT__KIND_BUFFERED_EVENTS_FLUSHED,
                               &perdure__v1__buffered_events_flushed__descriptor);
    assert_non_null(flushed);
    fixture_signaled(f, "request");               /* 11 */
    fixture_task_scheduled(f, "queue", false, 1); /* 12 */
    told(story);
    fixture_begin(f, "wf", "run-1");
    fixture_task_started(f, 12); /* 13 */
    told(story);
    fixture_begin(f, "wf", "run-1");
    fixture_task_completed(f, 12, 13); /* 14 */
    fixture_workflow_completed(f);     /* 15 */
    told(story);
}

static void end_story(story_t *story)
{
    for (size_t i = 0; i < story->count; i++)
        pd_free((void *)story->records[i].data);
    fixture_close(&story->fixture);
}

/* Feeds the records named, in that order; how many cannot follow. */
static size_t wrong_count(const story_t *story, const size_t *order, size_t count, char *first)
{
    pd_grammar_t *grammar = pd_grammar_new();
    size_t wrong = 0;

    for (size_t i = 0; i < count; i++) {
        pd_bytes_t bytes = story->records[order[i]];
        Perdure__V1__Record *record = perdure__v1__record__unpack(NULL, bytes.size, bytes.data);
        pd_error_t error = {.text = ""};

        assert_non_null(record);
        if (pd_grammar_record(grammar, record, &error) != PD_OK && wrong++ == 0 && first)
            memcpy(first, error.text, sizeof(error.text));
        perdure__v1__record__free_unpacked(record, NULL);
    }
    pd_grammar_free(grammar);
    return wrong;
}

static void test_story(void **state)
{
    story_t story;
    size_t order[STORY_MAX];
    char text[PD_ERROR_TEXT_SIZE] = "";

    tell(&story);
    for (size_t i = 0; i < story.count; i++)
        order[i] = i;
    if (wrong_count(&story, order, story.count, text) != 0)
        fail_msg("%s", text);
    end_story(&story);
}

static void test_any_removal_is_wrong(void **state)
{
    story_t story;

    tell(&story);
    for (size_t removed = 0; removed + 1 < story.count; removed++) {
        size_t order[STORY_MAX], count = 0;

        for (size_t i = 0; i < story.count; i++) {
            if (i != removed)
                order[count++] = i;
        }
        if (wrong_count(&story, order, count, NULL) == 0)
            fail_msg("without record %zu nothing is wrong", removed);
    }
    end_story(&story);
}

static void test_any_repetition_is_wrong(void **state)
{
    story_t story;
    char text[PD_ERROR_TEXT_SIZE];

    tell(&story);
    for (size_t repeated = 0; repeated < story.count; repeated++) {
        size_t order[STORY_MAX], count = 0;

        for (size_t i = 0; i < story.count; i++) {
            order[count++] = i;
            if (i == repeated)
                order[count++] = i;
        }
        if (wrong_count(&story, order, count, text) == 0)
            fail_msg("with record %zu twice nothing is wrong", repeated);
        assert_non_null(strstr(text, "workflow wf run run-1"));
    }
    end_story(&story);
}

static void test_any_exchange_is_wrong(void **state)
{
    story_t story;

    tell(&story);
    for (size_t at = 0; at + 1 < story.count; at++) {
        size_t order[STORY_MAX];

        for (size_t i = 0; i < story.count; i++)
            order[i] = i == at ? at + 1 : i == at + 1 ? at : i;
        if (wrong_count(&story, order, story.count, NULL) == 0)
            fail_msg("with records %zu and %zu exchanged nothing is wrong", at, at + 1);
    }
    end_story(&story);
}

/* ---- one run's events ---- */

static void *event_of(Perdure__V1__Event *event, Temporal__Api__History__V1__HistoryEvent *history,
                      Google__Protobuf__Timestamp *time, int type, int attributes_case)
{
    static const Google__Protobuf__Timestamp now = {.seconds = 1};

    perdure__v1__event__init(event);
    temporal__api__history__v1__history_event__init(history);
    google__protobuf__timestamp__init(time);
    time->seconds = now.seconds;
    history->event_time = time;
    history->event_type = type;
    history->attributes_case = attributes_case;
    event->kind_case = PERDURE__V1__EVENT__KIND_HISTORY;
    event->history = history;
    return history;
}

/* A child: initiated (2), started (3), completed (4); `skip` is left out, `again` comes twice. */
static pd_status_t child_story(int skip, int again, pd_error_t *error)
{
    Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes started =
        TEMPORAL__API__HISTORY__V1__WORKFLOW_EXECUTION_STARTED_EVENT_ATTRIBUTES__INIT;
    Temporal__Api__History__V1__StartChildWorkflowExecutionInitiatedEventAttributes initiated =
        TEMPORAL__API__HISTORY__V1__START_CHILD_WORKFLOW_EXECUTION_INITIATED_EVENT_ATTRIBUTES__INIT;
    Temporal__Api__History__V1__ChildWorkflowExecutionStartedEventAttributes child_started =
        TEMPORAL__API__HISTORY__V1__CHILD_WORKFLOW_EXECUTION_STARTED_EVENT_ATTRIBUTES__INIT;
    Temporal__Api__History__V1__ChildWorkflowExecutionCompletedEventAttributes completed =
        TEMPORAL__API__HISTORY__V1__CHILD_WORKFLOW_EXECUTION_COMPLETED_EVENT_ATTRIBUTES__INIT;
    const struct {
        int type, attributes_case;
        void *attributes;
    } steps[] = {
        {TYPE(WORKFLOW_EXECUTION_STARTED), CASE(WORKFLOW_EXECUTION_STARTED), &started},
        {TYPE(START_CHILD_WORKFLOW_EXECUTION_INITIATED),
         CASE(START_CHILD_WORKFLOW_EXECUTION_INITIATED), &initiated},
        {TYPE(CHILD_WORKFLOW_EXECUTION_STARTED), CASE(CHILD_WORKFLOW_EXECUTION_STARTED),
         &child_started},
        {TYPE(CHILD_WORKFLOW_EXECUTION_COMPLETED), CASE(CHILD_WORKFLOW_EXECUTION_COMPLETED),
         &completed},
    };
    pd_run_grammar_t run;
    pd_status_t status = PD_OK;
    int64_t id = 0;

    child_started.initiated_event_id = completed.initiated_event_id = 2;
    completed.started_event_id = 3;
    pd_run_grammar_init(&run);
    for (int i = 0; i < 4 && status == PD_OK; i++) {
        for (int times = (i == again ? 2 : i == skip ? 0 : 1); times && status == PD_OK; times--) {
            Temporal__Api__History__V1__HistoryEvent history;
            Google__Protobuf__Timestamp time;
            Perdure__V1__Event event;

            event_of(&event, &history, &time, steps[i].type, steps[i].attributes_case);
            history.event_id = ++id;
            /* all members of the oneof are pointers */
            history.workflow_execution_started_event_attributes = steps[i].attributes;
            status = pd_run_grammar_event(&run, &event, error);
        }
    }
    pd_run_grammar_deinit(&run);
    return status;
}

static void test_children(void **state)
{
    pd_error_t error = {.text = ""};

    if (child_story(-1, -1, &error) != PD_OK)
        fail_msg("%s", error.text);
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_story(i, -1, &error), PD_CORRUPT);
    assert_int_equal(child_story(-1, 2, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, "started before"));
    assert_int_equal(child_story(-1, 3, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, "closed before"));
}

/* ---- links ---- */

typedef struct link_step {
    int64_t commands_through;
    int64_t number_to_3, received_from_5; /* 0: none */
} link_step_t;

static pd_status_t link_story(const link_step_t *steps, size_t count, pd_error_t *error)
{
    pd_link_grammar_t link;
    pd_status_t status = PD_OK;

    pd_link_grammar_init(&link);
    for (size_t i = 0; i < count && status == PD_OK; i++) {
        Perdure__V1__Record record = PERDURE__V1__RECORD__INIT;
        Perdure__V1__Transition transition = PERDURE__V1__TRANSITION__INIT;
        Perdure__V1__Message message = PERDURE__V1__MESSAGE__INIT, *messages = &message;
        Perdure__V1__Received received = PERDURE__V1__RECEIVED__INIT;

        record.body_case = PERDURE__V1__RECORD__BODY_TRANSITION;
        record.transition = &transition;
        transition.commands_through = steps[i].commands_through;
        message.target_partition = 3;
        message.number = steps[i].number_to_3;
        transition.messages = &messages;
        transition.n_messages = steps[i].number_to_3 != 0;
        received.source_partition = 5;
        received.number = steps[i].received_from_5;
        if (steps[i].received_from_5)
            transition.received = &received;
        status = pd_link_grammar_record(&link, &record, error);
    }
    pd_link_grammar_deinit(&link);
    return status;
}

static void test_links(void **state)
{
    static const link_step_t right[] = {{-1, 1, 0}, {4, 2, 1}, {4, 0, 2}, {9, 3, 3}};
    static const link_step_t hole_sent[] = {{-1, 1, 0}, {-1, 3, 0}};
    static const link_step_t repeated[] = {{-1, 0, 1}, {-1, 0, 1}};
    static const link_step_t hole_received[] = {{-1, 0, 1}, {-1, 0, 3}};
    static const link_step_t back[] = {{7, 0, 0}, {6, 0, 0}};
    pd_error_t error = {.text = ""};

    if (link_story(right, 4, &error) != PD_OK)
        fail_msg("%s", error.text);
    assert_int_equal(link_story(hole_sent, 2, &error), PD_CORRUPT);
    assert_string_equal(error.text, "messages to partition 3: number 3 where 2 is due");
    assert_int_equal(link_story(repeated, 2, &error), PD_CORRUPT);
    assert_string_equal(error.text, "received from partition 5: number 1 where 2 is due");
    assert_int_equal(link_story(hole_received, 2, &error), PD_CORRUPT);
    assert_int_equal(link_story(back, 2, &error), PD_CORRUPT);
    assert_string_equal(error.text, "commands_through goes back from 7 to 6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_story),
        cmocka_unit_test(test_any_removal_is_wrong),
        cmocka_unit_test(test_any_repetition_is_wrong),
        cmocka_unit_test(test_any_exchange_is_wrong),
        cmocka_unit_test(test_children),
        cmocka_unit_test(test_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
