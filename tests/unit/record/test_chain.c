/* The reader's rule, in interleavings of owners, stale owners and lost records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "log/record/chain.h"
#include "tests/unit/record/filler.h"

static uint64_t seed;

static pd_chain_record_t owner_changed(int64_t offset)
{
    return (pd_chain_record_t){
        .offset = offset, .is_owner_changed = true, .bytes = pd_bytes_str("owner")};
}

static pd_chain_record_t transition(int64_t offset, int64_t epoch, const uint8_t *prev_hash,
                                    const char *body)
{
    return (pd_chain_record_t){.offset = offset,
                               .epoch = epoch,
                               .prev_hash = pd_bytes(prev_hash, PD_RECORD_HASH_SIZE),
                               .bytes = pd_bytes_str(body)};
}

static pd_chain_verdict_t feed(pd_chain_t *chain, pd_chain_record_t record)
{
    return pd_chain_feed(chain, &record);
}

static void test_hash_is_sha256(void **state)
{
    uint8_t prev[PD_RECORD_HASH_SIZE] = {1, 2, 3};
    uint8_t joined[PD_RECORD_HASH_SIZE + 5];
    uint8_t expected[PD_RECORD_HASH_SIZE];
    uint8_t hash[PD_RECORD_HASH_SIZE];
    unsigned size = 0;

    memcpy(joined, prev, sizeof(prev));
    memcpy(joined + sizeof(prev), "hello", 5);
    assert_int_equal(EVP_Digest(joined, sizeof(joined), expected, &size, EVP_sha256(), NULL), 1);
    pd_record_hash(prev, pd_bytes("hello", 5), hash);
    assert_memory_equal(hash, expected, sizeof(hash));
    pd_record_hash(prev, pd_bytes("hello", 5), prev); /* in place */
    assert_memory_equal(prev, expected, sizeof(prev));
}

static void test_nothing_counts_without_owner(void **state)
{
    uint8_t zero[PD_RECORD_HASH_SIZE] = {0};
    pd_chain_t chain;

    pd_chain_init(&chain);
    assert_int_equal(feed(&chain, transition(0, -1, zero, "a")), PD_CHAIN_VOID_NO_OWNER);
    assert_int_equal(feed(&chain, transition(1, 0, zero, "a")), PD_CHAIN_VOID_NO_OWNER);
    assert_int_equal(chain.offset, -1);
    assert_int_equal(chain.void_count, 2);
    assert_int_equal(feed(&chain, owner_changed(2)), PD_CHAIN_COUNTS);
    assert_int_equal(chain.epoch, 2);
    assert_int_equal(chain.offset, 2);
}

static void test_owner_writes_on(void **state)
{
    pd_chain_t chain;

    pd_chain_init(&chain);
    assert_int_equal(feed(&chain, owner_changed(0)), PD_CHAIN_COUNTS);
    for (int64_t offset = 1; offset < 10; offset++) {
        pd_chain_t before = chain;

        assert_int_equal(feed(&chain, transition(offset, 0, chain.hash, "x")), PD_CHAIN_COUNTS);
        assert_int_equal(chain.offset, offset);
        assert_memory_not_equal(chain.hash, before.hash, sizeof(chain.hash));
    }
    assert_int_equal(chain.count, 10);
}

/* A deposed owner goes on in its own world: hashes right for it, epoch old. All of it is void. */
static void test_stale_owner_is_void(void **state)
{
    pd_chain_t chain;
    pd_chain_t stale;

    pd_chain_init(&chain);
    assert_int_equal(feed(&chain, owner_changed(0)), PD_CHAIN_COUNTS);
    assert_int_equal(feed(&chain, transition(1, 0, chain.hash, "a")), PD_CHAIN_COUNTS);
    stale = chain;
    assert_int_equal(feed(&chain, owner_changed(2)), PD_CHAIN_COUNTS);
    for (int64_t offset = 3; offset < 6; offset++) {
        pd_chain_t before = chain;
        pd_chain_record_t record = transition(offset, 0, stale.hash, "b");

        assert_int_equal(pd_chain_feed(&chain, &record), PD_CHAIN_VOID_EPOCH);
        assert_memory_equal(chain.hash, before.hash, sizeof(chain.hash));
        assert_int_equal(chain.offset, 2);
        stale.next_offset = offset;
        assert_int_equal(pd_chain_feed(&stale, &record), PD_CHAIN_COUNTS);
    }
    assert_int_equal(feed(&chain, transition(6, 2, chain.hash, "c")), PD_CHAIN_COUNTS);
}

