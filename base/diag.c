#include "base/diag.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/os_clock.h"

enum { LINES_PER_SECOND = 5, LINE_SIZE = 2048 };

static _Atomic(int) min_level = PD_DIAG_INFO;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void pd_diag_set_level(pd_diag_level_t level)
{
    atomic_store(&min_level, (int)level);
}

/* Decides under the lock whether this line may be printed; tells how many were held back before. */
static bool admit(pd_diag_site_t *site, long long now_s, unsigned *dropped_count)
{
    bool admitted;

    pthread_mutex_lock(&mutex);
    *dropped_count = 0;
    if (site->window_s != now_s) {
        site->window_s = now_s;
        site->printed_count = 0;
        *dropped_count = site->dropped_count;
        site->dropped_count = 0;
    }
    admitted = site->printed_count < LINES_PER_SECOND;
    if (admitted)
        site->printed_count++;
    else
        site->dropped_count++;
    pthread_mutex_unlock(&mutex);
    return admitted;
}

void pd_diag_write(pd_diag_site_t *site, pd_diag_level_t level, const char *event,
                   const char *format, ...)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    int64_t now_ns;
    time_t now_s;
    unsigned dropped_count;
    char when[32], fields[LINE_SIZE];
    struct tm tm;
    va_list args;

    if ((int)level < atomic_load_explicit(&min_level, memory_order_relaxed))
        return;
    now_ns = pd_os_wall_ns();
    now_s = (time_t)(now_ns / 1000000000);
    if (!admit(site, (long long)now_s, &dropped_count))
        return;
    gmtime_r(&now_s, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    va_start(args, format);
    vsnprintf(fields, sizeof(fields), format, args);
    va_end(args);
    if (dropped_count)
        fprintf(stderr, "%s.%03dZ %s %s %s dropped=%u\n", when, (int)(now_ns / 1000000 % 1000),
                names[level], event, fields, dropped_count);
    else
        fprintf(stderr, "%s.%03dZ %s %s %s\n", when, (int)(now_ns / 1000000 % 1000), names[level],
                event, fields);
}
