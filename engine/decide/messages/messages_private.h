/* messages_private.h -- what the kinds of messages share.
 * Thread: the partition's loop. Ownership: the decision's arena. */
#ifndef PD_ENGINE_DECIDE_MESSAGES_MESSAGES_PRIVATE_H
#define PD_ENGINE_DECIDE_MESSAGES_MESSAGES_PRIVATE_H

#include "engine/decide/draft.h"

/* The draft of the run that the message is for, if that is there and running; else NULL. */
pd_draft_t *pdi_message_draft(pd_decision_t *decision);
/* The message comes from the run's parent. */
bool pdi_message_is_from_parent(const pd_draft_t *draft, const Perdure__V1__Message *message);
/* The message comes from the workflow that it is for. */
bool pdi_message_is_to_self(const Perdure__V1__Message *message);
Temporal__Api__Common__V1__WorkflowExecution *
pdi_execution_of(pd_arena_t *arena, const char *workflow_id, const char *run_id);
/* The one who sent the message. */
Temporal__Api__Common__V1__WorkflowExecution *
pdi_message_sender(pd_arena_t *arena, const Perdure__V1__Message *message);

extern const pd_command_kind_t pdi_message_start_child;
extern const pd_command_kind_t pdi_message_child_start_answered;
extern const pd_command_kind_t pdi_message_child_first_task;
extern const pd_command_kind_t pdi_message_child_closed;
extern const pd_command_kind_t pdi_message_signal_external;
extern const pd_command_kind_t pdi_message_signal_external_answered;
extern const pd_command_kind_t pdi_message_request_cancel_external;
extern const pd_command_kind_t pdi_message_request_cancel_external_answered;
extern const pd_command_kind_t pdi_message_parent_closed;

#endif
