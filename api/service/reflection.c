/* grpc.reflection.v1.ServerReflection, and v1alpha, whose messages are the same. */
#include <stdio.h>

#include "api/service/service_private.h"
#include "api/service/wire.h"
#include "base/assert.h"

enum {
    REQUEST_HOST = 1,
    REQUEST_FILE_BY_NAME = 3,
    REQUEST_FILE_BY_SYMBOL = 4,
    REQUEST_FILE_BY_EXTENSION = 5,
    REQUEST_EXTENSION_NUMBERS = 6,
    REQUEST_LIST = 7,
    EXTENSION_TYPE = 1,
    EXTENSION_NUMBER = 2,
    RESPONSE_HOST = 1,
    RESPONSE_REQUEST = 2,
    RESPONSE_FILES = 4,
    RESPONSE_NUMBERS = 5,
    RESPONSE_SERVICES = 6,
    RESPONSE_ERROR = 7,
    FILE_DEPENDENCY = 3, /* of FileDescriptorProto */
    NUMBERS_COUNT_MAX = 256,
    UNSENT_SIZE_MAX = 16 << 20, /* a stream that asks without reading is ended */
};

typedef struct request {
    pd_bytes_t whole;
    pd_bytes_t host;
    uint32_t kind; /* REQUEST_... */
    pd_bytes_t argument;
} request_t;

static bool read_request(pd_bytes_t message, request_t *request)
{
    bool bad = false;
    pdi_field_t field;

    memset(request, 0, sizeof(*request));
    request->whole = message;
    while (pdi_wire_next(&message, &field, &bad)) {
        if (field.type != 2)
            continue;
        if (field.number == REQUEST_HOST) {
            request->host = field.bytes;
        } else if (field.number >= REQUEST_FILE_BY_NAME && field.number <= REQUEST_LIST) {
            request->kind = field.number;
            request->argument = field.bytes;
        }
    }
    return !bad;
}

static void put_error(pd_buf_t *out, int code, const char *what, pd_bytes_t name)
{
    char text[320];
    pd_buf_t error;

    snprintf(text, sizeof(text), "%s: %.*s", what, name.size > 256 ? 256 : (int)name.size,
             name.data ? (const char *)name.data : "");
    pd_buf_init(&error, 4096);
    pdi_wire_put_varint(&error, 1, (uint64_t)code);
    pdi_wire_put_bytes(&error, 2, pd_bytes_str(text));
    pdi_wire_put_bytes(out, RESPONSE_ERROR, pd_buf_bytes(&error));
    pd_buf_deinit(&error);
}

/* The file and all that it needs, each at most once per stream: `sent` remembers. */
static void put_with_dependencies(const pd_descriptors_t *descriptors, int file, bool *sent,
                                  pd_buf_t *out)
{
    pd_bytes_t encoded, rest;
    pdi_field_t field;

    if (file == PD_DESCRIPTORS_NONE || sent[file])
        return;
    sent[file] = true;
    rest = encoded = pd_descriptors_file(descriptors, file);
    pdi_wire_put_bytes(out, 1, encoded);
    while (pdi_wire_next(&rest, &field, NULL)) {
        if (field.number == FILE_DEPENDENCY && field.type == 2)
            put_with_dependencies(descriptors, pd_descriptors_by_name(descriptors, field.bytes),
                                  sent, out);
    }
}

static void put_file(pd_service_t *self, pd_grpc_call_t *call, int file, pd_bytes_t name,
                     pd_buf_t *out)
{
    const pd_descriptors_t *descriptors = self->descriptors;
    bool *sent = pd_grpc_call_user(call);
    pd_buf_t files;

    if (file == PD_DESCRIPTORS_NONE) {
        put_error(out, PD_GRPC_NOT_FOUND, "not found", name);
        return;
    }
    if (!sent) {
        sent = pd_arena_calloc(pd_grpc_call_arena(call),
                               (size_t)pd_descriptors_file_count(descriptors), sizeof(*sent));
        pd_grpc_call_set_user(call, sent);
    }
    pd_buf_init(&files, PDI_ANSWER_SIZE_MAX);
    sent[file] = false; /* what is asked for by name is sent again */
    put_with_dependencies(descriptors, file, sent, &files);
    pdi_wire_put_bytes(out, RESPONSE_FILES, pd_buf_bytes(&files));
    pd_buf_deinit(&files);
}

