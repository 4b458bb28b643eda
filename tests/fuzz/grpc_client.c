/* grpc_client.c -- any bytes as what a server answers to three calls.
 *
 * The client is the real one, over a loopback connection; the server writes the input and closes.
 * Each call must end exactly once. */
#include <arpa/inet.h>
#include <event2/event.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/grpc/client.h"
#include "api/grpc/framing.h"
#include "api/grpc/gzip.h"
#include "base/assert.h"
#include "base/memory.h"
#include "tests/fuzz/fuzz.h"

enum { CALL_COUNT = 3, BODY_SIZE_MAX = 400 };

typedef struct world {
    pd_loop_event_t *loop;
    const uint8_t *data;
    size_t size;
    int fd;
    int left;
} world_t;

static world_t world;

static void on_reply(void *ctx, const pd_grpc_reply_t *reply)
{
    PD_ASSERT(world.left > 0 && reply->code >= 0 && reply->message);
    pd_free(pd_memdup(reply->data.data, reply->data.size));
    pd_free(pd_memdup(reply->details.data, reply->details.size));
    if (--world.left == 0)
        pd_loop_event_break(world.loop);
}

static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    PD_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 4) == 0);
    PD_ASSERT(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* The client has connected: answers, and is gone; who tries again finds nobody. */
static void on_acceptable(evutil_socket_t listener, short what, void *ctx)
{
    int fd = accept(listener, NULL, NULL);

    PD_ASSERT(fd >= 0);
    (void)!send(fd, world.data, world.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(listener);
    shutdown(fd, SHUT_WR);
    world.fd = fd; /* open until the end, so that no RST overtakes the answer */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pd_loop_event_options_t loop_options = {.name = "fuzz", .mailbox_count = 4};
    pd_grpc_client_options_t options;
    pd_grpc_client_t *client;
    pd_error_t error;
    struct event *accepting;
    char address[32];
    uint16_t port;
    int listener = listen_anywhere(&port);

    if (!world.loop)
        world.loop = pd_loop_event_new(&loop_options);
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    pd_grpc_client_options_init(&options);
    options.address = address;
    options.receive_size_max = 20000;
    PD_ASSERT(pd_grpc_client_new(world.loop, &options, &client, &error) == PD_OK);
    world.left = CALL_COUNT;
    world.data = data;
    world.size = size;
    world.fd = -1;
    for (int i = 0; i < CALL_COUNT; i++) {
        pd_grpc_request_t request = {
            .path = "/a.B/C", .on_reply = on_reply, .timeout_ns = 5000000000};

        pd_grpc_client_call(client, &request);
    }
    accepting = event_new(pd_loop_event_base(world.loop), listener, EV_READ, on_acceptable, NULL);
    PD_ASSERT(accepting && event_add(accepting, NULL) == 0);
    pd_loop_event_run(world.loop);
    event_free(accepting);
    close(world.fd);
    pd_grpc_client_free(client);
    return 0;
}

/* -- examples: what a server would send -- */

static void put_frame(uint8_t *out, size_t *size, int type, int flags, uint32_t stream_id,
                      const uint8_t *payload, size_t payload_size)
{
    const uint8_t header[9] = {(uint8_t)(payload_size >> 16),
                               (uint8_t)(payload_size >> 8),
                               (uint8_t)payload_size,
                               (uint8_t)type,
                               (uint8_t)flags,
                               0,
                               0,
                               (uint8_t)(stream_id >> 8),
                               (uint8_t)stream_id};

    memcpy(out + *size, header, sizeof(header));
    if (payload_size)
        memcpy(out + *size + sizeof(header), payload, payload_size);
    *size += sizeof(header) + payload_size;
}

/* "name", "value", ..., NULL as literals. */
static size_t put_headers(uint8_t *block, const char *const *headers)
{
    size_t size = 0;

    for (size_t i = 0; headers[i]; i++) {
        if (i % 2 == 0)
            block[size++] = 0;
        block[size++] = (uint8_t)strlen(headers[i]);
        memcpy(block + size, headers[i], strlen(headers[i]));
        size += strlen(headers[i]);
    }
    return size;
}

static size_t put_message(pd_random_t *random, uint8_t *out, bool compressed)
{
    uint8_t text[BODY_SIZE_MAX] = {0}, *packed = NULL;
    size_t size = pd_random_below(random, BODY_SIZE_MAX / 2);

    if (compressed) {
        pd_grpc_gzip_t *gzip = pd_grpc_gzip_new();

        pd_grpc_gzip_deflate(gzip, pd_bytes(text, size), &packed, &size);
        pd_grpc_gzip_free(gzip);
    }
    pd_grpc_prefix_write(out, compressed, (uint32_t)size);
    memcpy(out + PD_GRPC_PREFIX_SIZE, packed ? packed : text, size);
    pd_free(packed);
    return PD_GRPC_PREFIX_SIZE + size;
}

static void put_answer(pd_random_t *random, uint8_t *out, size_t *size, uint32_t stream_id)
{
    static const char *const begin[] = {
        ":status", "200", "content-type", "application/grpc", "grpc-encoding", "gzip", NULL};
    static const char *const good[] = {"grpc-status", "0", NULL};
    static const char *const bad[] = {
        ":status", "200", "grpc-status", "5", "grpc-message", "a%20b", "grpc-status-details-bin",
        "YWJj",    NULL};
    uint8_t block[BODY_SIZE_MAX + 100];

    if (pd_random_chance(random, 1, 4)) {
        put_frame(out, size, 1, 5, stream_id, block, put_headers(block, bad));
        return;
    }
    put_frame(out, size, 1, 4, stream_id, block, put_headers(block, begin));
    put_frame(out, size, 0, 0, stream_id, block,
              put_message(random, block, pd_random_chance(random, 1, 2)));
    put_frame(out, size, 1, 5, stream_id, block, put_headers(block, good));
}

size_t pd_fuzz_example(pd_random_t *random, uint8_t *out, size_t size_max)
{
    static const uint8_t few_streams[6] = {0, 3, 0, 0, 0, 1}, goaway[8] = {0, 0, 0, 3};
    size_t size = 0;

    if (size_max < 4096)
        return 0;
    put_frame(out, &size, 4, 0, 0, few_streams, pd_random_chance(random, 1, 4) ? 6 : 0);
    for (uint32_t i = 0; i < CALL_COUNT; i++) {
        if (pd_random_chance(random, 1, 8))
            put_frame(out, &size, 3, 0, 1 + 2 * i, (const uint8_t[]){0, 0, 0, 7}, 4);
        else
            put_answer(random, out, &size, 1 + 2 * i);
        if (pd_random_chance(random, 1, 8))
            put_frame(out, &size, 7, 0, 0, goaway, sizeof(goaway));
        if (pd_random_chance(random, 1, 8))
            put_frame(out, &size, 6, 0, 0, goaway, sizeof(goaway)); /* a PING */
    }
    PD_ASSERT(size <= 4096);
    return size;
}
