/* What other nodes ask is checked like anything from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <perdure/v1/internal.pb-c.h>

#include "tests/unit/frontend/rig.h"

static void call(rig_t *rig, const char *path, const void *message)
{
    uint8_t data[1000];
    size_t size = protobuf_c_message_get_packed_size(message);

    assert_true(size <= sizeof(data));
    protobuf_c_message_pack(message, data);
    rig_call_bytes(rig, path, pd_bytes(data, size));
}

static Perdure__V1__TaskOffer sound_offer(void)
{
    Perdure__V1__TaskOffer offer = PERDURE__V1__TASK_OFFER__INIT;

    offer.partition = RIG_PARTITION_COUNT - 1;
    offer.namespace_id = (char *)RIG_NAMESPACE_ID;
    offer.workflow_id = (char *)"w";
    offer.run_id = (char *)RIG_RUN_ID;
    offer.task_queue = offer.normal_task_queue = (char *)"q";
    return offer;
}

static void offers_are_checked(void **state)
{
    static const char path[] = "/perdure.v1.Internal/OfferTasks";
    Perdure__V1__OfferTasksRequest request = PERDURE__V1__OFFER_TASKS_REQUEST__INIT;
    Perdure__V1__TaskOffer offer = sound_offer(), *offers[] = {&offer};
    rig_t rig;

    rig_init(&rig);
    request.n_offers = 1;
    request.offers = offers;
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_INVALID_ARGUMENT); /* from nobody */
    request.node = (char *)"b";
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_OK);
    offer.partition = RIG_PARTITION_COUNT;
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_INVALID_ARGUMENT);
    offer = sound_offer();
    offer.normal_task_queue = (char *)"";
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_INVALID_ARGUMENT);
    assert_int_equal(rig.internal_count, 1);
    rig_deinit(&rig);
}

static void starts_are_checked(void **state)
{
    static const char path[] = "/perdure.v1.Internal/StartTask";
    Perdure__V1__StartTaskRequest request = PERDURE__V1__START_TASK_REQUEST__INIT;
    Perdure__V1__TaskOffer task = sound_offer();
    rig_t rig;

    rig_init(&rig);
    request.task_queue = (char *)"q";
    request.request_id = (char *)"r";
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_INVALID_ARGUMENT); /* no task */
    request.task = &task;
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_OK);
    task.partition = UINT32_MAX;
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_INVALID_ARGUMENT);
    task = sound_offer();
    task.namespace_id = (char *)"unknown";
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_NOT_FOUND);
    task = sound_offer();
    request.request_id = (char *)"";
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_INVALID_ARGUMENT);
    assert_int_equal(rig.internal_count, 1);
    rig_deinit(&rig);
}

static void who_asks_for_a_view_says_who_it_is(void **state)
{
    static const char path[] = "/perdure.v1.Internal/GetView";
    Perdure__V1__GetViewRequest request = PERDURE__V1__GET_VIEW_REQUEST__INIT;
    rig_t rig;

    rig_init(&rig);
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_INVALID_ARGUMENT);
    request.node = (char *)"b";
    call(&rig, path, &request);
    assert_int_equal(rig_code(&rig), PD_RPC_OK);
    assert_int_equal(rig.internal_count, 1);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_are_checked),
        cmocka_unit_test(starts_are_checked),
        cmocka_unit_test(who_asks_for_a_view_says_who_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