static void put_by_extension(pd_service_t *self, pd_grpc_call_t *call, pd_bytes_t argument,
                             pd_buf_t *out)
{
    pd_bytes_t type = pd_bytes(NULL, 0);
    uint64_t number = 0;
    pdi_field_t field;

    while (pdi_wire_next(&argument, &field, NULL)) {
        if (field.number == EXTENSION_TYPE && field.type == 2)
            type = field.bytes;
        else if (field.number == EXTENSION_NUMBER && field.type == 0)
            number = field.value;
    }
    put_file(self, call, pd_descriptors_by_extension(self->descriptors, type, number), type, out);
}

static void put_numbers(pd_service_t *self, pd_bytes_t type, pd_buf_t *out)
{
    uint64_t numbers[NUMBERS_COUNT_MAX];
    size_t count = pd_descriptors_extensions(self->descriptors, type, numbers, NUMBERS_COUNT_MAX);
    pd_buf_t answer;

    if (pd_descriptors_by_symbol(self->descriptors, type) == PD_DESCRIPTORS_NONE) {
        put_error(out, PD_GRPC_NOT_FOUND, "not found", type);
        return;
    }
    pd_buf_init(&answer, PDI_ANSWER_SIZE_MAX);
    pdi_wire_put_bytes(&answer, 1, type);
    for (size_t i = 0; i < count && i < NUMBERS_COUNT_MAX; i++)
        pdi_wire_put_varint(&answer, 2, numbers[i]);
    pdi_wire_put_bytes(out, RESPONSE_NUMBERS, pd_buf_bytes(&answer));
    pd_buf_deinit(&answer);
}

/* Only services that can be described: tools ask for each at once. */
static void put_services(pd_service_t *self, pd_buf_t *out)
{
    static const char health[] = "grpc.health.v1.Health";
    pd_buf_t list, one;

    pd_buf_init(&list, PDI_ANSWER_SIZE_MAX);
    pd_buf_init(&one, PDI_ANSWER_SIZE_MAX);
    for (size_t i = 0; i <= self->service_count; i++) {
        const char *name = i < self->service_count ? self->service_names[i] : health;

        if (pd_descriptors_by_symbol(self->descriptors, pd_bytes_str(name)) == PD_DESCRIPTORS_NONE)
            continue;
        pd_buf_clear(&one);
        pdi_wire_put_bytes(&one, 1, pd_bytes_str(name));
        pdi_wire_put_bytes(&list, 1, pd_buf_bytes(&one));
    }
    pdi_wire_put_bytes(out, RESPONSE_SERVICES, pd_buf_bytes(&list));
    pd_buf_deinit(&one);
    pd_buf_deinit(&list);
}

static void put_answer(pd_service_t *self, pd_grpc_call_t *call, const request_t *request,
                       pd_buf_t *out)
{
    const pd_descriptors_t *descriptors = self->descriptors;
    pd_bytes_t argument = request->argument;

    switch (request->kind) {
    case REQUEST_FILE_BY_NAME:
        put_file(self, call, pd_descriptors_by_name(descriptors, argument), argument, out);
        return;
    case REQUEST_FILE_BY_SYMBOL:
        put_file(self, call, pd_descriptors_by_symbol(descriptors, argument), argument, out);
        return;
    case REQUEST_FILE_BY_EXTENSION:
        put_by_extension(self, call, argument, out);
        return;
    case REQUEST_EXTENSION_NUMBERS:
        put_numbers(self, argument, out);
        return;
    default:
        put_services(self, out);
    }
}

void pdi_reflection_message(pd_service_t *self, pd_grpc_call_t *call, pd_bytes_t message)
{
    request_t request;
    pd_buf_t out;

    if (!read_request(message, &request) || !request.kind) {
        pd_grpc_call_finish(call, PD_GRPC_INVALID_ARGUMENT, "invalid MessageRequest");
        return;
    }
    if (pd_grpc_call_unsent_size(call) > UNSENT_SIZE_MAX) {
        pd_grpc_call_finish(call, PD_GRPC_RESOURCE_EXHAUSTED, "too many answers wait to be read");
        return;
    }
    if (!self->descriptors)
        self->descriptors = pd_descriptors_new(pd_descriptors_builtin());
    pd_buf_init(&out, PDI_ANSWER_SIZE_MAX);
    pdi_wire_put_bytes(&out, RESPONSE_HOST, request.host);
    pdi_wire_put_bytes(&out, RESPONSE_REQUEST, request.whole);
    put_answer(self, call, &request, &out);
    pdi_service_send(call, &out);
}
