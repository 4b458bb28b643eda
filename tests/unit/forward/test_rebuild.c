/* test_rebuild.c -- many ready tasks: what a new owner has in its store comes to matching bit by
 * bit, whole, and once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/os_clock.h"
#include "engine/node/node_private.h"
#include "engine/partition/partition_private.h"
#include "tests/unit/forward/steps.h"

enum { PARTITION = 1, WORKFLOW_COUNT = 450 }; /* several slices; partition 1 is node 0's */
#define PATIENCE_NS (20000 * RIG_MS)

static int setup(void **state)
{
    *state = rig_new();
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

/* Asks the partition on its loop whether it is through. */
typedef struct question {
    pd_mail_t mail;
    pd_partition_t *partition;
    _Atomic(int) answer; /* 0: not yet asked; 1: asked; 2: no; 3: yes */
} question_t;

static void run_question(pd_mail_t *mail)
{
    question_t *self = PD_CONTAINER_OF(mail, question_t, mail);
    const pd_partition_t *partition = self->partition;
    bool yes =
        partition->state == PD_PARTITION_OWNER && partition->rebuild.phase == PDI_REBUILD_NONE;

    atomic_store(&self->answer, yes ? 3 : 2);
}

static bool is_rebuilt(void *ctx)
{
    question_t *self = ctx;
    int answer = atomic_load(&self->answer);

    if (answer == 0 || answer == 2) {
        atomic_store(&self->answer, 1);
        self->mail.run = run_question;
        pd_loop_post(pd_partition_loop(self->partition), &self->mail);
    }
    return answer == 3;
}

static void await_rebuilt(rig_t *rig)
{
    question_t question = {.partition = pd_node_partition(rig->nodes[0].node, PARTITION)};

    assert_true(rig_until(rig, is_rebuilt, &question));
}

/* So many, and no more once all have been offered. */
static void await_backlog(rig_t *rig, int node, const char *queue, int64_t expected)
{
    int64_t backlog = 0, until_ns = pd_os_monotonic_ns() + PATIENCE_NS;

    await_rebuilt(rig);
    while (backlog < expected && pd_os_monotonic_ns() < until_ns)
        assert_int_not_equal(steps_pollers(rig, node, queue, &backlog), -1);
    assert_int_equal(backlog, expected);
}

static void start_many(rig_t *rig, const char *queue)
{
    for (int i = 0; i < WORKFLOW_COUNT; i++)
        assert_int_equal(steps_start(rig, 0, rig_workflow_id(rig, PARTITION, i), queue), 0);
}

/* The partition comes back from its store: matching has forgotten its tasks. */
static void reopen(rig_t *rig)
{
    rig_set_role(rig, 0, PARTITION, PD_PARTITION_NONE);
    rig_set_role(rig, 0, PARTITION, PD_PARTITION_TO_OWN);
}

static void a_new_owner_offers_each_task_once(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 0, 0);

    start_many(rig, queue);
    reopen(rig);
    /* Commands are taken meanwhile; this one's task is ready, and offered by itself. */
    assert_int_equal(steps_start(rig, 0, rig_workflow_id(rig, PARTITION, WORKFLOW_COUNT), queue),
                     0);
    await_backlog(rig, 0, queue, WORKFLOW_COUNT + 1);
}

static void so_it_does_to_another_nodes_queue(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 1, 0);

    start_many(rig, queue);
    await_backlog(rig, 1, queue, WORKFLOW_COUNT);
    assert_true(steps_poll(rig, 1, queue)->task_token.len > 0);
}

/* Wherever the walk stands when the home moves: what it has told goes to the new one in the next
 * lap, the rest at once. */
static void a_home_moves_in_the_midst_of_it(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 0, 0);

    start_many(rig, queue);
    reopen(rig);
    rig->leaving[0] = true;
    rig_tell_view(rig);
    await_backlog(rig, 1, queue, WORKFLOW_COUNT);
}

/* Asks the first node's engine loop which view it has. */
typedef struct view_question {
    pd_mail_t mail;
    const pd_node_t *node;
    uint64_t version;
    _Atomic(bool) answered;
} view_question_t;

static void run_view_question(pd_mail_t *mail)
{
    view_question_t *self = PD_CONTAINER_OF(mail, view_question_t, mail);

    self->version = self->node->matchings[0].view->version;
    atomic_store(&self->answered, true);
}

static bool is_answered(void *ctx)
{
    return atomic_load(&((view_question_t *)ctx)->answered);
}

static void ask_view(rig_t *rig, view_question_t *question)
{
    *question = (view_question_t){.mail.run = run_view_question, .node = rig->nodes[0].node};
    pd_loop_post(rig->nodes[0].loops[0], &question->mail);
}

/* What the engine's loop offers by a new view comes to the front: by an older one it would go back
 * to where the home was. */
static void a_new_view_comes_to_the_front_first(void **state)
{
    rig_t *rig = *state;
    view_question_t question;

    rig->leaving[0] = true;
    rig_tell_view(rig);
    ask_view(rig, &question);
    while (!is_answered(&question)) /* the front, which is this thread, has no turn */
        sched_yield();
    assert_int_equal(question.version, rig->version - 1);
    while (question.version != rig->version) {
        ask_view(rig, &question);
        assert_true(rig_until(rig, is_answered, &question));
    }
}

static void homes_move_to_and_fro(void **state)
{
    rig_t *rig = *state;
    const char *queue = rig_task_queue(rig, 0, 0);
    int64_t backlog;

    start_many(rig, queue);
    reopen(rig);
    for (int i = 0; i < 5; i++) {
        rig->leaving[0] = !rig->leaving[0];
        rig_tell_view(rig);
        steps_pollers(rig, i % 2, queue, &backlog);
    }
    await_rebuilt(rig);
    /* It left last: whatever is stale or double is refused, and nothing is missing. */
    for (int i = 0; i < WORKFLOW_COUNT; i++)
        assert_true(steps_poll(rig, i % 2, queue)->task_token.len > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_owner_offers_each_task_once, setup, teardown),
        cmocka_unit_test_setup_teardown(so_it_does_to_another_nodes_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(a_home_moves_in_the_midst_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_view_comes_to_the_front_first, setup, teardown),
        cmocka_unit_test_setup_teardown(homes_move_to_and_fro, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
