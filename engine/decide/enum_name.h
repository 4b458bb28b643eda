/* enum_name.h -- enum values as the reference words them in texts: UNHANDLED_COMMAND of
 * WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND is "UnhandledCommand". Thread: any. */
#ifndef PD_ENGINE_DECIDE_ENUM_NAME_H
#define PD_ENGINE_DECIDE_ENUM_NAME_H

#include "api/pb/pb.h"

/* The value's name without `prefix`, in camel case; the number for a value that is none. */
const char *pd_enum_name(pd_arena_t *arena, const ProtobufCEnumDescriptor *type, const char *prefix,
                         int value);

#endif
