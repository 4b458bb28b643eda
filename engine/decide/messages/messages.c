#include "engine/decide/messages/messages.h"

const pd_command_kind_t *pd_message_kind(const Perdure__V1__Message *message)
{
    return NULL;
}
