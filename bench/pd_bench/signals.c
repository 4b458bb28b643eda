/* Scenario `signals`: opens workflows, then each caller signals them in turn. */
#include <stdio.h>

#include "base/memory.h"
#include "base/os_clock.h"
#include "base/random.h"
#include "bench/pd_bench/bench.h"

typedef struct opening {
    bench_t *bench;
    int next_number, open_count, in_flight;
} opening_t;

typedef struct caller {
    bench_t *bench;
    int at;
    int64_t from_ns;
} caller_t;

static void format_id(const bench_t *bench, int number, char *id, size_t size)
{
    snprintf(id, size, "%s-open-%d", bench->prefix, number);
}

static void next(caller_t *caller);

static void on_signaled(void *ctx, const pd_grpc_reply_t *reply)
{
    caller_t *caller = ctx;

    if (reply->code != 0)
        bench_error(caller->bench, "signal", reply);
    else
        bench_done(caller->bench, caller->from_ns);
    if (!caller->bench->over)
        next(caller);
}

static void next(caller_t *caller)
{
    Temporal__Api__Workflowservice__V1__SignalWorkflowExecutionRequest request =
        TEMPORAL__API__WORKFLOWSERVICE__V1__SIGNAL_WORKFLOW_EXECUTION_REQUEST__INIT;
    Temporal__Api__Common__V1__WorkflowExecution execution =
        TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    char workflow_id[96], request_id[PD_UUID_SIZE];

    format_id(caller->bench, caller->at, workflow_id, sizeof(workflow_id));
    caller->at =
        (caller->at + caller->bench->options.concurrency) % caller->bench->options.workflows;
    bench_uuid(caller->bench, request_id);
    execution.workflow_id = workflow_id;
    request.namespace_ = (char *)"default";
    request.workflow_execution = &execution;
    request.signal_name = (char *)"bench";
    request.identity = (char *)"pd-bench";
    request.request_id = request_id;
    caller->from_ns = pd_os_monotonic_ns();
    bench_call(caller->bench, PD_WS_PATH "SignalWorkflowExecution", &request, on_signaled, caller);
}

static void begin_signaling(bench_t *bench)
{
    caller_t *callers = pd_calloc((size_t)bench->options.concurrency, sizeof(*callers));

    for (int i = 0; i < bench->options.concurrency; i++) {
        callers[i].bench = bench;
        callers[i].at = i % bench->options.workflows;
        next(&callers[i]);
    }
    bench_begin(bench);
}

static void open_next(opening_t *opening);

static void on_opened(void *ctx, const pd_grpc_reply_t *reply)
{
    opening_t *opening = ctx;
    bench_t *bench = opening->bench;

    if (reply->code != 0)
        bench_error(bench, "open", reply);
    opening->open_count++;
    opening->in_flight--;
    if (opening->next_number < bench->options.workflows)
        open_next(opening);
    if (opening->open_count < bench->options.workflows)
        return;
    pd_free(opening);
    if (bench->options.seconds)
        begin_signaling(bench);
    else
        pd_loop_event_break(bench->loop_event); /* scenario `idle` */
}

static void open_next(opening_t *opening)
{
    Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest request;
    char workflow_id[96], request_id[PD_UUID_SIZE];

    format_id(opening->bench, opening->next_number++, workflow_id, sizeof(workflow_id));
    bench_start_request(opening->bench, &request, workflow_id, "bench-signals", request_id);
    opening->in_flight++;
    bench_call(opening->bench, PD_WS_PATH "StartWorkflowExecution", &request, on_opened, opening);
}

void bench_scenario_signals(bench_t *bench)
{
    opening_t *opening = PD_NEW(opening_t);

    opening->bench = bench;
    while (opening->next_number < bench->options.workflows && opening->in_flight < 64)
        open_next(opening);
}
