/* diag_capture.h -- what diagnostics say: they go to stderr, which is led into a file meanwhile.
 * Of one place no more than a few lines a second are printed (base/diag.h), by the real clock.
 * Thread: one capture at a time; everything that writes to stderr is captured. */
#ifndef PD_TESTS_UNIT_DIAG_DIAG_CAPTURE_H
#define PD_TESTS_UNIT_DIAG_DIAG_CAPTURE_H

#include <stddef.h>

/* Waits for the next second, so that lines of before do not count against those to come. */
void diag_capture_begin(void);
/* So far, of a line with this level and event, such as "WARN superseded". */
size_t diag_capture_count(const char *event);
/* Of the newest such line; "": there is none. Valid until the next call. */
const char *diag_capture_line(const char *event);
/* Stderr is what it was; it gets what was captured, too. Harmless when none is under way. */
void diag_capture_end(void);

#endif
