/* keys.h -- the keys of the tables, as bytes that sort.
 *
 *   id     := 0x01, 16 bytes        an RFC 9562 UUID in its canonical lower-case form
 *           | 0x02, bytes, 0x00     any other string (C strings: they hold no NUL)
 *   run    := id (namespace), id (workflow), id (run)
 *   table         key
 *   executions    run
 *   current runs  id (namespace), id (workflow)
 *   history       id (run), 8 bytes: first event ID of the batch, inverted: seeking an event finds
 *                 the batch that it is in
 *   signals       id (run), 8 bytes: number of the chunk
 *   timers        8 bytes: deadline (sign bit flipped), run
 *   ready         run
 *   namespaces    id (namespace)
 *   outbox        8 bytes: target partition, 8 bytes: number of the message; 0: the head row
 *   inbox         8 bytes: source partition (sign bit flipped), id (source topic)
 *   ingest        id (source: "topic/partition")
 *   command IDs   id (namespace), id (workflow), id (command); id (""): before when all is
 * forgotten command ID    8 bytes: when it was seen (sign bit flipped), and its key in command IDs
 *   times
 *   meta          id ("meta")
 * Integers are big-endian. No key is a prefix of another one of its table.
 * The kinds of tables are an append-only list (tables.h).
 *
 * Thread: one at a time per key. Ownership: a key owns its bytes until _deinit. */
#ifndef PD_STATE_KEYS_H
#define PD_STATE_KEYS_H

#include "base/buf.h"

typedef struct pdi_key {
    uint8_t *data;
    size_t size;
    size_t capacity;
} pdi_key_t;

void pdi_key_init(pdi_key_t *key);
void pdi_key_deinit(pdi_key_t *key);
void pdi_key_clear(pdi_key_t *key);

void pdi_key_put_id(pdi_key_t *key, const char *id);
void pdi_key_put_u64(pdi_key_t *key, uint64_t value);
void pdi_key_put_bytes(pdi_key_t *key, const void *data, size_t size);

static inline uint64_t pdi_key_from_ns(int64_t ns)
{
    return (uint64_t)ns ^ (uint64_t)1 << 63;
}

static inline int64_t pdi_key_to_ns(uint64_t value)
{
    return (int64_t)(value ^ (uint64_t)1 << 63);
}

/* Reading back: each consumes from the front of *bytes. False when malformed. */
/* The id, NUL-terminated, is appended to `text`. */
bool pdi_key_get_id(pd_bytes_t *bytes, pdi_key_t *text);
bool pdi_key_get_u64(pd_bytes_t *bytes, uint64_t *value);

/* Three ids that fill the bytes to their end; the strings live in `text` (cleared first). */
typedef struct pdi_run_name {
    const char *namespace_id;
    const char *workflow_id;
    const char *run_id;
} pdi_run_name_t;
bool pdi_key_get_run(pd_bytes_t bytes, pdi_key_t *text, pdi_run_name_t *name);

/* Appends the bytes as printable text (for diagnostics). */
void pdi_key_text(pd_bytes_t key, char *text, size_t size);

#endif
