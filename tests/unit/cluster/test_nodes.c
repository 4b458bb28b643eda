/* test_nodes.c -- whole nodes over one log: joining, taking over, two processes of one name,
 * namespaces known everywhere. */
#include "tests/unit/cluster/nodes_bed.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/unit/diag/diag_capture.h"

static void test_three_begin_together(void **state)
{
    bed_t *bed = *state;
    int64_t began_ns = bed->loop.now_ns;
    uint64_t changes;

    nodes_three(bed);
    assert_true(bed->loop.now_ns - began_ns < 5 * S);
    for (int i = 0; i < 3; i++)
        assert_in_range(nodes_really_owned(&bed->nodes[i]), 1, 4);
    /* Nothing moves without a reason. */
    for (int i = 0; i < 3; i++) {
        pd_cluster_view_t *view = pd_cluster_current(pd_node_cluster(bed->nodes[i].node));

        assert_ptr_equal(view, bed->nodes[i].view);
        pd_cluster_view_unref(view);
    }
    changes = nodes_owner_changes(bed);
    nodes_run_for(bed, 60 * S);
    assert_int_equal(nodes_owner_changes(bed), changes);
    assert_true(nodes_are_settled(bed));
}

static void test_a_dead_nodes_partitions_are_taken(void **state)
{
    bed_t *bed = *state;
    int64_t began_ns;

    nodes_three(bed);
    began_ns = bed->loop.now_ns;
    nodes_crash(&bed->nodes[1]);
    UNTIL(bed, nodes_owned_by(&bed->nodes[0], "a") + nodes_owned_by(&bed->nodes[0], "c") ==
                   PARTITION_COUNT);
    assert_true(bed->loop.now_ns - began_ns < 1500 * MS);
    UNTIL(bed, nodes_are_settled(bed));
    assert_int_equal(bed->nodes[0].view->member_count, 2);
    /* It comes back, with its store, and gets its share. */
    nodes_start(bed, 1, "b");
    UNTIL(bed, nodes_are_settled(bed));
    assert_in_range(nodes_really_owned(&bed->nodes[1]), 1, 4);
}

static void test_one_joins_and_gets_its_share(void **state)
{
    bed_t *bed = *state;

    nodes_start(bed, 0, "a");
    UNTIL(bed, nodes_are_settled(bed));
    assert_int_equal(nodes_really_owned(&bed->nodes[0]), PARTITION_COUNT);
    nodes_start(bed, 1, "b");
    UNTIL(bed, bed->nodes[1].state == PD_NODE_READY);
    UNTIL(bed, nodes_are_settled(bed));
    assert_in_range(nodes_really_owned(&bed->nodes[0]), 2, 5);
    assert_in_range(nodes_really_owned(&bed->nodes[1]), 2, 5);
}

static void test_of_two_with_one_name_the_later_stays(void **state)
{
    bed_t *bed = *state;

    nodes_start(bed, 0, "a");
    UNTIL(bed, nodes_are_settled(bed));
    nodes_start(bed, 1, "a");
    UNTIL(bed, bed->nodes[0].state == PD_NODE_FAILED);
    nodes_stop(&bed->nodes[0]);
    UNTIL(bed, nodes_are_settled(bed));
    assert_int_equal(nodes_really_owned(&bed->nodes[1]), PARTITION_COUNT);
}

/* It hears of the later one only while it leaves. */
static void test_who_leaves_and_has_lost_its_name_ends(void **state)
{
    bed_t *bed = *state;

    nodes_three(bed);
    nodes_start(bed, 3, "a");
    pd_log_memory_cut(bed->nodes[0].log, bed->loop.now_ns + 5 * S, bed->loop.now_ns + 5 * S);
    pd_node_leave(bed->nodes[0].node);
    UNTIL(bed, bed->nodes[3].state == PD_NODE_READY);
    assert_int_not_equal(bed->nodes[0].state, PD_NODE_LEFT);
    UNTIL(bed, bed->nodes[0].state == PD_NODE_LEFT);
    nodes_stop(&bed->nodes[0]);
    UNTIL(bed, nodes_are_settled(bed));
}

static void test_all_nodes_know_all_namespaces(void **state)
{
    bed_t *bed = *state;
    const pd_namespace_t *ns;

    nodes_three(bed);
    UNTIL(bed, pd_namespaces_by_name(bed->nodes[0].namespaces, "default") &&
                   pd_namespaces_by_name(bed->nodes[1].namespaces, "default") &&
                   pd_namespaces_by_name(bed->nodes[2].namespaces, "default"));
    ns = pd_namespaces_by_name(bed->nodes[0].namespaces, "default");
    assert_string_equal(ns->id, pd_namespaces_by_name(bed->nodes[1].namespaces, "default")->id);
    assert_string_equal(ns->id, pd_namespaces_by_name(bed->nodes[2].namespaces, "default")->id);
    assert_int_equal(ns->retention_ns, 24 * 3600 * S);
    nodes_start(bed, 3, "d"); /* later, from the log */
    UNTIL(bed, pd_namespaces_by_name(bed->nodes[3].namespaces, "default"));
}

