/* decode.c -- reads Avro binary into messages by a reader's steps. The bytes may be anything.
 *
 * Every length, count and branch is checked against what is left. Text is copied into one block as
 * large as the input, which always suffices: each string took at least one byte of length, where
 * the copy has its NUL. */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "log/record/record_private.h"

/* A message may be a union, an array and a record to a writer's schema. */
enum { SKIP_DEPTH_MAX = 4 * PD_RECORD_DEPTH_MAX };

typedef struct input {
    const uint8_t *at;
    const uint8_t *end;
    char *text; /* next free byte of the text block */
    pd_arena_t *arena;
    uint32_t empty_item_count;
    const char *reason; /* why it is corrupt */
} input_t;

/* The first reason is the one that counts. */
static __attribute__((noinline, cold)) void set_reason(input_t *in, const char *reason)
{
    if (!in->reason)
        in->reason = reason;
}

static inline bool fail(input_t *in, const char *reason)
{
    set_reason(in, reason);
    return false;
}

static inline size_t left(const input_t *in)
{
    return (size_t)(in->end - in->at);
}

static __attribute__((noinline)) bool get_long_slow(input_t *in, int64_t *value)
{
    uint64_t bits = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;

        if (in->at == in->end)
            return fail(in, "it ends within a number");
        byte = *in->at++;
        if (shift == 63 && byte > 1)
            return fail(in, "a number has more than 64 bits");
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *value = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
            return true;
        }
    }
    return fail(in, "a number has more than 64 bits");
}

static inline bool get_long(input_t *in, int64_t *value)
{
    if (in->at < in->end && !(*in->at & 0x80)) {
        uint8_t byte = *in->at++;

        *value = (int64_t)(byte >> 1) ^ -(int64_t)(byte & 1);
        return true;
    }
    return get_long_slow(in, value);
}

/* An Avro int: at most five bytes, as other readers demand. */
static inline bool get_int(input_t *in, int64_t min, int64_t max, int64_t *value)
{
    const uint8_t *start = in->at;

    if (!get_long(in, value))
        return false;
    if (*value < min || *value > max || in->at - start > 5)
        return fail(in, "a number is not within 32 bits");
    return true;
}

static inline bool get_bool(input_t *in, protobuf_c_boolean *value)
{
    if (in->at == in->end || *in->at > 1)
        return fail(in, "a boolean is neither 0 nor 1");
    *value = *in->at++;
    return true;
}

/* The length of a string or of bytes, at most what is left. */
static inline bool get_size(input_t *in, size_t *size)
{
    int64_t value;

    if (!get_long(in, &value))
        return false;
    if (value < 0 || (uint64_t)value > left(in))
        return fail(in, "a length goes beyond the end");
    *size = (size_t)value;
    return true;
}

/* One multi-byte character of UTF-8; its size, or 0 when it is none. */
static size_t utf8_char_size(const uint8_t *at, size_t size)
{
    uint32_t code;

    if (at[0] < 0x80)
        return at[0] != 0;
    if (at[0] >= 0xC2 && at[0] <= 0xDF)
        return size >= 2 && (at[1] & 0xC0) == 0x80 ? 2 : 0;
    if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        if (size < 3 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80)
            return 0;
        code = (uint32_t)(at[0] & 0x0F) << 12 | (uint32_t)(at[1] & 0x3F) << 6;
        return code >= 0x800 && (code < 0xD800 || code > 0xDFFF) ? 3 : 0;
    }
    if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        if (size < 4 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80 || (at[3] & 0xC0) != 0x80)
            return 0;
        code = (uint32_t)(at[0] & 0x07) << 18 | (uint32_t)(at[1] & 0x3F) << 12;
        return code >= 0x10000 && code <= 0x10FFFF ? 4 : 0;
    }
    return 0;
}

