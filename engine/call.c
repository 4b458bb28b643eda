#include "engine/call.h"

#include "base/assert.h"
#include "base/memory.h"

static void count(pd_call_t *call)
{
    unsigned code = call->error ? (unsigned)call->error->code : 0;

    pd_gauge_add(&call->metrics->open_count, -1);
    pd_counter_add(&call->metrics->calls[code < PD_RPC_CODE_COUNT ? code : PD_RPC_UNKNOWN], 1);
    pd_histogram_observe(&call->metrics->latency, pd_loop_now_ns(call->home) - call->began_ns);
}

static void finish(pd_call_t *call)
{
    if (call->metrics)
        count(call);
    call->finish(call);
}

static void run_finish(pd_mail_t *mail)
{
    pd_call_t *call = PD_CONTAINER_OF(mail, pd_call_t, mail);

    if (call->not_taken && call->again && !atomic_load(&call->canceled))
        call->again(call);
    else if (call->hold_count)
        call->finish_due = true;
    else
        finish(call);
}

void pd_call_hold(pd_call_t *call)
{
    PD_ASSERT_LOOP(call->home);
    call->hold_count++;
}

void pd_call_unhold(pd_call_t *call)
{
    PD_ASSERT_LOOP(call->home);
    PD_ASSERT(call->hold_count > 0);
    if (--call->hold_count == 0 && call->finish_due)
        finish(call);
}

static void send_home(pd_call_t *call)
{
    PD_ASSERT(!call->parked_in);
    call->mail.run = run_finish;
    pd_loop_post(call->home, &call->mail);
}

void pd_call_respond(pd_call_t *call, const void *response)
{
    size_t size = protobuf_c_message_get_packed_size(response);
    uint8_t *data = pd_alloc(size);

    PD_ASSERT(protobuf_c_message_pack(response, data) == size);
    pd_call_respond_data(call, data, size);
}

void pd_call_respond_data(pd_call_t *call, uint8_t *data, size_t size)
{
    PD_ASSERT(!call->error && !call->data);
    call->data = data;
    call->size = size;
    send_home(call);
}

void pd_call_fail(pd_call_t *call, const pd_rpc_error_t *error)
{
    PD_ASSERT(!call->error && !call->data);
    call->error = error;
    send_home(call);
}

void pd_call_fail_not_taken(pd_call_t *call, const pd_rpc_error_t *error)
{
    call->not_taken = true;
    pd_call_fail(call, error);
}
