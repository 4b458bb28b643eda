/* search_attributes.h -- which search attributes a client may set, and to what.
 *
 * Custom attributes are not built yet: none is registered in any namespace. Of those that the
 * server predefines, some may be set by clients. Thread: any. Ownership: messages are the caller's
 * and are changed in place; texts live in the arena. */
#ifndef PD_ENGINE_SEARCH_ATTRIBUTES_H
#define PD_ENGINE_SEARCH_ATTRIBUTES_H

#include <temporal/api/common/v1/message.pb-c.h>

#include "api/pb/pb.h"

/* NULL when all is well (also for NULL), else the text of the INVALID_ARGUMENT. */
const char *
pd_search_attributes_check(pd_arena_t *arena, const char *namespace_name,
                           const Temporal__Api__Common__V1__SearchAttributes *attributes);
/* Says of each value what type it has (metadata "type"), as readers expect it. After _check. */
void pd_search_attributes_set_types(pd_arena_t *arena,
                                    Temporal__Api__Common__V1__SearchAttributes *attributes);

/* null or an empty list: removes a field of a memo or a search attribute. */
bool pd_payload_is_nil(const Temporal__Api__Common__V1__Payload *payload);
/* Leaves out nil values; *attributes or *memo becomes NULL when nothing is left. */
void pd_search_attributes_drop_nil(Temporal__Api__Common__V1__SearchAttributes **attributes);
void pd_memo_drop_nil(Temporal__Api__Common__V1__Memo **memo);

#endif
