/* metrics.h -- counters, gauges and histograms, named in one table, read as Prometheus text.
 *
 * A *cell* is a number that one thread writes and any may read: an increment is a load and a store,
 * without lock or atomic addition. Cells are embedded in whatever they measure and work without a
 * registry, too; a registry gives them a name and label values. Cells of the same name and values
 * are told as their sum, so every thread may have its own.
 *
 * Thread: a cell's writer is one thread; _new, _add_*, _free: any, one registry's at a time being
 * sorted out by a lock; _write: any. Ownership: cells are borrowed until pd_metrics_free, label
 * values are copied. */
#ifndef PD_BASE_METRICS_H
#define PD_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

enum {
    PD_METRIC_LABEL_COUNT_MAX = 2,
    PD_METRIC_BUCKET_COUNT_MAX = 28,
};

typedef enum pd_metric_type {
    PD_METRIC_COUNTER,
    PD_METRIC_GAUGE,
    PD_METRIC_HISTOGRAM, /* of durations, told in seconds */
} pd_metric_type_t;

typedef struct pd_metric {
    const char *name; /* of Prometheus: counters end in _total, durations in _seconds */
    pd_metric_type_t type;
    const char *labels[PD_METRIC_LABEL_COUNT_MAX]; /* NULL: no such label */
    /* HISTOGRAM: bounds are 2^first_exponent, 2^(first_exponent + 1), … microseconds. */
    uint8_t first_exponent, bucket_count;
    bool sparse; /* series that are still 0 are not told */
    const char *help;
} pd_metric_t;

typedef struct pd_counter {
    _Atomic(uint64_t) value;
} pd_counter_t;

typedef struct pd_gauge {
    _Atomic(int64_t) value;
} pd_gauge_t;

typedef struct pd_histogram {
    _Atomic(uint64_t) sum_ns;
    uint8_t first_exponent, bucket_count; /* set by registering; before that all is one bucket */
    _Atomic(uint64_t) counts[PD_METRIC_BUCKET_COUNT_MAX + 1]; /* the last one has no bound */
} pd_histogram_t;

/* ---- writing: the cell's own thread ---- */

static inline void pd_counter_add(pd_counter_t *counter, uint64_t count)
{
    uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);

    atomic_store_explicit(&counter->value, value + count, memory_order_relaxed);
}

/* For totals that are counted elsewhere. */
static inline void pd_counter_set(pd_counter_t *counter, uint64_t value)
{
    atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

static inline void pd_gauge_set(pd_gauge_t *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

static inline void pd_gauge_add(pd_gauge_t *gauge, int64_t count)
{
    pd_gauge_set(gauge, atomic_load_explicit(&gauge->value, memory_order_relaxed) + count);
}

/* Durations below 0 (clocks of two threads) count as 0. */
static inline void pd_histogram_observe(pd_histogram_t *histogram, int64_t duration_ns)
{
    uint64_t ns = duration_ns > 0 ? (uint64_t)duration_ns : 0, us = (ns + 999) / 1000, count;
    unsigned exponent = us <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(us - 1), index;

    index = exponent > histogram->first_exponent ? exponent - histogram->first_exponent : 0;
    if (index > histogram->bucket_count)
        index = histogram->bucket_count;
    count = atomic_load_explicit(&histogram->counts[index], memory_order_relaxed);
    atomic_store_explicit(&histogram->counts[index], count + 1, memory_order_relaxed);
    count = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
    atomic_store_explicit(&histogram->sum_ns, count + ns, memory_order_relaxed);
}

/* ---- the registry ---- */

typedef struct pd_metrics pd_metrics_t;

/* The table is borrowed until _free. */
pd_metrics_t *pd_metrics_new(const pd_metric_t *table, size_t count);
void pd_metrics_free(pd_metrics_t *metrics);

/* `metric` is the index in the table; a value for each of its labels, the others NULL. */
void pd_metrics_add_counter(pd_metrics_t *metrics, size_t metric, pd_counter_t *counter,
                            const char *value1, const char *value2);
void pd_metrics_add_gauge(pd_metrics_t *metrics, size_t metric, pd_gauge_t *gauge,
                          const char *value1, const char *value2);
void pd_metrics_add_histogram(pd_metrics_t *metrics, size_t metric, pd_histogram_t *histogram,
                              const char *value1, const char *value2);
/* Runs at the beginning of each _write, on its thread: sets cells of its own that are not worth
 * being kept up to date all the time. */
void pd_metrics_add_collector(pd_metrics_t *metrics, void (*collect)(void *ctx), void *ctx);

/* Everything in Prometheus' text format 0.0.4. PD_LIMIT: `out` is full. One at a time. */
pd_status_t pd_metrics_write(pd_metrics_t *metrics, pd_buf_t *out) PD_MUST_USE;

/* The table as a table in Markdown. */
void pd_metrics_print_reference(const pd_metric_t *table, size_t count, FILE *out);

#endif
