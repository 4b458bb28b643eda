/* test_embedded.c -- the embedded log beyond the contract: locks, damage, SIGKILL, a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/os_clock.h"
#include "base/random.h"
#include "tests/unit/log/embedded_client.h"

enum { KILL_ROUNDS = 12, ACKS_MAX = 4 * 1000 * 1000 };

static pd_random_t dice;
static char directory[256];

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
    return remove(path);
}

static int setup(void **state)
{
    const char *parent = getenv("TMPDIR");

    snprintf(directory, sizeof(directory), "%s/pd-embedded-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
    umount(directory); /* what a failed test of the full disk has left */
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void count_one(void *ctx, const pd_log_record_t *record)
{
    ++*(uint64_t *)ctx;
}

static uint64_t count_records(client_t *client, uint32_t partition)
{
    uint64_t count = 0;

    assert_int_equal(client_read(client, partition, PD_LOG_FIRST, count_one, &count), PD_OK);
    return count;
}

/* Opening. */

static void partition_counts_are_fixed(void **state)
{
    pd_log_embedded_options_t options = {.directory = directory};
    pd_log_t *log;
    pd_error_t error;

    assert_int_equal(pd_log_embedded_open(&options, &log, &error), PD_NOT_FOUND);
    assert_non_null(strstr(error.text, directory));
    options.partition_counts[PD_LOG_EVENTS] = 4;
    assert_int_equal(pd_log_embedded_open(&options, &log, &error), PD_OK);
    pd_log_close(log);
    options.partition_counts[PD_LOG_EVENTS] = 5;
    assert_int_equal(pd_log_embedded_open(&options, &log, &error), PD_INVALID);
    assert_non_null(strstr(error.text, "4 partitions"));
    options.partition_counts[PD_LOG_EVENTS] = 0; /* what is there */
    assert_int_equal(pd_log_embedded_open(&options, &log, &error), PD_OK);
    assert_int_equal(log->info.partition_counts[PD_LOG_EVENTS], 4);
    pd_log_close(log);
}

static void options_are_checked(void **state)
{
    pd_log_embedded_options_t options = {.directory = "", .partition_counts = {1, 0, 0, 0}};
    pd_log_t *log;
    pd_error_t error;

    assert_int_equal(pd_log_embedded_open(&options, &log, &error), PD_INVALID);
    options.directory = directory;
    options.record_size_max = PD_LOG_EMBEDDED_RECORD_SIZE_MAX + 1;
    assert_int_equal(pd_log_embedded_open(&options, &log, &error), PD_INVALID);
    options.record_size_max = 0;
    options.partition_counts[PD_LOG_REJECTED] = PD_LOG_EMBEDDED_PARTITIONS_MAX + 1;
    assert_int_equal(pd_log_embedded_open(&options, &log, &error), PD_INVALID);
    options.partition_counts[PD_LOG_REJECTED] = 0;
    options.directory = "/proc/no/such/place";
    assert_int_equal(pd_log_embedded_open(&options, &log, &error), PD_IO);
    assert_non_null(strstr(error.text, "/proc/no/such/place"));
}

static void read_only_needs_no_lock(void **state)
{
    pd_log_embedded_options_t options = {.directory = directory, .read_only = true};
    client_t client, reader = {0};
    pd_log_writer_t *writer;
    pd_log_handle_options_t handle = {.topic = PD_LOG_EVENTS};
    static const pd_loop_event_options_t loop_options = {.name = "reader", .mailbox_count = 16};

    assert_int_equal(client_open(&client, directory), PD_OK);
    for (int i = 0; i < 20; i++)
        assert_int_equal(client_append(&client, 1, pd_bytes_str("value"), NULL), PD_OK);
    assert_int_equal(pd_log_embedded_open(&options, &reader.log, &reader.error), PD_OK);
    reader.loop_event = pd_loop_event_new(&loop_options);
    assert_int_equal(count_records(&reader, 1), 20);
    handle.loop = pd_loop_event_loop(reader.loop_event);
    assert_int_equal(pd_log_open_writer(reader.log, &handle, &writer, &reader.error), PD_INVALID);
    client_close(&reader);
    assert_int_equal(client_append(&client, 1, pd_bytes_str("value"), NULL), PD_OK);
    client_close(&client);
}

/* Another process. */

typedef struct child {
    pid_t pid;
    int pipe; /* its acknowledgements */
} child_t;

