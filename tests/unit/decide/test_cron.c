/* Cron schedules: what is one, when it is due next, and how long a run waits for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "engine/decide/cron.h"

#define SECOND_NS INT64_C(1000000000)

static int64_t utc_ns(const char *text)
{
    struct tm tm = {0};
    char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    assert_non_null(end);
    return (int64_t)timegm(&tm) * SECOND_NS;
}

static const char *utc_text(int64_t ns)
{
    static char text[32];
    time_t s = (time_t)(ns / SECOND_NS);
    struct tm tm;

    if (ns == INT64_MAX)
        return "never";
    (void)gmtime_r(&s, &tm);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    return text;
}

static void validity(void **state)
{
    static const struct {
        const char *spec;
        bool valid;
    } cases[] = {
        {"* * * * *", true},
        {"*/5 0-6 1,15 JAN-mar Mon", true},
        {"0 0 1 1 *", true},
        {"?  ?\t? ? ?", true},
        {"5/15 * * * *", true},
        {"@hourly", true},
        {"@every 1h30m", true},
        {"@every 1.5s", true},
        {"CRON_TZ=Europe/Berlin 0 3 * * *", true},
        {"TZ=America/New_York @daily", true},
        {"CRON_TZ=UTC * * * * *", true},
        {"", false},
        {"never", false},
        {"@sometimes", false},
        {"@every", false},
        {"@every ", false},
        {"@every 5", false},
        {"@every 5x", false},
        {"* * * *", false},
        {"* * * * * *", false},
        {"60 * * * *", false},
        {"* 24 * * *", false},
        {"* * 0 * *", false},
        {"* * 32 * *", false},
        {"* * * 13 *", false},
        {"* * * * 7", false},
        {"5-3 * * * *", false},
        {"*/0 * * * *", false},
        {"1-2-3 * * * *", false},
        {"1/2/3 * * * *", false},
        {"-1 * * * *", false},
        {"a * * * *", false},
        {"CRON_TZ=Nowhere/City * * * * *", false},
        {"CRON_TZ=../../etc/passwd * * * * *", false},
        {"CRON_TZ=UTC", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (pd_cron_is_valid(cases[i].spec) != cases[i].valid)
            fail_msg("\"%s\" should be %s", cases[i].spec, cases[i].valid ? "valid" : "invalid");
    }
}

