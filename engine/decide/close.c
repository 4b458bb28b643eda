#include "engine/decide/close.h"

#include "api/pb/time.h"
#include "base/assert.h"
#include "engine/decide/activity_retry.h"
#include "engine/decide/cron.h"
#include "engine/decide/reset_points.h"
#include "engine/limits.h"

#define INITIATOR(NAME)                                                                            \
    TEMPORAL__API__ENUMS__V1__CONTINUE_AS_NEW_INITIATOR__CONTINUE_AS_NEW_INITIATOR_##NAME

const pd_history_event_t *pd_close_started(pd_draft_t *draft)
{
    pd_decision_t *decision = draft->decision;
    pd_history_event_t *event = NULL;
    pd_error_t error;
    pd_status_t status =
        pd_store_history_event(decision->store, draft->exec, 1, decision->arena, &event, &error);

    /* A run that cannot read its own first event is corrupt: deciding must not go on. */
    PD_ASSERT(status == PD_OK && event &&
              (int)event->event_type == PD_EVENT(WORKFLOW_EXECUTION_STARTED));
    return event;
}

/* ---- plans ---- */

static bool plan_cron(pd_draft_t *draft, pd_next_run_t *next)
{
    const Perdure__V1__ExecutionRow *row = draft->exec->row;
    int64_t backoff_ns;

    if (pd_pb_empty(row->cron_schedule))
        return false;
    backoff_ns =
        pd_cron_backoff_ns(row->cron_schedule, row->execution_time_ns, draft->decision->now_ns);
    if (backoff_ns < 0)
        return false;
    next->run_id = pd_new_run_id(draft->decision);
    next->initiator = INITIATOR(CRON_SCHEDULE);
    next->backoff_ns = backoff_ns;
    return true;
}

void pd_close_plan_cron(pd_draft_t *draft, pd_next_run_t *next)
{
    memset(next, 0, sizeof(*next));
    (void)plan_cron(draft, next);
}

void pd_close_plan_retry(pd_draft_t *draft, Temporal__Api__Failure__V1__Failure *failure,
                         pd_next_run_t *next)
{
    const Perdure__V1__ExecutionRow *row = draft->exec->row;
    const pd_retry_question_t question = {
        .now_ns = draft->decision->now_ns,
        .attempt = row->attempt,
        .policy = row->retry_policy,
        .expiration_ns = row->execution_deadline_ns,
        .failure = failure,
    };
    int64_t backoff_ns = 0;

    memset(next, 0, sizeof(*next));
    next->failure = failure;
    next->retry_state = row->retry_policy ? pd_retry_next(&question, &backoff_ns)
                                          : PD_RETRY_STATE(RETRY_POLICY_NOT_SET);
    if (next->retry_state == PD_RETRY_STATE(IN_PROGRESS)) {
        next->run_id = pd_new_run_id(draft->decision);
        next->initiator = INITIATOR(RETRY);
        next->backoff_ns = backoff_ns;
    } else if (plan_cron(draft, next)) {
        next->last_completion_result =
            pd_close_started(draft)
                ->workflow_execution_started_event_attributes->last_completion_result;
    }
}

int64_t pd_close_min_backoff_ns(const pd_draft_t *draft, int64_t backoff_ns)
{
    const Perdure__V1__ExecutionRow *row = draft->exec->row;
    int64_t since_ns = row->execution_time_ns ? row->execution_time_ns : row->start_time_ns;
    int64_t lifetime_ns = draft->decision->now_ns - since_ns;
    int64_t interval_ns = backoff_ns > 0 ? pd_ns_add(lifetime_ns, backoff_ns) : lifetime_ns;

    if (interval_ns < PD_NS_PER_S)
        return PD_NS_PER_S - lifetime_ns;
    return backoff_ns;
}

/* ---- the next run ---- */

