/* test_nodes.c -- whole nodes over one log, under a clock that the test moves: joining, taking
 * over, giving away, two processes of one name, namespaces known everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "engine/node/node.h"
#include "log/memory/memory.h"
#include "tests/unit/diag/diag_capture.h"
#include "tests/unit/log/manual_loop.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)

enum { NODE_MAX = 4, PARTITION_COUNT = 8, STEP_MAX = 2000000 };

typedef struct one_node {
    struct bed *bed;
    const char *name;
    pd_loop_t *loops[1];
    pd_log_t *log;
    pd_store_shared_t *shared;
    pd_namespaces_t *namespaces;
    pd_node_t *node;
    pd_node_state_t state;
    pd_cluster_view_t *view; /* the newest that was posted */
} one_node_t;

typedef struct bed {
    manual_loop_t loop;
    pd_log_memory_t *storage;
    one_node_t nodes[NODE_MAX];
} bed_t;

static pd_record_codec_t *codec, *member_codec, *command_codec, *rejected_codec;

#define UNTIL(bed, condition)                                                                      \
    for (int step_ = 0; !(condition); step_++)                                                     \
    assert_true(step_ < STEP_MAX && manual_loop_step(&(bed)->loop))

static void run_for(bed_t *bed, int64_t ns)
{
    int64_t until_ns = bed->loop.now_ns + ns;

    UNTIL(bed, bed->loop.now_ns >= until_ns);
}

/* ---- nodes ---- */

static void on_changed(void *ctx, pd_node_state_t state)
{
    ((one_node_t *)ctx)->state = state;
}

static void on_view(void *ctx, pd_cluster_view_t *view)
{
    one_node_t *self = ctx;

    assert_true(!self->view || view->version > self->view->version);
    pd_cluster_view_unref(self->view);
    self->view = pd_cluster_view_ref(view);
}

static one_node_t *start(bed_t *bed, uint32_t index, const char *name)
{
    one_node_t *self = &bed->nodes[index];
    pd_store_shared_options_t shared = {
        .block_cache_size = 4 << 20, .write_buffer_size = 8 << 20, .in_memory = true};
    pd_node_cluster_options_t cluster = {
        .loop = &bed->loop.loop,
        .address = "127.0.0.1:7233",
        .version = "test",
        .member_codec = member_codec,
        .heartbeat_interval_ns = 200 * MS,
        .dead_after_ns = S,
        .leave_ns = 10 * S,
        .settle_ns = 30 * S,
        .failed_retry_ns = 30 * S,
    };
    pd_node_options_t options = {
        .name = name,
        .data_path = "/data",
        .partition_count = PARTITION_COUNT,
        .loops = self->loops,
        .loop_count = 1,
        .codec = codec,
        .command_codec = command_codec,
        .rejected_codec = rejected_codec,
        .store_cache_size_max = 1 << 20,
        .flush_size = 1 << 20,
        .flush_delay_ns = 100 * MS,
        .default_namespace = "default",
        .cluster = &cluster,
        .seed = index + 1,
    };
    pd_cluster_watch_t watch = {.loop = &bed->loop.loop, .changed = on_view, .ctx = self};
    pd_error_t error;

    assert_null(self->node);
    self->bed = bed;
    self->name = name;
    self->loops[0] = &bed->loop.loop;
    self->log = pd_log_memory_open(bed->storage);
    self->namespaces = pd_namespaces_new();
    if (!self->shared)
        assert_int_equal(pd_store_shared_new(&shared, &self->shared, &error), PD_OK);
    options.log = self->log;
    options.namespaces = self->namespaces;
    options.store_shared = self->shared;
    self->node = pd_node_new(&options);
    pd_cluster_watch(pd_node_cluster(self->node), &watch);
    pd_node_start(self->node, on_changed, self);
    return self;
}

static void end(one_node_t *self)
{
    UNTIL(self->bed, self->state == PD_NODE_STOPPED && !self->bed->loop.first);
    pd_node_free(self->node);
    pd_log_close(self->log);
    pd_namespaces_free(self->namespaces);
    pd_cluster_view_unref(self->view);
    self->view = NULL;
    self->node = NULL;
}

static void stop(one_node_t *self)
{
    pd_node_stop(self->node);
    end(self);
}

static void crash(one_node_t *self)
{
    pd_node_crash(self->node);
    end(self);
}

