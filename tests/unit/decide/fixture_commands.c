#include "api/pb/time.h"
#include "tests/unit/decide/fixture.h"

#define COMMAND(NAME) TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_##NAME
#define ATTRIBUTES(NAME) TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_##NAME

static Temporal__Api__Command__V1__Command *new_command(pd_fixture_t *fixture, int type,
                                                        int attributes_case)
{
    Temporal__Api__Command__V1__Command *command = PD_FIXTURE_NEW(
        fixture, Temporal__Api__Command__V1__Command, temporal__api__command__v1__command);

    command->command_type = type;
    command->attributes_case = attributes_case;
    return command;
}

Temporal__Api__Command__V1__Command *pd_fixture_cmd_complete(pd_fixture_t *fixture)
{
    Temporal__Api__Command__V1__Command *command =
        new_command(fixture, COMMAND(COMPLETE_WORKFLOW_EXECUTION),
                    ATTRIBUTES(COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES));

    command->complete_workflow_execution_command_attributes = PD_FIXTURE_NEW(
        fixture, Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes,
        temporal__api__command__v1__complete_workflow_execution_command_attributes);
    return command;
}

Temporal__Api__Command__V1__Command *pd_fixture_cmd_fail(pd_fixture_t *fixture, const char *type)
{
    Temporal__Api__Command__V1__Command *command =
        new_command(fixture, COMMAND(FAIL_WORKFLOW_EXECUTION),
                    ATTRIBUTES(FAIL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES));
    Temporal__Api__Failure__V1__Failure *failure = PD_FIXTURE_NEW(
        fixture, Temporal__Api__Failure__V1__Failure, temporal__api__failure__v1__failure);

    failure->message = (char *)"failed";
    failure->failure_info_case =
        TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
    failure->application_failure_info =
        PD_FIXTURE_NEW(fixture, Temporal__Api__Failure__V1__ApplicationFailureInfo,
                       temporal__api__failure__v1__application_failure_info);
    failure->application_failure_info->type = (char *)type;
    command->fail_workflow_execution_command_attributes =
        PD_FIXTURE_NEW(fixture, Temporal__Api__Command__V1__FailWorkflowExecutionCommandAttributes,
                       temporal__api__command__v1__fail_workflow_execution_command_attributes);
    command->fail_workflow_execution_command_attributes->failure = failure;
    return command;
}

Temporal__Api__Command__V1__Command *pd_fixture_cmd_continue(pd_fixture_t *fixture)
{
    Temporal__Api__Command__V1__Command *command =
        new_command(fixture, COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION),
                    ATTRIBUTES(CONTINUE_AS_NEW_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES));

    command->continue_as_new_workflow_execution_command_attributes = PD_FIXTURE_NEW(
        fixture, Temporal__Api__Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes,
        temporal__api__command__v1__continue_as_new_workflow_execution_command_attributes);
    return command;
}

Temporal__Api__Command__V1__Command *pd_fixture_cmd_marker(pd_fixture_t *fixture, const char *name)
{
    Temporal__Api__Command__V1__Command *command =
        new_command(fixture, COMMAND(RECORD_MARKER), ATTRIBUTES(RECORD_MARKER_COMMAND_ATTRIBUTES));

    command->record_marker_command_attributes =
        PD_FIXTURE_NEW(fixture, Temporal__Api__Command__V1__RecordMarkerCommandAttributes,
                       temporal__api__command__v1__record_marker_command_attributes);
    command->record_marker_command_attributes->marker_name = (char *)name;
    return command;
}

Temporal__Api__Command__V1__Command *pd_fixture_cmd_timer(pd_fixture_t *fixture, const char *id,
                                                          int64_t ns)
{
    Temporal__Api__Command__V1__Command *command =
        new_command(fixture, COMMAND(START_TIMER), ATTRIBUTES(START_TIMER_COMMAND_ATTRIBUTES));

    command->start_timer_command_attributes =
        PD_FIXTURE_NEW(fixture, Temporal__Api__Command__V1__StartTimerCommandAttributes,
                       temporal__api__command__v1__start_timer_command_attributes);
    command->start_timer_command_attributes->timer_id = (char *)id;
    command->start_timer_command_attributes->start_to_fire_timeout =
        pd_pb_duration(&fixture->arena, ns);
    return command;
}

