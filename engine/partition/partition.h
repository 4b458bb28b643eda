/* partition.h -- one partition: its state, its log, its clock, and the order of things.
 *
 * Thread: the partition's loop, except where said. */
#ifndef PD_ENGINE_PARTITION_PARTITION_H
#define PD_ENGINE_PARTITION_PARTITION_H

#include "engine/decide/decision.h"
#include "engine/matching/matching.h"

pd_store_t *pd_partition_store(pd_partition_t *partition);
pd_loop_t *pd_partition_loop(pd_partition_t *partition);
int64_t pd_partition_now_ns(pd_partition_t *partition);

/* ---- for the kinds' hooks ---- */

/* Answers the command's call with what its decision says: the default of `acknowledged`. */
void pd_partition_answer(pd_partition_t *partition, pd_command_t *command);
/* The `refused` of the START_* kinds: the poller goes back to matching. */
void pd_partition_return_poll(pd_partition_t *partition, pd_command_t *command,
                              const pd_rpc_error_t *error);

/* Builds the answer for a workflow task that was just started (hand_out.c): the run's history as
 * the worker needs it, attached queries, the task token. In `arena`; the history is spliced in as
 * wire bytes by pd_hand_out_pack. */
typedef struct pd_hand_out {
    Temporal__Api__Taskqueue__V1__TaskQueue *task_queue; /* workflow_execution_task_queue */
    void *response;  /* Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueResponse */
    pd_buf_t history; /* wire form of History; pd_hand_out_deinit frees */
} pd_hand_out_t;

#endif
