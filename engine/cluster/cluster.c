#include "engine/cluster/cluster.h"

#include <stdio.h>

#include "base/diag.h"
#include "engine/cluster/cluster_private.h"

pd_cluster_t *pd_cluster_new(const pd_cluster_options_t *options)
{
    pd_cluster_t *cluster = PD_NEW(pd_cluster_t);

    PD_ASSERT(options->dead_after_ns > options->heartbeat_interval_ns);
    cluster->options = *options;
    cluster->name = pd_strdup(options->name);
    cluster->address = pd_strdup(options->address);
    cluster->version = pd_strdup(options->version);
    cluster->state = PD_CLUSTER_STOPPED;
    pd_random_init(&cluster->random, options->seed);
    pd_arena_init(&cluster->arena);
    STAILQ_INIT(&cluster->beats);
    STAILQ_INIT(&cluster->registered);
    cluster->members = pd_members_new(options->partition_count, options->dead_after_ns);
    cluster->partitions = pd_calloc(options->partition_count, sizeof(cluster->partitions[0]));
    cluster->assignments = pd_calloc(options->partition_count, sizeof(cluster->assignments[0]));
    cluster->said = pd_calloc(options->partition_count, sizeof(cluster->said[0]));
    PD_ASSERT(pthread_mutex_init(&cluster->mutex, NULL) == 0);
    cluster->view =
        pd_cluster_view_single(options->name, options->address, options->partition_count);
    for (uint32_t i = 0; i < options->partition_count; i++)
        cluster->partitions[i].epoch = -1;
    return cluster;
}

void pd_cluster_free(pd_cluster_t *cluster)
{
    if (!cluster)
        return;
    PD_ASSERT(cluster->state == PD_CLUSTER_STOPPED && STAILQ_EMPTY(&cluster->beats));
    pd_members_free(cluster->members);
    pdi_namespaces_forget_told(cluster);
    pd_cluster_view_unref(cluster->view);
    pthread_mutex_destroy(&cluster->mutex);
    pd_arena_deinit(&cluster->arena);
    pd_free(cluster->partitions);
    pd_free(cluster->assignments);
    pd_free(cluster->said);
    pd_free(cluster->name);
    pd_free(cluster->address);
    pd_free(cluster->version);
    pd_free(cluster);
}

void pdi_cluster_set_state(pd_cluster_t *cluster, pd_cluster_state_t state)
{
    if (cluster->state == state)
        return;
    cluster->state = state;
    if (cluster->changed)
        cluster->changed(cluster->changed_ctx, state);
}

void pd_cluster_start(pd_cluster_t *cluster, void (*changed)(void *ctx, pd_cluster_state_t state),
                      void *ctx)
{
    PD_ASSERT_LOOP(cluster->options.loop);
    PD_ASSERT(cluster->state == PD_CLUSTER_STOPPED);
    cluster->changed = changed;
    cluster->changed_ctx = ctx;
    pdi_cluster_set_state(cluster, PD_CLUSTER_LOADING);
    pdi_tail_start(cluster);
}

/* Everything is closed, or about to be: nothing is written or judged any more. */
void pdi_cluster_end(pd_cluster_t *cluster)
{
    pd_loop_timer_stop(cluster->options.loop, &cluster->silence_timer);
    pdi_tail_end(cluster);
    pdi_beat_end(cluster);
    pdi_cluster_maybe_stopped(cluster);
}

void pdi_cluster_maybe_stopped(pd_cluster_t *cluster)
{
    if (cluster->ended && !cluster->closing_reader && !cluster->closing_writer &&
        !cluster->in_flight && !atomic_load(&cluster->poked))
        pdi_cluster_set_state(cluster, PD_CLUSTER_STOPPED);
}

void pd_cluster_leave(pd_cluster_t *cluster)
{
    pd_cluster_state_t state = cluster->state;

    PD_ASSERT_LOOP(cluster->options.loop);
    if (state == PD_CLUSTER_STOPPED || state == PD_CLUSTER_LEAVING)
        return;
    cluster->leave_until_ns = pdi_cluster_now_ns(cluster) + cluster->options.leave_ns;
    pdi_cluster_set_state(cluster, PD_CLUSTER_LEAVING);
    if (state == PD_CLUSTER_LOADING || state == PD_CLUSTER_SUPERSEDED) {
        pdi_cluster_end(cluster); /* the others know nothing of this life */
        return;
    }
    pdi_beat_now(cluster);
    pdi_roles_judge(cluster);
}

void pd_cluster_crash(pd_cluster_t *cluster)
{
    if (cluster->state == PD_CLUSTER_STOPPED)
        return;
    pdi_cluster_end(cluster);
}

static void run_poke(pd_mail_t *mail)
{
    pd_cluster_t *cluster = PD_CONTAINER_OF(mail, pd_cluster_t, poke_mail);

    atomic_store(&cluster->poked, false);
    if (cluster->ended) {
        pdi_cluster_maybe_stopped(cluster);
        return;
    }
    pdi_beat_news(cluster);
    pdi_roles_judge(cluster);
}

bool pd_cluster_is_deaf(const pd_cluster_t *cluster)
{
    return atomic_load_explicit(&cluster->deaf, memory_order_relaxed);
}

void pd_cluster_status_changed(pd_cluster_t *cluster)
{
    if (atomic_exchange(&cluster->poked, true))
        return;
    cluster->poke_mail.run = run_poke;
    pd_loop_post(cluster->options.loop, &cluster->poke_mail);
}
