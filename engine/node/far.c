/* One of several nodes: which task queues are at home here, and tasks from and for other nodes.
 * Each loop has a view of its own, changed by mail. */
#include <string.h>

#include "engine/node/node_private.h"

/* ---- what matching asks ---- */

static bool is_home(void *ctx, const pd_namespace_t *ns, const char *normal_task_queue)
{
    const pdi_node_matching_t *self = ctx;

    return !self->view ||
           pd_cluster_view_home(self->view, ns->id, normal_task_queue) == self->view->self;
}

static void start(void *ctx, pd_poll_t *poll, const pd_offer_t *task)
{
    const pd_node_far_t *far = &((pdi_node_matching_t *)ctx)->node->options.far;

    far->start(far->ctx, poll, task);
}

static bool is_member(void *ctx, const char *node)
{
    const pd_cluster_view_t *view = ((const pdi_node_matching_t *)ctx)->view;

    for (uint32_t i = 0; view && i < view->member_count; i++) {
        if (strcmp(view->members[i].name, node) == 0)
            return true;
    }
    return !view;
}

static bool is_void(void *ctx, uint32_t partition_index, int64_t epoch)
{
    const pdi_node_matching_t *self = ctx;

    return self->view && partition_index < self->view->partition_count &&
           self->view->partitions[partition_index].epoch > epoch;
}

pd_matching_far_t pdi_node_matching_far(pdi_node_matching_t *self)
{
    if (!self->node->options.far.offer)
        return (pd_matching_far_t){0};
    return (pd_matching_far_t){.is_home = is_home,
                               .start = start,
                               .is_member = is_member,
                               .is_void = is_void,
                               .ctx = self};
}

bool pdi_node_offer_far(pd_node_t *node, const pd_offer_t *offer)
{
    pdi_node_matching_t *self =
        &node->matchings[pd_partition_index(offer->partition) % node->options.loop_count];
    pd_offer_t far = *offer;
    pd_partition_status_t status;

    if (!self->view || is_home(self, offer->ns, offer->normal_task_queue))
        return false;
    pd_partition_status(offer->partition, &status);
    far.partition_index = pd_partition_index(offer->partition);
    far.epoch = status.epoch;
    node->options.far.offer(node->options.far.ctx, &far);
    return true;
}

/* ---- views ---- */

/* What the loop's partitions offer again: whatever had another home before. */
typedef struct moved {
    pd_offer_filter_t filter;
    pd_cluster_view_t *before, *now; /* `before` is NULL: all were at home here */
} moved_t;

static bool has_moved(const pd_offer_filter_t *filter, const char *namespace_id,
                      const char *normal_task_queue)
{
    const moved_t *moved = PD_CONTAINER_OF(filter, moved_t, filter);
    const pd_cluster_view_t *before = moved->before, *now = moved->now;
    const pd_cluster_member_t *old, *new;

    new = &now->members[pd_cluster_view_home(now, namespace_id, normal_task_queue)];
    if (!before)
        return new != &now->members[now->self];
    old = &before->members[pd_cluster_view_home(before, namespace_id, normal_task_queue)];
    return strcmp(old->name, new->name) != 0 || strcmp(old->incarnation, new->incarnation) != 0;
}

static void free_moved(pd_offer_filter_t *filter)
{
    moved_t *moved = PD_CONTAINER_OF(filter, moved_t, filter);

    pd_cluster_view_unref(moved->before);
    pd_cluster_view_unref(moved->now);
    pd_free(moved);
}

static pd_offer_filter_t *filter_moved(pd_cluster_view_t *before, pd_cluster_view_t *now)
{
    moved_t *moved = PD_NEW(moved_t);

    moved->filter.wants = has_moved;
    moved->filter.free = free_moved;
    moved->before = before ? pd_cluster_view_ref(before) : NULL;
    moved->now = pd_cluster_view_ref(now);
    return &moved->filter;
}

/* … or whatever is at home elsewhere. */
typedef struct elsewhere {
    pd_offer_filter_t filter;
    const pdi_node_matching_t *matching;
} elsewhere_t;

static bool is_elsewhere(const pd_offer_filter_t *filter, const char *namespace_id,
                         const char *normal_task_queue)
{
    const pd_cluster_view_t *view = PD_CONTAINER_OF(filter, elsewhere_t, filter)->matching->view;

    return pd_cluster_view_home(view, namespace_id, normal_task_queue) != view->self;
}

static void free_elsewhere(pd_offer_filter_t *filter)
{
    pd_free(PD_CONTAINER_OF(filter, elsewhere_t, filter));
}

static pd_offer_filter_t *filter_elsewhere(const pdi_node_matching_t *matching)
{
    elsewhere_t *elsewhere = PD_NEW(elsewhere_t);

    elsewhere->filter.wants = is_elsewhere;
    elsewhere->filter.free = free_elsewhere;
    elsewhere->matching = matching;
    return &elsewhere->filter;
}

