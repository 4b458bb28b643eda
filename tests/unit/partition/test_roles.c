/* test_roles.c -- what becomes of a partition on two nodes over one log: standby, takeover,
 * release, and what an owner does that is deposed or stuck. Commands are registrations of
 * namespaces, the shortest there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/frontend/frontend.h"
#include "engine/partition/partition_private.h"
#include "log/memory/memory.h"
#include "tests/unit/log/manual_loop.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)

enum { STEP_MAX = 100000, CALL_COUNT = 40 };

typedef struct one_node {
    const char *name;
    pd_log_t *log;
    pd_store_shared_t *shared;
    pd_namespaces_t *namespaces;
    pd_senders_t *senders;
    pd_partition_t *partition;
    uint32_t state_counts[PD_PARTITION_STOPPED + 1];
    uint32_t forget_count;
} one_node_t;

typedef struct one_call {
    pd_call_t call;
    pd_arena_t arena;
    Perdure__V1__NamespaceRegistered registered;
    char name[16], id[48];
    bool finished, refused;
} one_call_t;

typedef struct bed {
    manual_loop_t loop;
    pd_log_memory_t *storage;
    one_node_t a, b;
    one_call_t calls[CALL_COUNT];
    uint32_t call_count;
} bed_t;

static pd_record_codec_t *codec, *command_codec, *rejected_codec; /* take long to make */

static void no_offer(void *ctx, const pd_offer_t *offer)
{
}

static void on_forget(void *ctx, const pd_partition_t *partition)
{
    ((one_node_t *)ctx)->forget_count++;
}

static void on_changed(void *ctx, pd_partition_state_t state)
{
    ((one_node_t *)ctx)->state_counts[state]++;
}

static void make_node(bed_t *bed, one_node_t *node, const char *name)
{
    pd_store_shared_options_t shared = {
        .block_cache_size = 4 << 20, .write_buffer_size = 8 << 20, .in_memory = true};
    pd_partition_options_t options = {
        .node = name,
        .loop = &bed->loop.loop,
        .partition_count = 1,
        .codec = codec,
        .command_codec = command_codec,
        .rejected_codec = rejected_codec,
        .checker = &pd_frontend_checker,
        .store_path = "/partition",
        .store_cache_size_max = 1 << 20,
        .sink = {.offer = no_offer, .forget = on_forget, .ctx = node},
        .flush_size = 1 << 20,
        .flush_delay_ns = 50 * MS,
        .failed_retry_ns = S,
    };
    pd_error_t error;

    node->name = name;
    node->log = pd_log_memory_open(bed->storage);
    node->namespaces = pd_namespaces_new();
    assert_int_equal(pd_store_shared_new(&shared, &node->shared, &error), PD_OK);
    node->senders = pd_senders_new(node->log, &bed->loop.loop);
    options.log = node->log;
    options.senders = node->senders;
    options.namespaces = node->namespaces;
    options.store_shared = node->shared;
    options.random_seed = (uint64_t)name[0];
    node->partition = pd_partition_new(&options);
    pd_partition_start(node->partition, on_changed, node);
}

static int make(void **state)
{
    bed_t *bed = PD_NEW(bed_t);
    pd_log_memory_options_t options = {.seed = 1, .partition_counts = {1, 1, 1, 1}};

    manual_loop_init(&bed->loop);
    options.loop = &bed->loop.loop;
    options.faults.land_max_ns = options.faults.ack_max_ns = options.faults.read_max_ns = 2 * MS;
    bed->storage = pd_log_memory_new(&options);
    make_node(bed, &bed->a, "a");
    make_node(bed, &bed->b, "b");
    *state = bed;
    return 0;
}

static void stop_node(bed_t *bed, one_node_t *node)
{
    pd_partition_stop(node->partition);
    for (int i = 0; pd_partition_state(node->partition) != PD_PARTITION_STOPPED; i++)
        assert_true(i < STEP_MAX && manual_loop_step(&bed->loop));
    pd_partition_free(node->partition);
    pd_senders_free(node->senders);
    pd_log_close(node->log);
    pd_store_shared_free(node->shared);
    pd_namespaces_free(node->namespaces);
}

static int drop(void **state)
{
    bed_t *bed = *state;

    stop_node(bed, &bed->a);
    stop_node(bed, &bed->b);
    for (uint32_t i = 0; i < bed->call_count; i++) {
        assert_true(bed->calls[i].finished);
        pd_arena_deinit(&bed->calls[i].arena);
    }
    pd_log_memory_free(bed->storage);
    manual_loop_deinit(&bed->loop);
    pd_free(bed);
    return 0;
}

