#include "base/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

enum { LINE_SIZE_MAX = 512, LABELS_SIZE_MAX = 256 };

/* What is told as one series: cells of one name and the same label values. */
typedef struct series {
    char labels[LABELS_SIZE_MAX]; /* `a="x",b="y"`, or "" */
    const void **cells;
    size_t cell_count;
} series_t;

typedef struct family {
    series_t *series;
    size_t series_count, series_capacity;
} family_t;

typedef struct collector {
    void (*collect)(void *ctx);
    void *ctx;
} collector_t;

struct pd_metrics {
    const pd_metric_t *table;
    size_t count;
    pthread_mutex_t mutex; /* of what follows */
    family_t *families;    /* by metric */
    collector_t *collectors;
    size_t collector_count;
};

pd_metrics_t *pd_metrics_new(const pd_metric_t *table, size_t count)
{
    pd_metrics_t *metrics = PD_NEW(pd_metrics_t);

    metrics->table = table;
    metrics->count = count;
    metrics->families = pd_calloc(count, sizeof(metrics->families[0]));
    PD_ASSERT(pthread_mutex_init(&metrics->mutex, NULL) == 0);
    for (size_t i = 0; i < count; i++)
        PD_ASSERT(table[i].bucket_count <= PD_METRIC_BUCKET_COUNT_MAX);
    return metrics;
}

void pd_metrics_free(pd_metrics_t *metrics)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < metrics->count; i++) {
        for (size_t j = 0; j < metrics->families[i].series_count; j++)
            pd_free(metrics->families[i].series[j].cells);
        pd_free(metrics->families[i].series);
    }
    pd_free(metrics->families);
    pd_free(metrics->collectors);
    pthread_mutex_destroy(&metrics->mutex);
    pd_free(metrics);
}

/* ---- registering ---- */

static size_t append_label(char *out, size_t at, const char *label, const char *value)
{
    PD_ASSERT(!label == !value); /* a value for each label, and for nothing else */
    if (!label)
        return at;
    at += (size_t)snprintf(out + at, LABELS_SIZE_MAX - at, "%s%s=\"", at ? "," : "", label);
    for (; *value && at < LABELS_SIZE_MAX - 4; value++) {
        if (*value == '"' || *value == '\\' || *value == '\n')
            out[at++] = '\\';
        out[at++] = (char)(*value == '\n' ? 'n' : *value);
    }
    out[at++] = '"';
    out[at] = '\0';
    return at;
}

static series_t *find_series(family_t *family, const char *labels)
{
    series_t *series;

    for (size_t i = 0; i < family->series_count; i++) {
        if (strcmp(family->series[i].labels, labels) == 0)
            return &family->series[i];
    }
    if (family->series_count == family->series_capacity) {
        family->series_capacity = family->series_capacity ? 2 * family->series_capacity : 4;
        family->series =
            pd_realloc(family->series, family->series_capacity * sizeof(family->series[0]));
    }
    series = &family->series[family->series_count++];
    memset(series, 0, sizeof(*series));
    snprintf(series->labels, sizeof(series->labels), "%s", labels);
    return series;
}

static void add(pd_metrics_t *metrics, size_t metric, pd_metric_type_t type, const void *cell,
                const char *value1, const char *value2)
{
    char labels[LABELS_SIZE_MAX] = "";
    series_t *series;
    size_t at;

    PD_ASSERT(metric < metrics->count && metrics->table[metric].type == type);
    at = append_label(labels, 0, metrics->table[metric].labels[0], value1);
    append_label(labels, at, metrics->table[metric].labels[1], value2);
    PD_ASSERT(pthread_mutex_lock(&metrics->mutex) == 0);
    series = find_series(&metrics->families[metric], labels);
    series->cells = pd_realloc(series->cells, (series->cell_count + 1) * sizeof(series->cells[0]));
    series->cells[series->cell_count++] = cell;
    pthread_mutex_unlock(&metrics->mutex);
}

void pd_metrics_add_counter(pd_metrics_t *metrics, size_t metric, pd_counter_t *counter,
                            const char *value1, const char *value2)
{
    add(metrics, metric, PD_METRIC_COUNTER, counter, value1, value2);
}

void pd_metrics_add_gauge(pd_metrics_t *metrics, size_t metric, pd_gauge_t *gauge,
                          const char *value1, const char *value2)
{
    add(metrics, metric, PD_METRIC_GAUGE, gauge, value1, value2);
}

void pd_metrics_add_histogram(pd_metrics_t *metrics, size_t metric, pd_histogram_t *histogram,
                              const char *value1, const char *value2)
{
    PD_ASSERT(metric < metrics->count);
    histogram->first_exponent = metrics->table[metric].first_exponent;
    histogram->bucket_count = metrics->table[metric].bucket_count;
    add(metrics, metric, PD_METRIC_HISTOGRAM, histogram, value1, value2);
}

void pd_metrics_add_collector(pd_metrics_t *metrics, void (*collect)(void *ctx), void *ctx)
{
    PD_ASSERT(pthread_mutex_lock(&metrics->mutex) == 0);
    metrics->collectors = pd_realloc(metrics->collectors, (metrics->collector_count + 1) *
                                                              sizeof(metrics->collectors[0]));
    metrics->collectors[metrics->collector_count++] = (collector_t){collect, ctx};
    pthread_mutex_unlock(&metrics->mutex);
}

/* ---- writing ---- */

static pd_status_t PD_PRINTF(2, 3) line(pd_buf_t *out, const char *format, ...)
{
    char text[LINE_SIZE_MAX];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    PD_ASSERT(size >= 0 && (size_t)size < sizeof(text)); /* names, labels and numbers are short */
    return pd_buf_append(out, text, (size_t)size);
}

