#include "tests/sim/sim_flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE(NAME) TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_##NAME
#define COMMAND(NAME) TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_##NAME
#define ATTRIBUTES(Name) Temporal__Api__Command__V1__##Name##CommandAttributes

enum { GENERATION_MAX = 2, EVENT_COUNT_MAX = 150, TURN_MAX = 8 };

/* ---- payloads and policies ---- */

Temporal__Api__Common__V1__Payloads *sim_payloads(pd_arena_t *arena, const char *text)
{
    Temporal__Api__Common__V1__Payloads *payloads =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__Payloads, temporal__api__common__v1__payloads);
    Temporal__Api__Common__V1__Payload *payload =
        PD_PB_NEW(arena, Temporal__Api__Common__V1__Payload, temporal__api__common__v1__payload);

    payload->data.data = (uint8_t *)pd_arena_strdup(arena, text);
    payload->data.len = strlen(text);
    payloads->n_payloads = 1;
    payloads->payloads = pd_arena_memdup(arena, &payload, sizeof(payload));
    return payloads;
}

Temporal__Api__Common__V1__RetryPolicy *sim_retry_policy(pd_random_t *random, pd_arena_t *arena)
{
    Temporal__Api__Common__V1__RetryPolicy *policy = PD_PB_NEW(
        arena, Temporal__Api__Common__V1__RetryPolicy, temporal__api__common__v1__retry_policy);

    policy->initial_interval =
        pd_pb_duration(arena, (int64_t)(1 + pd_random_below(random, 3000)) * SIM_MS);
    policy->backoff_coefficient = 1.0 + (double)pd_random_below(random, 3) / 2;
    policy->maximum_interval = pd_pb_duration(arena, 10 * SIM_S);
    policy->maximum_attempts = 1 + (int32_t)pd_random_below(random, 4);
    return policy;
}

/* ---- folding ---- */

static void remove_at(sim_flow_pending_t *items, uint32_t *count, uint32_t index)
{
    items[index] = items[--*count];
}

static void begin(sim_flow_pending_t *items, uint32_t *count, int64_t event_id, const char *id)
{
    if (*count == SIM_FLOW_PENDING_MAX)
        return;
    items[*count] = (sim_flow_pending_t){.event_id = event_id};
    snprintf(items[*count].id, sizeof(items[0].id), "%s", id);
    items[*count].eternal = strncmp(id, "eternal", 7) == 0;
    (*count)++;
}

static void end(sim_flow_pending_t *items, uint32_t *count, int64_t event_id)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (items[i].event_id == event_id) {
            remove_at(items, count, i);
            return;
        }
    }
}

static void fold_started(sim_flow_t *flow, const pd_history_event_t *event)
{
    const Temporal__Api__Common__V1__Payloads *input =
        event->workflow_execution_started_event_attributes->input;
    char text[16] = "";

    if (input && input->n_payloads && input->payloads[0]->data.len < sizeof(text))
        memcpy(text, input->payloads[0]->data.data, input->payloads[0]->data.len);
    flow->generation = (uint32_t)strtoul(text, NULL, 10);
}

static void fold_cancel_requested(sim_flow_t *flow, int64_t scheduled_id)
{
    for (uint32_t i = 0; i < flow->activity_count; i++) {
        if (flow->activities[i].event_id == scheduled_id)
            flow->activities[i].cancel_requested = true;
    }
}