static int make(void **state)
{
    bed_t *bed = PD_NEW(bed_t);
    pd_log_memory_options_t options = {
        .seed = 1, .partition_counts = {PARTITION_COUNT, PARTITION_COUNT, 1, PARTITION_COUNT}};

    manual_loop_init(&bed->loop);
    options.loop = &bed->loop.loop;
    options.faults.land_max_ns = options.faults.ack_max_ns = options.faults.read_max_ns = 2 * MS;
    bed->storage = pd_log_memory_new(&options);
    *state = bed;
    return 0;
}

static int drop(void **state)
{
    bed_t *bed = *state;

    diag_capture_end();
    for (int i = 0; i < NODE_MAX; i++) {
        if (bed->nodes[i].node)
            crash(&bed->nodes[i]);
        pd_store_shared_free(bed->nodes[i].shared);
    }
    while (manual_loop_step(&bed->loop))
        ;
    pd_log_memory_free(bed->storage);
    manual_loop_deinit(&bed->loop);
    pd_free(bed);
    return 0;
}

/* ---- what is seen ---- */

/* How many partitions the member owns, in the view of `self`; -1: some have no owner. */
static int owned_by(const one_node_t *self, const char *name)
{
    int count = 0;

    if (!self->view)
        return -1;
    for (uint32_t i = 0; i < self->view->partition_count; i++) {
        int32_t owner = self->view->partitions[i].owner;

        if (owner < 0)
            return -1;
        count += strcmp(self->view->members[owner].name, name) == 0;
    }
    return count;
}

static int really_owned(const one_node_t *self)
{
    int count = 0;

    for (uint32_t i = 0; i < PARTITION_COUNT; i++)
        count += pd_partition_state(pd_node_partition(self->node, i)) == PD_PARTITION_OWNER;
    return count;
}

/* Every partition is owned by its preferred member, and the views of all agree with the facts. */
static bool is_settled(bed_t *bed)
{
    int total = 0;

    for (int i = 0; i < NODE_MAX; i++) {
        const one_node_t *self = &bed->nodes[i];

        if (!self->node)
            continue;
        if (!self->view || self->state != PD_NODE_READY ||
            owned_by(self, self->name) != really_owned(self))
            return false;
        total += really_owned(self);
        for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
            if (self->view->partitions[p].owner < 0 ||
                self->view->partitions[p].owner != self->view->partitions[p].preferred)
                return false;
        }
    }
    return total == PARTITION_COUNT;
}

static void three_nodes(bed_t *bed)
{
    start(bed, 0, "a");
    start(bed, 1, "b");
    start(bed, 2, "c");
    UNTIL(bed, is_settled(bed));
}

static uint64_t owner_changes(const bed_t *bed)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        for (uint64_t k = 0; k < pd_log_memory_count(bed->storage, PD_LOG_EVENTS, i); k++)
            count += pd_log_memory_record(bed->storage, PD_LOG_EVENTS, i, k).key.size == 0;
    }
    return count;
}

/* ---- tests ---- */

static void test_three_begin_together(void **state)
{
    bed_t *bed = *state;
    int64_t began_ns = bed->loop.now_ns;
    uint64_t changes;

    three_nodes(bed);
    assert_true(bed->loop.now_ns - began_ns < 5 * S);
    for (int i = 0; i < 3; i++)
        assert_in_range(really_owned(&bed->nodes[i]), 1, 4);
    /* Nothing moves without a reason. */
    for (int i = 0; i < 3; i++) {
        pd_cluster_view_t *view = pd_cluster_current(pd_node_cluster(bed->nodes[i].node));

        assert_ptr_equal(view, bed->nodes[i].view);
        pd_cluster_view_unref(view);
    }
    changes = owner_changes(bed);
    run_for(bed, 60 * S);
    assert_int_equal(owner_changes(bed), changes);
    assert_true(is_settled(bed));
}

static void test_a_dead_nodes_partitions_are_taken(void **state)
{
    bed_t *bed = *state;
    int64_t began_ns;

    three_nodes(bed);
    began_ns = bed->loop.now_ns;
    crash(&bed->nodes[1]);
    UNTIL(bed, owned_by(&bed->nodes[0], "a") + owned_by(&bed->nodes[0], "c") == PARTITION_COUNT);
    assert_true(bed->loop.now_ns - began_ns < 1500 * MS);
    UNTIL(bed, is_settled(bed));
    assert_int_equal(bed->nodes[0].view->member_count, 2);
    /* It comes back, with its store, and gets its share. */
    start(bed, 1, "b");
    UNTIL(bed, is_settled(bed));
    assert_in_range(really_owned(&bed->nodes[1]), 1, 4);
}