/* UTF-8 without NUL: in C a NUL would hide what follows it. */
static bool is_text(const uint8_t *data, size_t size)
{
    size_t i = 0;

    while (i < size) {
        uint64_t word;
        size_t char_size;

        if (size - i >= 8) {
            memcpy(&word, data + i, 8);
            if (!((word | (word - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080))) {
                i += 8; /* eight ASCII characters, none of them NUL */
                continue;
            }
        }
        char_size = utf8_char_size(data + i, size - i);
        if (char_size == 0)
            return false;
        i += char_size;
    }
    return true;
}

/* The length of a string that lies there as it should. */
static inline bool get_text_size(input_t *in, size_t *size)
{
    if (!get_size(in, size))
        return false;
    if (!is_text(in->at, *size))
        return fail(in, "a string is not UTF-8 or has a NUL inside");
    return true;
}

static bool get_string(input_t *in, char **member)
{
    size_t size;

    if (!get_text_size(in, &size))
        return false;
    memcpy(in->text, in->at, size);
    in->text[size] = 0;
    *member = in->text;
    in->text += size + 1;
    in->at += size;
    return true;
}

static bool get_bytes(input_t *in, ProtobufCBinaryData *member)
{
    size_t size;

    if (!get_size(in, &size))
        return false;
    member->len = size;
    member->data = NULL;
    if (size > 0) {
        memcpy(in->text, in->at, size);
        member->data = (uint8_t *)in->text;
        in->text += size;
        in->at += size;
    }
    return true;
}

static bool get_fixed(input_t *in, void *value, size_t size)
{
    uint64_t bits = 0;

    if (left(in) < size)
        return fail(in, "it ends within a floating-point number");
    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)in->at[i] << (8 * i);
    if (size == sizeof(float)) {
        uint32_t low = (uint32_t)bits;

        memcpy(value, &low, sizeof(low));
    } else {
        memcpy(value, &bits, sizeof(bits));
    }
    in->at += size;
    return true;
}

static bool get_message(input_t *in, const pdi_reader_t *reader, uint8_t *message, uint32_t depth);

static void *new_message(input_t *in, const pdi_type_t *type)
{
    void *message = pd_arena_alloc(in->arena, type->proto->sizeof_message);

    memcpy(message, type->empty, type->proto->sizeof_message);
    return message;
}

static bool get_number(input_t *in, const pdi_value_t *value, void *member)
{
    int64_t number = 0;

    if (value->kind == PDI_KIND_INT64)
        return value->is_narrow ? get_int(in, INT32_MIN, INT32_MAX, member) : get_long(in, member);
    if (value->kind == PDI_KIND_UINT32) {
        if (!get_int(in, 0, UINT32_MAX, &number))
            return false;
        *(uint32_t *)member = (uint32_t)number;
        return true;
    }
    if (!get_int(in, INT32_MIN, INT32_MAX, &number))
        return false;
    *(int32_t *)member = (int32_t)number;
    return true;
}

static bool get_value(input_t *in, const pdi_value_t *value, void *member, uint32_t depth)
{
    switch (value->kind) {
    case PDI_KIND_BOOL:
        return get_bool(in, member);
    case PDI_KIND_INT32:
    case PDI_KIND_UINT32:
    case PDI_KIND_INT64:
        return get_number(in, value, member);
    case PDI_KIND_FLOAT:
        return get_fixed(in, member, sizeof(float));
    case PDI_KIND_DOUBLE: {
        float narrow = 0;

        if (!value->is_narrow)
            return get_fixed(in, member, sizeof(double));
        if (!get_fixed(in, &narrow, sizeof(float)))
            return false;
        *(double *)member = (double)narrow;
        return true;
    }
    case PDI_KIND_STRING:
        return get_string(in, member);
    case PDI_KIND_BYTES:
        return get_bytes(in, member);
    case PDI_KIND_MESSAGE: {
        void *message = new_message(in, value->reader->type);

        *(void **)member = message;
        return get_message(in, value->reader, message, depth + 1);
    }
    }
    PD_UNREACHABLE();
}

/* --- values that nobody wants ---
 * Checked like all others: whether a record is corrupt must not depend on who reads it. */

static bool get_block(input_t *in, const pdi_wire_t *item, size_t key_size_min, size_t *count);

static bool skip(input_t *in, const pdi_wire_t *wire, uint32_t depth);

static bool skip_scalar(input_t *in, const pdi_wire_t *wire)
{
    int64_t number;
    size_t size;

    switch (wire->avro_type) {
    case AVRO_BOOLEAN:
        return get_bool(in, &(protobuf_c_boolean){0});
    case AVRO_INT32:
        return get_int(in, INT32_MIN, INT32_MAX, &number);
    case AVRO_INT64:
        return get_long(in, &number);
    case AVRO_FLOAT:
        return get_fixed(in, &(float){0}, sizeof(float));
    case AVRO_DOUBLE:
        return get_fixed(in, &(double){0}, sizeof(double));
    case AVRO_STRING:
        if (!get_text_size(in, &size))
            return false;
        in->at += size;
        return true;
    case AVRO_BYTES:
        if (!get_size(in, &size))
            return false;
        in->at += size;
        return true;
    default:
        return true; /* null */
    }
}

