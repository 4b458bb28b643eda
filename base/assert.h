/* assert.h -- assertions, on in production too: a broken invariant must not reach the log.
 * Bytes from outside are validated with error codes, never asserted. Thread: any. */
#ifndef PD_BASE_ASSERT_H
#define PD_BASE_ASSERT_H

/* Prints one line to stderr and aborts. */
_Noreturn void pd_assert_failed(const char *file, int line, const char *what);

#define PD_ASSERT(cond)                                                                            \
    (__builtin_expect(!!(cond), 1) ? (void)0 : pd_assert_failed(__FILE__, __LINE__, #cond))
#define PD_UNREACHABLE() pd_assert_failed(__FILE__, __LINE__, "unreachable")

#define PD_ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PD_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
