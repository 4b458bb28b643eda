/* GetWorkflowExecutionHistory: pages of events, as they were stored, never decoded.
 *
 * A page token names the event to go on with. Without an end (through_event_id 0) it follows the
 * run: with wait_new_event the last page has a token too, and the read that comes with it waits for
 * more. With an end it belongs to a workflow task whose history did not fit into the poll's answer.
 *
 * A transient workflow task is in no history, yet readers see its events behind the last one; the
 * command line and the web page do not want them. */
#include "api/pb/time.h"
#include "engine/limits.h"
#include "engine/partition/partition_private.h"
#include "engine/partition/read_private.h"

#define FILTER(NAME)                                                                               \
    TEMPORAL__API__ENUMS__V1__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_##NAME

typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryRequest request_t;
typedef Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryResponse response_t;

enum { FIELD_HISTORY = 1 }; /* of both history responses */

const pd_rpc_error_t *pdi_read_respond(pd_decision_t *decision, const void *response,
                                       pd_buf_t *history)
{
    decision->response_data =
        pdi_splice(decision->arena, pd_pb_pack_arena(response, decision->arena), FIELD_HISTORY,
                   pd_buf_bytes(history));
    pd_buf_deinit(history);
    return NULL;
}

const pd_rpc_error_t *pdi_read_failed(pd_decision_t *decision, pd_buf_t *history,
                                      const pd_error_t *error)
{
    pd_buf_deinit(history);
    return pd_rpc_unavailable(decision->arena, "%s", error->text);
}

static void set_token(pd_decision_t *decision, response_t *response,
                      const Perdure__V1__HistoryPageToken *token)
{
    pd_bytes_t bytes = pd_pb_pack_arena(token, decision->arena);

    response->next_page_token.data = (uint8_t *)bytes.data;
    response->next_page_token.len = bytes.size;
}

/* ---- waiting ---- */

/* Parks the command until the run changes. False: waited long enough, answer with what there is.
 * The end of the wait is set once, however often the run changes meanwhile. */
static bool wait_more(pd_decision_t *decision, pd_command_t *command)
{
    int64_t *until_ns = command->user;

    if (!until_ns) {
        until_ns = PD_ARENA_NEW(command->arena, int64_t);
        *until_ns = pd_ns_add(decision->now_ns, PD_HISTORY_WAIT_NS);
        if (command->call->deadline_ns != INT64_MAX &&
            command->call->deadline_ns - PD_POLL_MARGIN_NS < *until_ns)
            *until_ns = command->call->deadline_ns - PD_POLL_MARGIN_NS;
        command->user = until_ns;
    }
    if (decision->wait_expired || *until_ns <= decision->now_ns)
        return false;
    decision->wait_for_change = true;
    decision->wait_until_ns = *until_ns;
    return true;
}

/* ---- the close event alone ---- */

static const pd_rpc_error_t *read_close_event(pd_decision_t *decision, pd_command_t *command,
                                              const Perdure__V1__HistoryPageToken *token,
                                              response_t *response, pd_buf_t *history)
{
    const request_t *request = command->request;
    const Perdure__V1__ExecutionRow *row = decision->exec->row;
    bool running = pd_execution_is_running(decision->exec);
    int64_t next_event_id;
    pd_error_t error;

    if (!running) {
        if (pd_store_history_read(decision->store, decision->exec, row->next_event_id - 1, 1,
                                  PDI_READ_PAGE_SIZE, history, &next_event_id, &error) != PD_OK)
            return pdi_read_failed(decision, history, &error);
        if (!command->call->follows_next_run_id && pdi_read_follow(decision, history) != PD_OK) {
            pd_buf_deinit(history);
            return pd_rpc_unavailable(decision->arena, "close event is too large");
        }
    } else if (request->wait_new_event) {
        Perdure__V1__HistoryPageToken next = *token;

        if (wait_more(decision, command)) {
            pd_buf_deinit(history);
            return NULL;
        }
        next.run_id = row->run_id;
        next.is_running = true;
        if (next.next_event_id == 0)
            next.next_event_id = 1;
        set_token(decision, response, &next);
    }
    return pdi_read_respond(decision, response, history);
}

/* ---- all events ---- */

