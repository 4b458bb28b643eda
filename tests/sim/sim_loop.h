/* sim_loop.h -- several event loops on one thread, under one simulated clock.
 *
 * Mail is run one at a time, the next from a loop that the seed chooses; so two loops interleave in
 * every order that threads could, yet a run repeats from its seed. When nothing is to be run now,
 * the clock jumps to the next timer. A loop can be stuck for a while: nothing of it runs, as if its
 * thread had been paused.
 *
 * On demand (sim_loops_preempt) a turn, which is one mail or timer, may stand still where it posts,
 * and goes on later: what the system does to a thread between two posts.
 *
 * Thread: one. Ownership: mail and timers are borrowed, as always (base/loop.h). */
#ifndef PD_TESTS_SIM_SIM_LOOP_H
#define PD_TESTS_SIM_SIM_LOOP_H

#include "base/loop.h"
#include "base/random.h"
#include "base/timer_heap.h"
#include "tests/sim/sim_turn.h"

enum { SIM_LOOP_COUNT_MAX = 20 };

typedef struct sim_loops sim_loops_t;

typedef struct sim_loop {
    pd_loop_t loop; /* first: converts */
    sim_loops_t *all;
    pd_mail_t *first, *last;
    pd_timer_heap_t timers;
    int64_t stuck_until_ns;
    sim_turn_t *turn;           /* NULL: none of its turns could be preempted so far */
    int64_t preempted_until_ns; /* when its turn stands still */
    int64_t skew_ns;            /* its clock is ahead by so much */
} sim_loop_t;

struct sim_loops {
    sim_loop_t items[SIM_LOOP_COUNT_MAX];
    uint32_t count;
    int64_t now_ns;
    pd_random_t random;
    sim_loop_t *current; /* NULL: the caller may pose as any of them */
    uint64_t step_count;
    uint32_t full_ppm;       /* a mailbox is full for new work */
    pd_random_t preemptions; /* dice of their own: without them a seed means what it always did */
    uint32_t preempt_ppm;    /* of the posts of turns; 0: turns are run whole */
    uint32_t preempt_first;  /* loops from this one on */
    bool (*may_post)(void);  /* asserted; NULL: always */
    bool in_turn;            /* that can be preempted */
    bool whole;              /* … but not now */
};

void sim_loops_init(sim_loops_t *loops, uint64_t seed, uint32_t count, int64_t now_ns);
/* All mail must have been run. */
void sim_loops_deinit(sim_loops_t *loops);
/* From now on turns of the loops from the first on can be preempted where they post. */
void sim_loops_preempt(sim_loops_t *loops, uint64_t seed, uint32_t first);
/* For the world's own mail, which is no work of a server's thread: no turn stands still at it. */
void sim_loops_post_whole(pd_loop_t *loop, pd_mail_t *mail);
/* Between steps: runs what is left of preempted turns, stuck loops included; the clock stands. For
 * whoever looks at what loops own, or ends it. (A crash may end a thread in the midst of a turn; a
 * moment later is as good: what its posts set off is lost all the same.) */
void sim_loops_finish_turns(sim_loops_t *loops);
pd_loop_t *sim_loops_at(sim_loops_t *loops, uint32_t index);
/* Runs one mail or timer, or lets the clock jump. False: nothing is left. */
bool sim_loops_step(sim_loops_t *loops);
/* Runs one mail or timer that is due, whole, stuck loops included; the clock stands. False: none
 * is. */
bool sim_loops_step_now(sim_loops_t *loops);
/* Fires the loop's next timer before its time; the clock stands. False: it has none. */
bool sim_loop_hurry(sim_loops_t *loops, uint32_t index);
bool sim_loop_idle(const sim_loops_t *loops, uint32_t index);
/* From now on; its timers keep the times that they were set to. */
void sim_loop_skew(sim_loops_t *loops, uint32_t index, int64_t skew_ns);
void sim_loop_stick(sim_loops_t *loops, uint32_t index, int64_t for_ns);

#endif
