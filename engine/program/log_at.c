/* `perdure log at`: a workflow as it was at some time: what DescribeWorkflowExecution would have
 * answered, and the history so far. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "engine/decide/decision.h"
#include "engine/program/log_source.h"
#include "engine/program/program.h"
#include "state/replay.h"

static const pd_log_usage_t usage = {
    .name = "log at",
    .purpose = "a workflow as it was at some time, as one JSON object.\n\n"
               "The time is that of the server which wrote: what it recorded later is left out.",
    .takes = PD_LOG_TAKES_AT | PD_LOG_TAKES_WORKFLOW,
};

#define MIB ((size_t)1024 * 1024)
#define DESCRIBE_TYPE                                                                              \
    &temporal__api__workflowservice__v1__describe_workflow_execution_response__descriptor

typedef struct at {
    const pd_log_options_t *options;
    pd_record_codec_t *codec;
    pd_store_shared_t *shared;
    pd_store_t *store;
    pd_replay_t replay;
    pd_arena_t arena;
    uint32_t partition;
    char *namespace_id; /* of the namespace that was named; NULL: not found yet */
    int64_t offset;     /* of the workflow's last record by then; -1: none */
    int64_t time_ns;
    bool over; /* the workflow's next record is later */
} at_t;

/* ---- folding ---- */

static bool is_the_workflow(const at_t *at, const Perdure__V1__Record *record)
{
    return record->body_case == PERDURE__V1__RECORD__BODY_TRANSITION &&
           strcmp(record->transition->workflow_id, at->options->workflow_id) == 0;
}

static bool wanted(void *ctx, const Perdure__V1__Record *record)
{
    at_t *at = ctx;

    if (!is_the_workflow(at, record))
        return false;
    at->over = record->time_ns > at->options->time_ns;
    return !at->over;
}

static pd_status_t on_record(void *ctx, const pd_log_record_t *stored, pd_error_t *error)
{
    at_t *at = ctx;
    const Perdure__V1__Record *record;

    PD_TRY(pd_replay_record(&at->replay, stored->offset, stored->value, &record, error));
    if (record) {
        at->offset = stored->offset;
        at->time_ns = record->time_ns;
    }
    return at->over ? PD_CANCELED : PD_OK;
}

/* Namespaces are told in partition 0. */
static pd_status_t on_namespace_record(void *ctx, const pd_log_record_t *stored, pd_error_t *error)
{
    at_t *at = ctx;
    const Perdure__V1__Record *record;
    ProtobufCMessage *message;

    pd_arena_reset(&at->arena);
    if (pd_record_decode(at->codec, &at->arena, stored->value, &message, NULL) != PD_OK)
        return PD_OK;
    record = (const Perdure__V1__Record *)message;
    if (record->body_case != PERDURE__V1__RECORD__BODY_NAMESPACE_REGISTERED ||
        (strcmp(record->namespace_registered->name, at->options->ns) != 0 &&
         strcmp(record->namespace_registered->namespace_id, at->options->ns) != 0))
        return PD_OK;
    at->namespace_id = pd_strdup(record->namespace_registered->namespace_id);
    return PD_CANCELED;
}

/* ---- telling ---- */

static void print_json(const ProtobufCMessageDescriptor *type, const ProtobufCMessage *message)
{
    pd_record_codec_t *codec = pd_record_codec_new(type);
    char *json = NULL;
    pd_buf_t bytes;

    pd_buf_init(&bytes, 1024 * MIB);
    if (pd_record_encode(codec, message, &bytes) == PD_OK)
        json = pd_record_to_json(codec, pd_buf_bytes(&bytes), NULL);
    fputs(json ? json : "null", stdout);
    pd_free(json);
    pd_buf_deinit(&bytes);
    pd_record_codec_free(codec);
}

/* What the server's own reading command answers. */
static const ProtobufCMessage *describe(at_t *at, pd_execution_t *exec)
{
    pd_decision_t decision = {
        .arena = &at->arena,
        .now_ns = at->time_ns,
        .workflow_id = at->options->workflow_id,
        .store = at->store,
        .exec = exec,
    };
    pd_command_t command = {.kind = &pd_command_describe, .arena = &at->arena};

    PD_ASSERT(pd_command_describe.decide(&decision, &command) == NULL);
    return pd_pb_unpack(DESCRIBE_TYPE, &at->arena, decision.response_data);
}

