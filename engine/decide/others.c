#include "engine/decide/others.h"

#include "base/assert.h"
#include "engine/decide/slots.h"

#define BODY(NAME) PERDURE__V1__MESSAGE__BODY_##NAME
#define CLOSED_BY(NAME)                                                                            \
    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_##NAME##_EVENT_ATTRIBUTES
#define POLICY(NAME) TEMPORAL__API__ENUMS__V1__PARENT_CLOSE_POLICY__PARENT_CLOSE_POLICY_##NAME

/* With so many children and more, Temporal's server leaves it to a workflow of its own, which is
 * named as the one who did it. */
enum { MANY_CHILDREN = 10 };
#define MANY_CHILDREN_IDENTITY "temporal-sys-parent-close-policy-workflow"

typedef struct pd_others {
    size_t child_count, signal_count, cancel_count;
    pd_asked_t *asked;
    size_t asked_count;
    size_t asked_capacity;
    pd_slots_t child_ids; /* of pd_asked_t */
} pd_others_t;

static pd_others_t *others_of(pd_draft_t *draft)
{
    const Perdure__V1__ExecutionRow *row = draft->exec ? draft->exec->row : NULL;
    pd_others_t *others = draft->others;

    if (others)
        return others;
    draft->others = others = PD_ARENA_NEW(draft->decision->arena, pd_others_t);
    if (!row)
        return others;
    for (size_t i = 0; i < row->n_children; i++)
        others->child_count += !row->children[i]->close_buffered;
    for (size_t i = 0; i < row->n_external_signals; i++)
        others->signal_count += !row->external_signals[i]->answer_buffered;
    for (size_t i = 0; i < row->n_external_cancels; i++)
        others->cancel_count += !row->external_cancels[i]->answer_buffered;
    return others;
}

size_t pd_others_child_count(pd_draft_t *draft)
{
    return others_of(draft)->child_count;
}

size_t pd_others_signal_count(pd_draft_t *draft)
{
    return others_of(draft)->signal_count;
}

size_t pd_others_cancel_count(pd_draft_t *draft)
{
    return others_of(draft)->cancel_count;
}

const Perdure__V1__ChildRow *pd_others_child(const pd_draft_t *draft, int64_t initiated_event_id)
{
    const Perdure__V1__ChildRow *child = pd_execution_child(draft->exec, initiated_event_id);

    return child && !child->close_buffered ? child : NULL;
}

/* ---- asking ---- */

static uint64_t asked_hash(const void *item)
{
    return pd_slots_hash_text(((const pd_asked_t *)item)->workflow_id);
}

static bool asked_same(const void *a, const void *b)
{
    return strcmp(((const pd_asked_t *)a)->workflow_id, ((const pd_asked_t *)b)->workflow_id) == 0;
}

void pd_others_ask(pd_draft_t *draft, const pd_asked_t *asked)
{
    pd_arena_t *arena = draft->decision->arena;
    pd_others_t *others = others_of(draft);

    if (others->asked_count == others->asked_capacity) {
        size_t capacity = others->asked_capacity ? others->asked_capacity * 2 : 4;
        pd_asked_t *grown = pd_arena_alloc(arena, capacity * sizeof(grown[0]));

        if (others->asked_count)
            memcpy(grown, others->asked, others->asked_count * sizeof(grown[0]));
        others->asked = grown;
        others->asked_capacity = capacity;
    }
    others->asked[others->asked_count++] = *asked;
    if (asked->body_case == BODY(START_CHILD)) {
        others->child_count++;
        pd_slots_put(&others->child_ids, arena, pd_arena_memdup(arena, asked, sizeof(*asked)),
                     asked_hash, asked_same);
    } else if (asked->body_case == BODY(SIGNAL_EXTERNAL)) {
        others->signal_count++;
    } else {
        PD_ASSERT(asked->body_case == BODY(REQUEST_CANCEL_EXTERNAL));
        others->cancel_count++;
    }
}

bool pd_others_asked_child(pd_draft_t *draft, const char *workflow_id)
{
    const pd_asked_t probe = {.workflow_id = workflow_id};

    return pd_slots_find(&others_of(draft)->child_ids, &probe, asked_hash, asked_same) != NULL;
}