void pd_close_carry(pd_draft_t *draft, const pd_history_event_t *event,
                    Temporal__Api__Enums__V1__ContinueAsNewInitiator initiator, pd_new_run_t *run)
{
    pd_decision_t *decision = draft->decision;
    const Perdure__V1__ExecutionRow *row = draft->exec->row;
    const pd_started_t *before = event->workflow_execution_started_event_attributes;
    pd_started_t *started = PD_PB_NEW(
        decision->arena, Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes,
        temporal__api__history__v1__workflow_execution_started_event_attributes);

    memset(run, 0, sizeof(*run));
    started->initiator = initiator;
    started->workflow_execution_timeout = before->workflow_execution_timeout;
    started->priority = before->priority;
    started->parent_workflow_namespace = before->parent_workflow_namespace;
    started->parent_workflow_namespace_id = before->parent_workflow_namespace_id;
    started->parent_workflow_execution = before->parent_workflow_execution;
    started->parent_initiated_event_id = before->parent_initiated_event_id;
    started->parent_initiated_event_version = before->parent_initiated_event_version;
    started->root_workflow_execution = before->root_workflow_execution;
    started->prev_auto_reset_points = pd_reset_points_for_next(draft);
    if (initiator != INITIATOR(CRON_SCHEDULE)) {
        started->completion_callbacks = before->completion_callbacks;
        started->n_completion_callbacks = before->n_completion_callbacks;
    }
    run->started = started;
    run->request_id = pd_new_run_id(decision);
    run->previous_run_id = row->run_id;
    run->first_run_id = row->first_run_id;
    run->execution_deadline_ns = row->execution_deadline_ns;
    run->links = event->links;
    run->n_links = event->n_links;
}

void pd_close_begin_next(pd_draft_t *draft, const pd_next_run_t *next)
{
    const pd_history_event_t *event;
    const pd_started_t *before;
    pd_started_t *started;
    pd_new_run_t run;

    if (!next->run_id)
        return;
    event = pd_close_started(draft);
    before = event->workflow_execution_started_event_attributes;
    pd_close_carry(draft, event, next->initiator, &run);
    started = run.started;
    started->workflow_type = before->workflow_type;
    started->task_queue = before->task_queue;
    started->input = before->input;
    started->header = before->header;
    started->workflow_run_timeout = before->workflow_run_timeout;
    started->workflow_task_timeout = before->workflow_task_timeout;
    started->retry_policy = before->retry_policy;
    started->cron_schedule = before->cron_schedule;
    started->memo = before->memo;
    started->search_attributes = before->search_attributes;
    started->last_completion_result = next->last_completion_result;
    started->continued_failure = next->failure;
    started->attempt = next->initiator == INITIATOR(RETRY) ? draft->exec->row->attempt + 1 : 1;
    run.run_id = next->run_id;
    run.first_task_backoff_ns = pd_close_min_backoff_ns(draft, next->backoff_ns);
    (void)pd_new_run_write(draft->decision, &run);
}

/* ---- terminating ---- */

Temporal__Api__Common__V1__Payloads *pd_json_string_payloads(pd_arena_t *arena, const char *text)
{
    Temporal__Api__Common__V1__Payloads *payloads =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__Payloads, temporal__api__common__v1__payloads);
    Temporal__Api__Common__V1__Payload *payload =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__Payload, temporal__api__common__v1__payload);
    Temporal__Api__Common__V1__Payload__MetadataEntry *entry =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__Payload__MetadataEntry,
                  temporal__api__common__v1__payload__metadata_entry);
    char *json = pd_arena_alloc(arena, strlen(text) * 2 + 3), *end = json;

    *end++ = '"';
    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\')
            *end++ = '\\';
        *end++ = *at;
    }
    *end++ = '"';
    entry->key = (char *)"encoding";
    entry->value.data = (uint8_t *)"json/plain";
    entry->value.len = sizeof("json/plain") - 1;
    payload->metadata = pd_arena_memdup(arena, &entry, sizeof(entry));
    payload->n_metadata = 1;
    payload->data.data = (uint8_t *)json;
    payload->data.len = (size_t)(end - json);
    payloads->payloads = pd_arena_memdup(arena, &payload, sizeof(payload));
    payloads->n_payloads = 1;
    return payloads;
}

void pd_close_terminate(pd_draft_t *draft, const char *reason,
                        Temporal__Api__Common__V1__Payloads *details, const char *identity,
                        const pd_links_t *links)
{
    pd_history_event_t *event =
        pd_draft_close(draft, PD_EVENT(WORKFLOW_EXECUTION_TERMINATED), true);
    Temporal__Api__History__V1__WorkflowExecutionTerminatedEventAttributes *attributes =
        event->workflow_execution_terminated_event_attributes;

    attributes->reason = (char *)pd_pb_str(reason);
    attributes->details = details;
    attributes->identity = (char *)pd_pb_str(identity);
    if (links) {
        event->links = links->links;
        event->n_links = links->n_links;
    }
}
