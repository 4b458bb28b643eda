/* The overlay of pending activities and timers, also with very many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/decide/pending.h"

enum { MANY = 100000 };

typedef struct pd_setting {
    pd_arena_t arena;
    pd_decision_t decision;
    pd_draft_t *draft; /* of a run that does not exist yet: there are no rows */
} pd_setting_t;

static int set_up(void **state)
{
    static pd_setting_t setting;
    memset(&setting, 0, sizeof(setting));
    pd_arena_init(&setting.arena);
    setting.decision.arena = &setting.arena;
    setting.draft = pd_draft_new_run(&setting.decision, "run");
    *state = &setting;
    return 0;
}

static int tear_down(void **state)
{
    pd_setting_t *setting = *state;
    pd_arena_deinit(&setting->arena);
    return 0;
}

static pd_pending_activity_t *schedule(pd_setting_t *setting, const char *activity_id)
{
    pd_history_event_t *event = pd_draft_event(setting->draft, PD_EVENT(ACTIVITY_TASK_SCHEDULED));
    event->activity_task_scheduled_event_attributes->activity_id = (char *)activity_id;
    return pd_pending_add_activity(setting->draft, event);
}

static void one_activity(void **state)
{
    pd_setting_t *setting = *state;
    pd_draft_t *draft = setting->draft;
    assert_null(pd_pending_activity(draft, 1));
    assert_null(pd_pending_activity_by_id(draft, "a"));
    assert_int_equal(pd_pending_activity_count(draft), 0);
    pd_pending_activity_t *first = schedule(setting, "a");
    assert_ptr_equal(pd_pending_activity(draft, 1), first);
    assert_ptr_equal(pd_pending_activity_by_id(draft, "a"), first);
    assert_int_equal(first->attempt, 1);
    assert_int_equal(pd_pending_activity_count(draft), 1);
    assert_false(pd_pending_activity_is_closing(draft, 1));

    /* Its ID may be used again once it is gone; its event may not. */
    pd_pending_remove_activity(draft, first);
    assert_null(pd_pending_activity(draft, 1));
    assert_null(pd_pending_activity_by_id(draft, "a"));
    assert_true(pd_pending_activity_is_closing(draft, 1));
    pd_pending_activity_t *second = schedule(setting, "a");
    assert_null(pd_pending_activity(draft, 1));
    assert_ptr_equal(pd_pending_activity(draft, 2), second);
    assert_ptr_equal(pd_pending_activity_by_id(draft, "a"), second);
    assert_int_equal(pd_pending_activity_count(draft), 1);
}

static void one_timer(void **state)
{
    pd_setting_t *setting = *state;
    pd_draft_t *draft = setting->draft;
    assert_null(pd_pending_timer(draft, "t"));
    pd_pending_timer_t *first = pd_pending_add_timer(draft, "t", 5, 100);
    assert_ptr_equal(pd_pending_timer(draft, "t"), first);
    assert_ptr_equal(pd_pending_timer_started(draft, 5), first);
    pd_pending_remove_timer(draft, first);
    assert_null(pd_pending_timer(draft, "t"));
    assert_null(pd_pending_timer_started(draft, 5));
    pd_pending_timer_t *second = pd_pending_add_timer(draft, "t", 6, 200);
    assert_ptr_equal(pd_pending_timer(draft, "t"), second);
    assert_null(pd_pending_timer_started(draft, 5));
    assert_int_equal(pd_pending_take_buffered_timer(draft, "t"), 0);
}

/* Quadratic behaviour would take minutes here. */
static void many(void **state)
{
    pd_setting_t *setting = *state;
    pd_draft_t *draft = setting->draft;
    for (int i = 0; i < MANY; i++) {
        char *id = pd_arena_printf(&setting->arena, "%d", i);
        assert_null(pd_pending_timer(draft, id));
        pd_pending_add_timer(draft, id, 1000000 + i, i);
        assert_null(pd_pending_activity_by_id(draft, id));
        assert_int_equal(schedule(setting, id)->scheduled_event_id, i + 1);
    }
    assert_int_equal(pd_pending_activity_count(draft), MANY);
    for (int i = 0; i < MANY; i += 2) {
        char *id = pd_arena_printf(&setting->arena, "%d", i);
        pd_pending_remove_activity(draft, pd_pending_activity_by_id(draft, id));
        pd_pending_remove_timer(draft, pd_pending_timer(draft, id));
    }
    assert_int_equal(pd_pending_activity_count(draft), MANY / 2);
    for (int i = 0; i < MANY; i++) {
        bool kept = i % 2 == 1;
        assert_int_equal(pd_pending_activity(draft, i + 1) != NULL, kept);
        assert_int_equal(pd_pending_timer_started(draft, 1000000 + i) != NULL, kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_activity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_timer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
