/* diag.h -- diagnostics: one structured line per event, to stderr or a sink.
 *
 * `event` is a short stable phrase; `fields` are key=value pairs. Lines of one event at one place
 * beyond a handful per second are counted instead of printed, and the count is told later.
 * Thread: any. */
#ifndef PD_BASE_DIAG_H
#define PD_BASE_DIAG_H

#include "base/status.h"

typedef enum pd_diag_level {
    PD_DIAG_DEBUG,
    PD_DIAG_INFO,
    PD_DIAG_WARN,
    PD_DIAG_ERROR,
} pd_diag_level_t;

/* Lines below `level` are dropped. Default: INFO. */
void pd_diag_set_level(pd_diag_level_t level);

/* One per place; use the macros. */
typedef struct pd_diag_site {
    long long window_s;
    unsigned printed_count;
    unsigned dropped_count;
} pd_diag_site_t;

void pd_diag_write(pd_diag_site_t *site, pd_diag_level_t level, const char *event,
                   const char *format, ...) PD_PRINTF(4, 5);

#define PD_DIAG(level, event, ...)                                                                 \
    do {                                                                                           \
        static pd_diag_site_t pd_diag_site_;                                                       \
        pd_diag_write(&pd_diag_site_, (level), (event), __VA_ARGS__);                              \
    } while (0)

#endif
