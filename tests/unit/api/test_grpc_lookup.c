/* test_grpc_lookup.c -- the client and host names: a name server that is silent, or knows nothing,
 * holds up nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <semaphore.h>

#include "base/memory.h"
#include "tests/unit/api/grpc_world.h"

static sem_t allowed; /* so many lookups may come to their end */

static int look_up_when_allowed(const char *host, const char *port, const struct addrinfo *hints,
                                struct addrinfo **found)
{
    while (sem_wait(&allowed) != 0)
        ;
    if (strcmp(host, "server.test") != 0)
        return EAI_NONAME;
    return getaddrinfo("127.0.0.1", port, hints, found);
}

static void start_client(world_t *world, const char *host, int64_t timeout_ns)
{
    pd_grpc_client_options_t options;

    pd_grpc_client_options_init(&options);
    options.look_up = look_up_when_allowed;
    options.connect_timeout_ns = timeout_ns;
    snprintf(world->address, sizeof(world->address), "%s:%u", host, world->port);
    world_start_client(world, &options);
}

static int setup(void **state)
{
    sem_init(&allowed, 0, 0);
    return world_setup(state);
}

static void the_systems_own_lookup_is_used(void **state)
{
    world_t *world = *state;

    snprintf(world->address, sizeof(world->address), "localhost:%u", world->port);
    world_start_client(world, NULL);
    world_echo(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
}

static void the_loop_goes_on_meanwhile(void **state)
{
    world_t *world = *state;
    pd_grpc_client_t *slow;

    start_client(world, "server.test", 60000 * MS_NS);
    world_call(world, "/t.T/Echo", "x", 1, 0, false);
    slow = world->client;
    snprintf(world->address, sizeof(world->address), "127.0.0.1:%u", world->port);
    world_start_client(world, NULL);
    world_call(world, "/t.T/Wait", NULL, 0, 0, false);
    world->stop_waiting_at = 1;
    world_run(world);
    assert_int_equal(world->waiting_count, 1);
    assert_int_equal(pd_grpc_client_open_count(slow), 1);
    sem_post(&allowed);
    pd_grpc_call_respond(world->waiting[0], NULL, 0);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 2);
    pd_grpc_client_free(slow);
}

static void a_silent_name_server_is_given_up(void **state)
{
    world_t *world = *state;

    start_client(world, "server.test", 20 * MS_NS);
    world_echo(world);
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 1);
    assert_string_equal(world->message, "cannot look up server.test: Connection timed out");
    for (int i = 0; i < 1000; i++) /* the one that was given up takes one, too */
        sem_post(&allowed);
    world_call(world, "/t.T/Echo", "x", 1, 0, true);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
}

static void an_unknown_name_is_told(void **state)
{
    world_t *world = *state;

    sem_post(&allowed);
    start_client(world, "nobody.test", 60000 * MS_NS);
    world_echo(world);
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 1);
    assert_string_equal(world->message, "cannot look up nobody.test: Name or service not known");
}

static void a_client_may_go_meanwhile(void **state)
{
    world_t *world = *state;

    start_client(world, "server.test", 60000 * MS_NS);
    world_call(world, "/t.T/Echo", "x", 1, 10 * MS_NS, false);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_DEADLINE_EXCEEDED], 1);
    pd_grpc_client_free(world->client);
    world->client = NULL;
    sem_post(&allowed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_systems_own_lookup_is_used),   TEST(the_loop_goes_on_meanwhile),
        TEST(a_silent_name_server_is_given_up), TEST(an_unknown_name_is_told),
        TEST(a_client_may_go_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
