#include "log/embedded/entry.h"

#include <string.h>

#include "base/memory.h"

enum { KEY_KIND = 'e' };

static void put_be(uint8_t *out, uint64_t number, int size)
{
    for (int i = size - 1; i >= 0; i--) {
        out[i] = (uint8_t)number;
        number >>= 8;
    }
}

static uint64_t get_be(const uint8_t *in, int size)
{
    uint64_t number = 0;

    for (int i = 0; i < size; i++)
        number = number << 8 | in[i];
    return number;
}

static void put_le(uint8_t *out, uint64_t number, int size)
{
    for (int i = 0; i < size; i++) {
        out[i] = (uint8_t)number;
        number >>= 8;
    }
}

static uint64_t get_le(const uint8_t *in, int size)
{
    uint64_t number = 0;

    for (int i = size - 1; i >= 0; i--)
        number = number << 8 | in[i];
    return number;
}

void pdi_key_encode(const pdi_key_t *key, uint8_t out[PDI_KEY_SIZE])
{
    PD_ASSERT(key->first_offset >= 0);
    out[0] = KEY_KIND;
    out[1] = (uint8_t)key->topic;
    put_be(out + 2, key->partition, 4);
    put_be(out + 6, (uint64_t)key->first_offset, 8);
}

pd_status_t pdi_key_decode(const void *data, size_t size, pdi_key_t *key)
{
    const uint8_t *in = data;
    uint64_t offset;

    if (size != PDI_KEY_SIZE || in[0] != KEY_KIND || in[1] >= PD_LOG_TOPIC_COUNT)
        return PD_CORRUPT;
    offset = get_be(in + 6, 8);
    if (offset > INT64_MAX)
        return PD_CORRUPT;
    key->topic = (pd_log_topic_t)in[1];
    key->partition = (uint32_t)get_be(in + 2, 4);
    key->first_offset = (int64_t)offset;
    return PD_OK;
}

void pdi_builder_init(pdi_builder_t *builder)
{
    *builder = (pdi_builder_t){0};
}

void pdi_builder_deinit(pdi_builder_t *builder)
{
    pd_free(builder->data);
    *builder = (pdi_builder_t){0};
}

static uint8_t *put_size(uint8_t *out, pd_bytes_t bytes)
{
    uint64_t number = bytes.data ? (uint64_t)bytes.size + 1 : 0;

    while (number >= 0x80) {
        *out++ = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    *out++ = (uint8_t)number;
    return out;
}

static void reserve(pdi_builder_t *builder, size_t size)
{
    if (builder->capacity - builder->size >= size)
        return;
    while (builder->capacity - builder->size < size)
        builder->capacity = builder->capacity ? builder->capacity * 2 : 4096;
    builder->data = pd_realloc(builder->data, builder->capacity);
}

void pdi_builder_add(pdi_builder_t *builder, int64_t time_ms, pd_bytes_t key, pd_bytes_t value)
{
    uint8_t *out;

    PD_ASSERT(key.size <= PD_LOG_RECORD_SIZE_LIMIT && value.size <= PD_LOG_RECORD_SIZE_LIMIT);
    if (builder->count == 0) {
        reserve(builder, PDI_ENTRY_HEAD_SIZE);
        builder->size = PDI_ENTRY_HEAD_SIZE; /* written by take */
    }
    reserve(builder, PDI_RECORD_HEAD_SIZE_MAX + key.size + value.size);
    out = builder->data + builder->size;
    put_le(out, (uint64_t)time_ms, 8);
    out = put_size(out + 8, key);
    out = put_size(out, value);
    if (key.size)
        memcpy(out, key.data, key.size);
    out += key.size;
    if (value.size)
        memcpy(out, value.data, value.size);
    out += value.size;
    builder->size = (size_t)(out - builder->data);
    builder->count++;
    PD_ASSERT(builder->size <= builder->capacity);
}

pd_bytes_t pdi_builder_take(pdi_builder_t *builder)
{
    pd_bytes_t entry = pd_bytes(builder->data, builder->size);

    PD_ASSERT(builder->count > 0);
    builder->data[0] = PDI_ENTRY_VERSION;
    put_le(builder->data + 1, builder->count, 4);
    builder->count = 0;
    builder->size = 0;
    return entry;
}

pd_status_t pdi_decoder_init(pdi_decoder_t *decoder, const void *data, size_t size, uint32_t *count)
{
    const uint8_t *in = data;

    if (size < PDI_ENTRY_HEAD_SIZE || in[0] != PDI_ENTRY_VERSION)
        return PD_CORRUPT;
    *count = (uint32_t)get_le(in + 1, 4);
    /* A record takes at least 10 bytes: no count can make us allocate more than the entry is worth.
     */
    if (*count == 0 || *count > (size - PDI_ENTRY_HEAD_SIZE) / 10)
        return PD_CORRUPT;
    decoder->at = in + PDI_ENTRY_HEAD_SIZE;
    decoder->end = in + size;
    decoder->left_count = *count;
    return PD_OK;
}

/* A size as written by put_size; false when it runs over the end or is absurd. */
static bool get_size(pdi_decoder_t *decoder, uint64_t *number)
{
    *number = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        uint8_t byte;

        if (decoder->at == decoder->end)
            return false;
        byte = *decoder->at++;
        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static pd_status_t get_bytes(pdi_decoder_t *decoder, uint64_t number, pd_bytes_t *bytes)
{
    *bytes = pd_bytes(NULL, 0);
    if (number == 0)
        return PD_OK;
    if (number - 1 > (uint64_t)(decoder->end - decoder->at))
        return PD_CORRUPT;
    *bytes = pd_bytes(decoder->at, (size_t)(number - 1));
    decoder->at += bytes->size;
    return PD_OK;
}

pd_status_t pdi_decoder_next(pdi_decoder_t *decoder, pd_log_record_t *record)
{
    uint64_t key_number, value_number;

    PD_ASSERT(decoder->left_count > 0);
    if (decoder->end - decoder->at < 8)
        return PD_CORRUPT;
    record->time_ms = (int64_t)get_le(decoder->at, 8);
    decoder->at += 8;
    if (!get_size(decoder, &key_number) || !get_size(decoder, &value_number))
        return PD_CORRUPT;
    PD_TRY(get_bytes(decoder, key_number, &record->key));
    PD_TRY(get_bytes(decoder, value_number, &record->value));
    decoder->left_count--;
    if (decoder->left_count == 0 && decoder->at != decoder->end)
        return PD_CORRUPT;
    return PD_OK;
}
