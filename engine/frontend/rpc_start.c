/* Starting workflows, alone or with a signal.
 *
 * The two RPCs check the same things in another order and partly with other words, as Temporal's
 * server does. */
#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/workflow/v1/message.pb-c.h>

#include "engine/decide/cron.h"
#include "engine/frontend/validate.h"
#include "engine/search_attributes.h"

#define REUSE(NAME)                                                                                \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_REUSE_POLICY__WORKFLOW_ID_REUSE_POLICY_##NAME
#define CONFLICT(NAME)                                                                             \
    TEMPORAL__API__ENUMS__V1__WORKFLOW_ID_CONFLICT_POLICY__WORKFLOW_ID_CONFLICT_POLICY_##NAME

/* ---- shared ---- */

static const pd_rpc_error_t *check_start_delay(pdi_rpc_t *rpc, const char *cron_schedule,
                                               Google__Protobuf__Duration **start_delay)
{
    PDI_REFUSE_IF(cron_schedule[0] && *start_delay, rpc,
                  "CronSchedule and WorkflowStartDelay may not be used together.");
    return pdi_check_duration(rpc, start_delay, "WorkflowStartDelaySeconds");
}

static const pd_rpc_error_t *check_cron(pdi_rpc_t *rpc, const char *cron_schedule)
{
    if (!cron_schedule[0])
        return NULL;
    PDI_REFUSE_IF(!pd_cron_is_valid(cron_schedule), rpc, "invalid CronSchedule.");
    PDI_REFUSE_IF(pd_cron_next_ns(cron_schedule, rpc->now_ns) == INT64_MAX, rpc,
                  "invalid CronSchedule, no time can be found to satisfy the schedule");
    return NULL;
}

static const pd_rpc_error_t *check_policies(pdi_rpc_t *rpc, int reuse, int conflict)
{
    PDI_REFUSE_IF(conflict != CONFLICT(UNSPECIFIED) && reuse == REUSE(TERMINATE_IF_RUNNING), rpc,
                  "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING "
                  "cannot be used together with a WorkflowIDConflictPolicy");
    PDI_REFUSE_IF(conflict == CONFLICT(TERMINATE_EXISTING) && reuse == REUSE(REJECT_DUPLICATE), rpc,
                  "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE "
                  "cannot be used together with WorkflowIdConflictPolicy "
                  "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING");
    return NULL;
}

static const pd_rpc_error_t *
check_search_attributes(pdi_rpc_t *rpc, Temporal__Api__Common__V1__SearchAttributes *attributes)
{
    const char *text = pd_search_attributes_check(rpc->arena, rpc->ns->name, attributes);

    PDI_REFUSE_IF(text, rpc, "%s", text);
    pd_search_attributes_set_types(rpc->arena, attributes);
    return NULL;
}

static const pd_rpc_error_t *check_memo(pdi_rpc_t *rpc, const Temporal__Api__Common__V1__Memo *memo)
{
    PDI_REFUSE_IF(memo && protobuf_c_message_get_packed_size(&memo->base) > PD_MEMO_SIZE_MAX, rpc,
                  "Memo size exceeds limit.");
    return NULL;
}

/* What the reference can do and this server cannot yet is refused, not ignored. */
static const pd_rpc_error_t *
refuse_not_built(pdi_rpc_t *rpc, const Temporal__Api__Workflow__V1__VersioningOverride *versioning,
                 const Temporal__Api__Common__V1__TimeSkippingConfig *time_skipping)
{
    if (time_skipping)
        return pd_rpc_error(rpc->arena, PD_RPC_UNIMPLEMENTED,
                            "The Time-Skipping feature is not enabled for namespace.");
    if (versioning)
        return pd_rpc_error(rpc->arena, PD_RPC_UNIMPLEMENTED,
                            "Worker versioning is not implemented: versioning_override is set on "
                            "request.");
    return NULL;
}

/* ---- start ---- */