/* Whether the newest heartbeat of the member says that it takes some partition over. */
static bool says_it_acquires(const bed_t *bed, const char *name)
{
    uint64_t count = pd_log_memory_count(bed->storage, PD_LOG_MEMBERS, 0);
    bool acquires = false, found = false;
    pd_arena_t arena;

    pd_arena_init(&arena);
    while (count && !found) {
        pd_log_record_t record = pd_log_memory_record(bed->storage, PD_LOG_MEMBERS, 0, --count);
        const Perdure__V1__Member *member;
        ProtobufCMessage *message;

        if (!record.value.data)
            continue;
        assert_int_equal(pd_record_decode(member_codec, &arena, record.value, &message, NULL),
                         PD_OK);
        member = (const Perdure__V1__Member *)message;
        found = member->body_case == PERDURE__V1__MEMBER__BODY_HEARTBEAT &&
                strcmp(member->heartbeat->node, name) == 0;
        for (size_t i = 0; found && i < member->heartbeat->n_partitions; i++)
            acquires = acquires || member->heartbeat->partitions[i]->acquiring;
    }
    pd_arena_deinit(&arena);
    return acquires;
}

/* As long as a partition's OwnerChanged is on its way, the others are told that it is. */
static void test_who_takes_over_says_so(void **state)
{
    bed_t *bed = *state;
    pd_log_memory_faults_t slow = {.land_min_ns = 20 * MS, .land_max_ns = 20 * MS};

    three_nodes(bed);
    assert_false(says_it_acquires(bed, "a"));
    assert_false(says_it_acquires(bed, "c"));
    pd_log_memory_set_faults(bed->storage, &slow);
    crash(&bed->nodes[1]);
    UNTIL(bed, says_it_acquires(bed, "a") || says_it_acquires(bed, "c"));
    UNTIL(bed, is_settled(bed));
    run_for(bed, S);
    assert_false(says_it_acquires(bed, "a"));
    assert_false(says_it_acquires(bed, "c"));
}

static void test_a_clean_stop_gives_everything_away_first(void **state)
{
    bed_t *bed = *state;
    int64_t began_ns;

    three_nodes(bed);
    began_ns = bed->loop.now_ns;
    pd_node_leave(bed->nodes[2].node);
    UNTIL(bed, owned_by(&bed->nodes[0], "a") + owned_by(&bed->nodes[0], "b") == PARTITION_COUNT);
    assert_true(bed->loop.now_ns - began_ns < 3 * S); /* its patience would be ten */
    UNTIL(bed, bed->nodes[2].state == PD_NODE_LEFT);
    assert_int_equal(really_owned(&bed->nodes[2]), 0);
    stop(&bed->nodes[2]);
    UNTIL(bed, bed->nodes[0].view->member_count == 2);
    UNTIL(bed, is_settled(bed));
    stop(&bed->nodes[0]);
    UNTIL(bed, is_settled(bed));
    assert_int_equal(really_owned(&bed->nodes[1]), PARTITION_COUNT);
    stop(&bed->nodes[1]); /* the last one */
    /* And all of it again. */
    three_nodes(bed);
}

/* What it only follows, or has given away, can wait until nobody waits for it. */
static void test_who_leaves_lets_go_of_nothing_before(void **state)
{
    bed_t *bed = *state;
    one_node_t *self = &bed->nodes[2];
    bool open[PARTITION_COUNT];
    int followed_count = 0;

    three_nodes(bed);
    run_for(bed, 10 * S); /* the standbys are opened */
    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        pd_partition_state_t is = pd_partition_state(pd_node_partition(self->node, i));

        open[i] = is != PD_PARTITION_IDLE;
        followed_count += is == PD_PARTITION_FOLLOWING;
    }
    assert_in_range(followed_count, 1, PARTITION_COUNT - 1);
    pd_node_leave(self->node);
    while (self->state != PD_NODE_LEFT) {
        assert_true(manual_loop_step(&bed->loop));
        for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
            if (open[i])
                assert_int_not_equal(pd_partition_state(pd_node_partition(self->node, i)),
                                     PD_PARTITION_IDLE);
        }
    }
    stop(self);
    UNTIL(bed, is_settled(bed));
}

static const Perdure__V1__Heartbeat *heartbeat_at(bed_t *bed, uint64_t index, pd_arena_t *arena)
{
    pd_log_record_t stored = pd_log_memory_record(bed->storage, PD_LOG_MEMBERS, 0, index);
    const Perdure__V1__Member *member;
    ProtobufCMessage *message;

    if (!stored.value.data)
        return NULL;
    assert_int_equal(pd_record_decode(member_codec, arena, stored.value, &message, NULL), PD_OK);
    member = (const Perdure__V1__Member *)message;
    return member->body_case == PERDURE__V1__MEMBER__BODY_HEARTBEAT ? member->heartbeat : NULL;
}

