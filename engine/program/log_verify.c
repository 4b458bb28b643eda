/* `perdure log verify`: the hash chain of every partition, and the grammar of all that counts. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <perdure/v1/record.pb-c.h>

#include "base/memory.h"
#include "base/os_clock.h"
#include "engine/program/log_source.h"
#include "engine/program/program.h"
#include "log/record/proof.h"
#include "state/audit/grammar.h"

static const pd_log_usage_t usage = {
    .name = "log verify",
    .purpose = "proves that nothing was altered, removed or moved, and that the\n"
               "histories follow the rules. Exit code 0: so it is; 1: it is not, or the log\n"
               "cannot be read; what is wrong is told with partition and offset.",
    .takes = PD_LOG_TAKES_JSON | PD_LOG_TAKES_WORKFLOW,
};

enum { FINDINGS_MAX = 100 }; /* of one partition; more are counted */

typedef struct verify {
    const pd_log_options_t *options;
    pd_record_codec_t *codec;
    pd_arena_t arena;
    json_t *partitions; /* with --json */
    uint64_t record_count, void_count, byte_count, finding_count;

    /* Of the partition at hand */
    uint32_t partition;
    pd_proof_t proof;
    pd_grammar_t *grammar;
    json_t *findings;
    uint64_t partition_finding_count;
} verify_t;

static void found(verify_t *verify, int64_t offset, const char *text)
{
    verify->finding_count++;
    if (verify->partition_finding_count++ >= FINDINGS_MAX)
        return;
    if (verify->options->json)
        json_array_append_new(verify->findings,
                              json_pack("{s:I,s:s}", "offset", (json_int_t)offset, "text", text));
    else
        printf("partition %u, offset %" PRId64 ": %s\n", verify->partition, offset, text);
}

static pd_status_t on_record(void *ctx, const pd_log_record_t *stored, pd_error_t *error)
{
    pd_chain_record_t link = {.offset = stored->offset, .bytes = stored->value};
    verify_t *verify = ctx;
    const Perdure__V1__Record *record;
    ProtobufCMessage *message;
    pd_error_t wrong;

    verify->record_count++;
    verify->byte_count += stored->key.size + stored->value.size;
    pd_arena_reset(&verify->arena);
    if (pd_record_decode(verify->codec, &verify->arena, stored->value, &message, NULL) != PD_OK) {
        pd_proof_feed_unreadable(&verify->proof, stored->offset);
        return PD_OK;
    }
    record = (const Perdure__V1__Record *)message;
    link.epoch = record->epoch;
    link.prev_hash = pd_bytes(record->prev_hash.data, record->prev_hash.len);
    link.is_owner_changed = record->body_case == PERDURE__V1__RECORD__BODY_OWNER_CHANGED;
    if (pd_chain_counts(pd_proof_feed(&verify->proof, &link)) &&
        pd_grammar_record(verify->grammar, record, &wrong) != PD_OK)
        found(verify, stored->offset, wrong.text);
    return PD_OK;
}

/* ---- telling ---- */

