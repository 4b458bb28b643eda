/* read_private.h -- what the kinds that read histories share.
 * Thread: the partition's loop. Ownership: the decision's arena, unless said. */
#ifndef PD_ENGINE_PARTITION_READ_PRIVATE_H
#define PD_ENGINE_PARTITION_READ_PRIVATE_H

#include <perdure/v1/state.pb-c.h>

#include "engine/decide/decision.h"

enum {
    PDI_READ_PAGE_SIZE = 2 * 1024 * 1024,    /* bytes of a page; one event may be larger */
    PDI_READ_SIZE_LIMIT = 256 * 1024 * 1024, /* no sum of what is read at once comes near */
};

/* Of a request's next_page_token: empty gives an empty one, anything that is no token NULL. */
Perdure__V1__HistoryPageToken *pdi_read_token(pd_arena_t *arena, const ProtobufCBinaryData *bytes);

/* Answers with the response and the history spliced into it; ends `history`. Returns NULL. */
const pd_rpc_error_t *pdi_read_respond(pd_decision_t *decision, const void *response,
                                       pd_buf_t *history);
/* Ends `history`. */
const pd_rpc_error_t *pdi_read_failed(pd_decision_t *decision, pd_buf_t *history,
                                      const pd_error_t *error);

/* Appends the events that a transient task would have: Scheduled, and Started when it is. */
pd_status_t pdi_read_transient(pd_arena_t *arena, const Perdure__V1__ExecutionRow *row,
                               const Perdure__V1__WorkflowTaskRow *task,
                               pd_buf_t *history) PD_MUST_USE;

/* `history` is a close event: when another run follows, it becomes a ContinuedAsNew. */
pd_status_t pdi_read_follow(pd_decision_t *decision, pd_buf_t *history) PD_MUST_USE;

#endif