typedef struct registration {
    pd_call_t call;
    pd_arena_t arena;
    Perdure__V1__NamespaceRegistered registered;
    bool done;
} registration_t;

static void on_registered(pd_call_t *call)
{
    registration_t *self = call->user;

    assert_null(call->error);
    pd_free(call->data);
    self->done = true;
}

static void register_namespace(registration_t *self, bed_t *bed, const char *name, const char *id)
{
    int owner = 0;

    while (pd_partition_state(pd_node_partition(bed->nodes[owner].node, 0)) != PD_PARTITION_OWNER)
        owner++;
    memset(self, 0, sizeof(*self));
    pd_arena_init(&self->arena);
    perdure__v1__namespace_registered__init(&self->registered);
    self->registered.name = pd_arena_strdup(&self->arena, name);
    self->registered.namespace_id = pd_arena_strdup(&self->arena, id);
    self->call.home = &bed->loop.loop;
    self->call.arena = &self->arena;
    self->call.method = "RegisterNamespace";
    self->call.deadline_ns = INT64_MAX;
    self->call.finish = on_registered;
    self->call.user = self;
    pd_partition_register_namespace(pd_node_partition(bed->nodes[owner].node, 0), &self->call,
                                    &self->registered);
}

static int knowing_count(const bed_t *bed, const char *name)
{
    int count = 0;

    for (int i = 0; i < 3; i++)
        count += pd_namespaces_by_name(bed->nodes[i].namespaces, name) != NULL;
    return count;
}

/* Its client may turn to any node next: also to one that reads late, but not to a dead one. */
static void test_who_registered_a_namespace_is_answered_when_all_know_it(void **state)
{
    bed_t *bed = *state;
    pd_log_t *late = NULL;
    registration_t self;

    nodes_three(bed);
    for (int i = 0; i < 3 && !late; i++) {
        if (pd_partition_state(pd_node_partition(bed->nodes[i].node, 0)) != PD_PARTITION_OWNER)
            late = bed->nodes[i].log;
    }
    register_namespace(&self, bed, "first", "0196a1b2-0000-7000-8000-000000000001");
    UNTIL(bed, self.done);
    assert_int_equal(knowing_count(bed, "first"), 3);
    pd_arena_deinit(&self.arena);
    pd_log_memory_cut(late, 0, bed->loop.now_ns + S / 2);
    register_namespace(&self, bed, "second", "0196a1b2-0000-7000-8000-000000000002");
    UNTIL(bed, self.done);
    assert_int_equal(knowing_count(bed, "second"), 3);
    pd_arena_deinit(&self.arena);
    pd_log_memory_cut(late, 0, bed->loop.now_ns + 60 * S);
    register_namespace(&self, bed, "third", "0196a1b2-0000-7000-8000-000000000003");
    UNTIL(bed, self.done);
    assert_int_equal(knowing_count(bed, "third"), 2);
    pd_arena_deinit(&self.arena);
}

/* The log takes nothing for a while: nobody declares anybody dead, and all goes on afterwards. */
static void test_a_log_that_is_away_kills_nobody(void **state)
{
    bed_t *bed = *state;
    pd_log_memory_faults_t away = {.fail_ppm = 1000000}, back = {.land_max_ns = 2 * MS};

    nodes_three(bed);
    pd_log_memory_set_faults(bed->storage, &away);
    nodes_run_for(bed, 30 * S);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bed->nodes[i].view->member_count, 3);
    pd_log_memory_set_faults(bed->storage, &back);
    UNTIL(bed, nodes_are_settled(bed));
}