static child_t run_child(uint64_t first_number)
{
    child_t child;
    int fds[2];
    char number[32];

    snprintf(number, sizeof(number), "%llu", (unsigned long long)first_number);
    PD_ASSERT(pipe(fds) == 0);
    child.pid = fork();
    PD_ASSERT(child.pid >= 0);
    if (child.pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execl("/proc/self/exe", "client", "--client", directory, number, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    child.pipe = fds[0];
    return child;
}

/* Reads acknowledgements until the time is over and there is one at least, then kills and drains.
 */
static uint64_t collect_and_kill(child_t child, ack_t *acks, uint64_t count, int64_t for_ns)
{
    int64_t end_ns = pd_os_monotonic_ns() + for_ns;
    size_t size = 0;
    bool killed = false;
    ssize_t got;

    acks += count;
    do {
        struct pollfd wait = {.fd = child.pipe, .events = POLLIN};

        if (!killed && size > 0 && pd_os_monotonic_ns() >= end_ns) {
            killed = true;
            PD_ASSERT(kill(child.pid, SIGKILL) == 0);
        }
        if (!killed && poll(&wait, 1, 2) == 0)
            continue;
        got = read(child.pipe, (char *)acks + size, (ACKS_MAX - count) * sizeof(ack_t) - size);
        PD_ASSERT(got >= 0);
        size += (size_t)got;
        if (got == 0)
            break;
    } while (true);
    close(child.pipe);
    PD_ASSERT(waitpid(child.pid, NULL, 0) == child.pid);
    assert_true(killed); /* else it ended by itself */
    return count + size / sizeof(ack_t);
}

static void a_second_process_is_refused(void **state)
{
    ack_t *acks = pd_calloc(ACKS_MAX, sizeof(ack_t));
    child_t child = run_child(0);
    struct pollfd wait = {.fd = child.pipe, .events = POLLIN};
    client_t client;

    assert_int_equal(poll(&wait, 1, 60000), 1);
    assert_int_equal(client_open(&client, directory), PD_LOCKED);
    assert_non_null(strstr(client.error.text, "is used by another process"));
    assert_non_null(strstr(client.error.text, directory));
    collect_and_kill(child, acks, 0, 0);
    assert_int_equal(client_open(&client, directory), PD_OK);
    client_close(&client);
    pd_free(acks);
}

typedef struct verification {
    uint64_t *numbers; /* by offset */
    uint64_t count;
    uint64_t capacity;
} verification_t;

static void verify_record(void *ctx, const pd_log_record_t *record)
{
    verification_t *verification = ctx;
    uint8_t expected[2048];
    uint64_t number;

    assert_true(record->value.size >= 8);
    memcpy(&number, record->value.data, 8);
    assert_int_equal(record->value.size, client_value(number, expected));
    assert_memory_equal(record->value.data, expected, record->value.size);
    assert_int_equal(record->offset, verification->count); /* no hole */
    if (verification->count > 0)
        assert_true(number > verification->numbers[verification->count - 1]);
    if (verification->count == verification->capacity) {
        verification->capacity = verification->capacity ? verification->capacity * 2 : 1024;
        verification->numbers =
            pd_realloc(verification->numbers, verification->capacity * sizeof(uint64_t));
    }
    verification->numbers[verification->count++] = number;
}

/* Everything acknowledged so far is where it was said to be. The number to go on with. */
static uint64_t verify(const ack_t *acks, uint64_t count)
{
    uint64_t next_number = 0;
    client_t client;

    assert_int_equal(client_open(&client, directory), PD_OK);
    for (uint32_t i = 0; i < CLIENT_PARTITIONS; i++) {
        verification_t verification = {0};

        assert_int_equal(client_read(&client, i, PD_LOG_FIRST, verify_record, &verification),
                         PD_OK);
        for (uint64_t j = 0; j < count; j++) {
            if (acks[j].partition != i)
                continue;
            assert_true((uint64_t)acks[j].offset < verification.count);
            assert_true(verification.numbers[acks[j].offset] == acks[j].number);
        }
        if (verification.count > 0 && verification.numbers[verification.count - 1] >= next_number)
            next_number = verification.numbers[verification.count - 1] + 1;
        pd_free(verification.numbers);
    }
    client_close(&client);
    return next_number;
}

static void sigkill_loses_nothing_acknowledged(void **state)
{
    const char *text = getenv("PD_ROUNDS");
    int round_count = text ? atoi(text) : KILL_ROUNDS;
    ack_t *acks = pd_calloc(ACKS_MAX, sizeof(ack_t));
    uint64_t count = 0, next_number = 0;

    for (int round = 0; round < round_count && count < ACKS_MAX / 2; round++) {
        int64_t for_ns = (int64_t)pd_random_below(&dice, 150 * 1000000);

        count = collect_and_kill(run_child(next_number), acks, count, for_ns);
        next_number = verify(acks, count);
    }
    printf("%llu acknowledged records in %d rounds\n", (unsigned long long)count, round_count);
    pd_free(acks);
}

/* Damage. */

static void append_some(int count)
{
    static uint8_t value[1000];
    client_t client;

    memset(value, 'v', sizeof(value));
    assert_int_equal(client_open(&client, directory), PD_OK);
    for (int i = 0; i < count; i++)
        assert_int_equal(client_append(&client, 0, pd_bytes(value, sizeof(value)), NULL), PD_OK);
    client_close(&client);
}

/* The WAL that holds what was appended last: the only .log file that is not empty. */
static void find_wal(char path[512], size_t *size)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    struct stat stat_of;

    *size = 0;
    PD_ASSERT(dir);
    while ((entry = readdir(dir))) {
        size_t length = strlen(entry->d_name);
        char candidate[512];

        if (length < 5 || strcmp(entry->d_name + length - 4, ".log"))
            continue;
        snprintf(candidate, sizeof(candidate), "%.200s/%.200s", directory, entry->d_name);
        PD_ASSERT(stat(candidate, &stat_of) == 0);
        if (stat_of.st_size > 0) {
            PD_ASSERT(*size == 0);
            *size = (size_t)stat_of.st_size;
            memcpy(path, candidate, sizeof(candidate));
        }
    }
    closedir(dir);
    PD_ASSERT(*size > 0);
}

static void a_torn_tail_is_cut(void **state)
{
    char path[512];
    size_t size;
    client_t client;
    int64_t offset;

    append_some(10);
    find_wal(path, &size);
    assert_int_equal(truncate(path, (off_t)size - 100), 0); /* the tenth, never acknowledged */
    assert_int_equal(client_open(&client, directory), PD_OK);
    assert_int_equal(count_records(&client, 0), 9);
    assert_int_equal(client_append(&client, 0, pd_bytes_str("value"), &offset), PD_OK);
    assert_int_equal(offset, 9);
    client_close(&client);
}

static void damage_in_the_middle_is_refused(void **state)
{
    char path[512];
    size_t size;
    client_t client;
    int fd;

    append_some(10);
    find_wal(path, &size);
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "damage", 6, (off_t)size / 2), 6);
    close(fd);
    assert_int_equal(client_open(&client, directory), PD_CORRUPT);
    assert_non_null(strstr(client.error.text, directory));
    assert_non_null(strstr(client.error.text, "damaged"));
}

