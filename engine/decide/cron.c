#include "engine/decide/cron.h"

bool pd_cron_is_valid(const char *spec)
{
    (void)spec;
    return false;
}

int64_t pd_cron_next_ns(const char *spec, int64_t after_ns)
{
    (void)spec;
    (void)after_ns;
    return INT64_MAX;
}

int64_t pd_cron_backoff_ns(const char *spec, int64_t scheduled_ns, int64_t now_ns)
{
    (void)spec;
    (void)scheduled_ns;
    (void)now_ns;
    return -1;
}
