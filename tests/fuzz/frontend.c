/* frontend.c -- any bytes as the request of any RPC. The first byte chooses the RPC; a router that
 * takes everything stands behind. Whatever comes is answered once, and what the router gets keeps
 * the router's contract (checked by the rig). */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "engine/frontend/methods.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/frontend/rig.h"
#include "tests/unit/record/filler.h"

static pd_methods_t *methods;
static rig_t rig;

static void make(void)
{
    if (methods)
        return;
    methods = pd_methods_new();
    rig_init(&rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const pd_method_t *method;
    char path[256];

    make();
    if (size == 0)
        return 0;
    method = pd_methods_at(methods, data[0] % pd_methods_count(methods));
    snprintf(path, sizeof path, "/%s/%s", method->service, method->name);
    rig.deadline_ns = rig.loop.now_ns + (int64_t)70 * 1000000000;
    rig_call_bytes(&rig, path, pd_bytes(data + 1, size - 1));
    PD_ASSERT(!rig.call.error || rig.call.error->message[0]);
    PD_ASSERT(rig.call.arena->used_size <= 4096 * size + (1 << 20));
    return 0;
}

static void set_string(ProtobufCMessage *request, unsigned offset, const char *text)
{
    if (offset)
        *(char **)((char *)request + offset) = (char *)text;
}

/* A random request of a built RPC, mostly of a namespace that is there and with a good token. */
size_t pd_fuzz_example(pd_random_t *random, uint8_t *out, size_t size_max)
{
    const pd_method_t *method;
    ProtobufCMessage *request;
    pd_filler_t filler;
    pd_arena_t arena;
    size_t index;
    size_t size;

    make();
    do {
        index = pd_random_below(random, pd_methods_count(methods));
        method = pd_methods_at(methods, index);
    } while (!method->handle);
    pd_arena_init(&arena);
    filler = (pd_filler_t){random, &arena, 20 + pd_random_below(random, 70), 5};
    request = pd_filler_make(&filler, method->request);
    if (pd_random_chance(random, 7, 8)) {
        set_string(request, method->namespace_offset, "default");
        if (method->task_token_offset)
            *(ProtobufCBinaryData *)((char *)request + method->task_token_offset) =
                rig_token(&rig, RIG_NAMESPACE_ID);
    }
    size = protobuf_c_message_get_packed_size(request);
    if (size < size_max) {
        out[0] = (uint8_t)index;
        protobuf_c_message_pack(request, out + 1);
    }
    pd_arena_deinit(&arena);
    return size < size_max ? size + 1 : 0;
}
