/* uuid.h -- UUIDs as Temporal's server reads them. Thread: any. */
#ifndef PD_ENGINE_UUID_H
#define PD_ENGINE_UUID_H

#include <stdbool.h>

/* 8-4-4-4-12 hexadecimal digits, perhaps in braces, behind "urn:uuid:", or without dashes. */
bool pd_is_uuid(const char *text);

#endif
