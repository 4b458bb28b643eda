/* Scenario `starts`: each caller starts one workflow after the other. */
#include <stdio.h>

#include "base/memory.h"
#include "base/os_clock.h"
#include "base/random.h"
#include "bench/pd_bench/bench.h"

typedef struct caller {
    bench_t *bench;
    int number;
    uint64_t sequence;
    int64_t from_ns;
} caller_t;

static void next(caller_t *caller);

static void on_reply(void *ctx, const pd_grpc_reply_t *reply)
{
    caller_t *caller = ctx;

    if (reply->code != 0)
        bench_error(caller->bench, "start", reply);
    else
        bench_done(caller->bench, caller->from_ns);
    if (!caller->bench->over)
        next(caller);
}

static void next(caller_t *caller)
{
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest request;
    char workflow_id[96], request_id[PD_UUID_SIZE];

    snprintf(workflow_id, sizeof(workflow_id), "%s-%d-%llu", caller->bench->prefix, caller->number,
             (unsigned long long)caller->sequence++);
    bench_start_request(caller->bench, &request, workflow_id, "bench-starts", request_id);
    caller->from_ns = pd_os_monotonic_ns();
    bench_call(caller->bench, PD_WS_PATH "StartWorkflowExecution", &request, on_reply, caller);
}

void bench_scenario_starts(bench_t *bench)
{
    caller_t *callers = pd_calloc((size_t)bench->options.concurrency, sizeof(*callers));

    for (int i = 0; i < bench->options.concurrency; i++) {
        callers[i].bench = bench;
        callers[i].number = i;
        next(&callers[i]);
    }
    bench_begin(bench);
}