static bool wants_transient(const pd_command_t *command)
{
    const char *client = command->call ? command->call->client_name : "";

    return strcmp(client, "temporal-cli") != 0 && strcmp(client, "temporal-ui") != 0;
}

/* The transient task that this page, which reaches the end of the history, should show; else NULL.
 */
static const Perdure__V1__WorkflowTaskRow *transient_of(const pd_decision_t *decision,
                                                        const pd_command_t *command,
                                                        const Perdure__V1__HistoryPageToken *token)
{
    const Perdure__V1__WorkflowTaskRow *task = decision->exec->row->workflow_task;

    if (!task || !task->transient || !pd_execution_is_running(decision->exec))
        return NULL;
    if (token->through_event_id > 0)
        return token->transient_scheduled_event_id == task->scheduled_event_id ? task : NULL;
    /* Something was written in its place: it becomes a real task when it is started. */
    if (task->scheduled_event_id != decision->exec->row->next_event_id)
        return NULL;
    return wants_transient(command) ? task : NULL;
}

/* Of the page that begins at token->next_event_id: how many events are there to be read? */
static int64_t event_count(const pd_decision_t *decision,
                           const Perdure__V1__HistoryPageToken *token)
{
    int64_t end = decision->exec->row->next_event_id;

    /* Tokens come from outside: no sum of what they say may overflow. */
    if (token->through_event_id > 0 && token->through_event_id < end - 1)
        end = token->through_event_id + 1;
    return end > token->next_event_id ? end - token->next_event_id : 0;
}

static const pd_rpc_error_t *read_events(pd_decision_t *decision, pd_command_t *command,
                                         const Perdure__V1__HistoryPageToken *token,
                                         response_t *response, pd_buf_t *history)
{
    const request_t *request = command->request;
    const Perdure__V1__ExecutionRow *row = decision->exec->row;
    bool follows = request->wait_new_event && token->through_event_id == 0 &&
                   pd_execution_is_running(decision->exec);
    Perdure__V1__HistoryPageToken next = *token;
    int64_t count = event_count(decision, token);
    int64_t left = count;
    const Perdure__V1__WorkflowTaskRow *transient = transient_of(decision, command, token);
    pd_error_t error;

    if (count == 0 && follows && wait_more(decision, command)) {
        pd_buf_deinit(history);
        return NULL;
    }
    if (count > 0) {
        int64_t limit = request->maximum_page_size < count ? request->maximum_page_size : count;

        if (pd_store_history_read(decision->store, decision->exec, token->next_event_id, limit,
                                  PDI_READ_PAGE_SIZE, history, &next.next_event_id,
                                  &error) != PD_OK)
            return pdi_read_failed(decision, history, &error);
        left = count - (next.next_event_id - token->next_event_id);
    }
    if (left == 0 && transient && (count > 0 || token->through_event_id > 0) &&
        pdi_read_transient(decision->arena, row, transient, history) != PD_OK) {
        pd_buf_deinit(history);
        return pd_rpc_unavailable(decision->arena, "history page is too large");
    }
    if (left > 0 || follows) {
        next.run_id = row->run_id;
        next.is_running = pd_execution_is_running(decision->exec);
        set_token(decision, response, &next);
    }
    return pdi_read_respond(decision, response, history);
}

static const pd_rpc_error_t *decide(pd_decision_t *decision, pd_command_t *command)
{
    const request_t *request = command->request;
    response_t *response =
        PD_PB_NEW(decision->arena, response_t,
                  temporal__api__workflowservice__v1__get_workflow_execution_history_response);
    Perdure__V1__HistoryPageToken *token =
        pdi_read_token(decision->arena, &request->next_page_token);
    pd_buf_t history;

    if (!token || token->next_event_id < 0 || token->through_event_id < 0)
        return pd_rpc_invalid_argument(decision->arena, "Invalid NextPageToken.");
    if (token->next_event_id == 0)
        token->next_event_id = 1;
    pd_buf_init(&history, PDI_READ_SIZE_LIMIT);
    if (request->history_event_filter_type == FILTER(CLOSE_EVENT) && token->through_event_id == 0)
        return read_close_event(decision, command, token, response, &history);
    return read_events(decision, command, token, response, &history);
}

const pd_command_kind_t pd_command_get_history = {
    .name = "GET_HISTORY",
    .decide = decide,
};
