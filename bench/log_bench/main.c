/* main.c -- what an append to the log costs.
 *
 *   pd-log-bench [--records N] [--size B] [--partitions P] [--in-flight F] [--rate R]
 *                [--directory D | --kafka HOST:PORT [--linger-ms L]] [--read] [--tail N]
 *
 * One loop appends N records of B bytes, spread over P partitions, keeping F in flight per
 * partition, and prints one JSON object: rate, CPU per record (the whole process: the loop's share,
 * the commit thread, RocksDB's background), commits, latencies. --in-flight 1 --partitions 1 is the
 * single caller. --read then reads everything back. With --kafka the log is on those brokers, in
 * topics of a new cluster (which stay), and each figure comes with one of librdkafka alone,
 * measured just before on the first of the same partitions: --in-flight then takes a list, e.g.
 * 1,16,256. --tail: N times how long a record takes to a waiting reader, and a question for the
 * end. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/loop_event.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "bench/log_bench/bare.h"
#include "bench/log_bench/tail.h"
#include "log/embedded/embedded.h"
#include "log/kafka/kafka.h"

typedef struct bench bench_t;
typedef struct slot slot_t;

struct slot {
    pd_log_append_t append; /* first: converts */
    bench_t *bench;
    pd_log_writer_t *writer;
    slot_t *next_idle;
    int64_t begin_ns;
};

struct bench {
    pd_loop_event_t *loop;
    pd_log_t *log;
    pd_log_writer_t **writers;
    pd_log_reader_t *reader;
    pd_log_read_t read;
    pd_mail_t begin_mail;
    pd_mail_t closed_mail;
    uint64_t record_count;
    uint64_t sent_count;
    uint64_t done_count;
    uint64_t read_count;
    uint32_t size;
    uint32_t partition_count;
    uint32_t in_flight_count;
    uint32_t open_count;
    uint32_t read_partition;
    bool reading;
    uint64_t tail_count;
    uint64_t rate; /* 0: as fast as completions come */
    int64_t begin_ns;
    pd_timer_t timer;
    slot_t *idle; /* with a rate: slots that wait for their time */
    int64_t *latencies_ns;
    slot_t *slots;
    uint8_t *value;
    const char *in_flight_list;
    const char *directory;
    const char *bootstrap_servers; /* NULL: the embedded log */
    uint32_t linger_ms;            /* of librdkafka alone */
    char cluster[32];
};

static void fatal(const char *what, pd_status_t status)
{
    fprintf(stderr, "pd-log-bench: %s: %s\n", what, pd_status_name(status));
    exit(1);
}

static void begin_read(bench_t *bench);

static void on_closed(pd_mail_t *mail)
{
    bench_t *bench = PD_CONTAINER_OF(mail, bench_t, closed_mail);

    if (--bench->open_count > 0) {
        pd_log_close_writer(bench->writers[bench->open_count - 1], &bench->closed_mail);
        return;
    }
    pd_loop_event_break(bench->loop);
}

static void send(slot_t *slot);

static void on_done(pd_log_append_t *append)
{
    slot_t *slot = (slot_t *)append;
    bench_t *bench = slot->bench;

    if (append->status != PD_OK)
        fatal("append", append->status);
    bench->latencies_ns[bench->done_count++] = pd_os_monotonic_ns() - slot->begin_ns;
    if (bench->rate > 0 && bench->sent_count < bench->record_count) {
        slot->next_idle = bench->idle;
        bench->idle = slot;
    } else if (bench->sent_count < bench->record_count) {
        send(slot);
    } else if (bench->done_count == bench->record_count) {
        pd_log_close_writer(bench->writers[bench->open_count - 1], &bench->closed_mail);
    }
}

static void send(slot_t *slot)
{
    bench_t *bench = slot->bench;
    pd_status_t status;

    bench->sent_count++;
    slot->begin_ns = pd_os_monotonic_ns();
    slot->append.key = pd_bytes("workflow-id-0001", 16);
    slot->append.value = pd_bytes(bench->value, bench->size);
    slot->append.done = on_done;
    status = pd_log_append(slot->writer, &slot->append);
    if (status != PD_OK)
        fatal("append", status);
}

