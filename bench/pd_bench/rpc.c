/* Scenarios `rpc` and `polls`: what a call costs that does nothing, alone and beside many open long
 * polls. */
#include <stdio.h>

#include "base/memory.h"
#include "base/os_clock.h"
#include "bench/pd_bench/bench.h"

typedef struct caller {
    bench_t *bench;
    int64_t from_ns;
} caller_t;

static void next(caller_t *caller);

static void on_reply(void *ctx, const pd_grpc_reply_t *reply)
{
    caller_t *caller = ctx;

    if (reply->code != 0)
        bench_error(caller->bench, "call", reply);
    else
        bench_done(caller->bench, caller->from_ns);
    if (!caller->bench->over)
        next(caller);
}

static void next(caller_t *caller)
{
    Temporal__Api__Workflowservice__V1__GetSystemInfoRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__GET_SYSTEM_INFO_REQUEST__INIT;

    caller->from_ns = pd_os_monotonic_ns();
    bench_call(caller->bench, PD_WS_PATH "GetSystemInfo", &request, on_reply, caller);
}

void bench_scenario_rpc(bench_t *bench)
{
    caller_t *callers = pd_calloc((size_t)bench->options.concurrency, sizeof(*callers));

    for (int i = 0; i < bench->options.concurrency; i++) {
        callers[i].bench = bench;
        next(&callers[i]);
    }
    bench_begin(bench);
}

static void on_poll(void *ctx, const pd_grpc_reply_t *reply)
{
    if (reply->code != 0)
        bench_error(ctx, "poll", reply);
}

void bench_scenario_polls(bench_t *bench)
{
    Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;

    queue.name = (char *)"bench-polls";
    request.namespace_ = (char *)"default";
    request.task_queue = &queue;
    request.identity = (char *)"pd-bench";
    for (int i = 0; i < bench->options.pollers; i++)
        bench_poll(bench, PD_WS_PATH "PollWorkflowTaskQueue", &request, on_poll, bench);
    bench_scenario_rpc(bench);
}
