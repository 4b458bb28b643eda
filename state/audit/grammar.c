#include "state/audit/grammar.h"

#include <string.h>
#include <uthash.h>

#include "api/pb/pb.h"
#include "base/memory.h"

typedef struct known_workflow {
    UT_hash_handle hh;
    struct known_run *newest; /* NULL: it was removed */
    size_t run_count;         /* that are known; it goes with the last one */
    char key[];               /* namespace ID NUL workflow ID */
} known_workflow_t;

typedef struct known_run {
    UT_hash_handle hh;
    known_workflow_t *workflow;
    pd_run_grammar_t events;
    bool wrong; /* something was; not looked at any more */
    char run_id[];
} known_run_t;

struct pd_grammar {
    known_workflow_t *workflows;
    known_run_t *runs;
    pd_link_grammar_t link;
    pd_grammar_stats_t stats;
};

/* ---- runs ---- */

static known_run_t *find_run(pd_grammar_t *grammar, const char *run_id)
{
    known_run_t *run;

    HASH_FIND(hh, grammar->runs, run_id, strlen(run_id), run);
    return run;
}

static known_workflow_t *workflow_of(pd_grammar_t *grammar,
                                     const Perdure__V1__Transition *transition)
{
    const char *namespace_id = pd_pb_str(transition->namespace_id);
    const char *workflow_id = pd_pb_str(transition->workflow_id);
    size_t namespace_size = strlen(namespace_id) + 1, workflow_size = strlen(workflow_id) + 1;
    known_workflow_t *workflow = pd_calloc(1, sizeof(*workflow) + namespace_size + workflow_size);
    known_workflow_t *known;

    memcpy(workflow->key, namespace_id, namespace_size);
    memcpy(workflow->key + namespace_size, workflow_id, workflow_size);
    HASH_FIND(hh, grammar->workflows, workflow->key, namespace_size + workflow_size, known);
    if (known) {
        pd_free(workflow);
        return known;
    }
    HASH_ADD_KEYPTR(hh, grammar->workflows, workflow->key, namespace_size + workflow_size,
                    workflow);
    return workflow;
}

static void remove_run(pd_grammar_t *grammar, known_run_t *run)
{
    known_workflow_t *workflow = run->workflow;

    if (workflow->newest == run)
        workflow->newest = NULL;
    if (--workflow->run_count == 0) {
        HASH_DEL(grammar->workflows, workflow);
        pd_free(workflow);
    }
    HASH_DEL(grammar->runs, run);
    pd_run_grammar_deinit(&run->events);
    pd_free(run);
}

static pd_status_t create_run(pd_grammar_t *grammar, known_workflow_t *workflow, const char *run_id,
                              pd_error_t *error)
{
    known_run_t *run = find_run(grammar, run_id);
    bool is_open = workflow->newest && !workflow->newest->events.closed && !workflow->newest->wrong;

    if (run)
        return pd_error_set(error, PD_CORRUPT, "the run is created twice");
    run = pd_calloc(1, sizeof(*run) + strlen(run_id) + 1);
    memcpy(run->run_id, run_id, strlen(run_id) + 1);
    run->workflow = workflow;
    pd_run_grammar_init(&run->events);
    HASH_ADD_KEYPTR(hh, grammar->runs, run->run_id, strlen(run->run_id), run);
    grammar->stats.run_count++;
    if (is_open)
        pd_error_set(error, PD_CORRUPT, "the run begins while run %s is open",
                     workflow->newest->run_id);
    workflow->newest = run;
    workflow->run_count++;
    return is_open ? PD_CORRUPT : PD_OK;
}

/* ---- records ---- */

/* "workflow … run …: " before what is wrong. */
static pd_status_t name_it(const Perdure__V1__Transition *transition, const char *run_id,
                           pd_error_t *error)
{
    pd_error_t inner = *error;

    return pd_error_set(error, PD_CORRUPT, "workflow %s run %s: %s",
                        pd_pb_str(transition->workflow_id), run_id, inner.text);
}