/* Sends what is due. */
static void on_timer(pd_timer_t *timer)
{
    bench_t *bench = PD_CONTAINER_OF(timer, bench_t, timer);
    double seconds = (double)(pd_os_monotonic_ns() - bench->begin_ns) / 1e9;
    uint64_t due_count = (uint64_t)(seconds * (double)bench->rate);

    if (due_count > bench->record_count)
        due_count = bench->record_count;
    while (bench->idle && bench->sent_count < due_count) {
        slot_t *slot = bench->idle;

        bench->idle = slot->next_idle;
        send(slot);
    }
    if (bench->sent_count < bench->record_count)
        pd_loop_timer_start(pd_loop_event_loop(bench->loop), timer, pd_os_wall_ns() + 100000);
}

static void on_begin(pd_mail_t *mail)
{
    bench_t *bench = PD_CONTAINER_OF(mail, bench_t, begin_mail);
    pd_loop_t *loop = pd_loop_event_loop(bench->loop);
    pd_error_t error;

    for (uint32_t i = 0; i < bench->partition_count; i++) {
        pd_log_handle_options_t options = {.loop = loop, .topic = PD_LOG_EVENTS, .partition = i};

        if (pd_log_open_writer(bench->log, &options, &bench->writers[i], &error) != PD_OK)
            fatal(error.text, error.status);
    }
    bench->open_count = bench->partition_count;
    for (uint32_t i = 0; i < bench->in_flight_count * bench->partition_count; i++) {
        bench->slots[i].bench = bench;
        bench->slots[i].writer = bench->writers[i % bench->partition_count];
        if (bench->rate > 0) {
            bench->slots[i].next_idle = bench->idle;
            bench->idle = &bench->slots[i];
        } else if (bench->sent_count < bench->record_count) {
            send(&bench->slots[i]);
        }
    }
    bench->begin_ns = pd_os_monotonic_ns();
    bench->timer.fire = on_timer;
    if (bench->rate > 0)
        on_timer(&bench->timer);
}

static void on_reader_closed(pd_mail_t *mail)
{
    bench_t *bench = PD_CONTAINER_OF(mail, bench_t, closed_mail);

    if (++bench->read_partition < bench->partition_count)
        begin_read(bench);
    else
        pd_loop_event_break(bench->loop);
}

static void on_read(pd_log_read_t *read)
{
    bench_t *bench = PD_CONTAINER_OF(read, bench_t, read);

    if (read->status != PD_OK)
        fatal("read", read->status);
    bench->read_count += read->count;
    if (read->next_offset == read->end_offset) {
        bench->closed_mail.run = on_reader_closed;
        pd_log_close_reader(bench->reader, &bench->closed_mail);
        return;
    }
    read->from_offset = read->next_offset;
    pd_log_read(bench->reader, read);
}

static void begin_read(bench_t *bench)
{
    pd_log_handle_options_t options = {.loop = pd_loop_event_loop(bench->loop),
                                       .topic = PD_LOG_EVENTS,
                                       .partition = bench->read_partition};
    pd_error_t error;

    if (pd_log_open_reader(bench->log, &options, &bench->reader, &error) != PD_OK)
        fatal(error.text, error.status);
    bench->read = (pd_log_read_t){.from_offset = PD_LOG_FIRST, .done = on_read};
    pd_log_read(bench->reader, &bench->read);
}

static void on_begin_read(pd_mail_t *mail)
{
    begin_read(PD_CONTAINER_OF(mail, bench_t, begin_mail));
}

static double cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec * 1e6 + (double)usage.ru_utime.tv_usec +
           (double)usage.ru_stime.tv_sec * 1e6 + (double)usage.ru_stime.tv_usec;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double quantile_ms(const bench_t *bench, double q)
{
    return (double)bench->latencies_ns[(size_t)(q * (double)(bench->done_count - 1))] / 1e6;
}

