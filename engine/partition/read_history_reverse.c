/* GetWorkflowExecutionHistoryReverse: from the last event to the first.
 *
 * The store reads forwards; so a page is put together from short forward reads, each turned round.
 */
#include "engine/partition/partition_private.h"
#include "engine/partition/read_private.h"

typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryReverseRequest request_t;
typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryReverseResponse response_t;

enum { STEP_EVENT_COUNT = 16 }; /* events read at once: a few large ones fit into memory */

/* Appends the fields of a History (each one event) in reverse order. The bytes are our own. */
static pd_status_t append_reversed(pd_bytes_t forward, pd_buf_t *history)
{
    pd_bytes_t fields[STEP_EVENT_COUNT];
    size_t count = 0;

    for (size_t at = 0; at < forward.size;) {
        size_t start = at++; /* the key of field 1 takes one byte */
        uint64_t size = 0;
        unsigned shift = 0;

        PD_ASSERT(count < STEP_EVENT_COUNT);
        for (; forward.data[at] & 0x80; shift += 7)
            size |= (uint64_t)(forward.data[at++] & 0x7f) << shift;
        size |= (uint64_t)forward.data[at++] << shift;
        at += size;
        PD_ASSERT(at <= forward.size);
        fields[count++] = pd_bytes(forward.data + start, at - start);
    }
    while (count-- > 0)
        PD_TRY(pd_buf_append(history, fields[count].data, fields[count].size));
    return PD_OK;
}

/* Appends [first, through], newest first. */
static pd_status_t read_step(pd_decision_t *decision, int64_t first, int64_t through,
                             pd_buf_t *history, pd_error_t *error)
{
    int64_t next_event_id;
    pd_status_t status;
    pd_buf_t forward;

    pd_buf_init(&forward, PDI_READ_SIZE_LIMIT);
    status = pd_store_history_read(decision->store, decision->exec, first, through - first + 1,
                                   PDI_READ_SIZE_LIMIT, &forward, &next_event_id, error);
    if (status == PD_OK)
        status = append_reversed(pd_buf_bytes(&forward), history);
    pd_buf_deinit(&forward);
    return status;
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const request_t *request = command->request;
    const Perdure__V1__ExecutionRow *row = decision->exec->row;
    response_t *response = PD_PB_NEW(
        decision->arena, response_t,
        temporal__api__workflowservice__v1__get_workflow_execution_history_reverse_response);
    Perdure__V1__HistoryPageToken *token =
        pdi_read_token(decision->arena, &request->next_page_token);
    int64_t left = request->maximum_page_size;
    int64_t through;
    pd_error_t error;
    pd_buf_t history;

    if (!token || token->next_event_id < 0)
        return pd_rpc_invalid_argument(decision->arena, "Invalid NextPageToken.");
    through = token->next_event_id > 0 && token->next_event_id < row->next_event_id
                  ? token->next_event_id
                  : row->next_event_id - 1;
    pd_buf_init(&history, PDI_READ_SIZE_LIMIT);
    while (through > 0 && left > 0 && history.size < PDI_READ_PAGE_SIZE) {
        int64_t count = left < STEP_EVENT_COUNT ? left : STEP_EVENT_COUNT;
        int64_t first = through - count + 1 > 1 ? through - count + 1 : 1;

        if (read_step(decision, first, through, &history, &error) != PD_OK)
            return pdi_read_failed(decision, &history, &error);
        left -= through - first + 1;
        through = first - 1;
    }
    if (through > 0) {
        pd_bytes_t bytes;

        token->run_id = row->run_id;
        token->next_event_id = through;
        bytes = pd_pb_pack_arena(token, decision->arena);
        response->next_page_token.data = (uint8_t *)bytes.data;
        response->next_page_token.len = bytes.size;
    }
    return pdi_read_respond(decision, response, &history);
}

const pd_command_kind_t pd_command_get_history_reverse = {
    .name = "GET_HISTORY_REVERSE",
    .decide = decide,
};
