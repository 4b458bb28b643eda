/* What the frontend refuses, with which words, and what it hands over. Texts as observed on
 * Temporal's server 1.32.0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/errordetails/v1/message.pb-c.h>
#include <temporal/api/failure/v1/message.pb-c.h>
#include <temporal/api/namespace/v1/message.pb-c.h>

#include "base/assert.h"
#include "engine/limits.h"
#include "tests/unit/frontend/rig.h"

#define WS(Name) Temporal__Api__Workflowservice__V1__##Name
#define WS_INIT(NAME) TEMPORAL__API__WORKFLOWSERVICE__V1__##NAME##__INIT

static void refused(rig_t *rig, pd_rpc_code_t code, const char *text)
{
    assert_string_equal(rig_error(rig), text);
    assert_int_equal(rig_code(rig), code);
    assert_null(rig->command);
}

static char *long_text(void)
{
    static char text[PD_ID_SIZE_MAX + 2];

    memset(text, 'a', PD_ID_SIZE_MAX + 1);
    return text;
}

/* ---- decoding and namespaces ---- */

static void test_malformed_messages(void **state)
{
    static const char path[] = "/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace";
    rig_t rig;

    rig_init(&rig);
    rig_call_bytes(&rig, path, pd_bytes("\x0a\x02\xff\xfe", 4));
    refused(&rig, PD_RPC_INTERNAL,
            "grpc: error unmarshalling request: string field contains invalid UTF-8");
    rig_call_bytes(&rig, path, pd_bytes("\x0a\x22\xff\xfe", 4));
    refused(&rig, PD_RPC_INTERNAL,
            "grpc: error unmarshalling request: proto:\xc2\xa0"
            "cannot parse invalid wire-format data");
    rig_call_bytes(&rig, path,
                   pd_bytes("\x0a\x03"
                            "a\0b",
                            5));
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "string field contains a NUL character");
    rig_deinit(&rig);
}

/* A chain of failures deeper than any stack: each is the cause of the one before. */
static void test_deep_nesting(void **state)
{
    enum { LEVELS = 20000, LEVEL_SIZE = 6 };
    static uint8_t bytes[LEVELS * LEVEL_SIZE];
    size_t at = sizeof bytes;
    uint32_t inner = 0;
    rig_t rig;

    rig_init(&rig);
    for (int level = 0; level < LEVELS; level++) {
        uint32_t size = inner;

        at -= LEVEL_SIZE;
        bytes[at] = level == LEVELS - 1 ? 0x12 : 0x22; /* request.failure, failure.cause */
        for (int i = 1; i < LEVEL_SIZE; i++, size >>= 7)
            bytes[at + (size_t)i] = (uint8_t)((size & 0x7f) | (i < LEVEL_SIZE - 1 ? 0x80 : 0));
        inner += LEVEL_SIZE;
    }
    rig_call_bytes(&rig,
                   "/temporal.api.workflowservice.v1.WorkflowService/RespondActivityTaskFailed",
                   pd_bytes(bytes, sizeof bytes));
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "message is nested too deeply");
    rig_deinit(&rig);
}

