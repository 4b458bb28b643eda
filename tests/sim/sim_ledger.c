#include "tests/sim/sim_ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME

sim_ledger_t *sim_ledger_new(sim_t *sim)
{
    sim_ledger_t *ledger = PD_NEW(sim_ledger_t);

    ledger->sim = sim;
    return ledger;
}

void sim_ledger_free(sim_ledger_t *ledger)
{
    for (size_t i = 0; i < ledger->count; i++) {
        pd_free(ledger->ops[i]->occurrences);
        pd_free(ledger->ops[i]);
    }
    pd_free(ledger->ops);
    pd_free(ledger);
}

sim_op_t *sim_op_new(sim_t *sim, sim_op_kind_t kind, const char *workflow_id)
{
    sim_ledger_t *ledger = sim->ledger;
    sim_op_t *op = PD_NEW(sim_op_t);

    if (ledger->count == ledger->capacity) {
        ledger->capacity = ledger->capacity ? ledger->capacity * 2 : 256;
        ledger->ops = pd_realloc(ledger->ops, ledger->capacity * sizeof(ledger->ops[0]));
    }
    op->number = (uint32_t)ledger->count;
    op->kind = kind;
    snprintf(op->mark, sizeof(op->mark), "op-%u", op->number);
    snprintf(op->workflow_id, sizeof(op->workflow_id), "%s", workflow_id);
    ledger->ops[ledger->count++] = op;
    return op;
}

void sim_op_acknowledged(sim_t *sim, sim_op_t *op, const char *run_id, bool started)
{
    bool is_new = op->occurrence_count == 0;

    PD_ASSERT(op->state == SIM_OP_OPEN);
    op->state = SIM_OP_ACKNOWLEDGED;
    sim->ledger->acknowledged_count++;
    sim_audit_catch_up(sim->audit);
    if (op->kind == SIM_OP_START || op->kind == SIM_OP_SIGNAL_WITH_START) {
        SIM_CHECK(sim, sim_audit_run(sim->audit, run_id),
                  "%s was answered with run %s, which is not in the log", op->mark, run_id);
        if (op->kind == SIM_OP_START && !started && is_new)
            return; /* another's run was joined */
    }
    check_ledger_promise(sim, op);
}

void sim_op_rejected(sim_t *sim, sim_op_t *op)
{
    PD_ASSERT(op->state == SIM_OP_OPEN);
    op->state = op->maybe ? SIM_OP_GIVEN_UP : SIM_OP_REJECTED;
    sim->ledger->rejected_count++;
}

void sim_op_given_up(sim_t *sim, sim_op_t *op)
{
    PD_ASSERT(op->state == SIM_OP_OPEN);
    op->state = SIM_OP_GIVEN_UP;
    sim->ledger->given_up_count++;
}

/* Does an event of this type prove that the operation happened? */
static bool proves(int type, const pd_history_event_t *event)
{
    switch (type) {
    case TYPE(WORKFLOW_EXECUTION_STARTED): /* later runs of a chain carry the identity on */
        return pd_pb_empty(pd_event_text(event, "continued_execution_run_id"));
    case TYPE(WORKFLOW_EXECUTION_SIGNALED):
    case TYPE(WORKFLOW_EXECUTION_TERMINATED):
    case TYPE(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
    case TYPE(WORKFLOW_TASK_COMPLETED):
    case TYPE(WORKFLOW_TASK_FAILED):
    case TYPE(ACTIVITY_TASK_COMPLETED):
    case TYPE(ACTIVITY_TASK_FAILED):
    case TYPE(ACTIVITY_TASK_CANCELED):
        return true;
    default:
        return false;
    }
}

void sim_ledger_saw(sim_ledger_t *ledger, sim_run_t *run, const pd_history_event_t *event)
{
    const char *identity = pd_event_text(event, "identity");
    unsigned long number;
    sim_op_t *op;

    if (strncmp(identity, "op-", 3) != 0 || !proves((int)event->event_type, event))
        return;
    number = strtoul(identity + 3, NULL, 10);
    SIM_CHECK(ledger->sim, number < ledger->count, "run %s: an operation nobody made: %s",
              run->run_id, identity);
    op = ledger->ops[number];
    SIM_CHECK(ledger->sim, strcmp(op->workflow_id, run->workflow_id) == 0,
              "%s was meant for %s and is in %s", op->mark, op->workflow_id, run->workflow_id);
    op->occurrences =
        pd_realloc(op->occurrences, (op->occurrence_count + 1) * sizeof(op->occurrences[0]));
    op->occurrences[op->occurrence_count++] =
        (sim_occurrence_t){run, event->event_id, (int)event->event_type};
}
