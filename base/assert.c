#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void pd_assert_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "perdure: assertion failed at %s:%d: %s\n", file, line, what);
    abort();
}
