#include "tests/sim/check_fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/partition/partition_private.h"
#include "tests/sim/sim_audit.h"
#include "tests/sim/sim_world.h"

static void dump(sim_t *sim, pd_store_t *store, pd_buf_t *out, const char *whose)
{
    pd_error_t error;

    SIM_CHECK(sim, pd_store_dump(store, out, &error) == PD_OK, "%s cannot be dumped: %s", whose,
              error.text);
}

/* The first line that differs. */
static void tell_difference(sim_t *sim, uint32_t index, const pd_buf_t *a, const pd_buf_t *b,
                            const char *what)
{
    size_t at = 0, line = 0, end_a, end_b;

    while (at < a->size && at < b->size && a->data[at] == b->data[at]) {
        if (a->data[at] == '\n')
            line = at + 1;
        at++;
    }
    for (end_a = line; end_a < a->size && a->data[end_a] != '\n';)
        end_a++;
    for (end_b = line; end_b < b->size && b->data[end_b] != '\n';)
        end_b++;
    sim_fail(sim, "partition %u: %s\n  live:   %.*s\n  folded: %.*s", index, what,
             (int)(end_a - line), (const char *)a->data + line, (int)(end_b - line),
             (const char *)b->data + line);
}

static void compare(sim_t *sim, uint32_t index, pd_store_t *live, pd_store_t *folded,
                    const char *what)
{
    pd_buf_t a, b;

    pd_buf_init(&a, SIZE_MAX);
    pd_buf_init(&b, SIZE_MAX);
    dump(sim, live, &a, "the live store");
    dump(sim, folded, &b, "the folded store");
    if (a.size != b.size || (a.size && memcmp(a.data, b.data, a.size) != 0))
        tell_difference(sim, index, &a, &b, what);
    pd_buf_deinit(&a);
    pd_buf_deinit(&b);
}

/* A standby that has come as far as the log counts has the same rows. */
static void check_standbys(sim_t *sim, uint32_t index)
{
    const sim_audit_partition_t *audited = &sim->audit->partitions[index];

    for (uint32_t i = 0; i < sim->server_count; i++) {
        pd_partition_t *partition = sim_world_partition(sim->world, i, index);

        if (!partition || partition->state != PD_PARTITION_FOLLOWING || !partition->store ||
            partition->chain.offset != audited->chain.offset)
            continue;
        SIM_CHECK(sim, memcmp(partition->chain.hash, audited->chain.hash, PD_RECORD_HASH_SIZE) == 0,
                  "partition %u: the running hash of node-%u, its standby, is not the log's", index,
                  i);
        compare(sim, index, partition->store, audited->shadow,
                "the state of a standby is not the fold of the log");
        sim->audit->standby_count++;
    }
}

void check_fold(sim_t *sim, bool all)
{
    sim_loops_finish_turns(&sim->loops);
    sim_audit_catch_up(sim->audit);
    for (uint32_t i = 0; i < sim->partition_count; i++) {
        sim_audit_partition_t *audited = &sim->audit->partitions[i];
        pd_partition_t *partition = sim_world_owner(sim->world, i, audited->chain.epoch);

        if (all || audited->counted_since_compared)
            check_standbys(sim, i);
        if (!partition || partition->pending_count)
            continue;
        if (!all && !audited->counted_since_compared)
            continue;
        audited->counted_since_compared = 0;
        SIM_CHECK(sim, memcmp(partition->tip_hash, audited->chain.hash, PD_RECORD_HASH_SIZE) == 0,
                  "partition %u: its running hash is not the log's", i);
        compare(sim, i, partition->store, audited->shadow, "the state is not the fold of the log");
    }
}
