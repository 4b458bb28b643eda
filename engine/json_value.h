/* json_value.h -- reads one JSON value (RFC 8259), as search attributes carry them.
 * Thread: any. Ownership: the arena given; numbers keep their text. */
#ifndef PD_ENGINE_JSON_VALUE_H
#define PD_ENGINE_JSON_VALUE_H

#include "base/arena.h"
#include "base/buf.h"

/* Arrays and objects within each other. */
enum { PD_JSON_DEPTH_MAX = 32 };

typedef enum pd_json_kind {
    PD_JSON_NULL,
    PD_JSON_BOOL,
    PD_JSON_NUMBER,
    PD_JSON_STRING,
    PD_JSON_ARRAY,
    PD_JSON_OBJECT,
} pd_json_kind_t;

typedef struct pd_json_value {
    pd_json_kind_t kind;
    bool boolean;
    const char *name;            /* of an object's member */
    const char *text;            /* STRING: unescaped; NUMBER: as written */
    struct pd_json_value *first; /* ARRAY, OBJECT */
    struct pd_json_value *next;  /* within one */
} pd_json_value_t;

/* NULL when the bytes are not one JSON value (spaces around it are fine), or when a string has a
 * NUL character. */
pd_json_value_t *pd_json_parse(pd_arena_t *arena, pd_bytes_t bytes);

/* As Go prints a value of unknown type (%v): [a 1 true], map[k:v], <nil>. */
const char *pd_json_print(pd_arena_t *arena, const pd_json_value_t *value);

#endif
