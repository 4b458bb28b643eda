/* Metrics: what is told of cells, alone and together, while others write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/metrics.h"

enum { CALLS, DEPTH, LATENCY, RARE, COUNT };

static const pd_metric_t table[COUNT] = {
    [CALLS] = {"calls_total", PD_METRIC_COUNTER, {"method", "code"}, .help = "Calls."},
    [DEPTH] = {"depth", PD_METRIC_GAUGE, .help = "Depth."},
    [LATENCY] = {"latency_seconds",
                 PD_METRIC_HISTOGRAM,
                 {"kind"},
                 .first_exponent = 2,
                 .bucket_count = 3,
                 .help = "Latency."},
    [RARE] = {"rare_total", PD_METRIC_COUNTER, {"why"}, .sparse = true, .help = "Rare."},
};

/* The text, NUL-terminated; lent until the next call. */
static const char *written(pd_metrics_t *metrics)
{
    static char text[16384];
    pd_buf_t out;

    pd_buf_init(&out, sizeof(text) - 1);
    assert_int_equal(pd_metrics_write(metrics, &out), PD_OK);
    if (out.size)
        memcpy(text, out.data, out.size);
    text[out.size] = '\0';
    pd_buf_deinit(&out);
    return text;
}

static void what_is_not_registered_is_not_told(void **state)
{
    pd_metrics_t *metrics = pd_metrics_new(table, COUNT);

    (void)state;
    assert_string_equal(written(metrics), "");
    pd_metrics_free(metrics);
}

static void cells_of_one_name_and_labels_are_a_sum(void **state)
{
    pd_metrics_t *metrics = pd_metrics_new(table, COUNT);
    pd_counter_t a = {0}, b = {0}, c = {0};
    pd_gauge_t d = {0}, e = {0};

    (void)state;
    pd_metrics_add_counter(metrics, CALLS, &a, "Get", "OK");
    pd_metrics_add_counter(metrics, CALLS, &b, "Get", "OK");
    pd_metrics_add_counter(metrics, CALLS, &c, "Get", "NOT_FOUND");
    pd_metrics_add_gauge(metrics, DEPTH, &d, NULL, NULL);
    pd_metrics_add_gauge(metrics, DEPTH, &e, NULL, NULL);
    pd_counter_add(&a, 3);
    pd_counter_add(&b, 4);
    pd_gauge_set(&d, 2);
    pd_gauge_add(&e, -5);
    assert_string_equal(written(metrics), "# HELP calls_total Calls.\n"
                                          "# TYPE calls_total counter\n"
                                          "calls_total{method=\"Get\",code=\"OK\"} 7\n"
                                          "calls_total{method=\"Get\",code=\"NOT_FOUND\"} 0\n"
                                          "# HELP depth Depth.\n"
                                          "# TYPE depth gauge\n"
                                          "depth -3\n");
    pd_metrics_free(metrics);
}

static void a_duration_falls_into_the_bucket_that_bounds_it(void **state)
{
    static const int64_t durations_ns[] = {-1,   0,     4000,  4001,         8000,
                                           8001, 16000, 16001, INT64_MAX / 4};
    pd_metrics_t *metrics = pd_metrics_new(table, COUNT);
    pd_histogram_t cell = {0}, other = {0};

    (void)state;
    pd_metrics_add_histogram(metrics, LATENCY, &cell, "x", NULL);
    pd_metrics_add_histogram(metrics, LATENCY, &other, "x", NULL);
    for (size_t i = 0; i + 1 < PD_ARRAY_COUNT(durations_ns); i++)
        pd_histogram_observe(&cell, durations_ns[i]);
    pd_histogram_observe(&other, 3000000000);
    assert_string_equal(written(metrics), "# HELP latency_seconds Latency.\n"
                                          "# TYPE latency_seconds histogram\n"
                                          "latency_seconds_bucket{kind=\"x\",le=\"0.000004\"} 3\n"
                                          "latency_seconds_bucket{kind=\"x\",le=\"0.000008\"} 5\n"
                                          "latency_seconds_bucket{kind=\"x\",le=\"0.000016\"} 7\n"
                                          "latency_seconds_bucket{kind=\"x\",le=\"+Inf\"} 9\n"
                                          "latency_seconds_sum{kind=\"x\"} 3.000056003\n"
                                          "latency_seconds_count{kind=\"x\"} 9\n");
    pd_histogram_observe(&other, durations_ns[8]); /* no overflow on the way to the last bucket */
    assert_non_null(strstr(written(metrics), "le=\"+Inf\"} 10\n"));
    pd_metrics_free(metrics);
}

