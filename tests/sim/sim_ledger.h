/* sim_ledger.h -- what clients and workers asked for, and what they were promised.
 *
 * Every operation has a number; its mark ("op-N") travels as the identity of the request, and the
 * server writes identities into events. So the log tells which operations happened, how often and
 * where, and check_ledger compares that with the answers. Thread: one. Ownership: owns the
 * operations until _free. */
#ifndef PD_TESTS_SIM_SIM_LEDGER_H
#define PD_TESTS_SIM_SIM_LEDGER_H

#include "tests/sim/sim_audit.h"

typedef enum sim_op_kind {
    SIM_OP_START,
    SIM_OP_SIGNAL,
    SIM_OP_SIGNAL_WITH_START,
    SIM_OP_CANCEL,
    SIM_OP_TERMINATE,
    SIM_OP_COMPLETE_TASK,
    SIM_OP_FAIL_TASK,
    SIM_OP_COMPLETE_ACTIVITY,
    SIM_OP_FAIL_ACTIVITY,
    SIM_OP_CANCEL_ACTIVITY,
} sim_op_kind_t;

typedef enum sim_op_state {
    SIM_OP_OPEN,
    SIM_OP_ACKNOWLEDGED,
    SIM_OP_REJECTED,
    SIM_OP_GIVEN_UP, /* its outcome stays unknown */
} sim_op_state_t;

typedef struct sim_occurrence {
    sim_run_t *run;
    int64_t event_id;
    int type;
} sim_occurrence_t;

typedef struct sim_op {
    uint32_t number;
    sim_op_kind_t kind;
    sim_op_state_t state;
    char mark[24];
    char workflow_id[64];
    char request_id[40]; /* "": none */
    uint32_t attempt_count;
    bool maybe; /* some attempt's outcome was unknown */
    sim_occurrence_t *occurrences;
    size_t occurrence_count;
} sim_op_t;

struct sim_ledger {
    sim_t *sim;
    sim_op_t **ops;
    size_t count, capacity;
    uint32_t acknowledged_count, rejected_count, given_up_count;
};

sim_ledger_t *sim_ledger_new(sim_t *sim);
void sim_ledger_free(sim_ledger_t *ledger);
sim_op_t *sim_op_new(sim_t *sim, sim_op_kind_t kind, const char *workflow_id);
/* Its last answer has come. `run_id`: of a start, when known; `started`: it made the run. */
void sim_op_acknowledged(sim_t *sim, sim_op_t *op, const char *run_id, bool started);
void sim_op_rejected(sim_t *sim, sim_op_t *op);
void sim_op_given_up(sim_t *sim, sim_op_t *op);
/* The audit met an event. */
void sim_ledger_saw(sim_ledger_t *ledger, sim_run_t *run, const pd_history_event_t *event);

/* check_ledger.c */
/* At the acknowledgement: what was promised is in the log. */
void check_ledger_promise(sim_t *sim, const sim_op_t *op);
/* At the end, everything being closed: all of it, exactly once; nothing that was refused. */
void check_ledger_final(sim_t *sim);

#endif
