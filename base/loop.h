/* loop.h -- an event loop as the rest of the server sees it: mail, timers, the clock.
 *
 * Everything that runs belongs to one loop. Another thread reaches it only by posting mail: an
 * intrusive node with a function, run once, in order of posting, on the loop's thread. The
 * production loop (base/loop_event.h) is libevent; the simulator has its own, whose clock it moves.
 *
 * Thread: pd_loop_post, pd_loop_try_post: any. Everything else: the loop's own.
 * Ownership: mail and timers are embedded in the caller's objects and borrowed until they ran, or
 * the timer was stopped. */
#ifndef PD_BASE_LOOP_H
#define PD_BASE_LOOP_H

#include <stdint.h>

#include "base/status.h"

typedef struct pd_loop pd_loop_t;
typedef struct pd_mail pd_mail_t;
typedef struct pd_timer pd_timer_t;

struct pd_mail {
    pd_mail_t *next;
    void (*run)(pd_mail_t *mail); /* may free or repost the mail */
};

struct pd_timer {
    int64_t at_ns; /* wall clock, ns since 1970 */
    void (*fire)(pd_timer_t *timer);
    uint32_t heap_index; /* of the loop; 0: not armed */
};

typedef struct pd_loop_ops {
    const char *name;
    void (*post)(pd_loop_t *loop, pd_mail_t *mail);
    bool (*try_post)(pd_loop_t *loop, pd_mail_t *mail);
    int64_t (*now_ns)(pd_loop_t *loop);
    void (*timer_start)(pd_loop_t *loop, pd_timer_t *timer, int64_t at_ns);
    void (*timer_stop)(pd_loop_t *loop, pd_timer_t *timer);
    bool (*is_current)(pd_loop_t *loop);
} pd_loop_ops_t;

struct pd_loop {
    const pd_loop_ops_t *ops;
};

/* For messages inside the server, whose number is bounded by what they belong to. Never fails.
 * @thread any */
static inline void pd_loop_post(pd_loop_t *loop, pd_mail_t *mail)
{
    loop->ops->post(loop, mail);
}

/* For new work from outside: false when the loop's mailbox is full (the mail was not taken).
 * @thread any */
static inline bool pd_loop_try_post(pd_loop_t *loop, pd_mail_t *mail) PD_MUST_USE;
static inline bool pd_loop_try_post(pd_loop_t *loop, pd_mail_t *mail)
{
    return loop->ops->try_post(loop, mail);
}

/* Wall clock in ns since 1970, read once per turn of the loop, never going back within a process.
 * @thread loop */
static inline int64_t pd_loop_now_ns(pd_loop_t *loop)
{
    return loop->ops->now_ns(loop);
}

/* Fires once at or after at_ns; starting an armed timer moves it. @thread loop */
static inline void pd_loop_timer_start(pd_loop_t *loop, pd_timer_t *timer, int64_t at_ns)
{
    loop->ops->timer_start(loop, timer, at_ns);
}

/* Harmless when not armed. @thread loop */
static inline void pd_loop_timer_stop(pd_loop_t *loop, pd_timer_t *timer)
{
    loop->ops->timer_stop(loop, timer);
}

/* Is the caller on the loop's thread? For assertions. @thread any */
static inline bool pd_loop_is_current(pd_loop_t *loop)
{
    return loop->ops->is_current(loop);
}

#define PD_ASSERT_LOOP(loop) PD_ASSERT(pd_loop_is_current(loop))

#endif
