/* manual_loop.h -- a loop whose clock the test moves: mail first, then the earliest timer.
 * Thread: the test's. */
#ifndef PD_TESTS_UNIT_LOG_MANUAL_LOOP_H
#define PD_TESTS_UNIT_LOG_MANUAL_LOOP_H

#include "base/loop.h"
#include "base/timer_heap.h"

typedef struct manual_loop {
    pd_loop_t loop; /* first: converts */
    pd_timer_heap_t timers;
    pd_mail_t *first;
    pd_mail_t *last;
    int64_t now_ns;
} manual_loop_t;

void manual_loop_init(manual_loop_t *self);
void manual_loop_deinit(manual_loop_t *self);
/* Runs one mail, or moves the clock to the next timer and fires it. False: nothing left to do. */
bool manual_loop_step(manual_loop_t *self);
void manual_loop_run(manual_loop_t *self);

#endif
