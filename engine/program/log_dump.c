/* `perdure log dump`: records as JSON lines, read back through their schemas. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <perdure/v1/record.pb-c.h>

#include "base/memory.h"
#include "engine/program/log_source.h"
#include "engine/program/program.h"
#include "log/record/chain.h"

static const pd_log_usage_t usage = {
    .name = "log dump",
    .purpose = "one JSON object per record, in order of partition and offset.",
    .takes = PD_LOG_TAKES_TOPIC | PD_LOG_TAKES_RANGE | PD_LOG_TAKES_WORKFLOW | PD_LOG_TAKES_FOLLOW,
};

typedef struct dump {
    const pd_log_options_t *options;
    pd_record_codec_t *codec;
    pd_arena_t arena;
    uint32_t partition;
    pd_chain_t *chains; /* of every partition of events */
    int64_t *next_offsets;
} dump_t;

static const ProtobufCMessageDescriptor *type_of(pd_log_topic_t topic)
{
    switch (topic) {
    case PD_LOG_EVENTS:
        return &perdure__v1__record__descriptor;
    case PD_LOG_COMMANDS:
        return &perdure__v1__command__descriptor;
    case PD_LOG_MEMBERS:
        return &perdure__v1__member__descriptor;
    case PD_LOG_REJECTED:
        return &perdure__v1__rejected__descriptor;
    }
    return NULL;
}

/* ---- choosing ---- */

static bool in_range(const pd_log_options_t *options, const pd_log_record_t *stored)
{
    int64_t time_ns = stored->time_ms * 1000000;

    if (options->from.kind == PD_LOG_BOUND_TIME && time_ns < options->from.value)
        return false;
    if (options->from.kind == PD_LOG_BOUND_OFFSET && stored->offset < options->from.value)
        return false;
    return options->to.kind != PD_LOG_BOUND_TIME || time_ns < options->to.value;
}

static bool is_of_workflow(const dump_t *dump, const pd_log_record_t *stored,
                           const ProtobufCMessage *message)
{
    const char *workflow_id = dump->options->workflow_id;
    const Perdure__V1__Record *record = (const Perdure__V1__Record *)message;

    if (!workflow_id)
        return true;
    if (dump->options->topic != PD_LOG_EVENTS)
        return pd_bytes_equal(stored->key, pd_bytes_str(workflow_id));
    return message && record->body_case == PERDURE__V1__RECORD__BODY_TRANSITION &&
           strcmp(record->transition->workflow_id, workflow_id) == 0;
}

/* ---- printing ---- */

static void print_text(pd_bytes_t bytes)
{
    putchar('"');
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];

        if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte < 0x20 || byte >= 0x7f) /* not always UTF-8: Latin-1's numbers */
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static void print_record(dump_t *dump, const pd_log_record_t *stored, const char *verdict)
{
    char *json = stored->value.data ? pd_record_to_json(dump->codec, stored->value, NULL) : NULL;

    printf("{\"partition\":%u,\"offset\":%" PRId64, dump->partition, stored->offset);
    if (dump->options->topic != PD_LOG_EVENTS && stored->key.data) {
        fputs(",\"key\":", stdout);
        print_text(stored->key);
    }
    if (verdict)
        printf(",\"verdict\":\"%s\"", verdict);
    if (json)
        printf(",\"record\":%s}\n", json);
    else
        printf(",\"size\":%zu,\"record\":null}\n", stored->value.size);
    pd_free(json);
}

static const char *judge(dump_t *dump, const pd_log_record_t *stored,
                         const ProtobufCMessage *message)
{
    const Perdure__V1__Record *record = (const Perdure__V1__Record *)message;
    pd_chain_record_t link = {.offset = stored->offset, .bytes = stored->value};

    if (dump->options->topic != PD_LOG_EVENTS)
        return message || !stored->value.data ? NULL : "unreadable";
    if (!message)
        return "unreadable";
    link.epoch = record->epoch;
    link.prev_hash = pd_bytes(record->prev_hash.data, record->prev_hash.len);
    link.is_owner_changed = record->body_case == PERDURE__V1__RECORD__BODY_OWNER_CHANGED;
    return pd_chain_verdict_text(pd_chain_feed(&dump->chains[dump->partition], &link));
}

static pd_status_t on_record(void *ctx, const pd_log_record_t *stored, pd_error_t *error)
{
    dump_t *dump = ctx;
    const pd_log_options_t *options = dump->options;
    ProtobufCMessage *message = NULL;
    const char *verdict;

    if (options->to.kind == PD_LOG_BOUND_OFFSET && stored->offset >= options->to.value)
        return PD_CANCELED;
    pd_arena_reset(&dump->arena);
    if (pd_record_decode(dump->codec, &dump->arena, stored->value, &message, NULL) != PD_OK)
        message = NULL;
    verdict = judge(dump, stored, message);
    if (in_range(options, stored) && is_of_workflow(dump, stored, message))
        print_record(dump, stored, verdict);
    return PD_OK;
}

/* ---- the whole ---- */

static pd_status_t dump_all(dump_t *dump, pd_log_source_t *source, uint32_t first, uint32_t end,
                            pd_error_t *error)
{
    for (dump->partition = first; dump->partition < end; dump->partition++) {
        pd_log_extent_t extent;

        PD_TRY(pd_log_source_read(source, dump->options->topic, dump->partition,
                                  dump->next_offsets[dump->partition], on_record, dump, &extent,
                                  error));
        dump->next_offsets[dump->partition] = extent.next_offset;
    }
    fflush(stdout);
    return PD_OK;
}

static pd_status_t run(dump_t *dump, pd_log_source_t *source, pd_error_t *error)
{
    uint32_t first, end, count = pd_log_source_partition_count(source, dump->options->topic);
    pd_status_t status;

    PD_TRY(pd_log_source_partitions(source, dump->options, &first, &end, error));
    dump->chains = pd_calloc(count, sizeof(dump->chains[0]));
    dump->next_offsets = pd_calloc(count, sizeof(dump->next_offsets[0]));
    for (uint32_t i = 0; i < count; i++) {
        pd_chain_init(&dump->chains[i]);
        dump->next_offsets[i] = PD_LOG_FIRST; /* verdicts need all that came before */
    }
    status = dump_all(dump, source, first, end, error);
    while (status == PD_OK && dump->options->follow && !ferror(stdout)) {
        status = pd_log_source_refresh(source, error);
        if (status == PD_OK)
            status = dump_all(dump, source, first, end, error);
    }
    pd_free(dump->chains);
    pd_free(dump->next_offsets);
    return status;
}

int pd_program_log_dump(int argc, char **argv)
{
    pd_log_options_t options;
    pd_log_source_t *source = NULL;
    dump_t dump = {.options = &options};
    pd_error_t error;
    pd_status_t status;
    int exit_code;

    if (!pd_log_options_parse(&usage, argc, argv, &options, &exit_code))
        return exit_code;
    dump.codec = pd_record_codec_new(type_of(options.topic));
    pd_arena_init(&dump.arena);
    status = pd_log_source_open(&options, &source, &error);
    if (status == PD_OK)
        status = run(&dump, source, &error);
    pd_log_source_close(source);
    pd_arena_deinit(&dump.arena);
    pd_record_codec_free(dump.codec);
    if (status != PD_OK)
        fprintf(stderr, "perdure: %s\n", error.text);
    return status != PD_OK;
}
