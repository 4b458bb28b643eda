/* sim_activity.c -- one attempt of an activity in a worker's hands. */
#include <string.h>

#include "tests/sim/sim_worker.h"

enum { ATTEMPT_MAX = 5 };

typedef SIM_WS(PollActivityTaskQueueResponse) poll_response_t;

typedef struct work {
    sim_worker_t *worker;
    sim_t *sim;
    pd_arena_t arena;
    const poll_response_t *given;
    uint32_t heartbeat_left;
    bool cancel_requested;
    bool by_id;
    const ProtobufCMessage *request;
    const char *method;
    const ProtobufCMessageDescriptor *response_type;
    sim_op_t *op;
    uint32_t attempt_left;
    pd_timer_t timer;
} work_t;

static void end_work(work_t *work)
{
    work->sim->workers->open_task_count--;
    pd_loop_timer_stop(sim_clients_loop(work->sim), &work->timer);
    pd_arena_deinit(&work->arena);
    pd_free(work);
}

static void later(work_t *work, void (*fire)(pd_timer_t *timer), int64_t delay_ns)
{
    work->timer.fire = fire;
    pd_loop_timer_start(sim_clients_loop(work->sim), &work->timer,
                        sim_now_ns(work->sim) + delay_ns);
}

/* ---- answers ---- */

static void send(work_t *work);

static void on_retry(pd_timer_t *timer)
{
    send(PD_CONTAINER_OF(timer, work_t, timer));
}

static void on_answered(void *ctx, const sim_reply_t *reply)
{
    work_t *work = ctx;

    if (reply->unknown || reply->code == PD_RPC_RESOURCE_EXHAUSTED) {
        if (reply->unknown)
            work->op->maybe = true;
        if (--work->attempt_left) {
            later(work, on_retry, sim_between(work->sim, 20 * SIM_MS, 2 * SIM_S));
            return;
        }
        sim_op_given_up(work->sim, work->op);
    } else if (reply->code == PD_RPC_OK) {
        sim_op_acknowledged(work->sim, work->op, "", false);
    } else {
        sim_op_rejected(work->sim, work->op);
    }
    end_work(work);
}

static void send(work_t *work)
{
    sim_call_options_t options = {
        .method = work->method,
        .request = work->request,
        .response_type = work->response_type,
        .timeout_ns = 10 * SIM_S,
        .done = on_answered,
        .ctx = work,
    };

    work->op->attempt_count++;
    sim_call(work->sim, &options);
}

static void complete(work_t *work)
{
    SIM_WS(RespondActivityTaskCompletedRequest) *request = SIM_WS_NEW(
        &work->arena, RespondActivityTaskCompletedRequest, respond_activity_task_completed_request);

    work->op = sim_op_new(work->sim, SIM_OP_COMPLETE_ACTIVITY,
                          work->given->workflow_execution->workflow_id);
    request->namespace_ = (char *)"default";
    request->task_token = work->given->task_token;
    request->identity = work->op->mark;
    request->result = sim_payloads(&work->arena, "result");
    work->method = "RespondActivityTaskCompleted";
    work->request = &request->base;
    work->response_type =
        &temporal__api__workflowservice__v1__respond_activity_task_completed_response__descriptor;
}

static void complete_by_id(work_t *work)
{
    SIM_WS(RespondActivityTaskCompletedByIdRequest) *request =
        SIM_WS_NEW(&work->arena, RespondActivityTaskCompletedByIdRequest,
                   respond_activity_task_completed_by_id_request);

    work->op = sim_op_new(work->sim, SIM_OP_COMPLETE_ACTIVITY,
                          work->given->workflow_execution->workflow_id);
    request->namespace_ = (char *)"default";
    request->workflow_id = work->given->workflow_execution->workflow_id;
    request->run_id = work->given->workflow_execution->run_id;
    request->activity_id = work->given->activity_id;
    request->identity = work->op->mark;
    work->method = "RespondActivityTaskCompletedById";
    work->request = &request->base;
    work->response_type =
        &temporal__api__workflowservice__v1__respond_activity_task_completed_by_id_response__descriptor;
}

