/* transition.c -- what a decision becomes: one record, with the messages that it sends. */
#include "base/assert.h"
#include "engine/decide/draft.h"
#include "engine/decide/others.h"

/* ---- messages ---- */

static Perdure__V1__Message *new_message(pd_decision_t *decision, const char *sender_run_id,
                                         const char *namespace_id, const char *workflow_id,
                                         const char *run_id)
{
    Perdure__V1__Message *message =
        PD_PB_NEW(decision->arena, Perdure__V1__Message, perdure__v1__message);

    message->namespace_id = (char *)namespace_id;
    message->workflow_id = (char *)workflow_id;
    message->run_id = (char *)run_id;
    message->sender_namespace_id = (char *)decision->ns->id;
    message->sender_workflow_id = (char *)decision->workflow_id;
    message->sender_run_id = (char *)sender_run_id;
    return message;
}

static void add_message(pd_decision_t *decision, Perdure__V1__Message *message)
{
    if (decision->message_count == decision->message_capacity) {
        size_t capacity = decision->message_capacity ? decision->message_capacity * 2 : 4;
        Perdure__V1__Message **grown = pd_arena_alloc(decision->arena, capacity * sizeof(grown[0]));

        if (decision->message_count)
            memcpy(grown, decision->messages, decision->message_count * sizeof(grown[0]));
        decision->messages = grown;
        decision->message_capacity = capacity;
    }
    decision->messages[decision->message_count++] = message;
}

Perdure__V1__Message *pd_decision_send(pd_draft_t *sender, const char *namespace_id,
                                       const char *workflow_id, const char *run_id)
{
    Perdure__V1__Message *message =
        new_message(sender->decision, sender->run_id, namespace_id, workflow_id, run_id);

    add_message(sender->decision, message);
    return message;
}

Perdure__V1__Message *pd_decision_answer(pd_decision_t *decision, const char *run_id,
                                         const Perdure__V1__Message *to)
{
    PD_ASSERT(!decision->answer);
    decision->answer = new_message(decision, run_id, to->sender_namespace_id,
                                   to->sender_workflow_id, to->sender_run_id);
    decision->answer->initiated_event_id = to->initiated_event_id;
    return decision->answer;
}

/* ---- the record ---- */

static void add_runs(pd_decision_t *decision, Perdure__V1__Transition *transition, size_t count)
{
    pd_arena_t *arena = decision->arena;

    transition->runs = pd_arena_alloc(arena, count * sizeof(transition->runs[0]));
    for (pd_draft_t *draft = decision->drafts; draft; draft = draft->next) {
        Perdure__V1__RunEvents *run;

        if (!draft->event_count)
            continue;
        run = PD_PB_NEW(arena, Perdure__V1__RunEvents, perdure__v1__run_events);
        run->run_id = (char *)draft->run_id;
        run->events = draft->events;
        run->n_events = draft->event_count;
        transition->runs[transition->n_runs++] = run;
    }
}

Perdure__V1__Transition *pd_decision_transition(pd_decision_t *decision, Perdure__V1__Cause cause)
{
    Perdure__V1__Transition *transition;
    size_t count = 0;

    pd_others_finish(decision);
    if (decision->answer)
        add_message(decision, decision->answer);
    for (pd_draft_t *draft = decision->drafts; draft; draft = draft->next)
        count += draft->event_count > 0;
    if (!count && !decision->message_count && !decision->received && !decision->command_id)
        return NULL;
    transition = PD_PB_NEW(decision->arena, Perdure__V1__Transition, perdure__v1__transition);
    transition->cause = cause;
    transition->commands_through = -1;
    transition->namespace_id = (char *)decision->ns->id;
    transition->workflow_id = (char *)decision->workflow_id;
    if (count)
        add_runs(decision, transition, count);
    transition->messages = decision->messages;
    transition->n_messages = decision->message_count;
    transition->received = decision->received;
    transition->command_id = (char *)decision->command_id;
    return transition;
}
