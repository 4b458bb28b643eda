/* sim_run.c -- one run: faults first, then calm, in which everything must come to its end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "tests/sim/check_fold.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_mutex.h"
#include "tests/sim/sim_producer.h"
#include "tests/sim/sim_worker.h"
#include "tests/sim/sim_world.h"

/* A workflow has this long to end once the faults have stopped; its longest timer takes 5 minutes,
 * and there are few of them one behind the other. */
#define CALM_NS (4 * 3600 * SIM_S)
#define OWNED_NS (60 * SIM_S)

enum { CHECK_EVERY = 500, AUDIT_EVERY = 20, CALM_STEP_MAX = 2000000 };

void sim_fail(sim_t *sim, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "\nsim: seed %llu, step %llu: ", (unsigned long long)sim->options.seed,
            (unsigned long long)sim->loops.step_count);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    fflush(stderr);
    _Exit(1);
}

void sim_trace(sim_t *sim, const char *format, ...)
{
    va_list args;

    if (!sim->options.verbose)
        return;
    printf("[%llu %lld.%06lld] ", (unsigned long long)sim->loops.step_count,
           (long long)(sim_now_ns(sim) / SIM_S), (long long)(sim_now_ns(sim) % SIM_S / 1000));
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void check_now(sim_t *sim)
{
    uint64_t step = sim->loops.step_count;

    if (step % AUDIT_EVERY == 0)
        sim_audit_catch_up(sim->audit);
    if (step % CHECK_EVERY == 0) {
        check_fold(sim, false);
        sim_calls_check(sim);
    }
}

static void step(sim_t *sim)
{
    sim_world_tick(sim->world);
    SIM_CHECK(sim, sim_loops_step(&sim->loops), "nothing is left to do");
    check_now(sim);
}

/* ---- calm ---- */

static sim_run_t *open_run(sim_t *sim, bool cron_only)
{
    sim_run_t *run, *next;

    HASH_ITER (hh, sim->audit->runs, run, next) {
        if (run->check.closed)
            continue;
        if (!cron_only ||
            !pd_pb_empty(
                run->events[0]->workflow_execution_started_event_attributes->cron_schedule))
            return run;
    }
    return NULL;
}

static bool owned(sim_t *sim)
{
    for (uint32_t i = 0; i < sim->partition_count; i++) {
        if (!sim_world_owner(sim->world, i, -1)) /* deposed or not: it hears of it by writing */
            return false;
    }
    return true;
}

/* True when everything has come to its end. */
static bool all_ended(sim_t *sim)
{
    sim_run_t *cron;

    sim_audit_catch_up(sim->audit);
    if (!sim_clients_idle(sim->clients) || !owned(sim) || !sim_producer_idle(sim->producer) ||
        sim_calls_overdue())
        return false;
    cron = open_run(sim, true);
    if (cron) {
        sim_clients_terminate(sim->clients, cron);
        return false;
    }
    return !open_run(sim, false) && sim->workers->open_task_count == 0;
}

static void tell_stuck(sim_t *sim)
{
    sim_run_t *run = open_run(sim, false);

    if (run)
        sim_fail(sim,
                 "run %s of %s is still open long after the faults have stopped; %zu events, the "
                 "last of type %d",
                 run->run_id, run->workflow_id, run->event_count, (int)run->check.last_type);
    sim_fail(sim,
             "not at rest long after the faults have stopped: clients %s, owners %s, commands %s, "
             "%u tasks",
             sim_clients_idle(sim->clients) ? "idle" : "busy", owned(sim) ? "all" : "missing",
             owned(sim) && sim_producer_idle(sim->producer) ? "read" : "unread",
             sim->workers->open_task_count);
}

static void calm(sim_t *sim)
{
    int64_t until_ns = sim_now_ns(sim) + CALM_NS, owned_ns = sim_now_ns(sim) + OWNED_NS;
    bool was_owned = false;
    uint64_t count = 0;

    sim->faults = false;
    sim->closing = true;
    sim_trace(sim, "calm");
    sim_world_calm(sim->world);
    for (;;) {
        step(sim);
        was_owned = was_owned || owned(sim);
        SIM_CHECK(sim, was_owned || sim_now_ns(sim) < owned_ns,
                  "a partition has no owner, a minute after the faults have stopped");
        if (++count % 50 == 0 && all_ended(sim))
            return;
        if (sim_now_ns(sim) > until_ns || count > CALM_STEP_MAX)
            tell_stuck(sim);
    }
}

/* ---- one run ---- */

static void make(sim_t *sim, const sim_options_t *options)
{
    sim->options = *options;
    pd_random_init(&sim->random, options->seed);
    sim->server_count = options->server_count ? options->server_count : 1;
    sim->loops_per_server = 2 + (uint32_t)sim_below(sim, sim->server_count == 1 ? 3 : 2);
    if (sim->server_count > 1)
        sim->loops_per_server++; /* the cluster's */
    sim_loops_init(&sim->loops, pd_random_u64(&sim->random),
                   SIM_LOOP_SERVERS + sim->server_count * sim->loops_per_server,
                   INT64_C(1700000000) * SIM_S + (int64_t)sim_below(sim, 1000000) * SIM_S);
    sim->loops.may_post = sim_mutex_none_held;
    if (options->preempt)
        sim_loops_preempt(&sim->loops, ~options->seed, SIM_LOOP_SERVERS);
    sim->faults = true;
    /* Opening RocksDB is what a short run spends most of its time with. */
    sim->partition_count = sim_chance(sim, 50) ? 1 : 1 + (uint32_t)sim_below(sim, 4);
    sim->task_queue_count = 1 + (uint32_t)sim_below(sim, 2);
    sim->workflow_id_count = 2 + (uint32_t)sim_below(sim, 12);
    sim->ledger = sim_ledger_new(sim);
    sim->world = sim_world_new(sim);
    sim->audit = sim_audit_new(sim);
    sim->clients = sim_clients_new(sim);
    sim->workers = sim_workers_new(sim);
    sim->producer = sim_producer_new(sim);
    if (!sim->options.step_count)
        sim->options.step_count = 300 + sim_below(sim, 4000);
}

static void unmake(sim_t *sim)
{
    sim_producer_free(sim->producer);
    sim_workers_free(sim->workers);
    sim_clients_free(sim->clients);
    sim_audit_free(sim->audit);
    sim_world_free(sim->world);
    sim_ledger_free(sim->ledger);
    sim_loops_deinit(&sim->loops);
    pd_free(sim);
}

static void tell(const sim_t *sim)
{
    uint32_t lives = 0, crashes = 0;

    if (!sim->options.verbose)
        return;
    for (uint32_t i = 0; i < sim->server_count; i++) {
        lives += sim->world->servers[i].life_count;
        crashes += sim->world->servers[i].crash_count;
    }
    printf("seed %llu: %llu steps, %llu records (%llu void), %llu events, %u lives, %u crashes, "
           "%u operations acknowledged, %u refused, %u given up, %llu tasks, %llu activities, "
           "%llu standbys compared\n",
           (unsigned long long)sim->options.seed, (unsigned long long)sim->loops.step_count,
           (unsigned long long)sim->audit->record_count, (unsigned long long)sim->audit->void_count,
           (unsigned long long)sim->audit->event_count, lives, crashes,
           sim->ledger->acknowledged_count, sim->ledger->rejected_count,
           sim->ledger->given_up_count, (unsigned long long)sim->workers->task_count,
           (unsigned long long)sim->workers->activity_count,
           (unsigned long long)sim->audit->standby_count);
}

void sim_run(const sim_options_t *options)
{
    sim_t *sim = PD_NEW(sim_t);

    make(sim, options);
    sim_world_start(sim->world);
    sim_clients_start(sim->clients);
    sim_workers_start(sim->workers);
    sim_producer_start(sim->producer);
    while (sim->loops.step_count < sim->options.step_count)
        step(sim);
    calm(sim);
    check_fold(sim, true);
    sim_producer_check(sim->producer);
    check_ledger_final(sim);
    sim_workers_stop(sim->workers);
    sim_world_stop(sim->world);
    sim_audit_catch_up(sim->audit);
    tell(sim);
    unmake(sim);
}