static const pd_rpc_error_t *check_callbacks(pdi_rpc_t *rpc,
                                             const PD_WS(StartWorkflowExecutionRequest) * request)
{
    if (request->n_completion_callbacks == 0)
        return NULL;
    if (request->completion_callbacks[0]->variant_case ==
        TEMPORAL__API__COMMON__V1__CALLBACK__VARIANT__NOT_SET)
        return pd_rpc_error(rpc->arena, PD_RPC_UNIMPLEMENTED, "unknown callback variant: <nil>");
    return pd_rpc_error(rpc->arena, PD_RPC_UNIMPLEMENTED,
                        "Completion callbacks are not implemented.");
}

static const pd_rpc_error_t *
check_on_conflict(pdi_rpc_t *rpc, const Temporal__Api__Workflow__V1__OnConflictOptions *options)
{
    PDI_REFUSE_IF(options && options->attach_completion_callbacks && !options->attach_request_id,
                  rpc, "attaching request ID is required for attaching completion callbacks");
    return NULL;
}

static const pd_rpc_error_t *check_start(pdi_rpc_t *rpc,
                                         PD_WS(StartWorkflowExecutionRequest) * request)
{
    PDI_CHECK(pdi_check_workflow_id(rpc, request->workflow_id));
    PDI_CHECK(pdi_check_retry_policy(rpc, request->retry_policy));
    PDI_CHECK(check_start_delay(rpc, request->cron_schedule, &request->workflow_start_delay));
    PDI_CHECK(check_cron(rpc, request->cron_schedule));
    PDI_CHECK(pdi_check_workflow_type(rpc, request->workflow_type));
    PDI_CHECK(pdi_check_own_task_queue(rpc, request->task_queue));
    PDI_CHECK(pdi_check_duration(rpc, &request->workflow_execution_timeout,
                                 "WorkflowExecutionTimeoutSeconds"));
    PDI_CHECK(pdi_check_duration(rpc, &request->workflow_run_timeout, "WorkflowRunTimeoutSeconds"));
    PDI_CHECK(
        pdi_check_duration(rpc, &request->workflow_task_timeout, "WorkflowTaskTimeoutSeconds"));
    PDI_CHECK(pdi_check_request_id(rpc, &request->request_id));
    PDI_CHECK(check_policies(rpc, (int)request->workflow_id_reuse_policy,
                             (int)request->workflow_id_conflict_policy));
    PDI_CHECK(check_on_conflict(rpc, request->on_conflict_options));
    PDI_CHECK(check_search_attributes(rpc, request->search_attributes));
    PDI_CHECK(refuse_not_built(rpc, request->versioning_override, request->time_skipping_config));
    PDI_CHECK(pdi_check_priority(rpc, request->priority));
    PDI_CHECK(check_callbacks(rpc, request));
    PDI_CHECK(pdi_check_links(rpc, request->links, request->n_links));
    PDI_CHECK(pdi_check_blob(rpc, request->input));
    return check_memo(rpc, request->memo);
}

/* TERMINATE_IF_RUNNING is the old way to say TERMINATE_EXISTING. */
static void default_policies(Temporal__Api__Enums__V1__WorkflowIdReusePolicy *reuse,
                             Temporal__Api__Enums__V1__WorkflowIdConflictPolicy *conflict,
                             Temporal__Api__Enums__V1__WorkflowIdConflictPolicy conflict_default)
{
    if (*reuse == REUSE(UNSPECIFIED))
        *reuse = REUSE(ALLOW_DUPLICATE);
    if (*conflict == CONFLICT(UNSPECIFIED) && *reuse != REUSE(TERMINATE_IF_RUNNING))
        *conflict = conflict_default;
}

