#include "engine/decide/new_run.h"

#include "api/pb/time.h"
#include "base/assert.h"
#include "engine/decide/cron.h"
#include "engine/decide/retry_policy.h"
#include "engine/limits.h"
#include "engine/search_attributes.h"

const char *pd_new_run_id(pd_decision_t *decision)
{
    char *run_id = pd_arena_alloc(decision->arena, PD_UUID_SIZE);

    pd_random_uuid(decision->random, decision->now_ns, run_id);
    return run_id;
}

/* ---- from a request ---- */

void pd_new_run_cap_timeouts(pd_arena_t *arena, pd_started_t *started)
{
    int64_t execution_ns = pd_pb_duration_ns(started->workflow_execution_timeout);
    int64_t run_ns = pd_pb_duration_ns(started->workflow_run_timeout);
    int64_t task_ns = pd_pb_duration_ns(started->workflow_task_timeout);

    if (execution_ns && (!run_ns || run_ns > execution_ns)) {
        run_ns = execution_ns;
        started->workflow_run_timeout = pd_pb_duration(arena, run_ns);
    }
    if (!task_ns)
        task_ns = PD_WORKFLOW_TASK_TIMEOUT_DEFAULT_NS;
    if (task_ns > PD_WORKFLOW_TASK_TIMEOUT_MAX_NS)
        task_ns = PD_WORKFLOW_TASK_TIMEOUT_MAX_NS;
    if (run_ns && task_ns > run_ns)
        task_ns = run_ns;
    if (task_ns != pd_pb_duration_ns(started->workflow_task_timeout))
        started->workflow_task_timeout = pd_pb_duration(arena, task_ns);
}

static Temporal__Api__Taskqueue__V1__TaskQueue *
normal_queue(pd_arena_t *arena, const Temporal__Api__Taskqueue__V1__TaskQueue *asked)
{
    Temporal__Api__Taskqueue__V1__TaskQueue *queue = PD_PB_NEW(
        arena, Temporal__Api__Taskqueue__V1__TaskQueue, temporal__api__taskqueue__v1__task_queue);

    queue->name = asked ? asked->name : (char *)"";
    queue->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
    return queue;
}

Temporal__Api__Common__V1__RetryPolicy *
pd_new_run_retry_policy(pd_arena_t *arena, const Temporal__Api__Common__V1__RetryPolicy *policy)
{
    Temporal__Api__Common__V1__RetryPolicy *filled;

    if (!policy)
        return NULL;
    filled = pd_arena_memdup(arena, policy, sizeof(*policy));
    pd_retry_policy_fill(filled, arena);
    return filled;
}

static int64_t first_backoff_ns(const pd_decision_t *decision, const pd_start_request_t *request)
{
    int64_t backoff_ns = 0;

    if (!pd_pb_empty(request->cron_schedule))
        backoff_ns = pd_cron_backoff_ns(request->cron_schedule, decision->now_ns, decision->now_ns);
    if (request->workflow_start_delay)
        backoff_ns = pd_pb_duration_ns(request->workflow_start_delay);
    return backoff_ns > 0 ? backoff_ns : 0;
}

void pd_new_run_from_request(pd_decision_t *decision, const pd_start_request_t *request,
                             pd_new_run_t *run)
{
    pd_arena_t *arena = decision->arena;
    pd_started_t *started =
        PD_PB_NEW(arena, Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes,
                  temporal__api__history__v1__workflow_execution_started_event_attributes);

    memset(run, 0, sizeof(*run));
    started->workflow_type = request->workflow_type;
    started->task_queue = normal_queue(arena, request->task_queue);
    started->input = request->input;
    started->workflow_execution_timeout = request->workflow_execution_timeout;
    started->workflow_run_timeout = request->workflow_run_timeout;
    started->workflow_task_timeout = request->workflow_task_timeout;
    pd_new_run_cap_timeouts(arena, started);
    started->identity = request->identity;
    started->retry_policy = pd_new_run_retry_policy(arena, request->retry_policy);
    started->cron_schedule = request->cron_schedule;
    if (!pd_pb_empty(request->cron_schedule))
        started->initiator =
            TEMPORAL__API__ENUMS__V1__CONTINUE_AS_NEW_INITIATOR__CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE;
    started->memo = request->memo;
    pd_memo_drop_nil(&started->memo);
    started->search_attributes = request->search_attributes;
    pd_search_attributes_drop_nil(&started->search_attributes);
    started->header = request->header;
    started->continued_failure = request->continued_failure;
    started->last_completion_result = request->last_completion_result;
    started->completion_callbacks = request->completion_callbacks;
    started->n_completion_callbacks = request->n_completion_callbacks;
    started->versioning_override = request->versioning_override;
    started->priority = request->priority;
    run->started = started;
    run->request_id = request->request_id;
    run->user_metadata = request->user_metadata;
    run->links = request->links;
    run->n_links = request->n_links;
    run->first_task_backoff_ns = first_backoff_ns(decision, request);
    run->eager = request->request_eager_execution && !run->first_task_backoff_ns;
    started->eager_execution_accepted = run->eager;
}

