/* loop_event.h -- the production loop: one thread, libevent, a mailbox with an eventfd.
 * Thread: _new, _free, _start, _stop: the thread that made it (main). The rest as in loop.h. */
#ifndef PD_BASE_LOOP_EVENT_H
#define PD_BASE_LOOP_EVENT_H

#include "base/loop.h"

struct event_base;

typedef struct pd_loop_event pd_loop_event_t;

typedef struct pd_loop_event_options {
    const char *name;       /* thread name, at most 15 characters */
    uint32_t mailbox_count; /* what pd_loop_try_post may have waiting */
} pd_loop_event_options_t;

pd_loop_event_t *pd_loop_event_new(const pd_loop_event_options_t *options);
/* The loop must be stopped. */
void pd_loop_event_free(pd_loop_event_t *self);
/* Starts the thread. Anything may be posted before. */
void pd_loop_event_start(pd_loop_event_t *self);
/* Runs what has been posted before, then ends the thread and joins it. */
void pd_loop_event_stop(pd_loop_event_t *self);
/* Runs the loop on the calling thread instead, until pd_loop_event_break. */
void pd_loop_event_run(pd_loop_event_t *self);
/* Mail that waits. @thread any */
uint32_t pd_loop_event_mail_count(const pd_loop_event_t *self);
/* @thread loop */
void pd_loop_event_break(pd_loop_event_t *self);

pd_loop_t *pd_loop_event_loop(pd_loop_event_t *self);
/* Reads the clock anew: the first thing an I/O callback does, since only mail and timers begin with
 * a fresh clock by themselves. Returns it. @thread loop */
int64_t pd_loop_event_refresh_ns(pd_loop_event_t *self);
/* For bufferevents and signals. Borrowed. @thread loop */
struct event_base *pd_loop_event_base(pd_loop_event_t *self);

#endif
