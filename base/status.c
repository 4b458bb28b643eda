#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *pd_status_name(pd_status_t status)
{
    switch (status) {
    case PD_OK:
        return "OK";
    case PD_INVALID:
        return "INVALID";
    case PD_LIMIT:
        return "LIMIT";
    case PD_NOT_FOUND:
        return "NOT_FOUND";
    case PD_EXISTS:
        return "EXISTS";
    case PD_CANCELED:
        return "CANCELED";
    case PD_TIMEOUT:
        return "TIMEOUT";
    case PD_UNAVAILABLE:
        return "UNAVAILABLE";
    case PD_BUSY:
        return "BUSY";
    case PD_UNKNOWN_OUTCOME:
        return "UNKNOWN_OUTCOME";
    case PD_FENCED:
        return "FENCED";
    case PD_CORRUPT:
        return "CORRUPT";
    case PD_IO:
        return "IO";
    case PD_LOCKED:
        return "LOCKED";
    }
    return "?";
}

pd_status_class_t pd_status_class(pd_status_t status)
{
    switch (status) {
    case PD_OK:
        return PD_CLASS_OK;
    case PD_INVALID:
    case PD_LIMIT:
    case PD_NOT_FOUND:
    case PD_EXISTS:
    case PD_CANCELED:
    case PD_TIMEOUT:
        return PD_CLASS_REJECTED;
    case PD_UNAVAILABLE:
    case PD_BUSY:
    case PD_UNKNOWN_OUTCOME:
        return PD_CLASS_RETRIABLE;
    case PD_FENCED:
    case PD_CORRUPT:
    case PD_IO:
    case PD_LOCKED:
        return PD_CLASS_FATAL;
    }
    return PD_CLASS_FATAL;
}

pd_status_t pd_error_set(pd_error_t *error, pd_status_t status, const char *format, ...)
{
    if (error) {
        va_list args;

        error->status = status;
        va_start(args, format);
        vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
    }
    return status;
}