const pd_rpc_error_t *pd_new_run_check(pd_decision_t *decision, const pd_start_request_t *request)
{
    if (request->input &&
        protobuf_c_message_get_packed_size(&request->input->base) > PD_BLOB_SIZE_MAX)
        return pd_rpc_invalid_argument(decision->arena, "Blob data size exceeds limit.");
    if (request->memo &&
        protobuf_c_message_get_packed_size(&request->memo->base) > PD_MEMO_SIZE_MAX)
        return pd_rpc_invalid_argument(decision->arena, "Memo size exceeds limit.");
    return NULL;
}

/* ---- writing ---- */

static int64_t execution_deadline_ns(const pd_decision_t *decision, const pd_new_run_t *run)
{
    int64_t timeout_ns = pd_pb_duration_ns(run->started->workflow_execution_timeout);
    int64_t deadline_ns;

    if (run->execution_deadline_ns || run->previous_run_id || !timeout_ns)
        return run->execution_deadline_ns;
    deadline_ns = pd_ns_add(decision->now_ns, timeout_ns);
    /* The reference rounds it to milliseconds. */
    return deadline_ns > INT64_MAX - 500000 ? deadline_ns
                                            : (deadline_ns + 500000) / 1000000 * 1000000;
}

static void write_created(pd_draft_t *draft, const pd_new_run_t *run, int64_t deadline_ns)
{
    pd_decision_t *decision = draft->decision;
    Perdure__V1__RunCreated *created =
        PD_PB_NEW(decision->arena, Perdure__V1__RunCreated, perdure__v1__run_created);
    Perdure__V1__Event *event = pd_draft_internal(draft);
    int64_t run_timeout_ns = pd_pb_duration_ns(run->started->workflow_run_timeout);

    created->request_id = (char *)pd_pb_str(run->request_id);
    created->previous_run_id = (char *)pd_pb_str(run->previous_run_id);
    if (run->first_task_backoff_ns)
        created->first_task_not_before_ns = pd_ns_add(decision->now_ns, run->first_task_backoff_ns);
    if (run_timeout_ns) {
        created->run_deadline_ns =
            pd_ns_add(pd_ns_add(decision->now_ns, run->first_task_backoff_ns), run_timeout_ns);
        if (deadline_ns && created->run_deadline_ns > deadline_ns)
            created->run_deadline_ns = deadline_ns;
    }
    created->execution_deadline_ns = deadline_ns;
    created->retention_ns = decision->ns->retention_ns;
    created->awaits_parent = run->awaits_parent;
    event->kind_case = PERDURE__V1__EVENT__KIND_RUN_CREATED;
    event->run_created = created;
    draft->first_task_not_before_ns = created->first_task_not_before_ns;
}

static void write_started(pd_draft_t *draft, const pd_new_run_t *run, int64_t deadline_ns)
{
    pd_decision_t *decision = draft->decision;
    pd_history_event_t *event = pd_draft_event(draft, PD_EVENT(WORKFLOW_EXECUTION_STARTED));
    pd_started_t *started = run->started;

    started->workflow_id = (char *)decision->workflow_id;
    started->original_execution_run_id = (char *)run->run_id;
    started->first_execution_run_id = (char *)(run->first_run_id ? run->first_run_id : run->run_id);
    started->continued_execution_run_id = (char *)pd_pb_str(run->previous_run_id);
    if (!started->attempt)
        started->attempt = 1;
    started->workflow_execution_expiration_time =
        pd_pb_timestamp_or_null(decision->arena, deadline_ns);
    if (!run->no_backoff_field || run->first_task_backoff_ns)
        started->first_workflow_task_backoff =
            pd_pb_duration(decision->arena, run->first_task_backoff_ns);
    event->workflow_execution_started_event_attributes = started;
    event->user_metadata = run->user_metadata;
    event->links = run->links;
    event->n_links = run->n_links;
}

static void write_signaled(pd_draft_t *draft, const pd_new_run_t *run)
{
    pd_history_event_t *event = pd_draft_event(draft, PD_EVENT(WORKFLOW_EXECUTION_SIGNALED));

    *event->workflow_execution_signaled_event_attributes = *run->signaled;
    event->links = run->signal_links;
    event->n_links = run->n_signal_links;
    draft->signal_count++;
}

pd_draft_t *pd_new_run_write(pd_decision_t *decision, const pd_new_run_t *run)
{
    pd_draft_t *draft = pd_draft_new_run(decision, run->run_id);
    int64_t deadline_ns = execution_deadline_ns(decision, run);

    PD_ASSERT(run->started->task_queue && !(run->eager && run->first_task_backoff_ns));
    draft->new_task_queue = run->started->task_queue->name;
    draft->new_workflow_task_timeout_ns = pd_pb_duration_ns(run->started->workflow_task_timeout);
    write_created(draft, run, deadline_ns);
    write_started(draft, run, deadline_ns);
    if (run->signaled)
        write_signaled(draft, run);
    if (!run->awaits_parent)
        pd_draft_wake(draft);
    if (run->eager) {
        pd_draft_start_task(draft, run->request_id, run->started->identity);
        decision->hand_out_workflow_task = true;
        decision->hand_out_run_id = run->run_id;
    }
    return draft;
}
