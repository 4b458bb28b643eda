/* status.h -- result codes and errors of everything below the API.
 *
 * Three classes (see pd_status_class): *rejected* concerns one request and is told to its sender;
 * *retriable* goes away by itself (back off and repeat); *fatal* stops the partition or process.
 * Thread: any. Ownership: pd_error_t belongs to the caller and holds its text by value. */
#ifndef PD_BASE_STATUS_H
#define PD_BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>

/* Append-only: the numbers appear in diagnostics. */
typedef enum pd_status {
    PD_OK = 0,
    PD_INVALID = 1,         /* rejected: malformed or out of range */
    PD_LIMIT = 2,           /* rejected: a bound of base/bounds.h or of an options struct */
    PD_NOT_FOUND = 3,       /* rejected */
    PD_EXISTS = 4,          /* rejected */
    PD_CANCELED = 5,        /* rejected: the caller went away */
    PD_TIMEOUT = 6,         /* rejected: the caller's deadline */
    PD_UNAVAILABLE = 7,     /* retriable: not reachable or not ready now */
    PD_BUSY = 8,            /* retriable: a queue is full */
    PD_UNKNOWN_OUTCOME = 9, /* retriable: an append may or may not have happened */
    PD_FENCED = 10,         /* fatal for the owner: a newer epoch exists */
    PD_CORRUPT = 11,        /* fatal: stored bytes are not what was written */
    PD_IO = 12,             /* fatal: disk, broker or operating system refused */
    PD_LOCKED = 13,         /* fatal: another process holds the data directory */
} pd_status_t;

typedef enum pd_status_class {
    PD_CLASS_OK,
    PD_CLASS_REJECTED,
    PD_CLASS_RETRIABLE,
    PD_CLASS_FATAL,
} pd_status_class_t;

enum { PD_ERROR_TEXT_SIZE = 512 };

typedef struct pd_error {
    pd_status_t status;
    char text[PD_ERROR_TEXT_SIZE]; /* one sentence, NUL-terminated, cut when too long */
} pd_error_t;

#define PD_MUST_USE __attribute__((warn_unused_result))
#define PD_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Stable upper-case name, e.g. "UNAVAILABLE". @thread any */
const char *pd_status_name(pd_status_t status);
/* @thread any */
pd_status_class_t pd_status_class(pd_status_t status);

/* Fills *error (may be NULL) and returns `status`, so that `return pd_error_set(...)` reads well.
 * @thread any */
pd_status_t pd_error_set(pd_error_t *error, pd_status_t status, const char *format, ...)
    PD_PRINTF(3, 4);

/* Leaves the enclosing function when `expr` is not PD_OK. Only where nothing needs cleaning up. */
#define PD_TRY(expr)                                                                               \
    do {                                                                                           \
        pd_status_t pd_try_status_ = (expr);                                                       \
        if (pd_try_status_ != PD_OK)                                                               \
            return pd_try_status_;                                                                 \
    } while (0)

#endif