static void next_times(void **state)
{
    static const struct {
        const char *after, *spec, *expected;
    } cases[] = {
        {"2012-07-09T14:45:00", "0/15 * * * *", "2012-07-09T15:00:00"},
        {"2012-07-09T14:59:59", "0/15 * * * *", "2012-07-09T15:00:00"},
        {"2012-07-09T15:45:00", "20-35/15 * * * *", "2012-07-09T16:20:00"},
        {"2012-07-09T23:46:00", "*/15 * * * *", "2012-07-10T00:00:00"},
        {"2012-07-09T23:45:00", "20-35/15 * * * *", "2012-07-10T00:20:00"},
        {"2012-07-09T23:35:51", "0 0 9 Apr-Oct ?", "2012-08-09T00:00:00"},
        {"2012-07-09T23:35:00", "0 0 */5 Apr,Aug,Oct Mon", "2012-08-01T00:00:00"},
        {"2012-07-09T23:35:00", "0 0 * Feb Mon", "2013-02-04T00:00:00"},
        {"2012-12-31T23:59:45", "* * * * *", "2013-01-01T00:00:00"},
        {"2012-07-09T23:35:00", "0 0 29 Feb ?", "2016-02-29T00:00:00"},
        {"2012-07-09T23:35:00", "0 0 30 Feb ?", "never"},
        {"2012-07-09T23:35:00", "0 0 31 Apr ?", "never"},
        {"2012-07-15T00:00:00", "* * 15 * Sun", "2012-07-15T00:01:00"},
        {"2012-07-16T00:00:00", "0 0 15 * Sun", "2012-07-22T00:00:00"},
        {"2012-07-09T23:35:51", "@every 5m", "2012-07-09T23:40:51"},
        {"2012-07-09T23:35:51", "@every 1500ms", "2012-07-09T23:35:52"},
        {"2012-07-09T23:35:51", "@every 10ms", "2012-07-09T23:35:52"},
        {"2012-07-09T23:35:51", "@monthly", "2012-08-01T00:00:00"},
        {"2012-07-09T23:35:51", "@weekly", "2012-07-15T00:00:00"},
        {"2012-07-09T23:35:51", "@yearly", "2013-01-01T00:00:00"},
        /* Zones; a time that a clock change skips is passed over. */
        {"2024-03-30T03:00:00", "CRON_TZ=Europe/Berlin 30 2 * * *", "2024-04-01T00:30:00"},
        {"2024-07-01T00:00:00", "CRON_TZ=Europe/Berlin 0 3 * * *", "2024-07-01T01:00:00"},
        {"2024-12-01T00:00:00", "CRON_TZ=Europe/Berlin 0 3 * * *", "2024-12-01T02:00:00"},
        {"2024-01-15T12:00:00", "TZ=America/New_York 0 9 * * Mon-Fri", "2024-01-15T14:00:00"},
        {"2024-01-15T12:00:00", "TZ=Asia/Kolkata @daily", "2024-01-15T18:30:00"},
        /* Midnight does not exist on that day there. */
        {"2018-11-03T12:00:00", "CRON_TZ=America/Sao_Paulo 0 1 4 11 *", "2018-11-04T03:00:00"},
        /* Past the transitions that the file lists. */
        {"2060-07-01T00:00:00", "CRON_TZ=Europe/Berlin 0 3 * * *", "2060-07-01T01:00:00"},
        {"2060-12-01T00:00:00", "CRON_TZ=Europe/Berlin 0 3 * * *", "2060-12-01T02:00:00"},
        {"2060-07-01T00:00:00", "CRON_TZ=Australia/Sydney 0 3 * * *", "2060-07-01T17:00:00"},
        {"2060-12-01T00:00:00", "CRON_TZ=Australia/Sydney 0 3 * * *", "2060-12-01T16:00:00"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = utc_text(pd_cron_next_ns(cases[i].spec, utc_ns(cases[i].after)));

        if (strcmp(got, cases[i].expected) != 0)
            fail_msg("\"%s\" after %s is %s, should be %s", cases[i].spec, cases[i].after, got,
                     cases[i].expected);
    }
}

static void backoffs(void **state)
{
    static const struct {
        const char *spec, *scheduled, *now;
        int64_t now_extra_ns, expected_s;
    } cases[] = {
        {"0 10 * * *", "2018-12-17T08:00:00", "2018-12-17T08:00:00", 0, 7200},
        {"0 10 * * *", "2018-12-18T02:00:00", "2018-12-18T02:00:00", 0, 28800},
        {"@hourly", "2018-12-17T08:00:00", "2018-12-17T08:08:00", 0, 3120},
        {"* * * * *", "2018-12-17T08:08:18", "2018-12-17T08:08:18", 0, 42},
        {"0 * * * *", "2018-12-17T08:00:00", "2018-12-17T09:00:00", 0, 0},
        {"0 * * * *", "2018-12-17T08:00:00", "2018-12-17T09:00:00", 1, 3600},
        {"* */10 * * *", "2018-12-17T00:00:00", "2018-12-17T00:00:00", 0, 60},
        {"@every 5h", "2018-12-17T08:00:00", "2018-12-17T09:00:00", 0, 14400},
        {"@every 5h", "2018-12-17T08:00:00", "2018-12-18T00:00:00", 0, 14400},
        {"@every 3h", "2018-12-17T08:00:00", "2018-12-17T11:00:00", 0, 0},
        {"@every 1s", "2018-12-17T08:00:00", "2018-12-17T08:00:00", 300000000, 1},
        {"@every 1s", "2010-12-17T08:00:00", "2018-12-17T08:00:00", 300000000, 1},
        /* Not yet the time of this run. */
        {"@every 5m", "2018-12-17T08:10:00", "2018-12-17T08:00:00", 0, 600},
        {"invalid", "2018-12-17T08:00:00", "2018-12-17T08:00:00", 0, -1},
        {"0 0 30 Feb ?", "2018-12-17T08:00:00", "2018-12-17T08:00:00", 0, -1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ns = pd_cron_backoff_ns(cases[i].spec, utc_ns(cases[i].scheduled),
                                        utc_ns(cases[i].now) + cases[i].now_extra_ns);
        int64_t expected_ns = cases[i].expected_s < 0 ? -1 : cases[i].expected_s * SECOND_NS;

        if (ns != expected_ns)
            fail_msg("case %zu: \"%s\": %lld ns instead of %lld", i, cases[i].spec, (long long)ns,
                     (long long)expected_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validity),
        cmocka_unit_test(next_times),
        cmocka_unit_test(backoffs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