const pd_rpc_error_t *pdi_prepare_start(pdi_rpc_t *rpc)
{
    PD_WS(StartWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(check_start(rpc, request));
    default_policies(&request->workflow_id_reuse_policy, &request->workflow_id_conflict_policy,
                     CONFLICT(FAIL));
    pd_search_attributes_drop_nil(&request->search_attributes);
    pd_memo_drop_nil(&request->memo);
    return NULL;
}

const pd_rpc_error_t *pdi_start_workflow_execution(pdi_rpc_t *rpc)
{
    const PD_WS(StartWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_prepare_start(rpc));
    return pdi_submit(rpc, &pd_command_start_workflow, request->workflow_id, "", request);
}

/* ---- signal with start ---- */

static const pd_rpc_error_t *check_name(pdi_rpc_t *rpc, const char *name, const char *unset,
                                        const char *what)
{
    PDI_REFUSE_IF(!name[0], rpc, "%s", unset);
    PDI_REFUSE_IF(strlen(name) > PD_ID_SIZE_MAX, rpc, "%s exceeds maximum allowed length (%zu/%d)",
                  what, strlen(name), PD_ID_SIZE_MAX);
    return NULL;
}

static const pd_rpc_error_t *
check_signal_with_start(pdi_rpc_t *rpc, PD_WS(SignalWithStartWorkflowExecutionRequest) * request)
{
    if (!request->request_id[0])
        request->request_id = pdi_uuid(rpc);
    PDI_CHECK(check_cron(rpc, request->cron_schedule));
    PDI_CHECK(pdi_check_workflow_id(rpc, request->workflow_id));
    PDI_CHECK(check_name(rpc, request->signal_name, "signal not set", "signal name"));
    PDI_CHECK(check_name(rpc, request->workflow_type ? request->workflow_type->name : "",
                         "workflow type not set", "workflow type name"));
    PDI_CHECK(pdi_check_own_task_queue(rpc, request->task_queue));
    PDI_CHECK(check_name(rpc, request->request_id, "", "Request ID"));
    PDI_CHECK(pdi_check_duration(rpc, &request->workflow_execution_timeout,
                                 "WorkflowExecutionTimeoutSeconds"));
    PDI_CHECK(pdi_check_duration(rpc, &request->workflow_run_timeout, "WorkflowRunTimeoutSeconds"));
    PDI_CHECK(
        pdi_check_duration(rpc, &request->workflow_task_timeout, "WorkflowTaskTimeoutSeconds"));
    PDI_CHECK(pdi_check_retry_policy(rpc, request->retry_policy));
    PDI_CHECK(check_start_delay(rpc, request->cron_schedule, &request->workflow_start_delay));
    PDI_CHECK(check_policies(rpc, (int)request->workflow_id_reuse_policy,
                             (int)request->workflow_id_conflict_policy));
    PDI_REFUSE_IF(request->workflow_id_conflict_policy == CONFLICT(FAIL), rpc,
                  "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not "
                  "supported for this operation.");
    PDI_CHECK(check_search_attributes(rpc, request->search_attributes));
    PDI_CHECK(pdi_check_priority(rpc, request->priority));
    PDI_CHECK(pdi_check_links(rpc, request->links, request->n_links));
    PDI_CHECK(refuse_not_built(rpc, request->versioning_override, request->time_skipping_config));
    PDI_CHECK(pdi_check_blob(rpc, request->signal_input));
    PDI_CHECK(pdi_check_blob(rpc, request->input));
    return check_memo(rpc, request->memo);
}

const pd_rpc_error_t *pdi_prepare_signal_with_start(pdi_rpc_t *rpc)
{
    PD_WS(SignalWithStartWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(check_signal_with_start(rpc, request));
    default_policies(&request->workflow_id_reuse_policy, &request->workflow_id_conflict_policy,
                     CONFLICT(USE_EXISTING));
    pd_search_attributes_drop_nil(&request->search_attributes);
    pd_memo_drop_nil(&request->memo);
    return NULL;
}

const pd_rpc_error_t *pdi_signal_with_start_workflow_execution(pdi_rpc_t *rpc)
{
    const PD_WS(SignalWithStartWorkflowExecutionRequest) *request = rpc->request;

    PDI_CHECK(pdi_prepare_signal_with_start(rpc));
    return pdi_submit(rpc, &pd_command_signal_with_start, request->workflow_id, "", request);
}
