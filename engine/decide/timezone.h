/* timezone.h -- offsets from UTC by time zone name, from the system's tz database (TZif files; the
 * rule in the footer serves the years after the last listed transition).
 *
 * Zones are read once and kept. The name decides about nothing but a file below the database's
 * folder. Thread: any (a lock inside). Ownership: zones live as long as the process. */
#ifndef PD_ENGINE_DECIDE_TIMEZONE_H
#define PD_ENGINE_DECIDE_TIMEZONE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pd_timezone pd_timezone_t;

/* NULL when there is no such zone. "" and "UTC" are UTC. */
const pd_timezone_t *pd_timezone_find(const char *name);

/* Seconds east of UTC at this instant; *from and *until bound how long that holds. */
int32_t pd_timezone_offset(const pd_timezone_t *zone, int64_t unix_s, int64_t *from,
                           int64_t *until);

/* A civil date and time. */
typedef struct pd_civil {
    int64_t year;
    int month; /* 1 .. 12 */
    int day;   /* 1 .. 31 */
    int hour, minute, second;
    int weekday; /* 0: Sunday; ignored by pd_civil_to_unix */
} pd_civil_t;

pd_civil_t pd_civil_of(const pd_timezone_t *zone, int64_t unix_s);
/* Months and days beyond their range carry over. A time that a clock change skips or repeats is
 * read with one of the two offsets. */
int64_t pd_civil_to_unix(const pd_timezone_t *zone, const pd_civil_t *civil);

#endif
