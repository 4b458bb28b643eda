/* commit.c -- the commit thread: everything that waits, of all partitions, in one synced write.
 *
 * When to commit. A synced write costs some hundred microseconds of wall time and tens of CPU, a
 * record in it hardly anything, so company is worth waiting for, but only if it comes: a single
 * caller who waits for each completion must never be delayed. So: when the previous commit had more
 * than a couple of records, sleep in short slices as long as each slice brings a good part
 * of what is there already, for at most gather_max_ns. With a steady stream that ends by itself
 * after a few slices; a closed loop of N callers is complete, and committed, as soon as all N are
 * back. */
#include <errno.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/diag.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "log/embedded/embedded_private.h"

enum {
    ENTRY_SIZE_MAX = 256 * 1024,       /* a new entry begins behind this */
    COMMIT_SIZE_MAX = 8 * 1024 * 1024, /* what is beyond waits for the next commit */
    GATHER_SLICE_NS = 40 * 1000,
    GATHER_COUNT_MIN = 3,  /* a previous commit with fewer records: nobody to wait for */
    IDLE_NS = 1000 * 1000, /* nothing came for so long: what was before tells nothing */
    GATHER_GAIN = 6,       /* go on while a slice brings at least one in so many */
};

/* Appends taken from the inbox, oldest first. */
typedef struct queue {
    pd_log_append_t *first;
    pd_log_append_t *last;
    uint64_t count;
    uint64_t size;
} queue_t;

/* One commit under way. */
typedef struct commit {
    pdi_partition_t *partitions; /* touched */
    pdi_port_t *ports;           /* touched */
    uint64_t record_count;
    uint64_t size;
} commit_t;

void pdi_commit_push(pdi_db_t *db, pd_log_append_t *append)
{
    pd_log_append_t *head = atomic_load_explicit(&db->inbox, memory_order_relaxed);

    do {
        append->next = head;
    } while (!atomic_compare_exchange_weak(&db->inbox, &head, append));
    if (atomic_load(&db->asleep) && atomic_exchange(&db->asleep, false))
        PD_ASSERT(sem_post(&db->inbox_filled) == 0);
}

static void take(pdi_db_t *db, queue_t *queue)
{
    pd_log_append_t *append = atomic_exchange(&db->inbox, NULL);
    pd_log_append_t *first = NULL, *last = append;

    while (append) {
        pd_log_append_t *next = append->next;

        append->next = first;
        first = append;
        queue->count++;
        queue->size += append->key.size + append->value.size;
        append = next;
    }
    if (!first)
        return;
    if (queue->last)
        queue->last->next = first;
    else
        queue->first = first;
    queue->last = last;
}

static void sleep_ns(int64_t ns)
{
    struct timespec wait = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

    while (nanosleep(&wait, &wait) != 0)
        PD_ASSERT(errno == EINTR);
}

/* Waits for the inbox to be filled, or for the stop. For how long. */
static int64_t wait_for_appends(pdi_db_t *db)
{
    int64_t begin_ns = pd_os_monotonic_ns();

    atomic_store(&db->asleep, true);
    if ((atomic_load(&db->inbox) || atomic_load(&db->stopping)) &&
        atomic_exchange(&db->asleep, false))
        return 0;
    while (sem_wait(&db->inbox_filled) != 0)
        PD_ASSERT(errno == EINTR);
    return pd_os_monotonic_ns() - begin_ns;
}

static void gather(pdi_db_t *db, queue_t *queue)
{
    int64_t end_ns = pd_os_monotonic_ns() + db->gather_max_ns;
    uint64_t before;

    do {
        before = queue->count;
        sleep_ns(GATHER_SLICE_NS);
        take(db, queue);
    } while ((queue->count - before) * GATHER_GAIN >= queue->count &&
             queue->size < COMMIT_SIZE_MAX && pd_os_monotonic_ns() < end_ns);
}

static void put_entry(pdi_db_t *db, commit_t *commit, pdi_partition_t *partition)
{
    pdi_key_t key = {partition->topic, partition->partition, partition->entry_offset};
    uint8_t key_bytes[PDI_KEY_SIZE];
    pd_bytes_t entry = pdi_builder_take(&partition->builder);

    pdi_key_encode(&key, key_bytes);
    rocksdb_writebatch_put(db->batch, (const char *)key_bytes, sizeof(key_bytes),
                           (const char *)entry.data, entry.size);
    commit->size += entry.size;
}

static void encode(pdi_db_t *db, commit_t *commit, pd_log_append_t *append)
{
    pdi_partition_t *partition = ((pdi_writer_t *)append->writer)->partition;

    if (!partition->touched) {
        partition->touched = true;
        partition->next_touched = commit->partitions;
        commit->partitions = partition;
    }
    if (partition->builder.count == 0)
        partition->entry_offset = partition->next_offset;
    pdi_builder_add(&partition->builder, append->time_ms, append->key, append->value);
    append->offset = partition->next_offset++;
    commit->record_count++;
    if (partition->builder.size >= ENTRY_SIZE_MAX)
        put_entry(db, commit, partition);
}

/* Moves what fits into one commit out of the queue into the batch, and every append onto the list
 * of its port. */
