#include "tests/sim/sim_loop.h"

#include <string.h>

#include "base/assert.h"

/* Mostly for some steps of the others, now and then for longer than many things take. */
static int64_t draw_preemption_ns(sim_loops_t *all)
{
    uint64_t what = pd_random_below(&all->preemptions, 100);
    uint64_t bound_ns = what < 60 ? 200000 : what < 90 ? 1000000 : 50000000;

    return (int64_t)pd_random_below(&all->preemptions, bound_ns);
}

/* The turn that posts may stand still here, as a thread may that the system takes off its core,
 * while whoever got the mail is already at work. */
static void preempt_perhaps(sim_loops_t *all)
{
    sim_loop_t *self = all->current;

    if (!all->in_turn || all->whole ||
        !pd_random_chance(&all->preemptions, all->preempt_ppm, 1000000))
        return;
    self->preempted_until_ns = all->now_ns + draw_preemption_ns(all);
    sim_turn_halt(self->turn);
}

static void enqueue(sim_loop_t *self, pd_mail_t *mail)
{
    mail->next = NULL;
    if (self->last)
        self->last->next = mail;
    else
        self->first = mail;
    self->last = mail;
}

static void post(pd_loop_t *loop, pd_mail_t *mail)
{
    sim_loop_t *self = (sim_loop_t *)loop;

    PD_ASSERT(!self->all->may_post || self->all->may_post());
    enqueue(self, mail);
    preempt_perhaps(self->all);
}

void sim_loops_post_whole(pd_loop_t *loop, pd_mail_t *mail)
{
    enqueue((sim_loop_t *)loop, mail);
}

static bool try_post(pd_loop_t *loop, pd_mail_t *mail)
{
    sim_loops_t *all = ((sim_loop_t *)loop)->all;

    if (all->full_ppm && pd_random_chance(&all->random, all->full_ppm, 1000000))
        return false;
    post(loop, mail);
    return true;
}

static int64_t now_ns(pd_loop_t *loop)
{
    return ((sim_loop_t *)loop)->all->now_ns + ((sim_loop_t *)loop)->skew_ns;
}

static void timer_start(pd_loop_t *loop, pd_timer_t *timer, int64_t at_ns)
{
    pd_timer_heap_set(&((sim_loop_t *)loop)->timers, timer, at_ns);
}

static void timer_stop(pd_loop_t *loop, pd_timer_t *timer)
{
    pd_timer_heap_remove(&((sim_loop_t *)loop)->timers, timer);
}

static bool is_current(pd_loop_t *loop)
{
    sim_loops_t *all = ((sim_loop_t *)loop)->all;

    return !all->current || &all->current->loop == loop;
}

static const pd_loop_ops_t ops = {
    .name = "sim",
    .post = post,
    .try_post = try_post,
    .now_ns = now_ns,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .is_current = is_current,
};

void sim_loops_init(sim_loops_t *loops, uint64_t seed, uint32_t count, int64_t start_ns)
{
    PD_ASSERT(count <= SIM_LOOP_COUNT_MAX);
    memset(loops, 0, sizeof(*loops));
    loops->count = count;
    loops->now_ns = start_ns;
    pd_random_init(&loops->random, seed);
    for (uint32_t i = 0; i < count; i++) {
        loops->items[i].loop.ops = &ops;
        loops->items[i].all = loops;
        pd_timer_heap_init(&loops->items[i].timers);
    }
}

void sim_loops_preempt(sim_loops_t *loops, uint64_t seed, uint32_t first)
{
    PD_ASSERT(first < loops->count);
    pd_random_init(&loops->preemptions, seed);
    loops->preempt_first = first;
    loops->preempt_ppm = 1000 + (uint32_t)pd_random_below(&loops->preemptions, 100000);
}

void sim_loops_deinit(sim_loops_t *loops)
{
    for (uint32_t i = 0; i < loops->count; i++) {
        PD_ASSERT(!loops->items[i].first);
        pd_timer_heap_deinit(&loops->items[i].timers);
        sim_turn_free(loops->items[i].turn);
    }
}

pd_loop_t *sim_loops_at(sim_loops_t *loops, uint32_t index)
{
    PD_ASSERT(index < loops->count);
    return &loops->items[index].loop;
}

static void run_mail(sim_loop_t *self)
{
    pd_mail_t *mail = self->first;

    self->first = mail->next;
    if (!self->first)
        self->last = NULL;
    mail->run(mail);
}