static void test_namespace(void **state)
{
    WS(DescribeNamespaceRequest) describe = WS_INIT(DESCRIBE_NAMESPACE_REQUEST);
    WS(StartWorkflowExecutionRequest) start = WS_INIT(START_WORKFLOW_EXECUTION_REQUEST);
    const WS(DescribeNamespaceResponse) * response;
    rig_t rig;

    rig_init(&rig);
    rig_call(&rig, "DescribeNamespace", &describe);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Namespace not set on request.");
    rig_call(&rig, "StartWorkflowExecution", &start);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Namespace is empty.");
    start.namespace_ = describe.namespace_ = (char *)"x";
    rig_call(&rig, "DescribeNamespace", &describe);
    refused(&rig, PD_RPC_NOT_FOUND, "Namespace x is not found.");
    assert_true(rig.call.error->details.size > 0);
    rig_call(&rig, "StartWorkflowExecution", &start);
    refused(&rig, PD_RPC_NOT_FOUND, "Namespace x is not found.");
    start.namespace_ = long_text();
    rig_call(&rig, "StartWorkflowExecution", &start);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Namespace length exceeds limit.");
    describe.namespace_ = (char *)"default";
    rig_call(&rig, "DescribeNamespace", &describe);
    response = rig_response(
        &rig, &temporal__api__workflowservice__v1__describe_namespace_response__descriptor);
    assert_string_equal(response->namespace_info->id, RIG_NAMESPACE_ID);
    assert_true(response->namespace_info->capabilities->worker_poll_complete_on_shutdown);
    assert_int_equal(response->namespace_info->limits->blob_size_limit_error, 2097152);
    describe.id = (char *)RIG_NAMESPACE_ID;
    rig_call(&rig, "DescribeNamespace", &describe);
    refused(&rig, PD_RPC_INVALID_ARGUMENT,
            "GetNamespace operation failed.  Both ID and Name specified in request.");
    rig_deinit(&rig);
}

static void test_list_namespaces(void **state)
{
    WS(ListNamespacesRequest) request = WS_INIT(LIST_NAMESPACES_REQUEST);
    const WS(ListNamespacesResponse) * response;
    uint8_t token[16];
    rig_t rig;

    rig_init(&rig);
    request.page_size = 1;
    rig_call(&rig, "ListNamespaces", &request);
    response = rig_response(
        &rig, &temporal__api__workflowservice__v1__list_namespaces_response__descriptor);
    assert_int_equal(response->n_namespaces, 1);
    assert_string_equal(response->namespaces[0]->namespace_info->name, "default");
    assert_in_range(response->next_page_token.len, 1, sizeof token);
    memcpy(token, response->next_page_token.data, response->next_page_token.len);
    request.next_page_token.data = token;
    request.next_page_token.len = response->next_page_token.len;
    rig_call(&rig, "ListNamespaces", &request);
    response = rig_response(
        &rig, &temporal__api__workflowservice__v1__list_namespaces_response__descriptor);
    assert_string_equal(response->namespaces[0]->namespace_info->name, "other");
    assert_int_equal(response->next_page_token.len, 0);
    rig_deinit(&rig);
}

