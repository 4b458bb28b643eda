/* inbound.c -- what a record of the topic of commands is, and whether it may be decided. The topic
 * is open to every producer: nothing in it is believed. */
#include <stdarg.h>
#include <stdio.h>

#include "api/pb/validate.h"
#include "engine/limits.h"
#include "engine/partition/transport_private.h"
#include "engine/partitioner.h"

typedef struct look {
    pdi_transport_t *transport;
    const pd_log_record_t *record;
    Perdure__V1__Command *body;
    pdi_inbound_result_t *result;
} look_t;

#define BODY(NAME) PERDURE__V1__COMMAND__BODY_##NAME

static pdi_verdict_t reject(look_t *look, int code, const char *format, ...) PD_PRINTF(3, 4);
static pdi_verdict_t reject(look_t *look, int code, const char *format, ...)
{
    va_list args;

    look->result->code = code;
    va_start(args, format);
    vsnprintf(look->result->reason, sizeof(look->result->reason), format, args);
    va_end(args);
    return PDI_VERDICT_REJECT;
}

static uint32_t own_partition(const look_t *look)
{
    return look->transport->partition->options.index;
}

/* It may have been registered a moment ago, elsewhere; or this node has only just begun. A time in
 * the future is a producer's invention. */
static bool may_still_come(const look_t *look)
{
    int64_t now_ns = pd_partition_now_ns(look->transport->partition);
    int64_t age_ns = now_ns - look->record->time_ms * PD_NS_PER_MS;

    return now_ns - look->transport->owned_since_ns < PDI_NAMESPACE_WAIT_NS ||
           (age_ns >= 0 && age_ns < PDI_NAMESPACE_WAIT_NS);
}

/* ---- numbered ones ---- */

/* PDI_VERDICT_SUBMIT: it is the next one of its source, and result->received says so. */
static pdi_verdict_t take_number(look_t *look, int32_t source_partition, const char *source_topic,
                                 int64_t number)
{
    int64_t last =
        pd_store_inbox_last(look->transport->partition->store, source_partition, source_topic);
    pd_arena_t *arena = look->result->command->arena;
    Perdure__V1__Received *received;

    if (number <= last)
        pdi_measure_command(look->transport->partition, PD_COMMAND_REPEATED);
    if (number != last + 1)
        return PDI_VERDICT_IGNORE;
    received = PD_PB_NEW(arena, Perdure__V1__Received, perdure__v1__received);
    received->source_partition = source_partition;
    received->source_topic = (char *)source_topic;
    received->number = number;
    look->result->command->received = received;
    look->result->received = *received;
    return PDI_VERDICT_SUBMIT;
}

static pdi_verdict_t look_at_message(look_t *look)
{
    pd_partition_t *partition = look->transport->partition;
    const Perdure__V1__SentMessage *sent = look->body->message;
    Perdure__V1__Message *message = sent->message;
    pd_command_t *command = look->result->command;
    pdi_verdict_t verdict;

    if (!message || sent->source_partition < 0 ||
        sent->source_partition >= (int32_t)look->transport->lane_count ||
        sent->source_partition == (int32_t)own_partition(look))
        return reject(look, PD_RPC_INVALID_ARGUMENT, "not a message of another partition");
    if (message->target_partition != (int32_t)own_partition(look) ||
        pd_partition_of(pd_pb_str(message->workflow_id), look->transport->lane_count) !=
            own_partition(look))
        return reject(look, PD_RPC_INVALID_ARGUMENT, "a message for partition %d",
                      (int)message->target_partition);
    verdict = take_number(look, sent->source_partition, "", message->number);
    if (verdict != PDI_VERDICT_SUBMIT)
        return verdict;
    command->kind = partition->options.message_kind(message);
    if (!command->kind)
        return reject(look, PD_RPC_UNIMPLEMENTED, "a message of unknown kind %d",
                      (int)message->body_case);
    command->ns =
        pd_namespaces_by_id(partition->options.namespaces, pd_pb_str(message->namespace_id));
    if (!command->ns && may_still_come(look))
        return PDI_VERDICT_WAIT;
    if (!command->ns)
        return reject(look, PD_RPC_NOT_FOUND, "a message for the unknown namespace %.100s",
                      pd_pb_str(message->namespace_id));
    command->workflow_id = message->workflow_id;
    command->run_id = pd_pb_str(message->run_id);
    command->request = message;
    return PDI_VERDICT_SUBMIT;
}

/* ---- requests ---- */

typedef struct request {
    const pd_command_kind_t *kind;
    void *message;
    char **namespace_name;
    const char *workflow_id;
    const char *run_id;
} request_t;

static const char *id_of(const Temporal__Api__Common__V1__WorkflowExecution *execution)
{
    return execution ? pd_pb_str(execution->workflow_id) : "";
}