Temporal__Api__Command__V1__Command *pd_fixture_cmd_cancel_timer(pd_fixture_t *fixture,
                                                                 const char *id)
{
    Temporal__Api__Command__V1__Command *command =
        new_command(fixture, COMMAND(CANCEL_TIMER), ATTRIBUTES(CANCEL_TIMER_COMMAND_ATTRIBUTES));

    command->cancel_timer_command_attributes =
        PD_FIXTURE_NEW(fixture, Temporal__Api__Command__V1__CancelTimerCommandAttributes,
                       temporal__api__command__v1__cancel_timer_command_attributes);
    command->cancel_timer_command_attributes->timer_id = (char *)id;
    return command;
}

Temporal__Api__Command__V1__Command *pd_fixture_cmd_activity(pd_fixture_t *fixture, const char *id)
{
    Temporal__Api__Command__V1__Command *command =
        new_command(fixture, COMMAND(SCHEDULE_ACTIVITY_TASK),
                    ATTRIBUTES(SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES));
    Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes *attributes =
        PD_FIXTURE_NEW(fixture, Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes,
                       temporal__api__command__v1__schedule_activity_task_command_attributes);

    attributes->activity_id = (char *)id;
    attributes->activity_type = PD_FIXTURE_NEW(fixture, Temporal__Api__Common__V1__ActivityType,
                                               temporal__api__common__v1__activity_type);
    attributes->activity_type->name = (char *)"A";
    attributes->task_queue = PD_FIXTURE_NEW(fixture, Temporal__Api__Taskqueue__V1__TaskQueue,
                                            temporal__api__taskqueue__v1__task_queue);
    attributes->task_queue->name = (char *)"q";
    attributes->start_to_close_timeout = pd_pb_duration(&fixture->arena, INT64_C(10000000000));
    command->schedule_activity_task_command_attributes = attributes;
    return command;
}

Temporal__Api__Command__V1__Command *pd_fixture_cmd_child(pd_fixture_t *fixture,
                                                          const char *workflow_id)
{
    Temporal__Api__Command__V1__Command *command =
        new_command(fixture, COMMAND(START_CHILD_WORKFLOW_EXECUTION),
                    ATTRIBUTES(START_CHILD_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES));
    Temporal__Api__Command__V1__StartChildWorkflowExecutionCommandAttributes *attributes =
        PD_FIXTURE_NEW(
            fixture, Temporal__Api__Command__V1__StartChildWorkflowExecutionCommandAttributes,
            temporal__api__command__v1__start_child_workflow_execution_command_attributes);

    attributes->workflow_id = (char *)workflow_id;
    attributes->workflow_type = PD_FIXTURE_NEW(fixture, Temporal__Api__Common__V1__WorkflowType,
                                               temporal__api__common__v1__workflow_type);
    attributes->workflow_type->name = (char *)"C";
    command->start_child_workflow_execution_command_attributes = attributes;
    return command;
}

Temporal__Api__Command__V1__Command *
pd_fixture_cmd_signal_external(pd_fixture_t *fixture, const char *workflow_id, const char *name)
{
    typedef Temporal__Api__Command__V1__SignalExternalWorkflowExecutionCommandAttributes
        attributes_t;
    Temporal__Api__Command__V1__Command *command =
        new_command(fixture, COMMAND(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION),
                    ATTRIBUTES(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES));
    attributes_t *attributes = PD_FIXTURE_NEW(
        fixture, attributes_t,
        temporal__api__command__v1__signal_external_workflow_execution_command_attributes);

    attributes->execution = PD_FIXTURE_NEW(fixture, Temporal__Api__Common__V1__WorkflowExecution,
                                           temporal__api__common__v1__workflow_execution);
    attributes->execution->workflow_id = (char *)workflow_id;
    attributes->signal_name = (char *)name;
    command->signal_external_workflow_execution_command_attributes = attributes;
    return command;
}

Temporal__Api__Command__V1__Command *pd_fixture_cmd_cancel_external(pd_fixture_t *fixture,
                                                                    const char *workflow_id)
{
    typedef Temporal__Api__Command__V1__RequestCancelExternalWorkflowExecutionCommandAttributes
        attributes_t;
    Temporal__Api__Command__V1__Command *command =
        new_command(fixture, COMMAND(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION),
                    ATTRIBUTES(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES));
    attributes_t *attributes = PD_FIXTURE_NEW(
        fixture, attributes_t,
        temporal__api__command__v1__request_cancel_external_workflow_execution_command_attributes);

    attributes->workflow_id = (char *)workflow_id;
    command->request_cancel_external_workflow_execution_command_attributes = attributes;
    return command;
}
