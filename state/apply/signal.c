/* signal.c -- signals and the request to cancel. */
#include "state/apply/apply.h"

PDI_HISTORY_APPLIER(signaled)
{
    const char *request_id = event->workflow_execution_signaled_event_attributes->request_id;

    if (apply->signals_in_effect) {
        apply->signals_in_effect--; /* it counted when it was buffered */
        return PD_OK;
    }
    apply->row->signal_count++;
    if (!pd_pb_empty(request_id))
        pdi_signal_request_add(apply->run, request_id);
    return PD_OK;
}

PDI_HISTORY_APPLIER(cancel_requested)
{
    apply->row->cancel_requested = true;
    return PD_OK;
}