static void print_latencies(const bench_t *bench, const char *scenario, double seconds, double cpu)
{
    printf("{\"scenario\": \"%s\", \"in_flight\": %u, \"rate\": %.0f, \"mb_per_s\": %.1f, "
           "\"cpu_us\": %.2f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f",
           scenario, bench->in_flight_count, (double)bench->done_count / seconds,
           (double)bench->done_count * bench->size / seconds / 1e6, cpu / (double)bench->done_count,
           quantile_ms(bench, 0.5), quantile_ms(bench, 0.99), quantile_ms(bench, 0.999));
}

static void run_append(bench_t *bench)
{
    pd_log_embedded_stats_t stats;
    int64_t begin_ns = pd_os_monotonic_ns();
    double cpu = cpu_us(), seconds;

    bench->sent_count = bench->done_count = 0;
    bench->begin_mail.run = on_begin;
    bench->closed_mail.run = on_closed;
    pd_loop_post(pd_loop_event_loop(bench->loop), &bench->begin_mail);
    pd_loop_event_run(bench->loop);
    seconds = (double)(pd_os_monotonic_ns() - begin_ns) / 1e9;
    cpu = cpu_us() - cpu;
    qsort(bench->latencies_ns, bench->done_count, sizeof(int64_t), compare);
    print_latencies(bench, "append", seconds, cpu);
    if (!bench->bootstrap_servers) {
        pd_log_embedded_stats(bench->log, &stats);
        printf(", \"commits\": %llu, \"records_per_commit\": %.1f",
               (unsigned long long)stats.commit_count,
               (double)stats.record_count / (double)stats.commit_count);
    }
    printf("}\n");
    fflush(stdout);
}

static void run_bare(bench_t *bench)
{
    char topic[64];
    bare_options_t options = {.bootstrap_servers = bench->bootstrap_servers,
                              .topic = topic,
                              .in_flight_count = bench->in_flight_count,
                              .record_count = bench->record_count,
                              .size = bench->size,
                              .linger_ms = bench->linger_ms,
                              .latencies_ns = bench->latencies_ns};
    double cpu = cpu_us(), seconds;

    snprintf(topic, sizeof(topic), "%s.events", bench->cluster);
    seconds = bare_run(&options);
    cpu = cpu_us() - cpu;
    bench->done_count = bench->record_count;
    qsort(bench->latencies_ns, bench->done_count, sizeof(int64_t), compare);
    print_latencies(bench, "librdkafka", seconds, cpu);
    printf("}\n");
    fflush(stdout);
}

static void run_read(bench_t *bench)
{
    int64_t begin_ns = pd_os_monotonic_ns();
    double cpu = cpu_us(), seconds;

    bench->begin_mail.run = on_begin_read;
    pd_loop_post(pd_loop_event_loop(bench->loop), &bench->begin_mail);
    pd_loop_event_run(bench->loop);
    seconds = (double)(pd_os_monotonic_ns() - begin_ns) / 1e9;
    cpu = cpu_us() - cpu;
    printf("{\"scenario\": \"read\", \"rate\": %.0f, \"mb_per_s\": %.1f, \"cpu_us\": %.2f}\n",
           (double)bench->read_count / seconds,
           (double)bench->read_count * bench->size / seconds / 1e6,
           cpu / (double)bench->read_count);
}

static void parse(bench_t *bench, int argc, char **argv)
{
    static const struct option options[] = {{"records", required_argument, NULL, 'n'},
                                            {"size", required_argument, NULL, 's'},
                                            {"partitions", required_argument, NULL, 'p'},
                                            {"in-flight", required_argument, NULL, 'f'},
                                            {"directory", required_argument, NULL, 'd'},
                                            {"read", no_argument, NULL, 'r'},
                                            {"rate", required_argument, NULL, 'a'},
                                            {"kafka", required_argument, NULL, 'k'},
                                            {"linger-ms", required_argument, NULL, 'l'},
                                            {"tail", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'n')
            bench->record_count = strtoull(optarg, NULL, 10);
        else if (option == 's')
            bench->size = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'p')
            bench->partition_count = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'f')
            bench->in_flight_list = optarg;
        else if (option == 'a')
            bench->rate = strtoull(optarg, NULL, 10);
        else if (option == 'd')
            bench->directory = optarg;
        else if (option == 'k')
            bench->bootstrap_servers = optarg;
        else if (option == 'l')
            bench->linger_ms = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 't')
            bench->tail_count = strtoull(optarg, NULL, 10);
        else if (option == 'r')
            bench->reading = true;
        else
            exit(2);
    }
    if (!bench->record_count || !bench->partition_count || bench->tail_count > bench->record_count)
        fatal("options", PD_INVALID);
}

