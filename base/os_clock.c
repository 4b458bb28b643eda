#include "base/os_clock.h"

#include <sys/random.h>
#include <time.h>

#include "base/assert.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    PD_ASSERT(clock_gettime(id, &ts) == 0);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t pd_os_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t pd_os_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t pd_os_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t pd_os_entropy(void)
{
    uint64_t value;

    PD_ASSERT(getrandom(&value, sizeof(value), 0) == (ssize_t)sizeof(value));
    return value;
}
