#include "state/keys.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    ID_UUID = 0x01,
    ID_STRING = 0x02,
    UUID_BYTES = 16,
    UUID_TEXT = 36,
    CAPACITY_MIN = 128,
};

void pdi_key_init(pdi_key_t *key)
{
    memset(key, 0, sizeof(*key));
}

void pdi_key_deinit(pdi_key_t *key)
{
    pd_free(key->data);
    pdi_key_init(key);
}

void pdi_key_clear(pdi_key_t *key)
{
    key->size = 0;
}

static uint8_t *room(pdi_key_t *key, size_t size)
{
    uint8_t *to;

    if (key->capacity - key->size < size) {
        size_t capacity = key->capacity ? key->capacity : CAPACITY_MIN;

        while (capacity < key->size + size)
            capacity *= 2;
        key->data = pd_realloc(key->data, capacity);
        key->capacity = capacity;
    }
    to = key->data + key->size;
    key->size += size;
    return to;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool is_dash(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

/* Only the canonical form: what is read back must be what was written. */
static bool parse_uuid(const char *id, uint8_t uuid[UUID_BYTES])
{
    size_t at = 0;

    for (size_t i = 0; i < UUID_BYTES; i++) {
        int high, low;

        if (is_dash(at) && id[at++] != '-')
            return false;
        if ((high = hex(id[at])) < 0 || (low = hex(id[at + 1])) < 0)
            return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    return id[at] == '\0';
}

void pdi_key_put_id(pdi_key_t *key, const char *id)
{
    uint8_t uuid[UUID_BYTES];

    if (parse_uuid(id, uuid)) {
        *room(key, 1) = ID_UUID;
        memcpy(room(key, UUID_BYTES), uuid, UUID_BYTES);
    } else {
        size_t size = strlen(id) + 1;

        *room(key, 1) = ID_STRING;
        memcpy(room(key, size), id, size);
    }
}

void pdi_key_put_u64(pdi_key_t *key, uint64_t value)
{
    uint64_t big = __builtin_bswap64(value);

    memcpy(room(key, sizeof(big)), &big, sizeof(big));
}

void pdi_key_put_bytes(pdi_key_t *key, const void *data, size_t size)
{
    if (size)
        memcpy(room(key, size), data, size);
}

static void consume(pd_bytes_t *bytes, size_t size)
{
    PD_ASSERT(size <= bytes->size);
    bytes->data += size;
    bytes->size -= size;
}

static void put_uuid_text(pdi_key_t *text, const uint8_t *uuid)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *to = room(text, UUID_TEXT + 1);
    size_t at = 0;

    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (is_dash(at))
            to[at++] = '-';
        to[at++] = (uint8_t)digits[uuid[i] >> 4];
        to[at++] = (uint8_t)digits[uuid[i] & 15];
    }
    PD_ASSERT(at == UUID_TEXT);
    to[at] = '\0';
}

bool pdi_key_get_id(pd_bytes_t *bytes, pdi_key_t *text)
{
    const uint8_t *end;

    if (bytes->size < 2)
        return false;
    if (bytes->data[0] == ID_UUID) {
        if (bytes->size < 1 + UUID_BYTES)
            return false;
        put_uuid_text(text, bytes->data + 1);
        consume(bytes, 1 + UUID_BYTES);
        return true;
    }
    if (bytes->data[0] != ID_STRING)
        return false;
    end = memchr(bytes->data + 1, 0, bytes->size - 1);
    if (!end)
        return false;
    pdi_key_put_bytes(text, bytes->data + 1, (size_t)(end - bytes->data));
    consume(bytes, (size_t)(end + 1 - bytes->data));
    return true;
}

bool pdi_key_get_u64(pd_bytes_t *bytes, uint64_t *value)
{
    uint64_t big;

    if (bytes->size < sizeof(big))
        return false;
    memcpy(&big, bytes->data, sizeof(big));
    *value = __builtin_bswap64(big);
    consume(bytes, sizeof(big));
    return true;
}

bool pdi_key_get_run(pd_bytes_t bytes, pdi_key_t *text, pdi_run_name_t *name)
{
    size_t workflow_at, run_at;

    pdi_key_clear(text);
    if (!pdi_key_get_id(&bytes, text))
        return false;
    workflow_at = text->size;
    if (!pdi_key_get_id(&bytes, text))
        return false;
    run_at = text->size;
    if (!pdi_key_get_id(&bytes, text) || bytes.size != 0)
        return false;
    name->namespace_id = (const char *)text->data;
    name->workflow_id = (const char *)text->data + workflow_at;
    name->run_id = (const char *)text->data + run_at;
    return true;
}

void pdi_key_text(pd_bytes_t key, char *text, size_t size)
{
    size_t at = 0;

    PD_ASSERT(size > 0);
    text[0] = '\0';
    for (size_t i = 0; i < key.size && at + 5 < size; i++) {
        if (key.data[i] > 0x20 && key.data[i] < 0x7f && key.data[i] != '\\')
            at += (size_t)snprintf(text + at, size - at, "%c", key.data[i]);
        else
            at += (size_t)snprintf(text + at, size - at, "\\x%02x", key.data[i]);
    }
}
