/* sim_mutex.h -- whether a mutex is held. Nobody may post with one in hand: whoever gets the mail,
 * or the processor instead, may want it at once, and would wait until the poster's turn comes
 * again.
 *
 * Thread: any; each has its own count. */
#ifndef PD_TESTS_SIM_SIM_MUTEX_H
#define PD_TESTS_SIM_SIM_MUTEX_H

#include <stdbool.h>

bool sim_mutex_none_held(void);

#endif
