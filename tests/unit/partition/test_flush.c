/* test_flush.c -- rows go to the disk in batches, one at a time, each held until what it was cut
 * behind is acknowledged; beside that, commands go on, until too much waits for a slow disk.
 *
 * The disk writes when the test lets it: until then the loop's mail for it is kept back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/decide/draft.h"
#include "tests/unit/partition/one_partition.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define KIB ((size_t)1024)

enum { STEP_MAX = 100000 };

typedef struct bed {
    one_partition_t one;
    bool disk_is_slow;
    pd_mail_t *kept_back;
} bed_t;

/* ---- commands: each says a lot to the workflow itself, who does not listen ---- */

static const pd_rpc_error_t *decide_say(pd_decision_t *decision, pd_command_t *command)
{
    pd_draft_t *draft = pd_draft_new_run(decision, "0190b7a2-5f3c-7a11-8000-000000000000");
    Perdure__V1__Message *message =
        pd_decision_send(draft, decision->ns->id, command->workflow_id, "");

    message->body_case = PERDURE__V1__MESSAGE__BODY_CHILD_FIRST_TASK;
    message->child_first_task =
        PD_PB_NEW(decision->arena, Perdure__V1__ChildFirstTask, perdure__v1__child_first_task);
    return NULL;
}

static const pd_rpc_error_t *decide_heard(pd_decision_t *decision, pd_command_t *command)
{
    return NULL;
}

static const pd_command_kind_t say_kind = {.name = "SAY",
                                           .cause = PERDURE__V1__CAUSE__CAUSE_SIGNAL_WORKFLOW,
                                           .may_create = true,
                                           .decide = decide_say};
static const pd_command_kind_t heard_kind = {.name = "HEARD",
                                             .cause = PERDURE__V1__CAUSE__CAUSE_CHILD_FIRST_TASK,
                                             .may_create = true,
                                             .decide = decide_heard};

static const pd_command_kind_t *kind_of(const Perdure__V1__Message *message)
{
    return &heard_kind;
}

static void say(bed_t *bed)
{
    pd_command_t *command = pd_command_new(&say_kind);
    char *workflow_id = pd_arena_alloc(command->arena, 900);

    memset(workflow_id, 'w', 899);
    workflow_id[899] = '\0';
    command->ns = pd_namespaces_by_name(bed->one.namespaces, "default");
    command->workflow_id = workflow_id;
    command->run_id = "";
    pd_partition_submit(bed->one.partition, command);
}

/* ---- the loop ---- */

static void keep_back(manual_loop_t *loop, pd_mail_t *mail)
{
    pd_mail_t *before = NULL, *at = loop->first;

    for (; at != mail; at = at->next)
        before = at;
    if (before)
        before->next = mail->next;
    else
        loop->first = mail->next;
    if (loop->last == mail)
        loop->last = before;
}

static bool is_queued(const manual_loop_t *loop, const pd_mail_t *mail)
{
    const pd_mail_t *at = loop->first;

    while (at && at != mail)
        at = at->next;
    return at != NULL;
}

static bool step(bed_t *bed)
{
    pd_mail_t *done = &bed->one.partition->disk.done;

    if (bed->disk_is_slow && is_queued(&bed->one.loop, done)) {
        assert_null(bed->kept_back);
        bed->kept_back = done;
        keep_back(&bed->one.loop, done);
    }
    return manual_loop_step(&bed->one.loop);
}

#define UNTIL(bed, condition)                                                                      \
    for (int step_ = 0; !(condition); step_++)                                                     \
    assert_true(step_ < STEP_MAX && step(bed))

/* The disk is as fast as it can. */
static void let_write(bed_t *bed)
{
    bed->disk_is_slow = false;
    if (bed->kept_back)
        pd_loop_post(&bed->one.loop.loop, bed->kept_back);
    bed->kept_back = NULL;
}

/* ---- the partition ---- */

static void begin(bed_t *bed, size_t flush_size, size_t dirty_size_max)
{
    pd_partition_options_t options = one_partition_options(&bed->one);

    options.message_kind = kind_of;
    options.flush_size = flush_size;
    options.dirty_size_max = dirty_size_max;
    one_partition_begin(&bed->one, &options);
    UNTIL(bed, pd_partition_state(bed->one.partition) == PD_PARTITION_OWNER);
}

static bool is_writing(const bed_t *bed)
{
    return bed->one.partition->disk.busy && !bed->one.partition->disk.finished;
}

static bool is_held(const bed_t *bed)
{
    return pd_store_flush_held(bed->one.partition->store);
}

static size_t dirty_size(const bed_t *bed)
{
    return pd_store_dirty_size(bed->one.partition->store);
}

static int64_t flushed_offset(const bed_t *bed)
{
    pd_store_position_t position;

    pd_store_position(bed->one.partition->store, &position);
    return position.applied_offset;
}

