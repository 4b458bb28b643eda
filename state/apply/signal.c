/* signal.c -- signals and the request to cancel. */
#include "state/apply/apply.h"

PDI_HISTORY_APPLIER(signaled)
{
    const char *request_id = event->workflow_execution_signaled_event_attributes->request_id;

    /* SignalWithStart: the request made both events, and the signal is the later one. */
    if (event->event_id == 2 && !pd_pb_empty(request_id) &&
        strcmp(pd_pb_str(apply->row->create_request_id), request_id) == 0)
        apply->row->create_request_event_id = event->event_id;

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
