/* external.c -- signals and cancel requests to other workflows, until they are answered. */
#include "state/apply/apply.h"

#include "base/memory.h"

#define ATTRIBUTES(NAME)                                                                           \
    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##NAME##_EVENT_ATTRIBUTES

static pd_status_t not_pending(pdi_apply_t *apply, int64_t initiated_event_id)
{
    return pdi_apply_corrupt(apply, "external request %lld is not pending",
                             (long long)initiated_event_id);
}

static pdi_external_t *new_external(const pd_history_event_t *event)
{
    pdi_external_t *external = pd_alloc(sizeof(*external));

    perdure__v1__external_row__init(external);
    external->initiated_event_id = event->event_id;
    return external;
}

PDI_HISTORY_APPLIER(external_signal_initiated)
{
    pdi_array_append(&apply->row->external_signals, &apply->row->n_external_signals,
                     new_external(event));
    return PD_OK;
}

PDI_HISTORY_APPLIER(external_cancel_initiated)
{
    pdi_array_append(&apply->row->external_cancels, &apply->row->n_external_cancels,
                     new_external(event));
    return PD_OK;
}

/* The list that the answer is about, and which one of it. NULL: it is no answer. */
static pdi_external_t ***answered(pdi_row_t *row, const pd_history_event_t *event, size_t **count,
                                  int64_t *initiated_event_id)
{
    bool is_signal = false;

    switch ((int)event->attributes_case) {
    case ATTRIBUTES(EXTERNAL_WORKFLOW_EXECUTION_SIGNALED):
        is_signal = true;
        *initiated_event_id =
            event->external_workflow_execution_signaled_event_attributes->initiated_event_id;
        break;
    case ATTRIBUTES(SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED):
        is_signal = true;
        *initiated_event_id =
            event->signal_external_workflow_execution_failed_event_attributes->initiated_event_id;
        break;
    case ATTRIBUTES(EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED):
        *initiated_event_id = event->external_workflow_execution_cancel_requested_event_attributes
                                  ->initiated_event_id;
        break;
    case ATTRIBUTES(REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED):
        *initiated_event_id =
            event->request_cancel_external_workflow_execution_failed_event_attributes
                ->initiated_event_id;
        break;
    default:
        return NULL;
    }
    *count = is_signal ? &row->n_external_signals : &row->n_external_cancels;
    return is_signal ? &row->external_signals : &row->external_cancels;
}

PDI_HISTORY_APPLIER(external_answered)
{
    int64_t initiated_event_id = 0;
    size_t *count = NULL, index;
    pdi_external_t ***list = answered(apply->row, event, &count, &initiated_event_id);
    pdi_external_t *external =
        list ? pdi_external(*list, *count, initiated_event_id, &index) : NULL;

    if (!external)
        return not_pending(apply, initiated_event_id);
    pdi_array_remove(list, count, index);
    pdi_message_free(external);
    return PD_OK;
}

pd_status_t pdi_apply_external_buffered(pdi_apply_t *apply, const pd_history_event_t *event)
{
    int64_t initiated_event_id = 0;
    size_t *count = NULL;
    pdi_external_t ***list = answered(apply->row, event, &count, &initiated_event_id);
    pdi_external_t *external;

    if (!list)
        return PD_OK;
    external = pdi_external(*list, *count, initiated_event_id, NULL);
    if (!external || external->answer_buffered)
        return not_pending(apply, initiated_event_id);
    external->answer_buffered = true;
    return PD_OK;
}
