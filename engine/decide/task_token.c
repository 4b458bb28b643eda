#include "engine/decide/task_token.h"

pd_bytes_t pd_task_token_encode(pd_arena_t *arena, const Perdure__V1__TaskToken *token)
{
    return pd_pb_pack_arena(token, arena);
}

const Perdure__V1__TaskToken *pd_task_token_decode(pd_arena_t *arena, pd_bytes_t bytes)
{
    const Perdure__V1__TaskToken *token;

    if (!bytes.size)
        return NULL;
    token = pd_pb_unpack(&perdure__v1__task_token__descriptor, arena, bytes);
    if (!token || pd_pb_empty(token->namespace_id))
        return NULL;
    if (pd_pb_empty(token->query_id) && pd_pb_empty(token->workflow_id))
        return NULL;
    return token;
}

bool pd_task_token_is_of_workflow_task(const Perdure__V1__TaskToken *token, const pd_draft_t *draft)
{
    const pd_draft_task_t *task = &draft->task;

    return draft->running && task->exists && task->started &&
           token->scheduled_event_id == task->scheduled_event_id &&
           token->attempt == task->attempt &&
           (!token->started_event_id || token->started_event_id == task->started_event_id) &&
           (!token->started_time_ns || token->started_time_ns == task->started_time_ns);
}