static pd_status_t run_events(pd_grammar_t *grammar, const Perdure__V1__Transition *transition,
                              const Perdure__V1__RunEvents *events, pd_error_t *error)
{
    const char *run_id = pd_pb_str(events->run_id);
    known_run_t *run = find_run(grammar, run_id);
    pd_status_t status = PD_OK;
    size_t at = 0;

    if (events->n_events && events->events[0]->kind_case == PERDURE__V1__EVENT__KIND_RUN_CREATED) {
        PD_TRY(create_run(grammar, workflow_of(grammar, transition), run_id, error));
        run = find_run(grammar, run_id);
        at = 1;
    }
    if (!run)
        return pd_error_set(error, PD_CORRUPT, "events of a run that was not created");
    if (run->workflow != workflow_of(grammar, transition))
        return pd_error_set(error, PD_CORRUPT, "the run belongs to another workflow");
    if (run->wrong)
        return PD_OK;
    for (; status == PD_OK && at < events->n_events; at++) {
        status = pd_run_grammar_event(&run->events, events->events[at], error);
        grammar->stats.event_count +=
            events->events[at]->kind_case == PERDURE__V1__EVENT__KIND_HISTORY;
    }
    if (status == PD_OK)
        status = pd_run_grammar_step_end(&run->events, error);
    run->wrong = status != PD_OK;
    return status;
}

static void count_ends(pd_grammar_t *grammar, const Perdure__V1__RunEvents *events, bool was_closed)
{
    known_run_t *run = find_run(grammar, pd_pb_str(events->run_id));

    if (!run)
        return;
    grammar->stats.closed_count += run->events.closed && !was_closed;
    if (run->events.removed) {
        grammar->stats.removed_count++;
        remove_run(grammar, run);
    }
}

static pd_status_t transition(pd_grammar_t *grammar, const Perdure__V1__Transition *transition,
                              pd_error_t *error)
{
    pd_error_t first = {.status = PD_OK};

    grammar->stats.transition_count++;
    for (size_t i = 0; i < transition->n_runs; i++) {
        const Perdure__V1__RunEvents *events = transition->runs[i];
        const known_run_t *run = find_run(grammar, pd_pb_str(events->run_id));
        bool was_closed = run && run->events.closed;

        if (run_events(grammar, transition, events, error) != PD_OK && first.status == PD_OK) {
            name_it(transition, pd_pb_str(events->run_id), error);
            first = *error;
        }
        count_ends(grammar, events, was_closed);
    }
    if (first.status != PD_OK)
        *error = first;
    return first.status;
}

pd_status_t pd_grammar_record(pd_grammar_t *grammar, const Perdure__V1__Record *record,
                              pd_error_t *error)
{
    pd_error_t of_links;
    pd_status_t links, runs = PD_OK;

    grammar->stats.record_count++;
    links = pd_link_grammar_record(&grammar->link, record, &of_links);
    if (record->body_case == PERDURE__V1__RECORD__BODY_TRANSITION)
        runs = transition(grammar, record->transition, error);
    if (runs == PD_OK && links != PD_OK)
        *error = of_links;
    return runs != PD_OK ? runs : links;
}

void pd_grammar_stats(const pd_grammar_t *grammar, pd_grammar_stats_t *stats)
{
    *stats = grammar->stats;
}

pd_grammar_t *pd_grammar_new(void)
{
    pd_grammar_t *grammar = PD_NEW(pd_grammar_t);

    pd_link_grammar_init(&grammar->link);
    return grammar;
}

void pd_grammar_free(pd_grammar_t *grammar)
{
    known_run_t *run, *next;

    if (!grammar)
        return;
    HASH_ITER (hh, grammar->runs, run, next)
        remove_run(grammar, run);
    pd_link_grammar_deinit(&grammar->link);
    pd_free(grammar);
}
