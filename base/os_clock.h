/* os_clock.h -- the operating system's clocks and entropy. Only loops, main and tests ask them; all
 * other code gets time and randomness as arguments. Thread: any. */
#ifndef PD_BASE_OS_CLOCK_H
#define PD_BASE_OS_CLOCK_H

#include <stdint.h>

int64_t pd_os_wall_ns(void);       /* ns since 1970 */
int64_t pd_os_monotonic_ns(void);  /* ns since some point, never going back */
int64_t pd_os_thread_cpu_ns(void); /* of CPU time that the calling thread has used */
uint64_t pd_os_entropy(void);      /* 64 unpredictable bits */

#endif
