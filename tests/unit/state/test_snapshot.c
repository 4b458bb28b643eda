/* test_snapshot.c -- what is restored is what was put aside, or it is refused: every kind of
 * damage, wherever it is. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "state/snapshot/files.h"
#include "state/snapshot/snapshot.h"
#include "tests/unit/state/generator.h"

enum { RECORD_COUNT = 400, BASE_SIZE = 128, PATH_SIZE = 512 };

typedef struct scene {
    char root[64];
    char store_path[BASE_SIZE], restored_path[BASE_SIZE];
    char snapshots[BASE_SIZE];
    pd_store_shared_t *shared;
    pd_store_t *store;
    pd_generator_t generator;
    pd_snapshot_place_t place;
    int64_t offset;
    pd_buf_t dump; /* as committed last */
} scene_t;

/* ---- a store and what is in it ---- */

static pd_store_t *open_store(scene_t *scene, const char *path)
{
    pd_store_options_t options = {
        .path = path, .shared = scene->shared, .partition = 3, .cache_size_max = SIZE_MAX};
    pd_store_t *store = NULL;
    pd_error_t error = {.text = ""};

    if (pd_store_open(&options, &store, &error) != PD_OK)
        fail_msg("%s", error.text);
    return store;
}

static void dump_into(pd_store_t *store, pd_buf_t *out)
{
    pd_error_t error = {.text = ""};

    pd_buf_clear(out);
    if (pd_store_dump(store, out, &error) != PD_OK)
        fail_msg("%s", error.text);
}

static void position_at(int64_t offset, pd_store_position_t *position)
{
    *position =
        (pd_store_position_t){.applied_offset = offset, .epoch = 7, .commands_through = offset / 2};
    for (size_t i = 0; i < sizeof(position->running_hash); i++)
        position->running_hash[i] = (uint8_t)(offset + (int64_t)i);
}

/* More records, committed. */
static void advance(scene_t *scene)
{
    pd_store_position_t position;
    pd_error_t error = {.text = ""};

    for (int i = 0; i < RECORD_COUNT; i++) {
        if (pd_store_apply(scene->store, pd_generator_next(&scene->generator), &error) != PD_OK)
            fail_msg("%s", error.text);
        scene->offset++;
    }
    position_at(scene->offset, &position);
    pd_store_flush_begin(scene->store);
    if (pd_store_flush_commit(scene->store, &position, &error) != PD_OK)
        fail_msg("%s", error.text);
    dump_into(scene->store, &scene->dump);
}

static void begin(scene_t *scene, const char *snapshots_template)
{
    pd_store_shared_options_t options = {
        .block_cache_size = 8 << 20, .write_buffer_size = 8 << 20, .store_count = 1};
    char snapshots[64];
    pd_error_t error;

    memset(scene, 0, sizeof(*scene));
    snprintf(scene->root, sizeof(scene->root), "/tmp/pd-snapshot-XXXXXX");
    assert_non_null(mkdtemp(scene->root));
    snprintf(scene->store_path, BASE_SIZE, "%s/state/3", scene->root);
    snprintf(scene->restored_path, BASE_SIZE, "%s/state/restored", scene->root);
    snprintf(snapshots, sizeof(snapshots), "%s",
             snapshots_template ? snapshots_template : scene->root);
    if (snapshots_template)
        assert_non_null(mkdtemp(snapshots));
    snprintf(scene->snapshots, BASE_SIZE, "%s/snapshots", snapshots);
    assert_int_equal(pd_store_shared_new(&options, &scene->shared, &error), PD_OK);
    scene->store = open_store(scene, scene->store_path);
    pd_generator_init(&scene->generator, scene->store, 11, 10);
    scene->offset = 100;
    pd_buf_init(&scene->dump, SIZE_MAX);
    scene->place = (pd_snapshot_place_t){
        .directory = scene->snapshots, .cluster = "blue", .partition = 3, .node = "a"};
}

