/* sim_turn.h -- a turn of a loop on a stack of its own, so that it can stand still in its midst.
 *
 * Thread: one. Ownership: owns its stack. */
#ifndef PD_TESTS_SIM_SIM_TURN_H
#define PD_TESTS_SIM_SIM_TURN_H

#include <stdbool.h>

typedef struct sim_turn sim_turn_t;

sim_turn_t *sim_turn_new(void (*run)(void *ctx), void *ctx);
/* No turn may stand still. NULL: nothing. */
void sim_turn_free(sim_turn_t *turn);
/* Begins a turn, or goes on with the one that stands still, until it ends or stands still. */
void sim_turn_go(sim_turn_t *turn);
/* From within: stands still; returns when it is gone on with. */
void sim_turn_halt(sim_turn_t *turn);
bool sim_turn_halted(const sim_turn_t *turn);

#endif
