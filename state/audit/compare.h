/* compare.h -- two stores, table by table: do they hold the same?
 * Thread: the stores'. Both are read only. Memory: both as text. */
#ifndef PD_STATE_AUDIT_COMPARE_H
#define PD_STATE_AUDIT_COMPARE_H

#include "state/store.h"

enum { PD_COMPARE_SHOWN = 3 }; /* differences of each table that are shown */

/* Appends the first differences of each table to `out`, with the names of both, and how many there
 * are. PD_IO, PD_CORRUPT: a store cannot be read. */
pd_status_t pd_store_compare(pd_store_t *a, const char *a_name, pd_store_t *b, const char *b_name,
                             pd_buf_t *out, bool *same, pd_error_t *error) PD_MUST_USE;

#endif