static bool says_the_same(const Perdure__V1__Heartbeat *a, const Perdure__V1__Heartbeat *b)
{
    for (uint32_t i = 0; i < PARTITION_COUNT; i++) {
        if (a->partitions[i]->role != b->partitions[i]->role ||
            a->partitions[i]->epoch != b->partitions[i]->epoch)
            return false;
    }
    return a->leaving == b->leaving;
}

/* How many of the node's heartbeats since then say nothing new. */
static int repetitions_of(bed_t *bed, const char *name, uint64_t since)
{
    const Perdure__V1__Heartbeat *before = NULL;
    pd_arena_t arena;
    int count = 0;

    pd_arena_init(&arena);
    for (uint64_t i = 0; i < pd_log_memory_count(bed->storage, PD_LOG_MEMBERS, 0); i++) {
        const Perdure__V1__Heartbeat *heartbeat = heartbeat_at(bed, i, &arena);

        if (!heartbeat || strcmp(heartbeat->node, name) != 0)
            continue;
        count += i >= since && before && says_the_same(before, heartbeat);
        before = heartbeat;
    }
    pd_arena_deinit(&arena);
    return count;
}

/* One that says nothing new, on its way, would hold up the one that does. */
static void test_only_news_are_told_at_once(void **state)
{
    bed_t *bed = *state;
    uint64_t since;
    int64_t began_ns;

    three_nodes(bed);
    run_for(bed, 10 * S);
    since = pd_log_memory_count(bed->storage, PD_LOG_MEMBERS, 0);
    began_ns = bed->loop.now_ns;
    pd_node_leave(bed->nodes[2].node);
    UNTIL(bed, owned_by(&bed->nodes[0], "a") + owned_by(&bed->nodes[0], "b") == PARTITION_COUNT);
    for (int i = 0; i < 3; i++)
        assert_in_range(repetitions_of(bed, bed->nodes[i].name, since), 0,
                        (bed->loop.now_ns - began_ns) / (200 * MS) + 1);
}

/* Calls that come to it until it ends are sent on to them. */
static void test_who_has_left_knows_the_new_owners(void **state)
{
    bed_t *bed = *state;

    three_nodes(bed);
    for (int round = 0; round < 12; round++) {
        one_node_t *self = &bed->nodes[round % 3];
        const char *name = self->name;

        pd_node_leave(self->node);
        UNTIL(bed, self->state == PD_NODE_LEFT);
        assert_int_not_equal(owned_by(self, name), -1);
        assert_int_equal(owned_by(self, name), 0);
        stop(self);
        start(bed, (uint32_t)(round % 3), name);
        UNTIL(bed, is_settled(bed));
    }
}

static void test_one_joins_and_gets_its_share(void **state)
{
    bed_t *bed = *state;

    start(bed, 0, "a");
    UNTIL(bed, is_settled(bed));
    assert_int_equal(really_owned(&bed->nodes[0]), PARTITION_COUNT);
    start(bed, 1, "b");
    UNTIL(bed, bed->nodes[1].state == PD_NODE_READY);
    UNTIL(bed, is_settled(bed));
    assert_in_range(really_owned(&bed->nodes[0]), 2, 5);
    assert_in_range(really_owned(&bed->nodes[1]), 2, 5);
}

static void test_of_two_with_one_name_the_later_stays(void **state)
{
    bed_t *bed = *state;

    start(bed, 0, "a");
    UNTIL(bed, is_settled(bed));
    start(bed, 1, "a");
    UNTIL(bed, bed->nodes[0].state == PD_NODE_FAILED);
    stop(&bed->nodes[0]);
    UNTIL(bed, is_settled(bed));
    assert_int_equal(really_owned(&bed->nodes[1]), PARTITION_COUNT);
}

/* It hears of the later one only while it leaves. */
static void test_who_leaves_and_has_lost_its_name_ends(void **state)
{
    bed_t *bed = *state;

    three_nodes(bed);
    start(bed, 3, "a");
    pd_log_memory_cut(bed->nodes[0].log, bed->loop.now_ns + 5 * S, bed->loop.now_ns + 5 * S);
    pd_node_leave(bed->nodes[0].node);
    UNTIL(bed, bed->nodes[3].state == PD_NODE_READY);
    assert_int_not_equal(bed->nodes[0].state, PD_NODE_LEFT);
    UNTIL(bed, bed->nodes[0].state == PD_NODE_LEFT);
    stop(&bed->nodes[0]);
    UNTIL(bed, is_settled(bed));
}

