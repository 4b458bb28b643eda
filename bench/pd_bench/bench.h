/* bench.h -- the load generator's common parts: options, calls, latencies, the result line.
 *
 * pd-bench is client and worker at once, on one thread and our own gRPC client, and speaks nothing
 * but Temporal's API, so that every server that speaks it can be measured by the same program.
 * Thread: the loop's. */
#ifndef PD_BENCH_BENCH_H
#define PD_BENCH_BENCH_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "api/grpc/client.h"
#include "api/pb/pb.h"

#define PD_WS_PATH "/temporal.api.workflowservice.v1.WorkflowService/"

typedef struct bench_options {
    const char *scenario;
    const char *address;
    const char *data_path; /* apply: an embedded log to fold */
    int seconds;
    int concurrency;
    int connections;
    int workflows;             /* signals: open workflows that take turns; idle: how many to open */
    int pollers;               /* workflows: polls kept open of each kind */
    const char *kafka, *topic; /* ingest: brokers, and the topic that the server maps */
    int records, rate;         /* ingest: how many, and how many a second (0: no limit) */
    bool sticky;               /* workflows: a sticky queue, as SDK workers have */
    bool eager;                /* workflows: the activity comes with the workflow task's answer */
} bench_options_t;

/* Latencies in ns; all are kept and sorted at the end. */
typedef struct bench_samples {
    uint32_t *us10; /* units of 0.1 us */
    size_t count, capacity;
} bench_samples_t;

typedef struct bench {
    bench_options_t options;
    pd_loop_event_t *loop_event;
    pd_loop_t *loop;
    pd_grpc_client_t *client;
    char prefix[40]; /* of workflow IDs and task queues: unique in time */
    int64_t measure_from_ns, measure_until_ns;
    bool measuring, over;
    uint64_t operation_count; /* within the measured time */
    uint64_t error_count;
    char first_error[256];
    bench_samples_t samples;
    int server_pid; /* 0: not local or not found */
    double server_cpu_from_s, server_cpu_s, client_cpu_from_s, client_cpu_s;
    pd_timer_t timer;
    pd_buf_t pack_buf;
} bench_t;

typedef void (*bench_reply_fn)(void *ctx, const pd_grpc_reply_t *reply);

/* One call of WorkflowService; `method` outlives the bench (a literal). */
void bench_call(bench_t *bench, const char *method, const void *request, bench_reply_fn on_reply,
                void *ctx);
void bench_poll(bench_t *bench, const char *method, const void *request, bench_reply_fn on_reply,
                void *ctx);
/* An operation has ended that began at from_ns (monotonic): counted while measuring. */
void bench_done(bench_t *bench, int64_t from_ns);
void bench_error(bench_t *bench, const char *what, const pd_grpc_reply_t *reply);
/* Warms up, measures, then calls break on the loop. From the moment load begins. */
void bench_begin(bench_t *bench);

/* The scenarios: start the load; `bench_begin` when it is on. */
void bench_scenario_workflows(bench_t *bench);
void bench_scenario_starts(bench_t *bench);
void bench_scenario_signals(bench_t *bench);
void bench_scenario_rpc(bench_t *bench);
void bench_scenario_polls(bench_t *bench);
/* Runs the loop by itself and prints its own line. */
void bench_ingest(bench_t *bench);
/* In this process; print their own line. */
int bench_apply(const bench_options_t *options);

double bench_cpu_s(int pid);
int bench_find_server(const char *address);
void bench_print(bench_t *bench, const char *scenario, double seconds);

/* Requests that several scenarios need. */
void bench_start_request(bench_t *bench,
                         Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *request,
                         char *workflow_id, const char *task_queue, char *request_id);
void bench_uuid(bench_t *bench, char *uuid);

#endif