static void end(scene_t *scene)
{
    pd_generator_deinit(&scene->generator);
    pd_store_free(scene->store);
    pd_store_shared_free(scene->shared);
    pd_buf_deinit(&scene->dump);
    pdi_tree_remove(scene->snapshots);
    pdi_tree_remove(scene->root);
}

static pd_status_t try_make(scene_t *scene, pd_snapshot_entry_t *entry, pd_error_t *error)
{
    pd_snapshot_source_t source = {.store = scene->store, .shared = scene->shared, .now_ns = 5};

    return pd_snapshot_make(&scene->place, &source, entry, error);
}

static pd_snapshot_entry_t make(scene_t *scene)
{
    pd_snapshot_entry_t entry = {0};
    pd_error_t error = {.text = ""};

    if (try_make(scene, &entry, &error) != PD_OK)
        fail_msg("%s", error.text);
    return entry;
}

static pd_status_t restore(scene_t *scene, const pd_snapshot_entry_t *entry, pd_error_t *error)
{
    struct stat stat_of;
    pd_status_t status =
        pd_snapshot_restore(&scene->place, entry, scene->restored_path, scene->shared, error);

    /* Nothing, or the whole. */
    assert_int_equal(stat(scene->restored_path, &stat_of) == 0, status == PD_OK);
    return status;
}

static void assert_restored(scene_t *scene, const pd_buf_t *expected, int64_t offset)
{
    pd_store_t *store = open_store(scene, scene->restored_path);
    pd_store_position_t position, wanted;
    pd_buf_t dump;

    pd_buf_init(&dump, SIZE_MAX);
    dump_into(store, &dump);
    assert_true(pd_bytes_equal(pd_buf_bytes(&dump), pd_buf_bytes(expected)));
    pd_store_position(store, &position);
    position_at(offset, &wanted);
    assert_int_equal(position.applied_offset, wanted.applied_offset);
    assert_int_equal(position.epoch, wanted.epoch);
    assert_int_equal(position.commands_through, wanted.commands_through);
    assert_memory_equal(position.running_hash, wanted.running_hash, sizeof(wanted.running_hash));
    pd_buf_deinit(&dump);
    pd_store_free(store);
    pdi_tree_remove(scene->restored_path);
}

static void entry_file(const scene_t *scene, const pd_snapshot_entry_t *entry, const char *name,
                       char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/blue/3/%lld-%lld/%s", scene->snapshots, (long long)entry->epoch,
             (long long)entry->offset, name);
}

/* ---- making and restoring ---- */

static void make_and_restore(const char *snapshots_template)
{
    scene_t scene;
    pd_snapshot_entry_t entry;
    pd_error_t error = {.text = ""};
    pd_buf_t expected;

    begin(&scene, snapshots_template);
    advance(&scene);
    entry = make(&scene);
    assert_int_equal(entry.offset, scene.offset);
    pd_buf_init(&expected, SIZE_MAX);
    assert_int_equal(pd_buf_append(&expected, scene.dump.data, scene.dump.size), PD_OK);
    advance(&scene); /* the store goes on; the snapshot does not */
    if (restore(&scene, &entry, &error) != PD_OK)
        fail_msg("%s", error.text);
    assert_restored(&scene, &expected, entry.offset);
    /* Restored once more, after the first has been changed and removed. */
    assert_int_equal(restore(&scene, &entry, &error), PD_OK);
    assert_restored(&scene, &expected, entry.offset);
    pd_buf_deinit(&expected);
    end(&scene);
}

static void test_make_and_restore(void **state)
{
    make_and_restore(NULL);
}

static void test_across_file_systems(void **state)
{
    struct stat here, there;

    if (stat("/tmp", &here) != 0 || stat("/dev/shm", &there) != 0 || here.st_dev == there.st_dev ||
        access("/dev/shm", W_OK) != 0)
        skip();
    make_and_restore("/dev/shm/pd-snapshot-XXXXXX");
}

