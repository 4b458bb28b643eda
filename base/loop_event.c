#include "base/loop_event.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/os_clock.h"
#include "base/timer_heap.h"

struct pd_loop_event {
    pd_loop_t loop; /* first: pd_loop_t* and pd_loop_event_t* convert */
    struct event_base *base;
    struct event *wakeup_event;
    struct event *timer_event;
    int wakeup_fd;
    char name[16];
    pthread_t thread;
    bool threaded;
    _Atomic(pthread_t) runner;  /* the thread inside the loop, 0 when none */
    _Atomic(pd_mail_t *) inbox; /* newest first */
    _Atomic(uint32_t) inbox_count;
    pd_mail_t *own_first, **own_last; /* posted by the loop's own thread, oldest first */
    bool own_scheduled;
    uint32_t mailbox_count;
    pd_timer_heap_t timers;
    int64_t armed_at_ns; /* what timer_event is set to; INT64_MAX: not set */
    int64_t now_ns;
    pd_mail_t stop_mail;
};

static pd_loop_event_t *self_of(pd_loop_t *loop)
{
    return (pd_loop_event_t *)loop;
}

/* The clock a turn sees. When the wall clock steps back, time stands still instead. */
static void refresh_now(pd_loop_event_t *self)
{
    int64_t now_ns = pd_os_wall_ns();

    if (now_ns > self->now_ns)
        self->now_ns = now_ns;
}

/* Mail from the loop to itself: neither atomics nor system calls. */
static void push_own(pd_loop_event_t *self, pd_mail_t *mail)
{
    mail->next = NULL;
    *self->own_last = mail;
    self->own_last = &mail->next;
    if (!self->own_scheduled) {
        self->own_scheduled = true;
        event_active(self->wakeup_event, EV_TIMEOUT, 0);
    }
}

static void push(pd_loop_event_t *self, pd_mail_t *mail)
{
    pd_mail_t *head = atomic_load_explicit(&self->inbox, memory_order_relaxed);
    pthread_t runner = atomic_load_explicit(&self->runner, memory_order_relaxed);

    if (runner && pthread_equal(runner, pthread_self())) {
        push_own(self, mail);
        return;
    }
    do {
        mail->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&self->inbox, &head, mail, memory_order_release,
                                                    memory_order_relaxed));
    if (!head) {
        uint64_t one = 1;
        ssize_t written = write(self->wakeup_fd, &one, sizeof(one));

        PD_ASSERT(written == (ssize_t)sizeof(one) || errno == EAGAIN);
    }
}

static void loop_post(pd_loop_t *loop, pd_mail_t *mail)
{
    pd_loop_event_t *self = self_of(loop);

    atomic_fetch_add_explicit(&self->inbox_count, 1, memory_order_relaxed);
    push(self, mail);
}

static bool loop_try_post(pd_loop_t *loop, pd_mail_t *mail)
{
    pd_loop_event_t *self = self_of(loop);
    uint32_t before = atomic_fetch_add_explicit(&self->inbox_count, 1, memory_order_relaxed);

    if (before >= self->mailbox_count) {
        atomic_fetch_sub_explicit(&self->inbox_count, 1, memory_order_relaxed);
        return false;
    }
    push(self, mail);
    return true;
}

uint32_t pd_loop_event_mail_count(const pd_loop_event_t *self)
{
    return atomic_load_explicit(&self->inbox_count, memory_order_relaxed);
}

static int64_t loop_now_ns(pd_loop_t *loop)
{
    return self_of(loop)->now_ns;
}

static void arm(pd_loop_event_t *self)
{
    pd_timer_t *first = pd_timer_heap_first(&self->timers);
    struct timeval wait;
    int64_t wait_ns;

    if (!first || first->at_ns == self->armed_at_ns)
        return;
    self->armed_at_ns = first->at_ns;
    wait_ns = first->at_ns - pd_os_wall_ns();
    if (wait_ns < 0)
        wait_ns = 0;
    if (wait_ns > (int64_t)60 * 1000000000) /* look again now and then: the wall clock may step */
        wait_ns = (int64_t)60 * 1000000000;
    wait.tv_sec = wait_ns / 1000000000;
    wait.tv_usec = (wait_ns % 1000000000 + 999) / 1000;
    PD_ASSERT(evtimer_add(self->timer_event, &wait) == 0);
}

static void loop_timer_start(pd_loop_t *loop, pd_timer_t *timer, int64_t at_ns)
{
    pd_loop_event_t *self = self_of(loop);

    pd_timer_heap_set(&self->timers, timer, at_ns);
    if (at_ns < self->armed_at_ns)
        arm(self);
}

static void loop_timer_stop(pd_loop_t *loop, pd_timer_t *timer)
{
    pd_timer_heap_remove(&self_of(loop)->timers, timer);
}

static bool loop_is_current(pd_loop_t *loop)
{
    pthread_t runner = atomic_load(&self_of(loop)->runner);

    return !runner || pthread_equal(runner, pthread_self());
}

static const pd_loop_ops_t ops = {
    .name = "event",
    .post = loop_post,
    .try_post = loop_try_post,
    .now_ns = loop_now_ns,
    .timer_start = loop_timer_start,
    .timer_stop = loop_timer_stop,
    .is_current = loop_is_current,
};

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    pd_loop_event_t *self = ctx;
    pd_timer_t *first;

    self->armed_at_ns = INT64_MAX;
    refresh_now(self);
    while ((first = pd_timer_heap_first(&self->timers)) && first->at_ns <= self->now_ns) {
        pd_timer_heap_remove(&self->timers, first);
        first->fire(first);
    }
    arm(self);
}

