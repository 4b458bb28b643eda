/* id_policy.h -- what a start means when its workflow ID was used before.
 *
 *   the current run knows the request ID          -> PD_ID_SAME_REQUEST, PD_ID_ATTACHED_REQUEST
 *   it is running: conflict policy                -> refuse, use it, or terminate it and start
 *   it is closed: reuse policy                    -> refuse, or start
 *
 * Pure. Thread: any. Ownership: errors live in the arena given. */
#ifndef PD_ENGINE_DECIDE_ID_POLICY_H
#define PD_ENGINE_DECIDE_ID_POLICY_H

#include <temporal/api/enums/v1/workflow.pb-c.h>

#include "engine/decide/decision.h"

#define PD_CONFLICT(NAME)                                                                          \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_##NAME
#define PD_REUSE(NAME)                                                                             \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##NAME

typedef enum pd_id_outcome {
    PD_ID_START,
    PD_ID_TERMINATE_AND_START,
    PD_ID_USE_EXISTING,
    PD_ID_SAME_REQUEST,     /* the request that made the run: answer as the first time */
    PD_ID_ATTACHED_REQUEST, /* a request that was attached to the run later */
    PD_ID_REFUSED,
} pd_id_outcome_t;

typedef struct pd_id_request {
    const char *request_id;
    Temporal__Api__Enums__V1__WorkflowIdReusePolicy reuse;       /* unspecified: ALLOW_DUPLICATE */
    Temporal__Api__Enums__V1__WorkflowIdConflictPolicy conflict; /* unspecified: default_conflict */
    Temporal__Api__Enums__V1__WorkflowIdConflictPolicy default_conflict;
} pd_id_request_t;

/* Policies that contradict each other; NULL when these do not. */
const pd_rpc_error_t *pd_id_policy_check(pd_arena_t *arena, const pd_id_request_t *request);

/* `current` may be NULL (never used). *error is set when refused. */
pd_id_outcome_t pd_id_policy(pd_arena_t *arena, const pd_id_request_t *request,
                             const Perdure__V1__ExecutionRow *current,
                             const pd_rpc_error_t **error);

#endif
