/* test_grpc_lookup.c -- the client and host names: a name server that is silent, or knows nothing,
 * holds up nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <netdb.h>
#include <semaphore.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/unit/api/grpc_world.h"

/* Each test has names of its own: a lookup that it has left behind disturbs no other. */
typedef struct name {
    const char *host;
    int result;   /* of getaddrinfo */
    sem_t opened; /* lookups of it wait until then */
} name_t;

static name_t slow = {.host = "slow.test"};
static name_t silent = {.host = "silent.test"};
static name_t unknown = {.host = "unknown.test", .result = EAI_NONAME};
static name_t deserted = {.host = "deserted.test"};
static name_t *const names[] = {&slow, &silent, &unknown, &deserted};

/* For all lookups from now on. */
static void open_name(name_t *name)
{
    sem_post(&name->opened);
}

static name_t *name_of(const char *host)
{
    for (size_t i = 0; i < PD_ARRAY_COUNT(names); i++) {
        if (strcmp(names[i]->host, host) == 0)
            return names[i];
    }
    PD_ASSERT(!"one of the names");
    return NULL;
}

static int look_up_once_opened(const char *host, const char *port, const struct addrinfo *hints,
                               struct addrinfo **found)
{
    name_t *name = name_of(host);

    while (sem_wait(&name->opened) != 0)
        ;
    sem_post(&name->opened);
    return name->result ? name->result : getaddrinfo("127.0.0.1", port, hints, found);
}

static void start_client(world_t *world, const name_t *name, int64_t timeout_ns)
{
    pd_grpc_client_options_t options;

    pd_grpc_client_options_init(&options);
    options.look_up = look_up_once_opened;
    options.connect_timeout_ns = timeout_ns;
    snprintf(world->address, sizeof(world->address), "%s:%u", name->host, world->port);
    world_start_client(world, &options);
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
    pd_grpc_client_t *waiting;

    start_client(world, &slow, 60000 * MS_NS);
    world_call(world, "/t.T/Echo", "x", 1, 0, false);
    waiting = world->client;
    snprintf(world->address, sizeof(world->address), "127.0.0.1:%u", world->port);
    world_start_client(world, NULL);
    world_call(world, "/t.T/Wait", NULL, 0, 0, false);
    world->stop_waiting_at = 1;
    world_run(world);
    assert_int_equal(world->waiting_count, 1);
    assert_int_equal(pd_grpc_client_open_count(waiting), 1);
    open_name(&slow);
    pd_grpc_call_respond(world->waiting[0], NULL, 0);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 2);
    pd_grpc_client_free(waiting);
}

static void a_silent_name_server_is_given_up(void **state)
{
    world_t *world = *state;

    start_client(world, &silent, 20 * MS_NS);
    world_echo(world);
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 1);
    assert_string_equal(world->message, "cannot look up silent.test: Connection timed out");
    open_name(&silent);
    world_call(world, "/t.T/Echo", "x", 1, 0, true);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_OK], 1);
}

static void an_unknown_name_is_told(void **state)
{
    world_t *world = *state;

    open_name(&unknown);
    start_client(world, &unknown, 60000 * MS_NS);
    world_echo(world);
    assert_int_equal(world->code_counts[PD_GRPC_UNAVAILABLE], 1);
    assert_string_equal(world->message, "cannot look up unknown.test: Name or service not known");
}

static void a_client_may_go_meanwhile(void **state)
{
    world_t *world = *state;

    start_client(world, &deserted, 60000 * MS_NS);
    world_call(world, "/t.T/Echo", "x", 1, 10 * MS_NS, false);
    world_run(world);
    assert_int_equal(world->code_counts[PD_GRPC_DEADLINE_EXCEEDED], 1);
    pd_grpc_client_free(world->client);
    world->client = NULL;
    open_name(&deserted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_systems_own_lookup_is_used),   TEST(the_loop_goes_on_meanwhile),
        TEST(a_silent_name_server_is_given_up), TEST(an_unknown_name_is_told),
        TEST(a_client_may_go_meanwhile),
    };

    for (size_t i = 0; i < PD_ARRAY_COUNT(names); i++)
        sem_init(&names[i]->opened, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