static void an_unregistered_histogram_takes_anything(void **state)
{
    pd_histogram_t cell = {0};

    (void)state;
    pd_histogram_observe(&cell, 1);
    pd_histogram_observe(&cell, INT64_MAX);
    assert_int_equal(atomic_load(&cell.counts[0]), 2);
}

static void sparse_series_come_with_their_first_count(void **state)
{
    pd_metrics_t *metrics = pd_metrics_new(table, COUNT);
    pd_counter_t a = {0}, b = {0};

    (void)state;
    pd_metrics_add_counter(metrics, RARE, &a, "a", NULL);
    pd_metrics_add_counter(metrics, RARE, &b, "b", NULL);
    assert_string_equal(written(metrics), "");
    pd_counter_add(&b, 1);
    assert_string_equal(written(metrics), "# HELP rare_total Rare.\n# TYPE rare_total counter\n"
                                          "rare_total{why=\"b\"} 1\n");
    pd_metrics_free(metrics);
}

static void label_values_are_escaped(void **state)
{
    pd_metrics_t *metrics = pd_metrics_new(table, COUNT);
    pd_counter_t cell = {1};

    (void)state;
    pd_metrics_add_counter(metrics, RARE, &cell, "a\"b\\c\nd", NULL);
    assert_non_null(strstr(written(metrics), "rare_total{why=\"a\\\"b\\\\c\\nd\"} 1\n"));
    pd_metrics_free(metrics);
}

static void collect(void *ctx)
{
    pd_gauge_add(ctx, 1);
}

static void collectors_run_before_each_writing(void **state)
{
    pd_metrics_t *metrics = pd_metrics_new(table, COUNT);
    pd_gauge_t cell = {0};

    (void)state;
    pd_metrics_add_gauge(metrics, DEPTH, &cell, NULL, NULL);
    pd_metrics_add_collector(metrics, collect, &cell);
    assert_non_null(strstr(written(metrics), "\ndepth 1\n"));
    assert_non_null(strstr(written(metrics), "\ndepth 2\n"));
    pd_metrics_free(metrics);
}

static void a_full_buffer_is_told(void **state)
{
    pd_metrics_t *metrics = pd_metrics_new(table, COUNT);
    pd_gauge_t cell = {0};
    pd_buf_t out;

    (void)state;
    pd_metrics_add_gauge(metrics, DEPTH, &cell, NULL, NULL);
    pd_buf_init(&out, 20);
    assert_int_equal(pd_metrics_write(metrics, &out), PD_LIMIT);
    pd_buf_deinit(&out);
    pd_metrics_free(metrics);
}

enum { THREAD_COUNT = 4, ADD_COUNT = 200000 };

typedef struct writer {
    pthread_t thread;
    pd_counter_t counter;
    pd_histogram_t histogram;
} writer_t;

static void *write_many(void *ctx)
{
    writer_t *writer = ctx;

    for (int i = 0; i < ADD_COUNT; i++) {
        pd_counter_add(&writer->counter, 1);
        pd_histogram_observe(&writer->histogram, i);
    }
    return NULL;
}

/* The number behind a series; the text has it. */
static unsigned long long number_of(const char *text, const char *series)
{
    const char *at = strstr(text, series);

    assert_non_null(at);
    return strtoull(at + strlen(series), NULL, 10);
}

static void nothing_is_lost_and_nothing_goes_back_under_writers(void **state)
{
    pd_metrics_t *metrics = pd_metrics_new(table, COUNT);
    static writer_t writers[THREAD_COUNT];
    unsigned long long seen = 0, now;

    (void)state;
    for (int i = 0; i < THREAD_COUNT; i++) {
        pd_metrics_add_counter(metrics, CALLS, &writers[i].counter, "m", "OK");
        pd_metrics_add_histogram(metrics, LATENCY, &writers[i].histogram, "k", NULL);
    }
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    for (int i = 0; i < 100; i++) {
        now = number_of(written(metrics), "code=\"OK\"} ");
        assert_true(now >= seen);
        seen = now;
    }
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(writers[i].thread, NULL);
    assert_int_equal(number_of(written(metrics), "code=\"OK\"} "), THREAD_COUNT * ADD_COUNT);
    assert_int_equal(number_of(written(metrics), "seconds_count{kind=\"k\"} "),
                     THREAD_COUNT * ADD_COUNT);
    pd_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_registered_is_not_told),
        cmocka_unit_test(cells_of_one_name_and_labels_are_a_sum),
        cmocka_unit_test(a_duration_falls_into_the_bucket_that_bounds_it),
        cmocka_unit_test(an_unregistered_histogram_takes_anything),
        cmocka_unit_test(sparse_series_come_with_their_first_count),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(collectors_run_before_each_writing),
        cmocka_unit_test(a_full_buffer_is_told),
        cmocka_unit_test(nothing_is_lost_and_nothing_goes_back_under_writers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