/* ---- steps ---- */

static void on_finish(pd_call_t *call)
{
    one_call_t *self = PD_CONTAINER_OF(call, one_call_t, call);

    self->finished = true;
    self->refused = call->error != NULL;
    pd_free(call->data);
}

static one_call_t *write_to(bed_t *bed, one_node_t *node)
{
    one_call_t *self = &bed->calls[bed->call_count++];

    assert_true(bed->call_count <= CALL_COUNT);
    pd_arena_init(&self->arena);
    snprintf(self->name, sizeof(self->name), "name-%u", bed->call_count);
    snprintf(self->id, sizeof(self->id), "0196a1b2-0000-7000-8000-%012u", bed->call_count);
    perdure__v1__namespace_registered__init(&self->registered);
    self->registered.name = self->name;
    self->registered.namespace_id = self->id;
    self->call.home = &bed->loop.loop;
    self->call.arena = &self->arena;
    self->call.method = "RegisterNamespace";
    self->call.deadline_ns = INT64_MAX;
    self->call.finish = on_finish;
    pd_partition_register_namespace(node->partition, &self->call, &self->registered);
    return self;
}

static pd_partition_status_t status_of(const one_node_t *node)
{
    pd_partition_status_t status;

    pd_partition_status(node->partition, &status);
    return status;
}

#define UNTIL(bed, condition)                                                                      \
    for (int step_ = 0; !(condition); step_++)                                                     \
    assert_true(step_ < STEP_MAX && manual_loop_step(&(bed)->loop))

static void until_state(bed_t *bed, one_node_t *node, pd_partition_state_t state)
{
    UNTIL(bed, status_of(node).state == state);
}

static void fire_nothing(pd_timer_t *timer)
{
}

/* Everything that goes on within the time, to its very end. */
static void run_for(bed_t *bed, int64_t ns)
{
    int64_t until_ns = bed->loop.now_ns + ns;
    pd_timer_t timer = {.fire = fire_nothing};

    pd_loop_timer_start(&bed->loop.loop, &timer, until_ns);
    UNTIL(bed, bed->loop.now_ns >= until_ns);
    pd_loop_timer_stop(&bed->loop.loop, &timer);
}

static void same_tables(bed_t *bed)
{
    pd_buf_t a, b;
    pd_error_t error;

    pd_buf_init(&a, SIZE_MAX);
    pd_buf_init(&b, SIZE_MAX);
    assert_int_equal(pd_store_dump(bed->a.partition->store, &a, &error), PD_OK);
    assert_int_equal(pd_store_dump(bed->b.partition->store, &b, &error), PD_OK);
    assert_true(a.size > 0);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    pd_buf_deinit(&a);
    pd_buf_deinit(&b);
}

static void a_owns_b_follows(bed_t *bed)
{
    pd_partition_set_role(bed->a.partition, PD_PARTITION_TO_OWN, -1);
    pd_partition_set_role(bed->b.partition, PD_PARTITION_STANDBY, -1);
    until_state(bed, &bed->a, PD_PARTITION_OWNER);
    for (int i = 0; i < 10; i++)
        write_to(bed, &bed->a);
    UNTIL(bed, status_of(&bed->b).applied_offset >= 10);
}

static void b_takes_over(bed_t *bed)
{
    pd_partition_set_role(bed->b.partition, PD_PARTITION_TO_OWN, status_of(&bed->a).epoch);
    until_state(bed, &bed->b, PD_PARTITION_OWNER);
}

/* ---- tests ---- */

static void test_a_standby_has_the_owners_tables(void **state)
{
    bed_t *bed = *state;

    a_owns_b_follows(bed);
    UNTIL(bed, status_of(&bed->b).applied_offset == status_of(&bed->a).applied_offset &&
                   TAILQ_EMPTY(&bed->a.partition->pendings));
    same_tables(bed);
    assert_int_equal(status_of(&bed->b).epoch, status_of(&bed->a).epoch);
    assert_int_equal(pd_log_memory_count(bed->storage, PD_LOG_EVENTS, 0), 11);
}

