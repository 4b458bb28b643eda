/* test_snapshots.c -- a partition puts its state aside, and comes back from that when its own is
 * lost, damaged, or too old for the log; what is no good is passed over. On a real loop, with the
 * store on the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop_event.h"
#include "engine/partition/snapshots_private.h"
#include "log/memory/memory.h"
#include "state/snapshot/files.h"

#define MS INT64_C(1000000)

enum { CALL_COUNT = 64, POLL_MS = 1, POLLS_MAX = 3000, PATH_SIZE = 256 };

typedef struct one_call {
    pd_call_t call;
    pd_arena_t arena;
    Perdure__V1__NamespaceRegistered registered;
    char name[16], id[48];
    bool finished;
} one_call_t;

typedef struct bed {
    char root[64], store_path[PATH_SIZE], snapshots_path[PATH_SIZE];
    pd_loop_event_t *loop;
    pd_log_memory_t *storage;
    pd_log_t *log;
    pd_senders_t *senders;
    pd_store_shared_t *shared;
    pd_namespaces_t *namespaces;
    pd_partition_t *partition;
    one_call_t calls[CALL_COUNT];
    uint32_t call_count, name_count;

    /* What runs on the loop */
    pd_mail_t mail;
    pd_timer_t timer;
    void (*step)(struct bed *bed);
    bool (*condition)(struct bed *bed);
    int polls;
    pd_buf_t dump;
} bed_t;

static pd_record_codec_t *codec; /* takes long to make */

/* ---- the loop ---- */

static void run_step(pd_mail_t *mail)
{
    bed_t *bed = PD_CONTAINER_OF(mail, bed_t, mail);

    bed->step(bed);
    pd_loop_event_break(bed->loop);
}

static void on_loop(bed_t *bed, void (*step)(bed_t *bed))
{
    bed->step = step;
    bed->mail.run = run_step;
    pd_loop_post(pd_loop_event_loop(bed->loop), &bed->mail);
    pd_loop_event_run(bed->loop);
}

static void poll_condition(pd_timer_t *timer)
{
    bed_t *bed = PD_CONTAINER_OF(timer, bed_t, timer);
    pd_loop_t *loop = pd_loop_event_loop(bed->loop);

    if (bed->condition(bed) || ++bed->polls == POLLS_MAX)
        pd_loop_event_break(bed->loop);
    else
        pd_loop_timer_start(loop, timer, pd_loop_now_ns(loop) + POLL_MS * MS);
}

static void begin_polling(pd_mail_t *mail)
{
    poll_condition(&PD_CONTAINER_OF(mail, bed_t, mail)->timer);
}

static void until(bed_t *bed, bool (*condition)(bed_t *bed))
{
    bed->condition = condition;
    bed->polls = 0;
    bed->timer.fire = poll_condition;
    bed->mail.run = begin_polling;
    pd_loop_post(pd_loop_event_loop(bed->loop), &bed->mail);
    pd_loop_event_run(bed->loop);
    assert_true(bed->polls < POLLS_MAX);
}

/* ---- the partition ---- */

static void no_offer(void *ctx, const pd_offer_t *offer)
{
}

static void on_changed(void *ctx, pd_partition_state_t state)
{
}

static void start_step(bed_t *bed)
{
    pd_partition_start(bed->partition, on_changed, bed);
    pd_partition_set_role(bed->partition, PD_PARTITION_TO_OWN, INT64_MAX);
}

static void start(bed_t *bed, bool with_snapshots)
{
    pd_partition_options_t options = {
        .node = "a",
        .loop = pd_loop_event_loop(bed->loop),
        .log = bed->log,
        .senders = bed->senders,
        .partition_count = 1,
        .codec = codec,
        .store_path = bed->store_path,
        .store_shared = bed->shared,
        .store_cache_size_max = 1 << 20,
        .namespaces = bed->namespaces,
        .sink = {.offer = no_offer},
        .random_seed = 1,
        .flush_size = 1 << 20,
        .flush_delay_ns = 2 * MS,
        .disk_on_thread = true,
        .snapshots = {.directory = with_snapshots ? bed->snapshots_path : NULL,
                      .cluster = "blue",
                      .interval_ns = INT64_C(3600000) * MS,
                      .log_size = 1, /* after every flush */
                      .keep = 2},
    };

    bed->partition = pd_partition_new(&options);
    on_loop(bed, start_step);
}

