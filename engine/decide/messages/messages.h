/* messages.h -- what a message from another workflow does to the one it is for: one kind and one
 * file per body of Perdure__V1__Message. `command->request` is the message, in the command's arena.
 *
 * A message is never refused, since nobody waits for an error: what cannot be done is answered by
 * another message, or means nothing any more. That it was received is recorded in any case.
 *
 * Thread: the partition's loop. */
#ifndef PD_ENGINE_DECIDE_MESSAGES_MESSAGES_H
#define PD_ENGINE_DECIDE_MESSAGES_MESSAGES_H

#include "engine/command.h"

/* NULL: a body that this version does not know. */
const pd_command_kind_t *pd_message_kind(const Perdure__V1__Message *message);

#endif
