/* timers.c -- deadline, run → nothing: when something about a run is due.
 *
 * One row per run, for its earliest deadline (past ones included); the run remembers the row's
 * deadline, so that it can be moved without reading. */
#include "state/store_private.h"

static void timer_key(int64_t deadline_ns, pd_bytes_t run_key, pdi_key_t *key)
{
    pdi_key_clear(key);
    pdi_key_put_u64(key, pdi_key_from_ns(deadline_ns));
    pdi_key_put_bytes(key, run_key.data, run_key.size);
}

void pdi_timers_update(pd_store_t *store, pdi_run_t *run, int64_t deadline_ns, pd_bytes_t run_key)
{
    if (deadline_ns == run->flushed.deadline_ns)
        return;
    if (run->flushed.deadline_ns != INT64_MAX) {
        timer_key(run->flushed.deadline_ns, run_key, &store->value);
        pdi_batch_delete(&store->db, PDI_TABLE_TIMERS, pdi_key_bytes(&store->value));
    }
    if (deadline_ns != INT64_MAX) {
        timer_key(deadline_ns, run_key, &store->value);
        pdi_batch_put(&store->db, PDI_TABLE_TIMERS, pdi_key_bytes(&store->value),
                      pd_bytes(NULL, 0));
    }
    run->flushed.deadline_ns = deadline_ns;
}
