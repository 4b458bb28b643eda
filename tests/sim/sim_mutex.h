/* sim_mutex.h -- whether a mutex is held. A thread may well be preempted with one in hand; in the
 * simulation, whoever wants it would wait for ever, on the one thread that there is.
 *
 * Thread: any; each has its own count. */
#ifndef PD_TESTS_SIM_SIM_MUTEX_H
#define PD_TESTS_SIM_SIM_MUTEX_H

#include <stdbool.h>

bool sim_mutex_none_held(void);

#endif