static bool is_owner(bed_t *bed)
{
    return pd_partition_state(bed->partition) == PD_PARTITION_OWNER;
}

static bool is_failed(bed_t *bed)
{
    return pd_partition_state(bed->partition) == PD_PARTITION_FAILED;
}

static bool is_stopped(bed_t *bed)
{
    return pd_partition_state(bed->partition) == PD_PARTITION_STOPPED;
}

static void stop_step(bed_t *bed)
{
    pd_partition_stop(bed->partition);
}

static void stop(bed_t *bed)
{
    on_loop(bed, stop_step);
    until(bed, is_stopped);
    pd_partition_free(bed->partition);
    bed->partition = NULL;
}

/* ---- what happens in it ---- */

static void on_finish(pd_call_t *call)
{
    one_call_t *self = PD_CONTAINER_OF(call, one_call_t, call);

    self->finished = true;
    pd_free(call->data);
    pd_arena_deinit(&self->arena);
}

static void write_step(bed_t *bed)
{
    one_call_t *self = &bed->calls[bed->call_count++ % CALL_COUNT];

    memset(self, 0, sizeof(*self));
    pd_arena_init(&self->arena);
    snprintf(self->name, sizeof(self->name), "name-%u", ++bed->name_count);
    snprintf(self->id, sizeof(self->id), "0196a1b2-0000-7000-8000-%012u", bed->name_count);
    perdure__v1__namespace_registered__init(&self->registered);
    self->registered.name = self->name;
    self->registered.namespace_id = self->id;
    self->call.home = pd_loop_event_loop(bed->loop);
    self->call.arena = &self->arena;
    self->call.method = "RegisterNamespace";
    self->call.deadline_ns = INT64_MAX;
    self->call.finish = on_finish;
    pd_partition_register_namespace(bed->partition, &self->call, &self->registered);
}

static bool is_written(bed_t *bed)
{
    return bed->calls[(bed->call_count - 1) % CALL_COUNT].finished;
}

/* A snapshot was made of all that was written, and nothing is under way. */
static bool is_put_aside(bed_t *bed)
{
    const pdi_snapshots_t *snapshots = bed->partition->snapshots;

    return !snapshots->busy && snapshots->last_offset == bed->partition->chain.offset;
}

static void write_and_put_aside(bed_t *bed)
{
    on_loop(bed, write_step);
    until(bed, is_written);
    until(bed, is_put_aside);
}

static void dump_step(bed_t *bed)
{
    pd_error_t error = {.text = ""};

    pd_buf_clear(&bed->dump);
    assert_int_equal(pd_store_dump(bed->partition->store, &bed->dump, &error), PD_OK);
}

static size_t namespace_count(bed_t *bed)
{
    const char *at;
    size_t count = 0;

    on_loop(bed, dump_step);
    assert_int_equal(pd_buf_append(&bed->dump, "", 1), PD_OK);
    for (at = (const char *)bed->dump.data; (at = strstr(at, "namespaces ")); at++)
        count++;
    return count;
}

static void lose_state(bed_t *bed)
{
    pdi_tree_remove(bed->store_path);
}

static int64_t restored_offset(const bed_t *bed)
{
    return bed->partition->snapshots->restored_offset;
}

static pd_snapshot_list_t list_of(const bed_t *bed)
{
    pd_snapshot_place_t place = {.directory = bed->snapshots_path, .cluster = "blue", .node = "a"};
    pd_snapshot_list_t list;
    pd_error_t error;

    assert_int_equal(pd_snapshot_list(&place, &list, &error), PD_OK);
    return list;
}

/* ---- the scene ---- */

static void make_log(bed_t *bed, uint64_t seed)
{
    pd_log_memory_options_t options = {.seed = seed, .partition_counts = {1, 1, 1, 1}};

    options.loop = pd_loop_event_loop(bed->loop);
    bed->storage = pd_log_memory_new(&options);
    bed->log = pd_log_memory_open(bed->storage);
    bed->senders = pd_senders_new(bed->log, options.loop);
}

