/* sim_audit.h -- reads the log behind the server's back, by the one rule of log/record/chain.h, and
 * keeps what it says: every run's history, decoded, and a store folded from scratch.
 *
 * What counts in the log counts forever; so whatever the server has acknowledged must be here at
 * that moment. Thread: one. Ownership: owns runs and their events until _free. */
#ifndef PD_TESTS_SIM_SIM_AUDIT_H
#define PD_TESTS_SIM_SIM_AUDIT_H

#include <temporal/api/history/v1/message.pb-c.h>
#include <uthash.h>

#include "log/record/chain.h"
#include "state/audit/grammar.h"
#include "state/store.h"
#include "tests/sim/check_history.h"
#include "tests/sim/sim.h"

typedef struct sim_run {
    UT_hash_handle hh;
    const char *run_id, *workflow_id;
    const char *previous_run_id; /* "": the first of its chain */
    const char *request_id;      /* of the start that made it */
    struct sim_run *older;       /* of the same workflow ID */
    pd_history_event_t **events;
    uint64_t *hashes;
    size_t event_count, event_capacity;
    pd_run_grammar_t check;
} sim_run_t;

typedef struct sim_audit_partition {
    pd_chain_t chain;
    pd_link_grammar_t link;
    uint64_t next_index;
    pd_store_t *shadow; /* the fold so far */
    uint64_t counted_since_compared;
    uint64_t writer; /* of the records that count, since the last OwnerChanged */
} sim_audit_partition_t;

typedef struct sim_audit_workflow {
    UT_hash_handle hh;
    const char *workflow_id;
    sim_run_t *newest;
} sim_audit_workflow_t;

struct sim_audit {
    sim_t *sim;
    pd_arena_t arena;
    sim_audit_partition_t *partitions;
    sim_run_t *runs;
    sim_audit_workflow_t *workflows;
    uint64_t record_count, void_count, event_count, standby_count;
};

sim_audit_t *sim_audit_new(sim_t *sim);
void sim_audit_free(sim_audit_t *audit);
/* Reads what has landed since. */
void sim_audit_catch_up(sim_audit_t *audit);
/* NULL when the log has no such run that counts. */
sim_run_t *sim_audit_run(sim_audit_t *audit, const char *run_id);
uint64_t sim_event_hash(const pd_history_event_t *event);
/* The first `count` events of a served history must be the log's. */
void sim_audit_check_events(sim_audit_t *audit, const char *run_id,
                            pd_history_event_t *const *events, size_t count, const char *who);

#endif