static void fill(pdi_db_t *db, commit_t *commit, queue_t *queue)
{
    bool failed = atomic_load(&db->failed) != PD_OK;
    uint64_t size = 0;

    while (queue->first && size < COMMIT_SIZE_MAX) {
        pd_log_append_t *append = queue->first;
        pdi_port_t *port = ((pdi_writer_t *)append->writer)->port;

        queue->first = append->next;
        if (!queue->first)
            queue->last = NULL;
        queue->count--;
        size += append->key.size + append->value.size;
        queue->size -= append->key.size + append->value.size;
        append->next = NULL;
        if (append->private_number == PDI_SKIP)
            append->status = PD_CANCELED;
        else if (failed)
            append->status = PD_IO;
        else
            encode(db, commit, append);
        if (!port->touched) {
            port->touched = true;
            port->next_touched = commit->ports;
            commit->ports = port;
        }
        if (port->commit_last)
            port->commit_last->next = append;
        else
            port->commit_first = append;
        port->commit_last = append;
    }
    for (pdi_partition_t *partition = commit->partitions; partition;
         partition = partition->next_touched) {
        if (partition->builder.count > 0)
            put_entry(db, commit, partition);
    }
}

static bool countdown(_Atomic(uint32_t) *counter)
{
    uint32_t left = atomic_load(counter);

    return left > 0 && atomic_compare_exchange_strong(counter, &left, left - 1) && left == 1;
}

static void fail(pdi_db_t *db, pd_status_t status)
{
    db->failure.status = status;
    atomic_store(&db->failed, (int)status);
    PD_DIAG(PD_DIAG_ERROR, "log failed", "directory=%s status=%s reason=\"%s\"", db->directory,
            pd_status_name(status), db->failure.text);
}

/* Writes the batch. What every record of it is to be told. */
static pd_status_t write_batch(pdi_db_t *db, const commit_t *commit)
{
    uint64_t delay_ns = atomic_load_explicit(&db->commit_delay_ns, memory_order_relaxed);
    pd_status_t status = PD_OK;
    char *text = NULL;

    if (delay_ns > 0)
        sleep_ns((int64_t)delay_ns);
    if (countdown(&db->fail_after_commits))
        text = pd_strdup("IO error: No space left on device (injected)");
    else
        rocksdb_write(db->rocks, db->write_options, db->batch, &text);
    if (text) {
        status = pdi_rocks_error(&db->failure, "cannot write to log", db->directory, text);
        /* Whatever it was, these records may be found when the log is opened again. */
        status = status == PD_CORRUPT ? PD_CORRUPT : PD_IO;
        fail(db, status);
        return status;
    }
    atomic_fetch_add_explicit(&db->commit_count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->record_count, commit->record_count, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->byte_count, commit->size, memory_order_relaxed);
    return countdown(&db->unknown_after_commits) ? PD_UNKNOWN_OUTCOME : PD_OK;
}

static void set_status(pdi_port_t *port, pd_status_t status)
{
    for (pd_log_append_t *append = port->commit_first; append; append = append->next) {
        if (append->status == PD_OK)
            append->status = status;
    }
}

static void settle(pdi_db_t *db, commit_t *commit, pd_status_t status)
{
    bool landed = status == PD_OK || status == PD_UNKNOWN_OUTCOME;

    for (pdi_partition_t *partition = commit->partitions; partition;
         partition = partition->next_touched) {
        PD_ASSERT(partition->next_offset > atomic_load(&partition->durable_end));
        partition->touched = false;
        if (landed)
            atomic_store(&partition->durable_end, partition->next_offset);
    }
    if (landed && atomic_load(&db->waiting_count) > 0)
        pdi_read_wake(db);
    while (commit->ports) {
        pdi_port_t *port = commit->ports;
        pd_log_append_t *first = port->commit_first, *last = port->commit_last;

        commit->ports = port->next_touched;
        if (status != PD_OK)
            set_status(port, status);
        port->touched = false;
        port->commit_first = port->commit_last = NULL;
        pdi_port_complete_appends(port, first, last);
    }
}

/* The number of records that went into it. */
static uint64_t commit_once(pdi_db_t *db, queue_t *queue)
{
    commit_t commit = {0};
    pd_status_t status = PD_OK;

    rocksdb_writebatch_clear(db->batch);
    fill(db, &commit, queue);
    if (commit.record_count > 0)
        status = write_batch(db, &commit);
    settle(db, &commit, status);
    return commit.record_count;
}

static void *thread_main(void *ctx)
{
    pdi_db_t *db = ctx;
    queue_t queue = {0};
    uint64_t previous_count = 0;

    pthread_setname_np(pthread_self(), "log-commit");
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL); /* ns: slices are short */
    for (;;) {
        take(db, &queue);
        if (!queue.first) {
            if (atomic_load(&db->stopping))
                return NULL;
            if (wait_for_appends(db) > IDLE_NS)
                previous_count = 0;
            continue;
        }
        if (previous_count >= GATHER_COUNT_MIN && db->gather_max_ns > 0 &&
            queue.size < COMMIT_SIZE_MAX)
            gather(db, &queue);
        previous_count = commit_once(db, &queue);
    }
}

void pdi_commit_start(pdi_db_t *db)
{
    db->batch = rocksdb_writebatch_create();
    PD_ASSERT(sem_init(&db->inbox_filled, 0, 0) == 0);
    PD_ASSERT(pthread_create(&db->commit_thread, NULL, thread_main, db) == 0);
}

void pdi_commit_stop(pdi_db_t *db)
{
    atomic_store(&db->stopping, true);
    if (atomic_exchange(&db->asleep, false))
        PD_ASSERT(sem_post(&db->inbox_filled) == 0);
    PD_ASSERT(pthread_join(db->commit_thread, NULL) == 0);
    PD_ASSERT(!atomic_load(&db->inbox));
    sem_destroy(&db->inbox_filled);
    rocksdb_writebatch_destroy(db->batch);
}