/* What other threads have posted, oldest first. */
static pd_mail_t *take_inbox(pd_loop_event_t *self)
{
    pd_mail_t *mail = atomic_exchange_explicit(&self->inbox, NULL, memory_order_acquire);
    pd_mail_t *ordered = NULL;

    while (mail) {
        pd_mail_t *next = mail->next;

        mail->next = ordered;
        ordered = mail;
        mail = next;
    }
    return ordered;
}

static uint32_t run_mail(pd_mail_t *mail)
{
    uint32_t count = 0;

    while (mail) {
        pd_mail_t *next = mail->next;

        mail->run(mail);
        mail = next;
        count++;
    }
    return count;
}

static pd_mail_t *take_own(pd_loop_event_t *self)
{
    pd_mail_t *mail = self->own_first;

    self->own_first = NULL;
    self->own_last = &self->own_first;
    return mail;
}

static void on_wakeup(evutil_socket_t fd, short what, void *ctx)
{
    enum { OWN_ROUNDS = 16 }; /* then sockets and timers get their turn */
    pd_loop_event_t *self = ctx;
    uint64_t count;
    uint32_t taken = 0;

    refresh_now(self);
    if (what & EV_READ) {
        /* Clear the eventfd before taking the mail: a post in between wakes us once more, only. */
        if (read(self->wakeup_fd, &count, sizeof(count)) < 0)
            PD_ASSERT(errno == EAGAIN);
        taken += run_mail(take_inbox(self));
    }
    self->own_scheduled = true;
    for (int round = 0; self->own_first && round < OWN_ROUNDS; round++)
        taken += run_mail(take_own(self));
    self->own_scheduled = self->own_first != NULL;
    if (self->own_scheduled)
        event_active(self->wakeup_event, EV_TIMEOUT, 0);
    atomic_fetch_sub_explicit(&self->inbox_count, taken, memory_order_relaxed);
}

pd_loop_event_t *pd_loop_event_new(const pd_loop_event_options_t *options)
{
    pd_loop_event_t *self = PD_NEW(pd_loop_event_t);

    self->loop.ops = &ops;
    self->mailbox_count = options->mailbox_count;
    snprintf(self->name, sizeof(self->name), "%s", options->name);
    self->wakeup_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    PD_ASSERT(self->wakeup_fd >= 0);
    self->base = event_base_new();
    PD_ASSERT(self->base);
    self->wakeup_event =
        event_new(self->base, self->wakeup_fd, EV_READ | EV_PERSIST, on_wakeup, self);
    PD_ASSERT(self->wakeup_event && event_add(self->wakeup_event, NULL) == 0);
    self->timer_event = evtimer_new(self->base, on_timer, self);
    PD_ASSERT(self->timer_event);
    self->own_last = &self->own_first;
    self->armed_at_ns = INT64_MAX;
    pd_timer_heap_init(&self->timers);
    refresh_now(self);
    return self;
}

void pd_loop_event_free(pd_loop_event_t *self)
{
    if (!self)
        return;
    PD_ASSERT(!self->threaded);
    event_free(self->timer_event);
    event_free(self->wakeup_event);
    event_base_free(self->base);
    close(self->wakeup_fd);
    pd_timer_heap_deinit(&self->timers);
    pd_free(self);
}

void pd_loop_event_run(pd_loop_event_t *self)
{
    atomic_store(&self->runner, pthread_self());
    refresh_now(self);
    PD_ASSERT(event_base_loop(self->base, EVLOOP_NO_EXIT_ON_EMPTY) >= 0);
    atomic_store(&self->runner, (pthread_t)0);
}

static void *thread_main(void *ctx)
{
    pd_loop_event_t *self = ctx;

    pthread_setname_np(pthread_self(), self->name);
    pd_loop_event_run(self);
    return NULL;
}

void pd_loop_event_start(pd_loop_event_t *self)
{
    PD_ASSERT(!self->threaded);
    self->threaded = true;
    PD_ASSERT(pthread_create(&self->thread, NULL, thread_main, self) == 0);
}

static void run_stop(pd_mail_t *mail)
{
    pd_loop_event_break(PD_CONTAINER_OF(mail, pd_loop_event_t, stop_mail));
}

void pd_loop_event_stop(pd_loop_event_t *self)
{
    PD_ASSERT(self->threaded);
    self->stop_mail.run = run_stop;
    pd_loop_post(&self->loop, &self->stop_mail);
    PD_ASSERT(pthread_join(self->thread, NULL) == 0);
    self->threaded = false;
}

void pd_loop_event_break(pd_loop_event_t *self)
{
    PD_ASSERT(event_base_loopbreak(self->base) == 0);
}

pd_loop_t *pd_loop_event_loop(pd_loop_event_t *self)
{
    return &self->loop;
}

int64_t pd_loop_event_refresh_ns(pd_loop_event_t *self)
{
    refresh_now(self);
    return self->now_ns;
}

struct event_base *pd_loop_event_base(pd_loop_event_t *self)
{
    return self->base;
}
