#include "tests/sim/sim_worker.h"

#include <stdio.h>
#include <string.h>

#define QUEUE_KIND(NAME) TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_##NAME

void sim_task_queue_name(uint32_t index, char name[24])
{
    snprintf(name, 24, "queue-%u", index);
}

static void poll_later(sim_poller_t *poller, int64_t delay_ns)
{
    pd_loop_timer_start(sim_clients_loop(poller->worker->sim), &poller->timer,
                        sim_now_ns(poller->worker->sim) + delay_ns);
}

static void on_polled(void *ctx, const sim_reply_t *reply)
{
    sim_poller_t *poller = ctx;
    sim_worker_t *worker = poller->worker;

    poller->call = NULL;
    if (reply->code == PD_RPC_OK) {
        if (poller->kind == SIM_POLL_ACTIVITY)
            sim_activity_begin(worker, reply->response);
        else
            sim_task_begin(worker, reply->response, poller->kind == SIM_POLL_STICKY);
        poll_later(poller, sim_between(worker->sim, 0, 5 * SIM_MS));
    } else {
        poll_later(poller, sim_between(worker->sim, 10 * SIM_MS, 500 * SIM_MS));
    }
}

static Temporal__Api__Taskqueue__V1__TaskQueue *queue_of(sim_poller_t *poller, pd_arena_t *arena)
{
    Temporal__Api__Taskqueue__V1__TaskQueue *queue = PD_PB_NEW(
        arena, Temporal__Api__Taskqueue__V1__TaskQueue, temporal__api__taskqueue__v1__task_queue);
    sim_worker_t *worker = poller->worker;

    if (poller->kind == SIM_POLL_STICKY) {
        queue->name = worker->sticky_queue;
        queue->kind = QUEUE_KIND(STICKY);
        queue->normal_name = worker->task_queue;
    } else {
        queue->name = worker->task_queue;
        queue->kind = QUEUE_KIND(NORMAL);
    }
    return queue;
}

static void on_poll_timer(pd_timer_t *timer)
{
    sim_poller_t *poller = PD_CONTAINER_OF(timer, sim_poller_t, timer);
    sim_worker_t *worker = poller->worker;
    SIM_WS(PollWorkflowTaskQueueRequest) * workflow;
    SIM_WS(PollActivityTaskQueueRequest) * activity;
    sim_call_options_t options = {
        .timeout_ns = sim_fault(worker->sim, 10) ? sim_between(worker->sim, 3 * SIM_S, 20 * SIM_S)
                                                 : 70 * SIM_S,
        .done = on_polled,
        .ctx = poller,
    };
    pd_arena_t arena;

    pd_arena_init(&arena);
    if (poller->kind == SIM_POLL_ACTIVITY) {
        activity =
            SIM_WS_NEW(&arena, PollActivityTaskQueueRequest, poll_activity_task_queue_request);
        activity->namespace_ = (char *)"default";
        activity->identity = worker->identity;
        activity->task_queue = queue_of(poller, &arena);
        options.method = "PollActivityTaskQueue";
        options.request = activity;
        options.response_type =
            &temporal__api__workflowservice__v1__poll_activity_task_queue_response__descriptor;
    } else {
        workflow =
            SIM_WS_NEW(&arena, PollWorkflowTaskQueueRequest, poll_workflow_task_queue_request);
        workflow->namespace_ = (char *)"default";
        workflow->identity = worker->identity;
        workflow->task_queue = queue_of(poller, &arena);
        options.method = "PollWorkflowTaskQueue";
        options.request = workflow;
        options.response_type =
            &temporal__api__workflowservice__v1__poll_workflow_task_queue_response__descriptor;
    }
    poller->call = sim_call(worker->sim, &options);
    pd_arena_deinit(&arena);
}

sim_worker_t *sim_worker_any(sim_t *sim, const char *task_queue)
{
    for (uint32_t i = 0; i < sim->workers->count; i++) {
        if (strcmp(sim->workers->items[i].task_queue, task_queue) == 0)
            return &sim->workers->items[i];
    }
    return NULL;
}

sim_workers_t *sim_workers_new(sim_t *sim)
{
    sim_workers_t *workers = PD_NEW(sim_workers_t);

    workers->sim = sim;
    workers->count = sim->task_queue_count * (1 + (uint32_t)sim_below(sim, 2));
    workers->items = pd_calloc(workers->count, sizeof(workers->items[0]));
    for (uint32_t i = 0; i < workers->count; i++) {
        sim_worker_t *worker = &workers->items[i];
        static const sim_poll_kind_t kinds[] = {SIM_POLL_WORKFLOW, SIM_POLL_STICKY,
                                                SIM_POLL_ACTIVITY, SIM_POLL_ACTIVITY};

        worker->sim = sim;
        worker->sticky = sim_chance(sim, 70);
        snprintf(worker->identity, sizeof(worker->identity), "worker-%u", i);
        snprintf(worker->sticky_queue, sizeof(worker->sticky_queue), "sticky-%u", i);
        sim_task_queue_name(i % sim->task_queue_count, worker->task_queue);
        for (size_t k = 0; k < PD_ARRAY_COUNT(kinds); k++) {
            worker->pollers[k].worker = worker;
            worker->pollers[k].kind = kinds[k];
            worker->pollers[k].timer.fire = on_poll_timer;
        }
    }
    return workers;
}

void sim_workers_start(sim_workers_t *workers)
{
    for (uint32_t i = 0; i < workers->count; i++) {
        for (size_t k = 0; k < PD_ARRAY_COUNT(workers->items[i].pollers); k++)
            poll_later(&workers->items[i].pollers[k],
                       (int64_t)sim_below(workers->sim, 100) * SIM_MS);
    }
}

void sim_workers_stop(sim_workers_t *workers)
{
    for (uint32_t i = 0; i < workers->count; i++) {
        for (size_t k = 0; k < PD_ARRAY_COUNT(workers->items[i].pollers); k++) {
            sim_poller_t *poller = &workers->items[i].pollers[k];

            pd_loop_timer_stop(sim_clients_loop(workers->sim), &poller->timer);
            if (poller->call)
                sim_call_cancel(poller->call);
        }
    }
}

void sim_workers_free(sim_workers_t *workers)
{
    for (uint32_t i = 0; i < workers->count; i++) {
        sim_cached_t *cached, *next;

        for (size_t k = 0; k < PD_ARRAY_COUNT(workers->items[i].pollers); k++)
            pd_loop_timer_stop(sim_clients_loop(workers->sim), &workers->items[i].pollers[k].timer);
        HASH_ITER (hh, workers->items[i].cache, cached, next) {
            HASH_DEL(workers->items[i].cache, cached);
            pd_free(cached);
        }
    }
    pd_free(workers->items);
    pd_free(workers);
}