/* `a="x",` or "", to put another label behind it. */
static const char *comma(const series_t *series)
{
    return series->labels[0] ? "," : "";
}

static pd_status_t write_number(const pd_metric_t *metric, const series_t *series, pd_buf_t *out)
{
    uint64_t sum = 0; /* gauges in two's complement */
    const char *open = series->labels[0] ? "{" : "", *close = series->labels[0] ? "}" : "";

    for (size_t i = 0; i < series->cell_count; i++) {
        if (metric->type == PD_METRIC_COUNTER)
            sum += atomic_load_explicit(&((const pd_counter_t *)series->cells[i])->value,
                                        memory_order_relaxed);
        else
            sum += (uint64_t)atomic_load_explicit(&((const pd_gauge_t *)series->cells[i])->value,
                                                  memory_order_relaxed);
    }
    if (sum == 0 && metric->sparse)
        return PD_OK;
    if (metric->type == PD_METRIC_GAUGE)
        return line(out, "%s%s%s%s %" PRId64 "\n", metric->name, open, series->labels, close,
                    (int64_t)sum);
    return line(out, "%s%s%s%s %" PRIu64 "\n", metric->name, open, series->labels, close, sum);
}

/* Seconds without a rounding error: us is a whole number of microseconds. */
static void format_us(uint64_t us, char *out, size_t size)
{
    snprintf(out, size, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static pd_status_t write_histogram(const pd_metric_t *metric, const series_t *series, pd_buf_t *out)
{
    uint64_t counts[PD_METRIC_BUCKET_COUNT_MAX + 1] = {0}, sum_ns = 0, total = 0;
    const char *open = series->labels[0] ? "{" : "", *close = series->labels[0] ? "}" : "";
    char bound[32];

    for (size_t i = 0; i < series->cell_count; i++) {
        const pd_histogram_t *cell = series->cells[i];

        sum_ns += atomic_load_explicit(&cell->sum_ns, memory_order_relaxed);
        for (size_t j = 0; j <= metric->bucket_count; j++)
            counts[j] += atomic_load_explicit(&cell->counts[j], memory_order_relaxed);
    }
    for (size_t j = 0; j <= metric->bucket_count; j++)
        total += counts[j];
    if (total == 0 && metric->sparse)
        return PD_OK;
    total = 0;
    for (unsigned j = 0; j <= metric->bucket_count; j++) {
        total += counts[j];
        if (j < metric->bucket_count)
            format_us((uint64_t)1 << (metric->first_exponent + j), bound, sizeof(bound));
        else
            snprintf(bound, sizeof(bound), "+Inf");
        PD_TRY(line(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", metric->name, series->labels,
                    comma(series), bound, total));
    }
    PD_TRY(line(out, "%s_sum%s%s%s %" PRIu64 ".%09" PRIu64 "\n", metric->name, open, series->labels,
                close, sum_ns / 1000000000, sum_ns % 1000000000));
    return line(out, "%s_count%s%s%s %" PRIu64 "\n", metric->name, open, series->labels, close,
                total);
}

static const char *type_name(pd_metric_type_t type)
{
    switch (type) {
    case PD_METRIC_COUNTER:
        return "counter";
    case PD_METRIC_GAUGE:
        return "gauge";
    case PD_METRIC_HISTOGRAM:
        return "histogram";
    }
    PD_UNREACHABLE();
}

static pd_status_t write_family(const pd_metric_t *metric, const family_t *family, pd_buf_t *out)
{
    size_t head_end, before = out->size;

    if (family->series_count == 0)
        return PD_OK;
    PD_TRY(line(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                type_name(metric->type)));
    head_end = out->size;
    for (size_t i = 0; i < family->series_count; i++) {
        const series_t *series = &family->series[i];

        if (metric->type == PD_METRIC_HISTOGRAM)
            PD_TRY(write_histogram(metric, series, out));
        else
            PD_TRY(write_number(metric, series, out));
    }
    if (out->size == head_end) /* all of them sparse and 0 */
        out->size = before;
    return PD_OK;
}

pd_status_t pd_metrics_write(pd_metrics_t *metrics, pd_buf_t *out)
{
    pd_status_t status = PD_OK;

    PD_ASSERT(pthread_mutex_lock(&metrics->mutex) == 0);
    for (size_t i = 0; i < metrics->collector_count; i++)
        metrics->collectors[i].collect(metrics->collectors[i].ctx);
    for (size_t i = 0; i < metrics->count && status == PD_OK; i++)
        status = write_family(&metrics->table[i], &metrics->families[i], out);
    pthread_mutex_unlock(&metrics->mutex);
    return status;
}

/* ---- documentation ---- */

void pd_metrics_print_reference(const pd_metric_t *table, size_t count, FILE *out)
{
    fprintf(out, "| name | type | labels | what it tells |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const pd_metric_t *metric = &table[i];
        char first[32], last[32];

        fprintf(out, "| `%s` | %s |", metric->name, type_name(metric->type));
        for (size_t j = 0; j < PD_METRIC_LABEL_COUNT_MAX && metric->labels[j]; j++)
            fprintf(out, "%s `%s`", j ? "," : "", metric->labels[j]);
        fprintf(out, " | %s", metric->help);
        if (metric->type == PD_METRIC_HISTOGRAM) {
            format_us((uint64_t)1 << metric->first_exponent, first, sizeof(first));
            format_us((uint64_t)1 << (metric->first_exponent + metric->bucket_count - 1), last,
                      sizeof(last));
            fprintf(out, " Buckets from %s s to %s s, each twice the one before.", first, last);
        }
        fprintf(out, " |\n");
    }
}