static void drop_log(bed_t *bed)
{
    pd_senders_free(bed->senders);
    pd_log_close(bed->log);
    pd_log_memory_free(bed->storage);
}

static int make(void **state)
{
    pd_store_shared_options_t shared = {.block_cache_size = 4 << 20, .write_buffer_size = 8 << 20};
    pd_loop_event_options_t loop = {.name = "test", .mailbox_count = 1024};
    bed_t *bed = PD_NEW(bed_t);
    pd_error_t error;

    snprintf(bed->root, sizeof(bed->root), "/tmp/pd-snapshots-XXXXXX");
    assert_non_null(mkdtemp(bed->root));
    snprintf(bed->store_path, PATH_SIZE, "%s/state/0", bed->root);
    snprintf(bed->snapshots_path, PATH_SIZE, "%s/snapshots", bed->root);
    bed->loop = pd_loop_event_new(&loop);
    assert_int_equal(pd_store_shared_new(&shared, &bed->shared, &error), PD_OK);
    bed->namespaces = pd_namespaces_new();
    pd_buf_init(&bed->dump, SIZE_MAX);
    make_log(bed, 1);
    *state = bed;
    return 0;
}

static int drop(void **state)
{
    bed_t *bed = *state;

    if (bed->partition)
        stop(bed);
    drop_log(bed);
    pd_store_shared_free(bed->shared);
    pd_namespaces_free(bed->namespaces);
    pd_loop_event_free(bed->loop);
    pd_buf_deinit(&bed->dump);
    pdi_tree_remove(bed->root);
    pd_free(bed);
    return 0;
}

/* Three writes, three snapshots (two are kept); then one more write that is in none. */
static int64_t first_life(bed_t *bed)
{
    int64_t offset;

    start(bed, true);
    until(bed, is_owner);
    for (int i = 0; i < 3; i++)
        write_and_put_aside(bed);
    offset = bed->partition->snapshots->last_offset;
    stop(bed);
    start(bed, false);
    until(bed, is_owner);
    on_loop(bed, write_step);
    until(bed, is_written);
    stop(bed);
    return offset;
}

static void test_lost_state_comes_from_the_snapshot(void **state)
{
    bed_t *bed = *state;
    int64_t offset = first_life(bed);
    pd_snapshot_list_t list = list_of(bed);

    assert_int_equal(list.count, 2);
    assert_int_equal(list.entries[0].offset, offset);
    pd_snapshot_list_free(&list);
    lose_state(bed);
    start(bed, true);
    until(bed, is_owner);
    assert_int_equal(restored_offset(bed), offset);
    assert_int_equal(namespace_count(bed), 4);
}

static void test_state_that_is_there_is_taken(void **state)
{
    bed_t *bed = *state;

    first_life(bed);
    start(bed, true);
    until(bed, is_owner);
    assert_int_equal(restored_offset(bed), -1);
    assert_int_equal(namespace_count(bed), 4);
}

static void test_log_begins_behind_the_state(void **state)
{
    bed_t *bed = *state;
    int64_t offset = first_life(bed);

    lose_state(bed);
    pd_log_memory_trim(bed->storage, PD_LOG_EVENTS, 0, offset + 1);
    start(bed, true);
    until(bed, is_owner);
    assert_int_equal(restored_offset(bed), offset);
    assert_int_equal(namespace_count(bed), 4);
    stop(bed);
    /* And without any snapshot it does not pretend. */
    lose_state(bed);
    pdi_tree_remove(bed->snapshots_path);
    start(bed, true);
    until(bed, is_failed);
}

static void wreck(const char *directory, const char *name)
{
    char path[2 * PATH_SIZE];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("garbage", file);
    assert_int_equal(fclose(file), 0);
}