static pd_timer_t *due_timer(const sim_loop_t *self)
{
    pd_timer_t *timer = pd_timer_heap_first(&self->timers);

    return timer && timer->at_ns - self->skew_ns <= self->all->now_ns ? timer : NULL;
}

static void run_turn(void *ctx)
{
    sim_loop_t *self = ctx;
    pd_timer_t *timer = due_timer(self);

    if (self->first && (!timer || pd_random_below(&self->all->random, 2))) {
        run_mail(self);
    } else {
        pd_timer_heap_remove(&self->timers, timer);
        timer->fire(timer);
    }
}

static bool is_preemptible(const sim_loop_t *self)
{
    const sim_loops_t *all = self->all;

    return all->preempt_ppm && self >= &all->items[all->preempt_first];
}

/* A turn, or what is left of the one that was preempted. */
static void run_one(sim_loop_t *self)
{
    sim_loops_t *all = self->all;

    all->current = self;
    all->step_count++;
    if (is_preemptible(self)) {
        if (!self->turn)
            self->turn = sim_turn_new(run_turn, self);
        all->in_turn = true;
        sim_turn_go(self->turn);
        all->in_turn = false;
    } else {
        run_turn(self);
    }
    all->current = NULL;
}

void sim_loops_finish_turns(sim_loops_t *loops)
{
    PD_ASSERT(!loops->in_turn);
    loops->whole = true;
    for (uint32_t i = 0; i < loops->count; i++) {
        if (sim_turn_halted(loops->items[i].turn))
            run_one(&loops->items[i]);
    }
    loops->whole = false;
}

static sim_loop_t *choose(sim_loops_t *loops, bool stuck_too)
{
    sim_loop_t *runnable[SIM_LOOP_COUNT_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < loops->count; i++) {
        sim_loop_t *self = &loops->items[i];

        if (!stuck_too && self->stuck_until_ns > loops->now_ns)
            continue;
        if (sim_turn_halted(self->turn) ? self->preempted_until_ns <= loops->now_ns
                                        : self->first || due_timer(self))
            runnable[count++] = self;
    }
    return count ? runnable[pd_random_below(&loops->random, count)] : NULL;
}

bool sim_loops_step_now(sim_loops_t *loops)
{
    sim_loop_t *self;

    sim_loops_finish_turns(loops);
    self = choose(loops, true);
    loops->whole = true;
    if (self)
        run_one(self);
    loops->whole = false;
    return self;
}

bool sim_loop_hurry(sim_loops_t *loops, uint32_t index)
{
    sim_loop_t *self = &loops->items[index];
    pd_timer_t *timer = pd_timer_heap_first(&self->timers);

    if (!timer)
        return false;
    pd_timer_heap_remove(&self->timers, timer);
    loops->current = self;
    timer->fire(timer);
    loops->current = NULL;
    return true;
}

/* When something will be to do on this loop, nothing being so now. */
static int64_t next_ns(const sim_loop_t *self)
{
    const pd_timer_t *timer = pd_timer_heap_first(&self->timers);
    int64_t at_ns = sim_turn_halted(self->turn) ? self->preempted_until_ns
                    : self->first               ? self->all->now_ns
                    : timer                     ? timer->at_ns - self->skew_ns
                                                : INT64_MAX;

    return at_ns < self->stuck_until_ns ? self->stuck_until_ns : at_ns;
}

bool sim_loops_step(sim_loops_t *loops)
{
    sim_loop_t *self = choose(loops, false);
    int64_t at_ns = INT64_MAX;

    if (self) {
        run_one(self);
        loops->now_ns += (int64_t)pd_random_below(&loops->random, 20000);
        return true;
    }
    for (uint32_t i = 0; i < loops->count; i++) {
        int64_t candidate_ns = next_ns(&loops->items[i]);

        if (candidate_ns < at_ns)
            at_ns = candidate_ns;
    }
    if (at_ns == INT64_MAX)
        return false;
    PD_ASSERT(at_ns > loops->now_ns);
    loops->now_ns = at_ns;
    return true;
}

bool sim_loop_idle(const sim_loops_t *loops, uint32_t index)
{
    return !loops->items[index].first && !sim_turn_halted(loops->items[index].turn) &&
           loops->items[index].timers.count == 0;
}

void sim_loop_skew(sim_loops_t *loops, uint32_t index, int64_t skew_ns)
{
    loops->items[index].skew_ns = skew_ns;
}

void sim_loop_stick(sim_loops_t *loops, uint32_t index, int64_t for_ns)
{
    loops->items[index].stuck_until_ns = loops->now_ns + for_ns;
}
