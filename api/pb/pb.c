#include "api/pb/pb.h"

#include "base/assert.h"
#include "base/memory.h"

static void *arena_alloc(void *ctx, size_t size)
{
    return pd_arena_alloc(ctx, size);
}

static void arena_free(void *ctx, void *ptr)
{
}

void *pd_pb_unpack(const ProtobufCMessageDescriptor *type, pd_arena_t *arena, pd_bytes_t bytes)
{
    ProtobufCAllocator allocator = {arena_alloc, arena_free, arena};

    return protobuf_c_message_unpack(type, &allocator, bytes.size, bytes.data);
}

pd_status_t pd_pb_pack(const void *message, pd_buf_t *buf)
{
    size_t size = protobuf_c_message_get_packed_size(message);

    PD_TRY(pd_buf_reserve(buf, size));
    buf->size += protobuf_c_message_pack(message, buf->data + buf->size);
    return PD_OK;
}

pd_bytes_t pd_pb_pack_arena(const void *message, pd_arena_t *arena)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *data = pd_arena_alloc(arena, size);

    PD_ASSERT(protobuf_c_message_pack(message, data) == size);
    return pd_bytes(data, size);
}

void *pd_pb_clone(const void *message, pd_arena_t *arena)
{
    void *copy;

    if (!message)
        return NULL;
    copy = pd_pb_unpack(((const ProtobufCMessage *)message)->descriptor, arena,
                        pd_pb_pack_arena(message, arena));
    PD_ASSERT(copy);
    return copy;
}

bool pd_pb_equal(const void *a, const void *b)
{
    pd_arena_t arena;
    bool equal;

    if (!a || !b)
        return a == b;
    pd_arena_init(&arena);
    equal = pd_bytes_equal(pd_pb_pack_arena(a, &arena), pd_pb_pack_arena(b, &arena));
    pd_arena_deinit(&arena);
    return equal;
}

void *pd_pb_new(const ProtobufCMessageDescriptor *type, pd_arena_t *arena)
{
    ProtobufCMessage *message = pd_arena_alloc(arena, type->sizeof_message);

    protobuf_c_message_init(type, message);
    return message;
}