void sim_flow_fold(sim_flow_t *flow, const pd_history_event_t *event)
{
    flow->next_event_id = event->event_id + 1;
    switch ((int)event->event_type) {
    case TYPE(WORKFLOW_EXECUTION_STARTED):
        fold_started(flow, event);
        break;
    case TYPE(WORKFLOW_TASK_COMPLETED):
        flow->turn++;
        break;
    case TYPE(WORKFLOW_EXECUTION_SIGNALED):
        flow->signal_count++;
        break;
    case TYPE(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
        flow->cancel_requested = true;
        break;
    case TYPE(ACTIVITY_TASK_SCHEDULED):
        begin(flow->activities, &flow->activity_count, event->event_id,
              pd_event_text(event, "activity_id"));
        break;
    case TYPE(ACTIVITY_TASK_CANCEL_REQUESTED):
        fold_cancel_requested(flow, pd_event_int(event, "scheduled_event_id"));
        break;
    case TYPE(ACTIVITY_TASK_COMPLETED):
    case TYPE(ACTIVITY_TASK_FAILED):
    case TYPE(ACTIVITY_TASK_TIMED_OUT):
    case TYPE(ACTIVITY_TASK_CANCELED):
        end(flow->activities, &flow->activity_count, pd_event_int(event, "scheduled_event_id"));
        break;
    case TYPE(TIMER_STARTED):
        begin(flow->timers, &flow->timer_count, event->event_id, pd_event_text(event, "timer_id"));
        break;
    case TYPE(TIMER_FIRED):
    case TYPE(TIMER_CANCELED):
        end(flow->timers, &flow->timer_count, pd_event_int(event, "started_event_id"));
        break;
    default:
        break;
    }
}

void sim_flow_init(sim_flow_t *flow, const char *run_id)
{
    memset(flow, 0, sizeof(*flow));
    snprintf(flow->run_id, sizeof(flow->run_id), "%s", run_id);
    flow->next_event_id = 1;
}

/* ---- commands ---- */

/* A new command with empty attributes of the field named; returns the attributes. */
static void *add(sim_commands_t *commands, pd_arena_t *arena, int type, const char *name,
                 int event_type)
{
    Temporal__Api__Command__V1__Command *command =
        PD_PB_NEW(arena, Temporal__Api__Command__V1__Command, temporal__api__command__v1__command);
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
        &temporal__api__command__v1__command__descriptor, name);
    void *attributes;

    PD_ASSERT(field && commands->count < SIM_COMMAND_MAX);
    attributes = pd_pb_new(field->descriptor, arena);
    command->command_type = type;
    *(void **)((char *)command + field->offset) = attributes;
    command->attributes_case = (Temporal__Api__Command__V1__Command__AttributesCase)field->id;
    commands->event_types[commands->count] = event_type;
    commands->items[commands->count++] = command;
    return attributes;
}

static Google__Protobuf__Duration *some(pd_random_t *random, pd_arena_t *arena, uint64_t max_ms)
{
    return pd_pb_duration(arena, (int64_t)(1 + pd_random_below(random, max_ms)) * SIM_MS);
}

static void add_activity(sim_commands_t *commands, pd_random_t *random, pd_arena_t *arena,
                         const char *id, const char *task_queue)
{
    ATTRIBUTES(ScheduleActivityTask) *attributes =
        add(commands, arena, COMMAND(SCHEDULE_ACTIVITY_TASK),
            "schedule_activity_task_command_attributes", TYPE(ACTIVITY_TASK_SCHEDULED));

    attributes->activity_id = pd_arena_strdup(arena, id);
    attributes->activity_type = PD_PB_NEW(arena, Temporal__Api__Common__V1__ActivityType,
                                          temporal__api__common__v1__activity_type);
    attributes->activity_type->name = (char *)"act";
    attributes->task_queue = PD_PB_NEW(arena, Temporal__Api__Taskqueue__V1__TaskQueue,
                                       temporal__api__taskqueue__v1__task_queue);
    attributes->task_queue->name = (char *)task_queue;
    attributes->input = sim_payloads(arena, "input");
    if (pd_random_below(random, 2))
        attributes->start_to_close_timeout = some(random, arena, 20000);
    if (pd_random_below(random, 2) || !attributes->start_to_close_timeout)
        attributes->schedule_to_close_timeout = some(random, arena, 90000);
    if (pd_random_below(random, 3) == 0)
        attributes->schedule_to_start_timeout = some(random, arena, 20000);
    if (pd_random_below(random, 3) == 0)
        attributes->heartbeat_timeout = some(random, arena, 5000);
    if (pd_random_below(random, 2))
        attributes->retry_policy = sim_retry_policy(random, arena);
    attributes->request_eager_execution = pd_random_below(random, 4) == 0;
}