static void test_all_nodes_know_all_namespaces(void **state)
{
    bed_t *bed = *state;
    const pd_namespace_t *ns;

    three_nodes(bed);
    UNTIL(bed, pd_namespaces_by_name(bed->nodes[0].namespaces, "default") &&
                   pd_namespaces_by_name(bed->nodes[1].namespaces, "default") &&
                   pd_namespaces_by_name(bed->nodes[2].namespaces, "default"));
    ns = pd_namespaces_by_name(bed->nodes[0].namespaces, "default");
    assert_string_equal(ns->id, pd_namespaces_by_name(bed->nodes[1].namespaces, "default")->id);
    assert_string_equal(ns->id, pd_namespaces_by_name(bed->nodes[2].namespaces, "default")->id);
    assert_int_equal(ns->retention_ns, 24 * 3600 * S);
    start(bed, 3, "d"); /* later, from the log */
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

    three_nodes(bed);
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

    three_nodes(bed);
    pd_log_memory_set_faults(bed->storage, &away);
    run_for(bed, 30 * S);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bed->nodes[i].view->member_count, 3);
    pd_log_memory_set_faults(bed->storage, &back);
    UNTIL(bed, is_settled(bed));
}

/* What it writes arrives, so the others see nothing wrong; but nothing comes to it. */
static void test_who_does_not_hear_itself_says_so(void **state)
{
    static const char event[] = "WARN own heartbeats do not come back";
    bed_t *bed = *state;
    one_node_t *deaf = &bed->nodes[1];

    three_nodes(bed);
    diag_capture_begin();
    pd_log_memory_cut(deaf->log, 0, bed->loop.now_ns + 30 * S);
    run_for(bed, 4500 * MS); /* five node-timeouts, less a heartbeat */
    assert_int_equal(diag_capture_count(event), 0);
    run_for(bed, 1500 * MS);
    assert_int_equal(diag_capture_count(event), 1);
    assert_non_null(strstr(diag_capture_line(event), " node=b for_ms="));
    run_for(bed, 20 * S); /* every ten seconds, not with every heartbeat */
    assert_int_equal(diag_capture_count(event), 3);
    run_for(bed, 60 * S); /* it hears again */
    assert_int_equal(diag_capture_count(event), 3);
    UNTIL(bed, is_settled(bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_three_begin_together, make, drop),
        cmocka_unit_test_setup_teardown(test_a_dead_nodes_partitions_are_taken, make, drop),
        cmocka_unit_test_setup_teardown(test_who_takes_over_says_so, make, drop),
        cmocka_unit_test_setup_teardown(test_a_clean_stop_gives_everything_away_first, make, drop),
        cmocka_unit_test_setup_teardown(test_who_leaves_lets_go_of_nothing_before, make, drop),
        cmocka_unit_test_setup_teardown(test_only_news_are_told_at_once, make, drop),
        cmocka_unit_test_setup_teardown(test_who_has_left_knows_the_new_owners, make, drop),
        cmocka_unit_test_setup_teardown(test_one_joins_and_gets_its_share, make, drop),
        cmocka_unit_test_setup_teardown(test_of_two_with_one_name_the_later_stays, make, drop),
        cmocka_unit_test_setup_teardown(test_who_leaves_and_has_lost_its_name_ends, make, drop),
        cmocka_unit_test_setup_teardown(test_all_nodes_know_all_namespaces, make, drop),
        cmocka_unit_test_setup_teardown(
            test_who_registered_a_namespace_is_answered_when_all_know_it, make, drop),
        cmocka_unit_test_setup_teardown(test_a_log_that_is_away_kills_nobody, make, drop),
        cmocka_unit_test_setup_teardown(test_who_does_not_hear_itself_says_so, make, drop),
    };
    int failed;

    codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    member_codec = pd_record_codec_new(&perdure__v1__member__descriptor);
    command_codec = pd_record_codec_new(&perdure__v1__command__descriptor);
    rejected_codec = pd_record_codec_new(&perdure__v1__rejected__descriptor);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pd_record_codec_free(codec);
    pd_record_codec_free(member_codec);
    pd_record_codec_free(command_codec);
    pd_record_codec_free(rejected_codec);
    return failed;
}