static void hash_text(const pd_proof_t *proof, char text[2 * PD_RECORD_HASH_SIZE + 1])
{
    for (int i = 0; i < PD_RECORD_HASH_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", proof->chain.hash[i]);
}

static uint64_t void_count(const pd_proof_t *proof)
{
    return proof->chain.void_count + proof->unreadable_count;
}

static void tell_for_people(const verify_t *verify)
{
    char hash[2 * PD_RECORD_HASH_SIZE + 1];
    const pd_proof_t *proof = &verify->proof;
    pd_grammar_stats_t stats;

    hash_text(proof, hash);
    pd_grammar_stats(verify->grammar, &stats);
    printf("partition %u: %" PRIu64 " records count, %" PRIu64 " void, last offset %" PRId64
           ", proven through %" PRId64 ", running hash %s\n",
           verify->partition, proof->chain.count, void_count(proof), proof->chain.offset,
           proof->proven_offset, hash);
    printf("  %" PRIu64 " owners, %" PRIu64 " runs (%" PRIu64 " closed, %" PRIu64
           " removed), %" PRIu64 " events in histories\n",
           proof->owner_count, stats.run_count, stats.closed_count, stats.removed_count,
           stats.event_count);
    if (proof->void_epoch_count)
        printf("  void: %" PRIu64 " written by an owner that was replaced\n",
               proof->void_epoch_count);
    if (proof->void_hash_count)
        printf("  void: %" PRIu64 " built on a record that is not here\n", proof->void_hash_count);
    if (proof->void_no_owner_count)
        printf("  void: %" PRIu64 " before the first owner\n", proof->void_no_owner_count);
    if (proof->unreadable_count)
        printf("  void: %" PRIu64 " unreadable\n", proof->unreadable_count);
    if (verify->partition_finding_count > FINDINGS_MAX)
        printf("  %" PRIu64 " more findings are not shown\n",
               verify->partition_finding_count - FINDINGS_MAX);
}

static void tell_for_programs(verify_t *verify, const pd_log_extent_t *extent)
{
    char hash[2 * PD_RECORD_HASH_SIZE + 1];
    const pd_proof_t *proof = &verify->proof;
    pd_grammar_stats_t stats;

    hash_text(proof, hash);
    pd_grammar_stats(verify->grammar, &stats);
    json_array_append_new(
        verify->partitions,
        json_pack(
            "{s:i,s:I,s:I,s:I,s:I,s:I,s:s,s:I,s:I,s:{s:I,s:I,s:I,s:I},s:I,s:I,s:I,s:I,s:I,"
            "s:o}",
            "partition", (int)verify->partition, "startOffset", (json_int_t)extent->start_offset,
            "endOffset", (json_int_t)extent->end_offset, "appliedOffset",
            (json_int_t)proof->chain.offset, "provenOffset", (json_int_t)proof->proven_offset,
            "epoch", (json_int_t)proof->chain.epoch, "runningHash", hash, "records",
            (json_int_t)proof->chain.count, "owners", (json_int_t)proof->owner_count, "void",
            "replacedOwner", (json_int_t)proof->void_epoch_count, "doesNotChain",
            (json_int_t)proof->void_hash_count, "noOwner", (json_int_t)proof->void_no_owner_count,
            "unreadable", (json_int_t)proof->unreadable_count, "runs", (json_int_t)stats.run_count,
            "closedRuns", (json_int_t)stats.closed_count, "removedRuns",
            (json_int_t)stats.removed_count, "historyEvents", (json_int_t)stats.event_count,
            "findingCount", (json_int_t)verify->partition_finding_count, "findings",
            json_incref(verify->findings)));
}

/* ---- the whole ---- */

static pd_status_t verify_partition(verify_t *verify, pd_log_source_t *source, pd_error_t *error)
{
    pd_log_extent_t extent;
    pd_error_t broken;
    pd_status_t status;

    pd_proof_init(&verify->proof);
    verify->grammar = pd_grammar_new();
    verify->findings = json_array();
    verify->partition_finding_count = 0;
    status = pd_log_source_read(source, PD_LOG_EVENTS, verify->partition, PD_LOG_FIRST, on_record,
                                verify, &extent, error);
    if (status == PD_OK) {
        verify->void_count += void_count(&verify->proof);
        if (extent.start_offset > 0)
            found(verify, extent.start_offset,
                  "the log begins here: what was before has been removed, nothing can be proven");
        else if (pd_proof_end(&verify->proof, &broken) != PD_OK)
            found(verify, verify->proof.counted_offset, broken.text);
        if (verify->options->json)
            tell_for_programs(verify, &extent);
        else
            tell_for_people(verify);
    }
    json_decref(verify->findings);
    pd_grammar_free(verify->grammar);
    return status;
}

static pd_status_t run(verify_t *verify, pd_log_source_t *source, pd_error_t *error)
{
    int64_t begin_ns = pd_os_monotonic_ns(), took_ns;
    uint32_t first, end;

    PD_TRY(pd_log_source_partitions(source, verify->options, &first, &end, error));
    for (verify->partition = first; verify->partition < end; verify->partition++)
        PD_TRY(verify_partition(verify, source, error));
    took_ns = pd_os_monotonic_ns() - begin_ns;
    if (verify->options->json) {
        json_t *all = json_pack("{s:O,s:b}", "partitions", verify->partitions, "proven",
                                verify->finding_count == 0);

        json_dumpf(all, stdout, JSON_INDENT(2));
        json_decref(all);
        printf("\n");
        return PD_OK;
    }
    printf("%" PRIu64 " records, %" PRIu64 " void, %.1f MB in %.1f s\n", verify->record_count,
           verify->void_count, (double)verify->byte_count / 1e6, (double)took_ns / 1e9);
    if (verify->finding_count)
        printf("WRONG: %" PRIu64 " findings, see above\n", verify->finding_count);
    return PD_OK;
}

int pd_program_log_verify(int argc, char **argv)
{
    pd_log_options_t options;
    pd_log_source_t *source = NULL;
    verify_t verify = {.options = &options};
    pd_error_t error;
    pd_status_t status;
    int exit_code;

    if (!pd_log_options_parse(&usage, argc, argv, &options, &exit_code))
        return exit_code;
    verify.codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    verify.partitions = json_array();
    pd_arena_init(&verify.arena);
    status = pd_log_source_open(&options, &source, &error);
    if (status == PD_OK)
        status = run(&verify, source, &error);
    pd_log_source_close(source);
    pd_arena_deinit(&verify.arena);
    pd_record_codec_free(verify.codec);
    json_decref(verify.partitions);
    if (status != PD_OK)
        fprintf(stderr, "perdure: %s\n", error.text);
    return status != PD_OK || verify.finding_count != 0;
}
