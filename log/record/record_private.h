/* record_private.h -- the plans behind a codec; nothing outside log/record includes this.
 *
 * Three tables, all built once and then read only:
 *   pdi_type_t    a message type as the mapping sees it, from its protobuf-c descriptor. Encoding
 *                 walks it; the Avro schema is written from it.
 *   pdi_wire_t    a node of a writer's Avro schema: enough to skip a value and to know how small it
 *                 can be.
 *   pdi_reader_t  a writer's record resolved to one of our types: the steps of decoding, in the
 *                 order of the writer's fields. Our own schema is only the commonest writer.
 * Memory: everything lies in the codec's arena. Thread: see record.h. */
#ifndef PD_LOG_RECORD_RECORD_PRIVATE_H
#define PD_LOG_RECORD_RECORD_PRIVATE_H

#include <avro.h>
#include <pthread.h>

#include "log/record/record.h"

enum {
    /* Items that take no bytes (messages without fields) are counted against this, per record:
     * their number could otherwise be anything. */
    PDI_EMPTY_ITEMS_MAX = 65536,
    PDI_WRITERS_MAX = 64,       /* older schemas of one codec; one more per release at most */
    PDI_SCHEMA_DEPTH_MAX = 512, /* nodes within nodes of a schema */
};

typedef enum pdi_kind {
    PDI_KIND_BOOL,
    PDI_KIND_INT32,  /* int32, sint32, sfixed32, enums */
    PDI_KIND_UINT32, /* as Avro long */
    PDI_KIND_INT64,  /* and uint64: same bits */
    PDI_KIND_FLOAT,
    PDI_KIND_DOUBLE,
    PDI_KIND_STRING,
    PDI_KIND_BYTES,
    PDI_KIND_MESSAGE,
} pdi_kind_t;

typedef enum pdi_shape {
    PDI_SHAPE_PLAIN,
    PDI_SHAPE_NULLABLE, /* union [null, T] */
    PDI_SHAPE_ARRAY,
    PDI_SHAPE_MAP,   /* map fields with string keys; others are arrays of entries */
    PDI_SHAPE_ONEOF, /* union [null, one wrapping record per alternative] */
} pdi_shape_t;

typedef struct pdi_type pdi_type_t;
typedef struct pdi_field pdi_field_t;

typedef struct pdi_oneof {
    pdi_field_t *alternatives; /* as PLAIN fields, by tag */
    uint32_t alternative_count;
    uint32_t tag_min; /* lowest tag */
    uint32_t tag_count;
    const uint16_t *branch_by_tag; /* [tag - tag_min] = union branch, 0 for other tags */
} pdi_oneof_t;

/* Kept small, as pdi_step_t below: each record walks over dozens of them. */
struct pdi_field {
    uint8_t shape;   /* pdi_shape_t */
    uint8_t kind;    /* pdi_kind_t: of the value, the items, the map's values; unused for a oneof */
    uint32_t offset; /* of the member in the C struct */
    uint32_t quantifier_offset; /* of has_, n_ or the oneof's case; 0: none */
    const pdi_type_t *type;     /* MESSAGE: its type; MAP: the entry's type */
    const pdi_oneof_t *oneof;
    const char *name;                      /* in Avro: the field's, or the oneof's */
    const ProtobufCFieldDescriptor *proto; /* of a oneof: its first alternative */
};

_Static_assert(sizeof(struct pdi_field) <= 48, "fields stay small");

struct pdi_type {
    const ProtobufCMessageDescriptor *proto;
    const pdi_field_t *fields; /* in the order of the Avro record */
    uint32_t field_count;
    const ProtobufCMessage *empty; /* an initialised message, copied for each new one */
};

typedef struct pdi_wire pdi_wire_t;

struct pdi_wire {
    avro_type_t avro_type;
    uint32_t min_size; /* bytes; 0 exactly when every value takes none */
    uint32_t part_count;
    const pdi_wire_t **parts; /* fields, branches, or the items */
};

typedef struct pdi_reader pdi_reader_t;

typedef enum pdi_step_op {
    PDI_STEP_SKIP,
    PDI_STEP_PLAIN,
    PDI_STEP_NULLABLE,
    PDI_STEP_ARRAY,
    PDI_STEP_MAP,
    PDI_STEP_ONEOF,
} pdi_step_op_t;