static void test_nothing_to_put_aside(void **state)
{
    scene_t scene;
    pd_snapshot_entry_t entry;
    pd_snapshot_list_t list;
    pd_error_t error;

    begin(&scene, NULL);
    assert_int_equal(try_make(&scene, &entry, &error), PD_NOT_FOUND);
    assert_int_equal(pd_snapshot_list(&scene.place, &list, &error), PD_OK);
    assert_int_equal(list.count, 0);
    advance(&scene);
    entry = make(&scene);
    assert_int_equal(try_make(&scene, &entry, &error), PD_EXISTS);
    pd_snapshot_list_free(&list);
    end(&scene);
}

/* ---- damage ---- */

static void damage(const char *path, size_t at)
{
    FILE *file = fopen(path, "r+b");
    int byte;

    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    byte = fgetc(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
    assert_int_equal(fclose(file), 0);
}

typedef struct wrecking {
    scene_t *scene;
    pd_snapshot_entry_t entry;
    char directory[PATH_SIZE];
    int files;
} wrecking_t;

static void assert_refused(wrecking_t *wrecking, const char *what, const char *path)
{
    pd_error_t error = {.text = ""};

    if (restore(wrecking->scene, &wrecking->entry, &error) != PD_CORRUPT)
        fail_msg("%s %s: restored (%s)", path, what, error.text);
    assert_true(error.text[0] != '\0');
}

/* The file is a hard link of the live store's: what is damaged is a copy in its place. */
static void own_copy(const char *path, const char *kept)
{
    pd_error_t error = {.text = ""};

    assert_int_equal(rename(path, kept), 0);
    if (pdi_file_link_or_copy(kept, path, false, &error) != PD_OK)
        fail_msg("%s", error.text);
}

static pd_status_t wreck_file(void *ctx, const char *name, pd_error_t *error)
{
    wrecking_t *wrecking = ctx;
    char path[2 * PATH_SIZE], kept[PATH_SIZE + 8];
    struct stat stat_of;

    snprintf(path, sizeof(path), "%s/%s", wrecking->directory, name);
    snprintf(kept, sizeof(kept), "%s/kept", wrecking->scene->root);
    assert_int_equal(stat(path, &stat_of), 0);
    own_copy(path, kept);
    if (stat_of.st_size > 0) {
        damage(path, (size_t)stat_of.st_size / 2);
        assert_refused(wrecking, "with a byte altered", path);
        assert_int_equal(truncate(path, stat_of.st_size - 1), 0);
        assert_refused(wrecking, "cut", path);
    }
    assert_int_equal(unlink(path), 0);
    assert_refused(wrecking, "missing", path);
    assert_int_equal(rename(kept, path), 0);
    wrecking->files++;
    return PD_OK;
}

static void test_damaged_files(void **state)
{
    scene_t scene;
    wrecking_t wrecking = {.scene = &scene};
    pd_error_t error = {.text = ""};

    begin(&scene, NULL);
    advance(&scene);
    wrecking.entry = make(&scene);
    entry_file(&scene, &wrecking.entry, "state", wrecking.directory);
    assert_int_equal(pdi_directory_each(wrecking.directory, wreck_file, &wrecking, &error), PD_OK);
    assert_true(wrecking.files >= 4);
    if (restore(&scene, &wrecking.entry, &error) != PD_OK) /* it is whole again */
        fail_msg("%s", error.text);
    assert_restored(&scene, &scene.dump, wrecking.entry.offset);
    end(&scene);
}

/* A byte of the manifest altered anywhere: refused, or it was of no account. */
static void test_damaged_manifest(void **state)
{
    enum { STEP = 13 };
    scene_t scene;
    pd_snapshot_entry_t entry;
    char path[PATH_SIZE];
    struct stat stat_of;
    size_t refused = 0, tried = 0;

    begin(&scene, NULL);
    advance(&scene);
    entry = make(&scene);
    entry_file(&scene, &entry, "MANIFEST", path);
    assert_int_equal(stat(path, &stat_of), 0);
    for (size_t at = 0; at < (size_t)stat_of.st_size; at += STEP) {
        pd_error_t error = {.text = ""};
        pd_status_t status;

        damage(path, at);
        status = restore(&scene, &entry, &error);
        if (status == PD_OK)
            assert_restored(&scene, &scene.dump, entry.offset);
        else
            assert_true(status == PD_CORRUPT || status == PD_INVALID);
        refused += status != PD_OK;
        tried++;
        damage(path, at);
    }
    assert_true(refused > tried / 2);
    assert_int_equal(truncate(path, stat_of.st_size / 2), 0);
    assert_int_equal(restore(&scene, &entry, &(pd_error_t){0}), PD_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(restore(&scene, &entry, &(pd_error_t){0}), PD_CORRUPT);
    end(&scene);
}

/* Somebody else's, under our name. */
static void test_foreign_snapshots(void **state)
{
    scene_t scene;
    pd_snapshot_entry_t entry, renamed;
    pd_snapshot_place_t other;
    char from[PATH_SIZE], to[PATH_SIZE];
    pd_error_t error = {.text = ""};

    begin(&scene, NULL);
    advance(&scene);
    entry = make(&scene);
    renamed = (pd_snapshot_entry_t){entry.epoch, entry.offset + 1};
    entry_file(&scene, &entry, "", from);
    entry_file(&scene, &renamed, "", to);
    from[strlen(from) - 1] = to[strlen(to) - 1] = '\0';
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(restore(&scene, &renamed, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, "another offset"));
    assert_int_equal(rename(to, from), 0);
    other = scene.place;
    other.partition = 4;
    snprintf(from, sizeof(from), "%s/blue/3", scene.snapshots);
    snprintf(to, sizeof(to), "%s/blue/4", scene.snapshots);
    assert_int_equal(rename(from, to), 0);
    scene.place = other;
    assert_int_equal(restore(&scene, &entry, &error), PD_INVALID);
    assert_non_null(strstr(error.text, "cluster blue, partition 3"));
    snprintf(from, sizeof(from), "%s/blue", scene.snapshots);
    snprintf(to, sizeof(to), "%s/green", scene.snapshots);
    assert_int_equal(rename(from, to), 0);
    scene.place.cluster = "green";
    assert_int_equal(restore(&scene, &entry, &error), PD_INVALID);
    scene.place.cluster = "../green";
    assert_int_equal(restore(&scene, &entry, &error), PD_INVALID);
    end(&scene);
}

/* ---- keeping, cleaning, failing ---- */

static void test_prune_keeps_the_newest_good_ones(void **state)
{
    scene_t scene;
    pd_snapshot_entry_t entries[4];
    pd_snapshot_list_t list;
    char path[PATH_SIZE];
    pd_error_t error = {.text = ""};

    begin(&scene, NULL);
    for (int i = 0; i < 4; i++) {
        advance(&scene);
        entries[i] = make(&scene);
    }
    entry_file(&scene, &entries[3], "MANIFEST", path);
    assert_int_equal(unlink(path), 0); /* the newest is no good */
    assert_int_equal(pd_snapshot_prune(&scene.place, 2, &error), PD_OK);
    assert_int_equal(pd_snapshot_list(&scene.place, &list, &error), PD_OK);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.entries[0].offset, entries[3].offset);
    assert_int_equal(list.entries[1].offset, entries[2].offset);
    assert_int_equal(list.entries[2].offset, entries[1].offset);
    assert_int_equal(restore(&scene, &entries[0], &error), PD_CORRUPT);
    if (restore(&scene, &entries[2], &error) != PD_OK)
        fail_msg("%s", error.text);
    pd_snapshot_list_free(&list);
    end(&scene);
}

static bool exists(const char *path)
{
    struct stat stat_of;

    return stat(path, &stat_of) == 0;
}

static void test_unfinished_ones_are_cleaned(void **state)
{
    scene_t scene;
    pd_snapshot_list_t list;
    char mine[PATH_SIZE + 64], others[PATH_SIZE + 64], restoring[PATH_SIZE + 64];
    pd_error_t error = {.text = ""};

    begin(&scene, NULL);
    snprintf(mine, sizeof(mine), "%s/blue/3/.tmp-a-12345-0", scene.snapshots);
    snprintf(others, sizeof(others), "%s/blue/3/.tmp-a-b-12345-0", scene.snapshots);
    snprintf(restoring, sizeof(restoring), "%s.restoring/x", scene.store_path);
    assert_int_equal(pdi_directory_make(mine, &error), PD_OK);
    assert_int_equal(pdi_directory_make(others, &error), PD_OK);
    assert_int_equal(pdi_directory_make(restoring, &error), PD_OK);
    assert_int_equal(pd_snapshot_list(&scene.place, &list, &error), PD_OK);
    assert_int_equal(list.count, 0);
    pd_snapshot_clean(&scene.place, scene.store_path);
    assert_false(exists(mine));
    assert_true(exists(others));
    assert_false(exists(restoring));
    assert_true(exists(scene.store_path));
    end(&scene);
}

/* The file system takes no more: nothing is left behind, the store goes on, a later one works. */
static void test_disk_full(void **state)
{
    scene_t scene;
    pd_snapshot_entry_t entry;
    pd_snapshot_list_t list;
    struct rlimit limit, small;
    pd_error_t error = {.text = ""};
    pd_status_t status;

    begin(&scene, NULL);
    advance(&scene);
    entry = make(&scene); /* RocksDB's memory is in files now: only the snapshot's are written */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 16;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    status = try_make(&scene, &entry, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, PD_IO);
    assert_int_equal(pd_snapshot_list(&scene.place, &list, &error), PD_OK);
    assert_int_equal(list.count, 1);
    pd_snapshot_list_free(&list);
    advance(&scene);
    entry = make(&scene);
    if (restore(&scene, &entry, &error) != PD_OK)
        fail_msg("%s", error.text);
    assert_restored(&scene, &scene.dump, entry.offset);
    end(&scene);
}

static void set_aside_at(scene_t *scene, int64_t ms)
{
    pd_error_t error = {.text = ""};

    assert_int_equal(pdi_directory_make(scene->restored_path, &error), PD_OK);
    if (pd_snapshot_set_aside(scene->restored_path, ms * 1000000, &error) != PD_OK)
        fail_msg("%s", error.text);
    assert_false(exists(scene->restored_path));
}

static bool is_aside(const scene_t *scene, const char *suffix)
{
    char path[PATH_SIZE + 64];

    snprintf(path, sizeof(path), "%s.aside-%s", scene->restored_path, suffix);
    return exists(path);
}

/* The newest two are kept, by their times; what merely has a similar name is nobody's business. */
static void test_set_aside(void **state)
{
    scene_t scene;
    char other[PATH_SIZE + 64];
    pd_error_t error = {.text = ""};

    begin(&scene, NULL);
    snprintf(other, sizeof(other), "%s.aside-5-notes", scene.restored_path);
    assert_int_equal(pdi_directory_make(other, &error), PD_OK);
    set_aside_at(&scene, 7);
    assert_true(is_aside(&scene, "7"));
    set_aside_at(&scene, 100);
    assert_true(is_aside(&scene, "7"));
    set_aside_at(&scene, 20);
    assert_false(is_aside(&scene, "7"));
    assert_true(is_aside(&scene, "20"));
    assert_true(is_aside(&scene, "100"));
    set_aside_at(&scene, 101);
    assert_false(is_aside(&scene, "20"));
    assert_true(is_aside(&scene, "100"));
    assert_true(is_aside(&scene, "101"));
    assert_true(exists(other));
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_and_restore),
        cmocka_unit_test(test_across_file_systems),
        cmocka_unit_test(test_nothing_to_put_aside),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_damaged_manifest),
        cmocka_unit_test(test_foreign_snapshots),
        cmocka_unit_test(test_prune_keeps_the_newest_good_ones),
        cmocka_unit_test(test_unfinished_ones_are_cleaned),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_set_aside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
