/* Views: made on the cluster's loop when something has changed, read by any thread, and posted to
 * whoever asked for them. */
#include "engine/cluster/cluster_private.h"

static pd_cluster_view_t *make_view(const pd_cluster_t *cluster, const pd_member_t *const *alive,
                                    uint32_t alive_count)
{
    pd_cluster_view_t *view = PD_NEW(pd_cluster_view_t);
    pd_cluster_member_t *members = pd_calloc(alive_count, sizeof(*members));
    uint32_t count = cluster->options.partition_count;
    pd_cluster_place_t *places = pd_calloc(count, sizeof(*places));

    for (uint32_t i = 0; i < alive_count; i++) {
        members[i] = (pd_cluster_member_t){
            .name = pd_strdup(alive[i]->name),
            .incarnation = pd_strdup(alive[i]->incarnation),
            .address = pd_strdup(alive[i]->address),
            .leaving = alive[i]->leaving,
        };
        if (strcmp(alive[i]->name, cluster->name) == 0)
            view->self = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        const pd_assignment_t *assignment = &cluster->assignments[i];

        places[i] = (pd_cluster_place_t){
            .owner = assignment->owner,
            .preferred = assignment->preferred,
            .standby = assignment->owner == assignment->preferred ? assignment->standby
                                                                  : assignment->preferred,
            .epoch = assignment->owner < 0 ? -1 : assignment->epoch,
        };
    }
    atomic_init(&view->ref_count, 1);
    view->stale =
        pdi_cluster_now_ns(cluster) - cluster->judged_ns >= cluster->options.dead_after_ns;
    view->member_count = alive_count;
    view->members = members;
    view->partition_count = count;
    view->partitions = places;
    return view;
}

typedef struct view_mail {
    pd_mail_t mail;
    const pd_cluster_watch_t *watch;
    pd_cluster_view_t *view;
} view_mail_t;

static void run_view(pd_mail_t *mail)
{
    view_mail_t *self = PD_CONTAINER_OF(mail, view_mail_t, mail);

    self->watch->changed(self->watch->ctx, self->view);
    pd_cluster_view_unref(self->view);
    pd_free(self);
}

static void post_view(pd_cluster_t *cluster, pd_cluster_view_t *view)
{
    for (uint32_t i = 0; i < cluster->watch_count; i++) {
        view_mail_t *mail = PD_NEW(view_mail_t);

        mail->mail.run = run_view;
        mail->watch = &cluster->watches[i];
        mail->view = pd_cluster_view_ref(view);
        pd_loop_post(cluster->watches[i].loop, &mail->mail);
    }
}

void pdi_publish_view(pd_cluster_t *cluster, const pd_member_t *const *alive, uint32_t alive_count)
{
    pd_cluster_view_t *view = make_view(cluster, alive, alive_count), *before = cluster->view;

    if (pd_cluster_view_same(view, before)) {
        pd_cluster_view_unref(view);
        return;
    }
    view->version = before->version + 1;
    PD_ASSERT(pthread_mutex_lock(&cluster->mutex) == 0);
    cluster->view = view;
    pthread_mutex_unlock(&cluster->mutex);
    pd_cluster_view_unref(before);
    post_view(cluster, view);
}

pd_cluster_view_t *pd_cluster_current(pd_cluster_t *cluster)
{
    pd_cluster_view_t *view;

    PD_ASSERT(pthread_mutex_lock(&cluster->mutex) == 0);
    view = pd_cluster_view_ref(cluster->view);
    pthread_mutex_unlock(&cluster->mutex);
    return view;
}

void pd_cluster_watch(pd_cluster_t *cluster, const pd_cluster_watch_t *watch)
{
    PD_ASSERT(cluster->state == PD_CLUSTER_STOPPED && cluster->watch_count < PDI_CLUSTER_WATCH_MAX);
    cluster->watches[cluster->watch_count++] = *watch;
}
