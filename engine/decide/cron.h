/* cron.h -- cron schedules as the reference's library reads them (robfig/cron v3, "standard"): five
 * fields, @hourly and the like, @every, and a time zone in front (CRON_TZ= or TZ=).
 *
 * Pure. Time zones come from the system's tz database, read once per zone.
 * Thread: any. */
#ifndef PD_ENGINE_DECIDE_CRON_H
#define PD_ENGINE_DECIDE_CRON_H

#include <stdbool.h>
#include <stdint.h>

bool pd_cron_is_valid(const char *spec);

/* The first activation strictly after `after_ns`, in ns since 1970; INT64_MAX when there is none
 * within five years. The spec must be valid. */
int64_t pd_cron_next_ns(const char *spec, int64_t after_ns);

/* How long the next run waits, in whole seconds rounded up: from now to the first activation that
 * is not before now, counted from scheduled_ns (when this run was to begin). -1: no schedule, an
 * invalid one, or one that never comes. */
int64_t pd_cron_backoff_ns(const char *spec, int64_t scheduled_ns, int64_t now_ns);

#endif
