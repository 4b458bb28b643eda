/* steps.h -- what clients and workers of the two nodes usually do. Codes are of gRPC, 0 is OK. */
#ifndef PD_TESTS_UNIT_FORWARD_STEPS_H
#define PD_TESTS_UNIT_FORWARD_STEPS_H

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

#endif
