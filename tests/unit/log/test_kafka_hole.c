/* test_kafka_hole.c -- what a broker says of another place than the one that was asked for is not
 * believed at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "log/kafka/hole.h"
#include "log/log.h"

enum { TIMES = PDI_KAFKA_HOLE_BELIEVED_COUNT };

static void the_right_place(void **state)
{
    pdi_kafka_hole_t hole = {0};

    for (int64_t offset = 0; offset < 100; offset++)
        assert_false(pdi_kafka_hole_doubt(&hole, offset, offset));
    assert_false(pdi_kafka_hole_doubt(&hole, 100, 40)); /* a leader that is behind: others judge */
    assert_false(pdi_kafka_hole_doubt(&hole, PD_LOG_FIRST, 40));
    assert_false(pdi_kafka_hole_doubt(&hole, PD_LOG_END, 40));
}

/* A control record of a stranger's transaction: nothing else ever comes there. */
static void a_real_hole(void **state)
{
    pdi_kafka_hole_t hole = {0};

    for (int round = 0; round < 2; round++) {
        for (int i = 1; i < TIMES; i++)
            assert_true(pdi_kafka_hole_doubt(&hole, 100 + round, 102));
        assert_false(pdi_kafka_hole_doubt(&hole, 100 + round, 102));
    }
}

/* Said once of a place before a seek; then the records come. */
static void an_old_answer(void **state)
{
    pdi_kafka_hole_t hole = {0};

    for (int64_t offset = 0; offset < 10 * TIMES; offset++) {
        assert_true(pdi_kafka_hole_doubt(&hole, offset, 500));
        assert_false(pdi_kafka_hole_doubt(&hole, offset, offset));
    }
}

/* Ends that change while the records before them do not come are of a leader that knows more than
 * it gives, or of several. */
static void answers_that_differ(void **state)
{
    pdi_kafka_hole_t hole = {0};

    for (int i = 0; i < 10 * TIMES; i++)
        assert_true(pdi_kafka_hole_doubt(&hole, 100, 200 + i % 2));
}

/* Doubts about one place say nothing of another. */
static void another_place(void **state)
{
    pdi_kafka_hole_t hole = {0};

    for (int i = 1; i < TIMES; i++)
        assert_true(pdi_kafka_hole_doubt(&hole, 100, 200));
    assert_true(pdi_kafka_hole_doubt(&hole, 101, 200));
    for (int i = 2; i < TIMES; i++)
        assert_true(pdi_kafka_hole_doubt(&hole, 101, 200));
    assert_false(pdi_kafka_hole_doubt(&hole, 101, 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_place), cmocka_unit_test(a_real_hole),
        cmocka_unit_test(an_old_answer),   cmocka_unit_test(answers_that_differ),
        cmocka_unit_test(another_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