static void test_register_namespace(void **state)
{
    WS(RegisterNamespaceRequest) request = WS_INIT(REGISTER_NAMESPACE_REQUEST);
    Google__Protobuf__Duration retention = GOOGLE__PROTOBUF__DURATION__INIT;
    rig_t rig;

    rig_init(&rig);
    rig_call(&rig, "RegisterNamespace", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Namespace not set on request.");
    request.namespace_ = (char *)"n1";
    rig_call(&rig, "RegisterNamespace", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "A valid retention period is not set on request.");
    request.workflow_execution_retention_period = &retention;
    retention.seconds = 3599;
    rig_call(&rig, "RegisterNamespace", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "A valid retention period is not set on request.");
    retention.seconds = 3600;
    rig_call(&rig, "RegisterNamespace", &request);
    assert_int_equal(rig_code(&rig), PD_RPC_OK);
    assert_string_equal(rig.registered->name, "n1");
    request.namespace_ = (char *)"default";
    rig_call(&rig, "RegisterNamespace", &request);
    refused(&rig, PD_RPC_ALREADY_EXISTS, "Namespace \"default\" already exists");
    request.is_global_namespace = true;
    rig_call(&rig, "RegisterNamespace", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Cannot register global namespace when not enabled");
    rig_deinit(&rig);
}

/* ---- start ---- */

typedef struct start_parts {
    WS(StartWorkflowExecutionRequest) request;
    Temporal__Api__Common__V1__WorkflowType type;
    Temporal__Api__Taskqueue__V1__TaskQueue queue;
    Temporal__Api__Common__V1__RetryPolicy retry;
    Google__Protobuf__Duration duration;
    Temporal__Api__Common__V1__Link link, *links[PD_LINK_COUNT_MAX + 1];
    Temporal__Api__Common__V1__Priority priority;
} start_parts_t;

static void start_init(start_parts_t *start)
{
    *start = (start_parts_t){
        .request = WS_INIT(START_WORKFLOW_EXECUTION_REQUEST),
        .type = TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT,
        .queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT,
        .retry = TEMPORAL__API__COMMON__V1__RETRY_POLICY__INIT,
        .duration = GOOGLE__PROTOBUF__DURATION__INIT,
        .link = TEMPORAL__API__COMMON__V1__LINK__INIT,
        .priority = TEMPORAL__API__COMMON__V1__PRIORITY__INIT,
    };
    start->request.namespace_ = (char *)"default";
    start->request.workflow_id = (char *)"w";
    start->request.workflow_type = &start->type;
    start->type.name = (char *)"T";
    start->request.task_queue = &start->queue;
    start->queue.name = (char *)"q";
    for (size_t i = 0; i < PD_ARRAY_COUNT(start->links); i++)
        start->links[i] = &start->link;
}

static void test_start_is_handed_over(void **state)
{
    const WS(StartWorkflowExecutionRequest) * request;
    start_parts_t start;
    rig_t rig;

    rig_init(&rig);
    start_init(&start);
    start.request.retry_policy = &start.retry;
    rig_call(&rig, "StartWorkflowExecution", &start.request);
    assert_int_equal(rig_code(&rig), PD_RPC_OK);
    assert_ptr_equal(rig.command->kind, &pd_command_start_workflow);
    assert_string_equal(rig.command->workflow_id, "w");
    assert_string_equal(rig.command->run_id, "");
    assert_string_equal(rig.command->ns->name, "default");
    request = rig.command->request;
    assert_int_equal(strlen(request->request_id), 36);
    assert_int_equal((int)request->workflow_id_reuse_policy, 1);
    assert_int_equal((int)request->workflow_id_conflict_policy, 1);
    assert_int_equal((int)request->task_queue->kind, 1);
    assert_int_equal(request->retry_policy->maximum_interval->seconds, 100);
    rig.full = true;
    rig_call(&rig, "StartWorkflowExecution", &start.request);
    assert_int_equal(rig_code(&rig), PD_RPC_RESOURCE_EXHAUSTED);
    rig_deinit(&rig);
}

#define START_REFUSES(change, text)                                                                \
    do {                                                                                           \
        start_parts_t start;                                                                       \
        start_init(&start);                                                                        \
        change;                                                                                    \
        rig_call(&rig, "StartWorkflowExecution", &start.request);                                  \
        refused(&rig, PD_RPC_INVALID_ARGUMENT, text);                                              \
    } while (0)

static void test_start_names(void **state)
{
    rig_t rig;

    rig_init(&rig);
    START_REFUSES(start.request.workflow_id = (char *)"", "WorkflowId is not set on request.");
    START_REFUSES(start.request.workflow_id = long_text(),
                  "WorkflowId exceeds maximum allowed length (1001/1000)");
    START_REFUSES(start.request.workflow_type = NULL, "WorkflowType is not set on request.");
    START_REFUSES(start.type.name = (char *)"", "WorkflowType is not set on request.");
    START_REFUSES(start.type.name = long_text(), "WorkflowType length exceeds limit.");
    START_REFUSES(start.request.task_queue = NULL, "taskQueue is not set");
    START_REFUSES(start.queue.name = (char *)"", "missing task queue name");
    START_REFUSES(start.queue.name = long_text(), "taskQueue length exceeds limit");
    START_REFUSES(start.queue.name = (char *)"/_sys/x/1",
                  "task queue name cannot start with reserved prefix /_sys/");
    START_REFUSES(start.queue.name = (char *)"temporal-sys-per-ns-tq",
                  "cannot use internal per-namespace task queue:temporal-sys-per-ns-tq");
    START_REFUSES(start.request.request_id = long_text(), "RequestId length exceeds limit.");
    rig_deinit(&rig);
}

static void test_start_times_and_policies(void **state)
{
    rig_t rig;

    rig_init(&rig);
    START_REFUSES(
        (start.request.workflow_run_timeout = &start.duration, start.duration.seconds = -1),
        "An invalid WorkflowRunTimeoutSeconds is set on request. cause: negative "
        "duration");
    START_REFUSES((start.request.workflow_execution_timeout = &start.duration,
                   start.duration.seconds = 1, start.duration.nanos = -1),
                  "An invalid WorkflowExecutionTimeoutSeconds is set on request. cause: duration "
                  "has seconds and nanos with different signs");
    START_REFUSES((start.request.workflow_start_delay = &start.duration,
                   start.request.cron_schedule = (char *)"* * * * *"),
                  "CronSchedule and WorkflowStartDelay may not be used together.");
    START_REFUSES(start.request.cron_schedule = (char *)"60 * * * *", "invalid CronSchedule.");
    START_REFUSES(start.request.cron_schedule = (char *)"0 0 30 2 *",
                  "invalid CronSchedule, no time can be found to satisfy the schedule");
    START_REFUSES((start.request.retry_policy = &start.retry, start.retry.maximum_attempts = -1),
                  "MaximumAttempts cannot be negative on retry policy.");
    START_REFUSES(
        (start.request.workflow_id_reuse_policy = 4, start.request.workflow_id_conflict_policy = 1),
        "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING "
        "cannot be used together with a WorkflowIDConflictPolicy");
    START_REFUSES((start.request.priority = &start.priority, start.priority.priority_key = -1),
                  "priority key can't be negative");
    START_REFUSES((start.request.links = start.links, start.request.n_links = 1),
                  "unsupported link variant");
    START_REFUSES(
        (start.request.links = start.links, start.request.n_links = PD_ARRAY_COUNT(start.links)),
        "cannot attach more than 10 links per request, got 11");
    /* Of two errors, the one that Temporal's server finds first. */
    START_REFUSES((start.request.workflow_type = NULL, start.request.cron_schedule = (char *)"bad"),
                  "invalid CronSchedule.");
    START_REFUSES((start.request.task_queue = NULL, start.request.request_id = long_text()),
                  "taskQueue is not set");
    rig_deinit(&rig);
}

static void test_large_payloads(void **state)
{
    Temporal__Api__Common__V1__Payload payload = TEMPORAL__API__COMMON__V1__PAYLOAD__INIT;
    Temporal__Api__Common__V1__Payload *list[] = {&payload};
    Temporal__Api__Common__V1__Payloads payloads = TEMPORAL__API__COMMON__V1__PAYLOADS__INIT;
    WS(RespondActivityTaskCompletedRequest)
    complete = WS_INIT(RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST);
    WS(RecordActivityTaskHeartbeatRequest)
    heartbeat = WS_INIT(RECORD_ACTIVITY_TASK_HEARTBEAT_REQUEST);
    const WS(RespondActivityTaskFailedRequest) * failed;
    const WS(RecordActivityTaskHeartbeatResponse) * answer;
    uint8_t *data = calloc(1, PD_BLOB_SIZE_MAX);
    rig_t rig;

    rig_init(&rig);
    payload.data.data = data;
    payload.data.len = PD_BLOB_SIZE_MAX;
    payloads.payloads = list;
    payloads.n_payloads = 1;
    START_REFUSES(start.request.input = &payloads, "Blob data size exceeds limit.");
    /* A result that is too large fails the activity; the worker hears of no error. */
    complete.task_token = rig_token(&rig, RIG_NAMESPACE_ID);
    complete.result = &payloads;
    rig_call(&rig, "RespondActivityTaskCompleted", &complete);
    assert_int_equal(rig_code(&rig), PD_RPC_OK);
    assert_ptr_equal(rig.command->kind, &pd_command_fail_activity);
    failed = rig.command->request;
    assert_string_equal(failed->failure->message, "Complete result exceeds size limit.");
    assert_true(failed->failure->server_failure_info->non_retryable);
    heartbeat.task_token = complete.task_token;
    heartbeat.details = &payloads;
    rig_call(&rig, "RecordActivityTaskHeartbeat", &heartbeat);
    assert_ptr_equal(rig.command->kind, &pd_command_fail_activity);
    answer = rig_response(
        &rig,
        &temporal__api__workflowservice__v1__record_activity_task_heartbeat_response__descriptor);
    assert_true(answer->cancel_requested);
    rig_deinit(&rig);
    free(data);
}

/* ---- polls, tokens, IDs ---- */

static void test_polls(void **state)
{
    WS(PollWorkflowTaskQueueRequest) request = WS_INIT(POLL_WORKFLOW_TASK_QUEUE_REQUEST);
    Temporal__Api__Taskqueue__V1__TaskQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
    rig_t rig;

    rig_init(&rig);
    request.namespace_ = (char *)"default";
    rig_call(&rig, "PollWorkflowTaskQueue", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Context timeout is not set.");
    rig.deadline_ns = rig.loop.now_ns + 2 * PD_NS_PER_S - 1;
    rig_call(&rig, "PollWorkflowTaskQueue", &request);
    refused(&rig, PD_RPC_FAILED_PRECONDITION, "Context timeout is too short.");
    rig.deadline_ns = rig.loop.now_ns + 10 * PD_NS_PER_S;
    rig_call(&rig, "PollWorkflowTaskQueue", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "taskQueue is not set");
    request.task_queue = &queue;
    queue.name = (char *)"q";
    rig_call(&rig, "PollWorkflowTaskQueue", &request);
    assert_int_equal(rig_code(&rig), PD_RPC_OK);
    assert_int_equal(rig.poll->kind, PD_TASK_WORKFLOW);
    assert_null(rig.poll->normal_task_queue);
    assert_int_equal(rig.poll->until_ns, rig.deadline_ns - PD_NS_PER_S);
    queue.kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY;
    queue.normal_name = (char *)"n";
    rig.deadline_ns = rig.loop.now_ns + 70 * PD_NS_PER_S;
    rig_call(&rig, "PollActivityTaskQueue", &request); /* the same fields on the wire */
    assert_int_equal(rig.poll->kind, PD_TASK_ACTIVITY);
    assert_string_equal(rig.poll->normal_task_queue, "n");
    assert_int_equal(rig.poll->until_ns, rig.loop.now_ns + 60 * PD_NS_PER_S);
    request.identity = long_text();
    rig_call(&rig, "PollWorkflowTaskQueue", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Identity length exceeds limit.");
    rig_deinit(&rig);
}

static void test_tokens(void **state)
{
    WS(RespondWorkflowTaskCompletedRequest)
    request = WS_INIT(RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST);
    WS(RespondQueryTaskCompletedRequest) query = WS_INIT(RESPOND_QUERY_TASK_COMPLETED_REQUEST);
    rig_t rig;

    rig_init(&rig);
    request.namespace_ = (char *)"default";
    rig_call(&rig, "RespondWorkflowTaskCompleted", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Task token not set on request.");
    request.task_token = (ProtobufCBinaryData){1, (uint8_t *)"\xff"};
    rig_call(&rig, "RespondWorkflowTaskCompleted", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Error deserializing task token.");
    request.task_token = rig_token(&rig, "");
    rig_call(&rig, "RespondWorkflowTaskCompleted", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Namespace not set on request.");
    request.task_token = rig_token(&rig, "a");
    rig_call(&rig, "RespondWorkflowTaskCompleted", &request);
    refused(&rig, PD_RPC_NOT_FOUND, "Namespace a is not found.");
    request.task_token = rig_token(&rig, RIG_OTHER_NAMESPACE_ID);
    rig_call(&rig, "RespondWorkflowTaskCompleted", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT,
            "Operation requested with a token from a different namespace.");
    request.task_token = rig_token(&rig, RIG_NAMESPACE_ID);
    rig_call(&rig, "RespondWorkflowTaskCompleted", &request);
    assert_int_equal(rig_code(&rig), PD_RPC_OK);
    assert_string_equal(rig.command->workflow_id, "w");
    assert_string_equal(rig.command->run_id, RIG_RUN_ID);
    assert_int_equal(rig.command->token->scheduled_event_id, 5);
    query.task_token = request.task_token;
    rig_call(&rig, "RespondQueryTaskCompleted", &query);
    refused(&rig, PD_RPC_NOT_FOUND, "query task not found, or already expired");
    rig_deinit(&rig);
}

static void test_activities_by_id(void **state)
{
    WS(RespondActivityTaskCompletedByIdRequest)
    request = WS_INIT(RESPOND_ACTIVITY_TASK_COMPLETED_BY_ID_REQUEST);
    rig_t rig;

    rig_init(&rig);
    request.namespace_ = (char *)"default";
    rig_call(&rig, "RespondActivityTaskCompletedById", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "ActivityId is not set on request.");
    request.activity_id = (char *)"a";
    rig_call(&rig, "RespondActivityTaskCompletedById", &request);
    refused(&rig, PD_RPC_NOT_FOUND, "activity not found for ID: a");
    request.workflow_id = (char *)"w";
    request.run_id = (char *)"r";
    rig_call(&rig, "RespondActivityTaskCompletedById", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "RunId is not valid UUID.");
    request.run_id = (char *)"";
    rig_call(&rig, "RespondActivityTaskCompletedById", &request);
    assert_int_equal(rig_code(&rig), PD_RPC_OK);
    assert_ptr_equal(rig.command->kind, &pd_command_complete_activity);
    assert_string_equal(rig.command->token->activity_id, "a");
    assert_int_equal(rig.command->token->scheduled_event_id, 0);
    rig_deinit(&rig);
}

static void test_executions(void **state)
{
    WS(GetWorkflowExecutionHistoryRequest)
    request = WS_INIT(GET_WORKFLOW_EXECUTION_HISTORY_REQUEST);
    Temporal__Api__Common__V1__WorkflowExecution execution =
        TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
    Perdure__V1__HistoryPageToken token = PERDURE__V1__HISTORY_PAGE_TOKEN__INIT;
    uint8_t packed[64];
    rig_t rig;

    rig_init(&rig);
    request.namespace_ = (char *)"default";
    rig_call(&rig, "GetWorkflowExecutionHistory", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Execution is not set on request.");
    request.execution = &execution;
    rig_call(&rig, "GetWorkflowExecutionHistory", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "WorkflowId is not set on request.");
    execution.workflow_id = (char *)"w";
    execution.run_id = (char *)"x";
    rig_call(&rig, "GetWorkflowExecutionHistory", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Invalid RunId.");
    execution.run_id = (char *)"";
    request.next_page_token = (ProtobufCBinaryData){1, (uint8_t *)"x"};
    rig_call(&rig, "GetWorkflowExecutionHistory", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT, "Invalid NextPageToken.");
    token.run_id = (char *)RIG_RUN_ID;
    request.next_page_token =
        (ProtobufCBinaryData){protobuf_c_message_pack(&token.base, packed), packed};
    rig_call(&rig, "GetWorkflowExecutionHistory", &request);
    assert_int_equal(rig_code(&rig), PD_RPC_OK);
    assert_string_equal(rig.command->run_id, RIG_RUN_ID);
    execution.run_id = (char *)RIG_NAMESPACE_ID;
    rig_call(&rig, "GetWorkflowExecutionHistory", &request);
    refused(&rig, PD_RPC_INVALID_ARGUMENT,
            "RunId in the request does not match the NextPageToken.");
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_messages),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_namespace),
        cmocka_unit_test(test_list_namespaces),
        cmocka_unit_test(test_register_namespace),
        cmocka_unit_test(test_start_is_handed_over),
        cmocka_unit_test(test_start_names),
        cmocka_unit_test(test_start_times_and_policies),
        cmocka_unit_test(test_large_payloads),
        cmocka_unit_test(test_polls),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_activities_by_id),
        cmocka_unit_test(test_executions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
