/* target.h -- the other workflow that a command is about: its namespace, its IDs, its task queue.
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_COMMANDS_TARGET_H
#define PD_ENGINE_DECIDE_COMMANDS_TARGET_H

#include "engine/decide/commands/commands.h"

/* The namespace of that name; empty: the workflow's own. One that is unknown refuses the whole
 * request; another one than the workflow's own fails the task with `cause`. */
const pd_command_failure_t *
pd_target_namespace(pd_completion_t *completion, const char *name,
                    Temporal__Api__Enums__V1__WorkflowTaskFailedCause cause);

/* The queue as the event is to show it: `asked`, or the workflow's own when no name is given. NULL
 * when fine, else the reason. */
const char *pd_target_queue(pd_completion_t *completion,
                            const Temporal__Api__Taskqueue__V1__TaskQueue *asked,
                            Temporal__Api__Taskqueue__V1__TaskQueue **out);

#endif
