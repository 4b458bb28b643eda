/* check_ledger.c -- exactly once: what was acknowledged is in the histories, once; what was refused
 * is not.
 *
 * A request ID protects a signal within its run, a start as long as its run is the current one: as
 * Temporal has it. So an operation whose first attempt was lost may be there twice when another run
 * came in between, never otherwise. */
#include <string.h>

#include "tests/sim/sim_ledger.h"

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME

/* The event by which an operation of this kind is seen. */
static int proof_of(sim_op_kind_t kind)
{
    switch (kind) {
    case SIM_OP_START:
        return TYPE(WORKFLOW_EXECUTION_STARTED);
    case SIM_OP_SIGNAL:
    case SIM_OP_SIGNAL_WITH_START:
        return TYPE(WORKFLOW_EXECUTION_SIGNALED);
    case SIM_OP_CANCEL:
        return TYPE(WORKFLOW_EXECUTION_CANCEL_REQUESTED);
    case SIM_OP_TERMINATE:
        return TYPE(WORKFLOW_EXECUTION_TERMINATED);
    case SIM_OP_COMPLETE_TASK:
        return TYPE(WORKFLOW_TASK_COMPLETED);
    case SIM_OP_FAIL_TASK:
        return TYPE(WORKFLOW_TASK_FAILED);
    case SIM_OP_COMPLETE_ACTIVITY:
        return TYPE(ACTIVITY_TASK_COMPLETED);
    case SIM_OP_FAIL_ACTIVITY:
        return TYPE(ACTIVITY_TASK_FAILED);
    case SIM_OP_CANCEL_ACTIVITY:
        return TYPE(ACTIVITY_TASK_CANCELED);
    }
    return 0;
}

/* Acknowledged without an event: repeated cancel requests, failures that lead to a retry. */
static bool may_be_silent(sim_op_kind_t kind)
{
    return kind == SIM_OP_CANCEL || kind == SIM_OP_FAIL_TASK || kind == SIM_OP_FAIL_ACTIVITY ||
           kind == SIM_OP_START;
}

/* May be in the buffer of a run whose workflow task is running: no history event yet. */
static bool may_be_buffered(sim_op_kind_t kind)
{
    return kind == SIM_OP_SIGNAL || kind == SIM_OP_SIGNAL_WITH_START ||
           kind == SIM_OP_COMPLETE_ACTIVITY || kind == SIM_OP_CANCEL_ACTIVITY;
}

static size_t count_of(const sim_op_t *op, int type)
{
    size_t count = 0;

    for (size_t i = 0; i < op->occurrence_count; i++)
        count += op->occurrences[i].type == type;
    return count;
}

void check_ledger_promise(sim_t *sim, const sim_op_t *op)
{
    if (may_be_buffered(op->kind) || (may_be_silent(op->kind) && op->kind != SIM_OP_START))
        return;
    SIM_CHECK(sim, count_of(op, proof_of(op->kind)) > 0,
              "%s (kind %d, workflow %s) was acknowledged but is not in the log", op->mark,
              (int)op->kind, op->workflow_id);
}

static void check_repeats(sim_t *sim, const sim_op_t *op, int type)
{
    for (size_t i = 0; i < op->occurrence_count; i++) {
        for (size_t k = i + 1; k < op->occurrence_count; k++) {
            const sim_occurrence_t *a = &op->occurrences[i], *b = &op->occurrences[k];

            if (a->type != type || b->type != type)
                continue;
            SIM_CHECK(sim, a->run != b->run || op->request_id[0] == '\0',
                      "%s is in run %s twice: events %lld and %lld", op->mark, a->run->run_id,
                      (long long)a->event_id, (long long)b->event_id);
            SIM_CHECK(sim, type != TYPE(WORKFLOW_EXECUTION_STARTED) || b->run->older != a->run,
                      "%s started run %s, and right behind it run %s", op->mark, a->run->run_id,
                      b->run->run_id);
        }
    }
}

static void check_op(sim_t *sim, const sim_op_t *op)
{
    int type = proof_of(op->kind);
    size_t count = count_of(op, type);
    bool once =
        op->attempt_count <= 1 || (op->kind != SIM_OP_START && op->kind != SIM_OP_SIGNAL &&
                                   op->kind != SIM_OP_SIGNAL_WITH_START &&
                                   op->kind != SIM_OP_CANCEL && op->kind != SIM_OP_TERMINATE);

    SIM_CHECK(sim, op->state != SIM_OP_OPEN, "%s (kind %d) was never answered", op->mark,
              (int)op->kind);
    if (op->state == SIM_OP_ACKNOWLEDGED && !may_be_silent(op->kind))
        SIM_CHECK(sim, count >= 1, "%s (kind %d, workflow %s) was acknowledged and is nowhere",
                  op->mark, (int)op->kind, op->workflow_id);
    if (op->state == SIM_OP_REJECTED)
        SIM_CHECK(sim, count == 0, "%s (kind %d, workflow %s) was refused, yet happened in run %s",
                  op->mark, (int)op->kind, op->workflow_id, op->occurrences[0].run->run_id);
    SIM_CHECK(sim, !once || count <= 1, "%s (kind %d, workflow %s) happened %zu times", op->mark,
              (int)op->kind, op->workflow_id, count);
    SIM_CHECK(sim, count <= op->attempt_count, "%s happened %zu times in %u attempts", op->mark,
              count, op->attempt_count);
    check_repeats(sim, op, type);
    check_repeats(sim, op, TYPE(WORKFLOW_EXECUTION_STARTED));
}

void check_ledger_final(sim_t *sim)
{
    sim_run_t *run, *next;

    HASH_ITER (hh, sim->audit->runs, run, next)
        SIM_CHECK(sim, run->check.buffered.count == 0,
                  "run %s (%s) has ended with %lld events in the buffer", run->run_id,
                  run->workflow_id, (long long)run->check.buffered.count);
    for (size_t i = 0; i < sim->ledger->count; i++)
        check_op(sim, sim->ledger->ops[i]);
}
