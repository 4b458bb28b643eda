/* sim.h -- one simulated run of the whole server under one seed: what its parts share.
 *
 * Loop 0 carries the broker (the memory log's storage), loop 1 clients and workers, the others the
 * servers: for each one its frontend's and its engine's. Parts: sim_world (the servers, their
 * crashes), sim_client, sim_worker (who use them), sim_ledger (what they were promised), sim_audit
 * (what the log says), check_* (whether the two agree). Thread: one. */
#ifndef PD_TESTS_SIM_SIM_H
#define PD_TESTS_SIM_SIM_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "api/pb/time.h"
#include "base/assert.h"
#include "base/memory.h"
#include "log/record/record.h"
#include "tests/sim/sim_loop.h"

#define SIM_US INT64_C(1000)
#define SIM_MS INT64_C(1000000)
#define SIM_S INT64_C(1000000000)
#define SIM_WS(Name) Temporal__Api__Workflowservice__V1__##Name
#define SIM_WS_NEW(arena, Type, name)                                                              \
    PD_PB_NEW(arena, Temporal__Api__Workflowservice__V1__##Type,                                   \
              temporal__api__workflowservice__v1__##name)

enum { SIM_LOOP_BROKER, SIM_LOOP_CLIENTS, SIM_LOOP_SERVERS };
enum { SIM_SERVER_COUNT_MAX = 4 };

typedef struct sim_world sim_world_t;
typedef struct sim_ledger sim_ledger_t;
typedef struct sim_audit sim_audit_t;
typedef struct sim_clients sim_clients_t;
typedef struct sim_workers sim_workers_t;

/* What keeps the rows. RocksDB takes most of a run's time and loses nothing here; memory_db.h loses
 * the newest flushes at a crash. */
typedef enum sim_store { SIM_STORE_BY_SEED, SIM_STORE_ROCKSDB, SIM_STORE_MEMORY } sim_store_t;

typedef struct sim_options {
    uint64_t seed;
    uint64_t step_count;   /* of the part with faults; 0: the seed chooses */
    uint32_t server_count; /* 0: one */
    sim_store_t store;
    bool preempt; /* turns of the servers' loops, at posts */
    bool verbose;
    pd_record_codec_t *command_codec, *rejected_codec, *member_codec;
    pd_record_codec_t *codec; /* of perdure.v1.Record; making one takes long, so runs share it */
} sim_options_t;

typedef struct sim {
    sim_options_t options;
    pd_random_t random; /* of clients, workers and faults */
    sim_loops_t loops;
    bool faults;  /* in the first part of a run */
    bool closing; /* clients make nothing new */
    uint32_t server_count;
    uint32_t loops_per_server; /* the frontend's, the engine's; with several servers one of the
                                cluster, too */
    uint32_t partition_count;
    uint32_t task_queue_count;
    uint32_t workflow_id_count;
    sim_world_t *world;
    sim_ledger_t *ledger;
    sim_audit_t *audit;
    sim_clients_t *clients;
    sim_workers_t *workers;
    struct sim_producer *producer;
} sim_t;

/* The promise is broken: tells why and how to see it again, and ends the process. */
void sim_fail(sim_t *sim, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
/* A line of the trace, with --verbose. */
void sim_trace(sim_t *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define SIM_CHECK(sim, condition, ...)                                                             \
    do {                                                                                           \
        if (!(condition))                                                                          \
            sim_fail((sim), __VA_ARGS__);                                                          \
    } while (0)

/* One whole run. Returns when all is well. */
void sim_run(const sim_options_t *options);

/* ---- dice ---- */

static inline uint64_t sim_below(sim_t *sim, uint64_t bound)
{
    return pd_random_below(&sim->random, bound);
}

static inline bool sim_chance(sim_t *sim, uint32_t percent)
{
    return pd_random_below(&sim->random, 100) < percent;
}

/* Only while faults are on. */
static inline bool sim_fault(sim_t *sim, uint32_t percent)
{
    return sim->faults && sim_chance(sim, percent);
}

static inline int64_t sim_between(sim_t *sim, int64_t min_ns, int64_t max_ns)
{
    return min_ns + (int64_t)pd_random_below(&sim->random, (uint64_t)(max_ns - min_ns) + 1);
}

static inline pd_loop_t *sim_clients_loop(sim_t *sim)
{
    return sim_loops_at(&sim->loops, SIM_LOOP_CLIENTS);
}

static inline int64_t sim_now_ns(const sim_t *sim)
{
    return sim->loops.now_ns;
}

#endif
