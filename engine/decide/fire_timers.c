/* FIRE_TIMERS: everything about one run that is due, in one transition: in the order of the due
 * times, then of the event IDs; and one workflow task for all of it. */
#include <stdlib.h>

#include "engine/decide/fire_workflow_timers.h"
#include "engine/decide/pending.h"
#include "engine/decide/workflow_task.h"

typedef struct due_list {
    pd_arena_t *arena;
    int64_t now_ns;
    pd_deadline_t *deadlines;
    size_t count;
    size_t capacity;
} due_list_t;

static bool collect(void *ctx, const pd_deadline_t *deadline)
{
    due_list_t *due = ctx;

    if (deadline->at_ns > due->now_ns || deadline->kind == PD_DEADLINE_ACTIVITY_OFFER)
        return true; /* offers are matching's */
    if (due->count == due->capacity) {
        size_t capacity = due->capacity ? due->capacity * 2 : 16;
        pd_deadline_t *grown = pd_arena_alloc(due->arena, capacity * sizeof(grown[0]));

        if (due->count)
            memcpy(grown, due->deadlines, due->count * sizeof(grown[0]));
        due->deadlines = grown;
        due->capacity = capacity;
    }
    due->deadlines[due->count++] = *deadline;
    return true;
}

static int compare(const void *a, const void *b)
{
    const pd_deadline_t *one = a, *other = b;

    if (one->at_ns != other->at_ns)
        return one->at_ns < other->at_ns ? -1 : 1;
    if (one->event_id != other->event_id)
        return one->event_id < other->event_id ? -1 : 1;
    return (int)one->kind - (int)other->kind;
}

/* True when an event was drafted that a workflow task must tell the worker of. */
static bool fire(pd_draft_t *draft, const pd_deadline_t *deadline)
{
    switch (deadline->kind) {
    case PD_DEADLINE_TIMER:
        return draft->running && pd_decide_fire_timer(draft, deadline->event_id);
    case PD_DEADLINE_ACTIVITY_SCHEDULE_TO_START:
    case PD_DEADLINE_ACTIVITY_SCHEDULE_TO_CLOSE:
    case PD_DEADLINE_ACTIVITY_START_TO_CLOSE:
    case PD_DEADLINE_ACTIVITY_HEARTBEAT:
        return draft->running && pd_decide_fire_activity_deadline(draft, deadline);
    case PD_DEADLINE_ACTIVITY_OFFER:
        return false;
    case PD_DEADLINE_FIRST_TASK:
    case PD_DEADLINE_TASK_SCHEDULE_TO_START:
    case PD_DEADLINE_TASK_START_TO_CLOSE:
    case PD_DEADLINE_RUN:
    case PD_DEADLINE_EXECUTION:
    case PD_DEADLINE_RETENTION:
        pd_decide_fire_workflow_deadline(draft, deadline);
        return false;
    }
    return false;
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    due_list_t due = {.arena = decision->arena, .now_ns = decision->now_ns};
    pd_draft_t *draft = pd_draft_of(decision);
    bool wake = false;

    (void)command;
    pd_execution_deadlines(decision->exec, collect, &due);
    if (due.count > 1)
        qsort(due.deadlines, due.count, sizeof(due.deadlines[0]), compare);
    for (size_t i = 0; i < due.count; i++)
        wake |= fire(draft, &due.deadlines[i]);
    if (wake)
        pd_draft_wake(draft);
    return NULL;
}

const pd_command_kind_t pd_command_fire_timers = {
    .name = "FIRE_TIMERS",
    .cause = PERDURE__V1__CAUSE__CAUSE_FIRE_TIMERS,
    .decide = decide,
};