static bool skip_blocks(input_t *in, const pdi_wire_t *wire, uint32_t depth)
{
    bool is_map = wire->avro_type == AVRO_MAP;
    size_t key_size;
    size_t count;

    do {
        if (!get_block(in, wire->parts[0], is_map, &count))
            return false;
        for (size_t i = 0; i < count; i++) {
            if (is_map) {
                if (!get_text_size(in, &key_size))
                    return false;
                in->at += key_size;
            }
            if (!skip(in, wire->parts[0], depth))
                return false;
        }
    } while (count > 0);
    return true;
}

static bool skip(input_t *in, const pdi_wire_t *wire, uint32_t depth)
{
    int64_t branch;

    if (depth > SKIP_DEPTH_MAX)
        return fail(in, "it is nested too deeply");
    switch (wire->avro_type) {
    case AVRO_RECORD:
        for (uint32_t i = 0; i < wire->part_count; i++)
            if (!skip(in, wire->parts[i], depth + 1))
                return false;
        return true;
    case AVRO_UNION:
        if (!get_long(in, &branch))
            return false;
        if (branch < 0 || branch >= wire->part_count)
            return fail(in, "a union has no such branch");
        return skip(in, wire->parts[branch], depth + 1);
    case AVRO_ARRAY:
    case AVRO_MAP:
        return skip_blocks(in, wire, depth + 1);
    default:
        return skip_scalar(in, wire);
    }
}

/* --- arrays and maps --- */

/* The item count of the next block, 0 at the end; never more items than the rest could hold. */
static bool get_block(input_t *in, const pdi_wire_t *item, size_t key_size_min, size_t *count)
{
    size_t item_size_min = item->min_size + key_size_min;
    int64_t number;
    int64_t block_size;

    if (!get_long(in, &number))
        return false;
    if (number < 0) { /* such blocks tell their size in bytes, so that they can be skipped */
        if (number == INT64_MIN)
            return fail(in, "a block has an impossible item count");
        number = -number;
        if (!get_long(in, &block_size))
            return false;
        if (block_size < 0 || (uint64_t)block_size > left(in))
            return fail(in, "a block goes beyond the end");
    }
    *count = (size_t)number;
    if (item_size_min > 0) {
        if ((uint64_t)number > left(in) / item_size_min)
            return fail(in, "a block has more items than bytes");
        return true;
    }
    if (number > PDI_EMPTY_ITEMS_MAX - in->empty_item_count)
        return fail(in, "too many items without content");
    in->empty_item_count += (uint32_t)number;
    return true;
}

/* Room for `more` items behind the `count` that are there. Capacity doubles, so that many small
 * blocks cost no more than one large one. */
static void *grow_items(input_t *in, void *items, size_t count, size_t *capacity, size_t more,
                        size_t item_size)
{
    size_t wanted = count + more;
    void *larger;

    if (wanted <= *capacity)
        return items;
    if (count > 0 && wanted < 2 * count)
        wanted = 2 * count;
    larger = pd_arena_alloc(in->arena, wanted * item_size);
    if (count > 0)
        memcpy(larger, items, count * item_size);
    *capacity = wanted;
    return larger;
}

static bool get_array(input_t *in, const pdi_step_t *step, uint8_t *message, uint32_t depth)
{
    size_t item_size = pdi_kind_size(step->value.kind);
    size_t total = 0;
    size_t capacity = 0;
    size_t count;
    uint8_t *items = NULL;

    for (;;) {
        if (!get_block(in, step->value.wire, 0, &count))
            return false;
        if (count == 0)
            break;
        items = grow_items(in, items, total, &capacity, count, item_size);
        for (; count > 0; count--, total++)
            if (!get_value(in, &step->value, items + total * item_size, depth))
                return false;
    }
    *(uint8_t **)(message + step->offset) = items;
    *(size_t *)(message + step->quantifier_offset) = total;
    return true;
}

static bool get_map(input_t *in, const pdi_step_t *step, uint8_t *message, uint32_t depth)
{
    uint32_t key_offset = step->entry_type->fields[0].offset;
    uint32_t value_offset = step->entry_type->fields[1].offset;
    size_t total = 0;
    size_t capacity = 0;
    size_t count;
    uint8_t **entries = NULL;

    for (;;) {
        if (!get_block(in, step->value.wire, 1, &count))
            return false;
        if (count == 0)
            break;
        entries = grow_items(in, entries, total, &capacity, count, sizeof(*entries));
        for (; count > 0; count--, total++) {
            uint8_t *entry = new_message(in, step->entry_type);

            entries[total] = entry;
            if (!get_string(in, (char **)(entry + key_offset)) ||
                !get_value(in, &step->value, entry + value_offset, depth))
                return false;
        }
    }
    *(uint8_t ***)(message + step->offset) = entries;
    *(size_t *)(message + step->quantifier_offset) = total;
    return true;
}

