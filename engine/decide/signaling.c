#include "engine/decide/signaling.h"

#include "engine/limits.h"

bool pd_signal_is_known(const pd_draft_t *draft, const char *request_id)
{
    return !pd_pb_empty(request_id) && pd_execution_has_signal_request(draft->exec, request_id);
}

static size_t packed_size(const void *message)
{
    return message ? protobuf_c_message_get_packed_size(message) : 0;
}

const pd_rpc_error_t *pd_signal_check_limits(pd_decision_t *decision, const pd_draft_t *draft,
                                             const pd_signal_t *signal)
{
    if (packed_size(signal->attributes.input) > PD_BLOB_SIZE_MAX ||
        packed_size(signal->attributes.header) > PD_BLOB_SIZE_MAX)
        return pd_rpc_invalid_argument(decision->arena, "Blob data size exceeds limit.");
    if (draft && draft->signal_count >= PD_SIGNAL_COUNT_MAX)
        return pd_rpc_invalid_argument(decision->arena,
                                       "exceeded workflow execution limit for signal events");
    return NULL;
}

const pd_rpc_error_t *pd_signal_check(pd_decision_t *decision, const pd_draft_t *draft,
                                      const pd_signal_t *signal)
{
    const pd_rpc_error_t *error = pd_signal_check_limits(decision, draft, signal);

    if (!error && draft && draft->exec->row->close_attempted && draft->task.started)
        error = pd_rpc_busy_workflow(
            decision->arena, "workflow operation can not be applied because workflow is closing");
    return error;
}

void pd_signal_add(pd_draft_t *draft, const pd_signal_t *signal)
{
    pd_history_event_t *event =
        pd_draft_outside_event(draft, PD_EVENT(WORKFLOW_EXECUTION_SIGNALED));

    *event->workflow_execution_signaled_event_attributes = signal->attributes;
    event->links = signal->links;
    event->n_links = signal->n_links;
    draft->signal_count++;
}
