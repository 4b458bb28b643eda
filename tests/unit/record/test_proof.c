/* test_proof.c -- whatever is done to a log afterwards is found, and what happens to honest ones is
 * explained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/record/proof.h"

enum { RECORDS_MAX = 40 };

typedef struct entry {
    pd_chain_record_t record;
    uint8_t prev_hash[PD_RECORD_HASH_SIZE];
    char body[24];
    bool unreadable;
} entry_t;

typedef struct written {
    entry_t entries[RECORDS_MAX];
    int count;
    pd_chain_t owner; /* as the present owner sees it */
} written_t;

static void add(written_t *log, bool is_owner_changed, int64_t epoch,
                const uint8_t hash[PD_RECORD_HASH_SIZE])
{
    entry_t *entry = &log->entries[log->count];

    assert_true(log->count < RECORDS_MAX);
    memset(entry, 0, sizeof(*entry));
    snprintf(entry->body, sizeof(entry->body), "record %d", log->count);
    memcpy(entry->prev_hash, hash, sizeof(entry->prev_hash));
    entry->record.offset = log->count;
    entry->record.epoch = epoch;
    entry->record.is_owner_changed = is_owner_changed;
    log->count++;
}

/* Entries may have been moved: what they borrow is their own. */
static pd_chain_record_t record_of(entry_t *entry)
{
    pd_chain_record_t record = entry->record;

    record.bytes = pd_bytes_str(entry->body);
    record.prev_hash = pd_bytes(entry->prev_hash, sizeof(entry->prev_hash));
    return record;
}

static void owner_writes(written_t *log, bool is_owner_changed)
{
    pd_chain_record_t record;

    add(log, is_owner_changed, log->owner.epoch, log->owner.hash);
    record = record_of(&log->entries[log->count - 1]);
    assert_int_equal(pd_chain_feed(&log->owner, &record), PD_CHAIN_COUNTS);
}

static void honest(written_t *log)
{
    memset(log, 0, sizeof(*log));
    pd_chain_init(&log->owner);
    for (int owner = 0; owner < 3; owner++) {
        owner_writes(log, true);
        for (int i = 0; i < 4; i++)
            owner_writes(log, false);
    }
}

static pd_status_t judge(written_t *log, pd_proof_t *proof, pd_error_t *error)
{
    pd_proof_init(proof);
    for (int i = 0; i < log->count; i++) {
        pd_chain_record_t record = record_of(&log->entries[i]);

        if (log->entries[i].unreadable)
            pd_proof_feed_unreadable(proof, record.offset);
        else
            pd_proof_feed(proof, &record);
    }
    return pd_proof_end(proof, error);
}

static void assert_found(written_t *log, const char *what, int at)
{
    pd_proof_t proof;
    pd_error_t error = {.text = "nothing"};

    if (judge(log, &proof, &error) != PD_CORRUPT)
        fail_msg("%s of record %d was not found", what, at);
    if (proof.proven_offset > at)
        fail_msg("%s of record %d: %lld counts as proven", what, at,
                 (long long)proof.proven_offset);
}

static void test_honest_log_is_proven(void **state)
{
    written_t log;
    pd_proof_t proof;
    pd_error_t error;

    honest(&log);
    assert_int_equal(judge(&log, &proof, &error), PD_OK);
    assert_int_equal(proof.proven_offset, log.count - 2);
    assert_int_equal(proof.owner_count, 3);
    assert_int_equal(proof.chain.count, log.count);
}

static void test_altered_record_is_found(void **state)
{
    written_t log;

    honest(&log);
    for (int i = 0; i < log.count - 1; i++) {
        log.entries[i].body[0] ^= 1;
        assert_found(&log, "alteration", i);
        log.entries[i].body[0] ^= 1;
    }
}

static void test_altered_record_is_named(void **state)
{
    written_t log;
    pd_proof_t proof;
    pd_error_t error;

    honest(&log);
    log.entries[7].body[0] ^= 1;
    assert_int_equal(judge(&log, &proof, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, "record 7 was altered"));
    log.entries[7].body[0] ^= 1;
    log.entries[7].unreadable = true;
    assert_int_equal(judge(&log, &proof, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, "record 7 is unreadable"));
}