static const char *run_of(const Temporal__Api__Common__V1__WorkflowExecution *execution)
{
    return execution ? pd_pb_str(execution->run_id) : "";
}

static bool request_of(Perdure__V1__Command *body, request_t *request)
{
    switch ((int)body->body_case) {
    case BODY(START_WORKFLOW):
        body->start_workflow->request_eager_execution = false; /* nobody would get the task */
        *request = (request_t){&pd_command_start_workflow, body->start_workflow,
                               &body->start_workflow->namespace_,
                               pd_pb_str(body->start_workflow->workflow_id), ""};
        return true;
    case BODY(SIGNAL_WITH_START):
        *request = (request_t){&pd_command_signal_with_start, body->signal_with_start,
                               &body->signal_with_start->namespace_,
                               pd_pb_str(body->signal_with_start->workflow_id), ""};
        return true;
    case BODY(SIGNAL_WORKFLOW):
        *request = (request_t){&pd_command_signal, body->signal_workflow,
                               &body->signal_workflow->namespace_,
                               id_of(body->signal_workflow->workflow_execution),
                               run_of(body->signal_workflow->workflow_execution)};
        return true;
    case BODY(REQUEST_CANCEL_WORKFLOW):
        *request = (request_t){&pd_command_request_cancel, body->request_cancel_workflow,
                               &body->request_cancel_workflow->namespace_,
                               id_of(body->request_cancel_workflow->workflow_execution),
                               run_of(body->request_cancel_workflow->workflow_execution)};
        return true;
    case BODY(TERMINATE_WORKFLOW):
        *request = (request_t){&pd_command_terminate, body->terminate_workflow,
                               &body->terminate_workflow->namespace_,
                               id_of(body->terminate_workflow->workflow_execution),
                               run_of(body->terminate_workflow->workflow_execution)};
        return true;
    default:
        return false;
    }
}

/* With the namespace known, as the frontend does it. */
static pdi_verdict_t check_request(look_t *look, const request_t *request)
{
    pd_partition_t *partition = look->transport->partition;
    const pd_command_checker_t *checker = partition->options.checker;
    pd_command_t *command = look->result->command;
    const pd_rpc_error_t *error;

    command->ns = pd_namespaces_by_name(partition->options.namespaces, *request->namespace_name);
    if (!command->ns && may_still_come(look))
        return PDI_VERDICT_WAIT;
    if (!command->ns)
        error = checker->namespace_not_found(command->arena, *request->namespace_name);
    else
        error = checker->check(command->arena, command->ns, pd_partition_now_ns(partition),
                               &partition->random, request->kind, request->message);
    if (error)
        return reject(look, (int)error->code, "%s", error->message);
    command->kind = request->kind;
    command->request = request->message;
    command->workflow_id = request->workflow_id;
    command->run_id = request->run_id;
    return PDI_VERDICT_SUBMIT;
}

/* The command's namespace, or the request's; both, when they agree. */
static pdi_verdict_t name_namespace(look_t *look, const request_t *request)
{
    if (pd_pb_empty(*request->namespace_name))
        *request->namespace_name = (char *)pd_pb_str(look->body->namespace_);
    else if (!pd_pb_empty(look->body->namespace_) &&
             strcmp(*request->namespace_name, look->body->namespace_) != 0)
        return reject(look, PD_RPC_INVALID_ARGUMENT,
                      "the command and its request name different namespaces");
    if (pd_pb_empty(*request->namespace_name))
        return reject(look, PD_RPC_INVALID_ARGUMENT, "Namespace not set on request.");
    return PDI_VERDICT_SUBMIT;
}

static pdi_verdict_t look_at_ingested(look_t *look)
{
    Perdure__V1__IngestedSignal *ingested = look->body->ingested_signal;
    request_t request = {&pd_command_signal_with_start, ingested->request, NULL, "", ""};
    const char *source = pd_pb_str(ingested->source);
    pdi_verdict_t verdict;

    if (!ingested->request || !source[0] || strlen(source) >= PDI_TOPIC_SIZE_MAX)
        return reject(look, PD_RPC_INVALID_ARGUMENT, "not a record of a mapped topic");
    request.namespace_name = &ingested->request->namespace_;
    request.workflow_id = pd_pb_str(ingested->request->workflow_id);
    if (pd_partition_of(request.workflow_id, look->transport->lane_count) != own_partition(look))
        return reject(look, PD_RPC_INVALID_ARGUMENT,
                      "a record of a mapped topic that belongs to another partition");
    verdict = take_number(look, -1, source, ingested->number);
    if (verdict == PDI_VERDICT_SUBMIT)
        verdict = name_namespace(look, &request);
    if (verdict == PDI_VERDICT_SUBMIT)
        verdict = check_request(look, &request);
    return verdict;
}