/* --- records --- */

static bool get_nullable(input_t *in, const pdi_step_t *step, uint8_t *message, uint32_t depth)
{
    int64_t branch;

    if (!get_long(in, &branch))
        return false;
    if ((uint64_t)branch > 1)
        return fail(in, "a union has no such branch");
    if ((uint32_t)branch == step->null_branch)
        return true;
    if (step->quantifier_offset != 0)
        *(protobuf_c_boolean *)(message + step->quantifier_offset) = 1;
    return get_value(in, &step->value, message + step->offset, depth);
}

static bool get_oneof(input_t *in, const pdi_step_t *step, uint8_t *message, uint32_t depth)
{
    const pdi_branch_t *branch;
    int64_t index;

    if (!get_long(in, &index))
        return false;
    if ((uint64_t)index >= step->branch_count)
        return fail(in, "a union has no such branch");
    branch = &step->branches[index];
    if (branch->tag == 0)
        return skip(in, branch->wire, depth);
    *(uint32_t *)(message + step->quantifier_offset) = branch->tag;
    return get_value(in, &branch->value, message + branch->offset, depth);
}

static bool get_plain(input_t *in, const pdi_step_t *step, uint8_t *message, uint32_t depth)
{
    if (step->quantifier_offset != 0)
        *(protobuf_c_boolean *)(message + step->quantifier_offset) = 1;
    return get_value(in, &step->value, message + step->offset, depth);
}

static bool get_message(input_t *in, const pdi_reader_t *reader, uint8_t *message, uint32_t depth)
{
    if (depth > PD_RECORD_DEPTH_MAX)
        return fail(in, "it is nested too deeply");
    for (uint32_t i = 0; i < reader->step_count; i++) {
        const pdi_step_t *step = &reader->steps[i];
        bool is_done = false;

        if (step->is_zero_default && in->at < in->end && *in->at == 0) {
            in->at++;
            continue;
        }
        switch ((pdi_step_op_t)step->op) {
        case PDI_STEP_SKIP:
            is_done = skip(in, step->value.wire, depth);
            break;
        case PDI_STEP_PLAIN:
            is_done = get_plain(in, step, message, depth);
            break;
        case PDI_STEP_NULLABLE:
            is_done = get_nullable(in, step, message, depth);
            break;
        case PDI_STEP_ARRAY:
            is_done = get_array(in, step, message, depth);
            break;
        case PDI_STEP_MAP:
            is_done = get_map(in, step, message, depth);
            break;
        case PDI_STEP_ONEOF:
            is_done = get_oneof(in, step, message, depth);
            break;
        }
        if (!is_done)
            return false;
    }
    return true;
}

pd_status_t pdi_find_writer(const pd_record_codec_t *codec, pd_bytes_t bytes, uint32_t *index,
                            pd_error_t *error)
{
    uint64_t fingerprint = 0;

    if (bytes.size < PD_RECORD_HEADER_SIZE || bytes.data[0] != 0xC3 || bytes.data[1] != 0x01)
        return pd_error_set(error, PD_CORRUPT, "record: not an Avro single object");
    for (int i = 0; i < 8; i++)
        fingerprint |= (uint64_t)bytes.data[2 + i] << (8 * i);
    for (uint32_t i = 0; i < codec->writer_count; i++) {
        if (codec->writers[i].fingerprint == fingerprint) {
            *index = i;
            return PD_OK;
        }
    }
    return pd_error_set(error, PD_CORRUPT,
                        "record: written with schema %016" PRIx64
                        ", which is not registered for %s",
                        fingerprint, codec->root->proto->name);
}

pd_status_t pd_record_decode(const pd_record_codec_t *codec, pd_arena_t *arena, pd_bytes_t bytes,
                             ProtobufCMessage **out, pd_error_t *error)
{
    input_t in = {.arena = arena};
    ProtobufCMessage *message;
    uint32_t writer = 0;

    *out = NULL;
    PD_TRY(pdi_find_writer(codec, bytes, &writer, error));
    in.at = bytes.data + PD_RECORD_HEADER_SIZE;
    in.end = bytes.data + bytes.size;
    in.text = pd_arena_alloc(arena, bytes.size);
    message = new_message(&in, codec->root);
    if (get_message(&in, codec->writers[writer].reader, (uint8_t *)message, 1) && in.at != in.end)
        (void)fail(&in, "bytes follow its end");
    if (in.reason)
        return pd_error_set(error, PD_CORRUPT, "record: %s, at byte %zu", in.reason,
                            (size_t)(in.at - bytes.data));
    *out = message;
    return PD_OK;
}