static void test_a_takeover_is_one_append_and_nobody_fights(void **state)
{
    bed_t *bed = *state;
    one_call_t *call;

    a_owns_b_follows(bed);
    run_for(bed, 5 * S);
    b_takes_over(bed);
    assert_int_equal(pd_log_memory_count(bed->storage, PD_LOG_EVENTS, 0), 12);
    call = write_to(bed, &bed->b);
    UNTIL(bed, call->finished);
    assert_false(call->refused);
    /* The old owner was idle: it hears of it all the same, and goes on as a follower. */
    UNTIL(bed, status_of(&bed->a).state == PD_PARTITION_FOLLOWING &&
                   status_of(&bed->a).applied_offset == status_of(&bed->b).applied_offset);
    run_for(bed, 100 * S);
    same_tables(bed);
    assert_int_equal(status_of(&bed->a).state, PD_PARTITION_FOLLOWING);
    assert_int_equal(pd_log_memory_count(bed->storage, PD_LOG_EVENTS, 0), 13);
}

static int64_t gauge(const pd_gauge_t *gauge)
{
    return atomic_load(&gauge->value);
}

static void test_metrics_tell_who_takes_over(void **state)
{
    bed_t *bed = *state;
    const pd_partition_metrics_t *metrics = &bed->b.partition->metrics;

    a_owns_b_follows(bed);
    pd_partition_collect_metrics(bed->b.partition);
    assert_int_equal(gauge(&metrics->acquiring), 0);
    pd_partition_set_role(bed->b.partition, PD_PARTITION_TO_OWN, status_of(&bed->a).epoch);
    until_state(bed, &bed->b, PD_PARTITION_ACQUIRING);
    pd_partition_collect_metrics(bed->b.partition);
    assert_int_equal(gauge(&metrics->acquiring), 1);
    assert_int_equal(gauge(&metrics->owned), 0);
    until_state(bed, &bed->b, PD_PARTITION_OWNER);
    pd_partition_collect_metrics(bed->b.partition);
    assert_int_equal(gauge(&metrics->acquiring), 0);
    assert_int_equal(gauge(&metrics->owned), 1);
}

static void test_a_deposed_owner_acknowledges_nothing(void **state)
{
    bed_t *bed = *state;
    one_call_t *call;

    a_owns_b_follows(bed);
    b_takes_over(bed);
    if (status_of(&bed->a).state == PD_PARTITION_OWNER) {
        call = write_to(bed, &bed->a);
        UNTIL(bed, call->finished);
        assert_true(call->refused);
    }
    until_state(bed, &bed->a, PD_PARTITION_FOLLOWING);
    UNTIL(bed, status_of(&bed->a).epoch == status_of(&bed->b).epoch);
}

/* With its record in flight when the successor's OwnerChanged lands. */
static void test_deposed_under_load(void **state)
{
    bed_t *bed = *state;
    one_call_t *calls[8];

    a_owns_b_follows(bed);
    pd_partition_set_role(bed->b.partition, PD_PARTITION_TO_OWN, status_of(&bed->a).epoch);
    for (int i = 0; i < 8; i++) {
        calls[i] = write_to(bed, &bed->a);
        manual_loop_step(&bed->loop);
    }
    until_state(bed, &bed->b, PD_PARTITION_OWNER);
    until_state(bed, &bed->a, PD_PARTITION_FOLLOWING);
    UNTIL(bed, status_of(&bed->a).applied_offset == status_of(&bed->b).applied_offset);
    same_tables(bed);
    for (int i = 0; i < 8; i++) { /* what was acknowledged counts */
        assert_true(calls[i]->finished);
        if (!calls[i]->refused)
            assert_non_null(pd_namespaces_by_name(bed->b.namespaces, calls[i]->name));
    }
}

static void test_release_ends_what_is_in_flight_first(void **state)
{
    bed_t *bed = *state;
    one_call_t *calls[20], *late;

    a_owns_b_follows(bed);
    for (int i = 0; i < 20; i++)
        calls[i] = write_to(bed, &bed->a);
    pd_partition_set_role(bed->a.partition, PD_PARTITION_STANDBY, -1);
    assert_int_equal(status_of(&bed->a).state, PD_PARTITION_RELEASING);
    late = write_to(bed, &bed->a);
    UNTIL(bed, status_of(&bed->a).released);
    UNTIL(bed, late->finished);
    assert_true(late->refused);
    for (int i = 0; i < 20; i++) {
        UNTIL(bed, calls[i]->finished);
        assert_false(calls[i]->refused);
    }
    assert_int_equal(status_of(&bed->a).applied_offset, 30);
    assert_int_equal(bed->a.state_counts[PD_PARTITION_LOST], 0);

    b_takes_over(bed);
    assert_int_equal(status_of(&bed->b).epoch, 31);
    late = write_to(bed, &bed->b);
    UNTIL(bed, late->finished);
    assert_false(late->refused);
    UNTIL(bed, status_of(&bed->a).applied_offset == 32);
    assert_false(status_of(&bed->a).released);
    same_tables(bed);
}