/* ---- producers' ---- */

/* A record header does as well as the field, which goes before it. False: not to be used as one. */
static bool take_command_id(look_t *look)
{
    for (uint32_t i = 0; i < look->record->header_count && pd_pb_empty(look->body->command_id);
         i++) {
        const pd_log_header_t *header = &look->record->headers[i];
        pd_bytes_t value = header->value;
        char *id;

        if (strcmp(header->name, "command-id") != 0)
            continue;
        if (!value.size || value.size > PD_ID_SIZE_MAX || memchr(value.data, 0, value.size) ||
            !pd_utf8_is_valid(value))
            return false;
        id = pd_arena_alloc(look->result->command->arena, value.size + 1);
        memcpy(id, value.data, value.size);
        id[value.size] = '\0';
        look->body->command_id = id;
    }
    return strlen(pd_pb_str(look->body->command_id)) <= PD_ID_SIZE_MAX;
}

/* Whoever produced it has another partitioner. It gets an ID: if it is forwarded twice, it is
 * still applied once. */
static pdi_verdict_t send_on(look_t *look, uint32_t to)
{
    pdi_transport_t *transport = look->transport;

    if (pd_pb_empty(look->body->command_id))
        look->body->command_id =
            pd_arena_printf(look->result->command->arena, "forwarded/%u/%lld", own_partition(look),
                            (long long)look->record->offset);
    pd_buf_clear(&transport->buf);
    if (pd_record_encode(transport->partition->options.command_codec, &look->body->base,
                         &transport->buf) != PD_OK)
        return reject(look, PD_RPC_INVALID_ARGUMENT, "the command cannot be forwarded");
    look->result->forward_to = to;
    return PDI_VERDICT_FORWARD;
}

static pdi_verdict_t look_at_request(look_t *look)
{
    pd_partition_t *partition = look->transport->partition;
    pd_command_t *command = look->result->command;
    pdi_verdict_t verdict;
    request_t request;
    pd_error_t error;
    uint32_t belongs_to;
    bool seen = false;

    if (!request_of(look->body, &request))
        return reject(look, PD_RPC_INVALID_ARGUMENT, "the command says nothing");
    if (pd_pb_empty(request.workflow_id))
        return reject(look, PD_RPC_INVALID_ARGUMENT, "WorkflowId is not set on request.");
    if (!pd_bytes_equal(look->record->key, pd_bytes_str(request.workflow_id)))
        return reject(look, PD_RPC_INVALID_ARGUMENT,
                      "the key of the record is not the workflow ID of the command");
    if (!take_command_id(look))
        return reject(look, PD_RPC_INVALID_ARGUMENT,
                      "the command ID is empty, longer than %d bytes, or not UTF-8",
                      PD_ID_SIZE_MAX);
    belongs_to = pd_partition_of(request.workflow_id, look->transport->lane_count);
    if (belongs_to != own_partition(look))
        return send_on(look, belongs_to);
    verdict = name_namespace(look, &request);
    if (verdict == PDI_VERDICT_SUBMIT)
        verdict = check_request(look, &request);
    if (verdict != PDI_VERDICT_SUBMIT || pd_pb_empty(look->body->command_id))
        return verdict;
    command->command_id = look->body->command_id;
    if (pd_store_command_id_seen(partition->store, command->ns->id, command->workflow_id,
                                 command->command_id, &seen, &error) != PD_OK)
        pdi_partition_lose(partition, &error);
    else if (seen)
        pdi_measure_command(look->transport->partition, PD_COMMAND_REPEATED);
    return seen ? PDI_VERDICT_IGNORE : PDI_VERDICT_SUBMIT;
}

pdi_verdict_t pdi_inbound_look(pdi_transport_t *transport, const pd_log_record_t *record,
                               pdi_inbound_result_t *result)
{
    look_t look = {.transport = transport, .record = record, .result = result};
    ProtobufCMessage *message;
    pd_error_t error;

    if (!record->key.data)
        return reject(&look, PD_RPC_INVALID_ARGUMENT, "the record has no key");
    if (!record->value.data)
        return reject(&look, PD_RPC_INVALID_ARGUMENT, "the record has no value");
    result->command = pd_command_new(NULL);
    if (pd_record_decode(transport->partition->options.command_codec, result->command->arena,
                         record->value, &message, &error) != PD_OK)
        return reject(&look, 0, "%s", error.text);
    look.body = (Perdure__V1__Command *)message;
    switch ((int)look.body->body_case) {
    case BODY(MESSAGE):
        return look_at_message(&look);
    case BODY(INGESTED_SIGNAL):
        return look_at_ingested(&look);
    default:
        return look_at_request(&look);
    }
}