/* A record is lost in the pipeline; its successors arrive. They build on what is not there. */
static void test_hole_voids_the_rest(void **state)
{
    pd_chain_t chain;
    pd_chain_t writer;

    pd_chain_init(&chain);
    assert_int_equal(feed(&chain, owner_changed(0)), PD_CHAIN_COUNTS);
    writer = chain;
    assert_int_equal(feed(&writer, transition(1, 0, writer.hash, "lost")), PD_CHAIN_COUNTS);
    for (int64_t offset = 1; offset < 4; offset++) {
        pd_chain_record_t record = transition(offset, 0, writer.hash, "later");
        uint8_t hash[PD_RECORD_HASH_SIZE];

        memcpy(hash, writer.hash, sizeof(hash));
        record.prev_hash.data = hash;
        assert_int_equal(pd_chain_feed(&chain, &record), PD_CHAIN_VOID_HASH);
        record.offset++;
        assert_int_equal(pd_chain_feed(&writer, &record), PD_CHAIN_COUNTS);
    }
    assert_int_equal(chain.offset, 0);
    /* The successor takes over from what counts. */
    assert_int_equal(feed(&chain, owner_changed(7)), PD_CHAIN_COUNTS);
    assert_int_equal(feed(&chain, transition(8, 7, chain.hash, "new")), PD_CHAIN_COUNTS);
}

static void test_duplicate_is_void(void **state)
{
    pd_chain_record_t record;
    uint8_t hash[PD_RECORD_HASH_SIZE];
    pd_chain_t chain;

    pd_chain_init(&chain);
    assert_int_equal(feed(&chain, owner_changed(0)), PD_CHAIN_COUNTS);
    memcpy(hash, chain.hash, sizeof(hash));
    record = transition(1, 0, hash, "once");
    assert_int_equal(pd_chain_feed(&chain, &record), PD_CHAIN_COUNTS);
    record.offset = 2;
    assert_int_equal(pd_chain_feed(&chain, &record), PD_CHAIN_VOID_HASH);
}

static void test_wrong_hash_size(void **state)
{
    pd_chain_record_t record;
    pd_chain_t chain;

    pd_chain_init(&chain);
    assert_int_equal(feed(&chain, owner_changed(0)), PD_CHAIN_COUNTS);
    record = transition(1, 0, chain.hash, "short");
    record.prev_hash.size = PD_RECORD_HASH_SIZE - 1;
    assert_int_equal(pd_chain_feed(&chain, &record), PD_CHAIN_VOID_HASH);
    record.offset = 2;
    record.prev_hash = pd_bytes(NULL, 0);
    assert_int_equal(pd_chain_feed(&chain, &record), PD_CHAIN_VOID_HASH);
}

/* An owner that does not know yet whether it was deposed: the newest epoch it has seen, and the
 * chain as it would be if all that it wrote had arrived. */
enum { OWNERS = 3, STEPS = 400, RUNS = 300, LOG_MAX = STEPS };

typedef struct written {
    pd_chain_record_t record;
    uint8_t prev_hash[PD_RECORD_HASH_SIZE];
    char body[24];
} written_t;

typedef struct owner {
    bool is_owner;
    int64_t epoch;
    uint8_t hash[PD_RECORD_HASH_SIZE];
} owner_t;