static bool all_is_acknowledged(const bed_t *bed)
{
    return TAILQ_EMPTY(&bed->one.partition->pendings);
}

static int make(void **state)
{
    bed_t *bed = PD_NEW(bed_t);

    one_partition_init(&bed->one);
    one_partition_publish_namespace(&bed->one);
    *state = bed;
    return 0;
}

static int drop(void **state)
{
    bed_t *bed = *state;

    let_write(bed);
    one_partition_deinit(&bed->one);
    pd_free(bed);
    return 0;
}

/* ---- tests ---- */

/* While the first batch is being written, rows change until the loop waits for the disk. Returns
 * how many bytes of them there were at most. */
static size_t fill_until_it_waits(bed_t *bed)
{
    size_t size_max = 0;

    bed->disk_is_slow = true;
    for (int i = 0; !bed->kept_back || is_writing(bed); i++) {
        assert_true(i < 1000);
        say(bed);
        do {
            assert_true(step(bed));
            if (is_writing(bed) && dirty_size(bed) > size_max)
                size_max = dirty_size(bed);
        } while (!all_is_acknowledged(bed));
    }
    return size_max;
}

static void test_a_slow_disk_is_waited_for(void **state)
{
    bed_t *bed = *state;
    size_t size_max;

    begin(bed, 2 * KIB, 16 * KIB);
    size_max = fill_until_it_waits(bed);
    assert_true(size_max > 8 * KIB); /* not before there is a need */
    assert_true(size_max < 16 * KIB);
}

static void test_large_flushes_do_not_raise_the_limit(void **state)
{
    bed_t *bed = *state;
    size_t size_max;

    begin(bed, 12 * KIB, 16 * KIB);
    size_max = fill_until_it_waits(bed);
    assert_true(size_max > 8 * KIB);
    assert_true(size_max < 16 * KIB);
}

static void test_the_limit_is_no_less_than_a_flush(void **state)
{
    bed_t *bed = *state;
    size_t size_max;

    begin(bed, 24 * KIB, KIB);
    size_max = fill_until_it_waits(bed);
    assert_true(size_max > 12 * KIB);
    assert_true(size_max < 24 * KIB);
}

/* ---- holding ---- */

static void test_a_batch_is_held_until_it_is_acknowledged(void **state)
{
    bed_t *bed = *state;
    pd_log_memory_faults_t slow = {.ack_min_ns = 500 * MS, .ack_max_ns = 500 * MS};
    int64_t flushed, held_ns;

    begin(bed, 2 * KIB, 0);
    UNTIL(bed, !bed->one.partition->flush_timer_armed && !bed->one.partition->disk.busy);
    flushed = flushed_offset(bed);
    pd_log_memory_set_faults(bed->one.storage, &slow);
    while (!is_held(bed)) {
        say(bed);
        step(bed);
    }
    held_ns = bed->one.loop.now_ns;
    while (!bed->one.partition->disk.busy) { /* it would be sealed, and written, at once */
        assert_int_equal(flushed_offset(bed), flushed);
        assert_true(step(bed));
    }
    assert_true(bed->one.loop.now_ns >= held_ns + 500 * MS);
    UNTIL(bed, !is_held(bed));
    assert_true(flushed_offset(bed) > flushed);
    UNTIL(bed, all_is_acknowledged(bed));
}

static void test_what_changes_meanwhile_is_for_the_next_batch(void **state)
{
    bed_t *bed = *state;
    int64_t boundary;

    begin(bed, 2 * KIB, 0);
    UNTIL(bed, !bed->one.partition->flush_timer_armed && !bed->one.partition->disk.busy);
    bed->disk_is_slow = true;
    do {
        say(bed);
        UNTIL(bed, all_is_acknowledged(bed));
    } while (!is_writing(bed));
    boundary = bed->one.partition->chain.offset;
    for (int i = 0; i < 20; i++) { /* acknowledged, though the disk has not moved */
        say(bed);
        UNTIL(bed, all_is_acknowledged(bed));
        assert_true(is_writing(bed));
    }
    assert_true(dirty_size(bed) > 2 * 2 * KIB);
    let_write(bed);
    UNTIL(bed, !is_held(bed));
    assert_true(flushed_offset(bed) <= boundary);
    UNTIL(bed, flushed_offset(bed) == bed->one.partition->chain.offset);
    assert_int_equal(dirty_size(bed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_slow_disk_is_waited_for, make, drop),
        cmocka_unit_test_setup_teardown(test_large_flushes_do_not_raise_the_limit, make, drop),
        cmocka_unit_test_setup_teardown(test_the_limit_is_no_less_than_a_flush, make, drop),
        cmocka_unit_test_setup_teardown(test_a_batch_is_held_until_it_is_acknowledged, make, drop),
        cmocka_unit_test_setup_teardown(test_what_changes_meanwhile_is_for_the_next_batch, make,
                                        drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