static void open_embedded(bench_t *bench)
{
    static char made[] = "log_bench.XXXXXX";
    pd_log_embedded_options_t options = {0};
    pd_error_t error;

    options.directory = bench->directory ? bench->directory : mkdtemp(made);
    options.partition_counts[PD_LOG_EVENTS] = bench->partition_count;
    if (pd_log_embedded_open(&options, &bench->log, &error) != PD_OK)
        fatal(error.text, error.status);
    if (!bench->directory)
        fprintf(stderr, "left in %s\n", made);
}

static void open_kafka(bench_t *bench)
{
    pd_log_kafka_options_t options = {.cluster = bench->cluster,
                                      .bootstrap_servers = bench->bootstrap_servers,
                                      .partition_count = bench->partition_count};
    pd_error_t error;

    snprintf(bench->cluster, sizeof(bench->cluster), "bench-%016llx",
             (unsigned long long)pd_os_entropy());
    if (pd_log_kafka_open(&options, &bench->log, &error) != PD_OK)
        fatal(error.text, error.status);
}

static void run_tail(bench_t *bench, bool end)
{
    tail_run(bench->log, bench->loop, end, bench->tail_count, bench->latencies_ns);
    bench->done_count = bench->tail_count;
    qsort(bench->latencies_ns, bench->done_count, sizeof(int64_t), compare);
    printf("{\"scenario\": \"%s\", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f}\n",
           end ? "end" : "tail", quantile_ms(bench, 0.5), quantile_ms(bench, 0.99),
           quantile_ms(bench, 0.999));
}

static void run_window(bench_t *bench, uint32_t in_flight_count)
{
    uint32_t slot_count = in_flight_count * bench->partition_count;

    if (in_flight_count == 0)
        fatal("options", PD_INVALID);
    bench->in_flight_count = in_flight_count;
    bench->slots = pd_calloc(slot_count, sizeof(*bench->slots));
    bench->idle = NULL;
    if (bench->bootstrap_servers)
        run_bare(bench);
    run_append(bench);
    pd_free(bench->slots);
}

int main(int argc, char **argv)
{
    bench_t bench = {
        .record_count = 500000, .size = 600, .partition_count = 4, .in_flight_list = "64"};
    pd_loop_event_options_t loop_options = {.name = "bench", .mailbox_count = 1024};

    parse(&bench, argc, argv);
    if (bench.bootstrap_servers)
        open_kafka(&bench);
    else
        open_embedded(&bench);
    bench.loop = pd_loop_event_new(&loop_options);
    bench.writers = pd_calloc(bench.partition_count, sizeof(*bench.writers));
    bench.latencies_ns = pd_calloc(bench.record_count, sizeof(int64_t));
    bench.value = pd_alloc(bench.size);
    for (uint32_t i = 0; i < bench.size; i++)
        bench.value[i] = (uint8_t)(i * 7919u >> 3);
    for (const char *at = bench.in_flight_list; *at;) {
        char *end;

        run_window(&bench, (uint32_t)strtoul(at, &end, 10));
        at = *end == ',' ? end + 1 : end;
    }
    if (bench.reading)
        run_read(&bench);
    if (bench.tail_count) {
        run_tail(&bench, false);
        run_tail(&bench, true);
    }
    pd_loop_event_free(bench.loop);
    pd_log_close(bench.log);
    pd_free(bench.value);
    pd_free(bench.latencies_ns);
    pd_free(bench.writers);
    return 0;
}