/* One value of the writer and where it goes. */
typedef struct pdi_value {
    pdi_kind_t kind;
    bool is_narrow;             /* the writer has an int for our long, or a float for our double */
    const pdi_reader_t *reader; /* MESSAGE */
    const pdi_wire_t *wire;
} pdi_value_t;

typedef struct pdi_branch {
    const pdi_wire_t *wire;
    uint32_t tag; /* 0: null, or an alternative that we do not know (skipped) */
    uint32_t offset;
    pdi_value_t value;
} pdi_branch_t;

typedef struct pdi_step {
    uint8_t op; /* pdi_step_op_t */
    /* A zero byte here (null, nothing, 0, "") is what a new message holds already: the most
     * frequent case by far. */
    bool is_zero_default;
    uint8_t null_branch; /* NULLABLE: which of the two branches is null */
    uint32_t offset;
    uint32_t quantifier_offset; /* 0: none */
    uint32_t branch_count;      /* ONEOF */
    pdi_value_t value;
    const pdi_type_t *entry_type; /* MAP */
    const pdi_branch_t *branches; /* ONEOF */
} pdi_step_t;

_Static_assert(sizeof(pdi_step_t) <= 56, "steps stay small");

struct pdi_reader {
    const pdi_type_t *type;
    const pdi_step_t *steps;
    uint32_t step_count;
    avro_schema_t schema; /* borrowed from the writer */
};

/* One schema that records may have been written with. */
typedef struct pdi_writer {
    uint64_t fingerprint;
    avro_schema_t schema;
    const pdi_reader_t *reader;
    avro_value_iface_t *generic; /* avro-c's generic class, made at the first to_json */
} pdi_writer_t;

struct pd_record_codec {
    pd_arena_t arena;
    const pdi_type_t *root;
    pdi_type_t **types;
    uint32_t type_count;
    uint32_t type_capacity;
    char *schema_json;
    pdi_writer_t writers[PDI_WRITERS_MAX]; /* [0] is our own */
    uint32_t writer_count;
    pthread_mutex_t json_lock; /* guards the generic classes */
};

/* Generated from the .proto files: protobuf-c's descriptors do not hold the names of oneofs. */
typedef struct pdi_oneof_name {
    const char *message;
    uint32_t tag; /* of the first alternative */
    const char *name;
} pdi_oneof_name_t;

extern const pdi_oneof_name_t pdi_oneof_names[]; /* ends with a NULL message */

/* Generated from schemas/: one per schema that a release has written. */
typedef struct pdi_kept_schema {
    const char *root; /* full name of the root message */
    uint64_t fingerprint;
    const char *json;
} pdi_kept_schema_t;

extern const pdi_kept_schema_t pdi_kept_schemas[]; /* ends with a NULL root */

/* type.c: the type and all that it reaches. */
const pdi_type_t *pdi_type_get(pd_record_codec_t *codec, const ProtobufCMessageDescriptor *proto);
/* NULL when no such type is reachable. */
const pdi_type_t *pdi_type_find(const pd_record_codec_t *codec, const char *full_name);
const pdi_field_t *pdi_type_field(const pdi_type_t *type, const char *name);
/* Bytes of one value of this kind in a C struct or array. */
size_t pdi_kind_size(pdi_kind_t kind);

/* schema.c: the schema as JSON (pd_free). */
char *pdi_schema_write(const pdi_type_t *root);
/* Position of the short name in a full name; the namespace is what lies before the dot. */
size_t pdi_name_split(const char *full_name);

/* canonical.c */
uint64_t pdi_schema_fingerprint(avro_schema_t schema);
/* Parsing Canonical Form (pd_free). */
char *pdi_schema_canonical(avro_schema_t schema);

/* resolve.c: PD_INVALID when the schema is not one of ours or an incompatible one. */
pd_status_t pdi_resolve(pd_record_codec_t *codec, avro_schema_t writer_schema,
                        const pdi_type_t *type, const pdi_reader_t **out,
                        pd_error_t *error) PD_MUST_USE;

/* decode.c: the writer of these bytes; PD_CORRUPT when header or schema are unknown. */
pd_status_t pdi_find_writer(const pd_record_codec_t *codec, pd_bytes_t bytes, uint32_t *index,
                            pd_error_t *error) PD_MUST_USE;

#endif