static void test_a_released_partition_comes_back(void **state)
{
    bed_t *bed = *state;
    one_call_t *call;

    a_owns_b_follows(bed);
    pd_partition_set_role(bed->a.partition, PD_PARTITION_STANDBY, -1);
    pd_partition_set_role(bed->a.partition, PD_PARTITION_TO_OWN, status_of(&bed->a).epoch);
    UNTIL(bed, status_of(&bed->a).state == PD_PARTITION_OWNER && status_of(&bed->a).epoch > 0);
    call = write_to(bed, &bed->a);
    UNTIL(bed, call->finished);
    assert_false(call->refused);
    UNTIL(bed, status_of(&bed->b).applied_offset == status_of(&bed->a).applied_offset);
    same_tables(bed);
}

static void test_not_wanted_any_more(void **state)
{
    bed_t *bed = *state;
    int64_t epoch;

    a_owns_b_follows(bed);
    epoch = status_of(&bed->a).epoch;
    pd_partition_set_role(bed->b.partition, PD_PARTITION_NONE, -1);
    until_state(bed, &bed->b, PD_PARTITION_IDLE);
    assert_null(bed->b.partition->store);
    assert_int_equal(bed->b.forget_count, 0); /* a follower has offered nothing */
    pd_partition_set_role(bed->a.partition, PD_PARTITION_NONE, -1);
    until_state(bed, &bed->a, PD_PARTITION_IDLE);
    assert_int_equal(bed->a.forget_count, 1);
    pd_partition_set_role(bed->b.partition, PD_PARTITION_TO_OWN, epoch);
    until_state(bed, &bed->b, PD_PARTITION_OWNER);
    assert_non_null(pd_namespaces_by_name(bed->b.namespaces, "name-10"));
}

/* Whoever decided that B takes it from the first owner did not know of A's second acquisition. */
static void test_an_old_decision_is_not_carried_out(void **state)
{
    bed_t *bed = *state;
    int64_t old_epoch;

    a_owns_b_follows(bed);
    old_epoch = status_of(&bed->a).epoch;
    pd_partition_set_role(bed->a.partition, PD_PARTITION_STANDBY, -1);
    UNTIL(bed, status_of(&bed->a).released);
    pd_partition_set_role(bed->a.partition, PD_PARTITION_TO_OWN, old_epoch);
    until_state(bed, &bed->a, PD_PARTITION_OWNER);
    UNTIL(bed, status_of(&bed->b).epoch > old_epoch);
    pd_partition_set_role(bed->b.partition, PD_PARTITION_TO_OWN, old_epoch);
    run_for(bed, 100 * S);
    assert_int_equal(status_of(&bed->b).state, PD_PARTITION_FOLLOWING);
    assert_int_equal(status_of(&bed->a).state, PD_PARTITION_OWNER);
}

static bool waits_at_the_tail(const one_node_t *node)
{
    return node->partition->reader->reading;
}

static void test_an_owner_waits_at_the_tail_only_while_it_is_idle(void **state)
{
    bed_t *bed = *state;

    a_owns_b_follows(bed);
    run_for(bed, 2 * S);
    assert_true(waits_at_the_tail(&bed->a));
    for (int i = 0; i < 20; i++) {
        one_call_t *call = write_to(bed, &bed->a);

        UNTIL(bed, call->finished);
        run_for(bed, 100 * MS);
        assert_false(waits_at_the_tail(&bed->a));
    }
    run_for(bed, 2 * S);
    assert_true(waits_at_the_tail(&bed->a));
    b_takes_over(bed);
    until_state(bed, &bed->a, PD_PARTITION_FOLLOWING);
}

/* An append that waits for less than that is no standstill, whatever was before it. */
static void test_slow_acknowledgements_are_no_standstill(void **state)
{
    bed_t *bed = *state;
    pd_log_memory_faults_t faults = {.ack_min_ns = 200 * MS, .ack_max_ns = 200 * MS};

    a_owns_b_follows(bed);
    bed->a.partition->options.standstill_ns = 300 * MS;
    pd_log_memory_set_faults(bed->storage, &faults);
    for (int i = 0; i < 20; i++) {
        one_call_t *call = write_to(bed, &bed->a);

        UNTIL(bed, call->finished);
        assert_false(call->refused);
        run_for(bed, 40 * MS * i);
    }
    assert_int_equal(bed->a.state_counts[PD_PARTITION_LOST], 0);
}