static pd_status_t print_run(at_t *at, pd_execution_t *exec, pd_error_t *error)
{
    const ProtobufCMessageDescriptor *history = &temporal__api__history__v1__history__descriptor;
    int64_t next_event_id;
    pd_status_t status;
    pd_buf_t events;

    pd_buf_init(&events, SIZE_MAX);
    status = pd_store_history_read(at->store, exec, 1, INT64_MAX, SIZE_MAX, &events, &next_event_id,
                                   error);
    if (status == PD_OK) {
        printf("{\"partition\":%u,\"offset\":%" PRId64 ",\"recordTimeNs\":%" PRId64
               ",\"describe\":",
               at->partition, at->offset, at->time_ns);
        print_json(DESCRIBE_TYPE, describe(at, exec));
        fputs(",\"history\":", stdout);
        print_json(history, pd_pb_unpack(history, &at->arena, pd_buf_bytes(&events)));
        fputs("}\n", stdout);
    }
    pd_buf_deinit(&events);
    return status;
}

static pd_status_t print(at_t *at, pd_error_t *error)
{
    const pd_log_options_t *options = at->options;
    pd_execution_t *exec = NULL;

    if (options->run_id)
        PD_TRY(pd_store_execution(at->store, at->namespace_id, options->workflow_id,
                                  options->run_id, &exec, error));
    else
        PD_TRY(pd_store_current(at->store, at->namespace_id, options->workflow_id, &exec, error));
    if (!exec)
        return pd_error_set(error, PD_NOT_FOUND,
                            "there was no such run of workflow %s in namespace %s then",
                            options->workflow_id, options->ns);
    return print_run(at, exec, error);
}

/* ---- the whole ---- */

static pd_status_t run(at_t *at, pd_log_source_t *source, pd_error_t *error)
{
    pd_store_shared_options_t shared = {.block_cache_size = 8 * MIB,
                                        .write_buffer_size = 8 * MIB,
                                        .store_count = 1,
                                        .in_memory = true};
    pd_store_options_t options = {.path = "/at", .cache_size_max = SIZE_MAX};
    uint32_t end;

    PD_TRY(pd_log_source_read(source, PD_LOG_EVENTS, 0, PD_LOG_FIRST, on_namespace_record, at, NULL,
                              error));
    if (!at->namespace_id)
        return pd_error_set(error, PD_NOT_FOUND, "there is no namespace %s", at->options->ns);
    PD_TRY(pd_log_source_partitions(source, at->options, &at->partition, &end, error));
    PD_TRY(pd_store_shared_new(&shared, &at->shared, error));
    options.shared = at->shared;
    options.partition = at->partition;
    PD_TRY(pd_store_open(&options, &at->store, error));
    pd_replay_init(&at->replay, at->codec, at->store, 0);
    at->replay.wanted = wanted;
    at->replay.ctx = at;
    PD_TRY(pd_log_source_read(source, PD_LOG_EVENTS, at->partition, PD_LOG_FIRST, on_record, at,
                              NULL, error));
    pd_arena_reset(&at->arena);
    return print(at, error);
}

int pd_program_log_at(int argc, char **argv)
{
    pd_log_options_t options;
    pd_log_source_t *source = NULL;
    at_t at = {.options = &options, .offset = -1};
    pd_error_t error;
    pd_status_t status;
    int exit_code;

    if (!pd_log_options_parse(&usage, argc, argv, &options, &exit_code))
        return exit_code;
    at.codec = pd_record_codec_new(&perdure__v1__record__descriptor);
    pd_arena_init(&at.arena);
    status = pd_log_source_open(&options, &source, &error);
    if (status == PD_OK)
        status = run(&at, source, &error);
    pd_log_source_close(source);
    if (at.store) {
        pd_replay_deinit(&at.replay);
        pd_store_free(at.store);
    }
    pd_store_shared_free(at.shared);
    pd_free(at.namespace_id);
    pd_arena_deinit(&at.arena);
    pd_record_codec_free(at.codec);
    if (status != PD_OK)
        fprintf(stderr, "perdure: %s\n", error.text);
    return status != PD_OK;
}
