#include "tests/unit/log/manual_loop.h"

#include "base/assert.h"

static void post(pd_loop_t *loop, pd_mail_t *mail)
{
    manual_loop_t *self = (manual_loop_t *)loop;

    mail->next = NULL;
    if (self->last)
        self->last->next = mail;
    else
        self->first = mail;
    self->last = mail;
}

static bool try_post(pd_loop_t *loop, pd_mail_t *mail)
{
    post(loop, mail);
    return true;
}

static int64_t now_ns(pd_loop_t *loop)
{
    return ((manual_loop_t *)loop)->now_ns;
}

static void timer_start(pd_loop_t *loop, pd_timer_t *timer, int64_t at_ns)
{
    pd_timer_heap_set(&((manual_loop_t *)loop)->timers, timer, at_ns);
}

static void timer_stop(pd_loop_t *loop, pd_timer_t *timer)
{
    pd_timer_heap_remove(&((manual_loop_t *)loop)->timers, timer);
}

static bool is_current(pd_loop_t *loop)
{
    return true;
}

static const pd_loop_ops_t ops = {
    .name = "manual",
    .post = post,
    .try_post = try_post,
    .now_ns = now_ns,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .is_current = is_current,
};

void manual_loop_init(manual_loop_t *self)
{
    *self = (manual_loop_t){.loop.ops = &ops, .now_ns = (int64_t)1000 * 1000000000};
    pd_timer_heap_init(&self->timers);
}

void manual_loop_deinit(manual_loop_t *self)
{
    PD_ASSERT(!self->first);
    pd_timer_heap_deinit(&self->timers);
}

bool manual_loop_step(manual_loop_t *self)
{
    pd_mail_t *mail = self->first;
    pd_timer_t *timer;

    if (mail) {
        self->first = mail->next;
        if (!self->first)
            self->last = NULL;
        mail->run(mail);
        return true;
    }
    timer = pd_timer_heap_first(&self->timers);
    if (!timer)
        return false;
    if (timer->at_ns > self->now_ns)
        self->now_ns = timer->at_ns;
    pd_timer_heap_remove(&self->timers, timer);
    timer->fire(timer);
    return true;
}

void manual_loop_run(manual_loop_t *self)
{
    while (manual_loop_step(self))
        ;
}