static void append(written_t *log, int *count, pd_chain_record_t record, int nonce)
{
    written_t *entry = &log[*count];

    snprintf(entry->body, sizeof(entry->body), "record %d", nonce);
    entry->record = record;
    if (record.prev_hash.size > 0)
        memcpy(entry->prev_hash, record.prev_hash.data, sizeof(entry->prev_hash));
    entry->record.prev_hash = pd_bytes(entry->prev_hash, record.prev_hash.size);
    entry->record.offset = *count;
    entry->record.bytes = pd_bytes_str(entry->body);
    (*count)++;
}

/* What counts, by the letter of the rule: looking back over the whole log for each record. */
static int count_naively(const written_t *log, int count, uint8_t hash[PD_RECORD_HASH_SIZE])
{
    int64_t newest = -1;
    int counting = 0;

    memset(hash, 0, PD_RECORD_HASH_SIZE);
    for (int i = 0; i < count; i++) {
        const pd_chain_record_t *record = &log[i].record;

        if (!record->is_owner_changed &&
            (newest < 0 || record->epoch != newest ||
             memcmp(record->prev_hash.data, hash, PD_RECORD_HASH_SIZE) != 0))
            continue;
        if (record->is_owner_changed)
            newest = i;
        pd_record_hash(hash, record->bytes, hash);
        counting++;
    }
    return counting;
}

static int write_interleaved(pd_random_t *random, written_t *log)
{
    owner_t owners[OWNERS] = {{.is_owner = false}};
    pd_chain_t truth;
    int count = 0;

    pd_chain_init(&truth);
    for (int step = 0; step < STEPS; step++) {
        owner_t *owner = &owners[pd_random_below(random, OWNERS)];
        pd_chain_record_t record = {.is_owner_changed = false};
        bool is_lost = pd_random_chance(random, 1, 20);

        if (!owner->is_owner || pd_random_chance(random, 1, 15)) { /* takes the partition */
            record.is_owner_changed = true;
            append(log, &count, record, step);
            assert_int_equal(pd_chain_feed(&truth, &log[count - 1].record), PD_CHAIN_COUNTS);
            owner->is_owner = true;
            owner->epoch = truth.epoch;
            memcpy(owner->hash, truth.hash, sizeof(owner->hash));
            continue;
        }
        record.epoch = owner->epoch;
        record.prev_hash = pd_bytes(owner->hash, PD_RECORD_HASH_SIZE);
        append(log, &count, record, step);
        pd_record_hash(owner->hash, log[count - 1].record.bytes, owner->hash);
        if (is_lost) {
            count--;
            continue;
        }
        /* If it counts, the writer's own picture is the truth. */
        if (pd_chain_counts(pd_chain_feed(&truth, &log[count - 1].record)))
            assert_memory_equal(truth.hash, owner->hash, PD_RECORD_HASH_SIZE);
    }
    return count;
}

static void test_interleavings(void **state)
{
    static written_t log[LOG_MAX];
    pd_random_t random;

    pd_random_init(&random, seed);
    for (int run = 0; run < RUNS; run++) {
        int count = write_interleaved(&random, log);
        uint8_t hash[PD_RECORD_HASH_SIZE];
        pd_chain_t chain;

        pd_chain_init(&chain);
        for (int i = 0; i < count; i++)
            (void)pd_chain_feed(&chain, &log[i].record);
        assert_int_equal(chain.count, count_naively(log, count, hash));
        assert_int_equal(chain.count + chain.void_count, count);
        assert_memory_equal(chain.hash, hash, sizeof(hash));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_is_sha256),
        cmocka_unit_test(test_nothing_counts_without_owner),
        cmocka_unit_test(test_owner_writes_on),
        cmocka_unit_test(test_stale_owner_is_void),
        cmocka_unit_test(test_hole_voids_the_rest),
        cmocka_unit_test(test_duplicate_is_void),
        cmocka_unit_test(test_wrong_hash_size),
        cmocka_unit_test(test_interleavings),
    };

    seed = pd_filler_seed(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
