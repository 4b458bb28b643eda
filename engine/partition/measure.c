/* What a partition counts and times. Nothing here changes what it does. */
#include "engine/partition/partition_private.h"

enum { MEASURED_ONE_IN = 16 }; /* records whose apply is timed: two looks at a clock each */

void pdi_measure_append(pd_partition_t *partition, pdi_pending_t *pending)
{
    pending->appended_ns = pd_loop_now_ns(partition->options.loop);
    pd_gauge_set(&partition->metrics.pending_count, (int64_t)partition->pending_count);
}

/* By the loop's clock: as late as the turn in which the acknowledgement is seen. */
void pdi_measure_acknowledged(pd_partition_t *partition, const pdi_pending_t *pending)
{
    pd_histogram_observe(&partition->metrics.append,
                         pd_loop_now_ns(partition->options.loop) - pending->appended_ns);
    pd_gauge_set(&partition->metrics.pending_count, (int64_t)partition->pending_count);
}

int64_t pdi_measure_apply_begin(pd_partition_t *partition)
{
    if (!partition->options.precise_ns || partition->applied_count++ % MEASURED_ONE_IN != 0)
        return 0;
    return partition->options.precise_ns();
}

static void count_events(pd_partition_metrics_t *metrics, const Perdure__V1__RunEvents *run)
{
    for (size_t i = 0; i < run->n_events; i++) {
        if (run->events[i]->kind_case == PERDURE__V1__EVENT__KIND_HISTORY)
            pd_partition_metrics_count_event(metrics, (int)run->events[i]->history->event_type);
    }
}

void pdi_measure_apply_end(pd_partition_t *partition, int64_t begin_ns,
                           const Perdure__V1__Record *record)
{
    if (begin_ns)
        pd_histogram_observe(&partition->metrics.apply, partition->options.precise_ns() - begin_ns);
    if (record->body_case != PERDURE__V1__RECORD__BODY_TRANSITION)
        return;
    for (size_t i = 0; i < record->transition->n_runs; i++)
        count_events(&partition->metrics, record->transition->runs[i]);
}

void pdi_measure_flushed(pd_partition_t *partition)
{
    pd_store_memory_t memory;

    pd_store_memory(partition->store, &memory);
    pd_gauge_set(&partition->metrics.memtable_size, (int64_t)memory.memtable_size);
    pd_gauge_set(&partition->metrics.table_reader_size, (int64_t)memory.table_reader_size);
}

void pdi_measure_command(pd_partition_t *partition, pd_command_outcome_t outcome)
{
    pd_counter_add(&partition->metrics.commands[outcome], 1);
}

uint64_t pdi_measured_commands(const pd_partition_t *partition, pd_command_outcome_t outcome)
{
    return atomic_load_explicit(&partition->metrics.commands[outcome].value, memory_order_relaxed);
}

void pd_partition_collect_metrics(pd_partition_t *partition)
{
    pd_partition_metrics_t *metrics = &partition->metrics;
    pd_partition_status_t status;
    int64_t lag;

    pd_partition_status(partition, &status);
    lag = status.end_offset - 1 - status.applied_offset;
    pd_gauge_set(&metrics->owned, status.state == PD_PARTITION_OWNER);
    pd_gauge_set(&metrics->acquiring, status.state == PD_PARTITION_ACQUIRING);
    pd_gauge_set(&metrics->epoch, status.epoch);
    pd_gauge_set(&metrics->applied_offset, status.applied_offset);
    pd_gauge_set(&metrics->end_offset, status.end_offset);
    pd_gauge_set(&metrics->lag, status.end_offset >= 0 && lag > 0 ? lag : 0);
}