typedef struct view_mail {
    pd_mail_t mail;
    pdi_node_matching_t *matching;
    pd_cluster_view_t *view; /* NULL: offer again what is at home elsewhere */
} view_mail_t;

/* `before`, `now`: views; `now` is NULL: whatever is elsewhere. */
static void offer_again(pdi_node_matching_t *self, pd_cluster_view_t *before,
                        pd_cluster_view_t *now)
{
    pd_node_t *node = self->node;
    uint32_t loop = (uint32_t)(self - node->matchings);

    for (uint32_t i = loop; i < node->options.partition_count; i += node->options.loop_count)
        pd_partition_offer_again(node->partitions[i].partition,
                                 now ? filter_moved(before, now) : filter_elsewhere(self));
}

static void run_view(pd_mail_t *mail)
{
    view_mail_t *self = PD_CONTAINER_OF(mail, view_mail_t, mail);
    pdi_node_matching_t *matching = self->matching;
    pd_cluster_view_t *before = matching->view;

    matching->view = self->view;
    pd_matching_homes_changed(matching->matching);
    if (!before || !pd_cluster_view_same_homes(before, self->view))
        offer_again(matching, before, self->view);
    pd_cluster_view_unref(before);
    pd_free(self);
}

static void run_again(pd_mail_t *mail)
{
    view_mail_t *self = PD_CONTAINER_OF(mail, view_mail_t, mail);

    if (self->matching->view)
        offer_again(self->matching, NULL, NULL);
    pd_free(self);
}

static void tell_loops(pd_node_t *node, void (*run)(pd_mail_t *mail), pd_cluster_view_t *view)
{
    for (uint32_t i = 0; i < node->options.loop_count; i++) {
        view_mail_t *mail = PD_NEW(view_mail_t);

        mail->mail.run = run;
        mail->matching = &node->matchings[i];
        mail->view = view ? pd_cluster_view_ref(view) : NULL;
        pd_loop_post(node->matchings[i].loop, &mail->mail);
    }
}

void pd_node_set_view(pd_node_t *node, pd_cluster_view_t *view)
{
    PD_ASSERT(node->options.far.offer && view->partition_count == node->options.partition_count);
    tell_loops(node, run_view, view);
}

void pd_node_offer_again(pd_node_t *node)
{
    tell_loops(node, run_again, NULL);
}

/* ---- tasks of other nodes, and for them ---- */

static void run_submit(pd_mail_t *mail)
{
    pd_command_t *command = PD_CONTAINER_OF(mail, pd_command_t, mail);

    pd_partition_submit(command->partition, command);
}

static void run_hand_out_query(pd_mail_t *mail)
{
    pd_poll_t *poll = PD_CONTAINER_OF(mail, pd_poll_t, mail);

    pd_partition_hand_out_query(poll->partition, poll, poll->query_id);
}

void pd_node_start_task(pd_node_t *node, pd_poll_t *poll, const pd_offer_t *task)
{
    pd_partition_t *partition = node->partitions[task->partition_index].partition;
    pd_command_t *command;

    PD_ASSERT(poll->is_far && task->partition_index < node->options.partition_count);
    if (task->query_id) {
        poll->partition = partition;
        poll->query_id = task->query_id;
        poll->mail.run = run_hand_out_query;
        pd_loop_post(pd_partition_loop(partition), &poll->mail);
        return;
    }
    command = pd_command_new(task->kind == PD_TASK_WORKFLOW ? &pd_command_start_workflow_task
                                                            : &pd_command_start_activity_task);
    command->ns = task->ns;
    command->workflow_id = pd_arena_strdup(command->arena, task->workflow_id);
    command->run_id = pd_arena_strdup(command->arena, task->run_id);
    command->scheduled_event_id = task->scheduled_event_id;
    command->attempt = task->attempt;
    command->poll = poll;
    command->partition = partition;
    command->mail.run = run_submit;
    pd_loop_post(pd_partition_loop(partition), &command->mail);
}

void pdi_node_refuse_far(pd_poll_t *poll)
{
    pd_arena_t *arena = poll->call->arena;

    if (poll->not_taken)
        pd_call_fail_not_taken(poll->call, pd_rpc_unavailable(arena, "the task has another owner"));
    else if (poll->refusal == PD_RPC_OK || poll->refusal == PD_RPC_NOT_FOUND)
        pd_call_fail(poll->call, pd_rpc_error(arena, PD_RPC_NOT_FOUND, "the task is gone"));
    else
        pd_call_fail(poll->call,
                     pd_rpc_error(arena, poll->refusal, "the task may have been started"));
}
