/* What waits on a run: long polls of its history, queries. */
#include "engine/partition/partition_private.h"

pdi_run_t *pdi_run_of(pd_partition_t *partition, pd_execution_t *exec)
{
    pdi_run_t *run = exec->engine;

    if (!run) {
        run = PD_NEW(pdi_run_t);
        run->exec = exec;
        TAILQ_INIT(&run->waiters);
        TAILQ_INIT(&run->queries);
        LIST_INSERT_HEAD(&partition->runs, run, link);
        exec->engine = run;
    }
    return run;
}

void pdi_run_release(pd_partition_t *partition, pdi_run_t *run)
{
    if (!TAILQ_EMPTY(&run->waiters) || !TAILQ_EMPTY(&run->queries))
        return;
    run->exec->engine = NULL;
    LIST_REMOVE(run, link);
    pd_free(run);
}

/* Takes the waiter off its run and returns its command. */
static pd_command_t *unpark(pdi_waiter_t *waiter)
{
    pd_command_t *command = waiter->command;

    pd_loop_timer_stop(command->partition->options.loop, &waiter->timer);
    TAILQ_REMOVE(&waiter->run->waiters, waiter, link);
    command->call->parked_in = NULL;
    pd_free(waiter);
    return command;
}

static void on_canceled(pd_call_t *call)
{
    pdi_waiter_t *waiter = call->parked_in;
    pdi_run_t *run = waiter->run;
    pd_command_t *command = unpark(waiter);

    pdi_run_release(command->partition, run);
    pd_call_fail(call, pd_rpc_error(call->arena, PD_RPC_CANCELLED, "context canceled"));
}

static void on_expired(pd_timer_t *timer)
{
    pdi_waiter_t *waiter = PD_CONTAINER_OF(timer, pdi_waiter_t, timer);
    pdi_run_t *run = waiter->run;
    pd_command_t *command = unpark(waiter);

    pdi_run_release(command->partition, run);
    command->decision->wait_expired = true;
    pd_partition_submit(command->partition, command);
}

void pdi_run_park(pd_partition_t *partition, pd_command_t *command)
{
    pd_decision_t *decision = command->decision;
    pdi_waiter_t *waiter = PD_NEW(pdi_waiter_t);
    int64_t until_ns = decision->wait_until_ns;

    PD_ASSERT(command->call && decision->exec && !decision->wait_expired);
    if (command->call->deadline_ns < until_ns)
        until_ns = command->call->deadline_ns;
    if (partition->waiters_released)
        until_ns = pd_partition_now_ns(partition);
    waiter->run = pdi_run_of(partition, decision->exec);
    waiter->command = command;
    waiter->timer.fire = on_expired;
    TAILQ_INSERT_TAIL(&waiter->run->waiters, waiter, link);
    command->call->parked_in = waiter;
    command->call->unpark = on_canceled;
    if (atomic_load(&command->call->canceled)) {
        on_canceled(command->call);
        return;
    }
    pd_loop_timer_start(partition->options.loop, &waiter->timer, until_ns);
}

void pdi_run_changed(pd_partition_t *partition, pd_execution_t *exec, pd_command_t *command)
{
    TAILQ_HEAD(, pdi_waiter) woken = TAILQ_HEAD_INITIALIZER(woken);
    pdi_run_t *run = exec->engine;
    pdi_waiter_t *waiter;

    if (!run)
        return;
    pdi_query_run_changed(partition, exec, command);
    run = exec->engine;
    if (!run)
        return;
    TAILQ_CONCAT(&woken, &run->waiters, link);
    while ((waiter = TAILQ_FIRST(&woken))) {
        pd_command_t *waiting = waiter->command;

        TAILQ_REMOVE(&woken, waiter, link);
        TAILQ_INSERT_TAIL(&run->waiters, waiter, link);
        unpark(waiter);
        pd_partition_submit(partition, waiting);
    }
    run = exec->engine;
    if (run)
        pdi_run_release(partition, run);
}

/* The next run that has a query; NULL: none. */
static pdi_run_t *run_with_query(pd_partition_t *partition)
{
    pdi_run_t *run;

    LIST_FOREACH (run, &partition->runs, link) {
        if (!TAILQ_EMPTY(&run->queries))
            return run;
    }
    return NULL;
}

static void expire_waiters(pd_partition_t *partition)
{
    int64_t now_ns = pd_partition_now_ns(partition);
    pdi_waiter_t *waiter;
    pdi_run_t *run;

    LIST_FOREACH (run, &partition->runs, link) {
        TAILQ_FOREACH (waiter, &run->waiters, link)
            pd_loop_timer_start(partition->options.loop, &waiter->timer, now_ns);
    }
}

void pdi_run_release_all(pd_partition_t *partition, const char *why)
{
    pdi_run_t *run;

    expire_waiters(partition);
    while ((run = run_with_query(partition))) {
        pdi_query_t *query = TAILQ_FIRST(&run->queries);

        query->command->call->not_taken = true; /* queries only read */
        pdi_query_fail(partition, query, pd_rpc_unavailable(query->command->arena, "%s", why));
    }
}

/* Failing them would be an error to clients: an SDK does not repeat a call that is older than its
 * patience, and long polls are. */
void pd_partition_release_waiters(pd_partition_t *partition)
{
    PD_ASSERT_LOOP(partition->options.loop);
    partition->waiters_released = true;
    expire_waiters(partition);
}

void pdi_run_fail_all(pd_partition_t *partition, const char *why)
{
    pdi_run_t *run;

    while ((run = LIST_FIRST(&partition->runs))) {
        pdi_waiter_t *waiter;
        pdi_query_t *query;

        while ((waiter = TAILQ_FIRST(&run->waiters))) {
            pdi_pipeline_end_wait(partition, unpark(waiter), why);
        }
        if ((query = TAILQ_FIRST(&run->queries))) {
            query->command->call->not_taken = true;
            pdi_query_fail(partition, query, pd_rpc_unavailable(query->command->arena, "%s", why));
            continue; /* that may have released the run */
        }
        pdi_run_release(partition, run);
    }
}

void pd_partition_cancel(pd_partition_t *partition, pd_call_t *call)
{
    PD_ASSERT_LOOP(partition->options.loop);
    if (call->parked_in)
        call->unpark(call);
}
