/* steps.h -- what clients and workers of the two nodes usually do. Codes are of gRPC, 0 is OK. */
#ifndef PD_TESTS_UNIT_FORWARD_STEPS_H
#define PD_TESTS_UNIT_FORWARD_STEPS_H

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "tests/unit/forward/rig.h"

int steps_start(rig_t *rig, int node, const char *workflow_id, const char *task_queue);
void steps_send_signal(rig_t *rig, int node, const char *workflow_id, rig_call_t *call);
int steps_signal(rig_t *rig, int node, const char *workflow_id);
bool steps_is_running(rig_t *rig, int node, const char *workflow_id);
int64_t steps_history_length(rig_t *rig, int node, const char *workflow_id);
/* Waits for the end of the workflow. */
void steps_send_long_poll(rig_t *rig, int node, const char *workflow_id, rig_call_t *call);
/* The node's server has so many calls under way. */
bool steps_until_open_calls(rig_t *rig, int node, uint64_t count);

typedef Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueResponse steps_task_t;

void steps_send_poll(rig_t *rig, int node, const char *task_queue, rig_call_t *call);
void steps_send_activity_poll(rig_t *rig, int node, const char *task_queue, rig_call_t *call);
/* Awaits it; in the rig's arena. NULL: it failed. Without a token: it ended empty. */
steps_task_t *steps_task_of(rig_t *rig, rig_call_t *call);
steps_task_t *steps_poll(rig_t *rig, int node, const char *task_queue);
/* Ends the task and, when asked to, the workflow; or schedules an activity in that task queue. */
int steps_complete(rig_t *rig, int node, const steps_task_t *task, bool ends_workflow,
                   const char *activity_task_queue);
void steps_send_query(rig_t *rig, int node, const char *workflow_id, rig_call_t *call);
int steps_answer_query(rig_t *rig, int node, const steps_task_t *task);
/* How many pollers and waiting tasks the queue has; -1: the call failed. */
int steps_pollers(rig_t *rig, int node, const char *task_queue, int64_t *backlog);
/* So many tasks wait in it. */
bool steps_until_backlog(rig_t *rig, int node, const char *task_queue, int64_t count);
int steps_shutdown_worker(rig_t *rig, int node);

#endif
