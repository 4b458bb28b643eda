/* message_plan.h -- what packing and copying need to know of a message type, in few cache lines.
 *
 * A descriptor spends 72 bytes on a field, most of which nobody looks at: walking those of one
 * workflow's events reads tens of kilobytes. A plan spends 12. Plans of all types that our records
 * and rows can reach are built once, before the first use, and live as long as the process.
 * Thread: any. */
#ifndef PD_STATE_MESSAGE_PLAN_H
#define PD_STATE_MESSAGE_PLAN_H

#include <protobuf-c/protobuf-c.h>

typedef enum pdi_field_kind {
    PDI_FIELD_OTHER, /* optional or rare: ask the descriptor */
    PDI_FIELD_STRING,
    PDI_FIELD_BYTES,
    PDI_FIELD_MESSAGE,
    PDI_FIELD_64, /* int64, uint64 */
    PDI_FIELD_32, /* int32, enum */
    PDI_FIELD_BOOL,
    PDI_FIELD_REPEATED,
    PDI_FIELD_ONEOF,
} pdi_field_kind_t;

typedef struct pdi_plan_field {
    uint8_t kind;
    uint8_t tag_size;
    uint16_t offset;
    uint16_t quantifier_offset;
    uint16_t id;
    uint8_t tag[4]; /* as on the wire */
} pdi_plan_field_t;

typedef struct pdi_plan {
    unsigned field_count; /* in the order of the descriptor */
    pdi_plan_field_t fields[];
} pdi_plan_t;

/* Before the first use of pdi_plan; any number of times. */
void pdi_plans_init(void);
/* NULL when the type is none that records or rows can reach, or one that has no plan. */
const pdi_plan_t *pdi_plan(const ProtobufCMessageDescriptor *type);

#endif
