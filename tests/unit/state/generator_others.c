/* Children, and signals and cancel requests to other workflows, in random records. */
#include "tests/unit/state/generator_private.h"

#define OUTSIDE(gen, NAME, name, Name)                                                             \
    Temporal__Api__History__V1__##Name##EventAttributes *a = pd_pb_new(                            \
        &temporal__api__history__v1__##name##_event_attributes__descriptor, &(gen)->arena);        \
    gen_add_outside((gen), TYPE(NAME), CASE(NAME), a)

static Temporal__Api__Common__V1__WorkflowExecution *new_execution(pd_generator_t *gen)
{
    Temporal__Api__Common__V1__WorkflowExecution *execution =
        PD_PB_NEW(&gen->arena, Temporal__Api__Common__V1__WorkflowExecution,
                  temporal__api__common__v1__workflow_execution);

    execution->workflow_id = gen_new_id(gen, "other-");
    execution->run_id = gen_new_id(gen, "");
    return execution;
}

void gen_set_parent(pd_generator_t *gen,
                    Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes *a)
{
    a->parent_workflow_namespace = (char *)"default";
    a->parent_workflow_namespace_id = (char *)NAMESPACE;
    a->parent_workflow_execution = new_execution(gen);
    a->parent_initiated_event_id = (int64_t)gen_below(gen, 100) + 5;
    a->root_workflow_execution = new_execution(gen);
}

void gen_ask_others(pd_generator_t *gen, int64_t completed_event_id)
{
    switch (gen_below(gen, 3)) {
    case 0: {
        EVENT(gen, START_CHILD_WORKFLOW_EXECUTION_INITIATED,
              start_child_workflow_execution_initiated, StartChildWorkflowExecutionInitiated);
        a->namespace_ = (char *)"default";
        a->namespace_id = (char *)NAMESPACE;
        a->workflow_id = gen_new_id(gen, "child-");
        a->workflow_type = PD_PB_NEW(&gen->arena, Temporal__Api__Common__V1__WorkflowType,
                                     temporal__api__common__v1__workflow_type);
        a->workflow_type->name = (char *)"Parcel";
        a->parent_close_policy = 1 + (int)gen_below(gen, 3);
        a->workflow_task_completed_event_id = completed_event_id;
        return;
    }
    case 1: {
        EVENT(gen, SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
              signal_external_workflow_execution_initiated,
              SignalExternalWorkflowExecutionInitiated);
        a->workflow_execution = new_execution(gen);
        a->workflow_task_completed_event_id = completed_event_id;
        return;
    }
    default: {
        EVENT(gen, REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
              request_cancel_external_workflow_execution_initiated,
              RequestCancelExternalWorkflowExecutionInitiated);
        a->workflow_execution = new_execution(gen);
        a->workflow_task_completed_event_id = completed_event_id;
        return;
    }
    }
}

static void start_child(pd_generator_t *gen, const Perdure__V1__ChildRow *child)
{
    if (gen_chance(gen, 80)) {
        OUTSIDE(gen, CHILD_WORKFLOW_EXECUTION_STARTED, child_workflow_execution_started,
                ChildWorkflowExecutionStarted);
        a->initiated_event_id = child->initiated_event_id;
        a->workflow_execution = new_execution(gen);
    } else {
        OUTSIDE(gen, START_CHILD_WORKFLOW_EXECUTION_FAILED, start_child_workflow_execution_failed,
                StartChildWorkflowExecutionFailed);
        a->initiated_event_id = child->initiated_event_id;
    }
}

static void end_child(pd_generator_t *gen, const Perdure__V1__ChildRow *child)
{
    int64_t initiated_event_id = child->initiated_event_id;

    switch (gen_below(gen, 5)) {
    case 0: {
        OUTSIDE(gen, CHILD_WORKFLOW_EXECUTION_COMPLETED, child_workflow_execution_completed,
                ChildWorkflowExecutionCompleted);
        a->initiated_event_id = initiated_event_id;
        a->result = gen_payloads(gen);
        return;
    }
    case 1: {
        OUTSIDE(gen, CHILD_WORKFLOW_EXECUTION_FAILED, child_workflow_execution_failed,
                ChildWorkflowExecutionFailed);
        a->initiated_event_id = initiated_event_id;
        return;
    }
    case 2: {
        OUTSIDE(gen, CHILD_WORKFLOW_EXECUTION_CANCELED, child_workflow_execution_canceled,
                ChildWorkflowExecutionCanceled);
        a->initiated_event_id = initiated_event_id;
        return;
    }
    case 3: {
        OUTSIDE(gen, CHILD_WORKFLOW_EXECUTION_TIMED_OUT, child_workflow_execution_timed_out,
                ChildWorkflowExecutionTimedOut);
        a->initiated_event_id = initiated_event_id;
        return;
    }
    default: {
        OUTSIDE(gen, CHILD_WORKFLOW_EXECUTION_TERMINATED, child_workflow_execution_terminated,
                ChildWorkflowExecutionTerminated);
        a->initiated_event_id = initiated_event_id;
        return;
    }
    }
}

static void answer_signal(pd_generator_t *gen, const Perdure__V1__ExternalRow *external)
{
    if (gen_chance(gen, 70)) {
        OUTSIDE(gen, EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, external_workflow_execution_signaled,
                ExternalWorkflowExecutionSignaled);
        a->initiated_event_id = external->initiated_event_id;
    } else {
        OUTSIDE(gen, SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
                signal_external_workflow_execution_failed, SignalExternalWorkflowExecutionFailed);
        a->initiated_event_id = external->initiated_event_id;
    }
}

static void answer_cancel(pd_generator_t *gen, const Perdure__V1__ExternalRow *external)
{
    if (gen_chance(gen, 70)) {
        OUTSIDE(gen, EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
                external_workflow_execution_cancel_requested,
                ExternalWorkflowExecutionCancelRequested);
        a->initiated_event_id = external->initiated_event_id;
    } else {
        OUTSIDE(gen, REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
                request_cancel_external_workflow_execution_failed,
                RequestCancelExternalWorkflowExecutionFailed);
        a->initiated_event_id = external->initiated_event_id;
    }
}

bool gen_hear_of_others(pd_generator_t *gen)
{
    const Perdure__V1__ExecutionRow *row = gen->exec->row;
    uint64_t which =
        gen_below(gen, row->n_children + row->n_external_signals + row->n_external_cancels + 1);

    if (which < row->n_children) {
        const Perdure__V1__ChildRow *child = row->children[which];

        if (child->close_buffered)
            return false;
        if (child->started_event_id || child->start_buffered)
            end_child(gen, child);
        else
            start_child(gen, child);
        return true;
    }
    which -= row->n_children;
    if (which < row->n_external_signals) {
        if (row->external_signals[which]->answer_buffered)
            return false;
        answer_signal(gen, row->external_signals[which]);
        return true;
    }
    which -= row->n_external_signals;
    if (which >= row->n_external_cancels || row->external_cancels[which]->answer_buffered)
        return false;
    answer_cancel(gen, row->external_cancels[which]);
    return true;
}