static void send_asked(pd_draft_t *draft)
{
    const pd_others_t *others = draft->others;

    for (size_t i = 0; others && i < others->asked_count; i++) {
        const pd_asked_t *asked = &others->asked[i];
        Perdure__V1__Message *message =
            pd_decision_send(draft, asked->namespace_id, asked->workflow_id, asked->run_id);

        message->initiated_event_id = asked->initiated_event_id;
        message->body_case = asked->body_case;
        message->start_child = (Perdure__V1__StartChild *)asked->body; /* one pointer for all */
    }
}

/* ---- closing ---- */

static void tell_child(pd_draft_t *draft, const Perdure__V1__ChildRow *child, const char *identity)
{
    pd_arena_t *arena = draft->decision->arena;
    Perdure__V1__ParentClosed *closed =
        PD_PB_NEW(arena, Perdure__V1__ParentClosed, perdure__v1__parent_closed);
    Perdure__V1__Message *message =
        pd_decision_send(draft, child->namespace_id, child->workflow_id, "");

    closed->policy = child->parent_close_policy;
    closed->first_run_id = child->run_id;
    closed->identity = (char *)identity;
    message->initiated_event_id = child->initiated_event_id;
    message->body_case = BODY(PARENT_CLOSED);
    message->parent_closed = closed;
}

/* A child to be abandoned is told, too, as long as its start is not recorded: it never begins. */
static void tell_children(pd_draft_t *draft)
{
    const Perdure__V1__ExecutionRow *row = draft->exec->row;
    size_t pending_count = 0;
    const char *identity;

    for (size_t i = 0; i < row->n_children; i++)
        pending_count += !row->children[i]->close_buffered;
    identity = pending_count < MANY_CHILDREN ? "history-service" : MANY_CHILDREN_IDENTITY;
    for (size_t i = 0; i < row->n_children; i++) {
        const Perdure__V1__ChildRow *child = row->children[i];
        bool is_started = child->started_event_id || child->start_buffered;

        if (!child->close_buffered &&
            (child->parent_close_policy != POLICY(ABANDON) || !is_started))
            tell_child(draft, child, identity);
    }
}

static bool is_last_of_chain(const pd_history_event_t *event)
{
    switch ((int)event->attributes_case) {
    case CLOSED_BY(COMPLETED):
        return pd_pb_empty(
            event->workflow_execution_completed_event_attributes->new_execution_run_id);
    case CLOSED_BY(FAILED):
        return pd_pb_empty(event->workflow_execution_failed_event_attributes->new_execution_run_id);
    case CLOSED_BY(TIMED_OUT):
        return pd_pb_empty(
            event->workflow_execution_timed_out_event_attributes->new_execution_run_id);
    case CLOSED_BY(CONTINUED_AS_NEW):
        return false;
    default:
        return true;
    }
}

static void tell_parent(pd_draft_t *draft)
{
    const Perdure__V1__ExecutionRow *row = draft->exec->row;
    Perdure__V1__ChildClosed *closed;
    Perdure__V1__Message *message;

    if (pd_pb_empty(row->parent_workflow_id) || !is_last_of_chain(draft->close_event))
        return;
    closed = PD_PB_NEW(draft->decision->arena, Perdure__V1__ChildClosed, perdure__v1__child_closed);
    closed->close_event = draft->close_event;
    closed->run_id = row->run_id;
    message = pd_decision_send(draft, row->parent_namespace_id, row->parent_workflow_id,
                               row->parent_run_id);
    message->initiated_event_id = row->parent_initiated_event_id;
    message->body_case = BODY(CHILD_CLOSED);
    message->child_closed = closed;
}

void pd_others_finish(pd_decision_t *decision)
{
    for (pd_draft_t *draft = decision->drafts; draft; draft = draft->next) {
        if (draft->running) {
            send_asked(draft);
        } else if (draft->close_event && draft->exec) {
            tell_children(draft);
            tell_parent(draft);
        }
    }
}