/* What it writes arrives, so the others see nothing wrong; but nothing comes to it. */
static void test_who_does_not_hear_itself_says_so(void **state)
{
    static const char event[] = "WARN own heartbeats do not come back";
    bed_t *bed = *state;
    one_node_t *deaf = &bed->nodes[1];

    nodes_three(bed);
    diag_capture_begin();
    pd_log_memory_cut(deaf->log, 0, bed->loop.now_ns + 30 * S);
    nodes_run_for(bed, 4500 * MS); /* five node-timeouts, less a heartbeat */
    assert_int_equal(diag_capture_count(event), 0);
    nodes_run_for(bed, 1500 * MS);
    assert_int_equal(diag_capture_count(event), 1);
    assert_non_null(strstr(diag_capture_line(event), " node=b for_ms="));
    nodes_run_for(bed, 20 * S); /* every ten seconds, not with every heartbeat */
    assert_int_equal(diag_capture_count(event), 3);
    nodes_run_for(bed, 60 * S); /* it hears again */
    assert_int_equal(diag_capture_count(event), 3);
    UNTIL(bed, nodes_are_settled(bed));
}

/* One node-timeout, and its view is not to be trusted; but its neighbours' are. */
static void test_who_does_not_hear_has_a_stale_view(void **state)
{
    bed_t *bed = *state;
    one_node_t *deaf = &bed->nodes[1];

    nodes_three(bed);
    pd_log_memory_cut(deaf->log, 0, bed->loop.now_ns + 30 * S);
    nodes_run_for(bed, 700 * MS); /* less a heartbeat, which was sent before */
    assert_false(deaf->view->stale);
    nodes_run_for(bed, 600 * MS);
    assert_true(deaf->view->stale);
    nodes_run_for(bed, 10 * S);
    assert_true(deaf->view->stale);
    assert_false(bed->nodes[0].view->stale);
    assert_false(bed->nodes[2].view->stale);
    UNTIL(bed, !deaf->view->stale);
    assert_true(bed->loop.now_ns >= 30 * S);
    UNTIL(bed, nodes_are_settled(bed));
}

/* A balancer may know a better one. */
static void test_who_is_deaf_for_long_is_not_ready(void **state)
{
    bed_t *bed = *state;
    one_node_t *deaf = &bed->nodes[1];

    nodes_three(bed);
    pd_log_memory_cut(deaf->log, 0, bed->loop.now_ns + 30 * S);
    nodes_run_for(bed, 14500 * MS); /* 15 node-timeouts, less a heartbeat */
    assert_int_equal(deaf->state, PD_NODE_READY);
    nodes_run_for(bed, 1500 * MS);
    assert_int_equal(deaf->state, PD_NODE_DEAF);
    assert_int_equal(bed->nodes[0].state, PD_NODE_READY);
    nodes_run_for(bed, 16 * S);
    assert_int_equal(deaf->state, PD_NODE_READY);
    UNTIL(bed, nodes_are_settled(bed));
}

/* Nobody hears while he sleeps. */
static void test_who_was_paused_is_not_deaf(void **state)
{
    bed_t *bed = *state;

    nodes_three(bed);
    diag_capture_begin();
    bed->loop.now_ns += 60 * S;
    nodes_run_for(bed, 5 * S);
    assert_int_equal(diag_capture_count("WARN the node is deaf"), 0);
    assert_int_equal(diag_capture_count("WARN own heartbeats do not come back"), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_false(bed->nodes[i].view->stale);
    UNTIL(bed, nodes_are_settled(bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_three_begin_together, nodes_make, nodes_drop),
        cmocka_unit_test_setup_teardown(test_a_dead_nodes_partitions_are_taken, nodes_make,
                                        nodes_drop),
        cmocka_unit_test_setup_teardown(test_one_joins_and_gets_its_share, nodes_make, nodes_drop),
        cmocka_unit_test_setup_teardown(test_of_two_with_one_name_the_later_stays, nodes_make,
                                        nodes_drop),
        cmocka_unit_test_setup_teardown(test_who_leaves_and_has_lost_its_name_ends, nodes_make,
                                        nodes_drop),
        cmocka_unit_test_setup_teardown(test_all_nodes_know_all_namespaces, nodes_make, nodes_drop),
        cmocka_unit_test_setup_teardown(
            test_who_registered_a_namespace_is_answered_when_all_know_it, nodes_make, nodes_drop),
        cmocka_unit_test_setup_teardown(test_a_log_that_is_away_kills_nobody, nodes_make,
                                        nodes_drop),
        cmocka_unit_test_setup_teardown(test_who_is_deaf_for_long_is_not_ready, nodes_make,
                                        nodes_drop),
        cmocka_unit_test_setup_teardown(test_who_does_not_hear_has_a_stale_view, nodes_make,
                                        nodes_drop),
        cmocka_unit_test_setup_teardown(test_who_was_paused_is_not_deaf, nodes_make, nodes_drop),
        cmocka_unit_test_setup_teardown(test_who_does_not_hear_itself_says_so, nodes_make,
                                        nodes_drop),
    };

    return cmocka_run_group_tests(tests, nodes_make_group, nodes_drop_group);
}
