#include "engine/decide/enum_name.h"

#include <ctype.h>

const char *pd_enum_name(pd_arena_t *arena, const ProtobufCEnumDescriptor *type, const char *prefix,
                         int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
    char *name, *end;
    bool upper = true;

    if (!known || strncmp(known->name, prefix, strlen(prefix)) != 0)
        return pd_arena_printf(arena, "%d", value);
    name = end = pd_arena_alloc(arena, strlen(known->name) + 1);
    for (const char *at = known->name + strlen(prefix); *at; at++) {
        if (*at != '_')
            *end++ = (char)(upper ? *at : tolower((unsigned char)*at));
        upper = *at == '_';
    }
    *end = '\0';
    return name;
}