static void test_a_stuck_owner_gives_up(void **state)
{
    bed_t *bed = *state;
    pd_log_memory_faults_t faults = {.ack_min_ns = 60 * S, .ack_max_ns = 60 * S};
    int64_t began_ns;
    one_call_t *call;

    a_owns_b_follows(bed);
    UNTIL(bed, bed->calls[9].finished);
    pd_log_memory_set_faults(bed->storage, &faults);
    began_ns = bed->loop.now_ns;
    call = write_to(bed, &bed->a);
    UNTIL(bed, call->finished);
    assert_true(call->refused);
    assert_int_equal(bed->a.state_counts[PD_PARTITION_LOST], 1);
    assert_true(bed->loop.now_ns - began_ns < 4 * S);
    /* It landed, so it counts. */
    UNTIL(bed, status_of(&bed->b).applied_offset == 11);
}

static void test_nothing_lands(void **state)
{
    bed_t *bed = *state;
    pd_log_memory_faults_t faults = {.land_min_ns = 60 * S, .land_max_ns = 60 * S};
    int64_t began_ns;
    one_call_t *call;

    a_owns_b_follows(bed);
    pd_log_memory_set_faults(bed->storage, &faults);
    began_ns = bed->loop.now_ns;
    call = write_to(bed, &bed->a);
    UNTIL(bed, call->finished);
    assert_true(call->refused);
    assert_true(bed->loop.now_ns - began_ns < 12 * S);
}

static void test_a_failed_disk_is_tried_again(void **state)
{
    bed_t *bed = *state;
    pd_log_memory_faults_t faults = {.io_ppm = 1000000};

    a_owns_b_follows(bed);
    pd_log_memory_set_faults(bed->storage, &faults);
    write_to(bed, &bed->a);
    until_state(bed, &bed->a, PD_PARTITION_FAILED);
    /* It follows again, but owns only when told anew; then it finds that nothing is better. */
    until_state(bed, &bed->a, PD_PARTITION_FOLLOWING);
    run_for(bed, 100 * S);
    assert_int_equal(bed->a.state_counts[PD_PARTITION_FAILED], 1);
    pd_partition_set_role(bed->a.partition, PD_PARTITION_TO_OWN, status_of(&bed->a).epoch);
    until_state(bed, &bed->a, PD_PARTITION_FAILED);
    pd_log_memory_set_faults(bed->storage, &(pd_log_memory_faults_t){0});
    b_takes_over(bed);
    assert_int_equal(status_of(&bed->a).state, PD_PARTITION_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_standby_has_the_owners_tables, make, drop),
        cmocka_unit_test_setup_teardown(test_a_takeover_is_one_append_and_nobody_fights, make,
                                        drop),
        cmocka_unit_test_setup_teardown(test_metrics_tell_who_takes_over, make, drop),
        cmocka_unit_test_setup_teardown(test_a_deposed_owner_acknowledges_nothing, make, drop),
        cmocka_unit_test_setup_teardown(test_deposed_under_load, make, drop),
        cmocka_unit_test_setup_teardown(test_release_ends_what_is_in_flight_first, make, drop),
        cmocka_unit_test_setup_teardown(test_a_released_partition_comes_back, make, drop),
        cmocka_unit_test_setup_teardown(test_not_wanted_any_more, make, drop),
        cmocka_unit_test_setup_teardown(test_an_old_decision_is_not_carried_out, make, drop),
        cmocka_unit_test_setup_teardown(test_an_owner_waits_at_the_tail_only_while_it_is_idle, make,
                                        drop),
        cmocka_unit_test_setup_teardown(test_slow_acknowledgements_are_no_standstill, make, drop),
        cmocka_unit_test_setup_teardown(test_a_stuck_owner_gives_up, make, drop),
        cmocka_unit_test_setup_teardown(test_nothing_lands, make, drop),
        cmocka_unit_test_setup_teardown(test_a_failed_disk_is_tried_again, make, drop),
    };
    int failed;

    codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    command_codec = pd_record_codec_new(&perdure__v1__command__descriptor);
    rejected_codec = pd_record_codec_new(&perdure__v1__rejected__descriptor);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pd_record_codec_free(codec);
    pd_record_codec_free(command_codec);
    pd_record_codec_free(rejected_codec);
    return failed;
}