static void test_older_one_when_the_newest_is_damaged(void **state)
{
    bed_t *bed = *state;
    char path[2 * PATH_SIZE];
    pd_snapshot_list_t list;

    first_life(bed);
    list = list_of(bed);
    snprintf(path, sizeof(path), "%s/blue/0/%lld-%lld", bed->snapshots_path,
             (long long)list.entries[0].epoch, (long long)list.entries[0].offset);
    wreck(path, "MANIFEST");
    lose_state(bed);
    start(bed, true);
    until(bed, is_owner);
    assert_int_equal(restored_offset(bed), list.entries[1].offset);
    assert_int_equal(namespace_count(bed), 4);
    pd_snapshot_list_free(&list);
}

static pd_status_t count_aside(void *ctx, const char *name, pd_error_t *error)
{
    *(int *)ctx += strncmp(name, "0.aside-", 8) == 0;
    return PD_OK;
}

static int aside_count(const bed_t *bed)
{
    char path[2 * PATH_SIZE];
    pd_error_t error;
    int count = 0;

    snprintf(path, sizeof(path), "%s/state", bed->root);
    assert_int_equal(pdi_directory_each(path, count_aside, &count, &error), PD_OK);
    return count;
}

static void test_damaged_state_is_set_aside(void **state)
{
    bed_t *bed = *state;
    int64_t offset = first_life(bed);

    wreck(bed->store_path, "CURRENT");
    start(bed, true);
    until(bed, is_owner);
    assert_int_equal(aside_count(bed), 1);
    assert_int_equal(restored_offset(bed), offset);
    assert_int_equal(namespace_count(bed), 4);
}

/* The whole log is there to rebuild it from. */
static void test_damaged_state_is_set_aside_without_snapshots(void **state)
{
    bed_t *bed = *state;

    first_life(bed);
    wreck(bed->store_path, "CURRENT");
    start(bed, false);
    until(bed, is_owner);
    assert_int_equal(aside_count(bed), 1);
    assert_int_equal(namespace_count(bed), 4);
}

static void damage_step(bed_t *bed)
{
    pd_error_t error;

    pd_error_set(&error, PD_CORRUPT, "a row that nobody can read");
    pdi_partition_lose(bed->partition, &error);
}

/* As RocksDB tells it when a block is read. When the new state is damaged, too, it is no use to go
 * on like that. */
static void test_damage_found_in_use_sets_the_state_aside_once(void **state)
{
    bed_t *bed = *state;

    start(bed, false);
    until(bed, is_owner);
    on_loop(bed, write_step);
    until(bed, is_written);
    on_loop(bed, damage_step);
    assert_false(is_failed(bed));
    until(bed, is_owner);
    assert_int_equal(aside_count(bed), 1);
    assert_int_equal(namespace_count(bed), 1);
    on_loop(bed, damage_step);
    assert_true(is_failed(bed));
    assert_int_equal(aside_count(bed), 1);
}

/* The same cluster's name, another log: long enough, but its hashes are others. */
static void test_snapshot_of_another_log_is_found_out(void **state)
{
    bed_t *bed = *state;

    first_life(bed);
    lose_state(bed);
    drop_log(bed);
    make_log(bed, 2);
    bed->name_count = 100;
    start(bed, false);
    until(bed, is_owner);
    for (int i = 0; i < 10; i++) {
        on_loop(bed, write_step);
        until(bed, is_written);
    }
    stop(bed);
    lose_state(bed);
    start(bed, true);
    until(bed, is_owner);
    assert_true(aside_count(bed) >= 1);
    assert_int_equal(namespace_count(bed), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lost_state_comes_from_the_snapshot, make, drop),
        cmocka_unit_test_setup_teardown(test_state_that_is_there_is_taken, make, drop),
        cmocka_unit_test_setup_teardown(test_log_begins_behind_the_state, make, drop),
        cmocka_unit_test_setup_teardown(test_older_one_when_the_newest_is_damaged, make, drop),
        cmocka_unit_test_setup_teardown(test_damaged_state_is_set_aside, make, drop),
        cmocka_unit_test_setup_teardown(test_damaged_state_is_set_aside_without_snapshots, make,
                                        drop),
        cmocka_unit_test_setup_teardown(test_damage_found_in_use_sets_the_state_aside_once, make,
                                        drop),
        cmocka_unit_test_setup_teardown(test_snapshot_of_another_log_is_found_out, make, drop),
    };
    int failed;

    codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pd_record_codec_free(codec);
    return failed;
}
