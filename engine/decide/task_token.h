/* task_token.h -- the opaque token that a worker hands back with its answer. It is not signed: like
 * every field of a request it is checked against the run that it names.
 * Thread: any. Ownership: the arena given. */
#ifndef PD_ENGINE_DECIDE_TASK_TOKEN_H
#define PD_ENGINE_DECIDE_TASK_TOKEN_H

#include "engine/decide/draft.h"

pd_bytes_t pd_task_token_encode(pd_arena_t *arena, const Perdure__V1__TaskToken *token);
/* NULL when the bytes are not a token, or one that names no run. */
const Perdure__V1__TaskToken *pd_task_token_decode(pd_arena_t *arena, pd_bytes_t bytes);

/* Is the token that of the workflow task which now runs in the draft's run? */
bool pd_task_token_is_of_workflow_task(const Perdure__V1__TaskToken *token,
                                       const pd_draft_t *draft);

#endif