/* True: it fires some day. */
static bool add_timer(sim_commands_t *commands, pd_random_t *random, pd_arena_t *arena,
                      const char *id)
{
    ATTRIBUTES(StartTimer) *attributes = add(commands, arena, COMMAND(START_TIMER),
                                             "start_timer_command_attributes", TYPE(TIMER_STARTED));
    bool eternal = pd_random_below(random, 20) == 0;

    attributes->timer_id = pd_arena_printf(arena, "%s%s", eternal ? "eternal-" : "", id);
    attributes->start_to_fire_timeout =
        eternal ? pd_pb_duration(arena, INT64_C(290) * 365 * 86400 * SIM_S)
                : some(random, arena, pd_random_below(random, 4) ? 5000 : 300000);
    return !eternal;
}

static void add_marker(sim_commands_t *commands, pd_arena_t *arena, uint32_t turn)
{
    ATTRIBUTES(RecordMarker) *attributes =
        add(commands, arena, COMMAND(RECORD_MARKER), "record_marker_command_attributes",
            TYPE(MARKER_RECORDED));

    attributes->marker_name = pd_arena_printf(arena, "marker-%u", turn);
}

static void add_close(sim_commands_t *commands, const sim_flow_t *flow, pd_random_t *random,
                      pd_arena_t *arena)
{
    uint64_t how = pd_random_below(random, 10);

    commands->closes = true;
    if (flow->cancel_requested && how < 7) {
        add(commands, arena, COMMAND(CANCEL_WORKFLOW_EXECUTION),
            "cancel_workflow_execution_command_attributes", TYPE(WORKFLOW_EXECUTION_CANCELED));
    } else if (how < 2 && flow->generation < GENERATION_MAX) {
        ATTRIBUTES(ContinueAsNewWorkflowExecution) *attributes =
            add(commands, arena, COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION),
                "continue_as_new_workflow_execution_command_attributes",
                TYPE(WORKFLOW_EXECUTION_CONTINUED_AS_NEW));
        char text[16];

        snprintf(text, sizeof(text), "%u", flow->generation + 1);
        attributes->input = sim_payloads(arena, text);
    } else if (how < 4) {
        ATTRIBUTES(FailWorkflowExecution) *attributes =
            add(commands, arena, COMMAND(FAIL_WORKFLOW_EXECUTION),
                "fail_workflow_execution_command_attributes", TYPE(WORKFLOW_EXECUTION_FAILED));

        attributes->failure = PD_PB_NEW(arena, Temporal__Api__Failure__V1__Failure,
                                        temporal__api__failure__v1__failure);
        attributes->failure->message = (char *)"no luck";
        attributes->failure->failure_info_case =
            TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
        attributes->failure->application_failure_info =
            PD_PB_NEW(arena, Temporal__Api__Failure__V1__ApplicationFailureInfo,
                      temporal__api__failure__v1__application_failure_info);
        attributes->failure->application_failure_info->non_retryable =
            pd_random_below(random, 2) != 0;
    } else {
        ATTRIBUTES(CompleteWorkflowExecution) *attributes = add(
            commands, arena, COMMAND(COMPLETE_WORKFLOW_EXECUTION),
            "complete_workflow_execution_command_attributes", TYPE(WORKFLOW_EXECUTION_COMPLETED));

        attributes->result = sim_payloads(arena, "done");
    }
}

/* Cancels some of what is pending. */
static void add_cancels(sim_commands_t *commands, const sim_flow_t *flow, pd_random_t *random,
                        pd_arena_t *arena)
{
    if (flow->activity_count && pd_random_below(random, 4) == 0) {
        const sim_flow_pending_t *pending =
            &flow->activities[pd_random_below(random, flow->activity_count)];

        if (!pending->cancel_requested) {
            ATTRIBUTES(RequestCancelActivityTask) *attributes =
                add(commands, arena, COMMAND(REQUEST_CANCEL_ACTIVITY_TASK),
                    "request_cancel_activity_task_command_attributes",
                    TYPE(ACTIVITY_TASK_CANCEL_REQUESTED));

            attributes->scheduled_event_id = pending->event_id;
        }
    }
    if (flow->timer_count && pd_random_below(random, 4) == 0) {
        ATTRIBUTES(CancelTimer) *attributes =
            add(commands, arena, COMMAND(CANCEL_TIMER), "cancel_timer_command_attributes",
                TYPE(TIMER_CANCELED));

        attributes->timer_id = (char *)flow->timers[pd_random_below(random, flow->timer_count)].id;
    }
}