static void test_removed_record_is_found(void **state)
{
    for (int i = 0; i < 14; i++) {
        written_t log;

        honest(&log);
        memmove(&log.entries[i], &log.entries[i + 1],
                sizeof(log.entries[0]) * (size_t)(log.count - i - 1));
        log.count--;
        assert_found(&log, "removal", i);
    }
}

static void test_removed_beginning_is_named(void **state)
{
    written_t log;
    pd_proof_t proof;
    pd_error_t error = {.text = ""};

    honest(&log);
    memmove(&log.entries[0], &log.entries[1], sizeof(log.entries[0]) * (size_t)(log.count - 1));
    log.count--;
    assert_int_equal(judge(&log, &proof, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, "from 1 on do not chain with the beginning"));
}

static void swap(written_t *log, int i)
{
    entry_t first = log->entries[i];

    log->entries[i] = log->entries[i + 1];
    log->entries[i + 1] = first;
    log->entries[i].record.offset = i;
    log->entries[i + 1].record.offset = i + 1;
}

static void test_reordered_records_are_found(void **state)
{
    written_t log;
    pd_proof_t proof;
    pd_error_t error;

    for (int i = 0; i < 13; i++) {
        honest(&log);
        swap(&log, i);
        assert_found(&log, "moving", i + 1);
    }
    honest(&log);
    swap(&log, 7);
    assert_int_equal(judge(&log, &proof, &error), PD_CORRUPT);
    assert_non_null(strstr(error.text, "record 7 lies before record 8"));
}

static void test_zombies_and_losses_are_explained(void **state)
{
    written_t log;
    pd_proof_t proof;
    pd_error_t error;
    pd_chain_t zombie;
    uint8_t lost[PD_RECORD_HASH_SIZE] = {1};

    honest(&log);
    zombie = log.owner;
    owner_writes(&log, true);
    add(&log, false, zombie.epoch, zombie.hash); /* a zombie's */
    log.owner.next_offset = log.count;
    owner_writes(&log, false);
    add(&log, false, log.owner.epoch, lost); /* built on what never arrived */
    log.owner.next_offset = log.count;
    assert_int_equal(judge(&log, &proof, &error), PD_CORRUPT); /* who knows, as yet */
    owner_writes(&log, true);
    owner_writes(&log, false);
    assert_int_equal(judge(&log, &proof, &error), PD_OK);
    assert_int_equal(proof.void_epoch_count, 1);
    assert_int_equal(proof.void_hash_count, 1);
    log.entries[15].body[0] ^= 1; /* and yet */
    assert_found(&log, "alteration", 15);
}

/* From a trusted position on, as from the beginning. */
static void test_from_a_position(void **state)
{
    written_t log;
    pd_chain_t chain;
    pd_proof_t proof;
    pd_error_t error;

    honest(&log);
    pd_chain_init(&chain);
    for (int i = 0; i < 8; i++) {
        pd_chain_record_t record = record_of(&log.entries[i]);

        pd_chain_feed(&chain, &record);
    }
    for (int wrong = 0; wrong < 2; wrong++) {
        chain.hash[0] ^= (uint8_t)wrong;
        pd_proof_init_at(&proof, chain.offset, chain.epoch, chain.hash);
        for (int i = 8; i < log.count; i++) {
            pd_chain_record_t record = record_of(&log.entries[i]);

            pd_proof_feed(&proof, &record);
        }
        assert_int_equal(pd_proof_end(&proof, &error), wrong ? PD_CORRUPT : PD_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest_log_is_proven),
        cmocka_unit_test(test_altered_record_is_found),
        cmocka_unit_test(test_altered_record_is_named),
        cmocka_unit_test(test_removed_record_is_found),
        cmocka_unit_test(test_removed_beginning_is_named),
        cmocka_unit_test(test_reordered_records_are_found),
        cmocka_unit_test(test_zombies_and_losses_are_explained),
        cmocka_unit_test(test_from_a_position),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