/* A full disk. */

static void a_full_disk_stops_the_log(void **state)
{
    static uint8_t value[64 * 1024];
    uint64_t acknowledged_count = 0;
    pd_status_t status;
    client_t client;

    if (mount("tmpfs", directory, "tmpfs", 0, "size=12m") != 0) {
        printf("SKIPPED: a full disk needs a small tmpfs, and mounting is not allowed here\n");
        skip();
    }
    assert_int_equal(client_open(&client, directory), PD_OK);
    memset(value, 'v', sizeof(value));
    do {
        status = client_append(&client, 0, pd_bytes(value, sizeof(value)), NULL);
        acknowledged_count += status == PD_OK;
    } while (status == PD_OK && acknowledged_count < 1000);
    assert_int_equal(status, PD_IO);
    assert_non_null(strstr(client.error.text, "the disk is full"));
    assert_int_equal(client_append(&client, 1, pd_bytes_str("v"), NULL), PD_IO);
    assert_int_equal(count_records(&client, 0), acknowledged_count); /* reading goes on */
    client_close(&client);
    for (int i = 0; i < 5; i++) { /* still full: either way, but with a reason */
        status = client_open(&client, directory);
        if (status == PD_OK)
            client_close(&client);
        else
            assert_non_null(strstr(client.error.text, "the disk is full"));
    }
    assert_int_equal(mount("tmpfs", directory, "tmpfs", MS_REMOUNT, "size=200m"), 0);
    assert_int_equal(client_open(&client, directory), PD_OK);
    assert_in_range(count_records(&client, 0), acknowledged_count, acknowledged_count + 1);
    assert_int_equal(client_append(&client, 0, pd_bytes_str("v"), NULL), PD_OK);
    client_close(&client);
    assert_int_equal(umount(directory), 0);
}

static void a_lone_caller_is_not_kept_waiting(void **state)
{
    pd_log_embedded_stats_t stats;
    client_t client;

    assert_int_equal(client_open(&client, directory), PD_OK);
    for (int i = 0; i < 50; i++)
        assert_int_equal(client_append(&client, 0, pd_bytes_str("v"), NULL), PD_OK);
    pd_log_embedded_stats(client.log, &stats);
    assert_int_equal(stats.record_count, 50);
    assert_int_equal(stats.commit_count, 50);
    client_close(&client);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(partition_counts_are_fixed, setup, teardown),
        cmocka_unit_test_setup_teardown(options_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(read_only_needs_no_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_process_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(sigkill_loses_nothing_acknowledged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_in_the_middle_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_stops_the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lone_caller_is_not_kept_waiting, setup, teardown),
    };
    const char *text = argc > 2 && !strcmp(argv[1], "--seed") ? argv[2] : getenv("PD_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : pd_os_entropy() % 1000000000;

    if (argc == 4 && !strcmp(argv[1], "--client"))
        return client_main(argv[2], strtoull(argv[3], NULL, 10));
    printf("PD_SEED=%llu\n", (unsigned long long)seed);
    pd_random_init(&dice, seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