static bool waits_for_something(const sim_flow_t *flow)
{
    for (uint32_t i = 0; i < flow->timer_count; i++) {
        if (!flow->timers[i].eternal)
            return true;
    }
    return flow->activity_count > 0;
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037u;

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    return hash;
}

void sim_flow_decide(sim_t *sim, const sim_flow_t *flow, pd_arena_t *arena, const char *task_queue,
                     bool give_up, sim_commands_t *commands)
{
    pd_random_t random;
    bool waits = false;
    char id[40];
    uint64_t count;

    memset(commands, 0, sizeof(*commands));
    pd_random_init(&random, sim->options.seed ^ hash_of(flow->run_id) ^ flow->turn * 7919u);
    if (give_up || flow->turn > TURN_MAX || flow->next_event_id > EVENT_COUNT_MAX ||
        (flow->turn > 0 && pd_random_below(&random, 5) == 0)) {
        if (pd_random_below(&random, 3) == 0)
            add_marker(commands, arena, flow->turn);
        add_close(commands, flow, &random, arena);
        return;
    }
    if (waits_for_something(flow) && pd_random_below(&random, 3) == 0)
        return;
    add_cancels(commands, flow, &random, arena);
    count = 1 + pd_random_below(&random, 3);
    for (uint64_t i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "%u-%u", flow->turn, (unsigned)i);
        if (pd_random_below(&random, 5) < 3) {
            add_activity(commands, &random, arena, id, task_queue);
            waits = true;
        } else if (add_timer(commands, &random, arena, id)) {
            waits = true;
        }
    }
    if (pd_random_below(&random, 4) == 0)
        add_marker(commands, arena, flow->turn);
    /* A timer of a thousand years may be all there is. */
    snprintf(id, sizeof(id), "%u-last", flow->turn);
    if (!waits)
        add_activity(commands, &random, arena, id, task_queue);
}

void sim_flow_spoil(sim_t *sim, const sim_flow_t *flow, pd_arena_t *arena, sim_commands_t *commands)
{
    ATTRIBUTES(StartTimer) * timer;

    if (commands->closes || commands->count + 1 >= SIM_COMMAND_MAX)
        return;
    commands->bad = true;
    switch (sim_below(sim, 6)) {
    case 0: /* no attributes that fit */
        timer = add(commands, arena, COMMAND(SCHEDULE_ACTIVITY_TASK),
                    "start_timer_command_attributes", 0);
        timer->timer_id = (char *)"x";
        break;
    case 1: /* a duration below zero */
        timer = add(commands, arena, COMMAND(START_TIMER), "start_timer_command_attributes", 0);
        timer->timer_id = (char *)"negative";
        timer->start_to_fire_timeout = pd_pb_duration(arena, -SIM_S);
        break;
    case 2: /* no ID */
        timer = add(commands, arena, COMMAND(START_TIMER), "start_timer_command_attributes", 0);
        timer->start_to_fire_timeout = pd_pb_duration(arena, SIM_S);
        break;
    case 3: /* cancels what never was */
        ((ATTRIBUTES(CancelTimer) *)add(commands, arena, COMMAND(CANCEL_TIMER),
                                        "cancel_timer_command_attributes", 0))
            ->timer_id = (char *)"never was";
        break;
    case 4:
        ((ATTRIBUTES(RequestCancelActivityTask) *)add(
             commands, arena, COMMAND(REQUEST_CANCEL_ACTIVITY_TASK),
             "request_cancel_activity_task_command_attributes", 0))
            ->scheduled_event_id = 100000;
        break;
    default: /* no activity type, no timeouts */
        ((ATTRIBUTES(ScheduleActivityTask) *)add(commands, arena, COMMAND(SCHEDULE_ACTIVITY_TASK),
                                                 "schedule_activity_task_command_attributes", 0))
            ->activity_id = (char *)"bad";
        break;
    }
}
