#include "engine/decide/commands/target.h"

#include "engine/limits.h"

#define RESERVED_PREFIX "/_sys/"
#define PER_NAMESPACE_WORKER_QUEUE "temporal-sys-per-ns-tq"

const pd_command_failure_t *
pd_target_namespace(pd_completion_t *completion, const char *name,
                    Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause)
{
    const pd_decision_t *decision = completion->decision;
    const pd_namespace_t *ns;

    if (pd_pb_empty(name) || strcmp(name, decision->ns->name) == 0)
        return NULL;
    ns = pd_namespaces_by_name(decision->namespaces, name);
    if (!ns) {
        pd_command_failure_t *failure = PD_ARENA_NEW(decision->arena, pd_command_failure_t);

        failure->error = pd_rpc_namespace_not_found(decision->arena, name);
        return failure;
    }
    return pd_command_fail(completion, cause, "cross namespace commands are not allowed");
}

static const char *check_name(pd_arena_t *arena, const char *name, const char *own)
{
    if (strlen(name) > PD_ID_SIZE_MAX)
        return "taskQueue length exceeds limit";
    if (strncmp(name, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0)
        return "task queue name cannot start with reserved prefix " RESERVED_PREFIX;
    if (strcmp(name, PER_NAMESPACE_WORKER_QUEUE) == 0 && strcmp(own, name) != 0)
        return pd_arena_printf(arena,
                               "cannot use internal per-namespace task queue:%s (in parent "
                               "component task queue: %s)",
                               name, own);
    return NULL;
}

const char *pd_target_queue(pd_completion_t *completion,
                            const Temporal__Api__Taskqueue__V1__TaskQueue *asked,
                            Temporal__Api__Taskqueue__V1__TaskQueue **out)
{
    pd_arena_t *arena = completion->decision->arena;
    const char *own = completion->draft->exec->row->task_queue;
    Temporal__Api__Taskqueue__V1__TaskQueue *queue = PD_PB_NEW(
        arena, Temporal__Api__Taskqueue__V1__TaskQueue, temporal__api__taskqueue__v1__task_queue);

    if (asked)
        *queue = *asked;
    if (pd_pb_empty(queue->name))
        queue->name = (char *)own;
    if (!queue->kind)
        queue->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    *out = queue;
    return check_name(arena, queue->name, own);
}