static void fail(work_t *work)
{
    SIM_WS(RespondActivityTaskFailedRequest) *request = SIM_WS_NEW(
        &work->arena, RespondActivityTaskFailedRequest, respond_activity_task_failed_request);
    Temporal__Api__Failure__V1__Failure *failure = PD_PB_NEW(
        &work->arena, Temporal__Api__Failure__V1__Failure, temporal__api__failure__v1__failure);

    failure->message = (char *)"no luck";
    failure->failure_info_case =
        TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
    failure->application_failure_info =
        PD_PB_NEW(&work->arena, Temporal__Api__Failure__V1__ApplicationFailureInfo,
                  temporal__api__failure__v1__application_failure_info);
    failure->application_failure_info->type = (char *)"Luck";
    failure->application_failure_info->non_retryable = sim_chance(work->sim, 20);
    work->op =
        sim_op_new(work->sim, SIM_OP_FAIL_ACTIVITY, work->given->workflow_execution->workflow_id);
    request->namespace_ = (char *)"default";
    request->task_token = work->given->task_token;
    request->identity = work->op->mark;
    request->failure = failure;
    if (sim_chance(work->sim, 20))
        request->last_heartbeat_details = sim_payloads(&work->arena, "last");
    work->method = "RespondActivityTaskFailed";
    work->request = &request->base;
    work->response_type =
        &temporal__api__workflowservice__v1__respond_activity_task_failed_response__descriptor;
}

static void cancel(work_t *work)
{
    SIM_WS(RespondActivityTaskCanceledRequest) *request = SIM_WS_NEW(
        &work->arena, RespondActivityTaskCanceledRequest, respond_activity_task_canceled_request);

    work->op =
        sim_op_new(work->sim, SIM_OP_CANCEL_ACTIVITY, work->given->workflow_execution->workflow_id);
    request->namespace_ = (char *)"default";
    request->task_token = work->given->task_token;
    request->identity = work->op->mark;
    work->method = "RespondActivityTaskCanceled";
    work->request = &request->base;
    work->response_type =
        &temporal__api__workflowservice__v1__respond_activity_task_canceled_response__descriptor;
}

static void answer(work_t *work)
{
    if ((work->cancel_requested && sim_chance(work->sim, 70)) || sim_fault(work->sim, 3))
        cancel(work);
    else if (sim_fault(work->sim, 25))
        fail(work);
    else if (work->by_id)
        complete_by_id(work);
    else
        complete(work);
    send(work);
}

/* ---- heartbeats ---- */

static void on_heartbeat_timer(pd_timer_t *timer);

static void on_heartbeat_answered(void *ctx, const sim_reply_t *reply)
{
    work_t *work = ctx;
    const SIM_WS(RecordActivityTaskHeartbeatResponse) *response = reply->response;

    if (reply->code == PD_RPC_OK && response->cancel_requested)
        work->cancel_requested = true;
    later(work, on_heartbeat_timer, sim_between(work->sim, 10 * SIM_MS, SIM_S));
}

static void on_heartbeat_timer(pd_timer_t *timer)
{
    work_t *work = PD_CONTAINER_OF(timer, work_t, timer);
    SIM_WS(RecordActivityTaskHeartbeatRequest) * request;
    sim_call_options_t options = {
        .method = "RecordActivityTaskHeartbeat",
        .response_type =
            &temporal__api__workflowservice__v1__record_activity_task_heartbeat_response__descriptor,
        .timeout_ns = 5 * SIM_S,
        .done = on_heartbeat_answered,
        .ctx = work,
    };

    if (!work->heartbeat_left || work->cancel_requested) {
        answer(work);
        return;
    }
    work->heartbeat_left--;
    request = SIM_WS_NEW(&work->arena, RecordActivityTaskHeartbeatRequest,
                         record_activity_task_heartbeat_request);
    request->namespace_ = (char *)"default";
    request->task_token = work->given->task_token;
    request->identity = work->worker->identity;
    request->details = sim_payloads(&work->arena, "beat");
    options.request = request;
    sim_call(work->sim, &options);
}

void sim_activity_begin(sim_worker_t *worker, const poll_response_t *response)
{
    sim_t *sim = worker->sim;
    int64_t delay_ns = sim_between(sim, 0, 100 * SIM_MS);
    work_t *work;

    if (!response->task_token.len)
        return;
    sim_audit_catch_up(sim->audit);
    SIM_CHECK(sim, sim_audit_run(sim->audit, response->workflow_execution->run_id),
              "an activity of run %s was handed out, which is not in the log",
              response->workflow_execution->run_id);
    if (sim_fault(sim, 8)) /* never answered */
        return;
    work = PD_NEW(work_t);
    work->worker = worker;
    work->sim = sim;
    work->attempt_left = ATTEMPT_MAX;
    pd_arena_init(&work->arena);
    work->given = pd_pb_clone(response, &work->arena);
    work->by_id = sim_chance(sim, 10);
    work->heartbeat_left = sim_chance(sim, 30) ? (uint32_t)sim_below(sim, 4) : 0;
    sim->workers->open_task_count++;
    sim->workers->activity_count++;
    if (sim_fault(sim, 10))
        delay_ns = sim_between(sim, 0, 30 * SIM_S); /* late, perhaps too late */
    later(work, on_heartbeat_timer, delay_ns);
}
