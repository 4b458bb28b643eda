/* Every RPC of every service is reachable, built or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <grpc/health/v1/health.pb-c.h>
#include <perdure/v1/internal.pb-c.h>
#include <stdio.h>
#include <string.h>
#include <temporal/api/operatorservice/v1/service.pb-c.h>
#include <temporal/api/workflowservice/v1/service.pb-c.h>

#include "engine/frontend/methods.h"
#include "tests/unit/frontend/rig.h"

static const ProtobufCServiceDescriptor *const services[] = {
    &temporal__api__workflowservice__v1__workflow_service__descriptor,
    &temporal__api__operatorservice__v1__operator_service__descriptor,
    &grpc__health__v1__health__descriptor,
    &perdure__v1__internal__descriptor,
};

static void test_every_rpc_is_in_the_table(void **state)
{
    pd_methods_t *methods = pd_methods_new();
    size_t count = 0;
    pd_arena_t arena;

    pd_arena_init(&arena);
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        for (unsigned k = 0; k < services[i]->n_methods; k++, count++) {
            const pd_rpc_error_t *error = NULL;
            const pd_method_t *method;
            char path[256];

            snprintf(path, sizeof path, "/%s/%s", services[i]->name, services[i]->methods[k].name);
            method = pd_methods_find(methods, path, &arena, &error);
            assert_non_null(method);
            assert_string_equal(method->name, services[i]->methods[k].name);
            assert_ptr_equal(method->request, services[i]->methods[k].input);
        }
    }
    assert_int_equal(count, pd_methods_count(methods));
    assert_int_equal(temporal__api__workflowservice__v1__workflow_service__descriptor.n_methods,
                     123);
    assert_int_equal(temporal__api__operatorservice__v1__operator_service__descriptor.n_methods,
                     12);
    pd_arena_deinit(&arena);
    pd_methods_free(methods);
}

/* Empty requests: each gets an answer of some kind; what is not built says so by name. */
static void test_every_rpc_answers(void **state)
{
    pd_methods_t *methods = pd_methods_new();
    rig_t rig;

    rig_init(&rig);
    for (size_t i = 0; i < pd_methods_count(methods); i++) {
        const pd_method_t *method = pd_methods_at(methods, i);
        char expected[128];
        char path[256];

        snprintf(path, sizeof path, "/%s/%s", method->service, method->name);
        rig_call_bytes(&rig, path, pd_bytes(NULL, 0));
        if (!method->handle) {
            snprintf(expected, sizeof expected, "%s is not implemented", method->name);
            assert_string_equal(rig_error(&rig), expected);
            assert_int_equal(rig_code(&rig), PD_RPC_UNIMPLEMENTED);
        } else {
            assert_int_not_equal(rig_code(&rig), PD_RPC_UNIMPLEMENTED);
        }
    }
    rig_deinit(&rig);
    pd_methods_free(methods);
}

static void test_unknown_paths(void **state)
{
    static const char *const cases[][2] = {
        {"/temporal.api.workflowservice.v1.WorkflowService/Foo",
         "unknown method Foo for service temporal.api.workflowservice.v1.WorkflowService"},
        {"/foo.Bar/Foo", "unknown service foo.Bar"},
        {"/temporal.api.workflowservice.v1.WorkflowServiceX/GetSystemInfo",
         "unknown service temporal.api.workflowservice.v1.WorkflowServiceX"},
        {"/", "malformed method name: \"/\""},
        {"", "malformed method name: \"\""},
        {"/foo", "malformed method name: \"/foo\""},
        {"//", "unknown service "},
    };
    rig_t rig;

    rig_init(&rig);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_call_bytes(&rig, cases[i][0], pd_bytes(NULL, 0));
        assert_string_equal(rig_error(&rig), cases[i][1]);
        assert_int_equal(rig_code(&rig), PD_RPC_UNIMPLEMENTED);
    }
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rpc_is_in_the_table),
        cmocka_unit_test(test_every_rpc_answers),
        cmocka_unit_test(test_unknown_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
