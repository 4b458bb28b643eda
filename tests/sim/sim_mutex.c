/* sim_mutex.c -- told by the linker (--wrap). */
#include "tests/sim/sim_mutex.h"

#include <pthread.h>

static _Thread_local unsigned held_count;

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    held_count++;
    return __real_pthread_mutex_lock(mutex);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    held_count--;
    return __real_pthread_mutex_unlock(mutex);
}

bool sim_mutex_none_held(void)
{
    return held_count == 0;
}
